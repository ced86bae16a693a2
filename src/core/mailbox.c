/*
 * Heads of mailboxes and their checkpoints. Never touches message bodies.
 */
#include "mailbox.h"

#include "base/assert.h"

#include <string.h>

uint32_t mailbox_head(const state_t *state, mailbox_t mailbox) {
    const mailbox_head_t *head = map_get(state->heads, &mailbox);
    return head == NULL ? 0 : head->seq;
}

static uint64_t head_position(const mailbox_head_t *head, unsigned level) {
    uint64_t position = 0;
    for (unsigned i = 0; i < sizeof(head->positions[level]); i++)
        position |= (uint64_t)head->positions[level][i] << (8 * i);
    return position;
}

static void head_set_position(mailbox_head_t *head, unsigned level, uint64_t position) {
    for (unsigned i = 0; i < sizeof(head->positions[level]); i++)
        head->positions[level][i] = (uint8_t)(position >> (8 * i));
}

/* The number of trailing zero digits of seq in base 4, capped to the highest level. */
static unsigned seq_level(uint32_t seq) {
    ASSERT(seq > 0);
    unsigned level = (unsigned)__builtin_ctz(seq) / 2;
    return level < HEAD_LEVELS ? level : HEAD_LEVELS - 1;
}

/* The level that a message's jump leads to, see mailbox.h. */
static unsigned jump_level(uint32_t seq) {
    unsigned digit = seq % 4;
    if (digit == 0)
        return seq_level(seq);
    uint32_t multiple = seq - digit;
    unsigned next = multiple > UINT32_MAX - 4 ? 1 : seq_level(multiple + 4);
    return next > 5 - digit ? next - (4 - digit) : 1;
}

static void head_advance(mailbox_head_t *head, uint64_t position) {
    head->seq += 1;
    for (unsigned level = 0; level <= seq_level(head->seq); level++)
        head_set_position(head, level, position);
}

static void mark_dirty(state_t *state, mailbox_t mailbox) {
    *(uint8_t *)map_put(state->dirty, &mailbox) = 1;
}

message_t *mailbox_append(turn_t *turn, mailbox_t mailbox) {
    state_t *state = turn->state;
    mailbox_head_t *head = map_put(state->heads, &mailbox);
    ASSERT(head->seq < UINT32_MAX);
    message_t *message = &effects_record(turn->effects, RECORD_MESSAGE)->message;
    message->position = message->number = state->next_position++;
    message->mailbox = mailbox;
    message->seq = head->seq + 1;
    message->previous = head_position(head, 0);
    message->jump = head_position(head, jump_level(message->seq));
    message->time_ms = turn->now_ms;
    head_advance(head, message->position);
    mark_dirty(state, mailbox);
    return message;
}

void mailbox_date(const turn_t *turn, message_t *message, int64_t time_ms) {
    message->time_ms = time_ms;
    message->arrived_ms = time_ms == turn->now_ms ? 0 : turn->now_ms;
}

page_query_t mailbox_query(const state_t *state, mailbox_t mailbox, uint32_t limit) {
    const mailbox_head_t *head = map_get(state->heads, &mailbox);
    page_query_t query = {.mailbox = mailbox, .limit = limit};
    if (head != NULL) {
        query.newest_seq = head->seq;
        query.newest_position = head_position(head, 0);
    }
    return query;
}

page_query_t mailbox_run(const state_t *state, mailbox_t mailbox, uint32_t first, uint32_t last) {
    ASSERT(first > 0 && first <= last);
    page_query_t query = mailbox_query(state, mailbox, last - first + 1);
    query.after = first - 1;
    query.before = last + 1;
    query.oldest_first = true;
    return query;
}

bool mailbox_load(state_t *state, const message_t *message) {
    if (message->seq == 0 || message->position < state->next_position)
        return false;
    mailbox_head_t *head = map_put(state->heads, &message->mailbox);
    state->next_position = message->position + 1;
    if (message->seq <= head->seq)
        return true; /* The head was written after this message, see mailbox.h. */
    if (message->seq != head->seq + 1)
        return false;
    head_advance(head, message->position);
    mark_dirty(state, message->mailbox);
    return true;
}

void mailbox_load_head(state_t *state, const head_record_t *record) {
    mailbox_head_t *head = map_put(state->heads, &record->mailbox);
    *head = record->head;
}

bool mailbox_head_fits(const mailbox_head_t *head) {
    uint64_t lower = MAILBOX_POSITION_END;
    for (unsigned level = 0; level < HEAD_LEVELS; level++) {
        uint64_t position = head_position(head, level);
        bool reached = head->seq >= 1ULL << (2 * level);
        if (reached != (position > 0) || position > lower)
            return false;
        lower = position;
    }
    return head->seq > 0 && head->seq < UINT32_MAX;
}

bool mailbox_heads_fit(const state_t *state) {
    size_t cursor = 0;
    const void *mailbox;
    void *head;
    while (map_next(state->heads, &cursor, &mailbox, &head)) {
        if (head_position(head, 0) >= state->next_position)
            return false;
    }
    return true;
}

/* A checkpoint begins when enough was appended; at a clean stop, and where retention waits for it,
 * when anything was. */
static bool checkpoint_begin(state_t *state, size_t heads_max) {
    uint64_t appended = state->next_position - 1 - state->checkpoint;
    bool wanted = heads_max == SIZE_MAX || state->checkpoint_wanted;
    if (appended < (wanted ? 1 : STORE_CHECKPOINT_EVERY))
        return false;
    state->checkpoint_wanted = false;
    state->writing = state->dirty;
    state->dirty = map_new_of_ids(sizeof(mailbox_t), 1, state->hash_seed);
    state->checkpoint_target = state->next_position - 1;
    return true;
}

static void checkpoint_heads(state_t *state, size_t heads_max, effects_t *effects) {
    size_t cursor = 0;
    const void *mailbox;
    for (size_t i = 0; i < heads_max && map_next(state->writing, &cursor, &mailbox, NULL); i++) {
        head_record_t *record = &effects_record(effects, RECORD_HEAD)->head;
        memcpy(&record->mailbox, mailbox, sizeof(record->mailbox));
        record->head = *(const mailbox_head_t *)map_get(state->heads, mailbox);
        (void)map_remove(state->writing, mailbox);
    }
}

static void checkpoint_end(state_t *state, effects_t *effects) {
    effects_record(effects, RECORD_CHECKPOINT)->checkpoint.position = state->checkpoint_target;
    state->checkpoint = state->checkpoint_target;
    map_destroy(&state->writing);
}

void mailbox_checkpoint(state_t *state, size_t heads_max, effects_t *effects) {
    /* At a clean stop first the one under way, then one of what came since. */
    for (int round = 0; round < 2; round++) {
        if (state->writing == NULL && !checkpoint_begin(state, heads_max))
            return;
        checkpoint_heads(state, heads_max, effects);
        if (map_count(state->writing) > 0)
            return;
        checkpoint_end(state, effects);
        if (heads_max != SIZE_MAX)
            return;
    }
}
