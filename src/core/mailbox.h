/*
 * Mailboxes: dense seqs over the log of arrivals.
 *
 * A message stores two positions of older messages of its mailbox: that of seq - 1, and a farther
 * jump, to the newest seq before it that is a multiple of 4^level. For a seq that is a multiple of
 * 4 the level is the number of its trailing zero digits in base 4, so that walking down a level
 * takes at most 3 steps; the seqs between lend their jumps to the next multiple's higher levels, so
 * that a walk gets down from any start quickly. A reader goes from the head to any of a million
 * seqs in some 26 steps: O(log n). An append needs nothing but the head: the newest position of
 * each level, 64 bytes. Readers take a jump that does not overshoot, whatever rule made it.
 *
 * Heads reach the store by checkpoints that are spread over many commits: while the heads that were
 * dirty when it began are written, newer messages may already be in them; a replay skips what a
 * head already knows, so the checkpoint still holds.
 */
#ifndef REALMGATE_CORE_MAILBOX_H
#define REALMGATE_CORE_MAILBOX_H

#include "base/mailbox_address.h"
#include "model.h"

/* Positions in a head have 6 bytes. */
#define MAILBOX_POSITION_END (1ULL << 48)

/* The head of a mailbox whose owner is in the tables; NULL if it is empty. */
const mailbox_head_t *mailbox_find(const state_t *state, mailbox_t mailbox);

/* The seq of the newest message, 0 if the mailbox is empty. */
uint32_t mailbox_head(const state_t *state, mailbox_t mailbox);

/* Appends a message record to the effects with position, mailbox, seq, previous, jump and number
 * (= position) set; the caller fills in the rest. */
message_t *mailbox_append(turn_t *turn, mailbox_t mailbox);

/* Says that a message that is appended now was accepted by its origin at another time. */
void mailbox_date(const turn_t *turn, message_t *message, int64_t time_ms);

/* A query over the whole mailbox: the newest `limit`. */
page_query_t mailbox_query(const state_t *state, mailbox_t mailbox, uint32_t limit);

/* A query for the seqs [first, last] of the mailbox, oldest first. */
page_query_t mailbox_run(const state_t *state, mailbox_t mailbox, uint32_t first, uint32_t last);

/* Replay at start. False if the message doesn't continue its mailbox: a corrupt store. */
bool mailbox_load(state_t *state, const message_t *message);
void mailbox_load_head(state_t *state, const head_record_t *record);

/* Whether a head can be: it has a position for each level that its seq has reached, and none of
 * them lies behind a lower level's. And of all heads, whether they lie in the log. */
bool mailbox_head_fits(const mailbox_head_t *head);
bool mailbox_heads_fit(const state_t *state);

/* Appends at most heads_max head records of the checkpoint under way, and its end. */
void mailbox_checkpoint(state_t *state, size_t heads_max, effects_t *effects);

#endif
