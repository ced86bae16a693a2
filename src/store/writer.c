/*
 * Begins and ends transactions, and changes the log. Must never commit one without the salt that
 * makes its frames void, nor leave a message behind in the block under way.
 */
#include "writer.h"
#include "lmdb_store.h"

#include <string.h>

/* Its block is left as it is: that is 8 KiB, and empty is what its length says. */
static void writer_clear(writer_t *writer) {
    writer->tables = NULL;
    writer->txn = NULL;
    writer->append_cursor = NULL;
    writer->last_position = 0;
    writer->block.length = 0;
}

void writer_drop(writer_t *writer) {
    if (writer->txn != NULL) {
        mdb_txn_abort(writer->txn); /* and its cursor */
    }
    writer_clear(writer);
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
    writer_clear(writer);
    writer->tables = tables;
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

/* Through a cursor that stays at the end: LMDB sees that no page lies behind and need not search,
 * as it would with MDB_APPEND. */
int writer_flush(writer_t *writer) {
    block_t *block = &writer->block;
    if (block->length == 0) {
        return 0;
    }
    MDB_val key = lmdb_value(&block->last, sizeof block->last);
    span_t bytes = block_bytes(block);
    MDB_val value = lmdb_value(bytes.bytes, bytes.length);
    int code = mdb_cursor_put(writer->append_cursor, &key, &value, 0);
    block->length = 0;
    return code;
}

int writer_append(writer_t *writer, uint64_t position, span_t row) {
    if (position <= writer->last_position) {
        return MDB_KEYEXIST;
    }
    int code = block_fits(&writer->block, position, row.length) ? 0 : writer_flush(writer);
    if (code == 0) {
        block_add(&writer->block, position, row);
        writer->last_position = position;
    }
    return code;
}

/* What is left of a block when messages from first to last are gone; *keeps_all: these are all. An
 * LMDB code. */
static int block_cut(block_t *rest, block_reader_t *reader, uint64_t first, uint64_t last,
                     bool *keeps_all) {
    span_t row;
    rest->length = 0;
    *keeps_all = true;
    while (block_next(reader, &row)) {
        if (reader->position >= first && reader->position <= last) {
            *keeps_all = false;
        } else if (row.length <= MESSAGE_ROW_BYTES_MAX &&
                   block_fits(rest, reader->position, row.length)) {
            block_add(rest, reader->position, row);
        } else {
            return MDB_CORRUPTED;
        }
    }
    return block_damaged(reader) ? MDB_CORRUPTED : 0;
}

/* Deletes from the block under the cursor; *beyond: it lies behind `last`. The key stays. */
static int delete_from(MDB_cursor *cursor, MDB_val *key, const MDB_val *value, uint64_t first,
                       uint64_t last, bool *beyond) {
    block_reader_t reader;
    if (!lmdb_block_open(&reader, key, value)) {
        return MDB_CORRUPTED;
    }
    *beyond = reader.position >= last;
    if (*beyond) {
        return 0;
    }
    block_t rest;
    bool keeps_all;
    int code = block_cut(&rest, &reader, first, last, &keeps_all);
    if (code != 0 || keeps_all) {
        return code;
    }
    if (rest.length == 0) {
        return mdb_cursor_del(cursor, 0);
    }
    uint64_t position = reader.key;
    MDB_val same_key = lmdb_value(&position, sizeof position);
    span_t bytes = block_bytes(&rest);
    MDB_val left = lmdb_value(bytes.bytes, bytes.length);
    return mdb_cursor_put(cursor, &same_key, &left, MDB_CURRENT);
}

static int delete_all(MDB_cursor *cursor, uint64_t first, uint64_t last) {
    MDB_val key = lmdb_value(&first, sizeof first);
    MDB_val value;
    bool beyond = false;
    int code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (code == 0) {
        code = delete_from(cursor, &key, &value, first, last, &beyond);
        if (code != 0 || beyond) {
            return code;
        }
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    return code == MDB_NOTFOUND ? 0 : code;
}

/* The cursor at the end of the log does not stay there when pages before it go. */
int writer_delete_messages(writer_t *writer, uint64_t first, uint64_t last) {
    int code = writer->block.length > 0 && last >= writer->block.first ? writer_flush(writer) : 0;
    MDB_cursor *cursor;
    if (code == 0) {
        code = mdb_cursor_open(writer->txn, writer->tables[TABLE_LOG], &cursor);
    }
    if (code != 0) {
        return code;
    }
    code = delete_all(cursor, first, last);
    mdb_cursor_close(cursor);
    if (code != 0) {
        return code;
    }
    MDB_val key, value;
    code = mdb_cursor_get(writer->append_cursor, &key, &value, MDB_LAST);
    return code == MDB_NOTFOUND ? 0 : code;
}

int writer_commit_as_before(writer_t *writer) {
    int code = writer_flush(writer);
    if (code != 0) {
        writer_drop(writer);
        return code;
    }
    MDB_txn *txn = writer->txn;
    writer_clear(writer);
    return mdb_txn_commit(txn);
}

int writer_commit(writer_t *writer, uint64_t salt) {
    int code = lmdb_put_salt(writer->txn, writer->tables[TABLE_META], salt);
    if (code != 0) {
        writer_drop(writer);
        return code;
    }
    return writer_commit_as_before(writer);
}
