/*
 * The mailboxes whose events one connection misses because it has fallen behind. A mailbox is in
 * here from its first missed event until the frame that says so was handed to the kernel: from then
 * on its events go on. So whoever reads on from that seq when the frame comes finds all that was
 * missed.
 */
#ifndef REALMGATE_NET_LAG_H
#define REALMGATE_NET_LAG_H

#include "types/name.h"

#include <stdbool.h>

typedef struct lag lag_t; /* NULL while nothing lags */

void lag_destroy(lag_t **lag);

bool lag_holds(const lag_t *lag, mailbox_t mailbox);

/* A mailbox lags; the frame that says so ends `output_bytes` behind what was sent. The mailbox must
 * not be in here. False if there are LAGGED_MAILBOXES_MAX: nothing is changed. */
bool lag_add(lag_t **lag, mailbox_t mailbox, size_t output_bytes);

/* So many more bytes of the output were sent. Frees itself behind the last mailbox. */
void lag_sent(lag_t **lag, size_t bytes);

#endif
