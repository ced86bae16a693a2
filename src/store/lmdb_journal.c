/*
 * The journals of a store: which runs count, and what is done with those that a process left
 * behind. Must never throw a run away that the tables do not hold.
 *
 * Two files, each with a run. The tables say under which salt the older run stands that they do not
 * hold yet; the next one has that salt and one. Who finds none of the first finds none at all.
 */
#include "changes.h"
#include "lmdb_store.h"
#include "row.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/random.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>

#define AWAIT_STEP_MS 20

uint64_t lmdb_new_salt(void) {
    uint64_t salt;
    random_bytes(&salt, sizeof salt);
    return salt;
}

int lmdb_put_salt(MDB_txn *txn, MDB_dbi meta, uint64_t salt) {
    uint8_t bytes[sizeof salt];
    row_writer_t writer = {.at = bytes, .end = bytes + sizeof bytes};
    row_put_u64(&writer, salt);
    return lmdb_meta_put(txn, meta, LMDB_META_JOURNAL, bytes, sizeof bytes);
}

/* What the tables say: the salt, unless they are of the time before journals, and where the log
 * ends. */
typedef struct tables_end {
    uint64_t salt;
    bool has_salt;
    uint64_t last_position;
} tables_end_t;

static store_error_t read_end(lmdb_store_t *store, void *context) {
    tables_end_t *end = context;
    span_t row;
    *end = (tables_end_t){0};
    store_error_t error = lmdb_error(writer_log_end(store->log_cursor, &end->last_position));
    if (error != STORE_OK) {
        return error;
    }
    error = lmdb_meta_get(store->view, store->tables[TABLE_META], LMDB_META_JOURNAL, &row);
    if (error != STORE_OK || row.bytes == NULL) {
        return error;
    }
    row_reader_t reader = {.at = row.bytes, .left = row.length};
    end->salt = row_u64(&reader);
    end->has_salt = row_complete(&reader);
    return end->has_salt ? STORE_OK : STORE_CORRUPT;
}

/* Gives a salt to a store of the time before journals. */
static store_error_t salt_make(lmdb_store_t *store, tables_end_t *end) {
    MDB_txn *txn;
    int code = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (code != 0) {
        return lmdb_error(code);
    }
    end->salt = lmdb_new_salt();
    code = lmdb_put_salt(txn, store->tables[TABLE_META], end->salt);
    if (code != 0) {
        mdb_txn_abort(txn);
        return lmdb_error(code);
    }
    return lmdb_write_error(store, mdb_txn_commit(txn));
}

static store_error_t files_open(lmdb_store_t *store, const char *file, bool create) {
    static const char *const ends[] = {"-journal", "-journal2"};
    store_error_t error = STORE_OK;
    for (size_t i = 0; i < 2 && error == STORE_OK; i++) {
        char path[PATH_MAX];
        int length = snprintf(path, sizeof path, "%s%s", file, ends[i]);
        if (length < 0 || (size_t)length >= sizeof path) {
            return STORE_IO;
        }
        error = journal_open(&store->runs[i].journal, path, create);
    }
    return error;
}

static int frame_skip(void *context, span_t payload) {
    (void)context;
    (void)payload;
    return 0;
}

/* Counts the frames that a file has under a salt. */
static store_error_t frames_count(journal_t *journal, uint64_t salt) {
    int code;
    journal_restart(journal, salt, 0);
    return journal_replay(journal, frame_skip, NULL, &code);
}

/* Finds the runs: the one under the salt of the tables becomes the older one, in whichever file it
 * is. */
static store_error_t runs_find(lmdb_store_t *store, uint64_t salt) {
    store_error_t error = STORE_OK;
    bool found = false;
    for (size_t i = 0; i < 2 && error == STORE_OK && !found; i++) {
        store->current = 1 - i;
        journal_t *older = &lmdb_older(store)->journal;
        journal_t *newer = &lmdb_current(store)->journal;
        error = frames_count(older, salt);
        if (error == STORE_OK) {
            error = frames_count(newer, salt + 1);
        }
        found = older->frames > 0 || newer->frames > 0;
    }
    return error;
}

/* The newer run goes on where the older one ends; else commits are missing in between. */
static bool runs_are_whole(lmdb_store_t *store) {
    const journal_t *older = &lmdb_older(store)->journal;
    const journal_t *newer = &lmdb_current(store)->journal;
    return newer->frames == 0 ||
           (older->frames > 0 && newer->number - newer->frames == older->number);
}

static int replay_frame(void *context, span_t payload) {
    return changes_apply(context, payload);
}

static int run_replay(lmdb_store_t *store, journal_t *journal) {
    int code;
    store_error_t error = journal_replay(journal, replay_frame, &store->writer, &code);
    return error == STORE_OK ? code : EIO;
}

/* Begins a transaction with what both runs hold. */
static int writer_build(lmdb_store_t *store) {
    writer_drop(&store->writer);
    int code = writer_begin(&store->writer, store->env, store->tables);
    if (code == 0) {
        code = run_replay(store, &lmdb_older(store)->journal);
    }
    if (code == 0) {
        code = run_replay(store, &lmdb_current(store)->journal);
    }
    if (code == 0) {
        code = writer_flush(&store->writer); /* it may have to be read as it is */
    }
    if (code != 0) {
        writer_drop(&store->writer); /* a part of the journals must never be folded */
    }
    return code;
}

static store_error_t build_with_room(lmdb_store_t *store, int code) {
    while (code == MDB_MAP_FULL) {
        store_error_t error = lmdb_make_room(store);
        if (error != STORE_OK) {
            return error;
        }
        code = writer_build(store);
    }
    return lmdb_write_error(store, code);
}

static void runs_restart(lmdb_store_t *store, uint64_t salt) {
    store->current = 0;
    run_restart(&store->runs[0], salt, 0);
    run_restart(&store->runs[1], salt + 1, 0);
}

store_error_t lmdb_recover(lmdb_store_t *store) {
    uint64_t salt = lmdb_new_salt();
    int code = store->writer.txn == NULL ? writer_build(store) : 0;
    store_error_t error;
    do {
        error = build_with_room(store, code);
        if (error != STORE_OK) {
            store->failed = true;
            return error;
        }
        store->last_position = store->writer.last_position;
        code = writer_commit(&store->writer, salt);
    } while (code == MDB_MAP_FULL);
    if (code == 0) {
        runs_restart(store, salt);
        return STORE_OK;
    }
    error = lmdb_write_error(store, code);
    store->failed = build_with_room(store, writer_build(store)) != STORE_OK;
    return error;
}

/* Takes in what the last process left, if it left anything. On a full disk that can be read at
 * least. */
static store_error_t take_in(lmdb_store_t *store, uint64_t salt) {
    store_error_t error = runs_find(store, salt);
    if (error != STORE_OK) {
        return error;
    }
    if (!runs_are_whole(store)) {
        return STORE_CORRUPT;
    }
    if (lmdb_older(store)->journal.frames == 0) { /* nor of the newer one, then */
        runs_restart(store, salt);
        return STORE_OK;
    }
    error = lmdb_recover(store);
    return store->failed ? error : STORE_OK;
}

store_error_t lmdb_journal_open(lmdb_store_t *store, const char *file) {
    tables_end_t end;
    store_error_t error = lmdb_read(store, read_end, &end);
    if (error == STORE_OK && !end.has_salt) {
        error = salt_make(store, &end);
    }
    if (error == STORE_OK) {
        error = files_open(store, file, true);
    }
    if (error == STORE_OK) {
        store->last_position = end.last_position;
        error = take_in(store, end.salt);
    }
    for (size_t i = 0; i < 2 && error == STORE_OK; i++) {
        /* On a full disk there may be none; then each commit is a transaction of its own. */
        (void)journal_reserve(&store->runs[i].journal, JOURNAL_BYTES_START);
    }
    return error;
}

store_error_t lmdb_journal_open_reader(lmdb_store_t *store, const char *file) {
    return files_open(store, file, false);
}

/* What a reader waits for: that the tables have another salt than these. */
typedef struct unfolded {
    uint64_t salt;
    size_t runs; /* 0: nothing is to be waited for */
} unfolded_t;

/* Whether the tables, as they are now, want frames of the journals that are there. While a realm
 * writes them the files may say something of later already: that is one wait too many at worst. */
static store_error_t look_behind(lmdb_store_t *store, unfolded_t *unfolded) {
    tables_end_t end;
    store_error_t error = lmdb_read(store, read_end, &end);
    *unfolded = (unfolded_t){0};
    if (error != STORE_OK || !end.has_salt) {
        return error;
    }
    for (size_t i = 0; i < 2 && error == STORE_OK; i++) {
        error = store->runs[i].journal.file < 0 ? STORE_OK : journal_size(&store->runs[i].journal);
    }
    if (error == STORE_OK) {
        error = runs_find(store, end.salt);
    }
    unfolded->salt = end.salt;
    if (lmdb_current(store)->journal.frames > 0) {
        unfolded->runs = 2;
    } else if (lmdb_older(store)->journal.frames > 0) {
        unfolded->runs = 1;
    }
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
    unfolded_t now;
    return look_behind(store, &now) == STORE_OK && now.runs > 0 && is_deserted(store);
}

store_error_t lmdb_await_fold(lmdb_store_t *store) {
    const struct timespec step = {.tv_nsec = AWAIT_STEP_MS * 1000000L};
    unfolded_t first;
    store_error_t error = look_behind(store, &first);
    unfolded_t now = first;
    for (int waited_ms = 0; error == STORE_OK && now.runs > 0 && now.salt - first.salt < first.runs;
         waited_ms += AWAIT_STEP_MS) {
        if (is_deserted(store)) {
            return STORE_UNFOLDED;
        }
        if (waited_ms >= JOURNAL_AWAIT_MS) {
            return STORE_BUSY;
        }
        (void)nanosleep(&step, NULL);
        error = look_behind(store, &now);
    }
    return error;
}
