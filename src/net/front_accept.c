/*
 * New connections, and the refusal of those that are too many. Must never spin on a connection
 * that cannot be accepted, nor accept without end while others wait.
 */
#include "front_loop.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Edges, once and for all kinds: see front_connection_event. */
#define CONNECTION_EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

static void front_accept_watch(const front_loop_t *loop, uint32_t events) {
    (void)front_watch(loop, EPOLL_CTL_MOD, loop->clients.fd, events, TOKEN_CLIENTS);
    (void)front_watch(loop, EPOLL_CTL_MOD, loop->admin.fd, events, TOKEN_ADMIN);
}

/* The queue stays full while nothing can be accepted: looking away for a moment is what keeps the
 * loop from spinning on it. */
static void front_accept_pause(front_loop_t *loop) {
    loop->accept_at_ms = loop->now_ms + FRONT_ACCEPT_PAUSE_MS;
    front_accept_watch(loop, 0);
}

void front_accept_resume(front_loop_t *loop) {
    if (loop->accept_at_ms == 0 || loop->now_ms < loop->accept_at_ms) {
        return;
    }
    loop->accept_at_ms = 0;
    if (loop->spare_fd < 0) {
        loop->spare_fd = eventfd(0, EFD_CLOEXEC);
    }
    front_accept_watch(loop, EPOLLIN);
}

/* Whether there is room for it; else it is refused. */
static bool front_accept_admit(front_loop_t *loop, const listener_t *listener, int fd,
                               const struct sockaddr_storage *address, uint32_t *visitor) {
    *visitor = NO_VISITOR;
    if (listener->admin) {
        return true;
    }
    bool full = loop->table.count >= loop->limits.connections_max;
    if (full) {
        front_guard_count(loop, &loop->counters.refused_full);
    }
    if (full || !front_guard_admit(loop, address, visitor)) {
        listener_refuse(fd, loop->busy.bytes, loop->busy.length);
        return false;
    }
    return true;
}

static void front_accept_add(front_loop_t *loop, const listener_t *listener, int fd,
                             const struct sockaddr_storage *address) {
    uint32_t visitor;
    if (!front_accept_admit(loop, listener, fd, address, &visitor)) {
        return;
    }
    connection_t *connection = table_add(&loop->table, fd, listener->admin);
    connection->visitor = visitor;
    if (!listener->admin) {
        list_touch(&loop->table, &loop->nobodys, connection, loop->now_ms);
    }
    loop->counters.connections = loop->table.count;
    front_guard_count(loop, &loop->counters.accepted);
    struct epoll_event event = {.events = CONNECTION_EVENTS,
                                .data.u64 = table_handle(&loop->table, connection)};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        (void)send(fd, loop->busy.bytes, loop->busy.length, MSG_NOSIGNAL);
        front_close(loop, connection);
    }
}

/* Descriptors have run out: one is given up for as long as it takes to refuse one client. */
static accepted_t front_accept_refuse(front_loop_t *loop, const listener_t *listener) {
    if (loop->spare_fd < 0) {
        return ACCEPT_FAILED;
    }
    (void)close(loop->spare_fd);
    int fd = -1;
    struct sockaddr_storage address;
    accepted_t accepted = listener_accept(listener, &fd, &address);
    if (accepted == ACCEPTED) {
        front_guard_count(loop, &loop->counters.refused_full);
        listener_refuse(fd, loop->busy.bytes, loop->busy.length);
    }
    loop->spare_fd = eventfd(0, EFD_CLOEXEC);
    return loop->spare_fd >= 0 ? accepted : ACCEPT_FAILED;
}

void front_accept(front_loop_t *loop, const listener_t *listener) {
    for (int i = 0; i < FRONT_ACCEPTS_PER_TURN && listener->fd >= 0; i++) {
        int fd = -1;
        struct sockaddr_storage address;
        accepted_t accepted = listener_accept(listener, &fd, &address);
        if (accepted == ACCEPTED) {
            front_accept_add(loop, listener, fd, &address);
        } else if (accepted == ACCEPT_DESCRIPTORS) {
            accepted = front_accept_refuse(loop, listener);
        }
        if (accepted == ACCEPT_NONE) {
            return;
        }
        if (accepted == ACCEPT_FAILED || accepted == ACCEPT_DESCRIPTORS) {
            front_accept_pause(loop);
            return;
        }
    }
}
