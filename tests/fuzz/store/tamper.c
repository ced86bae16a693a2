/*
 * Rows are chosen by their place, so that an input finds them whatever their keys are.
 */
#include "tamper.h"

#include "base/assert.h"
#include "base/buffer.h"

#include <lmdb.h>
#include <string.h>

enum { TABLES = 5, CHANGES_MAX = 8, MAP_BYTES = 8 << 20 };

static const struct {
    const char *name;
    bool integer_key;
} tables[TABLES] = {
    {"rows", false}, {"heads", true}, {"meta", false}, {"blocks", true}, {"verdicts", true}};

/* A row, copied out of the map, and where it lies. */
typedef struct row {
    MDB_txn *txn;
    MDB_dbi table;
    bool integer_key;
    buffer_t key, value;
} row_t;

static MDB_val value_of(const buffer_t *buffer) {
    return (MDB_val){.mv_size = buffer->length, .mv_data = buffer->bytes};
}

static void keep(buffer_t *buffer, const MDB_val *value) {
    buffer_reset(buffer);
    buffer_append(buffer, value->mv_data, value->mv_size);
}

/* What LMDB refuses (an empty key, one that is too long) is not there. Integer keys have one size,
 * which LMDB takes for granted. */
static void put(row_t *row) {
    MDB_val key = value_of(&row->key);
    MDB_val value = value_of(&row->value);
    if (row->integer_key && key.mv_size != sizeof(uint64_t))
        return;
    (void)mdb_put(row->txn, row->table, &key, &value, 0);
}

static void take_away(row_t *row) {
    MDB_val key = value_of(&row->key);
    (void)mdb_del(row->txn, row->table, &key, NULL);
}

/* The row that the input chooses into key and value; false if the table has none. */
static bool choose(row_t *row, input_t *input) {
    MDB_stat stat;
    MDB_cursor *cursor;
    MDB_val key, value;
    uint8_t place = input_u8(input);
    ASSERT(mdb_stat(row->txn, row->table, &stat) == 0);
    if (stat.ms_entries == 0)
        return false;
    ASSERT(mdb_cursor_open(row->txn, row->table, &cursor) == 0);
    for (size_t i = 0; i <= place % stat.ms_entries; i++)
        ASSERT(mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0);
    keep(&row->key, &key);
    keep(&row->value, &value);
    mdb_cursor_close(cursor);
    return true;
}

static void change_byte(buffer_t *bytes, input_t *input) {
    size_t offset = input_u16(input);
    uint8_t byte = input_u8(input);
    if (bytes->length > 0)
        bytes->bytes[offset % bytes->length] = (char)byte;
}

/* A number that code likes to stumble over, 4 or 8 bytes of it. */
static void change_number(buffer_t *bytes, input_t *input) {
    static const uint64_t numbers[] = {0,
                                       1,
                                       2,
                                       1U << 30,
                                       INT32_MAX,
                                       UINT32_MAX - 1,
                                       UINT32_MAX,
                                       1ULL << 32,
                                       (1ULL << 48) - 1,
                                       1ULL << 48,
                                       INT64_MAX,
                                       1ULL << 63,
                                       UINT64_MAX - 1,
                                       UINT64_MAX};
    size_t offset = input_u16(input);
    uint8_t choice = input_u8(input);
    uint64_t number = numbers[choice / 2 % (sizeof(numbers) / sizeof(numbers[0]))];
    size_t width = choice % 2 == 0 ? sizeof(uint32_t) : sizeof(uint64_t);
    if (bytes->length >= width)
        memcpy(bytes->bytes + offset % (bytes->length - width + 1), &number, width);
}

static void change_length(buffer_t *bytes, input_t *input) {
    size_t length = bytes->length + input_u8(input) - 128;
    if (length > bytes->length + 128)
        length = 0;
    while (bytes->length < length)
        buffer_append(bytes, "", 1);
    bytes->length = length;
}

/* The value of another row of the table. */
static void borrow_value(row_t *row, input_t *input) {
    row_t other = *row;
    buffer_init(&other.key);
    buffer_init(&other.value);
    if (choose(&other, input)) {
        buffer_reset(&row->value);
        buffer_append(&row->value, other.value.bytes, other.value.length);
    }
    buffer_deinit(&other.key);
    buffer_deinit(&other.value);
}

/* A row of the input's own. */
static void invent(row_t *row, input_t *input) {
    span_t key = input_span(input, row->integer_key ? sizeof(uint64_t) : input_u8(input) % 44U);
    span_t value = input_span(input, input_u8(input));
    buffer_reset(&row->key);
    buffer_reset(&row->value);
    buffer_append(&row->key, key.bytes, key.length);
    buffer_append(&row->value, value.bytes, value.length);
}

/* Changes the row at hand. */
static void change(row_t *row, input_t *input) {
    uint8_t way = input_u8(input);
    if (way % 8 == 0) {
        take_away(row);
        return;
    }
    if (way % 8 == 1 && way / 8 % 2 == 0) /* moved; else doubled */
        take_away(row);
    switch (way % 8) {
    case 1:
    case 2:
        change_byte(&row->key, input);
        break;
    case 3:
        change_number(&row->value, input);
        break;
    case 4:
        change_length(&row->value, input);
        break;
    case 5:
        borrow_value(row, input);
        break;
    case 6:
        invent(row, input);
        break;
    default:
        change_byte(&row->value, input);
    }
    put(row);
}

static void change_table(MDB_txn *txn, input_t *input) {
    size_t index = input_below(input, 16) % TABLES;
    row_t row = {.txn = txn, .integer_key = tables[index].integer_key};
    unsigned int flags = row.integer_key ? MDB_INTEGERKEY : 0;
    ASSERT(mdb_dbi_open(txn, tables[index].name, flags, &row.table) == 0);
    buffer_init(&row.key);
    buffer_init(&row.value);
    (void)choose(&row, input); /* an empty one is changed as an empty row */
    change(&row, input);
    buffer_deinit(&row.key);
    buffer_deinit(&row.value);
}

void tamper(const char *file, input_t *input) {
    MDB_env *env;
    MDB_txn *txn;
    size_t changes = input_below(input, CHANGES_MAX);
    ASSERT(mdb_env_create(&env) == 0);
    ASSERT(mdb_env_set_maxdbs(env, TABLES) == 0 && mdb_env_set_mapsize(env, MAP_BYTES) == 0);
    ASSERT(mdb_env_open(env, file, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC, 0600) == 0);
    ASSERT(mdb_txn_begin(env, NULL, 0, &txn) == 0);
    for (size_t i = 0; i < changes; i++)
        change_table(txn, input);
    ASSERT(mdb_txn_commit(txn) == 0);
    mdb_env_close(env);
}
