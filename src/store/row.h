/*
 * Cursors over the bytes of one row: a writer that asserts its room and a reader that remembers
 * that it ran out. Little endian.
 */
#ifndef REALMGATE_STORE_ROW_H
#define REALMGATE_STORE_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct row_writer {
    uint8_t *at;
    uint8_t *end;
} row_writer_t;

void row_put_u8(row_writer_t *writer, uint8_t value);
void row_put_u16(row_writer_t *writer, uint16_t value);
void row_put_u32(row_writer_t *writer, uint32_t value);
void row_put_u64(row_writer_t *writer, uint64_t value);
void row_put_u32_big_endian(row_writer_t *writer, uint32_t value);
void row_put_u64_big_endian(row_writer_t *writer, uint64_t value);
void row_put_bytes(row_writer_t *writer, const void *bytes, size_t length);

/* Once `damaged`, everything read is 0. */
typedef struct row_reader {
    const char *at;
    size_t left;
    bool damaged;
} row_reader_t;

uint8_t row_u8(row_reader_t *reader);
uint16_t row_u16(row_reader_t *reader);
uint32_t row_u32(row_reader_t *reader);
uint64_t row_u64(row_reader_t *reader);
uint32_t row_u32_big_endian(row_reader_t *reader);
uint64_t row_u64_big_endian(row_reader_t *reader);
void row_bytes(row_reader_t *reader, void *bytes, size_t length);
/* The next `length` bytes where they are; NULL if there are fewer. */
const char *row_borrow(row_reader_t *reader, size_t length);
/* One byte of flags of which only those in `known` may be set. */
uint8_t row_flags(row_reader_t *reader, uint8_t known);
/* True if the row was read to its last byte and nothing was damaged. */
bool row_complete(const row_reader_t *reader);

#endif
