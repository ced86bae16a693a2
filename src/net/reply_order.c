/*
 * A ring of early replies, indexed by slot. Must never hold more than the unanswered requests of
 * one connection.
 */
#include "reply_order.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/memory.h"

#include <string.h>

#define ORDER_ROOM_MIN 16U

struct reply_order {
    early_reply_t *places; /* slot modulo room */
    uint32_t room;         /* a power of two, larger than the distance of any slot from the due */
    uint32_t count;
    size_t bytes;
};

_Static_assert((CONNECTION_REQUESTS_MAX & (CONNECTION_REQUESTS_MAX - 1)) == 0,
               "the ring doubles up to all requests that may be unanswered");

reply_order_t *reply_order_new(void) {
    reply_order_t *order = memory_alloc(sizeof(*order));
    order->room = ORDER_ROOM_MIN;
    order->places = memory_alloc(order->room * sizeof(*order->places));
    return order;
}

void reply_order_destroy(reply_order_t **order) {
    if (*order == NULL) {
        return;
    }
    for (uint32_t place = 0; place < (*order)->room; place++) {
        memory_free((*order)->places[place].bytes);
    }
    memory_free((*order)->places);
    memory_free(*order);
    *order = NULL;
}

static early_reply_t *reply_order_place(const reply_order_t *order, uint32_t slot) {
    return &order->places[slot & (order->room - 1)];
}

/* Every reply has another place in a larger ring. */
static void reply_order_grow(reply_order_t *order, uint32_t due) {
    reply_order_t larger = *order;
    larger.room = order->room * 2;
    larger.places = memory_alloc(larger.room * sizeof(*larger.places));
    for (uint32_t distance = 0; distance < order->room; distance++) {
        *reply_order_place(&larger, due + distance) = *reply_order_place(order, due + distance);
    }
    memory_free(order->places);
    *order = larger;
}

void reply_order_put(reply_order_t *order, uint32_t due, uint32_t slot, const reply_run_t *run) {
    /* Behind all that clients may have unanswered there may stand one notice of our own. */
    ASSERT(slot - due + run->count <= CONNECTION_REQUESTS_MAX + 1 && run->count > 0);
    while (slot - due >= order->room) {
        reply_order_grow(order, due);
    }
    early_reply_t *place = reply_order_place(order, slot);
    ASSERT(place->bytes == NULL);
    *place = (early_reply_t){memory_resize(NULL, run->length), run->length, run->count, run->close};
    memcpy(place->bytes, run->bytes, run->length);
    order->count++;
    order->bytes += run->length;
}

bool reply_order_take(reply_order_t *order, uint32_t due, early_reply_t *reply) {
    early_reply_t *place = reply_order_place(order, due);
    if (place->bytes == NULL) {
        return false;
    }
    *reply = *place;
    *place = (early_reply_t){0};
    order->count--;
    order->bytes -= reply->length;
    return true;
}

size_t reply_order_count(const reply_order_t *order) {
    return order->count;
}

size_t reply_order_bytes(const reply_order_t *order) {
    return order->bytes;
}
