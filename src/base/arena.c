/*
 * A bump allocator over blocks of doubling size. Must never move or free a single allocation.
 */
#include "base/arena.h"

#include "base/assert.h"
#include "base/memory.h"

#include <stdint.h>
#include <string.h>

#define ARENA_BLOCK_BYTES_MIN ((size_t)4096)
#define ARENA_BLOCK_BYTES_MAX ((size_t)1024 * 1024)

struct arena_block {
    arena_block_t *older;
    size_t used;
    size_t room;
    _Alignas(max_align_t) char bytes[];
};

void arena_init(arena_t *arena) {
    arena->blocks = NULL;
}

static void arena_free_from(arena_block_t *block) {
    while (block != NULL) {
        arena_block_t *older = block->older;
        memory_free(block);
        block = older;
    }
}

void arena_deinit(arena_t *arena) {
    arena_free_from(arena->blocks);
    arena->blocks = NULL;
}

/* Blocks double up to a limit, so that a round of any size needs few of them; one allocation over
 * that limit gets a block of its own size. */
static void arena_add_block(arena_t *arena, size_t bytes) {
    size_t room = arena->blocks == NULL ? ARENA_BLOCK_BYTES_MIN : arena->blocks->room * 2;
    room = room > ARENA_BLOCK_BYTES_MAX ? ARENA_BLOCK_BYTES_MAX : room;
    room = room < bytes ? bytes : room;
    arena_block_t *block = memory_resize(NULL, sizeof(arena_block_t) + room);
    block->older = arena->blocks;
    block->used = 0;
    block->room = room;
    arena->blocks = block;
}

void *arena_take(arena_t *arena, size_t bytes) {
    size_t alignment = _Alignof(max_align_t);
    ASSERT(bytes <= SIZE_MAX / 4);
    size_t wanted = (bytes + alignment - 1) / alignment * alignment;
    wanted = wanted > 0 ? wanted : alignment;
    if (arena->blocks == NULL || arena->blocks->room - arena->blocks->used < wanted) {
        arena_add_block(arena, wanted);
    }
    arena_block_t *block = arena->blocks;
    void *memory = block->bytes + block->used;
    block->used += wanted;
    ASSERT(block->used <= block->room);
    return memory;
}

void *arena_alloc(arena_t *arena, size_t bytes) {
    return memset(arena_take(arena, bytes), 0, bytes);
}

/* The newest block is the roomiest of the ordinary ones. One of extraordinary size is not kept:
 * a single large page must not stay in memory for good. */
void arena_reset(arena_t *arena) {
    arena_block_t *kept = arena->blocks;
    while (kept != NULL && kept->room > ARENA_BLOCK_BYTES_MAX) {
        arena_block_t *older = kept->older;
        memory_free(kept);
        kept = older;
    }
    if (kept != NULL) {
        arena_free_from(kept->older);
        kept->older = NULL;
        kept->used = 0;
    }
    arena->blocks = kept;
}
