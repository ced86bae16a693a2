/*
 * What other files of the core need of requests that reach into another realm.
 */
#ifndef REALMGATE_CORE_REMOTE_H
#define REALMGATE_CORE_REMOTE_H

#include "command.h"

/* Appends a sealed group message of the caller's to the outbox of a realm, which has room for it.
 */
message_t *remote_group_record(const call_t *call, realm_t *realm, const group_t *group,
                               span_t text);

/* Who waits for the verdict on a record of the call; group 0 = it is private. */
parked_t remote_parked(const call_t *call, const message_t *message, uint32_t group);

/* The peer answered a pull: asks for more, or answers the client that waits behind it. */
void remote_pulled(turn_t *turn, realm_t *realm, uint64_t correlation, bool more);

/* Pulls without a client behind it: the peer said that it has something it cannot push. */
void remote_pull_quietly(turn_t *turn, realm_t *realm);

/* The peer can no longer be asked: clients that wait get what is here, marked stale. */
void remote_peer_lost(turn_t *turn, const realm_t *realm);

void remote_tick(turn_t *turn);
int64_t remote_due_us(const state_t *state);

#endif
