/*
 * Folds runs into the tables, each in a thread that lives as long as that takes, so that commits go
 * on beside it. Must never fold a run before the one in front of it, nor make a run void that the
 * tables do not hold.
 */
#include "changes.h"
#include "lmdb_store.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/thread.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

enum { FOLDING_NICENESS = 10 };

run_t *lmdb_current(lmdb_store_t *store) {
    return &store->runs[store->current];
}

run_t *lmdb_older(lmdb_store_t *store) {
    return &store->runs[1 - store->current];
}

static int frames_apply(writer_t *writer, const run_t *run) {
    size_t offset = 0;
    span_t payload;
    int code = 0;
    while (code == 0 && run_next(run, &offset, &payload)) {
        code = changes_apply(writer, payload);
    }
    return code;
}

static int run_fold(const folding_t *folding) {
    writer_t writer;
    int code = writer_begin(&writer, folding->env, folding->tables);
    if (code != 0) {
        return code;
    }
    code = frames_apply(&writer, folding->run);
    if (code != 0) {
        writer_drop(&writer);
        return code;
    }
    return writer_commit(&writer, folding->salt);
}

static void folding_do(folding_t *folding) {
    folding->code = run_fold(folding);
    if (folding->code == 0 && folding->longer_bytes > 0) {
        /* Without it everything works, only slower. */
        (void)journal_reserve(&folding->run->journal, folding->longer_bytes);
    }
}

/* Commits come first; one that finds both journals full waits for this, and leaves it the core. */
static void *folding_run(void *argument) {
    (void)setpriority(PRIO_PROCESS, 0, FOLDING_NICENESS); /* on Linux, of the thread alone */
    folding_do(argument);
    return NULL;
}

/* Whoever fills the journal before its time is up gets a longer one, as far as the disk has room
 * to spare. */
static size_t longer_bytes(const lmdb_store_t *store, const journal_t *journal) {
    struct statvfs disk;
    size_t bytes = journal->bytes * 2;
    if (journal->used < journal->bytes / 2 || bytes > JOURNAL_BYTES_MAX ||
        fstatvfs(store->file, &disk) != 0) {
        return 0;
    }
    return (uint64_t)disk.f_bavail * disk.f_frsize / JOURNAL_DISK_SHARE >= bytes ? bytes : 0;
}

static void folding_start(folding_t *folding) {
    folding->under_way = true;
    folding->has_thread = thread_start(&folding->thread, folding_run, folding);
    if (!folding->has_thread) {
        folding_do(folding);
    }
}

void lmdb_fold_run(lmdb_store_t *store, run_t *run) {
    folding_t *folding = &store->folding;
    ASSERT(!folding->under_way && !run_is_empty(run));
    *folding = (folding_t){.env = store->env,
                           .tables = store->tables,
                           .run = run,
                           .salt = run->journal.salt + 1,
                           .longer_bytes = longer_bytes(store, &run->journal)};
    folding_start(folding);
}

/* Whether the thread has ended; then it is joined. */
static bool folding_ended(folding_t *folding, bool waits) {
    if (!folding->has_thread) {
        return true;
    }
    int code =
        waits ? pthread_join(folding->thread, NULL) : pthread_tryjoin_np(folding->thread, NULL);
    ASSERT(code == 0 || code == EBUSY);
    return code == 0;
}

/* A tool that was killed while it read keeps the pages that it saw from being used again: whether
 * there was one, so that they are free now. */
static bool readers_clear(lmdb_store_t *store) {
    int dead = 0;
    return mdb_reader_check(store->env, &dead) == 0 && dead > 0;
}

/* Doubles the map; without the address space for that, tries to keep the one that there was. */
static store_error_t map_grow(lmdb_store_t *store) {
    if (store->map_bytes > SIZE_MAX / 2) {
        return STORE_FULL;
    }
    int code = mdb_env_set_mapsize(store->env, store->map_bytes * 2);
    if (code == 0) {
        store->map_bytes *= 2;
        return STORE_OK;
    }
    store->unmapped = mdb_env_set_mapsize(store->env, store->map_bytes) != 0;
    return STORE_IO;
}

store_error_t lmdb_make_room(lmdb_store_t *store) {
    return readers_clear(store) ? STORE_OK : map_grow(store);
}

/* The tables have it. What memory a busier time needed is given back. */
static void run_end(run_t *run, uint64_t salt) {
    bool was_busier = run->frames.length < run->frames.room / 4;
    run_restart(run, salt, run->journal.number);
    if (was_busier) {
        run_shrink(run);
    }
}

store_error_t lmdb_fold_settle(lmdb_store_t *store, bool waits) {
    folding_t *folding = &store->folding;
    while (folding->under_way && folding_ended(folding, waits)) {
        folding->under_way = false;
        if (folding->code == 0) {
            run_end(folding->run, folding->salt);
            return STORE_OK;
        }
        if (folding->code != MDB_MAP_FULL) {
            return lmdb_write_error(store, folding->code);
        }
        /* A map cannot grow under a transaction, so the run is folded from its start. */
        store_error_t error = lmdb_make_room(store);
        if (error != STORE_OK) {
            return error;
        }
        folding_start(folding);
    }
    return STORE_OK;
}

/* From here on commits go to the other run, which is empty. */
static run_t *turn_over(lmdb_store_t *store) {
    run_t *full = lmdb_current(store);
    store->current = 1 - store->current;
    ASSERT(run_is_empty(lmdb_current(store)));
    run_restart(lmdb_current(store), full->journal.salt + 1, full->journal.number);
    return full;
}

static bool can_write(const lmdb_store_t *store) {
    return !store->failed && !store->unmapped;
}

store_error_t lmdb_fold_begin(store_t *base) {
    lmdb_store_t *store = (lmdb_store_t *)base;
    ASSERT(!store->reading && !store->reads_only);
    if (!can_write(store)) {
        return STORE_IO;
    }
    if (store->writer.txn != NULL) {
        return lmdb_recover(store);
    }
    store_error_t error = lmdb_fold_settle(store, false);
    if (error != STORE_OK || store->folding.under_way) {
        return error;
    }
    if (!run_is_empty(lmdb_older(store))) {
        lmdb_fold_run(store, lmdb_older(store)); /* once more: it failed the last time */
    } else if (!run_is_empty(lmdb_current(store))) {
        lmdb_fold_run(store, turn_over(store));
    } else {
        run_shrink(lmdb_current(store));
        run_shrink(lmdb_older(store));
    }
    return STORE_OK;
}

store_error_t lmdb_fold(store_t *base) {
    lmdb_store_t *store = (lmdb_store_t *)base;
    ASSERT(!store->reading);
    if (store->reads_only) {
        return lmdb_await_fold(store);
    }
    store_error_t error = STORE_OK;
    while (error == STORE_OK && lmdb_unfolded(base)) {
        error = lmdb_fold_begin(base);
        if (error == STORE_OK) {
            error = lmdb_fold_settle(store, true);
        }
    }
    return error;
}

bool lmdb_unfolded(const store_t *base) {
    const lmdb_store_t *store = (const lmdb_store_t *)base;
    return store->writer.txn != NULL || !run_is_empty(&store->runs[0]) ||
           !run_is_empty(&store->runs[1]);
}
