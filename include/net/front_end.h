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
 *   from the actor (PULL binds options.from_actor):
 *     FRONT_REPLY    subject = connection, detail = slot (FRONT_CLOSE_BIT set: close behind it);
 *                    payload = the frame's bytes
 *     FRONT_EVENT    subject = connection; payload = a frame between replies, never inside one
 *     FRONT_DRAIN    stop accepting and reading, answer what was read, then FRONT_DRAINED
 *     FRONT_STOP     end the thread at once
 *
 * Each request of a connection gets the next slot, 0, 1, 2, ... (wrapping); replies may come in any
 * order and are sent in the order of the slots. A connection handle is never used twice: index in
 * its low 32 bits, generation above; replies to a closed one are dropped.
 *
 * Rules kept here: framing and TOO_LONG, half-close (answer everything, then close), TCP_NODELAY,
 * listen backlog LISTEN_BACKLOG, BUSY and close for connections over the limit (descriptors or
 * CONNECTIONS_MAX), a connection with CONNECTION_REQUESTS_MAX unanswered requests or
 * CONNECTION_OUTPUT_MAX unsent bytes is not read until they shrink, one that takes nothing for
 * CONNECTION_STALL_MS while output waits is cut. An idle connection owns no buffers.
 */
#ifndef REALMGATE_NET_FRONT_END_H
#define REALMGATE_NET_FRONT_END_H

#include <stdint.h>

enum {
    FRONT_REQUEST = 1,
    FRONT_CLOSED,
    FRONT_DRAINED,
    FRONT_REPLY = 16,
    FRONT_EVENT,
    FRONT_DRAIN,
    FRONT_STOP
};
#define FRONT_CLOSE_BIT (1ULL << 32)

typedef struct front_end front_end_t;

typedef struct front_end_options {
    void *context;          /* the ZeroMQ context */
    const char *clients;    /* "127.0.0.1:9000", "[::1]:0" */
    const char *admin_path; /* the admin socket's path, NULL for none; an old file is replaced */
    const char *to_actor;   /* inproc endpoint that the actor has bound */
    const char *from_actor; /* inproc endpoint that the front end binds */
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
