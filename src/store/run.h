/*
 * A run of commits: its frames in the journal's file, the same bytes in memory, and where in them
 * reads find what they want. A store has two: one takes commits while the other is folded into the
 * tables.
 */
#ifndef REALMGATE_STORE_RUN_H
#define REALMGATE_STORE_RUN_H

#include "journal.h"
#include "recent.h"

typedef struct run {
    journal_t journal;
    buffer_t frames; /* one behind the other, as in the file */
    recent_t recent;
} run_t;

/* Of a run that was cleared or never used. */
static inline bool run_is_empty(const run_t *run) {
    return run->frames.length == 0;
}

void run_init(run_t *run);
void run_deinit(run_t *run);

/* Empties it: the next frame stands at the start of the file, under this salt and number. */
void run_restart(run_t *run, uint64_t salt, uint32_t number);

/* Gives back memory that a busy time needed. Of an empty run only. */
void run_shrink(run_t *run);

/* The payload of the frame at *offset, which moves on to the next one; false at the end. */
bool run_next(const run_t *run, size_t *offset, span_t *payload);

/* The row of a message of the run. */
span_t run_row(const run_t *run, const recent_row_t *row);

#endif
