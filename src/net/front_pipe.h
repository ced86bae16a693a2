/*
 * The two inproc sockets between the front end and the actor.
 */
#ifndef REALMGATE_NET_FRONT_PIPE_H
#define REALMGATE_NET_FRONT_PIPE_H

#include "base/batch.h"

#include <stdbool.h>
#include <zmq.h>

typedef struct front_pipe {
    void *push;
    void *pull;
    int fd; /* readable when something may have come in */
} front_pipe_t;

typedef enum pipe_result { PIPE_BATCH, PIPE_EMPTY, PIPE_CLOSED } pipe_result_t;

/* Binds from_actor and connects to_actor. False if one of them is refused. */
bool front_pipe_open(front_pipe_t *pipe, void *context, const char *to_actor,
                     const char *from_actor);
void front_pipe_close(front_pipe_t *pipe);

/* Hands the batch over without a copy and leaves it empty; never blocks on a full queue, since
 * there is no limit to it. False if the context is ending. */
bool front_pipe_send(front_pipe_t *pipe, batch_t *batch);

/* PIPE_BATCH: one batch is in `message`, the caller closes it. PIPE_EMPTY: `fd` tells of the next
 * one; whoever stopped before PIPE_EMPTY must come back without waiting for `fd`. PIPE_CLOSED: the
 * context is ending. */
pipe_result_t front_pipe_receive(front_pipe_t *pipe, zmq_msg_t *message);

#endif
