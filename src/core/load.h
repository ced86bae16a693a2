/*
 * What a start asks of the rows of its store before it believes them. A row that contradicts
 * another, or that no realm writes, is a damaged store: were it let in, it would meet an assertion
 * later, or somebody would get to read what is another's.
 */
#ifndef REALMGATE_CORE_LOAD_H
#define REALMGATE_CORE_LOAD_H

#include "model.h"

/* Whether a record can stand beside what was loaded before it. */
bool load_fits(const state_t *state, const record_t *record);

/* Whether all that was loaded fits together. */
bool load_fits_together(const state_t *state);

#endif
