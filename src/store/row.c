/*
 * Bytes of one row. Must never read or write outside the row it was given.
 */
#include "row.h"

#include "base/assert.h"

#include <endian.h>
#include <string.h>

void row_put_bytes(row_writer_t *writer, const void *bytes, size_t length) {
    ASSERT(length <= (size_t)(writer->end - writer->at));
    if (length > 0) {
        memcpy(writer->at, bytes, length);
        writer->at += length;
    }
}

void row_put_u8(row_writer_t *writer, uint8_t value) {
    row_put_bytes(writer, &value, sizeof value);
}

void row_put_u16(row_writer_t *writer, uint16_t value) {
    uint16_t little = htole16(value);
    row_put_bytes(writer, &little, sizeof little);
}

void row_put_u32(row_writer_t *writer, uint32_t value) {
    uint32_t little = htole32(value);
    row_put_bytes(writer, &little, sizeof little);
}

void row_put_u64(row_writer_t *writer, uint64_t value) {
    uint64_t little = htole64(value);
    row_put_bytes(writer, &little, sizeof little);
}

void row_put_u32_big_endian(row_writer_t *writer, uint32_t value) {
    uint32_t big = htobe32(value);
    row_put_bytes(writer, &big, sizeof big);
}

void row_put_u64_big_endian(row_writer_t *writer, uint64_t value) {
    uint64_t big = htobe64(value);
    row_put_bytes(writer, &big, sizeof big);
}

const char *row_borrow(row_reader_t *reader, size_t length) {
    if (reader->damaged || length > reader->left) {
        reader->damaged = true;
        return NULL;
    }
    const char *bytes = reader->at;
    reader->at += length;
    reader->left -= length;
    return bytes;
}

void row_bytes(row_reader_t *reader, void *bytes, size_t length) {
    const char *source = row_borrow(reader, length);
    if (source == NULL) {
        memset(bytes, 0, length);
    } else {
        memcpy(bytes, source, length);
    }
}

uint8_t row_u8(row_reader_t *reader) {
    uint8_t value;
    row_bytes(reader, &value, sizeof value);
    return value;
}

uint16_t row_u16(row_reader_t *reader) {
    uint16_t little;
    row_bytes(reader, &little, sizeof little);
    return le16toh(little);
}

uint32_t row_u32(row_reader_t *reader) {
    uint32_t little;
    row_bytes(reader, &little, sizeof little);
    return le32toh(little);
}

uint64_t row_u64(row_reader_t *reader) {
    uint64_t little;
    row_bytes(reader, &little, sizeof little);
    return le64toh(little);
}

uint32_t row_u32_big_endian(row_reader_t *reader) {
    uint32_t big;
    row_bytes(reader, &big, sizeof big);
    return be32toh(big);
}

uint64_t row_u64_big_endian(row_reader_t *reader) {
    uint64_t big;
    row_bytes(reader, &big, sizeof big);
    return be64toh(big);
}

uint8_t row_flags(row_reader_t *reader, uint8_t known) {
    uint8_t flags = row_u8(reader);
    if ((flags & (uint8_t)~known) != 0) {
        reader->damaged = true;
        return 0;
    }
    return flags;
}

bool row_complete(const row_reader_t *reader) {
    return !reader->damaged && reader->left == 0;
}
