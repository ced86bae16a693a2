/*
 * A growable run of bytes. Aborts without memory.
 */
#ifndef REALMGATE_BASE_BUFFER_H
#define REALMGATE_BASE_BUFFER_H

#include <stddef.h>

typedef struct buffer {
    char *bytes;
    size_t length;
    size_t room;
} buffer_t;

void buffer_init(buffer_t *buffer);
void buffer_deinit(buffer_t *buffer);
void buffer_reset(buffer_t *buffer); /* length 0, memory kept */
void buffer_append(buffer_t *buffer, const void *bytes, size_t length);
void buffer_text(buffer_t *buffer, const char *text);

/* Makes sure that `length` more bytes fit and returns where they start; buffer->length stays. */
char *buffer_reserve(buffer_t *buffer, size_t length);

#endif
