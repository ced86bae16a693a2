/*
 * Cursors over the bytes of one row: a writer that asserts its room and a reader that remembers
 * that it ran out. Little endian. Those that each message of each commit goes through stand here,
 * so that they are compiled into it.
 */
#ifndef REALMGATE_STORE_ROW_H
#define REALMGATE_STORE_ROW_H

#include "base/assert.h"

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct row_writer {
    uint8_t *at;
    uint8_t *end;
} row_writer_t;

static inline void row_put_bytes(row_writer_t *writer, const void *bytes, size_t length) {
    ASSERT(length <= (size_t)(writer->end - writer->at));
    if (length > 0) {
        memcpy(writer->at, bytes, length);
        writer->at += length;
    }
}

static inline void row_put_u8(row_writer_t *writer, uint8_t value) {
    row_put_bytes(writer, &value, sizeof value);
}

static inline void row_put_u16(row_writer_t *writer, uint16_t value) {
    uint16_t little = htole16(value);
    row_put_bytes(writer, &little, sizeof little);
}

static inline void row_put_u32(row_writer_t *writer, uint32_t value) {
    uint32_t little = htole32(value);
    row_put_bytes(writer, &little, sizeof little);
}

static inline void row_put_u64(row_writer_t *writer, uint64_t value) {
    uint64_t little = htole64(value);
    row_put_bytes(writer, &little, sizeof little);
}

/* A number in as few bytes as it needs, LEB128: 7 bits a byte, the lowest first. */
static inline void row_put_varint(row_writer_t *writer, uint64_t value) {
    while (value >= 0x80) {
        row_put_u8(writer, (uint8_t)(value | 0x80));
        value >>= 7;
    }
    row_put_u8(writer, (uint8_t)value);
}

void row_put_u32_big_endian(row_writer_t *writer, uint32_t value);
void row_put_u64_big_endian(row_writer_t *writer, uint64_t value);

/* Once `damaged`, everything read is 0. */
typedef struct row_reader {
    const char *at;
    size_t left;
    bool damaged;
} row_reader_t;

/* The next `length` bytes where they are; NULL if there are fewer. */
static inline const char *row_borrow(row_reader_t *reader, size_t length) {
    if (reader->damaged || length > reader->left) {
        reader->damaged = true;
        return NULL;
    }
    const char *bytes = reader->at;
    reader->at += length;
    reader->left -= length;
    return bytes;
}

static inline void row_bytes(row_reader_t *reader, void *bytes, size_t length) {
    const char *source = row_borrow(reader, length);
    if (source == NULL) {
        memset(bytes, 0, length);
    } else {
        memcpy(bytes, source, length);
    }
}

static inline uint8_t row_u8(row_reader_t *reader) {
    uint8_t value;
    row_bytes(reader, &value, sizeof value);
    return value;
}

static inline uint16_t row_u16(row_reader_t *reader) {
    uint16_t little;
    row_bytes(reader, &little, sizeof little);
    return le16toh(little);
}

static inline uint32_t row_u32(row_reader_t *reader) {
    uint32_t little;
    row_bytes(reader, &little, sizeof little);
    return le32toh(little);
}

static inline uint64_t row_u64(row_reader_t *reader) {
    uint64_t little;
    row_bytes(reader, &little, sizeof little);
    return le64toh(little);
}

/* Most are of one byte. The rest of one that is longer; only the shortest form counts. */
uint64_t row_varint_rest(row_reader_t *reader, uint8_t first);

static inline uint64_t row_varint(row_reader_t *reader) {
    uint8_t first = row_u8(reader);
    return first < 0x80 ? first : row_varint_rest(reader, first);
}

uint32_t row_u32_big_endian(row_reader_t *reader);
uint64_t row_u64_big_endian(row_reader_t *reader);
/* One byte of flags of which only those in `known` may be set. */
uint8_t row_flags(row_reader_t *reader, uint8_t known);
/* True if the row was read to its last byte and nothing was damaged. */
bool row_complete(const row_reader_t *reader);

#endif
