/*
 * Commits a batch of records: appends it to the journal of the current run, synced. The tables get
 * it when the run is folded. Must never keep a part of a batch, and never return before the disk
 * has it.
 */
#include "changes.h"
#include "lmdb_store.h"

#include "base/assert.h"

static size_t frame_bytes(const run_t *run, size_t offset) {
    return run->frames.length - offset;
}

/* The records as a frame behind those of the run, without its head; what reads will want of it
 * stands in store->fresh. */
static store_error_t frame_encode(lmdb_store_t *store, run_t *run, const record_t *records,
                                  size_t count, uint64_t *last_position) {
    size_t offset = run->frames.length;
    (void)buffer_reserve(&run->frames, JOURNAL_HEAD_BYTES);
    run->frames.length += JOURNAL_HEAD_BYTES;
    recent_reset(&store->fresh);
    store_error_t error =
        changes_encode(&run->frames, &store->fresh, records, count, last_position);
    if (error != STORE_OK) {
        run->frames.length = offset;
    }
    return error;
}

/* Waits until everything older than the current run is in the tables. What kept the older run out
 * of them before may be over, so that it is tried again. */
static store_error_t older_fold(lmdb_store_t *store) {
    store_error_t error = lmdb_fold_settle(store, true);
    if (run_is_empty(lmdb_older(store)) || store->unmapped) {
        return error;
    }
    lmdb_fold_run(store, lmdb_older(store));
    return lmdb_fold_settle(store, true);
}

/* The journal has no room behind the frames before: they are folded, and the frame becomes the
 * first of the other run. That one may have to be waited for. */
static store_error_t turn_over(lmdb_store_t *store, size_t offset) {
    run_t *full = lmdb_current(store);
    size_t bytes = frame_bytes(full, offset);
    full->frames.length = offset;
    store_error_t error = older_fold(store);
    if (error == STORE_OK && offset > 0) {
        error = lmdb_fold_begin(&store->base);
        ASSERT(error != STORE_OK || lmdb_current(store) != full);
    }
    if (error == STORE_OK) {
        /* What stood behind its end is still there: the thread that folds it only reads. */
        buffer_t *frames = &lmdb_current(store)->frames;
        memmove(buffer_reserve(frames, bytes), full->frames.bytes + offset, bytes);
        frames->length = bytes;
    }
    return error;
}

/* Whether LMDB knows what is on the disk: after a failure to say which of its two heads counts it
 * does not, and begins no transaction any more. */
static bool is_sure(const lmdb_store_t *store) {
    MDB_txn *txn;
    int code = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (code == 0) {
        mdb_txn_abort(txn);
    }
    return code == 0;
}

/* The frame is longer than the whole journal, or there is none: it goes straight into the tables,
 * behind all others. */
static store_error_t commit_beside(lmdb_store_t *store) {
    run_t *run = lmdb_current(store);
    store_error_t error = older_fold(store);
    if (error == STORE_OK) {
        journal_seal(&run->journal, run->frames.bytes, run->frames.length);
        lmdb_fold_run(store, run);
        error = lmdb_fold_settle(store, true);
    }
    if (error != STORE_OK) {
        run_restart(run, run->journal.salt, run->journal.number);
        store->failed = store->unmapped || !is_sure(store);
    }
    return error;
}

static store_error_t commit_frame(lmdb_store_t *store, size_t offset) {
    run_t *run = lmdb_current(store);
    if (!journal_fits(&run->journal, frame_bytes(run, offset))) {
        store_error_t error = turn_over(store, offset);
        if (error != STORE_OK) {
            return error;
        }
        run = lmdb_current(store);
        offset = 0;
        if (!journal_fits(&run->journal, frame_bytes(run, 0))) {
            return commit_beside(store);
        }
    }
    char *frame = run->frames.bytes + offset;
    journal_seal(&run->journal, frame, frame_bytes(run, offset));
    store_error_t error = journal_append(&run->journal, frame, frame_bytes(run, offset));
    if (error == STORE_OK) {
        recent_merge(&run->recent, &store->fresh, offset + JOURNAL_HEAD_BYTES);
    } else {
        run->frames.length = offset;
        store->failed = true;
    }
    return error;
}

/* A run is folded in good time, so that the next one need not be waited for, and in small parts,
 * because other writes wait while the disk is busy with one. What stands in the way of that need
 * not stand in the way of this commit; who calls store_fold_begin is told. */
static void fold_early(lmdb_store_t *store) {
    const journal_t *journal = &lmdb_current(store)->journal;
    if (journal->used > 0 &&
        (journal->used >= journal->bytes / 2 || journal->used >= JOURNAL_FOLD_BYTES)) {
        (void)lmdb_fold_begin(&store->base);
    }
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
    store_error_t error = store->writer.txn == NULL ? STORE_OK : lmdb_recover(store);
    if (error != STORE_OK) {
        return error;
    }
    fold_early(store);
    run_t *run = lmdb_current(store);
    size_t offset = run->frames.length;
    uint64_t last_position = store->last_position;
    error = frame_encode(store, run, records, count, &last_position);
    if (error == STORE_OK) {
        error = commit_frame(store, offset);
    }
    if (error == STORE_OK) {
        store->last_position = last_position;
    }
    return error;
}
