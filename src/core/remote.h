/*
 * What other files of the core need of requests that reach into another realm.
 */
#ifndef REALMGATE_CORE_REMOTE_H
#define REALMGATE_CORE_REMOTE_H

#include "model.h"

/* The peer answered a pull: asks for more, or answers the client that waits behind it. */
void remote_pulled(turn_t *turn, realm_t *realm, uint64_t correlation, bool more);

/* Pulls without a client behind it: the peer said that it has something it cannot push. */
void remote_pull_quietly(turn_t *turn, realm_t *realm);

/* The peer can no longer be asked: clients that wait get what is here, marked stale. */
void remote_peer_lost(turn_t *turn, const realm_t *realm);

void remote_tick(turn_t *turn);
int64_t remote_due_us(const state_t *state);

#endif
