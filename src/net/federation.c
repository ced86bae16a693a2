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
#include "resolve.h"
#include "router.h"
#include "zap.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/random.h"

#include <czmq.h>
#include <pthread.h>
#include <signal.h>
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

enum { ITEM_ACTOR, ITEM_TO_ACTOR, ITEM_ZAP, ITEM_RESOLVED, ITEM_ROUTER, ITEM_DIALS };
enum { ITEM_OF_MONITOR, ITEM_OF_SOCKET, ITEMS_PER_DIAL };

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
    map_t *dials_by_id; /* uint64_t -> dial_t * */
    dial_t **dials;
    size_t dial_count;
    size_t dial_room;
    zmq_pollitem_t *items;
    size_t item_room;
    size_t polled_dials; /* dials that have items */
    bool polled_pause;   /* the peers' sockets are polled for nothing: the actor is behind */
    bool stale;          /* items are to be made anew */
    uint64_t turn;
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

/* A turn's share of one socket: of a dial, or of the ROUTER if it is NULL. */
static void share_receive(federation_t *federation, dial_t *dial) {
    size_t bytes = 0;
    for (int i = 0; i < FRAMES_PER_TURN && bytes < BYTES_PER_TURN; i++) {
        size_t more = dial == NULL ? route_receive(federation) : dial_receive(federation, dial);
        if (more == SIZE_MAX) {
            return;
        }
        bytes += more;
    }
}

/* Starts with another dial each turn, so that a full batch is not always the same dials' fault. */
static void federation_receive(federation_t *federation) {
    if (federation->pipe.is_waiting) {
        return;
    }
    const zmq_pollitem_t *items = federation->items;
    if ((items[ITEM_ROUTER].revents & ZMQ_POLLIN) != 0) {
        share_receive(federation, NULL);
    }
    size_t count = federation->polled_dials;
    for (size_t i = 0; i < count && federation->pipe.batch.length < BATCH_BYTES_MAX; i++) {
        size_t at = (federation->turn + i) % count;
        const zmq_pollitem_t *item = &items[ITEM_DIALS + at * ITEMS_PER_DIAL + ITEM_OF_SOCKET];
        if ((item->revents & ZMQ_POLLIN) != 0) {
            share_receive(federation, federation->dials[at]);
        }
    }
}

/* ---- dials ---- */

static dial_t *dial_find(const federation_t *federation, uint64_t id) {
    dial_t *const *found = map_get(federation->dials_by_id, &id);
    return found != NULL ? *found : NULL;
}

static void dial_add(federation_t *federation, dial_t *dial) {
    federation->dials = memory_grow(federation->dials, &federation->dial_room,
                                    federation->dial_count + 1, sizeof(dial_t *));
    federation->dials[federation->dial_count++] = dial;
    dial_t **place = map_put(federation->dials_by_id, &dial->id);
    ASSERT(*place == NULL);
    *place = dial;
    federation->stale = true;
}

static void dial_remove(federation_t *federation, size_t at, int linger_ms) {
    ASSERT(at < federation->dial_count);
    dial_t *dial = federation->dials[at];
    bool known = map_remove(federation->dials_by_id, &dial->id);
    ASSERT(known);
    federation->dials[at] = federation->dials[--federation->dial_count];
    dial_destroy(&dial, linger_ms);
    federation->stale = true;
}

static void dial_follow(federation_t *federation, dial_t *dial) {
    dial_state_t state = dial->state;
    uint32_t attempts = dial->attempts;
    bool was_up = dial->went_up;
    dial_watch(dial);
    if (dial->state == state && dial->attempts == attempts) {
        return;
    }
    federation->stale = true;
    if (dial->went_up && !was_up) {
        (void)batch_append(&federation->pipe.batch, FED_DIALLED, dial->id, 0, 0);
    }
}

static void federation_watch(federation_t *federation) {
    for (size_t i = 0; i < federation->polled_dials; i++) {
        if (federation->items[ITEM_DIALS + i * ITEMS_PER_DIAL + ITEM_OF_MONITOR].revents != 0) {
            dial_follow(federation, federation->dials[i]);
        }
    }
}

/* Frees the dials that ended, and says so. */
static void federation_bury(federation_t *federation, int64_t now_ms) {
    for (size_t i = federation->dial_count; i > 0; i--) {
        dial_t *dial = federation->dials[i - 1];
        dial_expire(dial, now_ms);
        if (dial->state != DIAL_IS_DEAD) {
            continue;
        }
        if (dial->error == DIAL_BROKEN) {
            /* What the peer sent before it went counts. */
            share_receive(federation, dial);
        }
        (void)batch_append(&federation->pipe.batch, FED_DIAL_LOST, dial->id, dial->error, 0);
        dial_remove(federation, i - 1, 0);
    }
}

static void federation_resolve(federation_t *federation) {
    for (size_t i = 0; i < federation->dial_count && federation->resolvers < RESOLVERS_MAX; i++) {
        dial_t *dial = federation->dials[i];
        if (dial->state == DIAL_IS_WAITING &&
            resolve_start(federation->resolved_out, dial->id, dial->address.text,
                          dial->address.port)) {
            federation->resolvers++;
            dial_resolving(dial);
        }
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
            federation->stale = true;
        }
    }
}

/* ---- what comes from the actor ---- */

static void federation_dial(federation_t *federation, const batch_entry_t *entry) {
    federation_dial_t target;
    ASSERT(entry->payload_bytes == sizeof target);
    memcpy(&target, batch_payload(entry), sizeof target);
    dial_add(federation, dial_new(entry->subject, &target, &federation->options, zclock_mono()));
}

/* The dial may have ended while the actor's batch was on its way. */
static void federation_hang_up(federation_t *federation, uint64_t id) {
    for (size_t i = 0; i < federation->dial_count; i++) {
        if (federation->dials[i]->id == id) {
            dial_remove(federation, i, LINGER_MS);
            return;
        }
    }
}

static void federation_send(federation_t *federation, const batch_entry_t *entry) {
    const void *frame = batch_payload(entry);
    size_t length = entry->payload_bytes;
    ASSERT(length <= PEER_FRAME_BYTES_MAX && entry->detail <= 1);
    peer_sent_t sent = PEER_GONE;
    if (entry->detail == 0) {
        sent = router_send(federation->router, entry->subject, frame, length);
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
}

/* What the actor said before a peer's question counts for the answer: a key that it has allowed is
 * let in, however soon its owner comes. So its batches are taken after the question. */
static void federation_admit(federation_t *federation) {
    for (int i = 0; i < QUESTIONS_PER_TURN && zap_ask(federation->zap); i++) {
        federation_take(federation);
        if (!zap_answer(federation->zap)) {
            drops_count(&federation->drops, DROP_KEY, 1);
        }
    }
}

/* ---- the loop ---- */

static zmq_pollitem_t item_of(void *socket, bool wanted) {
    /* Neither socket nor descriptor: poll(2) passes over it. */
    return (zmq_pollitem_t){
        .socket = socket, .fd = -1, .events = socket != NULL && wanted ? ZMQ_POLLIN : 0};
}

static void items_make(federation_t *federation) {
    size_t count = ITEM_DIALS + federation->dial_count * ITEMS_PER_DIAL;
    federation->items =
        memory_grow(federation->items, &federation->item_room, count, sizeof(zmq_pollitem_t));
    zmq_pollitem_t *items = federation->items;
    bool pause = federation->pipe.is_waiting;
    items[ITEM_ACTOR] = item_of(federation->pipe.in, true);
    items[ITEM_TO_ACTOR] = item_of(federation->pipe.out, false);
    items[ITEM_TO_ACTOR].events = pause ? ZMQ_POLLOUT : 0;
    items[ITEM_ZAP] = item_of(zap_socket(federation->zap), true);
    items[ITEM_RESOLVED] = (zmq_pollitem_t){.fd = federation->resolved_in, .events = ZMQ_POLLIN};
    items[ITEM_ROUTER] = item_of(federation->router, !pause);
    for (size_t i = 0; i < federation->dial_count; i++) {
        const dial_t *dial = federation->dials[i];
        zmq_pollitem_t *pair = &items[ITEM_DIALS + i * ITEMS_PER_DIAL];
        bool up = dial->state == DIAL_IS_UP;
        pair[ITEM_OF_MONITOR] = item_of(dial->monitor, true);
        pair[ITEM_OF_SOCKET] = item_of(up ? dial->socket : NULL, !pause);
    }
    federation->polled_dials = federation->dial_count;
    federation->polled_pause = pause;
    federation->stale = false;
}

static long federation_timeout_ms(const federation_t *federation) {
    int64_t due_ms = drops_due_ms(&federation->drops);
    for (size_t i = 0; i < federation->dial_count; i++) {
        const dial_t *dial = federation->dials[i];
        if (dial->state != DIAL_IS_UP && dial->deadline_ms < due_ms) {
            due_ms = dial->deadline_ms;
        }
    }
    if (due_ms == INT64_MAX) {
        return -1;
    }
    int64_t now_ms = zclock_mono();
    return due_ms > now_ms ? (long)(due_ms - now_ms) : 0;
}

static void federation_turn(federation_t *federation) {
    if (federation->stale || federation->polled_pause != federation->pipe.is_waiting) {
        items_make(federation);
    }
    int count = (int)(ITEM_DIALS + federation->polled_dials * ITEMS_PER_DIAL);
    if (zmq_poll(federation->items, count, federation_timeout_ms(federation)) < 0) {
        /* Signals are blocked here and the context outlives us. */
        ASSERT(zmq_errno() == EINTR);
        return;
    }
    federation->turn++;
    federation_receive(federation);
    federation_watch(federation);
    /* From here on the dials no longer stand as the items do. */
    federation_admit(federation);
    federation_take(federation);
    federation_take_resolved(federation);
    federation_resolve(federation);
    federation_bury(federation, zclock_mono());
    actor_pipe_flush(&federation->pipe);
    drops_log(&federation->drops, zclock_mono());
}

static void federation_close(federation_t *federation) {
    while (federation->dial_count > 0) {
        dial_remove(federation, federation->dial_count - 1, LINGER_MS);
    }
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

static const char *federation_open(federation_t *federation) {
    const federation_options_t *options = &federation->options;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return "no descriptor left for the federation";
    }
    federation->resolved_in = pair[0];
    federation->resolved_out = pair[1];
    if (!actor_pipe_init(&federation->pipe, options->to_actor, options->from_actor)) {
        return "the federation cannot reach its actor";
    }
    federation->zap = zap_new(options->accept_any);
    if (federation->zap == NULL) {
        return "there is already a federation in this process";
    }
    const char *reason = NULL;
    federation->router = router_open(options, federation->address, &reason);
    return reason;
}

static const char *federation_start(federation_t *federation) {
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    int rc = pthread_sigmask(SIG_BLOCK, &all, &before);
    ASSERT(rc == 0);
    int started = pthread_create(&federation->thread, NULL, federation_thread, federation);
    rc = pthread_sigmask(SIG_SETMASK, &before, NULL);
    ASSERT(rc == 0);
    return started == 0 ? NULL : "no thread left for the federation";
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
    federation->dials_by_id = map_new_of_ids(sizeof(uint64_t), sizeof(dial_t *), seed);
    federation->resolved_in = -1;
    federation->resolved_out = -1;
    federation->stale = true;
    return federation;
}

static void federation_free(federation_t *federation) {
    crypto_wipe(federation->options.secret_key, KEY_BYTES);
    for (size_t i = 0; i < sizeof federation->strings / sizeof federation->strings[0]; i++) {
        memory_free(federation->strings[i]);
    }
    map_destroy(&federation->dials_by_id);
    memory_free(federation->dials);
    memory_free(federation->items);
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
