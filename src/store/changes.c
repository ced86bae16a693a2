/*
 * Records as changes of tables, and changes made. Must never read past what it was given: the bytes
 * may come from a damaged file.
 */
#include "changes.h"
#include "lmdb_store.h"
#include "record_codec.h"
#include "row.h"

#include "base/assert.h"

#include <string.h>

#define CHANGE_HEAD_BYTES 8

/* Makes room for a change and returns where its value goes. */
static uint8_t *put_change(buffer_t *changes, operation_t operation, table_id_t table,
                           const void *key, size_t key_bytes, size_t value_bytes) {
    size_t bytes = CHANGE_HEAD_BYTES + key_bytes + value_bytes;
    uint8_t *at = (uint8_t *)(void *)buffer_reserve(changes, bytes);
    row_writer_t writer = {.at = at, .end = at + bytes};
    row_put_u8(&writer, (uint8_t)operation);
    row_put_u8(&writer, (uint8_t)table);
    row_put_u16(&writer, (uint16_t)key_bytes);
    row_put_u32(&writer, (uint32_t)value_bytes);
    row_put_bytes(&writer, key, key_bytes);
    changes->length += bytes;
    return writer.at;
}

static void put_meta(buffer_t *changes, const char *key, const void *row, size_t row_bytes) {
    memcpy(put_change(changes, OPERATION_PUT, TABLE_META, key, strlen(key), row_bytes), row,
           row_bytes);
}

static store_error_t put_message(buffer_t *changes, const message_t *message,
                                 uint64_t *last_position) {
    const message_links_t links = {.mailbox = message->mailbox,
                                   .seq = message->seq,
                                   .previous = message->previous,
                                   .jump = message->jump};
    if (message->position <= *last_position ||
        !message_links_lead_back(&links, message->position)) {
        return STORE_CORRUPT;
    }
    *last_position = message->position;
    message_row_encode(put_change(changes, OPERATION_APPEND, TABLE_LOG, &message->position,
                                  sizeof message->position, message_row_bytes(message)),
                       message);
    return STORE_OK;
}

static void put_position(buffer_t *changes, const char *key, uint64_t position) {
    uint8_t row[CHECKPOINT_ROW_BYTES];
    checkpoint_row_encode(row, position);
    put_meta(changes, key, row, sizeof row);
}

static void put_floor(buffer_t *changes, const floor_record_t *floor) {
    uint8_t row[FLOOR_ROW_BYTES];
    floor_row_encode(row, floor);
    put_meta(changes, LMDB_META_FLOOR, row, sizeof row);
}

static void put_messages_gone(buffer_t *changes, const messages_gone_record_t *gone) {
    static const table_id_t tables[] = {TABLE_LOG, TABLE_VERDICTS};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        memcpy(put_change(changes, OPERATION_DELETE_RANGE, tables[i], &gone->first,
                          sizeof gone->first, sizeof gone->last),
               &gone->last, sizeof gone->last);
    }
}

static void put_small_row(buffer_t *changes, const record_t *record) {
    uint8_t key[RECORD_KEY_BYTES_MAX];
    uint8_t row[RECORD_ROW_BYTES_MAX];
    ASSERT(record_kind_is_row(record->kind));
    size_t key_bytes = record_key_encode(key, record->kind, record);
    size_t row_bytes = record_row_encode(row, record);
    uint8_t *at = put_change(changes, OPERATION_PUT, TABLE_ROWS, key, key_bytes, row_bytes);
    memcpy(at, row, row_bytes);
}

static void delete_small_row(buffer_t *changes, const record_t *record) {
    uint8_t key[RECORD_KEY_BYTES_MAX];
    size_t key_bytes = record_key_encode(key, record_kind_deleted(record->kind), record);
    (void)put_change(changes, OPERATION_DELETE, TABLE_ROWS, key, key_bytes, 0);
}

static store_error_t put_record(buffer_t *changes, const record_t *record,
                                uint64_t *last_position) {
    switch (record->kind) {
    case RECORD_MESSAGE:
        return put_message(changes, &record->message, last_position);
    case RECORD_HEAD:
        head_row_encode(put_change(changes, OPERATION_PUT, TABLE_HEADS, &record->head.mailbox,
                                   sizeof record->head.mailbox, HEAD_ROW_BYTES),
                        &record->head.head);
        return STORE_OK;
    case RECORD_VERDICT:
        verdict_row_encode(put_change(changes, OPERATION_PUT, TABLE_VERDICTS,
                                      &record->verdict.position, sizeof record->verdict.position,
                                      VERDICT_ROW_BYTES),
                           record->verdict.code);
        return STORE_OK;
    case RECORD_CHECKPOINT:
        put_position(changes, LMDB_META_CHECKPOINT, record->checkpoint.position);
        return STORE_OK;
    case RECORD_MESSAGES_GONE:
        put_messages_gone(changes, &record->messages_gone);
        return STORE_OK;
    case RECORD_FLOOR:
        put_floor(changes, &record->floor);
        return STORE_OK;
    case RECORD_CUT:
        put_position(changes, LMDB_META_CUT, record->cut.position);
        return STORE_OK;
    default:
        if (record_kind_deleted(record->kind) != 0) {
            delete_small_row(changes, record);
        } else {
            put_small_row(changes, record);
        }
        return STORE_OK;
    }
}

store_error_t changes_encode(buffer_t *changes, const record_t *records, size_t count,
                             uint64_t *last_position) {
    store_error_t error = STORE_OK;
    for (size_t i = 0; i < count && error == STORE_OK; i++) {
        error = put_record(changes, &records[i], last_position);
    }
    return error;
}

bool changes_next(span_t *left, change_t *change) {
    row_reader_t reader = {.at = left->bytes, .left = left->length};
    change->operation = row_u8(&reader);
    change->table = row_u8(&reader);
    change->key_bytes = row_u16(&reader);
    change->value_bytes = row_u32(&reader);
    change->key = row_borrow(&reader, change->key_bytes);
    change->value = row_borrow(&reader, change->value_bytes);
    *left = (span_t){reader.at, reader.left};
    return !reader.damaged;
}

/* The cursor at the end of the log does not stay there when pages before it go. */
static int delete_range(writer_t *writer, MDB_dbi table, const change_t *change) {
    uint64_t first, last;
    if (change->key_bytes != sizeof first || change->value_bytes != sizeof last) {
        return MDB_CORRUPTED;
    }
    memcpy(&first, change->key, sizeof first);
    memcpy(&last, change->value, sizeof last);
    int code = lmdb_delete_range(writer->txn, table, first, last);
    if (code != 0 || change->table != TABLE_LOG) {
        return code;
    }
    MDB_val key, row;
    code = mdb_cursor_get(writer->append_cursor, &key, &row, MDB_LAST);
    return code == MDB_NOTFOUND ? 0 : code;
}

/* Through a cursor that stays at the end: LMDB sees that no page lies behind and need not search,
 * as it would with MDB_APPEND. */
static int append(writer_t *writer, MDB_val *key, MDB_val *row) {
    uint64_t position;
    memcpy(&position, key->mv_data, sizeof position);
    if (position <= writer->last_position) {
        return MDB_KEYEXIST;
    }
    int code = mdb_cursor_put(writer->append_cursor, key, row, 0);
    writer->last_position = code == 0 ? position : writer->last_position;
    return code;
}

/* What a commit may change in `meta`; the rest is the store's own. */
static bool is_meta_key(span_t key) {
    static const char *const keys[] = {LMDB_META_CHECKPOINT, LMDB_META_CUT, LMDB_META_FLOOR};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (key.length == strlen(keys[i]) && memcmp(key.bytes, keys[i], key.length) == 0) {
            return true;
        }
    }
    return false;
}

static bool key_fits(const change_t *change) {
    if (change->table == TABLE_META) {
        return change->operation == OPERATION_PUT &&
               is_meta_key((span_t){change->key, change->key_bytes});
    }
    return change->key_bytes > 0;
}

static int apply_one(writer_t *writer, const change_t *change) {
    uint64_t aligned[(RECORD_KEY_BYTES_MAX + 7) / 8]; /* LMDB reads integer keys as integers */
    if (change->table >= TABLE_COUNT || change->key_bytes > sizeof aligned) {
        return MDB_CORRUPTED;
    }
    memcpy(aligned, change->key, change->key_bytes);
    MDB_txn *txn = writer->txn;
    MDB_dbi table = writer->tables[change->table];
    MDB_val key = lmdb_value(aligned, change->key_bytes);
    MDB_val value = lmdb_value(change->value, change->value_bytes);
    bool integer = change->table != TABLE_META && change->table != TABLE_ROWS;
    if (integer ? change->key_bytes != sizeof(uint64_t) : !key_fits(change)) {
        return MDB_CORRUPTED;
    }
    switch (change->operation) {
    case OPERATION_PUT:
        return mdb_put(txn, table, &key, &value, 0);
    case OPERATION_APPEND:
        return change->table == TABLE_LOG ? append(writer, &key, &value) : MDB_CORRUPTED;
    case OPERATION_DELETE: {
        int code = mdb_del(txn, table, &key, NULL);
        return code == MDB_NOTFOUND ? 0 : code;
    }
    case OPERATION_DELETE_RANGE:
        return integer ? delete_range(writer, table, change) : MDB_CORRUPTED;
    default:
        return MDB_CORRUPTED;
    }
}

int changes_apply(writer_t *writer, span_t changes) {
    int code = 0;
    while (code == 0 && changes.length > 0) {
        change_t change;
        code = changes_next(&changes, &change) ? apply_one(writer, &change) : MDB_CORRUPTED;
    }
    return code;
}
