/*
 * One dial: one attempt to reach one key at one address, from the name to the end of the
 * connection. Owned by the federation thread; nothing here blocks.
 *
 * A dial's state tells its owner what to do: WAITING, its host is a name (resolve_start it, then
 * dial_resolving, then dial_resolved); CONNECTING, dial_watch whenever its monitor is due; UP, read
 * its socket too whenever that is due; DEAD, read `error` and destroy it.
 */
#ifndef REALMGATE_NET_DIAL_H
#define REALMGATE_NET_DIAL_H

#include "net/federation.h"
#include "peer_socket.h"
#include "queue.h"
#include "resolve.h"
#include "wakes.h"

#include "base/batch.h"
#include "types/event.h"

#define EARLY_FRAMES_MAX 256

/* Kinds of wakes, with the dial as their owner. */
enum { WAKE_MONITOR = 64, WAKE_DIAL };

typedef enum dial_state {
    DIAL_IS_WAITING,
    DIAL_IS_RESOLVING,
    DIAL_IS_CONNECTING,
    DIAL_IS_UP,
    DIAL_IS_DEAD
} dial_state_t;

typedef struct dial {
    uint64_t id;
    uint8_t key[KEY_BYTES];
    address_t address;
    const federation_options_t *own; /* our key pair; outlives the dial */
    wakes_t *wakes;                  /* where the sockets are watched; outlives the dial */
    dial_state_t state;
    dial_error_t error;  /* DEAD */
    int64_t deadline_ms; /* for the whole way to UP, in zclock_mono */
    resolved_t resolved;
    uint32_t attempts; /* endpoints of `resolved` that were tried */
    void *socket;      /* DEALER; CONNECTING, UP and DEAD */
    void *monitor;     /* the monitor's PAIR */
    wake_t socket_wake;
    wake_t monitor_wake;
    queue_place_t young; /* for the owner: while it has a deadline */
    queue_place_t to_do; /* for the owner: while it is WAITING or DEAD */
    bool connected;      /* TCP is through */
    bool went_up;        /* it is or was UP */
    batch_t early;       /* frames that wait for UP */
    uint32_t early_frames;
} dial_t;

/* Starts to connect at once if the address is a number, else WAITING. `own` and `wakes` are
 * borrowed. */
dial_t *dial_new(uint64_t id, const federation_dial_t *target, const federation_options_t *own,
                 wakes_t *wakes, int64_t now_ms);

/* Closes and leaves all queues; what was handed over to the sockets has linger_ms to go out. */
void dial_destroy(dial_t **dial, int linger_ms);

void dial_resolving(dial_t *dial);

/* Takes the answer of resolve_start. */
void dial_resolved(dial_t *dial, const resolved_t *resolved);

/* Reads what the monitor has to say and moves on. */
void dial_watch(dial_t *dial);

/* Dead by DIAL_TIMEOUT if it is not UP in time. */
void dial_expire(dial_t *dial, int64_t now_ms);

/* Sends a frame, or keeps it until UP (at most EARLY_FRAMES_MAX frames and PEER_FRAME_BYTES_MAX
 * bytes of them). */
peer_sent_t dial_send(dial_t *dial, const void *frame, size_t length);

#endif
