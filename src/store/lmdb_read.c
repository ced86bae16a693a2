/*
 * Small things that every file of the LMDB engine needs: error codes, values, the read
 * transaction. Must never let an LMDB code, or an assertion of LMDB about the file, through to the
 * caller of the store.
 */
#include "lmdb_store.h"

#include "base/assert.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

/* Below this much free space a write that came out short is taken for a full disk. */
#define SPARE_BYTES (1024ULL * 1024)

store_error_t lmdb_error(int code) {
    switch (code) {
    case MDB_SUCCESS:
        return STORE_OK;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return STORE_FULL;
    case MDB_VERSION_MISMATCH: /* the format of a newer LMDB */
        return STORE_NEWER;
    case MDB_KEYEXIST: /* a position that is not behind the last one */
    case MDB_NOTFOUND: /* where something has to be */
    case MDB_PAGE_NOTFOUND:
    case MDB_CORRUPTED:
    case MDB_INVALID:
    case MDB_INCOMPATIBLE:
    case MDB_BAD_VALSIZE:
        return STORE_CORRUPT;
    default:
        return STORE_IO;
    }
}

store_error_t lmdb_write_error(const lmdb_store_t *store, int code) {
    /* LMDB reports a write that came out short as EIO, and the usual reason is a full disk. */
    struct statvfs disk;
    if (code == EIO && fstatvfs(store->file, &disk) == 0 &&
        (uint64_t)disk.f_bavail * disk.f_frsize < SPARE_BYTES) {
        return STORE_FULL;
    }
    return lmdb_error(code);
}

MDB_val lmdb_value(const void *bytes, size_t length) {
    /* LMDB takes keys and values by pointers that are not const, and only reads through them. */
    union {
        const void *borrowed;
        void *bytes;
    } pointer = {.borrowed = bytes};
    return (MDB_val){.mv_size = length, .mv_data = pointer.bytes};
}

span_t lmdb_span(const MDB_val *value) {
    return (span_t){.bytes = value->mv_data, .length = value->mv_size};
}

bool lmdb_block_open(block_reader_t *reader, const MDB_val *key, const MDB_val *block) {
    uint64_t position;
    if (key->mv_size != sizeof position) {
        return false;
    }
    memcpy(&position, key->mv_data, sizeof position);
    *reader = block_open(position, lmdb_span(block));
    return !block_damaged(reader);
}

/* Where another process writes the file, it may have outgrown our map since. */
int lmdb_map_follow(lmdb_store_t *store, int code) {
    return code == MDB_MAP_RESIZED && store->reads_only ? mdb_env_set_mapsize(store->env, 0) : code;
}

static int reader_renew(lmdb_store_t *store) {
    int code = mdb_txn_renew(store->reader);
    if (code != MDB_MAP_RESIZED) {
        return code;
    }
    code = lmdb_map_follow(store, code);
    return code == 0 ? mdb_txn_renew(store->reader) : code;
}

static store_error_t read_begin(lmdb_store_t *store) {
    if (store->unmapped) {
        return STORE_IO;
    }
    int code = reader_renew(store);
    if (code != 0) {
        return lmdb_error(code);
    }
    code = mdb_cursor_renew(store->reader, store->reader_cursor);
    if (code != 0) {
        mdb_txn_reset(store->reader);
        return lmdb_error(code);
    }
    store->view = store->reader;
    store->log_cursor = store->reader_cursor;
    return STORE_OK;
}

/* What could not be taken in at the start stands in the transaction under way only. */
static store_error_t view_begin(lmdb_store_t *store) {
    MDB_txn *txn = store->writer.txn;
    if (txn == NULL) {
        return read_begin(store);
    }
    int code = mdb_cursor_open(txn, store->tables[TABLE_LOG], &store->log_cursor);
    store->view = code == 0 ? txn : NULL;
    return lmdb_error(code);
}

static void view_end(lmdb_store_t *store) {
    if (store->load_cursor != NULL) {
        mdb_cursor_close(store->load_cursor);
        store->load_cursor = NULL;
    }
    if (store->view == store->writer.txn) {
        mdb_cursor_close(store->log_cursor);
    } else {
        mdb_txn_reset(store->reader);
    }
    store->view = NULL;
    store->log_cursor = NULL;
}

/* A read holds no lock and nothing of LMDB's that could be left half-changed: it may be left by a
 * jump. A fold, in a thread of its own or not, may not; there LMDB goes on to abort the process. */
void lmdb_page_damaged(MDB_env *env, const char *message) {
    (void)message;
    lmdb_store_t *store = mdb_env_get_userctx(env);
    if (pthread_equal(store->owner, pthread_self()) && store->reading) {
        longjmp(store->damaged, 1);
    }
}

static store_error_t read_guarded(lmdb_store_t *store, lmdb_read_fn *read, void *context) {
    if (setjmp(store->damaged) != 0) {
        return STORE_CORRUPT;
    }
    return read(store, context);
}

store_error_t lmdb_read(lmdb_store_t *store, lmdb_read_fn *read, void *context) {
    ASSERT(!store->reading);
    if (!pthread_equal(store->owner, pthread_self())) {
        store->owner = pthread_self(); /* it was opened in another thread */
    }
    store_error_t error = view_begin(store);
    if (error != STORE_OK) {
        return error;
    }
    store->reading = true;
    error = read_guarded(store, read, context);
    store->reading = false;
    view_end(store);
    return error;
}
