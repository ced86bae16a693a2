/*
 * The floor of positions: a row of `meta` that a backup carries along, so that its first start
 * knows that the store has gone back in time. Must never let a floor that cannot be read pass for
 * none.
 */
#include "lmdb_store.h"
#include "record_codec.h"

static int put_floor(MDB_txn *txn, MDB_dbi meta, const floor_record_t *floor) {
    uint8_t bytes[FLOOR_ROW_BYTES];
    floor_row_encode(bytes, floor);
    return lmdb_meta_put(txn, meta, LMDB_META_FLOOR, bytes, sizeof bytes);
}

store_error_t lmdb_read_floor(MDB_txn *txn, MDB_dbi meta, floor_record_t *floor) {
    span_t row;
    *floor = (floor_record_t){.copied = false};
    store_error_t error = lmdb_meta_get(txn, meta, LMDB_META_FLOOR, &row);
    if (error != STORE_OK || row.bytes == NULL) {
        return error;
    }
    return floor_row_decode(floor, row) ? STORE_OK : STORE_CORRUPT;
}

int lmdb_mark_copied(MDB_txn *txn, MDB_dbi meta) {
    floor_record_t floor;
    if (lmdb_read_floor(txn, meta, &floor) != STORE_OK) {
        return MDB_CORRUPTED;
    }
    floor.copied = true;
    return put_floor(txn, meta, &floor);
}
