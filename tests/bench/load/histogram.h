/*
 * Latencies by the rules of HdrHistogram: buckets that double in width, each of 1024 equal steps,
 * so that every value from 1 ns to 100 s is kept to three significant digits, in a fixed room and
 * in a few instructions a value.
 */
#ifndef REALMGATE_BENCH_HISTOGRAM_H
#define REALMGATE_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_VALUE_MAX 100000000000ULL /* 100 s */
#define HISTOGRAM_HALF_BITS 10
#define HISTOGRAM_HALF      (1U << HISTOGRAM_HALF_BITS)
#define HISTOGRAM_BUCKETS   27 /* 2048 << 26 is the first power that holds the greatest value */
#define HISTOGRAM_COUNTS    ((HISTOGRAM_BUCKETS + 1U) * HISTOGRAM_HALF)

typedef struct histogram {
    uint64_t count;
    uint64_t greatest; /* of the values as they were given, 0 if there is none */
    uint64_t counts[HISTOGRAM_COUNTS];
} histogram_t;

/* Adds a value so many times. What is greater than the range counts as its end. */
void histogram_add(histogram_t *histogram, uint64_t value, uint64_t times);

/* The least value that this share of all values does not exceed, 0 < percent <= 100: of the values
 * that the histogram cannot tell apart, the greatest. 0 if it is empty. */
uint64_t histogram_percentile(const histogram_t *histogram, double percent);

/* The greatest value, as a percentile tells it. */
uint64_t histogram_max(const histogram_t *histogram);

/* The mean, each value taken for the middle of those that cannot be told from it. 0 if empty. */
double histogram_mean(const histogram_t *histogram);

#endif
