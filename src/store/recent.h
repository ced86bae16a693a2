/*
 * What was committed and is not in the tables yet, as reads want it: where in the frames a message
 * lies, verdicts, what retention took. The frames themselves are the run's (run.h); spans that are
 * returned point into them.
 */
#ifndef REALMGATE_STORE_RECENT_H
#define REALMGATE_STORE_RECENT_H

#include "base/map.h"
#include "base/text.h"
#include "types/code.h"

/* A message: its row stands so far from the start of the run's bytes. */
typedef struct recent_row {
    uint64_t position;
    uint32_t offset;
    uint32_t bytes;
} recent_row_t;

/* Positions that are gone, both ends with them. */
typedef struct recent_gap {
    uint64_t first, last;
} recent_gap_t;

typedef struct recent {
    recent_row_t *rows; /* ascending positions */
    size_t row_count, row_room;
    recent_gap_t *gaps;
    size_t gap_count, gap_room;
    map_t *verdicts; /* position to code_t; NULL: none */
    uint64_t cut;    /* 0: none of the run */
} recent_t;

/* Empties it and gives its memory back. */
void recent_deinit(recent_t *recent);

/* Empties it and keeps the memory of its rows. */
void recent_reset(recent_t *recent);

/* Adds what a later commit did, whose rows lie `offset` farther from the start than it says. */
void recent_merge(recent_t *recent, const recent_t *later, size_t offset);

/* Each adds what a commit did; positions of messages ascend. */
void recent_add_row(recent_t *recent, uint64_t position, size_t offset, size_t bytes);
void recent_add_gap(recent_t *recent, uint64_t first, uint64_t last);
void recent_add_verdict(recent_t *recent, uint64_t position, code_t code);

/* The message at a position, NULL if the run has none there, whether gone by now or not. */
const recent_row_t *recent_row(const recent_t *recent, uint64_t position);

/* The index of the first row behind a position; row_count if there is none. */
size_t recent_behind(const recent_t *recent, uint64_t position);

bool recent_is_gone(const recent_t *recent, uint64_t position);

/* NULL: none of the run. */
const code_t *recent_verdict(const recent_t *recent, uint64_t position);

#endif
