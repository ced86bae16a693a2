/*
 * Requests that wait for a peer's verdict on their record: first in, first answered. They are all
 * committed; the verdict only decides what the answer says.
 */
#ifndef REALMGATE_CORE_PARKED_H
#define REALMGATE_CORE_PARKED_H

#include "model.h"

/* The peer took all up to `seq`: those requests are answered "delivered". */
void parked_accepted(turn_t *turn, realm_t *realm, uint32_t seq);
/* The peer refused a record: answers with its code. False if nobody waits for that one. */
bool parked_refused(turn_t *turn, realm_t *realm, const peer_rejection_t *refusal);
/* Answers "queued" to those whose time is up. */
void parked_expire(turn_t *turn, realm_t *realm);
int64_t parked_due_us(const realm_t *realm); /* INT64_MAX: nobody waits */

#endif
