/*
 * A hash map: a compact array of entries in order of insertion, and an index of slots that is
 * probed linearly. A removed entry stays in the array as a dead one until the array is full and
 * gets packed. Must never depend on addresses or time: two runs iterate alike.
 */
#include "base/map.h"

#include "base/assert.h"
#include "base/memory.h"

#include <sodium.h>
#include <string.h>

#define MAP_ALIGNMENT   8
#define MAP_ENTRIES_MIN 8
#define MAP_ID_BYTES    8
#define MAP_PAIR_BYTES  16

/* The index has this many slots for each entry that there is room for, so that at most every
 * second slot is taken and a probe always finds an empty one. */
#define MAP_SLOTS_PER_ENTRY 2

typedef struct map_head {
    uint32_t hash;
    uint32_t live;
    /* the key follows, then the value, each padded to MAP_ALIGNMENT */
} map_head_t;

/* The hash stands here too, so that a probe looks at no entry but the one that it is about. */
typedef struct map_slot {
    uint32_t hash;
    uint32_t entry; /* 0 = empty, else the entry's index + 1 */
} map_slot_t;

struct map {
    size_t key_bytes;
    bool of_ids; /* the faster hash will do */
    size_t value_bytes;
    size_t value_offset; /* from the head */
    size_t entry_bytes;
    size_t live;  /* entries that count */
    size_t used;  /* entries of the array that were ever filled, dead ones included */
    size_t first; /* no entry before this one is live: a queue's dead front costs nothing */
    size_t room;  /* of the array; a power of two, or 0 before the first map_put */
    char *entries;
    map_slot_t *slots;
    uint8_t seed[crypto_shorthash_KEYBYTES];
};

static size_t map_padded(size_t bytes) {
    return (bytes + MAP_ALIGNMENT - 1) / MAP_ALIGNMENT * MAP_ALIGNMENT;
}

map_t *map_new(size_t key_bytes, size_t value_bytes, const uint8_t seed[16]) {
    ASSERT(key_bytes >= 1);
    ASSERT(value_bytes >= 1);
    map_t *map = memory_alloc(sizeof(*map));
    map->key_bytes = key_bytes;
    map->value_bytes = value_bytes;
    map->value_offset = sizeof(map_head_t) + map_padded(key_bytes);
    map->entry_bytes = map->value_offset + map_padded(value_bytes);
    memcpy(map->seed, seed, sizeof(map->seed));
    return map;
}

map_t *map_new_of_ids(size_t key_bytes, size_t value_bytes, const uint8_t seed[16]) {
    ASSERT(key_bytes == MAP_ID_BYTES || key_bytes == MAP_PAIR_BYTES);
    map_t *map = map_new(key_bytes, value_bytes, seed);
    map->of_ids = true;
    return map;
}

void map_destroy(map_t **map) {
    if (*map != NULL) {
        memory_free((*map)->entries);
        memory_free((*map)->slots);
        memory_free(*map);
        *map = NULL;
    }
}

static map_head_t *map_entry(const map_t *map, size_t index) {
    return (map_head_t *)(void *)(map->entries + index * map->entry_bytes);
}

static char *map_key(map_head_t *head) {
    return (char *)(head + 1);
}

static char *map_value(const map_t *map, map_head_t *head) {
    return (char *)head + map->value_offset;
}

/* For ids: two rounds of multiplication under the seed (the finalizer of MurmurHash3). Of a pair,
 * the second comes in between them. */
static uint32_t map_hash_ids(const map_t *map, const void *key) {
    uint64_t ids[2] = {0, 0}, seed[2];
    if (map->key_bytes == MAP_PAIR_BYTES) {
        memcpy(ids, key, MAP_PAIR_BYTES);
    } else {
        memcpy(ids, key, MAP_ID_BYTES);
    }
    memcpy(seed, map->seed, sizeof(seed));
    uint64_t hash = (ids[0] ^ seed[0]) * 0xff51afd7ed558ccdULL;
    hash = (hash ^ hash >> 32 ^ seed[1] ^ ids[1]) * 0xc4ceb9fe1a85ec53ULL;
    return (uint32_t)(hash >> 32);
}

/* The key's length without the zeros that end it: a short name in its full width is mostly zeros.
 */
static size_t map_key_trimmed(const map_t *map, const void *key) {
    const char *bytes = key;
    size_t length = map->key_bytes;
    uint64_t word = 0;
    while (length >= sizeof(word)) {
        memcpy(&word, bytes + length - sizeof(word), sizeof(word));
        if (word != 0)
            break;
        length -= sizeof(word);
    }
    return length;
}

static uint32_t map_hash(const map_t *map, const void *key) {
    uint8_t hash[crypto_shorthash_BYTES];
    uint32_t folded = 0;
    if (map->of_ids) {
        return map_hash_ids(map, key);
    }
    (void)crypto_shorthash(hash, key, map_key_trimmed(map, key), map->seed);
    memcpy(&folded, hash, sizeof(folded));
    return folded;
}

static bool map_key_equal(const map_t *map, map_head_t *head, const void *key) {
    if (map->key_bytes == MAP_ID_BYTES) {
        return memcmp(map_key(head), key, MAP_ID_BYTES) == 0;
    }
    return memcmp(map_key(head), key, map->key_bytes) == 0;
}

/* The live entry of a key, or NULL. */
static map_head_t *map_find(const map_t *map, const void *key, uint32_t hash) {
    if (map->live == 0) {
        return NULL;
    }
    size_t mask = map->room * MAP_SLOTS_PER_ENTRY - 1;
    for (size_t slot = hash & mask; map->slots[slot].entry != 0; slot = (slot + 1) & mask) {
        if (map->slots[slot].hash != hash) {
            continue;
        }
        map_head_t *head = map_entry(map, map->slots[slot].entry - 1);
        if (head->live && map_key_equal(map, head, key)) {
            return head;
        }
    }
    return NULL;
}

static void map_index(map_t *map, uint32_t hash, size_t index) {
    size_t mask = map->room * MAP_SLOTS_PER_ENTRY - 1;
    size_t slot = hash & mask;
    while (map->slots[slot].entry != 0) {
        slot = (slot + 1) & mask;
    }
    map->slots[slot] = (map_slot_t){.hash = hash, .entry = (uint32_t)index + 1};
}

/* Moves the live entries, in their order, to an array that they fill by half at most. Returns the
 * old array, which the caller frees: the key that is being put may lie in it. */
static char *map_pack(map_t *map) {
    char *old_entries = map->entries;
    size_t old_used = map->used;
    size_t room = MAP_ENTRIES_MIN;
    while (room < map->live * 2) {
        room *= 2;
    }
    ASSERT(room <= UINT32_MAX / MAP_SLOTS_PER_ENTRY);
    memory_free(map->slots);
    map->slots = memory_alloc(room * MAP_SLOTS_PER_ENTRY * sizeof(*map->slots));
    map->entries = memory_alloc(room * map->entry_bytes);
    map->room = room;
    map->used = 0;
    map->first = 0;
    for (size_t i = 0; i < old_used; i++) {
        const char *old = old_entries + i * map->entry_bytes;
        if (((const map_head_t *)(const void *)old)->live) {
            map_head_t *head = map_entry(map, map->used);
            memcpy(head, old, map->entry_bytes);
            map_index(map, head->hash, map->used);
            map->used++;
        }
    }
    ASSERT(map->used == map->live);
    return old_entries;
}

void *map_get(const map_t *map, const void *key) {
    if (map->live == 0) {
        return NULL; /* before the hash is taken: most of a quiet realm's maps are empty */
    }
    map_head_t *head = map_find(map, key, map_hash(map, key));
    return head == NULL ? NULL : map_value(map, head);
}

void *map_put(map_t *map, const void *key) {
    uint32_t hash = map_hash(map, key);
    map_head_t *head = map_find(map, key, hash);
    if (head != NULL) {
        return map_value(map, head);
    }
    char *old_entries = map->used == map->room ? map_pack(map) : NULL;
    head = map_entry(map, map->used);
    head->hash = hash;
    head->live = 1;
    memcpy(map_key(head), key, map->key_bytes);
    map_index(map, hash, map->used);
    map->used++;
    map->live++;
    memory_free(old_entries);
    return map_value(map, head);
}

/* The slot goes on to point at the dead entry, so that probes for others pass over it. */
bool map_remove(map_t *map, const void *key) {
    map_head_t *head = map->live == 0 ? NULL : map_find(map, key, map_hash(map, key));
    if (head == NULL) {
        return false;
    }
    ASSERT(map->live > 0);
    head->live = 0;
    memset(head + 1, 0, map->entry_bytes - sizeof(*head));
    map->live--;
    while (map->first < map->used && !map_entry(map, map->first)->live) {
        map->first++;
    }
    return true;
}

size_t map_count(const map_t *map) {
    return map->live;
}

bool map_next(const map_t *map, size_t *cursor, const void **key, void **value) {
    size_t index = *cursor > map->first ? *cursor : map->first;
    while (index < map->used && !map_entry(map, index)->live) {
        index++;
    }
    *cursor = index + 1;
    if (index >= map->used) {
        *cursor = map->used;
        return false;
    }
    map_head_t *head = map_entry(map, index);
    if (key != NULL) {
        *key = map_key(head);
    }
    if (value != NULL) {
        *value = map_value(map, head);
    }
    return true;
}
