/*
 * A batch as one inproc message. Must never block.
 */
#include "app/actor.h"

#include "base/assert.h"
#include "base/memory.h"
#include "net/handoff.h"

#include <errno.h>
#include <zmq.h>

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

size_t actor_batch_receive(actor_t *actor, void *socket, actor_entry_fn *take) {
    size_t bytes = 0;
    size_t entries = 0;
    bool received = true;
    while (received && bytes < BATCH_BYTES_MAX) {
        zmq_msg_t message;
        (void)zmq_msg_init(&message);
        received = message_receive(&message, socket);
        if (received) {
            const batch_entry_t *entry = NULL;
            handoff_acquire(zmq_msg_data(&message));
            bytes += zmq_msg_size(&message);
            while ((entry = batch_next(zmq_msg_data(&message), zmq_msg_size(&message), entry)) !=
                   NULL) {
                take(actor, entry);
                entries++;
            }
        }
        (void)zmq_msg_close(&message);
    }
    return entries;
}
