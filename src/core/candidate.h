/*
 * ADDREALM while its handshake runs. A candidate becomes a link when the peer welcomes us; if that
 * fails for whatever reason, nothing was stored.
 */
#ifndef REALMGATE_CORE_CANDIDATE_H
#define REALMGATE_CORE_CANDIDATE_H

#include "model.h"

/* Dials; the connection of the ticket is blocked until the answer. */
void candidate_begin(turn_t *turn, const candidate_t *candidate);

void candidate_dialled(turn_t *turn, uint64_t dial);
void candidate_welcome(turn_t *turn, uint64_t dial, const peer_message_t *message);
/* `is_open`: the dial must be closed. */
void candidate_failed(turn_t *turn, uint64_t dial, const char *reason, bool is_open);

void candidate_tick(turn_t *turn);
int64_t candidate_due_us(const state_t *state);

#endif
