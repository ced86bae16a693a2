/*
 * The floor of positions: a row of `meta` that a backup carries along, so that its first start
 * knows that the store has gone back in time. Must never let a floor that cannot be read pass for
 * none.
 */
#include "lmdb_store.h"
#include "record_codec.h"

#include <string.h>

static MDB_val floor_key(void) {
    return lmdb_value(LMDB_META_FLOOR, strlen(LMDB_META_FLOOR));
}

static int put_floor(MDB_txn *txn, MDB_dbi meta, const floor_record_t *floor) {
    uint8_t bytes[FLOOR_ROW_BYTES];
    floor_row_encode(bytes, floor);
    MDB_val key = floor_key();
    MDB_val row = lmdb_value(bytes, sizeof bytes);
    return mdb_put(txn, meta, &key, &row, 0);
}

store_error_t lmdb_read_floor(MDB_txn *txn, MDB_dbi meta, floor_record_t *floor) {
    MDB_val key = floor_key();
    MDB_val row;
    *floor = (floor_record_t){.copied = false};
    int code = mdb_get(txn, meta, &key, &row);
    if (code != 0) {
        return code == MDB_NOTFOUND ? STORE_OK : lmdb_error(code);
    }
    return floor_row_decode(floor, lmdb_span(&row)) ? STORE_OK : STORE_CORRUPT;
}

int lmdb_mark_copied(MDB_txn *txn, MDB_dbi meta) {
    floor_record_t floor;
    if (lmdb_read_floor(txn, meta, &floor) != STORE_OK) {
        return MDB_CORRUPTED;
    }
    floor.copied = true;
    return put_floor(txn, meta, &floor);
}
