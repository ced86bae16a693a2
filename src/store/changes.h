/*
 * What a commit does to the tables, as bytes: encoded once, then written to the journal, looked at
 * by reads, and made in the tables when their run is folded or replayed.
 *
 * A message: operation (1 byte), position (varint), length of its row (2), the row. Any other
 * change: operation (1), table (1), length of the key (2), length of the value (4), key, value.
 * Deleting a range of integer keys has the first as its key, the last as its value.
 */
#ifndef REALMGATE_STORE_CHANGES_H
#define REALMGATE_STORE_CHANGES_H

#include "base/buffer.h"
#include "recent.h"
#include "store/store.h"
#include "writer.h"

typedef enum operation {
    OPERATION_PUT = 1,
    OPERATION_OLD_APPEND, /* a message, as schema versions 2 and 3 wrote it; only read */
    OPERATION_DELETE,     /* whether it is there or not */
    OPERATION_DELETE_RANGE,
    OPERATION_MESSAGE, /* behind the last one of the log */
} operation_t;

/* Appends what the records change, and notes in *recent, which is empty, what reads will want of
 * it; rows lie so far from where the first change stands. *last_position: of the newest message
 * before, and then of the newest one in there. STORE_CORRUPT for a message that is not behind it,
 * or whose links do not lead back; then what was appended is of no use. */
store_error_t changes_encode(buffer_t *changes, recent_t *recent, const record_t *records,
                             size_t count, uint64_t *last_position);

/* Makes changes in a transaction. Returns an LMDB code: MDB_CORRUPTED for bytes that no encoder of
 * ours writes, MDB_KEYEXIST for a message that is not behind the last one. */
int changes_apply(writer_t *writer, span_t changes);

/* Appends a message whose row is of schema versions 1 to 3; an LMDB code as above. */
int changes_append_old(writer_t *writer, uint64_t position, span_t old_row);

#endif
