/*
 * The embedded engine: LMDB, messages in order of arrival, in blocks of a page.
 *
 * Files in `directory`: store.mdb and store.mdb-lock (MDB_NOSUBDIR), store.mdb-journal and
 * store.mdb-journal2. Tables:
 *
 *   meta     schema version, realm name, checkpoint, salt of the older run
 *   blocks   position of the last one (MDB_INTEGERKEY, appended) -> some twenty messages
 *   heads    mailbox (MDB_INTEGERKEY) -> head
 *   rows     record kind, then its key, big endian -> row
 *   verdicts position (MDB_INTEGERKEY) -> code
 *
 * A commit is one frame of a journal, synced, and the same bytes in memory, where reads find them.
 * Frames are collected in a run; when it is long enough, or store_fold_begin says so, a thread
 * makes its changes in one transaction, while the next run grows in the other journal. LMDB's own
 * commits are synced in full too: never NOSYNC, NOMETASYNC or MAPASYNC. What a process leaves in
 * the journals is taken in at the next open, and a store of an older schema becomes one of today's.
 * The map grows by doubling when a transaction meets
 * MDB_MAP_FULL. The row encodings are versioned by the schema version and bounds-checked when read:
 * a damaged row is STORE_CORRUPT, never an assertion. So is a damaged page that LMDB notices during
 * a read; one that it notices during a fold aborts the process.
 *
 * A lock on store.mdb keeps a second process out (STORE_BUSY). Tools that only read may look on.
 */
#ifndef REALMGATE_STORE_LMDB_H
#define REALMGATE_STORE_LMDB_H

#include "store/store.h"

/* Opens, or makes, the store in an existing directory for the realm of this name. Returns STORE_OK
 * with a store that the caller closes, or an error and NULL. */
store_error_t store_lmdb_open(store_t **store, const char *directory, const name_t *realm);

/* Opens an existing store for reading only, also while a realm has it open: load, page, lookup,
 * backup and dump each see it as of one moment and hold up nobody; commit gives STORE_IO. Fills in
 * the name of the realm that it belongs to. What a process that is gone left in the journals is
 * taken in first, by opening the store for a moment as store_lmdb_open does; so is a store of an
 * older schema, and STORE_UNFOLDED if an older program has that one open. STORE_CORRUPT also if
 * there is no store in the directory. */
store_error_t store_lmdb_open_reader(store_t **store, const char *directory, name_t *realm);

#endif
