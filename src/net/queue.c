/*
 * A doubly linked list through the things that wait. Must never allocate.
 */
#include "queue.h"

#include "base/assert.h"

#include <stddef.h>

void queue_add(queue_t *queue, queue_place_t *place, void *owner) {
    ASSERT(owner != NULL && (place->queue == NULL || place->queue == queue));
    if (place->queue == queue) {
        return;
    }
    *place = (queue_place_t){.queue = queue, .before = queue->last, .owner = owner};
    if (queue->last != NULL) {
        queue->last->behind = place;
    } else {
        queue->first = place;
    }
    queue->last = place;
}

void queue_drop(queue_place_t *place) {
    queue_t *queue = place->queue;
    if (queue == NULL) {
        return;
    }
    if (place->before != NULL) {
        place->before->behind = place->behind;
    } else {
        queue->first = place->behind;
    }
    if (place->behind != NULL) {
        place->behind->before = place->before;
    } else {
        queue->last = place->before;
    }
    *place = (queue_place_t){0};
}

void *queue_first(const queue_t *queue) {
    return queue->first != NULL ? queue->first->owner : NULL;
}
