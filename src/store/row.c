/*
 * Bytes of one row. Must never read or write outside the row it was given.
 */
#include "row.h"

#include <endian.h>

void row_put_u32_big_endian(row_writer_t *writer, uint32_t value) {
    uint32_t big = htobe32(value);
    row_put_bytes(writer, &big, sizeof big);
}

void row_put_u64_big_endian(row_writer_t *writer, uint64_t value) {
    uint64_t big = htobe64(value);
    row_put_bytes(writer, &big, sizeof big);
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

uint64_t row_varint_rest(row_reader_t *reader, uint8_t first) {
    uint64_t value = first & 0x7F;
    for (unsigned shift = 7; shift < 64; shift += 7) {
        uint8_t byte = row_u8(reader);
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            bool sound = byte != 0 && (shift < 63 || byte == 1);
            reader->damaged = reader->damaged || !sound;
            return reader->damaged ? 0 : value;
        }
    }
    reader->damaged = true;
    return 0;
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
