/*
 * The input as a program that makes the world go round.
 */
#ifndef REALMGATE_TESTS_OPERATIONS_H
#define REALMGATE_TESTS_OPERATIONS_H

#include "world.h"

/* Runs the world's input to its end, or a few hundred events of it. */
void operations_run(world_t *world);

/* Single ones. Two users who have said their passwords, and a group: */
void operations_people(world_t *world);
/* A handshake from the first word to the last, so that what lies behind it is found soon: */
void operations_link_up(world_t *world);

#endif
