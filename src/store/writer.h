/*
 * A transaction that writes, with a cursor at the end of the log and the block of messages that is
 * to come there next. One thread begins, uses and ends it.
 */
#ifndef REALMGATE_STORE_WRITER_H
#define REALMGATE_STORE_WRITER_H

#include "block.h"
#include "tables.h"

#include <stdint.h>

typedef struct writer {
    const MDB_dbi *tables;
    MDB_txn *txn; /* NULL: none */
    MDB_cursor *append_cursor;
    uint64_t last_position; /* of the log, with the block */
    block_t block;
} writer_t;

/* Moves a cursor on the log to its end: the last position, 0 if there is none; an LMDB code. */
int writer_log_end(MDB_cursor *log, uint64_t *position);

/* Each returns an LMDB code; without 0 there is no transaction. */
int writer_begin(writer_t *writer, MDB_env *env, const MDB_dbi *tables);

/* Appends a message's row of MESSAGE_ROW_BYTES_MAX at most; an LMDB code, MDB_KEYEXIST if the
 * position is not behind the last one. */
int writer_append(writer_t *writer, uint64_t position, span_t row);

/* Puts the block under way into the log, so that reads of the transaction find it; an LMDB code. */
int writer_flush(writer_t *writer);

/* Deletes the messages from first to last; an LMDB code. */
int writer_delete_messages(writer_t *writer, uint64_t first, uint64_t last);

/* Commits under a new salt of the journal, synced. There is no transaction afterwards, whatever
 * comes of it. */
int writer_commit(writer_t *writer, uint64_t salt);

/* The same under the salt that there is: for what no journal says. */
int writer_commit_as_before(writer_t *writer);

/* Throws away what was written, if there is a transaction. */
void writer_drop(writer_t *writer);

#endif
