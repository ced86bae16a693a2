/*
 * The histogram. Must never forget a value: one out of its range is counted at the range's end, so
 * that the slowest requests are always among those that percentiles speak of.
 */
#include "histogram.h"

#include <stddef.h>

/* The bucket of a value: 0 up to 2047, then one for each power of two. */
static unsigned bucket_of(uint64_t value) {
    unsigned bits = 64U - (unsigned)__builtin_clzll(value | (2 * HISTOGRAM_HALF - 1));
    return bits - (HISTOGRAM_HALF_BITS + 1);
}

/* The lower half of each bucket but the first is the whole of the one before, and has no place. */
static size_t place_of(uint64_t value) {
    unsigned bucket = bucket_of(value);
    return ((size_t)bucket << HISTOGRAM_HALF_BITS) + (size_t)(value >> bucket);
}

static uint64_t value_of(size_t place, unsigned *bucket) {
    *bucket = place < HISTOGRAM_HALF ? 0 : (unsigned)(place >> HISTOGRAM_HALF_BITS) - 1;
    return (uint64_t)(place - ((size_t)*bucket << HISTOGRAM_HALF_BITS)) << *bucket;
}

static uint64_t greatest_like(uint64_t value) {
    unsigned bucket = bucket_of(value);
    return (((value >> bucket) + 1) << bucket) - 1;
}

void histogram_add(histogram_t *histogram, uint64_t value, uint64_t times) {
    if (value > HISTOGRAM_VALUE_MAX)
        value = HISTOGRAM_VALUE_MAX;
    if (value > histogram->greatest && times > 0)
        histogram->greatest = value;
    histogram->counts[place_of(value)] += times;
    histogram->count += times;
}

uint64_t histogram_percentile(const histogram_t *histogram, double percent) {
    uint64_t wanted = (uint64_t)(percent / 100.0 * (double)histogram->count + 0.5);
    if (wanted == 0)
        wanted = 1;
    uint64_t seen = 0;
    for (size_t place = 0; place < HISTOGRAM_COUNTS; place++) {
        seen += histogram->counts[place];
        if (seen >= wanted) {
            unsigned bucket = 0;
            return greatest_like(value_of(place, &bucket));
        }
    }
    return 0;
}

uint64_t histogram_max(const histogram_t *histogram) {
    return histogram->count > 0 ? greatest_like(histogram->greatest) : 0;
}

double histogram_mean(const histogram_t *histogram) {
    if (histogram->count == 0)
        return 0;
    double sum = 0;
    for (size_t place = 0; place < HISTOGRAM_COUNTS; place++) {
        unsigned bucket = 0;
        uint64_t middle = value_of(place, &bucket) + ((1ULL << bucket) >> 1);
        sum += (double)histogram->counts[place] * (double)middle;
    }
    return sum / (double)histogram->count;
}
