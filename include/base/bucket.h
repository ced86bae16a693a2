/*
 * A token bucket, kept as one time: the generic cell rate algorithm (ITU-T I.371, "virtual
 * scheduling"). It fills by rate->per_minute tokens a minute up to rate->burst.
 */
#ifndef REALMGATE_BASE_BUCKET_H
#define REALMGATE_BASE_BUCKET_H

#include "types/settings.h"

#include <stdbool.h>

/* Zeroed: full. */
typedef struct bucket {
    int64_t full_at_us; /* when it will be full again, by a clock that never goes back */
} bucket_t;

/* Whether there is a token. Always, without a limit. What was owed under a rate that has changed
 * since counts as a burst of the new one at most. */
bool bucket_has(bucket_t *bucket, const rate_t *rate, int64_t now_us);

/* Takes a token, also one that is not there: what has happened counts. */
void bucket_spend(bucket_t *bucket, const rate_t *rate, int64_t now_us);

/* Takes a token if there is one; false if there is none. */
bool bucket_take(bucket_t *bucket, const rate_t *rate, int64_t now_us);

/* Whether it is as good as new. */
bool bucket_is_full(const bucket_t *bucket, int64_t now_us);

#endif
