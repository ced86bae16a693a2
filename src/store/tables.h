/*
 * The tables of a store, and the rows of `meta`.
 */
#ifndef REALMGATE_STORE_TABLES_H
#define REALMGATE_STORE_TABLES_H

#include <lmdb.h>

/* Keys of the table `meta`. */
#define LMDB_META_SCHEMA     "schema"
#define LMDB_META_REALM      "realm"
#define LMDB_META_CHECKPOINT "checkpoint"
#define LMDB_META_CUT        "cut"
#define LMDB_META_FLOOR      "floor"
#define LMDB_META_NOTE       "note"
#define LMDB_META_JOURNAL    "journal"

typedef enum table_id {
    TABLE_META,
    TABLE_LOG, /* of blocks (block.h) */
    TABLE_HEADS,
    TABLE_ROWS,
    TABLE_VERDICTS,
    TABLE_COUNT,
} table_id_t;

#endif
