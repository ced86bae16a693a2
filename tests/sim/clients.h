/*
 * People with a line to type into: what the plan says becomes request lines, and replies go to the
 * oracle. A seat has one connection at a time and opens a new one when it is gone.
 */
#ifndef REALMGATE_SIM_CLIENTS_H
#define REALMGATE_SIM_CLIENTS_H

#include "world.h"

void clients_begin(world_t *world);
void clients_free(world_t *world);

void clients_say(world_t *world, const op_t *op);
void clients_hang_up(world_t *world, unsigned realm, unsigned seat);
void clients_process_died(world_t *world, unsigned realm);
void clients_told(world_t *world, realm_node_t *node, const reply_t *reply);
void clients_heard(world_t *world, realm_node_t *node, const news_t *news);

/* After healing: makes links and users be as the plan means them; asks how they are. */
void clients_repair(world_t *world);
bool clients_repaired(const world_t *world);
/* Reads all mailboxes. */
void clients_audit(world_t *world);

#endif
