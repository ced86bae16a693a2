/*
 * What a read sees: the tables, and over them what was committed and is not folded yet. Must never
 * look at rows of the tables that a later commit took.
 */
#include "lmdb_store.h"
#include "record_codec.h"

bool lmdb_view_is_gone(const lmdb_store_t *store, uint64_t position) {
    return recent_is_gone(&store->runs[0].recent, position) ||
           recent_is_gone(&store->runs[1].recent, position);
}

/* Of a message that is not folded; false: the tables have it if there is one. */
static bool recent_find(const lmdb_store_t *store, uint64_t position, span_t *row) {
    for (size_t i = 0; i < 2; i++) {
        const recent_row_t *found = recent_row(&store->runs[i].recent, position);
        if (found != NULL) {
            *row = run_row(&store->runs[i], found);
            return true;
        }
    }
    return false;
}

/* The message as the tables have it. */
static store_error_t folded_row(lmdb_store_t *store, uint64_t position, span_t *row, bool *found) {
    MDB_val key = lmdb_value(&position, sizeof position);
    MDB_val block;
    *found = false;
    int code = mdb_cursor_get(store->log_cursor, &key, &block, MDB_SET_RANGE);
    if (code != 0) {
        return code == MDB_NOTFOUND ? STORE_OK : lmdb_error(code);
    }
    block_reader_t reader;
    if (!lmdb_block_open(&reader, &key, &block)) {
        return STORE_CORRUPT;
    }
    *found = block_seek(&reader, position, row) && reader.position == position;
    return block_damaged(&reader) ? STORE_CORRUPT : STORE_OK;
}

store_error_t lmdb_view_row(lmdb_store_t *store, uint64_t position, span_t *row, bool *found) {
    *found = false;
    if (lmdb_view_is_gone(store, position)) {
        return STORE_OK;
    }
    *found = recent_find(store, position, row);
    if (*found) {
        return STORE_OK;
    }
    return folded_row(store, position, row, found);
}

store_error_t lmdb_view_verdict(lmdb_store_t *store, uint64_t position, code_t *verdict) {
    if (lmdb_view_is_gone(store, position)) {
        return STORE_OK;
    }
    for (size_t i = 0; i < 2; i++) {
        size_t newest_first = i == 0 ? store->current : 1 - store->current;
        const code_t *recent = recent_verdict(&store->runs[newest_first].recent, position);
        if (recent != NULL) {
            *verdict = *recent;
            return STORE_OK;
        }
    }
    MDB_val key = lmdb_value(&position, sizeof position);
    MDB_val value;
    int code = mdb_get(store->view, store->tables[TABLE_VERDICTS], &key, &value);
    if (code != 0) {
        return code == MDB_NOTFOUND ? STORE_OK : lmdb_error(code);
    }
    return verdict_row_decode(verdict, lmdb_span(&value)) ? STORE_OK : STORE_CORRUPT;
}

store_error_t lmdb_view_cut(lmdb_store_t *store, uint64_t *position) {
    span_t row;
    *position = 0;
    store_error_t error =
        lmdb_meta_get(store->view, store->tables[TABLE_META], LMDB_META_CUT, &row);
    if (error == STORE_OK && row.bytes != NULL && !checkpoint_row_decode(position, row)) {
        error = STORE_CORRUPT;
    }
    for (size_t i = 0; i < 2; i++) {
        uint64_t recent = store->runs[i].recent.cut;
        *position = recent > *position ? recent : *position;
    }
    return error;
}
