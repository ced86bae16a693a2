/*
 * A store in memory with the semantics of the real one: a commit keeps all of its records or none,
 * and only what was committed is there for the next life. Fast, and easy to see through.
 */
#ifndef REALMGATE_SIM_MEMORY_STORE_H
#define REALMGATE_SIM_MEMORY_STORE_H

#include "store/store.h"

typedef struct memory_store memory_store_t;

/* The caller ends it with store_close. */
memory_store_t *memory_store_new(void);
store_t *memory_store_base(memory_store_t *store);

/* While true every commit gives STORE_FULL and keeps nothing. */
void memory_store_fail(memory_store_t *store, bool failing);

/* One copy is kept: a backup replaces the one before. False: there is none to restore. */
void memory_store_backup(memory_store_t *store);
/* The copy knows that it is one, as the real store's backups do; unless it was made by hand. */
bool memory_store_restore(memory_store_t *store, bool by_hand);

/* The committed stream row of a realm id, NULL if there is none; its realm row likewise. */
const stream_record_t *memory_store_stream(const memory_store_t *store, uint32_t realm);
const realm_record_t *memory_store_realm(const memory_store_t *store, uint32_t realm);
uint32_t memory_store_realm_count(const memory_store_t *store);

#endif
