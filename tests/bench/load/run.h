/*
 * The measured part: requests, their replies, and how long each waited.
 */
#ifndef REALMGATE_BENCH_RUN_H
#define REALMGATE_BENCH_RUN_H

#include "connection.h"
#include "histogram.h"

typedef struct run_result {
    uint64_t requests; /* that began to wait in the measured time, and were answered */
    uint64_t errors;   /* replies that hold the error, and requests without a reply */
    double seconds;    /* from the beginning of the measured time to the last of those replies */
    uint64_t bytes_in, bytes_out;
    histogram_t histogram; /* ns; what got no reply counts with the time that it waited */
} run_result_t;

/* Puts the load on the connections that are ready.
 *
 * Closed loop: a connection asks again when half of its requests are answered; a request waits from
 * when it is handed to the socket. Open loop (--rate): requests are due at fixed times, whatever
 * the server does, and wait from when they were due; one that finds no room in any connection's
 * pipeline waits for it, and that time counts.
 *
 * What waits from before the end of --warm-up is not counted. After the end nothing new is asked;
 * what still waits is waited for until nothing has come for 5 s (or --timeout, if that is less).
 * Blocks. */
void run_load(load_t *load, run_result_t *result);

#endif
