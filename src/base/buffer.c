/*
 * A growable run of bytes. Must never hand out a pointer that survives the next append.
 */
#include "base/buffer.h"

#include "base/assert.h"
#include "base/memory.h"

#define BUFFER_BYTES_MIN ((size_t)64)

void buffer_init(buffer_t *buffer) {
    *buffer = (buffer_t){0};
}

void buffer_deinit(buffer_t *buffer) {
    memory_free(buffer->bytes);
    *buffer = (buffer_t){0};
}

void buffer_reset(buffer_t *buffer) {
    buffer->length = 0;
}

void buffer_grow(buffer_t *buffer, size_t length) {
    size_t needed = buffer->length + length;
    ASSERT(needed >= length);
    buffer->bytes = memory_grow(buffer->bytes, &buffer->room,
                                needed > BUFFER_BYTES_MIN ? needed : BUFFER_BYTES_MIN, 1);
}
