/*
 * Finds rows of a table by a key that stands in the row itself: an index holds nothing but hashes
 * and ids, 8 bytes a slot, and the caller compares the keys. The hash is SipHash-2-4 with a key of
 * the index's own, so that nobody can choose names that collide. It cannot be iterated.
 */
#ifndef REALMGATE_BASE_INDEX_H
#define REALMGATE_BASE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct index index_t;

/* seed: 16 bytes of SipHash key. The caller destroys it. */
index_t *index_new(const uint8_t seed[16]);
void index_destroy(index_t **index);

/* The hash of a key under the index's seed. */
uint32_t index_hash(const index_t *index, const void *key, size_t key_bytes);

/* A hint: index_next will soon be asked for this hash. */
void index_prefetch(const index_t *index, uint32_t hash);

/* The ids under a hash, one at each call, and 0 behind the last: start with *cursor = 0. Ids of
 * other keys come too, one in billions. Nothing may be added or removed in between. */
uint32_t index_next(const index_t *index, uint32_t hash, size_t *cursor);

/* An id (not 0) that is not yet there under this hash. */
void index_add(index_t *index, uint32_t hash, uint32_t id);

/* Returns whether it was there. */
bool index_remove(index_t *index, uint32_t hash, uint32_t id);

size_t index_count(const index_t *index);

#endif
