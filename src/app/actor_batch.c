/*
 * A batch as one inproc message. Must never block.
 */
#include "app/actor.h"

#include "base/assert.h"
#include "base/memory.h"
#include "net/handoff.h"

#include <errno.h>
#include <zmq.h>

/* So many entries are announced in front of the one that is taken: their fetches from memory go on
 * side by side, and while others are stepped. */
#define EXPECTED_ENTRIES 16

static void batch_free(void *bytes, void *hint) {
    (void)hint;
    memory_free(bytes);
}

void actor_batch_send(void *socket, batch_t *batch) {
    if (batch->length == 0) {
        return;
    }
    zmq_msg_t message;
    size_t length = 0;
    char *bytes = batch_take(batch, &length);
    handoff_release(bytes);
    ASSERT(zmq_msg_init_data(&message, bytes, length, batch_free, NULL) == 0);
    int sent;
    do {
        /* The pipe has no high-water mark: what waits in it is bounded by what was asked for. */
        sent = zmq_msg_send(&message, socket, ZMQ_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    ASSERT(sent >= 0);
}

static bool message_receive(zmq_msg_t *message, void *socket) {
    int got;
    do {
        got = zmq_msg_recv(message, socket, ZMQ_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    ASSERT(got >= 0 || errno == EAGAIN);
    return got >= 0;
}

/* Announces the next `count` entries; returns the last of them. */
static const batch_entry_t *entries_expect(actor_t *actor, const void *bytes, size_t length,
                                           const batch_entry_t *last, size_t count,
                                           actor_entry_fn *expect) {
    const batch_entry_t *entry = last;
    while (count > 0 && (entry = batch_next(bytes, length, entry)) != NULL) {
        expect(actor, entry);
        last = entry;
        count--;
    }
    return last;
}

static size_t message_take(actor_t *actor, zmq_msg_t *message, actor_entry_fn *take,
                           actor_entry_fn *expect) {
    const void *bytes = zmq_msg_data(message);
    size_t length = zmq_msg_size(message);
    size_t entries = 0;
    const batch_entry_t *entry = NULL;
    const batch_entry_t *expected = NULL;
    handoff_acquire(zmq_msg_data(message));
    while ((entry = batch_next(bytes, length, entry)) != NULL) {
        if (expect != NULL) {
            size_t more = entries == 0 ? EXPECTED_ENTRIES : 1;
            expected = entries_expect(actor, bytes, length, expected, more, expect);
        }
        take(actor, entry);
        entries++;
    }
    return entries;
}

size_t actor_batch_receive(actor_t *actor, inlet_t *inlet, actor_entry_fn *take,
                           actor_entry_fn *expect) {
    size_t bytes = 0;
    size_t entries = 0;
    while (inlet->pending && bytes < BATCH_BYTES_MAX) {
        zmq_msg_t message;
        (void)zmq_msg_init(&message);
        inlet->pending = message_receive(&message, inlet->socket);
        if (inlet->pending) {
            bytes += zmq_msg_size(&message);
            entries += message_take(actor, &message, take, expect);
        }
        (void)zmq_msg_close(&message);
    }
    return entries;
}
