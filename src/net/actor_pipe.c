/*
 * Batches to and from the state actor. It must never drop one: what an event loses here, the core
 * would never know.
 */
#include "actor_pipe.h"

#include "peer_socket.h"

#include "base/assert.h"
#include "base/memory.h"
#include "net/handoff.h"

#include <czmq.h>

/* Batches on the way to an actor that is busy, before the peers are no longer read. */
#define ACTOR_BATCHES_MAX 16

bool actor_pipe_init(actor_pipe_t *pipe, const char *to_actor, const char *from_actor) {
    *pipe = (actor_pipe_t){.out = inner_socket_new(ZMQ_PUSH), .in = inner_socket_new(ZMQ_PULL)};
    batch_init(&pipe->batch);
    if (pipe->out == NULL || pipe->in == NULL) {
        return false;
    }
    peer_socket_set(pipe->out, ZMQ_SNDHWM, ACTOR_BATCHES_MAX);
    /* The actor must never wait for us: our queues towards the peers are bounded instead. */
    peer_socket_set(pipe->in, ZMQ_RCVHWM, 0);
    if (zmq_connect(pipe->out, to_actor) != 0 || zmq_bind(pipe->in, from_actor) != 0) {
        return false;
    }
    pipe->bound = from_actor;
    return true;
}

void actor_pipe_deinit(actor_pipe_t *pipe) {
    if (pipe->is_waiting) {
        (void)zmq_msg_close(&pipe->waiting);
    }
    if (pipe->bound != NULL) {
        (void)zmq_unbind(pipe->in, pipe->bound);
    }
    peer_socket_close(&pipe->out, 0);
    peer_socket_close(&pipe->in, 0);
    batch_deinit(&pipe->batch);
}

static void batch_free(void *bytes, void *hint) {
    (void)hint;
    memory_free(bytes);
}

static void actor_pipe_load(actor_pipe_t *pipe) {
    if (pipe->is_waiting || pipe->batch.length == 0) {
        return;
    }
    size_t length = 0;
    char *bytes = batch_take(&pipe->batch, &length);
    handoff_release(bytes);
    int rc = zmq_msg_init_data(&pipe->waiting, bytes, length, batch_free, NULL);
    ASSERT(rc == 0);
    pipe->is_waiting = true;
}

void actor_pipe_flush(actor_pipe_t *pipe) {
    actor_pipe_load(pipe);
    while (pipe->is_waiting && zmq_msg_send(&pipe->waiting, pipe->out, ZMQ_DONTWAIT) >= 0) {
        pipe->is_waiting = false;
        actor_pipe_load(pipe);
    }
}

void actor_pipe_finish(actor_pipe_t *pipe, int timeout_ms) {
    int64_t end_ms = zclock_mono() + timeout_ms;
    actor_pipe_flush(pipe);
    while (pipe->is_waiting && zclock_mono() < end_ms) {
        zmq_pollitem_t item = {.socket = pipe->out, .events = ZMQ_POLLOUT};
        (void)zmq_poll(&item, 1, end_ms - zclock_mono());
        actor_pipe_flush(pipe);
    }
}

bool actor_pipe_take(actor_pipe_t *pipe, zmq_msg_t *message) {
    if (!part_receive(pipe->in, message)) {
        return false;
    }
    handoff_acquire(zmq_msg_data(message));
    return true;
}
