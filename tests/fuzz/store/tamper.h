/*
 * Changes rows of a store behind its back, as the input says: bytes of values and keys, rows that
 * are gone, that are there twice under another key, that belong to others. The pages stay sound:
 * what lies on them is ours to doubt, the pages themselves are LMDB's.
 */
#ifndef REALMGATE_TESTS_TAMPER_H
#define REALMGATE_TESTS_TAMPER_H

#include "input.h"

/* Takes as many changes from the input as its next byte says, at most 7. Nobody has the store
 * open. */
void tamper(const char *file, input_t *input);

#endif
