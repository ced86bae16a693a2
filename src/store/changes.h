/*
 * What a commit does to the tables, as bytes: encoded once, then written to the journal, looked at
 * by reads, and made in the tables when their run is folded or replayed.
 *
 * A change: operation (1 byte), table (1), length of the key (2), length of the value (4), key,
 * value. Deleting a range of integer keys has the first as its key, the last as its value.
 */
#ifndef REALMGATE_STORE_CHANGES_H
#define REALMGATE_STORE_CHANGES_H

#include "base/buffer.h"
#include "store/store.h"
#include "writer.h"

typedef enum operation {
    OPERATION_PUT = 1,
    OPERATION_APPEND, /* behind the last key of the log */
    OPERATION_DELETE, /* whether it is there or not */
    OPERATION_DELETE_RANGE,
} operation_t;

/* A change as it was read; key and value lie in the bytes. */
typedef struct change {
    uint8_t operation, table;
    size_t key_bytes, value_bytes;
    const char *key, *value;
} change_t;

/* Appends what the records change. *last_position: of the newest message before, and then of the
 * newest one in there. STORE_CORRUPT for a message that is not behind it, or whose links do not
 * lead back; then what was appended is of no use. */
store_error_t changes_encode(buffer_t *changes, const record_t *records, size_t count,
                             uint64_t *last_position);

/* Takes the next change off; false for bytes that no encoder of ours writes. */
bool changes_next(span_t *left, change_t *change);

/* Makes changes in a transaction. Returns an LMDB code: MDB_CORRUPTED for bytes that no encoder of
 * ours writes, MDB_KEYEXIST for a message that is not behind the last one. */
int changes_apply(writer_t *writer, span_t changes);

#endif
