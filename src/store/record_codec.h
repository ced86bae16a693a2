/*
 * Records as rows, but for messages (message_row.h): as they have been since schema version 1.
 * Numbers in rows are little endian, in keys big endian, so that keys sort by number. Decoding is
 * bounds-checked to the last byte and returns false for what no encoder of ours writes; encoding
 * asserts that the core kept its own limits.
 */
#ifndef REALMGATE_STORE_RECORD_CODEC_H
#define REALMGATE_STORE_RECORD_CODEC_H

#include "types/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for the longest key and the longest row of the kinds that record_*_encode take. */
#define RECORD_KEY_BYTES_MAX 40
#define RECORD_ROW_BYTES_MAX (1024 + LINKS_MAX * REF_REALM_BYTES)

#define HEAD_ROW_BYTES       64
#define VERDICT_ROW_BYTES    2
#define CHECKPOINT_ROW_BYTES 8
#define FLOOR_ROW_BYTES      17

/* True for the kinds that live in the table of small rows: RECORD_USER to RECORD_REJECTION and
 * RECORD_REF, not the ..._GONE kinds. */
bool record_kind_is_row(record_kind_t kind);

/* The kind whose row a ..._GONE kind deletes; 0 for every other kind. */
record_kind_t record_kind_deleted(record_kind_t kind);

/* Writes the key (kind byte included) of a record whose row lives, or lived, in the table of small
 * rows. `kind` is the kind of that row. Returns its length. */
size_t record_key_encode(uint8_t key[RECORD_KEY_BYTES_MAX], record_kind_t kind,
                         const record_t *record);

/* Writes the row behind that key. Returns its length, 0 for a member. */
size_t record_row_encode(uint8_t row[RECORD_ROW_BYTES_MAX], const record_t *record);

/* Reads key and row of the table of small rows. False if damaged. */
bool record_decode(record_t *record, span_t key, span_t row);

void head_row_encode(uint8_t row[HEAD_ROW_BYTES], const mailbox_head_t *head);
bool head_row_decode(mailbox_head_t *head, span_t row);

void verdict_row_encode(uint8_t row[VERDICT_ROW_BYTES], code_t code);
bool verdict_row_decode(code_t *code, span_t row);

void checkpoint_row_encode(uint8_t row[CHECKPOINT_ROW_BYTES], uint64_t position);
bool checkpoint_row_decode(uint64_t *position, span_t row);

void floor_row_encode(uint8_t row[FLOOR_ROW_BYTES], const floor_record_t *floor);
bool floor_row_decode(floor_record_t *floor, span_t row);

#endif
