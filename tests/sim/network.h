/*
 * The network between realms. What the real transport keeps, this one keeps in its faithful mode:
 * what is sent over one connection arrives in the order of sending or not at all, and whose key is
 * at the other end is proved. Otherwise single frames are doubled and overtake each other as well.
 * Frames that go wrong never decode as something else: CURVE would have thrown those away.
 */
#ifndef REALMGATE_SIM_NETWORK_H
#define REALMGATE_SIM_NETWORK_H

#include "world.h"

void network_begin(world_t *world);
void network_free(world_t *world);

/* The effects of a realm. */
void network_dial(world_t *world, realm_node_t *node, const dial_effect_t *dial);
void network_hang_up(world_t *world, realm_node_t *node, uint64_t dial);
void network_send(world_t *world, realm_node_t *node, const peer_channel_t *channel, span_t frame);

/* Items whose time has come. */
void network_frame(world_t *world, const item_t *item);
void network_decide(world_t *world, const item_t *item);
void network_lost(world_t *world, const item_t *item);

/* Faults. */
void network_cut(world_t *world, unsigned from, unsigned to, int64_t until_us);
void network_mend(world_t *world); /* lets go what a cut held back, where it is over */
void network_break(world_t *world, unsigned a, unsigned b);
void network_noise(world_t *world, const op_t *op);
/* `abruptly`: what it had sent last is lost with it. */
void network_process_died(world_t *world, unsigned realm, bool abruptly);
void network_heal(world_t *world);

/* The stranger gets in, whatever the doorkeeper says, and sends. */
uint32_t network_intrude(world_t *world, unsigned to);
void network_intruder_says(world_t *world, uint32_t connection, span_t frame);

#endif
