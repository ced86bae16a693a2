/*
 * Blocks: messages in order of arrival, some twenty a block, as the log of the tables keeps them. A
 * block stands under the position of its last message, or of one that was the last and is gone.
 *
 * A block: the position of its first message (8 bytes); the rows, one behind the other; for each
 * how far its position lies behind the first one (4 bytes) and where the row begins (2); how many
 * there are (2). It fills one page of LMDB; a message that does not fit is a block of its own. As
 * positions seldom leave any out, a message is found without a search.
 */
#ifndef REALMGATE_STORE_BLOCK_H
#define REALMGATE_STORE_BLOCK_H

#include "message_row.h"
#include "row.h"

/* What LMDB keeps in one page outside of its tree: pages of 4 KiB with a head of 16 bytes. */
#define BLOCK_BYTES 4080

#define BLOCK_HEAD_BYTES  8
#define BLOCK_ENTRY_BYTES 6
#define BLOCK_TAIL_BYTES  2
#define BLOCK_ROWS_MAX    256

/* A block under way. */
typedef struct block {
    size_t length;  /* without what stands behind the rows; 0: empty */
    uint64_t first; /* position of the first message */
    uint64_t last;  /* and of the last one */
    size_t count;
    uint32_t deltas[BLOCK_ROWS_MAX];
    uint16_t offsets[BLOCK_ROWS_MAX];
    uint8_t bytes[BLOCK_BYTES + MESSAGE_ROW_BYTES_MAX];
} block_t;

/* Whether the message can be added without the block growing beyond BLOCK_BYTES; the first one can
 * always. */
bool block_fits(const block_t *block, uint64_t position, size_t row_bytes);

/* Adds a row that fits, of MESSAGE_ROW_BYTES_MAX at most, behind the last position. */
void block_add(block_t *block, uint64_t position, span_t row);

/* The bytes of a block that is not empty, as they are stored. */
span_t block_bytes(block_t *block);

/* A walk along a block that may come from a damaged file. */
typedef struct block_reader {
    const char *bytes;
    const char *entries; /* behind the rows */
    size_t count, next;
    uint64_t key, first;
    uint64_t
        position; /* of the message that was read last; at first, the one in front of `first` */
    bool damaged;
} block_reader_t;

block_reader_t block_open(uint64_t key, span_t block);

/* Reads the next message; false at the end, and if the block is damaged (block_damaged). */
bool block_next(block_reader_t *reader, span_t *row);
bool block_damaged(const block_reader_t *reader);

/* Reads the first message that is not in front of `position`; false if there is none. */
bool block_seek(block_reader_t *reader, uint64_t position, span_t *row);

#endif
