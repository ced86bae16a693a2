/*
 * Commits a batch of records: makes its changes in the transaction under way and appends them to
 * the journal, synced. Once in a while the transaction itself is committed, which makes the journal
 * void. Must never keep a part of a batch, and never return before the disk has it.
 */
#include "changes.h"
#include "lmdb_store.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/random.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

static const span_t no_changes = {"", 0};

void lmdb_writer_drop(lmdb_store_t *store) {
    ASSERT(!store->reading);
    if (store->writer != NULL) {
        mdb_txn_abort(store->writer); /* and its cursor */
        store->writer = NULL;
        store->append_cursor = NULL;
    }
}

static int writer_begin(lmdb_store_t *store) {
    int code = mdb_txn_begin(store->env, NULL, 0, &store->writer);
    if (code != 0) {
        store->writer = NULL;
        return code;
    }
    code = changes_begin(store);
    if (code != 0) {
        lmdb_writer_drop(store);
    }
    return code;
}

static int replay_frame(void *context, span_t payload) {
    lmdb_store_t *store = context;
    return changes_apply(store, payload);
}

/* Begins the transaction anew: what the journal holds, then `changes`. */
static int writer_build(lmdb_store_t *store, span_t changes) {
    lmdb_writer_drop(store);
    int code = writer_begin(store);
    if (code != 0) {
        return code;
    }
    store_error_t error = journal_replay(&store->journal, replay_frame, store, &code);
    if (error != STORE_OK) {
        return EIO;
    }
    return code == 0 ? changes_apply(store, changes) : code;
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

/* The map is full. A map cannot grow under a transaction, so that one is built again after it. */
static store_error_t make_room(lmdb_store_t *store) {
    lmdb_writer_drop(store);
    return readers_clear(store) ? STORE_OK : map_grow(store);
}

/* After a failure: back to what is committed. Without that nothing can be written any more. */
static void writer_restore(lmdb_store_t *store) {
    lmdb_writer_drop(store);
    if (store->unmapped) {
        store->failed = true;
    } else if (store->journal.frames > 0) {
        store->failed = writer_build(store, no_changes) != 0;
    }
    if (store->failed) {
        lmdb_writer_drop(store);
    }
}

/* What a transaction's `code` comes to once the map has been grown for it. */
static store_error_t build_with_room(lmdb_store_t *store, span_t changes, int code) {
    while (code == MDB_MAP_FULL) {
        store_error_t error = make_room(store);
        if (error != STORE_OK) {
            return error;
        }
        code = writer_build(store, changes);
    }
    return lmdb_write_error(store, code);
}

/* Adds the changes of a commit to the transaction under way. */
static store_error_t take(lmdb_store_t *store, span_t changes) {
    int code = store->writer == NULL ? writer_begin(store) : 0;
    if (code == 0) {
        code = changes_apply(store, changes);
    }
    return build_with_room(store, changes, code);
}

/* Commits the transaction under a new salt. It is gone afterwards, whatever comes of it. */
static int writer_commit(lmdb_store_t *store, uint64_t *salt) {
    int code = lmdb_put_salt(store->writer, store->tables[TABLE_META], salt);
    if (code != 0) {
        lmdb_writer_drop(store);
        return code;
    }
    MDB_txn *txn = store->writer;
    store->writer = NULL;
    store->append_cursor = NULL;
    return mdb_txn_commit(txn);
}

/* Whoever fills the journal before its time is up gets a longer one, as far as the disk has room
 * to spare. Without it everything works, only slower. */
static void journal_grow(lmdb_store_t *store, size_t used) {
    struct statvfs disk;
    size_t bytes = store->journal.bytes * 2;
    if (used < store->journal.bytes / 2 || bytes > JOURNAL_BYTES_MAX ||
        fstatvfs(store->file, &disk) != 0) {
        return;
    }
    if ((uint64_t)disk.f_bavail * disk.f_frsize / JOURNAL_DISK_SHARE >= bytes) {
        (void)journal_reserve(&store->journal, bytes);
    }
}

/* Commits the transaction; `changes` are what of it is not in the journal. */
static store_error_t fold(lmdb_store_t *store, span_t changes) {
    uint64_t salt = 0;
    int code = writer_commit(store, &salt);
    while (code == MDB_MAP_FULL) {
        store_error_t error = build_with_room(store, changes, code);
        if (error != STORE_OK) {
            return error;
        }
        code = writer_commit(store, &salt);
    }
    if (code != 0) {
        return lmdb_write_error(store, code);
    }
    size_t used = store->journal.used;
    journal_restart(&store->journal, salt);
    journal_grow(store, used);
    return STORE_OK;
}

store_error_t lmdb_fold(store_t *base) {
    lmdb_store_t *store = (lmdb_store_t *)base;
    ASSERT(!store->reading);
    if (store->reads_only) {
        return lmdb_await_fold(store);
    }
    if (store->failed) {
        return STORE_IO;
    }
    if (store->writer == NULL) {
        return STORE_OK;
    }
    store_error_t error = fold(store, no_changes);
    if (error != STORE_OK) {
        writer_restore(store);
    }
    return error;
}

store_error_t lmdb_recover(lmdb_store_t *store) {
    int code = writer_build(store, no_changes);
    store_error_t error = build_with_room(store, no_changes, code);
    if (error != STORE_OK) {
        lmdb_writer_drop(store); /* a part of the journal must never be folded */
        store->failed = true;
        return error;
    }
    if (fold(store, no_changes) != STORE_OK) {
        writer_restore(store); /* on a full disk it can be read at least */
    }
    return store->failed ? STORE_IO : STORE_OK;
}

bool lmdb_unfolded(const store_t *base) {
    const lmdb_store_t *store = (const lmdb_store_t *)base;
    return store->writer != NULL;
}

/* The records of a commit as a frame that has no head yet. */
static store_error_t frame_encode(lmdb_store_t *store, const record_t *records, size_t count) {
    buffer_reset(&store->frame);
    (void)buffer_reserve(&store->frame, JOURNAL_HEAD_BYTES);
    store->frame.length = JOURNAL_HEAD_BYTES;
    return changes_encode(&store->frame, records, count);
}

static store_error_t commit_frame(lmdb_store_t *store) {
    const buffer_t *frame = &store->frame;
    const span_t changes = {frame->bytes + JOURNAL_HEAD_BYTES, frame->length - JOURNAL_HEAD_BYTES};
    store_error_t error = take(store, changes);
    if (error == STORE_OK && !journal_fits(&store->journal, frame->length)) {
        error = fold(store, changes); /* longer than the whole journal, or there is none */
    } else if (error == STORE_OK) {
        error = journal_append(&store->journal, &store->frame);
        store->failed = error != STORE_OK;
    }
    return error;
}

store_error_t lmdb_commit(store_t *base, const record_t *records, size_t count) {
    lmdb_store_t *store = (lmdb_store_t *)base;
    ASSERT(!store->reading);
    if (store->failed || store->unmapped || store->reads_only) {
        return STORE_IO;
    }
    if (count == 0) {
        return STORE_OK;
    }
    store_error_t error = frame_encode(store, records, count);
    if (error == STORE_OK && store->writer != NULL &&
        !journal_fits(&store->journal, store->frame.length)) {
        error = lmdb_fold(base);
    }
    if (error != STORE_OK) {
        return error;
    }
    error = commit_frame(store);
    if (error != STORE_OK && store->failed) {
        lmdb_writer_drop(store);
    } else if (error != STORE_OK) {
        writer_restore(store);
    }
    return error;
}
