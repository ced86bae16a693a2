/*
 * A growable run of bytes. Aborts without memory. What every reply is put together with stands here
 * in full, so that a piece of constant length costs no call.
 */
#ifndef REALMGATE_BASE_BUFFER_H
#define REALMGATE_BASE_BUFFER_H

#include <stddef.h>
#include <string.h>

typedef struct buffer {
    char *bytes;
    size_t length;
    size_t room;
} buffer_t;

void buffer_init(buffer_t *buffer);
void buffer_deinit(buffer_t *buffer);
void buffer_reset(buffer_t *buffer); /* length 0, memory kept */

/* Makes room for `length` more bytes; what buffer_reserve does when there is none. */
void buffer_grow(buffer_t *buffer, size_t length);

/* Makes sure that `length` more bytes fit and returns where they start; buffer->length stays. */
static inline char *buffer_reserve(buffer_t *buffer, size_t length) {
    if (length > buffer->room - buffer->length || buffer->bytes == NULL) {
        buffer_grow(buffer, length);
    }
    return buffer->bytes + buffer->length;
}

static inline void buffer_append(buffer_t *buffer, const void *bytes, size_t length) {
    if (length > 0) {
        memcpy(buffer_reserve(buffer, length), bytes, length);
        buffer->length += length;
    }
}

static inline void buffer_text(buffer_t *buffer, const char *text) {
    buffer_append(buffer, text, strlen(text));
}

#endif
