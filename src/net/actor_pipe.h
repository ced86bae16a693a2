/*
 * The federation thread's two sockets to the state actor: batches in, batches out, neither ever
 * blocking. What the actor does not take yet waits here; its owner then stops reading from peers.
 */
#ifndef REALMGATE_NET_ACTOR_PIPE_H
#define REALMGATE_NET_ACTOR_PIPE_H

#include "base/batch.h"

#include <stdbool.h>
#include <zmq.h>

typedef struct actor_pipe {
    void *out;         /* PUSH */
    void *in;          /* PULL */
    const char *bound; /* where `in` is bound; borrowed */
    batch_t batch;     /* filled by the owner in a turn */
    zmq_msg_t waiting; /* handed over, but not taken yet */
    bool is_waiting;
} actor_pipe_t;

/* Connects out, binds in. False if there is no socket left or the endpoint is taken. */
bool actor_pipe_init(actor_pipe_t *pipe, const char *to_actor, const char *from_actor);
void actor_pipe_deinit(actor_pipe_t *pipe);

/* Hands over what is in `batch`, as one message without copying it. */
void actor_pipe_flush(actor_pipe_t *pipe);

/* The same, waiting at most timeout_ms for the actor: for the last batch. */
void actor_pipe_finish(actor_pipe_t *pipe, int timeout_ms);

/* The next batch of the actor: true and an open message that the caller closes, or false. */
bool actor_pipe_take(actor_pipe_t *pipe, zmq_msg_t *message);

#endif
