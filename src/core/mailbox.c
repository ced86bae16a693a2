/*
 * Heads of mailboxes and their checkpoints. Never touches message bodies.
 */
#include "mailbox.h"

#include "base/assert.h"
#include "base/memory.h"

#include <endian.h>
#include <string.h>

/* Where a mailbox stands that is its owner's own; NULL for the others, which are in the map. */
static mailbox_row_t *row_of_owner(const state_t *state, mailbox_t mailbox) {
    uint32_t owner = mailbox_owner(mailbox);
    uint32_t realm = mailbox_realm(mailbox);
    switch (mailbox_kind(mailbox)) {
    case MAILBOX_PRIVATE:
        return &user_row(state, owner)->mailbox;
    case MAILBOX_GROUP:
        ASSERT(owner > 0 && owner <= state->group_count);
        return &state->groups[owner - 1].mailbox;
    case MAILBOX_OUTBOX:
        ASSERT(realm > 0 && realm <= state->realm_count);
        return &state->realms[realm - 1].outbox;
    case MAILBOX_REALM:
    case MAILBOX_GROUP_REALM:
        break;
    }
    return NULL;
}

/* Made with seq 0 where it is not there. */
static mailbox_row_t *row_make(state_t *state, mailbox_t mailbox) {
    mailbox_row_t *row = row_of_owner(state, mailbox);
    return row != NULL ? row : map_put(state->mailboxes, &mailbox);
}

const mailbox_head_t *mailbox_find(const state_t *state, mailbox_t mailbox) {
    const mailbox_row_t *row = row_of_owner(state, mailbox);
    if (row == NULL)
        row = map_get(state->mailboxes, &mailbox);
    return row == NULL || row->head.seq == 0 ? NULL : &row->head;
}

uint32_t mailbox_head(const state_t *state, mailbox_t mailbox) {
    const mailbox_head_t *head = mailbox_find(state, mailbox);
    return head == NULL ? 0 : head->seq;
}

/* In two parts that each have the size of a word: put together in memory, they would have to be
 * written there before they could be read back as one. */
static uint64_t head_position(const mailbox_head_t *head, unsigned level) {
    uint32_t low;
    uint16_t high;
    memcpy(&low, head->positions[level], sizeof(low));
    memcpy(&high, head->positions[level] + sizeof(low), sizeof(high));
    return le32toh(low) | (uint64_t)le16toh(high) << 32;
}

static void head_set_position(mailbox_head_t *head, unsigned level, uint64_t position) {
    uint32_t low = htole32((uint32_t)position);
    uint16_t high = htole16((uint16_t)(position >> 32));
    memcpy(head->positions[level], &low, sizeof(low));
    memcpy(head->positions[level] + sizeof(low), &high, sizeof(high));
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

/* Once in a round: the next checkpoint owes the head. */
static void mark_dirty(state_t *state, mailbox_row_t *row, mailbox_t mailbox) {
    if (row->round == state->round)
        return;
    row->round = state->round;
    state->dirty = memory_grow(state->dirty, &state->dirty_room, state->dirty_count + 1,
                               sizeof(*state->dirty));
    state->dirty[state->dirty_count++] = mailbox;
}

/* A message comes to stand in the mailbox. */
static void advance(state_t *state, mailbox_row_t *row, mailbox_t mailbox, uint64_t position) {
    if (row->head.seq == 0)
        state->mailbox_count += 1;
    head_advance(&row->head, position);
    mark_dirty(state, row, mailbox);
}

message_t *mailbox_append(turn_t *turn, mailbox_t mailbox) {
    state_t *state = turn->state;
    mailbox_row_t *row = row_make(state, mailbox);
    const mailbox_head_t *head = &row->head;
    ASSERT(head->seq < UINT32_MAX);
    message_t *message = &effects_record(turn->effects, RECORD_MESSAGE)->message;
    message->position = message->number = state->next_position++;
    message->mailbox = mailbox;
    message->seq = head->seq + 1;
    message->previous = head_position(head, 0);
    message->jump = head_position(head, jump_level(message->seq));
    message->time_ms = turn->now_ms;
    advance(state, row, mailbox, message->position);
    return message;
}

void mailbox_date(const turn_t *turn, message_t *message, int64_t time_ms) {
    message->time_ms = time_ms;
    message->arrived_ms = time_ms == turn->now_ms ? 0 : turn->now_ms;
}

page_query_t mailbox_query(const state_t *state, mailbox_t mailbox, uint32_t limit) {
    const mailbox_head_t *head = mailbox_find(state, mailbox);
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
    mailbox_row_t *row = row_make(state, message->mailbox);
    state->next_position = message->position + 1;
    if (message->seq <= row->head.seq)
        return true; /* The head was written after this message, see mailbox.h. */
    if (message->seq != row->head.seq + 1)
        return false;
    advance(state, row, message->mailbox, message->position);
    return true;
}

void mailbox_load_head(state_t *state, const head_record_t *record) {
    mailbox_row_t *row = row_make(state, record->mailbox);
    if (row->head.seq == 0)
        state->mailbox_count += 1;
    row->head = record->head;
    ASSERT(row->head.seq > 0);
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

static bool lies_in_log(const state_t *state, const mailbox_row_t *row) {
    return head_position(&row->head, 0) < state->next_position;
}

bool mailbox_heads_fit(const state_t *state) {
    bool fit = true;
    size_t cursor = 0;
    void *row;
    for (uint32_t id = 1; fit && id <= state->user_count; id++)
        fit = lies_in_log(state, &user_row(state, id)->mailbox);
    for (size_t i = 0; fit && i < state->group_count; i++)
        fit = lies_in_log(state, &state->groups[i].mailbox);
    for (size_t i = 0; fit && i < state->realm_count; i++)
        fit = lies_in_log(state, &state->realms[i].outbox);
    while (fit && map_next(state->mailboxes, &cursor, NULL, &row))
        fit = lies_in_log(state, row);
    return fit;
}

/* What was dirty is to be written; the memory of what was written takes what gets dirty now. */
static void swap_lists(state_t *state) {
    mailbox_t *list = state->writing;
    size_t room = state->writing_room;
    ASSERT(state->written == state->writing_count);
    state->writing = state->dirty;
    state->writing_count = state->dirty_count;
    state->writing_room = state->dirty_room;
    state->written = 0;
    state->dirty = list;
    state->dirty_count = 0;
    state->dirty_room = room;
}

/* A checkpoint begins when enough was appended; at a clean stop, and where retention waits for it,
 * when anything was. */
static bool checkpoint_begin(state_t *state, size_t heads_max) {
    uint64_t appended = state->next_position - 1 - state->checkpoint;
    bool wanted = heads_max == SIZE_MAX || state->checkpoint_wanted;
    if (appended < (wanted ? 1 : STORE_CHECKPOINT_EVERY))
        return false;
    state->checkpoint_wanted = false;
    swap_lists(state);
    state->round += 1;
    ASSERT(state->round != 0);
    state->is_writing = true;
    state->checkpoint_target = state->next_position - 1;
    return true;
}

static void checkpoint_heads(state_t *state, size_t heads_max, effects_t *effects) {
    for (size_t i = 0; i < heads_max && state->written < state->writing_count; i++) {
        head_record_t *record = &effects_record(effects, RECORD_HEAD)->head;
        record->mailbox = state->writing[state->written++];
        record->head = *mailbox_find(state, record->mailbox);
    }
}

static void checkpoint_end(state_t *state, effects_t *effects) {
    effects_record(effects, RECORD_CHECKPOINT)->checkpoint.position = state->checkpoint_target;
    state->checkpoint = state->checkpoint_target;
    state->is_writing = false;
}

void mailbox_checkpoint(state_t *state, size_t heads_max, effects_t *effects) {
    /* At a clean stop first the one under way, then one of what came since. */
    for (int round = 0; round < 2; round++) {
        if (!state->is_writing && !checkpoint_begin(state, heads_max))
            return;
        checkpoint_heads(state, heads_max, effects);
        if (state->written < state->writing_count)
            return;
        checkpoint_end(state, effects);
        if (heads_max != SIZE_MAX)
            return;
    }
}
