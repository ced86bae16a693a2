/*
 * A flat block of entries that one thread fills and another reads. Must never hold a pointer: the
 * reader may be another process.
 */
#include "base/batch.h"

#include "base/assert.h"
#include "base/memory.h"

#include <string.h>

#define BATCH_BYTES_MIN ((size_t)4096)

_Static_assert(sizeof(batch_entry_t) % BATCH_ALIGNMENT == 0, "payloads start aligned");

void batch_init(batch_t *batch) {
    *batch = (batch_t){0};
}

void batch_deinit(batch_t *batch) {
    memory_free(batch->bytes);
    *batch = (batch_t){0};
}

void batch_reset(batch_t *batch) {
    batch->length = 0;
    batch->newest = 0;
    batch->is_open = false;
}

/* A new block is as large as the last ones turned out to be, so that it need not be moved while it
 * is filled. */
void batch_grow(batch_t *batch, size_t bytes) {
    size_t needed = batch->length + bytes;
    ASSERT(needed >= bytes);
    size_t wanted = batch->room == 0 && batch->usual > needed ? batch->usual : needed;
    wanted = wanted > BATCH_BYTES_MIN ? wanted : BATCH_BYTES_MIN;
    batch->bytes = memory_grow(batch->bytes, &batch->room, wanted, 1);
}

static void *batch_reserve(batch_t *batch, size_t bytes) {
    if (bytes > batch->room - batch->length) {
        batch_grow(batch, bytes);
    }
    return batch->bytes + batch->length;
}

static batch_entry_t *batch_newest(batch_t *batch) {
    return (batch_entry_t *)(void *)(batch->bytes + batch->newest);
}

void batch_open(batch_t *batch, uint32_t kind, uint64_t subject, uint64_t detail) {
    ASSERT(!batch->is_open);
    ASSERT(batch->length % BATCH_ALIGNMENT == 0);
    batch_entry_t head = {.kind = kind, .subject = subject, .detail = detail};
    memcpy(batch_reserve(batch, sizeof(head)), &head, sizeof(head));
    batch->newest = batch->length;
    batch->length += sizeof(head);
    batch->is_open = true;
}

void *batch_extend(batch_t *batch, size_t bytes) {
    ASSERT(batch->is_open);
    void *room = batch_reserve(batch, bytes);
    batch->length += bytes;
    return room;
}

void batch_shrink(batch_t *batch, size_t bytes) {
    ASSERT(batch->is_open);
    ASSERT(bytes <= batch->length - batch->newest - sizeof(batch_entry_t));
    batch->length -= bytes;
}

void batch_close(batch_t *batch) {
    ASSERT(batch->is_open);
    size_t payload_bytes = batch->length - batch->newest - sizeof(batch_entry_t);
    ASSERT(payload_bytes <= UINT32_MAX - BATCH_ALIGNMENT);
    size_t padding = batch_padded(payload_bytes) - payload_bytes;
    if (padding > 0) {
        memset(batch_reserve(batch, padding), 0, padding);
        batch->length += padding;
    }
    batch_newest(batch)->payload_bytes = (uint32_t)payload_bytes;
    batch->is_open = false;
}

/* Turns differ: the next block is made for somewhat more than this one held, and one that was much
 * larger is remembered for a few turns. */
char *batch_take(batch_t *batch, size_t *length) {
    ASSERT(!batch->is_open);
    char *bytes = batch->bytes;
    size_t wanted = batch->length + batch->length / 4;
    size_t usual = batch->usual / 2 > wanted ? batch->usual / 2 : wanted;
    *length = batch->length;
    *batch = (batch_t){.usual = usual};
    return bytes;
}
