/*
 * CHECKSERVER: what a realm says of itself, and how fast it is used.
 */
#ifndef REALMGATE_CORE_SERVER_H
#define REALMGATE_CORE_SERVER_H

#include "model.h"

/* Notes how much was done, at the end of a batch; cheap. */
void server_note(state_t *state, int64_t uptime_us);

#endif
