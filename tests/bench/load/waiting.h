/*
 * What a connection's requests have waited for since when, oldest first: requests that began to
 * wait at the same time are kept as one.
 */
#ifndef REALMGATE_BENCH_WAITING_H
#define REALMGATE_BENCH_WAITING_H

#include <stdint.h>

typedef struct waiting_run {
    uint64_t since_ns;
    uint32_t count;
} waiting_run_t;

typedef struct waiting {
    waiting_run_t *runs; /* a ring of `capacity` */
    uint32_t capacity;
    uint32_t first, used;
    uint32_t requests; /* in all runs */
} waiting_t;

/* Room for so many requests. Freed by waiting_deinit(). */
void waiting_init(waiting_t *waiting, uint32_t capacity);
void waiting_deinit(waiting_t *waiting);

/* There must be room for them: `requests` + count is at most `capacity`. */
void waiting_add(waiting_t *waiting, uint64_t since_ns, uint32_t count);

/* Takes up to so many of the oldest that waited since the same time; returns how many, 0 if none
 * waits. */
uint32_t waiting_take(waiting_t *waiting, uint32_t most, uint64_t *since_ns);

#endif
