/*
 * The limits that an operator sets, and how often they were in the way. A limit that is reached is
 * a refusal: nothing is changed, and what is there already stays.
 */
#ifndef REALMGATE_CORE_QUOTA_H
#define REALMGATE_CORE_QUOTA_H

#include "model.h"

/* Each answers BUSY with a reason, counts it and returns false if there is no room for one more. */
bool quota_user(turn_t *turn, ticket_t ticket);
bool quota_group(turn_t *turn, ticket_t ticket);
bool quota_member(turn_t *turn, ticket_t ticket, const group_t *group);
bool quota_mailbox(turn_t *turn, ticket_t ticket, mailbox_t mailbox);

/* The same of a mailbox that a peer's record would begin, or one of several: nobody is answered.
 * What the realm itself owes (bounces, its own copy of a group message) always has room. */
bool quota_allows_mailbox(turn_t *turn, mailbox_t mailbox);

/* Counts a refusal that is told elsewhere. */
void quota_refused(state_t *state, limit_kind_t limit);
void quota_refused_outbox(state_t *state, const realm_t *realm);

/* How near all limits are. */
void quota_status(const state_t *state, limit_status_t limits[LIMIT_COUNT]);

#endif
