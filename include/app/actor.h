/*
 * The state actor's loop: batches in, events through the core, one commit, effects out. It never
 * waits for a client or a peer. See architecture.md: bytes -> request -> state -> store -> reply.
 */
#ifndef REALMGATE_APP_ACTOR_H
#define REALMGATE_APP_ACTOR_H

#include "app/config_reload.h"
#include "app/engine.h"
#include "app/exit_code.h"
#include "app/passwords.h"
#include "base/batch.h"

/* Where the threads meet. */
#define ACTOR_FROM_FRONT      "inproc://actor-from-front"
#define ACTOR_TO_FRONT        "inproc://actor-to-front"
#define ACTOR_FROM_FEDERATION "inproc://actor-from-federation"
#define ACTOR_TO_FEDERATION   "inproc://actor-to-federation"

typedef enum actor_phase {
    ACTOR_SERVING,
    ACTOR_DRAINING, /* asked to stop: what was received is still answered */
    ACTOR_FAILED,   /* the store failed: everything is answered STORE, nothing is stepped */
    ACTOR_ENDED,
} actor_phase_t;

/* Replies on their way into the batch: those to `first` and to the slots right behind it. */
typedef struct answers {
    ticket_t first;
    uint64_t flags;
    uint32_t count;
    buffer_t frames;
} answers_t;

/* A socket that batches come in by. */
typedef struct inlet {
    void *socket;
    int fd;       /* readable when something may have come in: edges, see front_pipe_receive */
    bool pending; /* it was not read to its end */
} inlet_t;

/* Only actor*.c look inside. */
typedef struct actor {
    engine_t *engine; /* borrowed from actor_begin on */
    actor_phase_t phase;
    int64_t deadline_us; /* uptime at which a drain is given up */
    int signals;         /* signalfd, borrowed; -1 for none */
    bool signalled;      /* it has something to read */
    int stop_count;      /* how often we were asked to stop */
    inlet_t from_front, from_federation;
    inlet_t from_pool; /* borrowed from the pool */
    void *to_front, *to_federation;
    password_pool_t *pool;
    batch_t replies;         /* for the front end */
    batch_t sends;           /* for the federation */
    answers_t answers;       /* the newest, not in `replies` yet */
    buffer_t frame;          /* scratch for one outgoing frame */
    arena_t arena;           /* scratch for one incoming peer message */
    reload_t *reload;        /* borrowed; the owner sets it before actor_run */
    bool reload_asked;       /* SIGHUP came */
    int64_t alive_ms;        /* how often the service manager wants a word, 0 = never */
    int64_t alive_due_us;    /* uptime */
    bool front_drained;      /* FRONT_DRAINED came */
    bool federation_stopped; /* FED_STOPPED came */
} actor_t;

/* Binds the sockets that others connect to and starts the password workers. `signals` is a signalfd
 * for SIGINT, SIGTERM, SIGHUP. The calling thread is the actor's from now on. False if the system
 * gives no threads; actor_deinit then as ever. */
bool actor_init(actor_t *actor, void *context, int signals);
void actor_deinit(actor_t *actor);

/* Steps EVENT_START and everything that follows from it without the outside world: before clients
 * come in. EXIT_RUNTIME and a sentence if the store fails. */
exit_code_t actor_begin(actor_t *actor, engine_t *engine, problem_t *problem);

/* Runs until a signal or a failing store ends it. Then everything that was acknowledged is on the
 * disk and the front end has been told to stop. */
exit_code_t actor_run(actor_t *actor);

/* Tells the federation to stop and waits, with a bound, until it has given away what it was handed.
 * Whoever started a federation has to call this before federation_destroy. */
void actor_stop_federation(actor_t *actor);

/* actor_requests.c: the front end's side. */
size_t actor_take_requests(actor_t *actor); /* returns the number of events stepped */
void actor_put_replies(actor_t *actor);     /* and the news between them */
void actor_refuse_replies(actor_t *actor);  /* the commit failed */
void actor_send_replies(actor_t *actor);    /* one batch to the front end */
void actor_tell_front(actor_t *actor, uint32_t kind);

/* actor_reload.c: after SIGHUP; returns the number of events stepped. May block on the disk. */
size_t actor_take_reload(actor_t *actor);

/* actor_peers.c: the federation's side. */
size_t actor_take_frames(actor_t *actor);
void actor_put_keys(actor_t *actor); /* who may enter */
void actor_put_sends(actor_t *actor);
void actor_put_dials(actor_t *actor); /* whom to call, whom to hang up on */
void actor_send_sends(actor_t *actor);

/* actor_batch.c: a batch as one inproc message. */
void actor_batch_send(void *socket, batch_t *batch); /* leaves the batch empty; never blocks */
typedef void actor_entry_fn(actor_t *actor, const batch_entry_t *entry);
/* Receives the batches that are there, up to BATCH_BYTES_MAX in all, and calls `take` for each
 * entry. `expect`, unless it is NULL, is called for each of some entries before those are taken. */
size_t actor_batch_receive(actor_t *actor, inlet_t *inlet, actor_entry_fn *take,
                           actor_entry_fn *expect);

#endif
