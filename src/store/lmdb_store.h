/*
 * What the files of the LMDB engine share. Nothing outside of them includes this.
 */
#ifndef REALMGATE_STORE_LMDB_STORE_H
#define REALMGATE_STORE_LMDB_STORE_H

#include "run.h"
#include "store/store.h"
#include "writer.h"

#include <pthread.h>
#include <setjmp.h>

/* 2 brought the journal, 3 the second one, 4 messages in blocks. */
#define LMDB_SCHEMA_VERSION 4
#define LMDB_SCHEMA_BLOCKS  4
#define LMDB_SCHEMA_FIRST   1

/* A message that a page walk found; the row lies in the map, or in a run. */
typedef struct page_row {
    uint64_t position;
    span_t row;
} page_row_t;

/* What the thread that folds a run was given; until it is joined it is the thread's, as is the run,
 * which its owner may go on reading. */
typedef struct folding {
    MDB_env *env;
    const MDB_dbi *tables;
    run_t *run;
    uint64_t salt;       /* of the run that comes next */
    size_t longer_bytes; /* the run's file is to be made so long afterwards; 0 = as it is */
    int code;            /* an LMDB code: what it came to */
    pthread_t thread;
    bool under_way;
    bool has_thread; /* without one it is done at once */
} folding_t;

typedef struct lmdb_store {
    store_t base; /* first: a store_t * of ours is a lmdb_store_t * */
    int file;     /* store.mdb once more: holds the lock against a second process */
    MDB_env *env;
    MDB_dbi tables[TABLE_COUNT];
    MDB_txn *reader;           /* the one read transaction: reset while nobody reads */
    MDB_cursor *reader_cursor; /* its cursor on the log */
    MDB_txn *view;             /* during a read: the tables as they are */
    MDB_cursor *log_cursor;    /* during a read: on the log of the view */
    MDB_cursor *load_cursor;   /* of a load under way, on another table */
    run_t runs[2];
    recent_t fresh; /* what the commit under way will be for reads */
    size_t current; /* of them: takes commits. The other is empty or waits for its folding */
    folding_t folding;
    uint64_t last_position; /* of the log, with what is not folded */
    writer_t writer;        /* what a full disk kept from being taken in at the start */
    pthread_t owner;        /* the thread that reads and commits */
    uint32_t schema;        /* that the file had */
    size_t map_bytes;
    bool reads_only; /* opened beside a running realm */
    bool reading;
    bool failed;     /* a commit did: nothing is written any more */
    bool unmapped;   /* a failed growth left no map: nothing can be read or written any more */
    jmp_buf damaged; /* where a read ends in which LMDB finds a damaged page */
    page_row_t page[PAGE_MESSAGES_MAX];
} lmdb_store_t;

/* A read: may use store->view and store->log_cursor. */
typedef store_error_t lmdb_read_fn(lmdb_store_t *store, void *context);

/* What an LMDB or system error code means to our caller; of a transaction that wrote, too. */
store_error_t lmdb_error(int code);
store_error_t lmdb_write_error(const lmdb_store_t *store, int code);

/* After a transaction that could not begin: 0 if it is worth another try, else its code. */
int lmdb_map_follow(lmdb_store_t *store, int code);

MDB_val lmdb_value(const void *bytes, size_t length);
span_t lmdb_span(const MDB_val *value);

/* Begins a walk along the block that the log has under a key; false if it cannot be one. */
bool lmdb_block_open(block_reader_t *reader, const MDB_val *key, const MDB_val *block);

/* lmdb_meta.c: a row of `meta` is written (an LMDB code) or read; row->bytes = NULL: there is none.
 */
int lmdb_meta_put(MDB_txn *txn, MDB_dbi meta, const char *name, const void *bytes, size_t length);
store_error_t lmdb_meta_get(MDB_txn *txn, MDB_dbi meta, const char *name, span_t *row);
/* Writes that it is a store of this program's schema; an LMDB code. */
int lmdb_put_schema(MDB_txn *txn, MDB_dbi meta);

/* lmdb_journal.c: opens the journals beside `file`; where the last process left something in them,
 * makes that part of the tables. */
store_error_t lmdb_journal_open(lmdb_store_t *store, const char *file);
/* The same for who only reads: leaves them alone. */
store_error_t lmdb_journal_open_reader(lmdb_store_t *store, const char *file);
/* Takes what the journals hold into a transaction, and commits that. If it cannot be committed the
 * store can be read: the transaction stays under way. */
store_error_t lmdb_recover(lmdb_store_t *store);
/* Whether a process that is gone left something in the journals. */
bool lmdb_is_abandoned(lmdb_store_t *store);
/* For who only reads: waits until the realm has folded what stands in its journals now. */
store_error_t lmdb_await_fold(lmdb_store_t *store);
/* Gives the tables a salt, which says which run of a journal is for them; an LMDB code. */
int lmdb_put_salt(MDB_txn *txn, MDB_dbi meta, uint64_t salt);
uint64_t lmdb_new_salt(void);

/* lmdb_fold.c: the runs, and the thread that folds one. */
run_t *lmdb_current(lmdb_store_t *store);
run_t *lmdb_older(lmdb_store_t *store);
/* Takes what a folding came to, if there is one: `waits` for it, or only if it has ended. */
store_error_t lmdb_fold_settle(lmdb_store_t *store, bool waits);
/* Folds this run, behind everything older; lmdb_fold_settle ends it. */
void lmdb_fold_run(lmdb_store_t *store, run_t *run);
/* A transaction met the end of the map, and is gone: gives the next one more room. */
store_error_t lmdb_make_room(lmdb_store_t *store);

/* lmdb_view.c: in a read, the message, the verdict (unchanged if there is none) and the cut (0 if
 * there is none) as the last commit left them. */
store_error_t lmdb_view_row(lmdb_store_t *store, uint64_t position, span_t *row, bool *found);
store_error_t lmdb_view_verdict(lmdb_store_t *store, uint64_t position, code_t *verdict);
store_error_t lmdb_view_cut(lmdb_store_t *store, uint64_t *position);
/* Whether retention took what is at this position of the tables. */
bool lmdb_view_is_gone(const lmdb_store_t *store, uint64_t position);

/* Runs one read on the committed contents and returns its error. LMDB asserts what it finds in
 * pages; in here, a failed assertion of its ends the read with STORE_CORRUPT. A read inside another
 * one is a bug. */
store_error_t lmdb_read(lmdb_store_t *store, lmdb_read_fn *read, void *context);

/* For mdb_env_set_assert: leaves a read in which a page turned out to be damaged. */
void lmdb_page_damaged(MDB_env *env, const char *message);

store_error_t lmdb_load(store_t *store, store_visit_fn *visit, void *context);
store_error_t lmdb_commit(store_t *store, const record_t *records, size_t count);
store_error_t lmdb_fold(store_t *store);
store_error_t lmdb_fold_begin(store_t *store);
bool lmdb_unfolded(const store_t *store);
store_error_t lmdb_page(store_t *store, const page_query_t *query, store_page_fn *visit,
                        void *context, bool *more);
store_error_t lmdb_lookup(store_t *store, uint64_t position, store_page_fn *visit, void *context,
                          code_t *verdict);
store_error_t lmdb_backup(store_t *store, const char *file, span_t note);
store_error_t lmdb_note(store_t *store, char *note, size_t *length);
store_error_t lmdb_dump(store_t *store, store_visit_fn *visit, void *context);

store_error_t lmdb_oldest(store_t *store, uint64_t after, message_age_t *rows, uint32_t limit,
                          uint32_t *count, bool *end);

/* lmdb_open.c: makes a table, if it is not there, and opens it; an LMDB code. */
int lmdb_table_make(lmdb_store_t *store, MDB_txn *txn, table_id_t id);

/* lmdb_upgrade.c: makes the tables those of today's schema, at first without what stands in the log
 * of an older one; lmdb_upgrade_messages then takes that over, or goes on where a process that is
 * gone left off. STORE_OK where there is nothing to do. */
store_error_t lmdb_upgrade_tables(lmdb_store_t *store);
store_error_t lmdb_upgrade_messages(lmdb_store_t *store);
/* Whether there is anything to take over; an LMDB code. */
int lmdb_upgrade_wanted(MDB_txn *txn, bool *wanted);

/* lmdb_trim.c: deletes the rows of a table with integer keys from first to last; an LMDB code. */
int lmdb_delete_range(MDB_txn *txn, MDB_dbi table, uint64_t first, uint64_t last);

/* lmdb_floor.c: below which positions are not given again. Reading gives zeros if nothing says. */
store_error_t lmdb_read_floor(MDB_txn *txn, MDB_dbi meta, floor_record_t *floor);
/* Notes in a copy of a store that it is one. */
int lmdb_mark_copied(MDB_txn *txn, MDB_dbi meta);

/* Makes the names in the directory of `file` durable. */
store_error_t lmdb_directory_sync(const char *file);

#endif
