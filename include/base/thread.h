/*
 * Threads that leave signals to the thread that waits for them.
 */
#ifndef REALMGATE_BASE_THREAD_H
#define REALMGATE_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/* Starts a thread with all signals blocked; those of the caller stay as they are. The caller joins
 * it. False if the system gives none. */
bool thread_start(pthread_t *thread, void *(*run)(void *), void *argument);

#endif
