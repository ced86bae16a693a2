/*
 * Records as changes of tables, and changes made. Must never read past what it was given: the bytes
 * may come from a damaged file.
 */
#include "changes.h"
#include "lmdb_store.h"
#include "old_row.h"
#include "record_codec.h"
#include "row.h"

#include "base/assert.h"

#include <string.h>

#define CHANGE_HEAD_BYTES  8
#define MESSAGE_HEAD_BYTES (1 + VARINT_BYTES_MAX + 2)

/* Where changes go, and what of them is noted. */
typedef struct encoder {
    buffer_t *changes;
    recent_t *recent;
    size_t start; /* of them in the buffer */
    uint64_t last_position;
} encoder_t;

/* A change as it was read; value and key lie in the bytes. Of a message, value is the row. */
typedef struct change {
    uint8_t operation, table;
    uint64_t position;
    size_t key_bytes, value_bytes;
    const char *key, *value;
} change_t;

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

static store_error_t put_message(encoder_t *encoder, const message_t *message) {
    const message_links_t links = {.mailbox = message->mailbox,
                                   .seq = message->seq,
                                   .previous = message->previous,
                                   .jump = message->jump};
    if (message->position <= encoder->last_position ||
        !message_links_lead_back(&links, message->position)) {
        return STORE_CORRUPT;
    }
    encoder->last_position = message->position;
    buffer_t *changes = encoder->changes;
    size_t room = MESSAGE_HEAD_BYTES + MESSAGE_ROW_BYTES_MAX;
    uint8_t *start = (uint8_t *)(void *)buffer_reserve(changes, room);
    row_writer_t writer = {.at = start, .end = start + room};
    row_put_u8(&writer, OPERATION_MESSAGE);
    row_put_varint(&writer, message->position);
    uint8_t *row = writer.at + sizeof(uint16_t);
    size_t row_bytes = message_row_encode(row, MESSAGE_ROW_BYTES_MAX, message);
    row_put_u16(&writer, (uint16_t)row_bytes);
    size_t offset = changes->length + (size_t)(row - start);
    recent_add_row(encoder->recent, message->position, offset - encoder->start, row_bytes);
    changes->length = offset + row_bytes;
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

static void put_messages_gone(encoder_t *encoder, const messages_gone_record_t *gone) {
    static const table_id_t tables[] = {TABLE_LOG, TABLE_VERDICTS};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        memcpy(put_change(encoder->changes, OPERATION_DELETE_RANGE, tables[i], &gone->first,
                          sizeof gone->first, sizeof gone->last),
               &gone->last, sizeof gone->last);
    }
    recent_add_gap(encoder->recent, gone->first, gone->last);
}

static void put_verdict(encoder_t *encoder, const verdict_record_t *verdict) {
    verdict_row_encode(put_change(encoder->changes, OPERATION_PUT, TABLE_VERDICTS,
                                  &verdict->position, sizeof verdict->position, VERDICT_ROW_BYTES),
                       verdict->code);
    recent_add_verdict(encoder->recent, verdict->position, verdict->code);
}

static void put_cut(encoder_t *encoder, uint64_t position) {
    put_position(encoder->changes, LMDB_META_CUT, position);
    encoder->recent->cut = position;
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

static store_error_t put_record(encoder_t *encoder, const record_t *record) {
    buffer_t *changes = encoder->changes;
    switch (record->kind) {
    case RECORD_MESSAGE:
        return put_message(encoder, &record->message);
    case RECORD_HEAD:
        head_row_encode(put_change(changes, OPERATION_PUT, TABLE_HEADS, &record->head.mailbox,
                                   sizeof record->head.mailbox, HEAD_ROW_BYTES),
                        &record->head.head);
        return STORE_OK;
    case RECORD_VERDICT:
        put_verdict(encoder, &record->verdict);
        return STORE_OK;
    case RECORD_CHECKPOINT:
        put_position(changes, LMDB_META_CHECKPOINT, record->checkpoint.position);
        return STORE_OK;
    case RECORD_MESSAGES_GONE:
        put_messages_gone(encoder, &record->messages_gone);
        return STORE_OK;
    case RECORD_FLOOR:
        put_floor(changes, &record->floor);
        return STORE_OK;
    case RECORD_CUT:
        put_cut(encoder, record->cut.position);
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

store_error_t changes_encode(buffer_t *changes, recent_t *recent, const record_t *records,
                             size_t count, uint64_t *last_position) {
    encoder_t encoder = {.changes = changes,
                         .recent = recent,
                         .start = changes->length,
                         .last_position = *last_position};
    store_error_t error = STORE_OK;
    for (size_t i = 0; i < count && error == STORE_OK; i++) {
        error = put_record(&encoder, &records[i]);
    }
    *last_position = encoder.last_position;
    return error;
}

static void take_message(row_reader_t *reader, change_t *change) {
    change->position = row_varint(reader);
    change->value_bytes = row_u16(reader);
    change->value = row_borrow(reader, change->value_bytes);
}

static void take_change(row_reader_t *reader, change_t *change) {
    change->table = row_u8(reader);
    change->key_bytes = row_u16(reader);
    change->value_bytes = row_u32(reader);
    change->key = row_borrow(reader, change->key_bytes);
    change->value = row_borrow(reader, change->value_bytes);
}

/* Takes the next change off; false for bytes that no encoder of ours writes. */
static bool changes_next(span_t *left, change_t *change) {
    row_reader_t reader = {.at = left->bytes, .left = left->length};
    *change = (change_t){.operation = row_u8(&reader)};
    if (change->operation == OPERATION_MESSAGE) {
        take_message(&reader, change);
    } else {
        take_change(&reader, change);
    }
    *left = (span_t){reader.at, reader.left};
    return !reader.damaged;
}

static int apply_message(writer_t *writer, uint64_t position, span_t row) {
    return row.length <= MESSAGE_ROW_BYTES_MAX ? writer_append(writer, position, row)
                                               : MDB_CORRUPTED;
}

int changes_append_old(writer_t *writer, uint64_t position, span_t old_row) {
    message_t message;
    uint8_t row[MESSAGE_ROW_BYTES_MAX];
    if (!old_row_decode(&message, position, old_row)) {
        return MDB_CORRUPTED;
    }
    size_t length = message_row_encode(row, sizeof row, &message);
    return writer_append(writer, position, (span_t){(const char *)row, length});
}

static int apply_old_append(writer_t *writer, const change_t *change) {
    uint64_t position;
    if (change->table != TABLE_LOG || change->key_bytes != sizeof position) {
        return MDB_CORRUPTED;
    }
    memcpy(&position, change->key, sizeof position);
    return changes_append_old(writer, position, (span_t){change->value, change->value_bytes});
}

static int delete_range(writer_t *writer, const change_t *change) {
    uint64_t first, last;
    if (change->key_bytes != sizeof first || change->value_bytes != sizeof last) {
        return MDB_CORRUPTED;
    }
    memcpy(&first, change->key, sizeof first);
    memcpy(&last, change->value, sizeof last);
    if (change->table == TABLE_LOG) {
        return writer_delete_messages(writer, first, last);
    }
    return lmdb_delete_range(writer->txn, writer->tables[change->table], first, last);
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

/* A change of a table that is not the log. */
static int apply_small(writer_t *writer, const change_t *change) {
    uint64_t aligned[(RECORD_KEY_BYTES_MAX + 7) / 8]; /* LMDB reads integer keys as integers */
    bool integer = change->table == TABLE_HEADS || change->table == TABLE_VERDICTS;
    if (change->table >= TABLE_COUNT || change->table == TABLE_LOG ||
        change->key_bytes > sizeof aligned ||
        (integer ? change->key_bytes != sizeof(uint64_t) : !key_fits(change))) {
        return MDB_CORRUPTED;
    }
    memcpy(aligned, change->key, change->key_bytes);
    MDB_dbi table = writer->tables[change->table];
    MDB_val key = lmdb_value(aligned, change->key_bytes);
    MDB_val value = lmdb_value(change->value, change->value_bytes);
    if (change->operation == OPERATION_PUT) {
        return mdb_put(writer->txn, table, &key, &value, 0);
    }
    int code = mdb_del(writer->txn, table, &key, NULL);
    return code == MDB_NOTFOUND ? 0 : code;
}

static int apply_one(writer_t *writer, const change_t *change) {
    span_t value = {change->value, change->value_bytes};
    switch (change->operation) {
    case OPERATION_MESSAGE:
        return apply_message(writer, change->position, value);
    case OPERATION_OLD_APPEND:
        return apply_old_append(writer, change);
    case OPERATION_PUT:
    case OPERATION_DELETE:
        return apply_small(writer, change);
    case OPERATION_DELETE_RANGE:
        return change->table == TABLE_LOG || change->table == TABLE_VERDICTS
                   ? delete_range(writer, change)
                   : MDB_CORRUPTED;
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
