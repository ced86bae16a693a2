/*
 * Allocation that cannot fail: a process without memory stops loudly (exit by abort) before
 * anything of the current batch is committed, and a restart loads the last commit.
 */
#ifndef REALMGATE_BASE_MEMORY_H
#define REALMGATE_BASE_MEMORY_H

#include <stddef.h>

/* Zeroed memory; the caller frees with memory_free. bytes = 0 gives a unique pointer. */
void *memory_alloc(size_t bytes);

/* The same, beginning at a cache line. */
void *memory_alloc_lines(size_t bytes);

/* Like realloc; new bytes are not zeroed. */
void *memory_resize(void *memory, size_t bytes);

/* What memory_grow does when there is no room. */
void *memory_enlarge(void *array, size_t *room, size_t count, size_t element_bytes);

/* Grows an array to hold at least `count` elements: doubles *room. Returns the array. New
 * elements are not zeroed. */
static inline void *memory_grow(void *array, size_t *room, size_t count, size_t element_bytes) {
    return count <= *room ? array : memory_enlarge(array, room, count, element_bytes);
}

void memory_free(void *memory); /* NULL is fine */

#endif
