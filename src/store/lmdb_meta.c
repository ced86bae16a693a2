/*
 * Rows of the table `meta`, by the names that lmdb_store.h gives them.
 */
#include "lmdb_store.h"
#include "row.h"

#include <string.h>

int lmdb_meta_put(MDB_txn *txn, MDB_dbi meta, const char *name, const void *bytes, size_t length) {
    MDB_val key = lmdb_value(name, strlen(name));
    MDB_val row = lmdb_value(bytes, length);
    return mdb_put(txn, meta, &key, &row, 0);
}

store_error_t lmdb_meta_get(MDB_txn *txn, MDB_dbi meta, const char *name, span_t *row) {
    MDB_val key = lmdb_value(name, strlen(name));
    MDB_val value;
    int code = mdb_get(txn, meta, &key, &value);
    *row = code == 0 ? lmdb_span(&value) : (span_t){NULL, 0};
    return code == MDB_NOTFOUND ? STORE_OK : lmdb_error(code);
}

int lmdb_put_schema(MDB_txn *txn, MDB_dbi meta) {
    uint8_t version[sizeof(uint32_t)];
    row_writer_t writer = {.at = version, .end = version + sizeof version};
    row_put_u32(&writer, LMDB_SCHEMA_VERSION);
    return lmdb_meta_put(txn, meta, LMDB_META_SCHEMA, version, sizeof version);
}
