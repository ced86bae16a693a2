/*
 * Marks where a batch passes from one thread to another through a ZeroMQ message, for the thread
 * sanitizer only: libzmq is not built with it, so the sanitizer cannot see that the message orders
 * the two threads. In all other builds both are nothing.
 */
#ifndef REALMGATE_NET_HANDOFF_H
#define REALMGATE_NET_HANDOFF_H

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

/* The sender, after its last write to the block and before it sends it without a copy. */
static inline void handoff_release(void *block) {
#ifdef __SANITIZE_THREAD__
    __tsan_release(block);
#else
    (void)block;
#endif
}

/* The receiver, with the message's data and before it reads any of it. */
static inline void handoff_acquire(void *block) {
#ifdef __SANITIZE_THREAD__
    __tsan_acquire(block);
#else
    (void)block;
#endif
}

#endif
