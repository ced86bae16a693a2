/*
 * The front end's thread: everything that it owns, and the steps of its turn. Private to the files
 * front_*.c; nothing here may be touched by another thread while front_loop_run runs.
 *
 * A turn: wait for events, read and frame, hand one batch to the actor, apply the batches that the
 * actor has answered, send each touched connection's output once.
 */
#ifndef REALMGATE_NET_FRONT_LOOP_H
#define REALMGATE_NET_FRONT_LOOP_H

#include "connection_table.h"
#include "front_pipe.h"
#include "guard.h"
#include "listener.h"
#include "types/counters.h"
#include "types/settings.h"
#include "work_list.h"

#include <sys/epoll.h>

#define FRONT_EVENTS_MAX       1024
#define FRONT_ACCEPTS_PER_TURN 64
#define FRONT_BATCHES_PER_TURN 16
#define FRONT_LINGER_MS        1000
#define FRONT_ACCEPT_PAUSE_MS  100
#define FRONT_WAIT_MS_MAX      60000

/* What epoll hands back: a connection's handle, or one of these, which are no handles because
 * generations start at 1. */
enum { TOKEN_PIPE = 1, TOKEN_CLIENTS, TOKEN_ADMIN };

typedef struct front_loop {
    int epoll_fd;
    int spare_fd; /* given up to accept and refuse a connection when descriptors have run out */
    listener_t clients;
    listener_t admin;
    front_pipe_t pipe;
    bool pipe_pending; /* the pipe was not read to its end */
    connection_table_t table;
    work_list_t readable;
    work_list_t writable;
    connection_list_t stalled;   /* output waits and the socket takes none */
    connection_list_t lingering; /* CONNECTION_LINGERS */
    connection_list_t nobodys;   /* no user's: these have login_timeout_ms */
    guard_t guard;
    front_counters_t counters; /* for FRONT_COUNTERS */
    bool counted;              /* they have changed since */
    batch_t batch;             /* to the actor */
    char *scratch;             /* SCRATCH_BYTES_MAX, all reads go through it */
    struct epoll_event *events;
    const uint64_t *listeners; /* of the newest FRONT_NEWS in the batch that is applied */
    uint32_t listener_count;
    front_limits_t limits;
    buffer_t too_long; /* the frames of our own refusals */
    buffer_t busy;
    buffer_t login_late;
    int64_t now_ms;         /* at the start of the turn */
    int64_t accept_at_ms;   /* when accepting goes on; 0: it goes on */
    int64_t drain_until_ms; /* when draining: what is not sent by then is cut */
    bool draining;
    bool drained; /* FRONT_DRAINED is in the batch or sent */
    bool stopped;
} front_loop_t;

/* Takes over listeners and pipe, which are open. False if the system has no descriptors for it. */
bool front_loop_init(front_loop_t *loop);
void front_loop_deinit(front_loop_t *loop);

/* Turns until FRONT_STOP or until the context ends. */
void front_loop_run(front_loop_t *loop);

/* Sets what epoll tells of a listener or of the pipe; operation as of epoll_ctl. Nothing to do for
 * a closed one. */
bool front_watch(const front_loop_t *loop, int operation, int fd, uint32_t events, uint64_t token);

/* Asks epoll and notes what it tells; returns the number of events. */
int front_collect(front_loop_t *loop, int timeout_ms);

/* front_accept.c */
void front_accept(front_loop_t *loop, const listener_t *listener);
void front_accept_resume(front_loop_t *loop);

/* front_read.c: reads and frames whatever is due, as far as the batch has room */
void front_read_due(front_loop_t *loop);
void front_read_later(front_loop_t *loop, connection_t *connection);

/* front_guard.c: limits of addresses, requests and logins */
bool front_guard_admit(front_loop_t *loop, const struct sockaddr_storage *address,
                       uint32_t *visitor);
static inline bool front_guard_limits(const front_loop_t *loop) { /* any request at all? */
    const front_limits_t *limits = &loop->limits;
    return limits->request_rate_connection.per_minute + limits->request_rate.per_minute > 0;
}
bool front_guard_request(front_loop_t *loop, connection_t *connection);
void front_guard_binding(front_loop_t *loop, connection_t *connection, uint64_t flags);
void front_guard_overdue(front_loop_t *loop);
void front_guard_count(front_loop_t *loop, uint64_t *counter);
void front_guard_tell(front_loop_t *loop);

/* front_write.c: the actor's batches, and output */
void front_apply_due(front_loop_t *loop);
void front_write_due(front_loop_t *loop);
void front_write_later(front_loop_t *loop, connection_t *connection);
void front_cut_overdue(front_loop_t *loop);

/* Closes at once; the actor hears of it if it knew the connection. */
void front_close(front_loop_t *loop, connection_t *connection);

/* front_news.c */
void front_apply_news(front_loop_t *loop, const batch_entry_t *entry);

/* front_drain.c */
void front_drain_begin(front_loop_t *loop);
void front_drain_step(front_loop_t *loop);

#endif
