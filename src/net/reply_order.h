/*
 * Replies of one connection that came before their turn.
 */
#ifndef REALMGATE_NET_REPLY_ORDER_H
#define REALMGATE_NET_REPLY_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct early_reply {
    char *bytes; /* NULL: this slot's reply has not come */
    size_t length;
    bool close; /* the connection ends behind it */
} early_reply_t;

typedef struct reply_order reply_order_t;

reply_order_t *reply_order_new(void);
void reply_order_destroy(reply_order_t **order);

/* Keeps a copy of the reply to `slot`; `due` is the slot that goes out next. The slot must not be
 * kept already and lie less than CONNECTION_REQUESTS_MAX behind `due`. */
void reply_order_put(reply_order_t *order, uint32_t due, uint32_t slot, const void *bytes,
                     size_t length, bool close);

/* Takes the reply to the slot that is due out, if it has come; the caller frees its bytes. */
bool reply_order_take(reply_order_t *order, uint32_t due, early_reply_t *reply);

size_t reply_order_count(const reply_order_t *order);
size_t reply_order_bytes(const reply_order_t *order);

#endif
