/*
 * Refs: `@<ref> <request>`. The reply to it carries the ref; and where the request changes
 * something, the same user gets the first outcome again for REF_KEEP_MS, whatever it asks under
 * that ref, over any connection and after any restart.
 *
 * An outcome is stored in the transaction that makes it true. Of a message to another realm that is
 * the one of its record: "queued", until the reply says more. Kept are OK and what the state of the
 * realm forbids (NO_USER, GROUP_EXISTS, ...); not what is wrong in the line itself, nor what asks
 * to try again (BUSY, QUEUE_FULL, REALM_UNREACHABLE, ...). While the first request is under way,
 * others with its ref wait behind it.
 *
 * Whose refs: a user's; on the admin socket without AUTH the socket's own, as user 0. Who is nobody
 * (REGISTER) only gets the ref back.
 */
#ifndef REALMGATE_CORE_REF_H
#define REALMGATE_CORE_REF_H

#include "command.h"

/* Takes "@<ref>" off the front of a request. False if it is no ref; *ref stays empty if none is
 * there. */
bool ref_take(request_t *request, const char *line, span_t *ref);

typedef enum ref_standing {
    REF_FREE,      /* no ref, or nothing is known under it, or the request changes nothing */
    REF_UNDER_WAY, /* the first request has no reply yet */
    REF_ANSWERED,
} ref_standing_t;

/* Where the call's ref stands; sets the call's `keeps` and `digest`. */
ref_standing_t ref_look(call_t *call);

/* The reply to this ticket will carry the ref. Nothing to do for an empty one. */
void ref_note(turn_t *turn, ticket_t ticket, span_t ref);
/* Answers a request that does not get to run. */
void ref_refuse(turn_t *turn, ticket_t ticket, const request_t *request, const char *line,
                code_t code);
/* There will be no reply. */
void ref_drop(state_t *state, ticket_t ticket);

/* The call is about to run: its outcome will be kept, if it is one that is. False if there are too
 * many; BUSY was answered then. */
bool ref_begin(const call_t *call);

/* The call has put a message into an outbox, and waits for verdicts: from this commit on that much
 * of its outcome is certain. */
void ref_queued(turn_t *turn, ticket_t ticket, uint64_t message);
void ref_broadcast(turn_t *turn, ticket_t ticket, const broadcast_t *broadcast);

/* Gives the first outcome again. */
void ref_answer_again(const call_t *call);

/* The connection, which is blocked, goes on when the request under way has its reply. */
void ref_wait(state_t *state, const uint8_t digest[REF_DIGEST_BYTES], uint64_t connection);

/* Gives the newest replies of the turn their refs, and keeps what came of them. */
void ref_answered(turn_t *turn);

/* The user is being removed: so is what is known under its refs. */
void ref_forget_user(turn_t *turn, uint32_t user);

bool ref_load(state_t *state, const ref_record_t *record); /* false: a corrupt store */
void ref_start(turn_t *turn);
void ref_tick(turn_t *turn); /* forgets old ones, a slice at a time */
void ref_free_all(state_t *state);

#endif
