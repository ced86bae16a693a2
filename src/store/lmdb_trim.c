/*
 * The old end of the log: reads what stands there, deletes what retention takes. LMDB uses the
 * freed pages again for later commits, so that the file stays as large as what it holds at most.
 * Must never delete anything outside of the positions that it was given.
 */
#include "lmdb_store.h"

#include <string.h>

typedef struct oldest_request {
    uint64_t after;
    message_age_t *rows;
    uint32_t limit;
    uint32_t count;
    bool end;
} oldest_request_t;

static store_error_t row_take(oldest_request_t *request, uint64_t position, span_t row) {
    if (!message_row_age(&request->rows[request->count], position, row)) {
        return STORE_CORRUPT;
    }
    request->count += 1;
    request->after = position;
    return STORE_OK;
}

/* Reads what the block under the log's cursor has behind request->after. */
static store_error_t block_read(lmdb_store_t *store, const MDB_val *key, const MDB_val *block,
                                oldest_request_t *request) {
    block_reader_t reader;
    span_t row;
    if (!lmdb_block_open(&reader, key, block)) {
        return STORE_CORRUPT;
    }
    bool there = block_seek(&reader, request->after + 1, &row);
    while (there && request->count < request->limit) {
        if (!lmdb_view_is_gone(store, reader.position)) {
            store_error_t error = row_take(request, reader.position, row);
            if (error != STORE_OK) {
                return error;
            }
        }
        there = block_next(&reader, &row);
    }
    request->end = !there;
    return block_damaged(&reader) ? STORE_CORRUPT : STORE_OK;
}

/* Reads rows of the tables, as far as they go. */
static store_error_t tables_read(lmdb_store_t *store, oldest_request_t *request) {
    uint64_t first = request->after + 1;
    MDB_val key = lmdb_value(&first, sizeof first);
    MDB_val block;
    int code = mdb_cursor_get(store->log_cursor, &key, &block, MDB_SET_RANGE);
    request->end = true;
    while (code == 0 && request->end) {
        store_error_t error = block_read(store, &key, &block, request);
        if (error != STORE_OK) {
            return error;
        }
        if (request->end) {
            code = mdb_cursor_get(store->log_cursor, &key, &block, MDB_NEXT);
        }
    }
    return code == 0 || code == MDB_NOTFOUND ? STORE_OK : lmdb_error(code);
}

/* Goes on with what a run has behind the tables. */
static store_error_t run_read(const lmdb_store_t *store, const run_t *run,
                              oldest_request_t *request) {
    const recent_t *recent = &run->recent;
    store_error_t error = STORE_OK;
    size_t next = recent_behind(recent, request->after);
    for (; error == STORE_OK && next < recent->row_count && request->count < request->limit;
         next++) {
        const recent_row_t *row = &recent->rows[next];
        if (!lmdb_view_is_gone(store, row->position)) {
            error = row_take(request, row->position, run_row(run, row));
        }
    }
    request->end = next == recent->row_count;
    return error;
}

static store_error_t oldest_read(lmdb_store_t *store, void *context) {
    oldest_request_t *request = context;
    if (request->after == UINT64_MAX) {
        request->end = true;
        return STORE_OK;
    }
    store_error_t error = tables_read(store, request);
    if (error == STORE_OK && request->end) {
        error = run_read(store, lmdb_older(store), request);
    }
    if (error == STORE_OK && request->end) {
        error = run_read(store, lmdb_current(store), request);
    }
    return error;
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
