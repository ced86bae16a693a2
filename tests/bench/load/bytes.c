/*
 * Growable bytes. Must never give memory back by itself while something is being measured.
 */
#include "bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *or_end(void *memory) {
    if (memory == NULL) {
        (void)fprintf(stderr, "bench: no memory left\n");
        exit(1);
    }
    return memory;
}

void *bytes_zeroed(size_t count, size_t size) {
    return or_end(calloc(count > 0 ? count : 1, size));
}

char *bytes_reserve(bytes_t *bytes, size_t more) {
    if (bytes->capacity - bytes->length < more) {
        bytes->capacity = (bytes->length + more) * 2;
        bytes->data = or_end(realloc(bytes->data, bytes->capacity));
    }
    return bytes->data + bytes->length;
}

void bytes_add(bytes_t *bytes, const char *data, size_t length) {
    if (length == 0)
        return;
    memcpy(bytes_reserve(bytes, length), data, length);
    bytes->length += length;
}

void bytes_drop(bytes_t *bytes, size_t length) {
    if (length == 0)
        return;
    memmove(bytes->data, bytes->data + length, bytes->length - length);
    bytes->length -= length;
}

void bytes_clear(bytes_t *bytes) {
    free(bytes->data);
    *bytes = (bytes_t){0};
}
