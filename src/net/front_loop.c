/*
 * The turn of the front end's thread. Must never wait while work is at hand, and never for one
 * connection.
 */
#include "front_loop.h"

#include "base/assert.h"
#include "base/memory.h"
#include "wire/reply.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static int64_t front_clock_ms(void) {
    struct timespec now;
    ASSERT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool front_watch(const front_loop_t *loop, int operation, int fd, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data.u64 = token};
    return fd < 0 || epoll_ctl(loop->epoll_fd, operation, fd, &event) == 0;
}

bool front_loop_init(front_loop_t *loop) {
    table_init(&loop->table);
    list_init(&loop->stalled, LIST_STALLED, CHAIN_OUTPUT);
    list_init(&loop->lingering, LIST_LINGERING, CHAIN_OUTPUT);
    list_init(&loop->nobodys, LIST_NOBODYS, CHAIN_LOGIN);
    guard_init(&loop->guard);
    batch_init(&loop->batch);
    buffer_init(&loop->too_long);
    buffer_init(&loop->busy);
    buffer_init(&loop->login_late);
    reply_write_error(&loop->too_long, CODE_TOO_LONG);
    reply_write_error(&loop->busy, CODE_BUSY);
    reply_write_error(&loop->login_late, CODE_AUTH_REQUIRED);
    loop->scratch = memory_resize(NULL, SCRATCH_BYTES_MAX);
    loop->events = memory_alloc(FRONT_EVENTS_MAX * sizeof(*loop->events));
    loop->pipe_pending = true;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->spare_fd = eventfd(0, EFD_CLOEXEC);
    return loop->epoll_fd >= 0 && loop->spare_fd >= 0 &&
           front_watch(loop, EPOLL_CTL_ADD, loop->pipe.fd, EPOLLIN, TOKEN_PIPE) &&
           front_watch(loop, EPOLL_CTL_ADD, loop->clients.fd, EPOLLIN, TOKEN_CLIENTS) &&
           front_watch(loop, EPOLL_CTL_ADD, loop->admin.fd, EPOLLIN, TOKEN_ADMIN);
}

void front_loop_deinit(front_loop_t *loop) {
    table_deinit(&loop->table);
    work_list_deinit(&loop->readable);
    work_list_deinit(&loop->writable);
    batch_deinit(&loop->batch);
    buffer_deinit(&loop->too_long);
    buffer_deinit(&loop->busy);
    buffer_deinit(&loop->login_late);
    guard_deinit(&loop->guard);
    memory_free(loop->scratch);
    memory_free(loop->events);
    listener_close(&loop->clients);
    listener_close(&loop->admin);
    front_pipe_close(&loop->pipe);
    if (loop->epoll_fd >= 0) {
        (void)close(loop->epoll_fd);
    }
    if (loop->spare_fd >= 0) {
        (void)close(loop->spare_fd);
    }
}

/* All of a connection's edges, told once each: what is at hand is remembered in the connection and
 * in the work lists, so that a pause needs no system call and loses nothing. */
static void front_connection_event(front_loop_t *loop, const struct epoll_event *event) {
    connection_t *connection = table_find(&loop->table, event->data.u64);
    if (connection == NULL) {
        return;
    }
    if ((event->events & EPOLLERR) != 0 && connection->paused) {
        front_close(loop, connection);
        return;
    }
    if ((event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        connection->hung_up = true;
    }
    if ((event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        connection->readable = true;
        front_read_later(loop, connection);
    }
    if ((event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0 && connection->blocked) {
        connection->blocked = false;
        front_write_later(loop, connection);
    }
}

int front_collect(front_loop_t *loop, int timeout_ms) {
    int count = epoll_wait(loop->epoll_fd, loop->events, FRONT_EVENTS_MAX, timeout_ms);
    ASSERT(count >= 0 || errno == EINTR);
    loop->now_ms = front_clock_ms();
    for (int i = 0; i < count; i++) {
        const struct epoll_event *event = &loop->events[i];
        if (event->data.u64 == TOKEN_PIPE) {
            loop->pipe_pending = true;
        } else if (event->data.u64 == TOKEN_CLIENTS) {
            front_accept(loop, &loop->clients);
        } else if (event->data.u64 == TOKEN_ADMIN) {
            front_accept(loop, &loop->admin);
        } else {
            front_connection_event(loop, event);
        }
    }
    return count;
}

static int64_t front_earlier(int64_t deadline_ms, int64_t other_ms) {
    return other_ms < deadline_ms ? other_ms : deadline_ms;
}

/* Until the next deadline; not at all while there is work. */
static int front_timeout_ms(const front_loop_t *loop) {
    if (loop->pipe_pending || loop->readable.count > 0 || loop->writable.count > 0) {
        return 0;
    }
    int64_t deadline_ms = loop->now_ms + FRONT_WAIT_MS_MAX;
    const connection_table_t *table = &loop->table;
    deadline_ms =
        front_earlier(deadline_ms, list_due_ms(table, &loop->stalled, CONNECTION_STALL_MS));
    deadline_ms = front_earlier(deadline_ms, list_due_ms(table, &loop->lingering, FRONT_LINGER_MS));
    if (loop->limits.login_timeout_ms > 0) {
        deadline_ms = front_earlier(
            deadline_ms, list_due_ms(table, &loop->nobodys, loop->limits.login_timeout_ms));
    }
    if (loop->accept_at_ms > 0) {
        deadline_ms = front_earlier(deadline_ms, loop->accept_at_ms);
    }
    if (loop->draining && !loop->drained) {
        deadline_ms = front_earlier(deadline_ms, loop->drain_until_ms);
    }
    return deadline_ms > loop->now_ms ? (int)(deadline_ms - loop->now_ms) : 0;
}

static void front_hand_over(front_loop_t *loop) {
    if (loop->batch.length > 0 && !front_pipe_send(&loop->pipe, &loop->batch)) {
        loop->stopped = true;
    }
}

static void front_turn(front_loop_t *loop) {
    (void)front_collect(loop, front_timeout_ms(loop));
    front_accept_resume(loop);
    front_read_due(loop);
    front_hand_over(loop);
    front_apply_due(loop);
    if (loop->stopped) {
        return;
    }
    front_write_due(loop);
    front_cut_overdue(loop);
    front_guard_overdue(loop);
    front_drain_step(loop);
    front_hand_over(loop);
}

void front_loop_run(front_loop_t *loop) {
    loop->now_ms = front_clock_ms();
    while (!loop->stopped) {
        front_turn(loop);
    }
}
