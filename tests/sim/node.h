/*
 * A realm in the simulator: the production state machine, and a shell that does what the real one
 * does in the same order (step, one commit, then the effects), but can die anywhere between.
 */
#ifndef REALMGATE_SIM_NODE_H
#define REALMGATE_SIM_NODE_H

#include "world.h"

void node_begin(world_t *world, unsigned index);
void node_end(world_t *world, unsigned index); /* of the run */
void node_free(realm_node_t *node);

/* Who holds a key; REALMS_MAX + 1 if nobody does. */
uint8_t node_of_key(const uint8_t key[KEY_BYTES]);

/* What reaches a realm; taken in its next turn. */
void node_frame(world_t *world, realm_node_t *node, unsigned from, bool dialled, uint64_t number,
                span_t bytes);
void node_dial_decided(world_t *world, realm_node_t *node, uint64_t dial, dial_error_t error);
void node_request(world_t *world, realm_node_t *node, uint64_t connection, uint32_t slot,
                  bool admin, span_t line);
void node_closed(world_t *world, realm_node_t *node, uint64_t connection);

/* Items whose time has come. */
void node_start(world_t *world, realm_node_t *node);
void node_turn(world_t *world, realm_node_t *node);
void node_tick(world_t *world, realm_node_t *node, const item_t *item);
void node_password(world_t *world, const item_t *item);

/* What the shell's workers make of a password. */
void node_password_hash(uint8_t hash[KEY_BYTES], const uint8_t salt[SALT_BYTES], span_t password);

/* Faults. */
void node_fault(world_t *world, const op_t *op);
void node_heal(world_t *world, realm_node_t *node);

/* What the stranger does, and what comes back to it. */
void node_strange(world_t *world, const op_t *op);
void node_stranger_hears(world_t *world, unsigned from, span_t bytes);

#endif
