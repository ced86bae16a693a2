/*
 * Blocks as bytes. Must never read past what it was given, nor give positions that do not ascend or
 * lie behind the block's key.
 */
#include "block.h"

#include "base/assert.h"

bool block_fits(const block_t *block, size_t row_bytes) {
    return block->length == 0 || block->length + BLOCK_ROW_HEAD_BYTES + row_bytes <= BLOCK_BYTES;
}

void block_add(block_t *block, uint64_t position, span_t row) {
    ASSERT(block_fits(block, row.length) && row.length <= MESSAGE_ROW_BYTES_MAX);
    row_writer_t writer = {.at = block->bytes + block->length,
                           .end = block->bytes + sizeof block->bytes};
    if (block->length == 0) {
        ASSERT(position > 0);
        row_put_u64(&writer, position - 1);
        block->first = position;
        block->last = position - 1;
    }
    ASSERT(position > block->last);
    row_put_varint(&writer, position - block->last);
    row_put_u16(&writer, (uint16_t)row.length);
    row_put_bytes(&writer, row.bytes, row.length);
    block->last = position;
    block->length = (size_t)(writer.at - block->bytes);
}

block_reader_t block_open(uint64_t key, span_t block) {
    block_reader_t reader = {.left = {.at = block.bytes, .left = block.length}, .key = key};
    reader.position = row_u64(&reader.left);
    /* No block is empty. */
    if (reader.left.left == 0 || block.length > sizeof((block_t *)0)->bytes) {
        reader.left.damaged = true;
    }
    return reader;
}

bool block_next(block_reader_t *reader, span_t *row) {
    row_reader_t *left = &reader->left;
    if (left->damaged || left->left == 0) {
        return false;
    }
    uint64_t delta = row_varint(left);
    row->length = row_u16(left);
    row->bytes = row_borrow(left, row->length);
    if (reader->position > reader->key || delta == 0 || delta > reader->key - reader->position) {
        left->damaged = true;
    }
    reader->position += delta;
    return !left->damaged;
}

bool block_damaged(const block_reader_t *reader) {
    return reader->left.damaged;
}

bool block_seek(block_reader_t *reader, uint64_t position, span_t *row) {
    while (block_next(reader, row)) {
        if (reader->position >= position) {
            return true;
        }
    }
    return false;
}
