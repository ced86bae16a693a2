/*
 * Bringing connections up: opening them, and what each says before any request.
 */
#ifndef REALMGATE_BENCH_OPENING_H
#define REALMGATE_BENCH_OPENING_H

#include "connection.h"

/* Opens all and waits until each is ready or dead, at most --timeout seconds; the first reasons go
 * to stderr. Returns how many are ready; the others are dead. Blocks. */
uint32_t opening_run(load_t *load);

/* Reads and drops what comes, for so long. Blocks. */
void opening_settle(load_t *load, double seconds);

#endif
