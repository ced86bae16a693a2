/*
 * A bump allocator: many small allocations that all end at once.
 */
#ifndef REALMGATE_BASE_ARENA_H
#define REALMGATE_BASE_ARENA_H

#include <stddef.h>

typedef struct arena_block arena_block_t;

typedef struct arena {
    arena_block_t *blocks; /* newest first */
} arena_t;

/* In place; allocates nothing until the first arena_alloc. */
void arena_init(arena_t *arena);
void arena_deinit(arena_t *arena);

/* `bytes` of zeroed memory aligned for any type, valid until arena_reset. Aborts without memory;
 * never returns NULL. */
void *arena_alloc(arena_t *arena, size_t bytes);

/* The same, with whatever stands there. */
void *arena_take(arena_t *arena, size_t bytes);

/* Forgets all allocations, keeps one block for the next round. */
void arena_reset(arena_t *arena);

#endif
