/*
 * A queue of things that have their place in it in themselves: nothing is allocated, and whatever
 * waits can leave from the middle. A place is in at most one queue; zeroed, it is in none. Queues
 * and places must not move in memory while something waits. One thread owns both.
 */
#ifndef REALMGATE_NET_QUEUE_H
#define REALMGATE_NET_QUEUE_H

#include <stdbool.h>

typedef struct queue queue_t;

typedef struct queue_place {
    queue_t *queue; /* NULL: it waits nowhere */
    struct queue_place *before, *behind;
    void *owner; /* the thing that has the place */
} queue_place_t;

struct queue {
    queue_place_t *first, *last;
};

/* Appends; leaves it where it is if it waits in this queue already. It must not wait in another. */
void queue_add(queue_t *queue, queue_place_t *place, void *owner);

/* Takes it out of whatever queue it waits in. */
void queue_drop(queue_place_t *place);

/* The owner of the first place, or NULL. It stays in the queue. */
void *queue_first(const queue_t *queue);

#endif
