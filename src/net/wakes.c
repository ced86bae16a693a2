/*
 * An epoll set over the descriptors of ZeroMQ sockets. It must never lose a wake: what it once said
 * is due until its owner looks at it.
 */
#include "wakes.h"

#include "base/assert.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <zmq.h>

enum { EVENTS_PER_WAIT = 64 };

bool wakes_init(wakes_t *wakes) {
    *wakes = (wakes_t){.epoll = epoll_create1(EPOLL_CLOEXEC)};
    return wakes->epoll >= 0;
}

void wakes_deinit(wakes_t *wakes) {
    if (wakes->epoll >= 0) {
        (void)close(wakes->epoll);
    }
    wakes->epoll = -1;
}

static bool wake_watch(wakes_t *wakes, wake_t *wake) {
    /* Not EPOLLET: a descriptor that somebody forgot to silence tells so by a busy loop, and not by
     * a peer that is never heard again. */
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = wake};
    wake->is_watched = epoll_ctl(wakes->epoll, EPOLL_CTL_ADD, wake->descriptor, &event) == 0;
    wakes_touch(wakes, wake);
    return wake->is_watched;
}

bool wakes_add(wakes_t *wakes, wake_t *wake, void *socket, int kind, void *owner) {
    ASSERT(socket != NULL && !wake->is_watched);
    *wake = (wake_t){.socket = socket, .kind = kind, .owner = owner};
    size_t bytes = sizeof wake->descriptor;
    int rc = zmq_getsockopt(socket, ZMQ_FD, &wake->descriptor, &bytes);
    ASSERT(rc == 0);
    return wake_watch(wakes, wake);
}

bool wakes_add_descriptor(wakes_t *wakes, wake_t *wake, int descriptor, int kind) {
    ASSERT(descriptor >= 0 && !wake->is_watched);
    *wake = (wake_t){.descriptor = descriptor, .kind = kind};
    return wake_watch(wakes, wake);
}

void wakes_remove(wakes_t *wakes, wake_t *wake) {
    queue_drop(&wake->due);
    queue_drop(&wake->readable);
    if (wake->is_watched) {
        /* If that fails, closing the socket takes its descriptor out of the set. */
        (void)epoll_ctl(wakes->epoll, EPOLL_CTL_DEL, wake->descriptor, NULL);
    }
    wake->is_watched = false;
}

void wakes_touch(wakes_t *wakes, wake_t *wake) {
    if (wake->is_watched) {
        queue_add(&wakes->due, &wake->due, wake);
    }
}

void wakes_wait(wakes_t *wakes, int timeout_ms) {
    struct epoll_event events[EVENTS_PER_WAIT];
    bool is_due = queue_first(&wakes->due) != NULL;
    int count = epoll_wait(wakes->epoll, events, EVENTS_PER_WAIT, is_due ? 0 : timeout_ms);
    ASSERT(count >= 0 || errno == EINTR);
    for (int i = 0; i < count; i++) {
        wakes_touch(wakes, events[i].data.ptr);
    }
}

wake_t *wakes_next(wakes_t *wakes) {
    wake_t *wake = queue_first(&wakes->due);
    if (wake != NULL) {
        queue_drop(&wake->due);
    }
    return wake;
}

int wake_events(const wake_t *wake) {
    int events = 0;
    size_t bytes = sizeof events;
    int rc = zmq_getsockopt(wake->socket, ZMQ_EVENTS, &events, &bytes);
    ASSERT(rc == 0);
    return events;
}
