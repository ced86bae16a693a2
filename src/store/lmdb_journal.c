/*
 * The journal of a store: which run of it counts, and what is done with one that a process left
 * behind. Must never throw a run away that the tables do not hold.
 */
#include "lmdb_store.h"
#include "row.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/random.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#define AWAIT_STEP_MS 20

int lmdb_put_salt(MDB_txn *txn, MDB_dbi meta, uint64_t *salt) {
    uint8_t bytes[sizeof *salt];
    row_writer_t writer = {.at = bytes, .end = bytes + sizeof bytes};
    random_bytes(salt, sizeof *salt);
    row_put_u64(&writer, *salt);
    return lmdb_meta_put(txn, meta, LMDB_META_JOURNAL, bytes, sizeof bytes);
}

typedef struct salt_request {
    uint64_t salt;
    bool found;
} salt_request_t;

static store_error_t read_salt(lmdb_store_t *store, void *context) {
    salt_request_t *request = context;
    span_t row;
    request->found = false;
    store_error_t error =
        lmdb_meta_get(store->view, store->tables[TABLE_META], LMDB_META_JOURNAL, &row);
    if (error != STORE_OK || row.bytes == NULL) {
        return error;
    }
    row_reader_t reader = {.at = row.bytes, .left = row.length};
    request->salt = row_u64(&reader);
    request->found = row_complete(&reader);
    return request->found ? STORE_OK : STORE_CORRUPT;
}

/* Makes a store of schema 1, which had no journal, one of today's. */
static store_error_t upgrade(lmdb_store_t *store, uint64_t *salt) {
    MDB_dbi meta = store->tables[TABLE_META];
    MDB_txn *txn;
    int code = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (code != 0) {
        return lmdb_error(code);
    }
    code = lmdb_put_schema(txn, meta);
    if (code == 0) {
        code = lmdb_put_salt(txn, meta, salt);
    }
    if (code != 0) {
        mdb_txn_abort(txn);
        return lmdb_error(code);
    }
    return lmdb_write_error(store, mdb_txn_commit(txn));
}

static store_error_t file_open(lmdb_store_t *store, const char *file, bool create) {
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s-journal", file);
    if (length < 0 || (size_t)length >= sizeof path) {
        return STORE_IO;
    }
    return journal_open(&store->journal, path, create);
}

static int count_frame(void *context, span_t payload) {
    (void)context;
    (void)payload;
    return 0;
}

static store_error_t frames_count(lmdb_store_t *store) {
    int code;
    return journal_replay(&store->journal, count_frame, NULL, &code);
}

store_error_t lmdb_journal_open(lmdb_store_t *store, const char *file) {
    salt_request_t request;
    store_error_t error = lmdb_read(store, read_salt, &request);
    if (error == STORE_OK && !request.found) {
        error = upgrade(store, &request.salt);
    }
    if (error == STORE_OK) {
        error = file_open(store, file, true);
    }
    if (error != STORE_OK) {
        return error;
    }
    journal_restart(&store->journal, request.salt);
    error = frames_count(store);
    if (error == STORE_OK && store->journal.frames > 0) {
        error = lmdb_recover(store);
    }
    if (error == STORE_OK) {
        /* On a full disk there may be none; then each commit is a transaction of its own. */
        (void)journal_reserve(&store->journal, JOURNAL_BYTES_START);
    }
    return error;
}

store_error_t lmdb_journal_open_reader(lmdb_store_t *store, const char *file) {
    return file_open(store, file, false);
}

/* Whether the tables, as they are now, want frames of the journal that are there. */
static store_error_t behind_journal(lmdb_store_t *store, uint64_t *salt, bool *behind) {
    salt_request_t request;
    store_error_t error = lmdb_read(store, read_salt, &request);
    *behind = false;
    if (error != STORE_OK || !request.found || store->journal.file < 0) {
        return error;
    }
    *salt = request.salt;
    journal_restart(&store->journal, request.salt);
    error = journal_size(&store->journal);
    if (error == STORE_OK) {
        error = frames_count(store);
    }
    *behind = store->journal.frames > 0;
    return error;
}

/* A realm that runs holds this lock. */
static bool is_deserted(const lmdb_store_t *store) {
    if (flock(store->file, LOCK_EX | LOCK_NB) != 0) {
        return false;
    }
    (void)flock(store->file, LOCK_UN);
    return true;
}

bool lmdb_is_abandoned(lmdb_store_t *store) {
    uint64_t salt;
    bool behind;
    return behind_journal(store, &salt, &behind) == STORE_OK && behind && is_deserted(store);
}

store_error_t lmdb_await_fold(lmdb_store_t *store) {
    const struct timespec step = {.tv_nsec = AWAIT_STEP_MS * 1000000L};
    uint64_t first = 0;
    bool behind = false;
    store_error_t error = behind_journal(store, &first, &behind);
    uint64_t now = first;
    for (int waited_ms = 0; error == STORE_OK && behind && now == first;
         waited_ms += AWAIT_STEP_MS) {
        if (is_deserted(store)) {
            return STORE_UNFOLDED;
        }
        if (waited_ms >= JOURNAL_AWAIT_MS) {
            return STORE_BUSY;
        }
        (void)nanosleep(&step, NULL);
        error = behind_journal(store, &now, &behind);
    }
    return error;
}
