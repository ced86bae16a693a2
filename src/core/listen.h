/*
 * LISTEN: new messages of a user come to its listening connections as news, without being asked
 * for. Listening ends with UNLISTEN, LOGOUT, another user on the connection, DELUSER, and the
 * connection itself; a group's news end with the membership.
 */
#ifndef REALMGATE_CORE_LISTEN_H
#define REALMGATE_CORE_LISTEN_H

#include "model.h"

/* The connection no longer listens. Nothing to do for one that does not. Call while the session's
 * user is still there. */
void listen_stop(state_t *state, uint64_t connection, session_t *session);

/* A message was appended to a mailbox that users read, and filled in: news of it for everybody who
 * listens there, the sender included. Costs a look at the mailbox's owner where nobody does. */
void listen_notify(turn_t *turn, const message_t *message);

#endif
