/*
 * Bytes that grow. A generator without memory has nothing to measure: it ends the program.
 */
#ifndef REALMGATE_BENCH_BYTES_H
#define REALMGATE_BENCH_BYTES_H

#include <stddef.h>

typedef struct bytes {
    char *data; /* NULL while nothing was ever added */
    size_t length;
    size_t capacity;
} bytes_t;

/* Zeroed memory for so many things. The caller frees it with free(). */
void *bytes_zeroed(size_t count, size_t size);

/* Room for so many more bytes; returns where they go. The caller adds to length what it wrote. */
char *bytes_reserve(bytes_t *bytes, size_t more);

void bytes_add(bytes_t *bytes, const char *data, size_t length);

/* Drops bytes at the beginning. */
void bytes_drop(bytes_t *bytes, size_t length);

/* Gives the memory back; the bytes are empty and can be used again. */
void bytes_clear(bytes_t *bytes);

#endif
