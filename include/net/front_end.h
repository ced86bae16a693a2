/*
 * The front end: one thread that owns the client sockets (TCP and the admin socket). It turns bytes
 * into batches of requests for the actor and batches of replies into bytes.
 *
 * Batches cross as single-frame messages over two inproc sockets, each a base/batch.h block:
 *
 *   to the actor (PUSH connects to options.to_actor):
 *     FRONT_REQUEST  subject = connection, detail = slot; payload = request_t, then the line's
 * bytes FRONT_CLOSED   subject = connection (only if the actor has seen a request of it)
 *     FRONT_DRAINED  after FRONT_DRAIN: every request is answered and written, sockets are closed
 *     FRONT_COUNTERS in front of the requests of a batch, if they have changed; payload =
 *                    front_counters_t
 *   from the actor (PULL binds options.from_actor):
 *     FRONT_REPLY    subject = connection, detail = slot and the bits FRONT_CLOSE_BIT (close behind
 *                    it), FRONT_USER_BIT, FRONT_NOBODY_BIT; payload = the frame's bytes. The
 *                    replies to the slots behind it may stand in the same entry, their frames
 *                    behind its frame: front_run_bits says how many; then the other bits are 0
 *     FRONT_NEWS     a message that connections listen for; payload = front_news_t, the
 *                    connections' handles, the mailbox's name, the event's frame
 *     FRONT_DRAIN    stop accepting and reading, answer what was read, then FRONT_DRAINED
 *     FRONT_STOP     end the thread at once
 *     FRONT_LIMITS   payload = front_limits_t: these hold from now on
 *
 * Each request of a connection gets the next slot, 0, 1, 2, ... (wrapping); replies may come in any
 * order and are sent in the order of the slots. A connection handle is never used twice: index in
 * its low 32 bits, generation above; replies to a closed one are dropped.
 *
 * Rules kept here: framing and TOO_LONG, half-close (answer everything, then close), TCP_NODELAY,
 * listen backlog LISTEN_BACKLOG, BUSY and close for connections over the limit (descriptors or
 * connections_max), a connection with CONNECTION_REQUESTS_MAX unanswered requests or
 * CONNECTION_OUTPUT_MAX unsent bytes is not read until they shrink, one that takes nothing for
 * CONNECTION_STALL_MS while output waits is cut. An idle connection owns no buffers.
 *
 * Held to front_limits_t, except for the admin socket: connections over the limit of an address, or
 * that come too fast, get BUSY and are closed; so do, without being closed, requests that come too
 * fast. A connection that is no user's for login_timeout_ms is told AUTH_REQUIRED and closed; if it
 * waits for an answer then, it has that time once more. An address is an IPv4 address or the first
 * 64 bits of an IPv6 one.
 *
 * Events stand between replies, never inside one, and are never waited for: a connection with more
 * than EVENT_BACKLOG_MAX unsent bytes does not get an event, but one frame that says from which seq
 * on it missed that mailbox, and none of that mailbox until this frame was handed to the kernel. A
 * connection that lags in more than LAGGED_MAILBOXES_MAX mailboxes is cut. Whoever has ended its
 * side gets no more events.
 */
#ifndef REALMGATE_NET_FRONT_END_H
#define REALMGATE_NET_FRONT_END_H

#include "types/name.h"
#include "types/settings.h"

#include <stdint.h>

enum {
    FRONT_REQUEST = 1,
    FRONT_CLOSED,
    FRONT_DRAINED,
    FRONT_COUNTERS,
    FRONT_REPLY = 16,
    FRONT_NEWS,
    FRONT_DRAIN,
    FRONT_STOP,
    FRONT_LIMITS
};
#define FRONT_CLOSE_BIT  (1ULL << 32)
#define FRONT_USER_BIT   (1ULL << 33) /* the connection is a user's from now on */
#define FRONT_NOBODY_BIT (1ULL << 34) /* it no longer is */

/* How many replies stand in one FRONT_REPLY: in the upper bits of its detail, one less. */
#define FRONT_RUN_SHIFT 40
static inline uint64_t front_run_bits(uint32_t replies) {
    return (uint64_t)(replies - 1) << FRONT_RUN_SHIFT;
}

/* The head of FRONT_NEWS. The parts follow without padding; the frame is the rest. */
typedef struct front_news {
    mailbox_t mailbox;
    uint32_t seq;
    uint32_t connection_count; /* 0: the connections of the FRONT_NEWS before, in the same batch */
    uint32_t name_bytes;       /* the request that reads the mailbox, for the notice of a lag */
    uint32_t reserved;         /* 0 */
} front_news_t;

typedef struct front_end front_end_t;

typedef struct front_end_options {
    void *context;          /* the ZeroMQ context */
    const char *clients;    /* "127.0.0.1:9000", "[::1]:0" */
    const char *admin_path; /* the admin socket's path, NULL for none; an old file is replaced */
    const char *to_actor;   /* inproc endpoint that the actor has bound */
    const char *from_actor; /* inproc endpoint that the front end binds */
    const front_limits_t *limits; /* copied; NULL = FRONT_LIMITS_DEFAULT */
} front_end_options_t;

/* Binds the sockets and starts the thread. Returns NULL and a sentence in *reason (static or valid
 * until the next call) if an address cannot be bound. Call from the main thread. */
front_end_t *front_end_new(const front_end_options_t *options, const char **reason);

/* The real client address, "127.0.0.1:41234". Valid as long as the front end. */
const char *front_end_address(const front_end_t *front_end);

/* Sends nothing: the actor must have sent FRONT_STOP. Joins the thread, removes the admin
 * socket's file, frees. */
void front_end_destroy(front_end_t **front_end);

#endif
