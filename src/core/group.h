/*
 * What other files of the core need of groups.
 */
#ifndef REALMGATE_CORE_GROUP_H
#define REALMGATE_CORE_GROUP_H

#include "command.h"

/* The worker derived a group's key: makes the group, or lets the asker join it. */
void group_key_ready(turn_t *turn, const pending_t *pending, const uint8_t key[KEY_BYTES]);

/* The group of argument `index` if the caller is a member; else answers BAD_NAME, NO_GROUP or
 * NOT_MEMBER and returns NULL. */
group_t *group_of_member(call_t *call, unsigned index);

/* Whether there is a group of that name with that key. */
bool group_opens(const state_t *state, const name_t *name, const uint8_t key[KEY_BYTES]);

#endif
