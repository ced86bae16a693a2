/*
 * Durable records: a struct of functions, with LMDB behind it (store/lmdb.h). One thread owns a
 * store_t; every function may block on the disk. A visitor must not call the store.
 */
#ifndef REALMGATE_STORE_STORE_H
#define REALMGATE_STORE_STORE_H

#include "types/record.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum store_error {
    STORE_OK = 0,
    STORE_FULL,     /* no space on the disk */
    STORE_IO,       /* the disk or the file system failed */
    STORE_CORRUPT,  /* contents that cannot be */
    STORE_NEWER,    /* written by a newer schema than this program's */
    STORE_OTHER,    /* belongs to a realm of another name */
    STORE_BUSY,     /* open in another process */
    STORE_UNFOLDED, /* a process that ended left something that whoever reads only cannot take in */
} store_error_t;

typedef struct store store_t;

/* Called for each record; returns false to stop (store_load then gives STORE_CORRUPT). Spans are
 * valid only during the call. */
typedef bool store_visit_fn(void *context, const record_t *record);
/* Called for each message of a page, ascending seq. Returns false to stop early. */
typedef bool store_page_fn(void *context, const message_t *message);

typedef struct store_ops {
    void (*close)(store_t *store);
    store_error_t (*load)(store_t *store, store_visit_fn *visit, void *context);
    store_error_t (*commit)(store_t *store, const record_t *records, size_t count);
    store_error_t (*fold)(store_t *store);
    store_error_t (*fold_begin)(store_t *store);
    bool (*unfolded)(const store_t *store);
    store_error_t (*page)(store_t *store, const page_query_t *query, store_page_fn *visit,
                          void *context, bool *more);
    store_error_t (*lookup)(store_t *store, uint64_t position, store_page_fn *visit, void *context,
                            code_t *verdict);
    store_error_t (*oldest)(store_t *store, uint64_t after, message_age_t *rows, uint32_t limit,
                            uint32_t *count, bool *end);
    store_error_t (*backup)(store_t *store, const char *file, span_t note);
    store_error_t (*note)(store_t *store, char *note, size_t *length);
    store_error_t (*dump)(store_t *store, store_visit_fn *visit, void *context);
} store_ops_t;

struct store {
    const store_ops_t *ops;
};

/* Closes and frees; *store becomes NULL. */
void store_close(store_t **store);

/* Folds, then visits everything in the order that state_load wants: users, tokens, groups, members,
 * realms, streams, rejections, refs; heads; the checkpoint; the cut; then the messages after the
 * checkpoint ascending, with all their fields. */
store_error_t store_load(store_t *store, store_visit_fn *visit, void *context);

/* Commits all records as one transaction and syncs it to the disk before it returns STORE_OK.
 * Anything else: nothing of it is kept, and where that is not sure because the disk failed, nothing
 * more can be committed (STORE_IO). Messages come with ascending positions. */
store_error_t store_commit(store_t *store, const record_t *records, size_t count);

/* Tidies up behind the commits: tools that only read see them afterwards, and the next start need
 * not take them in. On an error everything committed stays so, and readable, and counts at the next
 * start. For a store opened for reading only: waits until the realm that has it open has done this,
 * for JOURNAL_AWAIT_MS at most (STORE_BUSY); STORE_UNFOLDED if no process has it open. */
store_error_t store_fold(store_t *store);

/* The same beside what goes on: begins it, and tells what the last one came to. Does not wait. To
 * be called now and then while store_unfolded, which is true until a call finds that all is done; a
 * commit begins it too, when there is much. */
store_error_t store_fold_begin(store_t *store);
bool store_unfolded(const store_t *store);

/* Visits a page, oldest first. The walk starts at query->newest_position. *more: with oldest_first,
 * newer ones remain below `before` and the head; else, older ones remain above `after`. Messages
 * that retention took are skipped: the page is what it would be if the mailbox began behind them.
 * STORE_CORRUPT if a message on the way is missing behind the cut, is not of the mailbox or has not
 * the seq that it should have; it does not matter where their jumps lead. */
store_error_t store_page(store_t *store, const page_query_t *query, store_page_fn *visit,
                         void *context, bool *more);

/* Visits the message at a position, if there is one (0 or 1 calls); *verdict is its verdict row or
 * CODE_OK. */
store_error_t store_lookup(store_t *store, uint64_t position, store_page_fn *visit, void *context,
                           code_t *verdict);

/* Reads the first `limit` messages behind a position, without their texts, into *rows by ascending
 * position. *end: none stands behind them. */
store_error_t store_oldest(store_t *store, uint64_t after, message_age_t *rows, uint32_t limit,
                           uint32_t *count, bool *end);

/* Writes a consistent copy to a new file; STORE_IO if the file exists. The copy carries the note
 * along, at most STORE_NOTE_BYTES_MAX bytes that mean nothing to the store. */
store_error_t store_backup(store_t *store, const char *file, span_t note);

/* Reads the note that this store was given when it was written as a backup. *length = 0: none. */
store_error_t store_note(store_t *store, char note[STORE_NOTE_BYTES_MAX], size_t *length);

/* Visits users, tokens, groups, members, realms, streams and rejections as store_load does, then
 * every message of the log, oldest first, with all its fields: all as of one moment. */
store_error_t store_dump(store_t *store, store_visit_fn *visit, void *context);

/* For people and the log: "no space left on the store's disk". Never NULL. */
const char *store_error_text(store_error_t error);

#endif
