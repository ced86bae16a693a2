/*
 * The other realms of the fuzzer's world: they answer as a realm should, or say anything that can
 * be said.
 */
#ifndef REALMGATE_TESTS_PUPPET_H
#define REALMGATE_TESTS_PUPPET_H

#include "world.h"

/* Answers one of the frames that the realm sent lately the way a peer does, with the verdicts that
 * the input chooses. */
void puppet_react(world_t *world);

/* Says a message put together by the input, over any way there is. */
void puppet_say(world_t *world);

/* Says bytes of the input, or a frame of the realm's own with some of its bytes changed. */
void puppet_babble(world_t *world);

/* The standing that a frame of the realm's carries, NULL if its kind has none. Borrowed. */
const peer_standing_t *puppet_standing(const peer_message_t *message);

/* A route or a dial, living or dead, chosen by the input. */
peer_channel_t puppet_channel(world_t *world);

#endif
