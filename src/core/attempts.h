/*
 * Logins that failed, by the address that they came from: one that fails too often is refused
 * before it costs a hash; and one address cannot take all places that the password workers have.
 */
#ifndef REALMGATE_CORE_ATTEMPTS_H
#define REALMGATE_CORE_ATTEMPTS_H

#include "model.h"

/* A request that will take a password worker came from `source` (0: nobody is counted). False if
 * it must be refused with BUSY; it is counted then. */
bool attempt_begin(turn_t *turn, uint64_t source);

/* The worker is done with a request of that source. */
void attempt_end(turn_t *turn, uint64_t source, bool failed);

/* How many addresses are remembered. */
size_t attempt_sources(const state_t *state);

#endif
