/*
 * Token buckets as times. Must never let one be owed more than a burst: who was refused for long is
 * let in again as soon as one token has come.
 */
#include "base/bucket.h"

#include "base/assert.h"

#define MINUTE_US (60LL * 1000 * 1000)

/* A token's time. One is at least a microsecond: RATE_PER_MINUTE_MAX is a token each. */
static int64_t token_us(const rate_t *rate) {
    ASSERT(rate->per_minute <= MINUTE_US);
    return MINUTE_US / rate->per_minute;
}

/* Between full and empty, by this rate. */
static void settle(bucket_t *bucket, const rate_t *rate, int64_t now_us) {
    int64_t empty_us = now_us + token_us(rate) * rate->burst;
    if (bucket->full_at_us < now_us) {
        bucket->full_at_us = now_us;
    } else if (bucket->full_at_us > empty_us) {
        bucket->full_at_us = empty_us;
    }
}

bool bucket_has(bucket_t *bucket, const rate_t *rate, int64_t now_us) {
    if (rate->per_minute == 0) {
        return true;
    }
    settle(bucket, rate, now_us);
    return bucket->full_at_us + token_us(rate) <= now_us + token_us(rate) * rate->burst;
}

void bucket_spend(bucket_t *bucket, const rate_t *rate, int64_t now_us) {
    if (rate->per_minute == 0) {
        return;
    }
    settle(bucket, rate, now_us);
    bucket->full_at_us += token_us(rate);
    settle(bucket, rate, now_us);
}

bool bucket_take(bucket_t *bucket, const rate_t *rate, int64_t now_us) {
    bool has = bucket_has(bucket, rate, now_us);
    if (has) {
        bucket_spend(bucket, rate, now_us);
    }
    return has;
}

bool bucket_is_full(const bucket_t *bucket, int64_t now_us) {
    return bucket->full_at_us <= now_us;
}
