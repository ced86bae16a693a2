/*
 * Fresh randomness from the system (libsodium). Not for the core.
 */
#ifndef REALMGATE_BASE_RANDOM_H
#define REALMGATE_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Starts libsodium; call once before any thread. Aborts if the system has no randomness. */
void random_start(void);

void random_bytes(void *out, size_t length);

#endif
