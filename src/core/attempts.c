/*
 * A bucket of failures and a count of jobs for each address that has any. Must never forget an
 * address whose jobs are under way, nor keep one that owes nothing.
 */
#include "attempts.h"

#include "base/assert.h"
#include "base/bucket.h"
#include "quota.h"

/* Whose last attempt is longest ago is looked at whenever one is made: the map keeps its order. */
enum { FORGET_AT_ONCE = 2 };

static bool may_forget(const source_t *source, int64_t now_us) {
    return source->jobs == 0 && bucket_is_full(&source->failures, now_us);
}

/* Drops one or two that owe nothing any more, so that as many go as come. */
static void forget(turn_t *turn) {
    size_t cursor = 0;
    const void *key;
    void *value;
    for (int i = 0; i < FORGET_AT_ONCE; i++) {
        if (!map_next(turn->state->sources, &cursor, &key, &value) ||
            !may_forget(value, turn->now_us))
            return;
        (void)map_remove(turn->state->sources, key);
    }
}

bool attempt_begin(turn_t *turn, uint64_t source) {
    state_t *state = turn->state;
    if (source == 0)
        return true;
    forget(turn);
    source_t *known = map_get(state->sources, &source);
    bool allowed = known == NULL ? map_count(state->sources) < SOURCES_MAX
                                 : known->jobs < SOURCE_JOBS_MAX &&
                                       bucket_has(&known->failures,
                                                  &state->options.limits.auth_rate, turn->now_us);
    if (allowed)
        ((source_t *)map_put(state->sources, &source))->jobs += 1;
    else
        quota_refused(state, LIMIT_LOGINS);
    return allowed;
}

void attempt_end(turn_t *turn, uint64_t source, bool failed) {
    if (source == 0)
        return;
    map_t *sources = turn->state->sources;
    const source_t *known = map_get(sources, &source);
    ASSERT(known != NULL && known->jobs > 0);
    source_t left = *known;
    left.jobs -= 1;
    if (failed)
        bucket_spend(&left.failures, &turn->state->options.limits.auth_rate, turn->now_us);
    /* To the end of the order, or gone. */
    (void)map_remove(sources, &source);
    if (!may_forget(&left, turn->now_us))
        *(source_t *)map_put(sources, &source) = left;
}

size_t attempt_sources(const state_t *state) {
    return map_count(state->sources);
}
