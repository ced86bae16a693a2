/*
 * The federation: one thread that owns the ROUTER, a DEALER a dial, and the ZAP handler. It moves
 * frames and knows which keys may enter; it does not know what the frames say.
 *
 * Batches cross as in net/front_end.h. To the actor (PUSH connects to options.to_actor):
 *
 *   - FED_FRAME: subject = dial id or route, detail = 1 if dialled else 0; payload = KEY_BYTES of
 *     the key at the other end (proved by CURVE), then the frame
 *   - FED_DIALLED: subject = dial id: the CURVE handshake is through; its frames come after this
 *   - FED_DIAL_LOST: subject = dial id, detail = dial_error_t: the dial is dead and freed
 *   - FED_STOPPED: after FED_STOP: everything handed over has been given to the sockets
 *
 * From the actor (PULL binds options.from_actor):
 *
 *   - FED_DIAL: subject = dial id (never used twice); payload = federation_dial_t
 *   - FED_HANG_UP: subject = dial id: close it; no event is made after it (one may be on its way)
 *   - FED_SEND: subject = dial id or route, detail = 1 if dialled else 0; payload = the frame. For
 *     a dial that is not through yet it is kept until it is (256 frames, 1 MiB at most)
 *   - FED_ALLOW: payload = KEY_BYTES: this key may enter the ROUTER
 *   - FED_DENY: payload = KEY_BYTES: no longer; what it sends over a session it still has is
 *     delivered with its key all the same (the core judges each message)
 *   - FED_ACCEPT: detail = 1: every key that proves itself may enter; 0: the allowed ones
 *   - FED_STOP: end the thread
 *
 * What the actor does not take makes the federation stop reading from peers, if the actor's socket
 * has a high-water mark (ZMQ_RCVHWM) of its own: give it one. From the actor everything is taken at
 * once.
 *
 * CURVE always: the ROUTER is a CURVE server in ZAP domain "realmgate"; a key that is not allowed
 * gets ZAP status 400 before anything of it is read, unless accept_any. The User-Id that ZAP gives
 * a session is the key's text (crypto_key_text), and is how a frame's key is known. A frame of a
 * session without User-Id, or from a peer that chose its own routing id, is dropped and counted.
 *
 * A dial is one attempt: libzmq does not reconnect by itself (the core decides when to dial again).
 * Its end is told apart by the socket's monitor: nobody listens (DIAL_REFUSED), nothing answers in
 * HANDSHAKE_MS from FED_DIAL on (DIAL_TIMEOUT), address that cannot be resolved (DIAL_UNRESOLVED),
 * ZAP 400 at the peer (DIAL_REJECTED), the connection closed in the CURVE handshake
 * (DIAL_WRONG_KEY), an established connection ended (DIAL_BROKEN).
 *
 * Sends never block: ZMQ_DONTWAIT; a full pipe or a gone route (ZMQ_ROUTER_MANDATORY) drops the
 * frame and counts it: the stream sends it again. Frames over PEER_FRAME_BYTES_MAX are refused by
 * ZMQ_MAXMSGSIZE. Multi-part messages beyond one payload frame are dropped and counted.
 */
#ifndef REALMGATE_NET_FEDERATION_H
#define REALMGATE_NET_FEDERATION_H

#include "base/limits.h"
#include "types/record.h"

#include <stdbool.h>

enum {
    FED_FRAME = 1,
    FED_DIALLED,
    FED_DIAL_LOST,
    FED_STOPPED,
    FED_DIAL = 16,
    FED_HANG_UP,
    FED_SEND,
    FED_ALLOW,
    FED_DENY,
    FED_ACCEPT,
    FED_STOP
};

typedef struct federation_dial {
    uint8_t key[KEY_BYTES]; /* the key that the peer must hold */
    address_t address;
} federation_dial_t;

typedef struct federation federation_t;

typedef struct federation_options {
    const char *address; /* "127.0.0.1:9100", port 0 picks one */
    uint8_t public_key[KEY_BYTES];
    uint8_t secret_key[KEY_BYTES];
    bool accept_any;
    const char *to_actor;
    const char *from_actor;
} federation_options_t;

/* czmq's own context (zsys), made ready for a realm: sockets enough for LINKS_MAX dials, and no
 * signal handlers of czmq's. The first call makes it and must come before any socket in it. Call
 * from the main thread. */
void *federation_context(void);

/* Binds the ROUTER and starts the thread, in czmq's own context (zsys). NULL and a sentence in
 * *reason (static) if the address cannot be bound. Only one federation a process. Call from the
 * main thread. */
federation_t *federation_new(const federation_options_t *options, const char **reason);

/* The real federation address. Valid as long as the federation. */
const char *federation_address(const federation_t *federation);

/* The actor must have sent FED_STOP. Joins the thread, frees. */
void federation_destroy(federation_t **federation);

#endif
