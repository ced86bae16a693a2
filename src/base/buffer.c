/*
 * A growable run of bytes. Must never hand out a pointer that survives the next append.
 */
#include "base/buffer.h"

#include "base/assert.h"
#include "base/memory.h"

#include <string.h>

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

char *buffer_reserve(buffer_t *buffer, size_t length) {
    size_t needed = buffer->length + length;
    ASSERT(needed >= length);
    if (needed > buffer->room || buffer->bytes == NULL) {
        buffer->bytes = memory_grow(buffer->bytes, &buffer->room, needed > 64 ? needed : 64, 1);
    }
    return buffer->bytes + buffer->length;
}

void buffer_append(buffer_t *buffer, const void *bytes, size_t length) {
    if (length == 0) {
        return;
    }
    memcpy(buffer_reserve(buffer, length), bytes, length);
    buffer->length += length;
}

void buffer_text(buffer_t *buffer, const char *text) {
    buffer_append(buffer, text, strlen(text));
}
