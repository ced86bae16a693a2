/*
 * A dial's life, as its socket's monitor tells it. It must never dial again by itself: the core
 * decides when.
 *
 * What libzmq 4.3.4 says on a socket that does not reconnect:
 *   nobody listens         CONNECT_DELAYED, CLOSED
 *   nobody speaks          CONNECTED, and nothing more until a deadline
 *   our key is refused     CONNECTED, HANDSHAKE_FAILED_AUTH 400, DISCONNECTED
 *   another key is there   CONNECTED, HANDSHAKE_FAILED_NO_DETAIL, DISCONNECTED (the server closes)
 *   no CURVE, no ZeroMQ    CONNECTED, perhaps HANDSHAKE_FAILED_PROTOCOL, DISCONNECTED
 *   it works, then breaks  CONNECTED, HANDSHAKE_SUCCEEDED, DISCONNECTED
 */
#include "dial.h"

#include "base/assert.h"
#include "base/memory.h"

#include <czmq.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

_Static_assert(EARLY_FRAMES_MAX <= PEER_SOCKET_HWM, "a new queue takes all early frames");

#define DIAL_HANDSHAKE_FAILED                                                                      \
    (ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL)
#define DIAL_NOT_CONNECTED (ZMQ_EVENT_CLOSED | ZMQ_EVENT_CONNECT_RETRIED)
#define DIAL_EVENTS                                                                                \
    (DIAL_HANDSHAKE_FAILED | DIAL_NOT_CONNECTED | ZMQ_EVENT_CONNECTED | ZMQ_EVENT_DISCONNECTED |   \
     ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)

static void dial_die(dial_t *dial, dial_error_t error) {
    if (dial->state != DIAL_IS_DEAD) {
        dial->state = DIAL_IS_DEAD;
        dial->error = error;
    }
}

static void dial_close(dial_t *dial, int linger_ms) {
    wakes_remove(dial->wakes, &dial->socket_wake);
    wakes_remove(dial->wakes, &dial->monitor_wake);
    if (dial->socket != NULL) {
        /* The monitor's own end goes first: libzmq's I/O thread writes to it, and would wait
         * forever for a reader that is gone. */
        (void)zmq_socket_monitor(dial->socket, NULL, 0);
    }
    peer_socket_close(&dial->socket, linger_ms);
    peer_socket_close(&dial->monitor, 0);
    dial->connected = false;
}

static bool dial_monitor(dial_t *dial) {
    char endpoint[64];
    int length = snprintf(endpoint, sizeof endpoint, "inproc://dial-%" PRIu64 "-%u", dial->id,
                          (unsigned)dial->attempts);
    ASSERT(length > 0 && (size_t)length < sizeof endpoint);
    if (zmq_socket_monitor(dial->socket, endpoint, DIAL_EVENTS) != 0) {
        return false;
    }
    dial->monitor = inner_socket_new(ZMQ_PAIR);
    return dial->monitor != NULL && zmq_connect(dial->monitor, endpoint) == 0 &&
           wakes_add(dial->wakes, &dial->monitor_wake, dial->monitor, WAKE_MONITOR, dial);
}

static bool dial_open(dial_t *dial) {
    dial->socket = peer_socket_new(ZMQ_DEALER);
    if (dial->socket == NULL) {
        return false;
    }
    peer_socket_set(dial->socket, ZMQ_IPV6, 1);
    peer_socket_set(dial->socket, ZMQ_RECONNECT_IVL, -1);
    peer_socket_set(dial->socket, ZMQ_CONNECT_TIMEOUT, HANDSHAKE_MS);
    peer_socket_set_keys(dial->socket, dial->own->public_key, dial->own->secret_key);
    int rc = zmq_setsockopt(dial->socket, ZMQ_CURVE_SERVERKEY, dial->key, KEY_BYTES);
    ASSERT(rc == 0);
    return dial_monitor(dial) &&
           wakes_add(dial->wakes, &dial->socket_wake, dial->socket, WAKE_DIAL, dial) &&
           zmq_connect(dial->socket, dial->resolved.endpoints[dial->attempts]) == 0;
}

/* Goes to the next endpoint that the host resolved to; the last one's error is the dial's. */
static void dial_next(dial_t *dial, dial_error_t error) {
    dial_close(dial, 0);
    while (dial->attempts < dial->resolved.count) {
        bool opened = dial_open(dial);
        dial->attempts++;
        if (opened) {
            dial->state = DIAL_IS_CONNECTING;
            return;
        }
        dial_close(dial, 0);
    }
    dial_die(dial, error);
}

dial_t *dial_new(uint64_t id, const federation_dial_t *target, const federation_options_t *own,
                 wakes_t *wakes, int64_t now_ms) {
    ASSERT(target->address.length == strlen(target->address.text));
    dial_t *dial = memory_alloc(sizeof *dial);
    dial->id = id;
    memcpy(dial->key, target->key, KEY_BYTES);
    dial->address = target->address;
    dial->own = own;
    dial->wakes = wakes;
    dial->deadline_ms = now_ms + HANDSHAKE_MS;
    batch_init(&dial->early);
    if (resolve_number(&dial->resolved, dial->address.text, dial->address.port)) {
        dial_next(dial, DIAL_UNRESOLVED);
    }
    return dial;
}

void dial_destroy(dial_t **dial, int linger_ms) {
    ASSERT(dial != NULL && *dial != NULL);
    dial_close(*dial, linger_ms);
    queue_drop(&(*dial)->young);
    queue_drop(&(*dial)->to_do);
    batch_deinit(&(*dial)->early);
    memory_free(*dial);
    *dial = NULL;
}

void dial_resolving(dial_t *dial) {
    ASSERT(dial->state == DIAL_IS_WAITING);
    dial->state = DIAL_IS_RESOLVING;
}

void dial_resolved(dial_t *dial, const resolved_t *resolved) {
    if (dial->state == DIAL_IS_DEAD) {
        return;
    }
    ASSERT(dial->state == DIAL_IS_RESOLVING && dial->attempts == 0);
    dial->resolved = *resolved;
    dial_next(dial, DIAL_UNRESOLVED);
}

static peer_sent_t dial_keep(dial_t *dial, const void *frame, size_t length) {
    size_t bytes_max = PEER_FRAME_BYTES_MAX + EARLY_FRAMES_MAX * sizeof(batch_entry_t);
    if (dial->early_frames == EARLY_FRAMES_MAX || dial->early.length + length > bytes_max) {
        return PEER_FULL;
    }
    dial->early_frames++;
    memcpy(batch_append(&dial->early, FED_SEND, dial->id, 1, length), frame, length);
    return PEER_SENT;
}

peer_sent_t dial_send(dial_t *dial, const void *frame, size_t length) {
    if (dial->state == DIAL_IS_UP) {
        wakes_touch(dial->wakes, &dial->socket_wake);
        return part_send(dial->socket, frame, length, 0);
    }
    return dial->state == DIAL_IS_DEAD ? PEER_GONE : dial_keep(dial, frame, length);
}

static void dial_up(dial_t *dial) {
    dial->state = DIAL_IS_UP;
    dial->went_up = true;
    const batch_entry_t *entry = NULL;
    while ((entry = batch_next(dial->early.bytes, dial->early.length, entry)) != NULL) {
        /* A new pipe has room for all that dial_keep took; if it broke, the monitor will say so. */
        (void)part_send(dial->socket, batch_payload(entry), entry->payload_bytes, 0);
    }
    batch_deinit(&dial->early);
    wakes_touch(dial->wakes, &dial->socket_wake);
}

static void dial_event(dial_t *dial, unsigned event) {
    if (event == ZMQ_EVENT_CONNECTED) {
        dial->connected = true;
    } else if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
        dial_up(dial);
    } else if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) {
        dial_die(dial, DIAL_REJECTED);
    } else if ((event & DIAL_NOT_CONNECTED) != 0 && !dial->connected) {
        dial_next(dial, DIAL_REFUSED);
    } else if ((event & (DIAL_HANDSHAKE_FAILED | ZMQ_EVENT_DISCONNECTED)) != 0) {
        dial_die(dial, dial->state == DIAL_IS_UP ? DIAL_BROKEN : DIAL_WRONG_KEY);
    }
}

/* Reads one event: a frame with its number and value, and one with the endpoint. 0 if there is
 * none. */
static unsigned dial_read_event(dial_t *dial) {
    uint8_t head[6];
    char endpoint[ENDPOINT_BYTES];
    if (zmq_recv(dial->monitor, head, sizeof head, ZMQ_DONTWAIT) != (int)sizeof head) {
        return 0;
    }
    uint16_t event = 0;
    memcpy(&event, head, sizeof event);
    (void)zmq_recv(dial->monitor, endpoint, sizeof endpoint, ZMQ_DONTWAIT);
    return event;
}

void dial_watch(dial_t *dial) {
    unsigned event = 0;
    while (dial->state != DIAL_IS_DEAD && dial->monitor != NULL &&
           (event = dial_read_event(dial)) != 0) {
        dial_event(dial, event);
    }
}

void dial_expire(dial_t *dial, int64_t now_ms) {
    if (dial->state != DIAL_IS_UP && now_ms >= dial->deadline_ms) {
        dial_die(dial, DIAL_TIMEOUT);
    }
}
