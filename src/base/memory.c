/*
 * Allocation that either succeeds or ends the process. Must never return NULL.
 */
#include "base/memory.h"

#include "base/assert.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The smallest array that memory_grow makes, in elements: growing 1, 2, 4 is not worth it. */
#define GROW_ELEMENTS_MIN 8

#define CACHE_LINE_BYTES 64

static void *memory_or_stop(void *memory, size_t bytes) {
    if (memory == NULL) {
        (void)fprintf(stderr, "out of memory: %zu bytes\n", bytes);
        abort();
    }
    return memory;
}

void *memory_alloc(size_t bytes) {
    size_t wanted = bytes > 0 ? bytes : 1;
    return memory_or_stop(calloc(1, wanted), wanted);
}

void *memory_alloc_lines(size_t bytes) {
    ASSERT(bytes > 0 && bytes <= SIZE_MAX - CACHE_LINE_BYTES);
    size_t wanted = (bytes + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES * CACHE_LINE_BYTES;
    void *memory = memory_or_stop(aligned_alloc(CACHE_LINE_BYTES, wanted), wanted);
    memset(memory, 0, wanted);
    return memory;
}

void *memory_resize(void *memory, size_t bytes) {
    size_t wanted = bytes > 0 ? bytes : 1;
    return memory_or_stop(realloc(memory, wanted), wanted);
}

void *memory_enlarge(void *array, size_t *room, size_t count, size_t element_bytes) {
    ASSERT(element_bytes > 0);
    ASSERT(count <= SIZE_MAX / 2 / element_bytes);
    size_t wanted = *room < GROW_ELEMENTS_MIN ? GROW_ELEMENTS_MIN : *room * 2;
    *room = wanted < count ? count : wanted;
    return memory_resize(array, *room * element_bytes);
}

void memory_free(void *memory) {
    free(memory);
}
