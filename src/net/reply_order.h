/*
 * Replies of one connection that came before their turn.
 */
#ifndef REALMGATE_NET_REPLY_ORDER_H
#define REALMGATE_NET_REPLY_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The replies to a slot and to those right behind it, one frame behind the other. */
typedef struct reply_run {
    const char *bytes; /* borrowed */
    size_t length;
    uint32_t count; /* at least 1 */
    bool close;     /* the connection ends behind it */
} reply_run_t;

/* One that is kept. */
typedef struct early_reply {
    char *bytes; /* NULL: this slot's reply has not come, or came with that to a slot before it */
    size_t length;
    uint32_t count;
    bool close;
} early_reply_t;

typedef struct reply_order reply_order_t;

reply_order_t *reply_order_new(void);
void reply_order_destroy(reply_order_t **order);

/* Keeps a copy of the replies to `slot` and behind; `due` is the slot that goes out next. The slots
 * must not be kept already and lie at most CONNECTION_REQUESTS_MAX behind `due`. */
void reply_order_put(reply_order_t *order, uint32_t due, uint32_t slot, const reply_run_t *run);

/* Takes the reply to the slot that is due out, if it has come, with those that came with it; the
 * caller frees its bytes. */
bool reply_order_take(reply_order_t *order, uint32_t due, early_reply_t *reply);

/* How often something was put and not taken. */
size_t reply_order_count(const reply_order_t *order);
size_t reply_order_bytes(const reply_order_t *order);

#endif
