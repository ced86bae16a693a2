/*
 * Positions of a store that went back in time. Ids are positions, and an id names one message for
 * good, in the whole federation: so such a store must not give those again that the life behind the
 * backup gave. How many these were nobody knows; it skips more than a realm gives in years.
 *
 * A backup says by itself what it is, so its first start skips before anything is given. A copy
 * that was made by other means is noticed when a peer says a mark that we know nothing of; ids that
 * were given between its start and that handshake may be given twice.
 */
#ifndef REALMGATE_CORE_POSITION_H
#define REALMGATE_CORE_POSITION_H

#include "model.h"

/* Replay at start. False if it says what cannot be: a corrupt store. */
bool position_load(state_t *state, const floor_record_t *floor);

/* Before anything is appended. */
void position_start(turn_t *turn);

/* A handshake has shown that the store went back in time. Skips once a process. */
void position_skip(turn_t *turn);

#endif
