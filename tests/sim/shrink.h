/*
 * From a plan that breaks a promise to a short one that breaks the same.
 */
#ifndef REALMGATE_SIM_SHRINK_H
#define REALMGATE_SIM_SHRINK_H

#include "world.h"

/* Leaves out of the plan whatever the violation does not need. The world holds the last violation
 * when it returns. */
void shrink(world_t *world, plan_t *plan);

#endif
