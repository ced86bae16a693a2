/*
 * Slots that are probed linearly, at most three of four taken. What is removed leaves no trace: the
 * slots behind it move up. Must never look at the rows that it leads to.
 */
#include "base/index.h"

#include "base/assert.h"
#include "base/memory.h"

#include <sodium.h>
#include <string.h>

#define INDEX_SLOTS_MIN 16

typedef struct index_slot {
    uint32_t hash;
    uint32_t id; /* 0 = empty */
} index_slot_t;

struct index {
    index_slot_t *slots;
    size_t mask; /* of slots, whose number is a power of two */
    size_t count;
    uint8_t seed[crypto_shorthash_KEYBYTES];
};

index_t *index_new(const uint8_t seed[16]) {
    index_t *index = memory_alloc(sizeof(*index));
    index->mask = INDEX_SLOTS_MIN - 1;
    index->slots = memory_alloc(INDEX_SLOTS_MIN * sizeof(*index->slots));
    memcpy(index->seed, seed, sizeof(index->seed));
    return index;
}

void index_destroy(index_t **index) {
    if (*index != NULL) {
        memory_free((*index)->slots);
        memory_free(*index);
        *index = NULL;
    }
}

uint32_t index_hash(const index_t *index, const void *key, size_t key_bytes) {
    uint8_t hash[crypto_shorthash_BYTES];
    uint32_t folded = 0;
    (void)crypto_shorthash(hash, key, key_bytes, index->seed);
    memcpy(&folded, hash, sizeof(folded));
    return folded;
}

void index_prefetch(const index_t *index, uint32_t hash) {
    __builtin_prefetch(&index->slots[hash & index->mask]);
}

uint32_t index_next(const index_t *index, uint32_t hash, size_t *cursor) {
    for (;;) {
        const index_slot_t *slot = &index->slots[(hash + *cursor) & index->mask];
        if (slot->id == 0) {
            return 0;
        }
        *cursor += 1;
        if (slot->hash == hash) {
            return slot->id;
        }
    }
}

static void slot_take(index_t *index, index_slot_t taken) {
    size_t at = taken.hash & index->mask;
    while (index->slots[at].id != 0) {
        at = (at + 1) & index->mask;
    }
    index->slots[at] = taken;
}

static void index_grow(index_t *index) {
    index_slot_t *old = index->slots;
    size_t old_slots = index->mask + 1;
    ASSERT(old_slots <= UINT32_MAX / 2);
    index->mask = old_slots * 2 - 1;
    index->slots = memory_alloc(old_slots * 2 * sizeof(*old));
    for (size_t i = 0; i < old_slots; i++) {
        if (old[i].id != 0) {
            slot_take(index, old[i]);
        }
    }
    memory_free(old);
}

void index_add(index_t *index, uint32_t hash, uint32_t id) {
    ASSERT(id != 0);
    if ((index->count + 1) * 4 > (index->mask + 1) * 3) {
        index_grow(index);
    }
    slot_take(index, (index_slot_t){.hash = hash, .id = id});
    index->count++;
}

/* Fills a hole with the next slot that may stand there, whose hole is then filled likewise: a probe
 * must find no empty slot on its way from a hash to what is under it. */
static void hole_fill(index_t *index, size_t hole) {
    size_t at = (hole + 1) & index->mask;
    for (; index->slots[at].id != 0; at = (at + 1) & index->mask) {
        size_t way = (at - index->slots[at].hash) & index->mask;
        if (way >= ((at - hole) & index->mask)) {
            index->slots[hole] = index->slots[at];
            hole = at;
        }
    }
    index->slots[hole] = (index_slot_t){0};
}

bool index_remove(index_t *index, uint32_t hash, uint32_t id) {
    size_t at = hash & index->mask;
    while (index->slots[at].id != 0 &&
           (index->slots[at].id != id || index->slots[at].hash != hash)) {
        at = (at + 1) & index->mask;
    }
    if (index->slots[at].id == 0) {
        return false;
    }
    ASSERT(index->count > 0);
    hole_fill(index, at);
    index->count--;
    return true;
}

size_t index_count(const index_t *index) {
    return index->count;
}
