/*
 * Stores of older schemas. Up to version 3 the log was a table of its own, `log`, with a row a
 * message under its position. Must never drop a message of it that does not stand in a block.
 */
#include "changes.h"
#include "lmdb_store.h"

#include <string.h>

#define OLD_LOG "log"

/* Messages of one transaction: some tens of megabytes. */
enum { UPGRADE_STEP = 100000 };

static int old_log_open(MDB_txn *txn, MDB_dbi *old) {
    return mdb_dbi_open(txn, OLD_LOG, MDB_INTEGERKEY, old);
}

int lmdb_upgrade_wanted(MDB_txn *txn, bool *wanted) {
    MDB_dbi old;
    int code = old_log_open(txn, &old);
    *wanted = code == 0;
    return code == MDB_NOTFOUND ? 0 : code;
}

store_error_t lmdb_upgrade_tables(lmdb_store_t *store) {
    MDB_txn *txn;
    MDB_dbi meta;
    int code = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (code != 0) {
        return lmdb_error(code);
    }
    code = mdb_dbi_open(txn, "meta", 0, &meta);
    if (code == 0) {
        code = lmdb_table_make(store, txn, TABLE_LOG);
    }
    if (code == 0) {
        code = lmdb_put_schema(txn, meta);
    }
    if (code != 0) {
        mdb_txn_abort(txn);
        return lmdb_error(code);
    }
    return lmdb_write_error(store, mdb_txn_commit(txn));
}

static int message_move(writer_t *writer, MDB_cursor *cursor, const MDB_val *key,
                        const MDB_val *row) {
    uint64_t position;
    if (key->mv_size != sizeof position) {
        return MDB_CORRUPTED;
    }
    memcpy(&position, key->mv_data, sizeof position);
    int code = changes_append_old(writer, position, lmdb_span(row));
    return code == 0 ? mdb_cursor_del(cursor, 0) : code;
}

/* Takes over the oldest messages; MDB_NOTFOUND if these were all. */
static int messages_move(writer_t *writer, MDB_dbi old) {
    MDB_cursor *cursor;
    MDB_val key, row;
    int code = mdb_cursor_open(writer->txn, old, &cursor);
    if (code != 0) {
        return code;
    }
    code = mdb_cursor_get(cursor, &key, &row, MDB_FIRST);
    for (int moved = 0; code == 0 && moved < UPGRADE_STEP; moved++) {
        code = message_move(writer, cursor, &key, &row);
        if (code == 0) {
            code = mdb_cursor_get(cursor, &key, &row, MDB_NEXT);
        }
    }
    mdb_cursor_close(cursor);
    return code;
}

/* One transaction of it; *all: it is the last one, and the old log is gone. */
static int step_do(lmdb_store_t *store, bool *all) {
    writer_t *writer = &store->writer;
    MDB_dbi old;
    *all = false;
    int code = writer_begin(writer, store->env, store->tables);
    if (code != 0) {
        return code;
    }
    code = old_log_open(writer->txn, &old);
    if (code == 0) {
        code = messages_move(writer, old);
    }
    if (code == MDB_NOTFOUND) {
        *all = true;
        code = mdb_drop(writer->txn, old, 1);
    }
    if (code != 0) {
        writer_drop(writer);
        return code;
    }
    return writer_commit_as_before(writer);
}

static store_error_t is_wanted(lmdb_store_t *store, void *context) {
    return lmdb_error(lmdb_upgrade_wanted(store->view, context));
}

store_error_t lmdb_upgrade_messages(lmdb_store_t *store) {
    bool wanted = false;
    store_error_t error = lmdb_read(store, is_wanted, &wanted);
    while (error == STORE_OK && wanted) {
        bool all;
        int code = step_do(store, &all);
        if (code == MDB_MAP_FULL) {
            error = lmdb_make_room(store);
        } else {
            error = lmdb_write_error(store, code);
            wanted = !all;
        }
    }
    return error;
}
