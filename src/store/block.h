/*
 * Blocks: messages in order of arrival, some twenty a block, as the log of the tables keeps them. A
 * block stands under the position of its last message, or of one that was the last and is gone.
 *
 * A block: the position that the first delta counts from (8 bytes), then for each message how far
 * its position lies behind the one before (a varint, 1 or more), the length of its row (2 bytes),
 * the row. It fills one page of LMDB; a message that does not fit is a block of its own.
 */
#ifndef REALMGATE_STORE_BLOCK_H
#define REALMGATE_STORE_BLOCK_H

#include "message_row.h"
#include "row.h"

/* What LMDB keeps in one page outside of its tree: pages of 4 KiB with a head of 16 bytes. */
#define BLOCK_BYTES 4080

#define BLOCK_HEAD_BYTES     8
#define BLOCK_ROW_HEAD_BYTES (VARINT_BYTES_MAX + 2)

/* A block under way. */
typedef struct block {
    size_t length;  /* 0: empty */
    uint64_t first; /* position of the first message */
    uint64_t last;  /* and of the last one */
    uint8_t bytes[BLOCK_BYTES + BLOCK_HEAD_BYTES + BLOCK_ROW_HEAD_BYTES + MESSAGE_ROW_BYTES_MAX];
} block_t;

/* Whether a row can be added without the block growing beyond BLOCK_BYTES; the first one can
 * always.
 */
bool block_fits(const block_t *block, size_t row_bytes);

/* Adds a row that fits, of MESSAGE_ROW_BYTES_MAX at most, behind the last position. */
void block_add(block_t *block, uint64_t position, span_t row);

/* A walk along a block that may come from a damaged file. */
typedef struct block_reader {
    row_reader_t left;
    uint64_t key;
    uint64_t position; /* of the message that was read last */
} block_reader_t;

block_reader_t block_open(uint64_t key, span_t block);

/* Reads the next message; false at the end, and if the block is damaged (block_damaged). */
bool block_next(block_reader_t *reader, span_t *row);
bool block_damaged(const block_reader_t *reader);

/* Reads up to the first message that is not in front of `position`; false if there is none. */
bool block_seek(block_reader_t *reader, uint64_t position, span_t *row);

#endif
