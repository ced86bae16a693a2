/*
 * What may go from the log, and when. Must never let a message go that is younger than the
 * retention, undelivered, or needed to start again.
 */
#include "retention.h"

#include "base/assert.h"
#include "mailbox.h"

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t between(int64_t value, int64_t low, int64_t high) {
    return value < low ? low : smaller(value, high);
}

static int64_t retention_ms(const state_t *state) {
    return state->options.limits.retention_ms;
}

static void due_in(turn_t *turn, int64_t ms) {
    turn->state->retention.due_us = turn->now_us + ms * 1000;
}

/* A pass over the whole log, from its front. */
static void pass_from_front(state_t *state) {
    retention_t *retention = &state->retention;
    retention->cursor = retention->old_to = retention->unclear = 0;
    retention->left = false;
    for (size_t i = 0; i < state->realm_count; i++)
        state->realms[i].kept = 0;
}

void retention_changed(turn_t *turn) {
    retention_t *retention = &turn->state->retention;
    pass_from_front(turn->state);
    retention->again = retention->asked;
    retention->due_us = retention_ms(turn->state) == 0 ? INT64_MAX : turn->now_us;
}

void retention_start(turn_t *turn) {
    turn->state->retention.left_us = turn->now_us;
    retention_changed(turn);
}

int64_t retention_due_us(const state_t *state) {
    return state->retention.asked ? INT64_MAX : state->retention.due_us;
}

bool retention_load(state_t *state, const cut_record_t *cut) {
    state->retention.cut = cut->position;
    return cut->position <= state->checkpoint;
}

/* How long the clock still has to go on as it is before it is believed; 0 = it is. */
static int64_t clock_doubt_ms(turn_t *turn) {
    retention_t *retention = &turn->state->retention;
    int64_t offset_ms = turn->now_ms - turn->now_us / 1000;
    int64_t moved_ms = offset_ms - retention->offset_ms;
    if (!retention->clock_known || moved_ms >= RETENTION_JUMP_MS || moved_ms <= -RETENTION_JUMP_MS)
        retention->steady_us = turn->now_us;
    retention->clock_known = true;
    retention->offset_ms = offset_ms;
    int64_t hold_ms = smaller(retention_ms(turn->state), RETENTION_HOLD_MS);
    int64_t doubt_us = retention->steady_us + hold_ms * 1000 - turn->now_us;
    return doubt_us <= 0 ? 0 : doubt_us / 1000 + 1;
}

/* As many rows as keep up with what comes in, and more. */
static void ask(turn_t *turn) {
    state_t *state = turn->state;
    retention_t *retention = &state->retention;
    ASSERT(!retention->asked);
    int64_t came = smaller((int64_t)(state->next_position - retention->seen), UINT32_MAX);
    trim_t *trim = &turn->effects->trim;
    ASSERT(trim->limit == 0);
    trim->after = retention->cursor;
    trim->limit = (uint32_t)between(2 * came, RETENTION_ROWS_MIN, RETENTION_ROWS_MAX);
    retention->seen = state->next_position;
    retention->asked = true;
}

/* Whether records that were left standing may have been delivered since. */
static bool may_have_settled(const turn_t *turn, uint64_t *settled) {
    const state_t *state = turn->state;
    *settled = 0;
    for (size_t i = 0; i < state->realm_count; i++)
        *settled += state->realms[i].stream.judged;
    return state->retention.left && turn->now_us >= state->retention.left_us &&
           *settled != state->retention.settled;
}

void retention_tick(turn_t *turn) {
    retention_t *retention = &turn->state->retention;
    if (retention->asked || turn->now_us < retention->due_us)
        return;
    int64_t doubt_ms = clock_doubt_ms(turn);
    if (doubt_ms > 0) {
        due_in(turn, smaller(doubt_ms, RETENTION_SWEEP_MS));
        return;
    }
    uint64_t settled;
    if (may_have_settled(turn, &settled)) {
        pass_from_front(turn->state);
        retention->settled = settled;
        retention->left_us = turn->now_us + RETENTION_SWEEP_MS * 1000LL;
    }
    ask(turn);
}

/* Whether a record waits in an outbox. Those of one outbox go in their order: what was left
 * standing holds up what comes behind it until the next pass. */
static bool stays(turn_t *turn, const message_age_t *row) {
    if (mailbox_kind(row->mailbox) != MAILBOX_OUTBOX)
        return false;
    realm_t *realm = realm_find(turn->state, mailbox_realm(row->mailbox));
    if (realm == NULL)
        return false;
    /* What is only sent again, to a peer that was restored, does not wait: the stream steps over
     * it. */
    bool judged = row->seq <= realm->stream.judged;
    if (judged && (realm->kept == 0 || row->seq < realm->kept))
        return false;
    if (realm->kept == 0 || row->seq < realm->kept)
        realm->kept = row->seq;
    return true;
}

/* Lets rows go, one record for a run of them. */
static void let_go(turn_t *turn, const message_age_t *rows, uint32_t count) {
    retention_t *retention = &turn->state->retention;
    messages_gone_record_t *run = NULL;
    uint64_t cut = retention->cut;
    for (uint32_t i = 0; i < count; i++) {
        if (stays(turn, &rows[i])) {
            retention->left = true;
            run = NULL;
            continue;
        }
        if (run == NULL) {
            run = &effects_record(turn->effects, RECORD_MESSAGES_GONE)->messages_gone;
            run->first = rows[i].position;
        }
        run->last = rows[i].position;
        retention->gone += 1;
        cut = run->last > cut ? run->last : cut;
    }
    if (cut > retention->cut)
        effects_record(turn->effects, RECORD_CUT)->cut.position = retention->cut = cut;
    ASSERT(retention->cut <= turn->state->checkpoint);
}

/* Why a look at the log ends where it does. */
typedef enum stop {
    STOP_NOT,      /* all rows may go, or say nothing */
    STOP_YOUNG,    /* the next one is younger than the retention */
    STOP_REPLAYED, /* the next one is old enough, but a start would replay it */
    STOP_UNCLEAR,  /* a start would replay the next one, and its age is not known */
} stop_t;

/* Counts the rows before the first one that has to stay for its age or its place. */
static stop_t stop_of(const turn_t *turn, const event_t *event, uint32_t *count) {
    int64_t newest_old_ms = turn->now_ms - retention_ms(turn->state);
    for (*count = 0; *count < event->trim.count; *count += 1) {
        const message_age_t *row = &event->trim.rows[*count];
        bool known = row->arrived_ms <= turn->now_ms;
        if (known && row->arrived_ms > newest_old_ms)
            return STOP_YOUNG;
        if (row->position > turn->state->checkpoint)
            return known ? STOP_REPLAYED : STOP_UNCLEAR;
        if (known)
            turn->state->retention.old_to = row->position;
    }
    return STOP_NOT;
}

/* Takes the first `count` rows, all of them old enough or of a time that cannot be. */
static void take(turn_t *turn, const message_age_t *rows, uint32_t count) {
    retention_t *retention = &turn->state->retention;
    uint32_t old = 0;
    while (old < count && rows[old].position <= retention->old_to)
        old += 1;
    let_go(turn, rows, old);
    if (old < count && retention->unclear == 0)
        retention->unclear = rows[old].position;
    if (count > 0)
        retention->cursor = rows[count - 1].position;
}

/* The next pass begins here; when. */
static void pass_end(turn_t *turn, stop_t stop, const message_age_t *next) {
    state_t *state = turn->state;
    retention_t *retention = &state->retention;
    if (retention->unclear != 0)
        retention->cursor = retention->unclear - 1;
    retention->unclear = 0;
    int64_t wait_ms = retention_ms(state);
    if (stop == STOP_YOUNG)
        wait_ms -= turn->now_ms - next->arrived_ms;
    else if (stop == STOP_REPLAYED)
        wait_ms = 0;
    due_in(turn, between(wait_ms, RETENTION_PAUSE_MS, RETENTION_SWEEP_MS));
    uint64_t coming = state->is_writing ? state->checkpoint_target : state->checkpoint;
    if (stop == STOP_REPLAYED && next->position > coming)
        state->checkpoint_wanted = true;
}

/* What was unclear is old, because what came behind it is: it has to go first. */
static bool go_back(retention_t *retention) {
    if (retention->unclear == 0 || retention->unclear > retention->old_to)
        return false;
    retention->cursor = retention->unclear - 1;
    retention->unclear = 0;
    return true;
}

void retention_trim(turn_t *turn, const event_t *event) {
    retention_t *retention = &turn->state->retention;
    ASSERT(retention->asked && event->trim.count <= RETENTION_ROWS_MAX);
    retention->asked = false;
    if (retention->again || clock_doubt_ms(turn) > 0) {
        retention->again = false;
        return;
    }
    uint32_t count;
    stop_t stop = stop_of(turn, event, &count);
    bool back = go_back(retention);
    if (!back)
        take(turn, event->trim.rows, count);
    if (back || (stop == STOP_NOT && !event->trim.end))
        ask(turn);
    else
        pass_end(turn, stop, count < event->trim.count ? &event->trim.rows[count] : NULL);
}
