/*
 * Blocks as bytes. Must never read past what it was given, nor give positions that do not ascend or
 * lie behind the block's key.
 */
#include "block.h"

#include "base/assert.h"

bool block_fits(const block_t *block, uint64_t position, size_t row_bytes) {
    size_t behind = (block->count + 1) * BLOCK_ENTRY_BYTES + BLOCK_TAIL_BYTES;
    return block->length == 0 ||
           (block->length + row_bytes + behind <= BLOCK_BYTES && block->count < BLOCK_ROWS_MAX &&
            position - block->first <= UINT32_MAX);
}

void block_add(block_t *block, uint64_t position, span_t row) {
    ASSERT(block_fits(block, position, row.length) && row.length <= MESSAGE_ROW_BYTES_MAX);
    if (block->length == 0) {
        ASSERT(position > 0);
        row_writer_t head = {.at = block->bytes, .end = block->bytes + BLOCK_HEAD_BYTES};
        row_put_u64(&head, position);
        block->length = BLOCK_HEAD_BYTES;
        block->first = position;
        block->last = position - 1;
        block->count = 0;
    }
    ASSERT(position > block->last);
    row_writer_t writer = {.at = block->bytes + block->length,
                           .end = block->bytes + sizeof block->bytes};
    row_put_bytes(&writer, row.bytes, row.length);
    block->deltas[block->count] = (uint32_t)(position - block->first);
    block->offsets[block->count] = (uint16_t)block->length;
    block->count += 1;
    block->last = position;
    block->length += row.length;
}

span_t block_bytes(block_t *block) {
    ASSERT(block->length > 0);
    row_writer_t writer = {.at = block->bytes + block->length,
                           .end = block->bytes + sizeof block->bytes};
    for (size_t i = 0; i < block->count; i++) {
        row_put_u32(&writer, block->deltas[i]);
        row_put_u16(&writer, block->offsets[i]);
    }
    row_put_u16(&writer, (uint16_t)block->count);
    return (span_t){(const char *)block->bytes, (size_t)(writer.at - block->bytes)};
}

static uint16_t u16_at(const char *bytes) {
    uint16_t little;
    memcpy(&little, bytes, sizeof little);
    return le16toh(little);
}

static uint32_t delta_at(const block_reader_t *reader, size_t index) {
    uint32_t little;
    memcpy(&little, reader->entries + index * BLOCK_ENTRY_BYTES, sizeof little);
    return le32toh(little);
}

/* Where a row begins; behind the last one, where the rows end. */
static size_t offset_at(const block_reader_t *reader, size_t index) {
    return index == reader->count
               ? (size_t)(reader->entries - reader->bytes)
               : u16_at(reader->entries + index * BLOCK_ENTRY_BYTES + sizeof(uint32_t));
}

block_reader_t block_open(uint64_t key, span_t block) {
    const size_t least = BLOCK_HEAD_BYTES + BLOCK_ENTRY_BYTES + BLOCK_TAIL_BYTES;
    block_reader_t reader = {.bytes = block.bytes, .key = key, .damaged = true};
    if (block.length < least || block.length > sizeof((block_t *)0)->bytes) {
        return reader;
    }
    row_reader_t head = {.at = block.bytes, .left = BLOCK_HEAD_BYTES};
    reader.first = row_u64(&head);
    reader.position = reader.first - 1;
    reader.count = u16_at(block.bytes + block.length - BLOCK_TAIL_BYTES);
    size_t entries = reader.count * BLOCK_ENTRY_BYTES;
    if (reader.count > 0 && entries <= block.length - BLOCK_HEAD_BYTES - BLOCK_TAIL_BYTES &&
        reader.first > 0 && reader.first <= key) {
        reader.entries = block.bytes + block.length - BLOCK_TAIL_BYTES - entries;
        reader.damaged = delta_at(&reader, 0) != 0 || offset_at(&reader, 0) != BLOCK_HEAD_BYTES;
    }
    return reader;
}

bool block_next(block_reader_t *reader, span_t *row) {
    if (reader->damaged || reader->next == reader->count) {
        return false;
    }
    size_t index = reader->next++;
    size_t start = offset_at(reader, index);
    size_t end = offset_at(reader, index + 1);
    uint32_t delta = delta_at(reader, index);
    bool ascends = index == 0 || delta > delta_at(reader, index - 1);
    if (!ascends || delta > reader->key - reader->first || start < BLOCK_HEAD_BYTES ||
        start > end || end > (size_t)(reader->entries - reader->bytes)) {
        reader->damaged = true;
        return false;
    }
    reader->position = reader->first + delta;
    *row = (span_t){reader->bytes + start, end - start};
    return true;
}

bool block_damaged(const block_reader_t *reader) {
    return reader->damaged;
}

/* The index of the first entry that is not in front of `delta`. */
static size_t entry_seek(const block_reader_t *reader, uint64_t delta) {
    if (delta < reader->count && delta_at(reader, (size_t)delta) == delta) {
        return (size_t)delta;
    }
    size_t low = 0;
    size_t high = reader->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (delta_at(reader, middle) < delta) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool block_seek(block_reader_t *reader, uint64_t position, span_t *row) {
    if (reader->damaged) {
        return false;
    }
    reader->next = position <= reader->first ? 0 : entry_seek(reader, position - reader->first);
    return block_next(reader, row);
}
