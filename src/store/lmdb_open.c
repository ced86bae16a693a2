/*
 * Opens, makes and closes a store in LMDB. Must never change a store of a newer schema or of
 * another realm, and never weaken the sync of a commit.
 */
#include "lmdb_store.h"
#include "row.h"
#include "store/lmdb.h"

#include "base/assert.h"
#include "base/memory.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* What LMDB makes its lock file for: 126 readers. */
#define LOCK_FILE_BYTES 8192
#define FILE_MODE       0600

static store_error_t system_error(void) {
    return lmdb_error(errno);
}

/* Each name is opened with these flags; the log and what is keyed by its positions or by mailboxes
 * have native integers as keys. */
typedef struct table {
    const char *name;
    unsigned int flags;
} table_t;

static int table_open(lmdb_store_t *store, MDB_txn *txn, table_id_t id, unsigned int create) {
    static const table_t tables[TABLE_COUNT] = {
        [TABLE_META] = {"meta", 0},
        [TABLE_LOG] = {"blocks", MDB_INTEGERKEY},
        [TABLE_HEADS] = {"heads", MDB_INTEGERKEY},
        [TABLE_ROWS] = {"rows", 0},
        [TABLE_VERDICTS] = {"verdicts", MDB_INTEGERKEY},
    };
    const table_t *table = &tables[id];
    int code = mdb_dbi_open(txn, table->name, table->flags | create, &store->tables[id]);
    if (code != 0) {
        return code;
    }
    unsigned int flags = 0;
    code = mdb_dbi_flags(txn, store->tables[id], &flags);
    return code == 0 && flags != table->flags ? MDB_INCOMPATIBLE : code;
}

int lmdb_table_make(lmdb_store_t *store, MDB_txn *txn, table_id_t id) {
    return table_open(store, txn, id, MDB_CREATE);
}

static int tables_open(lmdb_store_t *store, MDB_txn *txn, table_id_t first, unsigned int create) {
    int code = 0;
    for (table_id_t id = first; id < TABLE_COUNT && code == 0; id++) {
        code = table_open(store, txn, id, create);
    }
    return code;
}

/* Makes all tables of a new store. */
static store_error_t schema_make(lmdb_store_t *store, const name_t *realm) {
    MDB_txn *txn;
    int code = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (code != 0) {
        return lmdb_error(code);
    }
    code = tables_open(store, txn, TABLE_META, MDB_CREATE);
    MDB_dbi meta = store->tables[TABLE_META];
    if (code == 0) {
        code = lmdb_put_schema(txn, meta);
    }
    if (code == 0) {
        code = lmdb_put_salt(txn, meta, lmdb_new_salt());
    }
    if (code == 0) {
        code = lmdb_meta_put(txn, meta, LMDB_META_REALM, realm->text, realm->length);
        store->schema = LMDB_SCHEMA_VERSION;
    }
    if (code != 0) {
        mdb_txn_abort(txn);
        return lmdb_error(code);
    }
    return lmdb_write_error(store, mdb_txn_commit(txn));
}

static store_error_t version_check(lmdb_store_t *store, MDB_txn *txn) {
    span_t row;
    store_error_t error = lmdb_meta_get(txn, store->tables[TABLE_META], LMDB_META_SCHEMA, &row);
    if (error != STORE_OK) {
        return error;
    }
    row_reader_t reader = {.at = row.bytes, .left = row.length};
    uint32_t version = row_u32(&reader);
    store->schema = version;
    if (!row_complete(&reader)) {
        return STORE_CORRUPT;
    }
    if (version > LMDB_SCHEMA_VERSION) {
        return STORE_NEWER;
    }
    return version >= LMDB_SCHEMA_FIRST ? STORE_OK : STORE_CORRUPT;
}

/* A reader asks whose store it is: its `realm` is empty and gets filled in. */
static store_error_t realm_check(lmdb_store_t *store, MDB_txn *txn, name_t *realm) {
    span_t row;
    store_error_t error = lmdb_meta_get(txn, store->tables[TABLE_META], LMDB_META_REALM, &row);
    if (error != STORE_OK || row.bytes == NULL) {
        return error == STORE_OK ? STORE_CORRUPT : error;
    }
    if (store->reads_only) {
        return name_parse(realm, row) ? STORE_OK : STORE_CORRUPT;
    }
    bool same = row.length == realm->length && memcmp(row.bytes, realm->text, row.length) == 0;
    return same ? STORE_OK : STORE_OTHER;
}

/* Opens the tables of an existing store, `meta` first: a newer schema may have other tables. */
static store_error_t schema_check(lmdb_store_t *store, MDB_txn *txn, name_t *realm) {
    int code = table_open(store, txn, TABLE_META, 0);
    if (code != 0) {
        return lmdb_error(code);
    }
    store_error_t error = version_check(store, txn);
    if (error == STORE_OK) {
        error = realm_check(store, txn, realm);
    }
    if (error != STORE_OK || store->schema < LMDB_SCHEMA_BLOCKS) {
        return error;
    }
    return lmdb_error(tables_open(store, txn, TABLE_META + 1, 0));
}

/* What older programs wrote is not for who only reads: it is to be taken over first. */
static store_error_t reader_check(lmdb_store_t *store, MDB_txn *txn) {
    bool old = store->schema < LMDB_SCHEMA_BLOCKS;
    if (!store->reads_only || old) {
        return old && store->reads_only ? STORE_UNFOLDED : STORE_OK;
    }
    store_error_t error = lmdb_error(lmdb_upgrade_wanted(txn, &old));
    return error == STORE_OK && old ? STORE_UNFOLDED : error;
}

/* A store without a single table is new: it was never used, or power failed while it was made. */
static store_error_t schema_open(lmdb_store_t *store, name_t *realm) {
    MDB_txn *txn;
    int code = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
    if (code != 0) {
        return lmdb_error(code);
    }
    MDB_stat tables;
    code = mdb_env_stat(store->env, &tables);
    if (code != 0) {
        mdb_txn_abort(txn);
        return lmdb_error(code);
    }
    if (tables.ms_entries == 0) {
        mdb_txn_abort(txn);
        return store->reads_only ? STORE_CORRUPT : schema_make(store, realm);
    }
    store_error_t error = schema_check(store, txn, realm);
    if (error == STORE_OK) {
        error = reader_check(store, txn);
    }
    if (error != STORE_OK) {
        mdb_txn_abort(txn);
        return error;
    }
    /* Handles of tables outlive only a transaction that ends by commit. */
    return lmdb_error(mdb_txn_commit(txn));
}

/* Opens the tables, and makes those of an older schema today's. */
static store_error_t schema_settle(lmdb_store_t *store, name_t *realm) {
    store_error_t error = schema_open(store, realm);
    if (error == STORE_OK && store->schema < LMDB_SCHEMA_BLOCKS) {
        error = lmdb_upgrade_tables(store);
        if (error == STORE_OK) {
            error = schema_open(store, realm);
        }
    }
    return error;
}

/* The one read transaction and its cursor. */
static store_error_t reader_open(lmdb_store_t *store) {
    int code = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &store->reader);
    if (code != 0) {
        store->reader = NULL;
        return lmdb_error(code);
    }
    code = mdb_cursor_open(store->reader, store->tables[TABLE_LOG], &store->reader_cursor);
    if (code != 0) {
        store->reader_cursor = NULL;
    }
    mdb_txn_reset(store->reader);
    return lmdb_error(code);
}

/* A file that lost its end would kill us with SIGBUS when a lost page is read. Filled up with a
 * hole, such a page reads as zeros, which LMDB and the row codec refuse. Who only reads refuses
 * such a file. */
static store_error_t file_fill_up(lmdb_store_t *store) {
    MDB_envinfo info;
    MDB_stat pages;
    int code = mdb_env_info(store->env, &info);
    if (code == 0) {
        code = mdb_env_stat(store->env, &pages);
    }
    struct stat file;
    if (code != 0 || fstat(store->file, &file) != 0) {
        return code != 0 ? lmdb_error(code) : system_error();
    }
    size_t bytes = (info.me_last_pgno + 1) * pages.ms_psize;
    if (bytes > info.me_mapsize || bytes > INT64_MAX) {
        return STORE_CORRUPT;
    }
    if ((size_t)file.st_size >= bytes) {
        return STORE_OK;
    }
    if (store->reads_only) {
        return STORE_CORRUPT;
    }
    return ftruncate(store->file, (off_t)bytes) == 0 ? STORE_OK : system_error();
}

/* An existing store's map is as large as it was; a new one starts with STORE_MAP_BYTES_START. */
static store_error_t map_start(lmdb_store_t *store) {
    MDB_envinfo info;
    int code = mdb_env_info(store->env, &info);
    if (code != 0) {
        return lmdb_error(code);
    }
    store->map_bytes = info.me_mapsize;
    if (store->map_bytes < STORE_MAP_BYTES_START) {
        store->map_bytes = STORE_MAP_BYTES_START;
        code = mdb_env_set_mapsize(store->env, store->map_bytes);
    }
    return lmdb_error(code);
}

/* Reads in a mailbox jump about: read-ahead would fetch 32 pages for each one that is wanted. */
static store_error_t env_open(lmdb_store_t *store, const char *file) {
    int code = mdb_env_create(&store->env);
    if (code != 0) {
        store->env = NULL;
        return lmdb_error(code);
    }
    code = mdb_env_set_maxdbs(store->env, TABLE_COUNT + 1); /* the log of an older schema */
    if (code == 0) {
        code = mdb_env_set_userctx(store->env, store);
    }
    if (code == 0) {
        code = mdb_env_set_assert(store->env, lmdb_page_damaged);
    }
    unsigned int flags = MDB_NOSUBDIR | MDB_NOTLS | MDB_NORDAHEAD;
    if (code == 0) {
        code = mdb_env_open(store->env, file, store->reads_only ? flags | MDB_RDONLY : flags,
                            FILE_MODE);
    }
    int dead;
    if (code == 0) {
        code = mdb_reader_check(store->env, &dead);
    }
    return lmdb_write_error(store, code);
}

/* Takes the lock on store.mdb. Sets *made if the file is new. */
static store_error_t file_lock(lmdb_store_t *store, const char *file, bool *made) {
    store->file = open(file, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
    if (store->file < 0) {
        return system_error();
    }
    if (flock(store->file, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? STORE_BUSY : system_error();
    }
    struct stat status;
    if (fstat(store->file, &status) != 0) {
        return system_error();
    }
    *made = status.st_size == 0;
    return STORE_OK;
}

/* LMDB writes into its mapped lock file, which on a full disk would be a SIGBUS: so its blocks are
 * allocated first. Only the holder of the lock on store.mdb may do this. */
static store_error_t lock_file_reserve(const char *file) {
    int descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
    if (descriptor < 0) {
        return system_error();
    }
    int code = posix_fallocate(descriptor, 0, LOCK_FILE_BYTES);
    (void)close(descriptor);
    return code == EOPNOTSUPP || code == EINVAL ? STORE_OK : lmdb_error(code);
}

static store_error_t store_open(lmdb_store_t *store, const char *file, const char *lock_file,
                                name_t *realm) {
    bool made = false;
    store_error_t error = file_lock(store, file, &made);
    if (error == STORE_OK) {
        error = lock_file_reserve(lock_file);
    }
    if (error == STORE_OK) {
        error = env_open(store, file);
        /* A half-made file would be refused for ever; an empty one is made at the next try. */
        if (error != STORE_OK && made && ftruncate(store->file, 0) != 0) {
            error = system_error();
        }
    }
    if (error == STORE_OK) {
        error = file_fill_up(store);
    }
    if (error == STORE_OK) {
        error = map_start(store);
    }
    if (error == STORE_OK) {
        error = schema_settle(store, realm);
    }
    if (error == STORE_OK) {
        error = reader_open(store);
    }
    if (error == STORE_OK) {
        error = lmdb_upgrade_messages(store);
    }
    if (error == STORE_OK) {
        error = lmdb_journal_open(store, file);
    }
    return error == STORE_OK ? lmdb_directory_sync(file) : error;
}

static store_error_t store_open_reader(lmdb_store_t *store, const char *file, const char *lock_file,
                                       name_t *realm) {
    store->file = open(file, O_RDONLY | O_CLOEXEC);
    if (store->file < 0) {
        return errno == ENOENT ? STORE_CORRUPT : system_error();
    }
    store->reads_only = true;
    store_error_t error = lock_file_reserve(lock_file);
    if (error == STORE_OK) {
        error = env_open(store, file);
    }
    if (error == STORE_OK) {
        error = file_fill_up(store);
    }
    if (error == STORE_OK) {
        error = schema_open(store, realm);
    }
    if (error == STORE_OK) {
        error = reader_open(store);
    }
    return error == STORE_OK ? lmdb_journal_open_reader(store, file) : error;
}

static void lmdb_close(store_t *base) {
    lmdb_store_t *store = (lmdb_store_t *)base;
    ASSERT(!store->reading);
    /* What cannot be folded now stands in the journal for the next start. */
    (void)lmdb_fold_settle(store, true);
    if (!store->reads_only && lmdb_unfolded(base)) {
        (void)lmdb_fold(base);
    }
    writer_drop(&store->writer);
    run_deinit(&store->runs[0]);
    run_deinit(&store->runs[1]);
    recent_deinit(&store->fresh);
    if (store->reader_cursor != NULL) {
        mdb_cursor_close(store->reader_cursor);
    }
    if (store->reader != NULL) {
        mdb_txn_abort(store->reader);
    }
    if (store->env != NULL) {
        mdb_env_close(store->env);
    }
    if (store->file >= 0) {
        (void)close(store->file);
    }
    memory_free(store);
}

static const store_ops_t lmdb_ops = {
    .close = lmdb_close,
    .load = lmdb_load,
    .commit = lmdb_commit,
    .fold = lmdb_fold,
    .fold_begin = lmdb_fold_begin,
    .unfolded = lmdb_unfolded,
    .page = lmdb_page,
    .lookup = lmdb_lookup,
    .oldest = lmdb_oldest,
    .backup = lmdb_backup,
    .note = lmdb_note,
    .dump = lmdb_dump,
};

typedef store_error_t open_fn(lmdb_store_t *store, const char *file, const char *lock_file,
                              name_t *realm);

static store_error_t open_with(open_fn *way, store_t **store, const char *directory,
                               name_t *realm) {
    *store = NULL;
    char file[PATH_MAX];
    char lock_file[PATH_MAX];
    int length = snprintf(file, sizeof file, "%s/store.mdb", directory);
    int lock_length = snprintf(lock_file, sizeof lock_file, "%s/store.mdb-lock", directory);
    if (length < 0 || lock_length < 0 || (size_t)lock_length >= sizeof lock_file) {
        return STORE_IO;
    }
    lmdb_store_t *opened = memory_alloc(sizeof *opened);
    opened->base.ops = &lmdb_ops;
    opened->file = -1;
    opened->owner = pthread_self();
    run_init(&opened->runs[0]);
    run_init(&opened->runs[1]);
    store_error_t error = way(opened, file, lock_file, realm);
    if (error != STORE_OK) {
        lmdb_close(&opened->base);
        return error;
    }
    *store = &opened->base;
    return STORE_OK;
}

store_error_t store_lmdb_open(store_t **store, const char *directory, const name_t *realm) {
    ASSERT(realm->length >= 1 && realm->length <= NAME_BYTES_MAX);
    name_t name = *realm;
    return open_with(store_open, store, directory, &name);
}

/* Takes in what a process that was killed left in the journal. */
static store_error_t settle(const char *directory, const name_t *realm) {
    store_t *store;
    store_error_t error = store_lmdb_open(&store, directory, realm);
    store_close(&store);
    /* A realm that has started in between does the same. */
    return error == STORE_BUSY ? STORE_OK : error;
}

store_error_t store_lmdb_open_reader(store_t **store, const char *directory, name_t *realm) {
    *realm = (name_t){0};
    store_error_t error = open_with(store_open_reader, store, directory, realm);
    bool old = error == STORE_UNFOLDED;
    if (!old && (error != STORE_OK || !lmdb_is_abandoned((lmdb_store_t *)*store))) {
        return error;
    }
    store_close(store);
    error = settle(directory, realm);
    *realm = error == STORE_OK ? (name_t){0} : *realm;
    return error == STORE_OK ? open_with(store_open_reader, store, directory, realm) : error;
}
