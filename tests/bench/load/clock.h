/*
 * The one clock of a measurement: monotonic, in nanoseconds.
 */
#ifndef REALMGATE_BENCH_CLOCK_H
#define REALMGATE_BENCH_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CLOCK_NS_PER_S 1000000000ULL

static inline uint64_t clock_now_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* A span of time as it is given on a command line. Not negative. */
static inline uint64_t clock_ns_of(double seconds) {
    return (uint64_t)(seconds * (double)CLOCK_NS_PER_S);
}

#endif
