/*
 * Starting threads. Must never let one begin with a signal that it could take away from another.
 */
#include "base/thread.h"

#include "base/assert.h"

#include <signal.h>

bool thread_start(pthread_t *thread, void *(*run)(void *), void *argument) {
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    ASSERT(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    int failed = pthread_create(thread, NULL, run, argument);
    ASSERT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    return failed == 0;
}
