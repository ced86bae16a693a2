/*
 * A queue that is fair to those who put things in: each has a lane of its own, and the lanes take
 * turns. Within a lane first in is first out. What waits is known by a number below the capacity.
 */
#ifndef REALMGATE_APP_FAIR_QUEUE_H
#define REALMGATE_APP_FAIR_QUEUE_H

#include <stddef.h>
#include <stdint.h>

typedef struct fair_queue fair_queue_t;

/* Room for `capacity` things. The caller destroys it. */
fair_queue_t *fair_queue_new(size_t capacity);
void fair_queue_destroy(fair_queue_t **queue);

/* Puts something into the lane of `owner`; returns its number, which is free again when it is
 * taken. There must be room. */
size_t fair_queue_put(fair_queue_t *queue, uint64_t owner);

/* Takes the first thing of the lane whose turn it is. The queue must not be empty. */
size_t fair_queue_take(fair_queue_t *queue);

size_t fair_queue_count(const fair_queue_t *queue);

#endif
