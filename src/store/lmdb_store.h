/*
 * What the files of the LMDB engine share. Nothing outside of them includes this.
 */
#ifndef REALMGATE_STORE_LMDB_STORE_H
#define REALMGATE_STORE_LMDB_STORE_H

#include "store/store.h"

#include <lmdb.h>
#include <setjmp.h>

#define LMDB_SCHEMA_VERSION 1

/* Keys of the table `meta`. */
#define LMDB_META_SCHEMA     "schema"
#define LMDB_META_REALM      "realm"
#define LMDB_META_CHECKPOINT "checkpoint"
#define LMDB_META_CUT        "cut"
#define LMDB_META_FLOOR      "floor"
#define LMDB_META_NOTE       "note"

/* A message that a page walk found; the row lies in the map. */
typedef struct page_row {
    uint64_t position;
    span_t row;
} page_row_t;

typedef struct lmdb_store {
    store_t base; /* first: a store_t * of ours is a lmdb_store_t * */
    int file;     /* store.mdb once more: holds the lock against a second process */
    MDB_env *env;
    MDB_dbi meta;
    MDB_dbi log;
    MDB_dbi heads;
    MDB_dbi rows;
    MDB_dbi verdicts;
    MDB_txn *reader;         /* the one read transaction: reset while nobody reads */
    MDB_cursor *log_cursor;  /* its cursor on the log */
    MDB_cursor *load_cursor; /* of a load under way, on another table */
    size_t map_bytes;
    bool reads_only; /* opened beside a running realm */
    bool reading;
    bool unmapped;   /* a failed growth left no map: nothing can be read or written any more */
    jmp_buf damaged; /* where a read ends in which LMDB finds a damaged page */
    page_row_t page[PAGE_MESSAGES_MAX];
} lmdb_store_t;

/* A read: may use store->reader and store->log_cursor. */
typedef store_error_t lmdb_read_fn(lmdb_store_t *store, void *context);

/* What an LMDB or system error code means to our caller; of a transaction that wrote, too. */
store_error_t lmdb_error(int code);
store_error_t lmdb_write_error(const lmdb_store_t *store, int code);

/* After a transaction that could not begin: 0 if it is worth another try, else its code. */
int lmdb_map_follow(lmdb_store_t *store, int code);

MDB_val lmdb_value(const void *bytes, size_t length);
span_t lmdb_span(const MDB_val *value);

/* Runs one read on the committed contents and returns its error. LMDB asserts what it finds in
 * pages; in here, a failed assertion of its ends the read with STORE_CORRUPT. A read inside another
 * one is a bug. */
store_error_t lmdb_read(lmdb_store_t *store, lmdb_read_fn *read, void *context);

/* For mdb_env_set_assert: leaves a read in which a page turned out to be damaged. */
void lmdb_page_damaged(MDB_env *env, const char *message);

store_error_t lmdb_load(store_t *store, store_visit_fn *visit, void *context);
store_error_t lmdb_commit(store_t *store, const record_t *records, size_t count);
store_error_t lmdb_page(store_t *store, const page_query_t *query, store_page_fn *visit,
                        void *context, bool *more);
store_error_t lmdb_lookup(store_t *store, uint64_t position, store_page_fn *visit, void *context,
                          code_t *verdict);
store_error_t lmdb_backup(store_t *store, const char *file, span_t note);
store_error_t lmdb_note(store_t *store, char *note, size_t *length);
store_error_t lmdb_dump(store_t *store, store_visit_fn *visit, void *context);

store_error_t lmdb_oldest(store_t *store, uint64_t after, message_age_t *rows, uint32_t limit,
                          uint32_t *count, bool *end);

/* lmdb_trim.c: retention's records in a commit, and the cut in a read (0 if there is none). */
int lmdb_delete_messages(lmdb_store_t *store, MDB_txn *txn, const messages_gone_record_t *gone);
int lmdb_put_cut(lmdb_store_t *store, MDB_txn *txn, uint64_t position);
store_error_t lmdb_read_cut(const lmdb_store_t *store, uint64_t *position);

/* lmdb_floor.c: below which positions are not given again. Reading gives zeros if nothing says. */
int lmdb_put_floor(MDB_txn *txn, MDB_dbi meta, const floor_record_t *floor);
store_error_t lmdb_read_floor(MDB_txn *txn, MDB_dbi meta, floor_record_t *floor);
/* Notes in a copy of a store that it is one. */
int lmdb_mark_copied(MDB_txn *txn, MDB_dbi meta);

/* Makes the names in the directory of `file` durable. */
store_error_t lmdb_directory_sync(const char *file);

#endif
