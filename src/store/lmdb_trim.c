/*
 * The old end of the log: reads what stands there, deletes what retention takes. LMDB uses the
 * freed pages again for later commits, so that the file stays as large as what it holds at most.
 * Must never delete anything outside of the positions that it was given.
 */
#include "lmdb_store.h"
#include "record_codec.h"

#include <string.h>

typedef struct oldest_request {
    uint64_t after;
    message_age_t *rows;
    uint32_t limit;
    uint32_t count;
    bool end;
} oldest_request_t;

/* Reads rows from where `code` and the cursor stand. */
static store_error_t rows_read(lmdb_store_t *store, oldest_request_t *request, int code,
                               const MDB_val *first_key, const MDB_val *first_row) {
    MDB_val key = *first_key;
    MDB_val row = *first_row;
    while (code == 0 && request->count < request->limit) {
        message_age_t *age = &request->rows[request->count];
        if (key.mv_size != sizeof age->position) {
            return STORE_CORRUPT;
        }
        memcpy(&age->position, key.mv_data, sizeof age->position);
        if (!message_row_age(age, lmdb_span(&row))) {
            return STORE_CORRUPT;
        }
        request->count += 1;
        code = mdb_cursor_get(store->log_cursor, &key, &row, MDB_NEXT);
    }
    request->end = code == MDB_NOTFOUND;
    return request->end ? STORE_OK : lmdb_error(code);
}

static store_error_t oldest_read(lmdb_store_t *store, void *context) {
    oldest_request_t *request = context;
    if (request->after == UINT64_MAX) {
        request->end = true;
        return STORE_OK;
    }
    uint64_t first = request->after + 1;
    MDB_val key = lmdb_value(&first, sizeof first);
    MDB_val row = {0};
    int code = mdb_cursor_get(store->log_cursor, &key, &row, MDB_SET_RANGE);
    return rows_read(store, request, code, &key, &row);
}

store_error_t lmdb_oldest(store_t *base, uint64_t after, message_age_t *rows, uint32_t limit,
                          uint32_t *count, bool *end) {
    oldest_request_t request = {.after = after, .rows = rows, .limit = limit};
    store_error_t error = lmdb_read((lmdb_store_t *)base, oldest_read, &request);
    *count = request.count;
    *end = request.end;
    return error;
}

int lmdb_delete_range(MDB_txn *txn, MDB_dbi table, uint64_t first, uint64_t last) {
    MDB_cursor *cursor;
    int code = mdb_cursor_open(txn, table, &cursor);
    if (code != 0) {
        return code;
    }
    MDB_val key = lmdb_value(&first, sizeof first);
    MDB_val row;
    code = mdb_cursor_get(cursor, &key, &row, MDB_SET_RANGE);
    while (code == 0) {
        uint64_t position;
        if (key.mv_size != sizeof position) {
            code = MDB_CORRUPTED;
            break;
        }
        memcpy(&position, key.mv_data, sizeof position);
        if (position > last) {
            break;
        }
        code = mdb_cursor_del(cursor, 0);
        if (code == 0) {
            code = mdb_cursor_get(cursor, &key, &row, MDB_NEXT);
        }
    }
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? 0 : code;
}

store_error_t lmdb_read_cut(const lmdb_store_t *store, uint64_t *position) {
    span_t row;
    *position = 0;
    store_error_t error =
        lmdb_meta_get(store->view, store->tables[TABLE_META], LMDB_META_CUT, &row);
    if (error != STORE_OK || row.bytes == NULL) {
        return error;
    }
    return checkpoint_row_decode(position, row) ? STORE_OK : STORE_CORRUPT;
}
