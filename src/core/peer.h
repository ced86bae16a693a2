/*
 * The requests between servers: a table of their own that no client's line can reach.
 */
#ifndef REALMGATE_CORE_PEER_H
#define REALMGATE_CORE_PEER_H

#include "model.h"

/* A peer's message. Who sent it follows from the channel alone. */
void peer_run(turn_t *turn, const peer_channel_t *channel, const peer_message_t *message);

/* A peer's message that could not be read: counted and answered. */
void peer_garbage(turn_t *turn, const peer_channel_t *channel, peer_refusal_t refusal);

#endif
