/*
 * Begins and ends transactions. Must never commit one without the salt that makes its frames void.
 */
#include "writer.h"
#include "lmdb_store.h"

#include <string.h>

void writer_drop(writer_t *writer) {
    if (writer->txn != NULL) {
        mdb_txn_abort(writer->txn); /* and its cursor */
    }
    *writer = (writer_t){0};
}

int writer_log_end(MDB_cursor *log, uint64_t *position) {
    MDB_val key, row;
    *position = 0;
    int code = mdb_cursor_get(log, &key, &row, MDB_LAST);
    if (code != 0) {
        return code == MDB_NOTFOUND ? 0 : code;
    }
    if (key.mv_size != sizeof *position) {
        return MDB_CORRUPTED;
    }
    memcpy(position, key.mv_data, sizeof *position);
    return 0;
}

/* Opens the cursor and finds out where the log ends. */
static int seek_end(writer_t *writer) {
    int code = mdb_cursor_open(writer->txn, writer->tables[TABLE_LOG], &writer->append_cursor);
    return code == 0 ? writer_log_end(writer->append_cursor, &writer->last_position) : code;
}

int writer_begin(writer_t *writer, MDB_env *env, const MDB_dbi *tables) {
    *writer = (writer_t){.tables = tables};
    int code = mdb_txn_begin(env, NULL, 0, &writer->txn);
    if (code != 0) {
        writer->txn = NULL;
        return code;
    }
    code = seek_end(writer);
    if (code != 0) {
        writer_drop(writer);
    }
    return code;
}

int writer_commit(writer_t *writer, uint64_t salt) {
    int code = lmdb_put_salt(writer->txn, writer->tables[TABLE_META], salt);
    if (code != 0) {
        writer_drop(writer);
        return code;
    }
    MDB_txn *txn = writer->txn;
    *writer = (writer_t){0};
    return mdb_txn_commit(txn);
}
