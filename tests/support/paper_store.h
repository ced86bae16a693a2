/*
 * A store on paper: what a realm has committed, kept in memory behind the same struct of functions
 * as the real store and given back in the same order. It can be copied: that is how tests take a
 * backup of a realm and set the realm back to it.
 *
 * It checks all that the real store relies on: positions ascend, a mailbox has no holes, each
 * message leads back to the one before it and to the one that its seq jumps to.
 */
#ifndef REALMGATE_TESTS_PAPER_STORE_H
#define REALMGATE_TESTS_PAPER_STORE_H

#include "store/store.h"

/* An empty store; store_close ends it. A check that does not hold fails the test. */
store_t *paper_store_new(void);
store_t *paper_store_copy(const store_t *paper);

/* Makes of a copy what the real store's backup is: a store that knows that it is one. */
void paper_store_mark_copied(store_t *paper);

/* How many records were ever committed: unchanged means that nothing was stored. */
uint64_t paper_store_writes(const store_t *paper);

/* The row of a kind that has `like`'s key, NULL if there is none. */
const record_t *paper_store_row(const store_t *paper, const record_t *like);

/* How many rows of a kind there are. */
size_t paper_store_rows(const store_t *paper, record_kind_t kind);

/* The newest seq of a mailbox, and the message of a seq (NULL: never written, or forgotten). */
uint32_t paper_store_head(const store_t *paper, mailbox_t mailbox);
const message_t *paper_store_message(const store_t *paper, mailbox_t mailbox, uint32_t seq);

/* Where the newest complete checkpoint is; 0 = there is none. */
uint64_t paper_store_checkpoint(const store_t *paper);

/* Retention: takes all messages up to a position. */
void paper_store_retain(store_t *paper, uint64_t position);

/* Whether these bytes stand in any message. */
bool paper_store_holds(const store_t *paper, const char *text);

#endif
