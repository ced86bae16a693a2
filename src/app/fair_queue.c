/*
 * Lanes in a ring, things in a lane as a list of numbers. Must never keep an empty lane.
 */
#include "app/fair_queue.h"

#include "base/assert.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/random.h"

#define NOTHING SIZE_MAX

typedef struct lane {
    size_t first, last; /* things */
} lane_t;

struct fair_queue {
    size_t capacity, count;
    size_t *next;    /* of each thing: the next in its lane, or among the free ones */
    size_t free;     /* the first free one */
    map_t *lanes;    /* owner -> lane_t */
    uint64_t *turns; /* a ring of owners, as many as there are lanes */
    size_t turn_first, turn_count;
};

fair_queue_t *fair_queue_new(size_t capacity) {
    uint8_t seed[16];
    fair_queue_t *queue = memory_alloc(sizeof *queue);
    random_bytes(seed, sizeof seed);
    queue->capacity = capacity;
    queue->next = memory_alloc(capacity * sizeof *queue->next);
    queue->turns = memory_alloc(capacity * sizeof *queue->turns);
    queue->lanes = map_new_of_ids(sizeof(uint64_t), sizeof(lane_t), seed);
    for (size_t i = 0; i < capacity; i++) {
        queue->next[i] = i + 1 < capacity ? i + 1 : NOTHING;
    }
    return queue;
}

void fair_queue_destroy(fair_queue_t **queue) {
    if (*queue == NULL) {
        return;
    }
    memory_free((*queue)->next);
    memory_free((*queue)->turns);
    map_destroy(&(*queue)->lanes);
    memory_free(*queue);
    *queue = NULL;
}

static void turn_add(fair_queue_t *queue, uint64_t owner) {
    ASSERT(queue->turn_count < queue->capacity);
    queue->turns[(queue->turn_first + queue->turn_count) % queue->capacity] = owner;
    queue->turn_count++;
}

static uint64_t turn_take(fair_queue_t *queue) {
    ASSERT(queue->turn_count > 0);
    uint64_t owner = queue->turns[queue->turn_first];
    queue->turn_first = (queue->turn_first + 1) % queue->capacity;
    queue->turn_count--;
    return owner;
}

size_t fair_queue_put(fair_queue_t *queue, uint64_t owner) {
    ASSERT(queue->count < queue->capacity);
    size_t thing = queue->free;
    queue->free = queue->next[thing];
    queue->next[thing] = NOTHING;
    queue->count++;
    lane_t *lane = map_get(queue->lanes, &owner);
    if (lane != NULL) {
        queue->next[lane->last] = thing;
        lane->last = thing;
    } else {
        *(lane_t *)map_put(queue->lanes, &owner) = (lane_t){.first = thing, .last = thing};
        turn_add(queue, owner);
    }
    return thing;
}

size_t fair_queue_take(fair_queue_t *queue) {
    uint64_t owner = turn_take(queue);
    lane_t *lane = map_get(queue->lanes, &owner);
    ASSERT(lane != NULL && queue->count > 0);
    size_t thing = lane->first;
    lane->first = queue->next[thing];
    if (lane->first == NOTHING) {
        (void)map_remove(queue->lanes, &owner);
    } else {
        turn_add(queue, owner);
    }
    queue->next[thing] = queue->free;
    queue->free = thing;
    queue->count--;
    return thing;
}

size_t fair_queue_count(const fair_queue_t *queue) {
    return queue->count;
}
