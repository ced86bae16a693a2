/*
 * Which of many ZeroMQ sockets have something to say, at a cost that grows with those that do and
 * not with those there are.
 *
 * libzmq wakes by a descriptor (ZMQ_FD) that can be read while commands wait for the socket: that
 * a message came, that there is room again. Any call on the socket takes them, a send no less than
 * a receive, and from then on the descriptor is silent about them. So each socket is looked at
 * (wake_events) when its descriptor woke us, and again whenever it was called for another reason:
 * wakes_touch after each send, and after receiving without coming to the end.
 *
 * All functions: the one thread that owns the sockets; only wakes_wait blocks.
 */
#ifndef REALMGATE_NET_WAKES_H
#define REALMGATE_NET_WAKES_H

#include "queue.h"

#include <stdbool.h>

typedef struct wake {
    void *socket;   /* NULL: a plain descriptor, or nothing */
    int descriptor; /* valid while it is watched */
    bool is_watched;
    int kind; /* the owner's, as given */
    void *owner;
    queue_place_t due;      /* to be looked at */
    queue_place_t readable; /* for the owner; left by wakes_remove */
} wake_t;

typedef struct wakes {
    int epoll; /* -1: none */
    queue_t due;
} wakes_t;

/* False if there is no descriptor left. wakes_deinit is fine all the same. */
bool wakes_init(wakes_t *wakes);
void wakes_deinit(wakes_t *wakes);

/* Watches a socket, or a plain descriptor; `wake` is zeroed memory that stays where it is until
 * wakes_remove. It is looked at at once. False if the kernel has no room. */
bool wakes_add(wakes_t *wakes, wake_t *wake, void *socket, int kind, void *owner);
bool wakes_add_descriptor(wakes_t *wakes, wake_t *wake, int descriptor, int kind);

/* Must come before the socket is closed. One that is not watched is fine. */
void wakes_remove(wakes_t *wakes, wake_t *wake);

/* Makes it due. One that is not watched is passed over. */
void wakes_touch(wakes_t *wakes, wake_t *wake);

/* Waits until a watched one says something, at most timeout_ms (-1: for ever); not at all if one is
 * due already. What said something is due. */
void wakes_wait(wakes_t *wakes, int timeout_ms);

/* The next one that is due, in the order in which they became so; NULL if none is. It is not due
 * any more: look at it. */
wake_t *wakes_next(wakes_t *wakes);

/* What can be done with its socket now: ZMQ_POLLIN, ZMQ_POLLOUT. Silences the descriptor. */
int wake_events(const wake_t *wake);

#endif
