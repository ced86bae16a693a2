/*
 * The federation thread: peers' frames to the state actor, the actor's frames to peers. It must
 * never look into a frame, never block on a peer, and never trust what a peer says of itself: who
 * sent a frame is what CURVE proved.
 */
#include "net/federation.h"

#include "actor_pipe.h"
#include "dial.h"
#include "drops.h"
#include "peer_socket.h"
#include "queue.h"
#include "resolve.h"
#include "router.h"
#include "wakes.h"
#include "zap.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/thread.h"

#include <czmq.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SOCKETS_PER_DIAL = 3, /* the DEALER and both ends of its monitor */
    SOCKETS_BESIDE = 64,  /* everything else in the process */
    LINGER_MS = 200,      /* for frames handed over before a stop or a hang-up */
    FINISH_MS = 1000,     /* for the actor to take the last batch */
    RESOLVERS_MAX = 32,   /* names that are resolved at the same time */
    ACTOR_BATCHES_PER_TURN = 1024,
    QUESTIONS_PER_TURN = 64,
    FRAMES_PER_TURN = 256, /* from one socket, so that nobody starves the others */
    BYTES_PER_TURN = 1024 * 1024
};

/* Kinds of wakes, beside those of the dials. */
enum { WAKE_ACTOR, WAKE_TO_ACTOR, WAKE_ZAP, WAKE_RESOLVED, WAKE_ROUTER, WAKES };

struct federation {
    federation_options_t options;
    char *strings[3]; /* the options' own */
    pthread_t thread;
    char address[ENDPOINT_BYTES];
    actor_pipe_t pipe;
    zap_t *zap;
    void *router;
    int resolved_in;  /* resolver threads answer here ... */
    int resolved_out; /* ... by duplicates of this */
    uint32_t resolvers;
    map_t *dials;    /* by id: uint64_t -> dial_t * */
    queue_t young;   /* dials with a deadline, which is the earliest in front */
    queue_t waiting; /* dials whose host is to be resolved */
    queue_t dead;    /* dials that are to be told of and freed */
    wakes_t wakes;
    wake_t own_wakes[WAKES];
    queue_t readable;     /* the wakes of peers' sockets that were not read to their end */
    bool is_asked[WAKES]; /* what own_wakes said; all are served in one order */
    drops_t drops;
    bool stopping;
};

/* ---- what comes from peers ---- */

static void frame_deliver(federation_t *federation, uint64_t subject, bool dialled,
                          const uint8_t key[KEY_BYTES], zmq_msg_t *frame) {
    size_t length = zmq_msg_size(frame);
    if (length > PEER_FRAME_BYTES_MAX) {
        drops_count(&federation->drops, DROP_SIZE, 1);
        return;
    }
    char *payload = batch_append(&federation->pipe.batch, FED_FRAME, subject, dialled ? 1 : 0,
                                 KEY_BYTES + length);
    memcpy(payload, key, KEY_BYTES);
    memcpy(payload + KEY_BYTES, zmq_msg_data(frame), length);
}

/* One message of the ROUTER. Returns its bytes, or SIZE_MAX if there is none. */
static size_t route_receive(federation_t *federation) {
    zmq_msg_t frame;
    uint64_t route = 0;
    uint8_t key[KEY_BYTES];
    switch (router_receive(federation->router, &frame, &route, key)) {
    case ROUTER_EMPTY:
        return SIZE_MAX;
    case ROUTER_STRANGER:
        drops_count(&federation->drops, DROP_STRANGER, 1);
        return 0;
    case ROUTER_MULTIPART:
        drops_count(&federation->drops, DROP_MULTIPART, 1);
        return 0;
    case ROUTER_FRAME:
        break;
    }
    size_t bytes = zmq_msg_size(&frame);
    frame_deliver(federation, route, false, key, &frame);
    (void)zmq_msg_close(&frame);
    return bytes;
}

static size_t dial_receive(federation_t *federation, dial_t *dial) {
    zmq_msg_t frame;
    if (!part_receive(dial->socket, &frame)) {
        return SIZE_MAX;
    }
    size_t bytes = zmq_msg_size(&frame);
    if (part_drop_rest(dial->socket, &frame)) {
        drops_count(&federation->drops, DROP_MULTIPART, 1);
    } else {
        frame_deliver(federation, dial->id, true, dial->key, &frame);
    }
    (void)zmq_msg_close(&frame);
    return bytes;
}

/* A turn's share of one socket: of a dial, or of the ROUTER if it is NULL. False if that was not
 * all. */
static bool share_receive(federation_t *federation, dial_t *dial) {
    size_t bytes = 0;
    for (int i = 0; i < FRAMES_PER_TURN && bytes < BYTES_PER_TURN; i++) {
        size_t more = dial == NULL ? route_receive(federation) : dial_receive(federation, dial);
        if (more == SIZE_MAX) {
            return true;
        }
        bytes += more;
    }
    return false;
}

/* Who has more than its share waits behind all others, so that a full batch is not always the same
 * peers' fault. */
static void federation_receive(federation_t *federation) {
    queue_t *readable = &federation->readable;
    const queue_place_t *last = readable->last;
    if (federation->pipe.is_waiting) {
        return;
    }
    for (bool done = last == NULL; !done && federation->pipe.batch.length < BATCH_BYTES_MAX;) {
        wake_t *wake = queue_first(readable);
        done = &wake->readable == last;
        queue_drop(&wake->readable);
        if (!share_receive(federation, wake->owner)) {
            queue_add(readable, &wake->readable, wake);
        }
    }
}

/* ---- dials ---- */

static dial_t *dial_find(const federation_t *federation, uint64_t id) {
    dial_t *const *found = map_get(federation->dials, &id);
    return found != NULL ? *found : NULL;
}

/* To be called whenever a dial's state may have changed: it waits where its state is served. */
static void dial_settle(federation_t *federation, dial_t *dial) {
    queue_drop(&dial->to_do);
    if (dial->state == DIAL_IS_WAITING) {
        queue_add(&federation->waiting, &dial->to_do, dial);
    } else if (dial->state == DIAL_IS_DEAD) {
        queue_add(&federation->dead, &dial->to_do, dial);
    }
    if (dial->state == DIAL_IS_UP || dial->state == DIAL_IS_DEAD) {
        queue_drop(&dial->young);
    }
}

/* All have the same time from here on, so the queue of the young is in the order of deadlines. */
static void dial_add(federation_t *federation, dial_t *dial) {
    dial_t **place = map_put(federation->dials, &dial->id);
    ASSERT(*place == NULL);
    *place = dial;
    queue_add(&federation->young, &dial->young, dial);
    dial_settle(federation, dial);
}

static void dial_remove(federation_t *federation, dial_t *dial, int linger_ms) {
    bool known = map_remove(federation->dials, &dial->id);
    ASSERT(known);
    dial_destroy(&dial, linger_ms);
}

static void dial_follow(federation_t *federation, dial_t *dial) {
    bool was_up = dial->went_up;
    dial_watch(dial);
    dial_settle(federation, dial);
    if (dial->went_up && !was_up) {
        (void)batch_append(&federation->pipe.batch, FED_DIALLED, dial->id, 0, 0);
    }
}

static void federation_expire(federation_t *federation, int64_t now_ms) {
    dial_t *dial = NULL;
    while ((dial = queue_first(&federation->young)) != NULL && dial->deadline_ms <= now_ms) {
        dial_expire(dial, now_ms);
        dial_settle(federation, dial);
    }
}

/* Frees the dials that ended, and says so. */
static void federation_bury(federation_t *federation) {
    dial_t *dial = NULL;
    while ((dial = queue_first(&federation->dead)) != NULL) {
        if (dial->error == DIAL_BROKEN) {
            /* What the peer sent before it went counts. */
            (void)share_receive(federation, dial);
        }
        (void)batch_append(&federation->pipe.batch, FED_DIAL_LOST, dial->id, dial->error, 0);
        dial_remove(federation, dial, 0);
    }
}

static void federation_resolve(federation_t *federation) {
    dial_t *dial = NULL;
    while (
        federation->resolvers < RESOLVERS_MAX &&
        (dial = queue_first(&federation->waiting)) != NULL &&
        resolve_start(federation->resolved_out, dial->id, dial->address.text, dial->address.port)) {
        federation->resolvers++;
        dial_resolving(dial);
        dial_settle(federation, dial);
    }
}

static void federation_take_resolved(federation_t *federation) {
    resolved_t resolved;
    while (recv(federation->resolved_in, &resolved, sizeof resolved, MSG_DONTWAIT) ==
           (ssize_t)sizeof resolved) {
        ASSERT(federation->resolvers > 0);
        federation->resolvers--;
        dial_t *dial = dial_find(federation, resolved.subject);
        if (dial != NULL) {
            dial_resolved(dial, &resolved);
            dial_settle(federation, dial);
        }
    }
}

/* ---- what comes from the actor ---- */

static void federation_dial(federation_t *federation, const batch_entry_t *entry) {
    federation_dial_t target;
    ASSERT(entry->payload_bytes == sizeof target);
    memcpy(&target, batch_payload(entry), sizeof target);
    dial_add(federation, dial_new(entry->subject, &target, &federation->options, &federation->wakes,
                                  zclock_mono()));
}

/* The dial may have ended while the actor's batch was on its way. */
static void federation_hang_up(federation_t *federation, uint64_t id) {
    dial_t *dial = dial_find(federation, id);
    if (dial != NULL) {
        dial_remove(federation, dial, LINGER_MS);
    }
}

static void federation_send(federation_t *federation, const batch_entry_t *entry) {
    const void *frame = batch_payload(entry);
    size_t length = entry->payload_bytes;
    ASSERT(length <= PEER_FRAME_BYTES_MAX && entry->detail <= 1);
    peer_sent_t sent = PEER_GONE;
    if (entry->detail == 0) {
        sent = router_send(federation->router, entry->subject, frame, length);
        wakes_touch(&federation->wakes, &federation->own_wakes[WAKE_ROUTER]);
    } else {
        dial_t *dial = dial_find(federation, entry->subject);
        sent = dial != NULL ? dial_send(dial, frame, length) : PEER_GONE;
    }
    if (sent != PEER_SENT) {
        drops_count(&federation->drops, sent == PEER_FULL ? DROP_FULL : DROP_GONE, 1);
    }
}

static void federation_key(federation_t *federation, const batch_entry_t *entry) {
    ASSERT(entry->payload_bytes == KEY_BYTES);
    if (entry->kind == FED_ALLOW) {
        zap_allow(federation->zap, batch_payload(entry));
    } else {
        zap_deny(federation->zap, batch_payload(entry));
    }
}

static void federation_obey(federation_t *federation, const batch_entry_t *entry) {
    switch (entry->kind) {
    case FED_DIAL:
        federation_dial(federation, entry);
        break;
    case FED_HANG_UP:
        federation_hang_up(federation, entry->subject);
        break;
    case FED_SEND:
        federation_send(federation, entry);
        break;
    case FED_ALLOW:
    case FED_DENY:
        federation_key(federation, entry);
        break;
    case FED_ACCEPT:
        zap_accept(federation->zap, entry->detail != 0);
        break;
    default:
        ASSERT(entry->kind == FED_STOP);
        federation->stopping = true;
    }
}

static void federation_take(federation_t *federation) {
    zmq_msg_t message;
    for (int i = 0; i < ACTOR_BATCHES_PER_TURN && !federation->stopping; i++) {
        if (!actor_pipe_take(&federation->pipe, &message)) {
            return;
        }
        const void *bytes = zmq_msg_data(&message);
        size_t length = zmq_msg_size(&message);
        const batch_entry_t *entry = NULL;
        while (!federation->stopping && (entry = batch_next(bytes, length, entry)) != NULL) {
            federation_obey(federation, entry);
        }
        (void)zmq_msg_close(&message);
    }
    wakes_touch(&federation->wakes, &federation->own_wakes[WAKE_ACTOR]);
}

/* What the actor said before a peer's question counts for the answer: a key that it has allowed is
 * let in, however soon its owner comes. So its batches are taken after the question. */
static void federation_admit(federation_t *federation) {
    for (int i = 0; i < QUESTIONS_PER_TURN; i++) {
        if (!zap_ask(federation->zap)) {
            return;
        }
        federation_take(federation);
        if (!zap_answer(federation->zap)) {
            drops_count(&federation->drops, DROP_KEY, 1);
        }
    }
    wakes_touch(&federation->wakes, &federation->own_wakes[WAKE_ZAP]);
}

/* ---- the loop ---- */

/* Looks at all that is due. The peers' sockets are silenced even while nobody may read them,
 * because the actor is behind: they stay readable until then. */
static void federation_look(federation_t *federation) {
    wake_t *wake = NULL;
    while ((wake = wakes_next(&federation->wakes)) != NULL) {
        const dial_t *dial = wake->owner;
        bool is_in = wake->socket != NULL && (wake_events(wake) & ZMQ_POLLIN) != 0;
        if (wake->kind == WAKE_MONITOR) {
            dial_follow(federation, wake->owner);
        } else if (wake->kind < WAKES && wake->kind != WAKE_ROUTER) {
            federation->is_asked[wake->kind] = true;
        } else if (is_in && (dial == NULL || dial->state == DIAL_IS_UP)) {
            queue_add(&federation->readable, &wake->readable, wake);
        }
    }
}

static int64_t federation_due_ms(const federation_t *federation) {
    int64_t due_ms = drops_due_ms(&federation->drops);
    const dial_t *dial = queue_first(&federation->young);
    return dial != NULL && dial->deadline_ms < due_ms ? dial->deadline_ms : due_ms;
}

static int federation_timeout_ms(const federation_t *federation) {
    int64_t due_ms = federation_due_ms(federation);
    if (queue_first(&federation->readable) != NULL && !federation->pipe.is_waiting) {
        return 0;
    }
    if (due_ms == INT64_MAX) {
        return -1;
    }
    int64_t left_ms = due_ms - zclock_mono();
    return left_ms <= 0 ? 0 : left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

/* Whether one of our own sockets said something since this was asked last. */
static bool federation_asked(federation_t *federation, int kind) {
    bool is_asked = federation->is_asked[kind];
    federation->is_asked[kind] = false;
    return is_asked;
}

static void federation_turn(federation_t *federation) {
    wakes_wait(&federation->wakes, federation_timeout_ms(federation));
    federation_look(federation);
    federation_receive(federation);
    if (federation_asked(federation, WAKE_ZAP)) {
        federation_admit(federation);
    }
    if (federation_asked(federation, WAKE_ACTOR)) {
        federation_take(federation);
    }
    if (federation_asked(federation, WAKE_RESOLVED)) {
        federation_take_resolved(federation);
    }
    federation_resolve(federation);
    federation_expire(federation, zclock_mono());
    federation_bury(federation);
    actor_pipe_flush(&federation->pipe);
    drops_log(&federation->drops, zclock_mono());
}

static void federation_close(federation_t *federation) {
    size_t cursor = 0;
    void *dial = NULL;
    while (map_next(federation->dials, &cursor, NULL, &dial)) {
        dial_remove(federation, *(dial_t **)dial, LINGER_MS);
    }
    for (int kind = 0; kind < WAKES; kind++) {
        wakes_remove(&federation->wakes, &federation->own_wakes[kind]);
    }
    wakes_deinit(&federation->wakes);
    peer_socket_close(&federation->router, LINGER_MS);
    zap_destroy(&federation->zap);
    actor_pipe_deinit(&federation->pipe);
    (void)close(federation->resolved_in);
    (void)close(federation->resolved_out);
}

static void *federation_thread(void *argument) {
    federation_t *federation = argument;
    while (!federation->stopping) {
        federation_turn(federation);
    }
    (void)batch_append(&federation->pipe.batch, FED_STOPPED, 0, 0, 0);
    actor_pipe_finish(&federation->pipe, FINISH_MS);
    federation_close(federation);
    return NULL;
}

/* ---- birth and death ---- */

void *federation_context(void) {
    /* The process handles its signals itself. */
    zsys_handler_set(NULL);
    void *context = zsys_init();
    ASSERT(context != NULL);
    int rc = zmq_ctx_set(context, ZMQ_MAX_SOCKETS, LINKS_MAX * SOCKETS_PER_DIAL + SOCKETS_BESIDE);
    ASSERT(rc == 0);
    return context;
}

static bool federation_watch(federation_t *federation, int kind, void *socket) {
    return wakes_add(&federation->wakes, &federation->own_wakes[kind], socket, kind, NULL);
}

static bool federation_watch_all(federation_t *federation) {
    return federation_watch(federation, WAKE_ACTOR, federation->pipe.in) &&
           federation_watch(federation, WAKE_TO_ACTOR, federation->pipe.out) &&
           federation_watch(federation, WAKE_ZAP, zap_socket(federation->zap)) &&
           federation_watch(federation, WAKE_ROUTER, federation->router) &&
           wakes_add_descriptor(&federation->wakes, &federation->own_wakes[WAKE_RESOLVED],
                                federation->resolved_in, WAKE_RESOLVED);
}

static const char *federation_open(federation_t *federation) {
    const federation_options_t *options = &federation->options;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return "no descriptor left for the federation";
    }
    federation->resolved_in = pair[0];
    federation->resolved_out = pair[1];
    if (!wakes_init(&federation->wakes)) {
        return "no descriptor left for the federation";
    }
    if (!actor_pipe_init(&federation->pipe, options->to_actor, options->from_actor)) {
        return "the federation cannot reach its actor";
    }
    federation->zap = zap_new(options->accept_any);
    if (federation->zap == NULL) {
        return "there is already a federation in this process";
    }
    const char *reason = NULL;
    federation->router = router_open(options, federation->address, &reason);
    if (reason == NULL && !federation_watch_all(federation)) {
        reason = "no descriptor left for the federation";
    }
    return reason;
}

static const char *federation_start(federation_t *federation) {
    bool started = thread_start(&federation->thread, federation_thread, federation);
    return started ? NULL : "no thread left for the federation";
}

static char *text_copy(const char *text) {
    ASSERT(text != NULL);
    size_t bytes = strlen(text) + 1;
    return memcpy(memory_alloc(bytes), text, bytes);
}

static federation_t *federation_make(const federation_options_t *options) {
    uint8_t seed[16];
    random_bytes(seed, sizeof seed);
    federation_t *federation = memory_alloc(sizeof *federation);
    federation->options = *options;
    federation->options.address = federation->strings[0] = text_copy(options->address);
    federation->options.to_actor = federation->strings[1] = text_copy(options->to_actor);
    federation->options.from_actor = federation->strings[2] = text_copy(options->from_actor);
    federation->dials = map_new_of_ids(sizeof(uint64_t), sizeof(dial_t *), seed);
    federation->wakes.epoll = -1;
    federation->resolved_in = -1;
    federation->resolved_out = -1;
    return federation;
}

static void federation_free(federation_t *federation) {
    crypto_wipe(federation->options.secret_key, KEY_BYTES);
    for (size_t i = 0; i < sizeof federation->strings / sizeof federation->strings[0]; i++) {
        memory_free(federation->strings[i]);
    }
    map_destroy(&federation->dials);
    memory_free(federation);
}

federation_t *federation_new(const federation_options_t *options, const char **reason) {
    ASSERT(options != NULL && reason != NULL);
    (void)federation_context();
    federation_t *federation = federation_make(options);
    *reason = federation_open(federation);
    if (*reason == NULL) {
        *reason = federation_start(federation);
    }
    if (*reason != NULL) {
        federation_close(federation);
        federation_free(federation);
        return NULL;
    }
    return federation;
}

const char *federation_address(const federation_t *federation) {
    return federation->address;
}

void federation_destroy(federation_t **federation) {
    ASSERT(federation != NULL);
    if (*federation == NULL) {
        return;
    }
    int rc = pthread_join((*federation)->thread, NULL);
    ASSERT(rc == 0);
    federation_free(*federation);
    *federation = NULL;
}
