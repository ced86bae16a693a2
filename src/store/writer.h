/*
 * A transaction that writes, with a cursor at the end of the log. One thread begins, uses and ends
 * it.
 */
#ifndef REALMGATE_STORE_WRITER_H
#define REALMGATE_STORE_WRITER_H

#include "tables.h"

#include <stdint.h>

typedef struct writer {
    const MDB_dbi *tables;
    MDB_txn *txn; /* NULL: none */
    MDB_cursor *append_cursor;
    uint64_t last_position; /* of the log */
} writer_t;

/* Moves a cursor on the log to its end: the last position, 0 if there is none; an LMDB code. */
int writer_log_end(MDB_cursor *log, uint64_t *position);

/* Each returns an LMDB code; without 0 there is no transaction. */
int writer_begin(writer_t *writer, MDB_env *env, const MDB_dbi *tables);

/* Commits under a new salt of the journal, synced. There is no transaction afterwards, whatever
 * comes of it. */
int writer_commit(writer_t *writer, uint64_t salt);

/* Throws away what was written, if there is a transaction. */
void writer_drop(writer_t *writer);

#endif
