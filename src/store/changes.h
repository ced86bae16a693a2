/*
 * What a commit does to the tables, as bytes: encoded once, then both written to the journal and
 * applied to a transaction, so that a replay does what the commit did.
 *
 * A change: operation (1 byte), table (1), length of the key (2), length of the value (4), key,
 * value. Deleting a range of integer keys has the first as its key, the last as its value.
 */
#ifndef REALMGATE_STORE_CHANGES_H
#define REALMGATE_STORE_CHANGES_H

#include "base/buffer.h"
#include "lmdb_store.h"

/* Appends what the records change. STORE_CORRUPT for a message whose links do not lead back; then
 * *changes is of no use. */
store_error_t changes_encode(buffer_t *changes, const record_t *records, size_t count);

/* Makes the store's new writer ready to take changes, and makes changes in it. Each returns an LMDB
 * code: MDB_CORRUPTED for bytes that no encoder of ours writes, MDB_KEYEXIST for a message that is
 * not behind the last one. */
int changes_begin(lmdb_store_t *store);
int changes_apply(lmdb_store_t *store, span_t changes);

#endif
