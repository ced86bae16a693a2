/*
 * Batches to and from the actor. Must never be used by two threads at once.
 */
#include "front_pipe.h"

#include "base/assert.h"
#include "base/memory.h"
#include "net/handoff.h"

#include <errno.h>

static void front_pipe_free(void *bytes, void *hint) {
    (void)hint;
    memory_free(bytes);
}

/* No high water mark: both ends must be able to send without waiting for each other. What bounds
 * the queues are the requests that a connection may have unanswered. */
static void *front_pipe_socket(void *context, int type, int mark_option) {
    int zero = 0;
    void *socket = zmq_socket(context, type);
    if (socket != NULL) {
        ASSERT(zmq_setsockopt(socket, mark_option, &zero, sizeof(zero)) == 0);
        ASSERT(zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof(zero)) == 0);
    }
    return socket;
}

bool front_pipe_open(front_pipe_t *pipe, void *context, const char *to_actor,
                     const char *from_actor) {
    pipe->push = front_pipe_socket(context, ZMQ_PUSH, ZMQ_SNDHWM);
    pipe->pull = front_pipe_socket(context, ZMQ_PULL, ZMQ_RCVHWM);
    size_t fd_bytes = sizeof(pipe->fd);
    if (pipe->push != NULL && pipe->pull != NULL && zmq_bind(pipe->pull, from_actor) == 0 &&
        zmq_connect(pipe->push, to_actor) == 0 &&
        zmq_getsockopt(pipe->pull, ZMQ_FD, &pipe->fd, &fd_bytes) == 0) {
        return true;
    }
    front_pipe_close(pipe);
    return false;
}

void front_pipe_close(front_pipe_t *pipe) {
    if (pipe->push != NULL) {
        (void)zmq_close(pipe->push);
    }
    if (pipe->pull != NULL) {
        (void)zmq_close(pipe->pull);
    }
    *pipe = (front_pipe_t){.fd = -1};
}

bool front_pipe_send(front_pipe_t *pipe, batch_t *batch) {
    size_t length = 0;
    char *bytes = batch_take(batch, &length);
    ASSERT(bytes != NULL && length > 0);
    handoff_release(bytes);
    zmq_msg_t message;
    int rc = zmq_msg_init_data(&message, bytes, length, front_pipe_free, NULL);
    ASSERT(rc == 0); /* it fails only without memory, see base/memory.h */
    int sent = -1;
    do {
        sent = zmq_msg_send(&message, pipe->push, 0);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        return true;
    }
    /* Without a high-water mark only the end of the context refuses it. A front end that stopped
     * for anything else would leave a process that serves nobody and does not end. */
    ASSERT(errno == ETERM);
    (void)zmq_msg_close(&message);
    return false;
}

/* ZMQ_FD signals edges. Receiving until there is nothing more is what re-arms it: only the refused
 * receive has looked through everything that the socket was told. */
pipe_result_t front_pipe_receive(front_pipe_t *pipe, zmq_msg_t *message) {
    ASSERT(zmq_msg_init(message) == 0);
    int received = -1;
    do {
        received = zmq_msg_recv(message, pipe->pull, ZMQ_DONTWAIT);
    } while (received < 0 && errno == EINTR);
    if (received >= 0) {
        handoff_acquire(zmq_msg_data(message));
        return PIPE_BATCH;
    }
    int reason = errno;
    (void)zmq_msg_close(message);
    return reason == EAGAIN ? PIPE_EMPTY : PIPE_CLOSED;
}
