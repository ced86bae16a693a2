/* links: base */
/*
 * The token bucket: bursts, refilling, no limit, and what is spent without being there.
 */
#include "base/bucket.h"

#include <criterion/criterion.h>

#define SECOND_US 1000000LL

static unsigned taken(bucket_t *bucket, const rate_t *rate, unsigned tries, int64_t now_us) {
    unsigned count = 0;
    for (unsigned i = 0; i < tries; i++) {
        count += bucket_take(bucket, rate, now_us);
    }
    return count;
}

Test(base_bucket, a_burst_and_then_the_rate) {
    const rate_t rate = {.per_minute = 60, .burst = 5};
    bucket_t bucket = {0};
    cr_assert_eq(taken(&bucket, &rate, 100, 10 * SECOND_US), 5);
    cr_assert_eq(taken(&bucket, &rate, 100, 11 * SECOND_US - 1), 0);
    cr_assert_eq(taken(&bucket, &rate, 100, 11 * SECOND_US), 1);
    cr_assert_eq(taken(&bucket, &rate, 100, 14 * SECOND_US), 3);
    cr_assert_not(bucket_is_full(&bucket, 18 * SECOND_US));
    cr_assert(bucket_is_full(&bucket, 19 * SECOND_US));
    cr_assert_eq(taken(&bucket, &rate, 100, 1000 * SECOND_US), 5);
}

Test(base_bucket, no_limit) {
    const rate_t rate = {0};
    bucket_t bucket = {0};
    cr_assert_eq(taken(&bucket, &rate, 10000, 0), 10000);
    bucket_spend(&bucket, &rate, 0);
    cr_assert(bucket_is_full(&bucket, 0));
}

Test(base_bucket, the_highest_rate) {
    const rate_t rate = {.per_minute = RATE_PER_MINUTE_MAX, .burst = RATE_BURST_MAX};
    bucket_t bucket = {0};
    cr_assert_eq(taken(&bucket, &rate, RATE_BURST_MAX + 10, 5), RATE_BURST_MAX);
    cr_assert_eq(taken(&bucket, &rate, 100, 15), 10);
}

Test(base_bucket, what_is_spent_without_being_there_is_never_more_than_a_burst) {
    const rate_t rate = {.per_minute = 60, .burst = 3};
    bucket_t bucket = {0};
    for (unsigned i = 0; i < 1000; i++) {
        bucket_spend(&bucket, &rate, SECOND_US);
    }
    cr_assert_not(bucket_has(&bucket, &rate, SECOND_US));
    cr_assert(bucket_has(&bucket, &rate, 2 * SECOND_US));
    cr_assert(bucket_is_full(&bucket, 4 * SECOND_US));
}

Test(base_bucket, a_limit_that_is_set_later_holds_from_then_on) {
    const rate_t none = {0};
    const rate_t rate = {.per_minute = 60, .burst = 2};
    bucket_t bucket = {0};
    cr_assert_eq(taken(&bucket, &none, 50, 7), 50);
    cr_assert_eq(taken(&bucket, &rate, 50, 7), 2);
    cr_assert_eq(taken(&bucket, &none, 50, 7), 50);
}

Test(base_bucket, a_debt_of_a_slower_rate_shrinks_to_a_burst_of_the_new_one) {
    const rate_t slow = {.per_minute = 1, .burst = 100};
    const rate_t fast = {.per_minute = 60, .burst = 3};
    bucket_t bucket = {0};
    cr_assert_eq(taken(&bucket, &slow, 200, 0), 100);
    cr_assert_eq(taken(&bucket, &fast, 10, SECOND_US), 0);
    cr_assert_eq(taken(&bucket, &fast, 10, 2 * SECOND_US), 1);
    cr_assert(bucket_is_full(&bucket, 5 * SECOND_US));
}
