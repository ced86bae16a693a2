/*
 * A hash map with keys and values of fixed size. Iteration goes in order of insertion, the same in
 * every run. Keys are compared as memory: zero their padding. The hash is SipHash-2-4 with a key of
 * the map's own, so that nobody can choose names that collide.
 */
#ifndef REALMGATE_BASE_MAP_H
#define REALMGATE_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct map map_t;

/* key_bytes and value_bytes >= 1; seed: 16 bytes of SipHash key. The caller destroys it. */
map_t *map_new(size_t key_bytes, size_t value_bytes, const uint8_t seed[16]);

/* The same for keys that we give ourselves, 8 or 16 bytes of ids: never bytes that others choose,
 * because the hash is a faster mixer under the same key. */
map_t *map_new_of_ids(size_t key_bytes, size_t value_bytes, const uint8_t seed[16]);

void map_destroy(map_t **map);

/* The value of a key, or NULL. Valid until the next map_put or map_remove. */
void *map_get(const map_t *map, const void *key);

/* The value of a key, made zeroed if it is not there. Valid until the next map_put/map_remove. */
void *map_put(map_t *map, const void *key);

/* Removes a key; returns whether it was there. Never moves other entries. */
bool map_remove(map_t *map, const void *key);

size_t map_count(const map_t *map);

/* Iteration: start with *cursor = 0; returns false at the end. `map_remove` of any key during an
 * iteration is allowed, `map_put` of a new key is not. key and value may be NULL if not wanted. */
bool map_next(const map_t *map, size_t *cursor, const void **key, void **value);

#endif
