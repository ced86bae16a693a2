/*
 * What other files of the core need of private messages.
 */
#ifndef REALMGATE_CORE_PRIVATE_H
#define REALMGATE_CORE_PRIVATE_H

#include "model.h"

/* Answers CHECKMESSAGE when the store has found (or not found) the message. */
void private_looked_up(turn_t *turn, const pending_t *pending, const event_t *event);

#endif
