/*
 * Commits a batch of records as one synced transaction and grows the map when it is full. Must
 * never keep a part of a batch, and never return before the disk has it.
 */
#include "lmdb_store.h"
#include "record_codec.h"

#include "base/assert.h"

#include <string.h>

/* Appends the message; its row is encoded straight into the page. */
static int put_message(lmdb_store_t *store, MDB_txn *txn, const message_t *message) {
    const message_links_t links = {.mailbox = message->mailbox,
                                   .seq = message->seq,
                                   .previous = message->previous,
                                   .jump = message->jump};
    if (!message_links_lead_back(&links, message->position)) {
        return MDB_CORRUPTED;
    }
    MDB_val key = lmdb_value(&message->position, sizeof message->position);
    MDB_val row = {.mv_size = message_row_bytes(message), .mv_data = NULL};
    int code = mdb_put(txn, store->log, &key, &row, MDB_APPEND | MDB_RESERVE);
    if (code == 0) {
        message_row_encode(row.mv_data, message);
    }
    return code;
}

static int put_head(lmdb_store_t *store, MDB_txn *txn, const head_record_t *head) {
    uint8_t bytes[HEAD_ROW_BYTES];
    head_row_encode(bytes, &head->head);
    MDB_val key = lmdb_value(&head->mailbox, sizeof head->mailbox);
    MDB_val row = lmdb_value(bytes, sizeof bytes);
    return mdb_put(txn, store->heads, &key, &row, 0);
}

static int put_verdict(lmdb_store_t *store, MDB_txn *txn, const verdict_record_t *verdict) {
    uint8_t bytes[VERDICT_ROW_BYTES];
    verdict_row_encode(bytes, verdict->code);
    MDB_val key = lmdb_value(&verdict->position, sizeof verdict->position);
    MDB_val row = lmdb_value(bytes, sizeof bytes);
    return mdb_put(txn, store->verdicts, &key, &row, 0);
}

static int put_checkpoint(lmdb_store_t *store, MDB_txn *txn, uint64_t position) {
    uint8_t bytes[CHECKPOINT_ROW_BYTES];
    checkpoint_row_encode(bytes, position);
    MDB_val key = lmdb_value(LMDB_META_CHECKPOINT, strlen(LMDB_META_CHECKPOINT));
    MDB_val row = lmdb_value(bytes, sizeof bytes);
    return mdb_put(txn, store->meta, &key, &row, 0);
}

static int put_small_row(lmdb_store_t *store, MDB_txn *txn, const record_t *record) {
    uint8_t key_bytes[RECORD_KEY_BYTES_MAX];
    uint8_t row_bytes[RECORD_ROW_BYTES_MAX];
    MDB_val key = lmdb_value(key_bytes, record_key_encode(key_bytes, record->kind, record));
    MDB_val row = lmdb_value(row_bytes, record_row_encode(row_bytes, record));
    return mdb_put(txn, store->rows, &key, &row, 0);
}

static int delete_small_row(lmdb_store_t *store, MDB_txn *txn, const record_t *record) {
    uint8_t bytes[RECORD_KEY_BYTES_MAX];
    record_kind_t kind = record_kind_deleted(record->kind);
    MDB_val key = lmdb_value(bytes, record_key_encode(bytes, kind, record));
    int code = mdb_del(txn, store->rows, &key, NULL);
    return code == MDB_NOTFOUND ? 0 : code;
}

static int put_record(lmdb_store_t *store, MDB_txn *txn, const record_t *record) {
    switch (record->kind) {
    case RECORD_MESSAGE:
        return put_message(store, txn, &record->message);
    case RECORD_HEAD:
        return put_head(store, txn, &record->head);
    case RECORD_VERDICT:
        return put_verdict(store, txn, &record->verdict);
    case RECORD_CHECKPOINT:
        return put_checkpoint(store, txn, record->checkpoint.position);
    case RECORD_MESSAGES_GONE:
        return lmdb_delete_messages(store, txn, &record->messages_gone);
    case RECORD_FLOOR:
        return lmdb_put_floor(txn, store->meta, &record->floor);
    case RECORD_CUT:
        return lmdb_put_cut(store, txn, record->cut.position);
    case RECORD_TOKEN_GONE:
    case RECORD_MEMBER_GONE:
    case RECORD_REJECTION_GONE:
    case RECORD_REF_GONE:
    case RECORD_SEGMENT_GONE:
    case RECORD_MARK_GONE:
        return delete_small_row(store, txn, record);
    default:
        ASSERT(record_kind_is_row(record->kind));
        return put_small_row(store, txn, record);
    }
}

static int put_all(lmdb_store_t *store, const record_t *records, size_t count) {
    MDB_txn *txn;
    int code = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (code != 0) {
        return code;
    }
    for (size_t i = 0; i < count && code == 0; i++) {
        code = put_record(store, txn, &records[i]);
    }
    if (code != 0) {
        mdb_txn_abort(txn);
        return code;
    }
    return mdb_txn_commit(txn);
}

/* A tool that was killed while it read keeps the pages that it saw from being used again: whether
 * there was one, so that they are free now. */
static bool readers_clear(lmdb_store_t *store) {
    int dead = 0;
    return mdb_reader_check(store->env, &dead) == 0 && dead > 0;
}

/* Doubles the map; without the address space for that, tries to keep the one that there was. */
static store_error_t map_grow(lmdb_store_t *store) {
    if (store->map_bytes > SIZE_MAX / 2) {
        return STORE_FULL;
    }
    int code = mdb_env_set_mapsize(store->env, store->map_bytes * 2);
    if (code == 0) {
        store->map_bytes *= 2;
        return STORE_OK;
    }
    store->unmapped = mdb_env_set_mapsize(store->env, store->map_bytes) != 0;
    return STORE_IO;
}

store_error_t lmdb_commit(store_t *base, const record_t *records, size_t count) {
    lmdb_store_t *store = (lmdb_store_t *)base;
    ASSERT(!store->reading);
    if (store->unmapped || store->reads_only) {
        return STORE_IO;
    }
    if (count == 0) {
        return STORE_OK;
    }
    int code = put_all(store, records, count);
    while (code == MDB_MAP_FULL) {
        store_error_t error = readers_clear(store) ? STORE_OK : map_grow(store);
        if (error != STORE_OK) {
            return error;
        }
        code = put_all(store, records, count);
    }
    return lmdb_write_error(store, code);
}
