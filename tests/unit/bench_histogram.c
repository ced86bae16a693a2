/* links: base; sources: bench/load/bytes.c bench/load/histogram.c bench/load/waiting.c */
/*
 * The generator's histogram keeps HdrHistogram's rules, and what waits is counted from when it was
 * due.
 */
#include "../bench/load/histogram.h"
#include "../bench/load/waiting.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#define MS_NS 1000000ULL

static histogram_t histogram;

static void prepare(void) {
    memset(&histogram, 0, sizeof(histogram));
}

TestSuite(histogram, .init = prepare);

Test(histogram, nothing_is_zero) {
    cr_assert_eq(histogram_percentile(&histogram, 50), 0);
    cr_assert_eq(histogram_max(&histogram), 0);
    cr_assert_float_eq(histogram_mean(&histogram), 0, 0);
}

Test(histogram, small_values_are_exact) {
    for (uint64_t value = 1; value <= 2000; value++)
        histogram_add(&histogram, value, 1);
    cr_assert_eq(histogram.count, 2000);
    cr_assert_eq(histogram_percentile(&histogram, 50), 1000);
    cr_assert_eq(histogram_percentile(&histogram, 99), 1980);
    cr_assert_eq(histogram_percentile(&histogram, 99.9), 1998);
    cr_assert_eq(histogram_percentile(&histogram, 100), 2000);
    cr_assert_eq(histogram_percentile(&histogram, 0.0001), 1);
    cr_assert_eq(histogram_max(&histogram), 2000);
    cr_assert_float_eq(histogram_mean(&histogram), 1000.5, 1e-9);
}

/* A percentile is the greatest value that cannot be told from the real one: never less than it, and
 * never more than a thousandth above. */
static void check_one(uint64_t value) {
    prepare();
    histogram_add(&histogram, value, 1);
    uint64_t told = histogram_percentile(&histogram, 50);
    cr_assert(told >= value && (double)(told - value) <= (double)value * 1e-3,
              "%llu is told as %llu", (unsigned long long)value, (unsigned long long)told);
    cr_assert_eq(histogram_max(&histogram), told);
    cr_assert(fabs(histogram_mean(&histogram) - (double)value) <= (double)value * 1e-3);

    /* The next value is either told as the same, or the two are told apart. */
    prepare();
    histogram_add(&histogram, told, 1);
    cr_assert_eq(histogram_percentile(&histogram, 50), told);
    if (told < HISTOGRAM_VALUE_MAX) {
        prepare();
        histogram_add(&histogram, told + 1, 1);
        cr_assert_gt(histogram_percentile(&histogram, 50), told);
    }
}

Test(histogram, every_size_is_kept_to_three_digits) {
    for (uint64_t power = 1; power < HISTOGRAM_VALUE_MAX; power *= 2) {
        check_one(power);
        check_one(power + power / 3);
        check_one(power * 2 - 1 < HISTOGRAM_VALUE_MAX ? power * 2 - 1 : power);
    }
    check_one(HISTOGRAM_VALUE_MAX);
}

/* Figures of HdrHistogram itself, with three digits and 100 s. */
Test(histogram, agrees_with_hdrhistogram) {
    for (uint64_t i = 0; i < 10000; i++)
        histogram_add(&histogram, 1000, 1);
    histogram_add(&histogram, 100000000, 1);
    cr_assert_eq(histogram_percentile(&histogram, 30), 1000);
    cr_assert_eq(histogram_percentile(&histogram, 99.99), 1000);
    cr_assert_eq(histogram_percentile(&histogram, 99.999), 100007935);
    cr_assert_eq(histogram_max(&histogram), 100007935);
}

Test(histogram, what_is_out_of_range_is_not_lost) {
    histogram_add(&histogram, 0, 1);
    histogram_add(&histogram, UINT64_MAX, 2);
    histogram_add(&histogram, 7, 0);
    cr_assert_eq(histogram.count, 3);
    cr_assert_eq(histogram_percentile(&histogram, 1), 0);
    cr_assert_geq(histogram_max(&histogram), HISTOGRAM_VALUE_MAX);
    cr_assert_eq(histogram_percentile(&histogram, 50), histogram_max(&histogram));
}

Test(histogram, many_at_once_are_as_many_one_by_one) {
    static histogram_t other;
    for (uint64_t i = 1; i < 100; i++) {
        histogram_add(&histogram, i * i * i, i);
        for (uint64_t j = 0; j < i; j++)
            histogram_add(&other, i * i * i, 1);
    }
    cr_assert_eq(memcmp(&histogram, &other, sizeof(other)), 0);
}

/* A request is due each millisecond and takes 10 us; for 100 of them the server stands still. Who
 * asked one after the other would count one slow request; here each counts that was due. */
Test(histogram, a_stall_counts_for_each_request_that_was_due) {
    waiting_t waiting;
    waiting_init(&waiting, 200);
    for (uint64_t due = 0; due < 1000; due++) {
        waiting_add(&waiting, due * MS_NS, 1);
        bool stalled = due >= 500 && due < 600;
        uint64_t since_ns = 0;
        while (!stalled && waiting_take(&waiting, 1, &since_ns) == 1)
            histogram_add(&histogram, due * MS_NS + 10000 - since_ns, 1);
    }
    waiting_deinit(&waiting);
    cr_assert_eq(histogram.count, 1000);
    cr_assert_float_eq((double)histogram_percentile(&histogram, 50), 10e3, 10);
    cr_assert_float_eq((double)histogram_percentile(&histogram, 90), 10e3, 10);
    cr_assert_float_eq((double)histogram_percentile(&histogram, 95), 50.01e6, 50.01e3);
    cr_assert_float_eq((double)histogram_percentile(&histogram, 99), 90.01e6, 90.01e3);
    cr_assert_float_eq((double)histogram_max(&histogram), 100.01e6, 100.01e3);
}

/* What began to wait together is taken together, in the order in which it came, around the ring. */
Test(histogram, waiting_keeps_order) {
    waiting_t waiting;
    waiting_init(&waiting, 3);
    uint64_t since_ns = 0;
    cr_assert_eq(waiting_take(&waiting, 5, &since_ns), 0);
    for (uint64_t turn = 1; turn < 20; turn++) {
        waiting_add(&waiting, turn, 2);
        waiting_add(&waiting, turn + 1, 1);
        cr_assert_eq(waiting.requests, 3);
        cr_assert_eq(waiting_take(&waiting, 1, &since_ns), 1);
        cr_assert_eq(waiting_take(&waiting, 5, &since_ns), 1);
        cr_assert_eq(since_ns, turn);
        cr_assert_eq(waiting_take(&waiting, 5, &since_ns), 1);
        cr_assert_eq(since_ns, turn + 1);
        cr_assert_eq(waiting.requests, 0);
    }
    waiting_deinit(&waiting);
}
