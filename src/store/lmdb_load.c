/*
 * Reads everything at start, in the order that the core wants. Must never change the store.
 */
#include "lmdb_store.h"
#include "record_codec.h"

#include <string.h>

typedef struct loader {
    lmdb_store_t *store;
    store_visit_fn *visit;
    void *context;
} loader_t;

/* Reads one row of a table into a record. False if damaged. */
typedef bool load_row_fn(record_t *record, const MDB_val *key, const MDB_val *row);

static bool load_small_row(record_t *record, const MDB_val *key, const MDB_val *row) {
    return record_decode(record, lmdb_span(key), lmdb_span(row));
}

static bool load_integer_key(uint64_t *number, const MDB_val *key) {
    if (key->mv_size != sizeof *number) {
        return false;
    }
    memcpy(number, key->mv_data, sizeof *number);
    return true;
}

static bool load_head(record_t *record, const MDB_val *key, const MDB_val *row) {
    record->kind = RECORD_HEAD;
    return load_integer_key(&record->head.mailbox, key) &&
           head_row_decode(&record->head.head, lmdb_span(row));
}

/* Visits the rows of a table. */
static store_error_t load_rows(loader_t *loader, MDB_cursor *cursor, load_row_fn *load_row) {
    record_t record;
    memset(&record, 0, sizeof record);
    MDB_val key, row;
    int code = mdb_cursor_get(cursor, &key, &row, MDB_FIRST);
    while (code == 0) {
        if (!load_row(&record, &key, &row) || !loader->visit(loader->context, &record)) {
            return STORE_CORRUPT;
        }
        code = mdb_cursor_get(cursor, &key, &row, MDB_NEXT);
    }
    return code == MDB_NOTFOUND ? STORE_OK : lmdb_error(code);
}

static store_error_t load_table(loader_t *loader, MDB_dbi table, load_row_fn *load_row) {
    lmdb_store_t *store = loader->store;
    int code = mdb_cursor_open(store->view, table, &store->load_cursor);
    if (code != 0) {
        store->load_cursor = NULL;
        return lmdb_error(code);
    }
    store_error_t error = load_rows(loader, store->load_cursor, load_row);
    mdb_cursor_close(store->load_cursor);
    store->load_cursor = NULL;
    return error;
}

/* Sets *position to the checkpoint, 0 if there is none yet, and visits it if there is one. */
static store_error_t load_checkpoint(loader_t *loader, uint64_t *position) {
    const lmdb_store_t *store = loader->store;
    span_t row;
    *position = 0;
    store_error_t error =
        lmdb_meta_get(store->view, store->tables[TABLE_META], LMDB_META_CHECKPOINT, &row);
    if (error != STORE_OK || row.bytes == NULL) {
        return error;
    }
    record_t record = {.kind = RECORD_CHECKPOINT};
    if (!checkpoint_row_decode(&record.checkpoint.position, row) ||
        !loader->visit(loader->context, &record)) {
        return STORE_CORRUPT;
    }
    *position = record.checkpoint.position;
    return STORE_OK;
}

static store_error_t load_cut(loader_t *loader) {
    record_t record = {.kind = RECORD_CUT};
    store_error_t error = lmdb_view_cut(loader->store, &record.cut.position);
    if (error != STORE_OK || record.cut.position == 0) {
        return error;
    }
    return loader->visit(loader->context, &record) ? STORE_OK : STORE_CORRUPT;
}

static store_error_t load_floor(loader_t *loader) {
    record_t record = {.kind = RECORD_FLOOR};
    lmdb_store_t *store = loader->store;
    store_error_t error = lmdb_read_floor(store->view, store->tables[TABLE_META], &record.floor);
    if (error != STORE_OK || (record.floor.position == 0 && !record.floor.copied)) {
        return error;
    }
    return loader->visit(loader->context, &record) ? STORE_OK : STORE_CORRUPT;
}

static store_error_t load_block(loader_t *loader, const MDB_val *key, const MDB_val *block,
                                uint64_t first) {
    record_t record;
    memset(&record, 0, sizeof record);
    record.kind = RECORD_MESSAGE;
    block_reader_t reader;
    span_t row;
    if (!lmdb_block_open(&reader, key, block)) {
        return STORE_CORRUPT;
    }
    bool there = block_seek(&reader, first, &row);
    for (; there; there = block_next(&reader, &row)) {
        if (!message_row_decode(&record.message, reader.position, row) ||
            !loader->visit(loader->context, &record)) {
            return STORE_CORRUPT;
        }
    }
    return block_damaged(&reader) ? STORE_CORRUPT : STORE_OK;
}

static store_error_t load_messages_after(loader_t *loader, uint64_t position) {
    if (position == UINT64_MAX) {
        return STORE_OK;
    }
    MDB_cursor *cursor = loader->store->log_cursor;
    uint64_t first = position + 1;
    MDB_val key = lmdb_value(&first, sizeof first);
    MDB_val block;
    int code = mdb_cursor_get(cursor, &key, &block, MDB_SET_RANGE);
    while (code == 0) {
        store_error_t error = load_block(loader, &key, &block, first);
        if (error != STORE_OK) {
            return error;
        }
        code = mdb_cursor_get(cursor, &key, &block, MDB_NEXT);
    }
    return code == MDB_NOTFOUND ? STORE_OK : lmdb_error(code);
}

/* The kinds of the small rows are numbered in the order in which they are wanted. */
static store_error_t load_all(lmdb_store_t *store, void *context) {
    loader_t *loader = context;
    uint64_t checkpoint = 0;
    store_error_t error = load_table(loader, store->tables[TABLE_ROWS], load_small_row);
    if (error == STORE_OK) {
        error = load_table(loader, store->tables[TABLE_HEADS], load_head);
    }
    if (error == STORE_OK) {
        error = load_checkpoint(loader, &checkpoint);
    }
    if (error == STORE_OK) {
        error = load_cut(loader);
    }
    if (error == STORE_OK) {
        error = load_floor(loader);
    }
    if (error == STORE_OK) {
        error = load_messages_after(loader, checkpoint);
    }
    return error;
}

static store_error_t dump_all(lmdb_store_t *store, void *context) {
    loader_t *loader = context;
    store_error_t error = load_table(loader, store->tables[TABLE_ROWS], load_small_row);
    return error == STORE_OK ? load_messages_after(loader, 0) : error;
}

store_error_t lmdb_dump(store_t *base, store_visit_fn *visit, void *context) {
    lmdb_store_t *store = (lmdb_store_t *)base;
    loader_t loader = {.store = store, .visit = visit, .context = context};
    store_error_t error = lmdb_fold(base);
    return error == STORE_OK ? lmdb_read(store, dump_all, &loader) : error;
}

store_error_t lmdb_load(store_t *base, store_visit_fn *visit, void *context) {
    lmdb_store_t *store = (lmdb_store_t *)base;
    loader_t loader = {.store = store, .visit = visit, .context = context};
    /* A fold that a full disk refuses leaves everything in the one transaction that is read. */
    bool whole = store->reads_only || store->writer.txn != NULL;
    store_error_t error = whole ? STORE_OK : lmdb_fold(base);
    return error == STORE_OK ? lmdb_read(store, load_all, &loader) : error;
}
