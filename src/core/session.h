/*
 * Sessions: which user a connection speaks for, and the requests that wait while an earlier one of
 * the same connection is with a worker, a peer or the store.
 */
#ifndef REALMGATE_CORE_SESSION_H
#define REALMGATE_CORE_SESSION_H

#include "command.h"

/* Runs a client's request now, or defers it behind the one its connection waits for. */
void session_request(turn_t *turn, ticket_t ticket, const request_t *request, const char *line);

/* From now on requests of this connection are deferred, until session_unblock. */
void session_block(turn_t *turn, uint64_t connection);
/* The awaited answer was given. Does nothing for a connection that is gone. */
void session_unblock(turn_t *turn, uint64_t connection);
/* Runs the deferred requests of unblocked connections; ends every step. */
void session_run_ready(turn_t *turn);

/* A request of this connection waits for a peer's verdict; it has been answered. What must not be
 * told before (command_t.behind_verdicts) is deferred meanwhile, and all behind it. */
void session_park(turn_t *turn, uint64_t connection);
void session_unpark(turn_t *turn, uint64_t connection);

/* The connection is gone: forgets it and what it deferred. */
void session_closed(state_t *state, uint64_t connection);

/* No connection speaks for this user any more. */
void session_unbind_user(state_t *state, uint32_t user);
void session_free_all(state_t *state);

/* Answers to a password job of AUTH. */
void session_auth_verified(turn_t *turn, const pending_t *pending, bool ok);

/* The keyed digest of a user's password that lives only in this process's memory. */
void session_fast_digest(const state_t *state, uint32_t user, span_t password,
                         uint8_t out[FAST_DIGEST_BYTES]);

/* Asks the password workers; the connection is blocked until the answer. Returns the pending row to
 * fill in, or NULL when too many are under way, or too many of this address have failed (BUSY is
 * answered then). */
pending_t *session_await_password(const call_t *call, pending_kind_t kind, password_job_t **job);

#endif
