/* links: base store; sources: support/store_place.c */
/*
 * Stores that older programs wrote: whatever stands in their log and in their journals is there
 * afterwards, also if the process that took it over died on the way.
 */
#include "../../src/store/journal.h"
#include "../../src/store/row.h"
#include "../support/store_place.h"
#include "store/lmdb.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <lmdb.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* ---- the format of before ---- */

enum { OLD_ROW_BYTES = 51 + 5 + 3 + 4, OLD_TABLE_LOG = 1, OLD_APPEND = 2 };

/* The row that versions 1 to 3 wrote for message_number(number, "halo", 4). */
static void old_row(uint64_t number, uint8_t row[OLD_ROW_BYTES]) {
    row_writer_t writer = {.at = row, .end = row + OLD_ROW_BYTES};
    row_put_u64(&writer, 1);
    row_put_u32(&writer, (uint32_t)number);
    row_put_u64(&writer, number - 1);
    row_put_u64(&writer, 0);
    row_put_u64(&writer, 1);
    row_put_u64(&writer, number);
    row_put_u8(&writer, 0);
    row_put_u8(&writer, 0);
    row_put_u8(&writer, 5);
    row_put_u8(&writer, 0);
    row_put_u8(&writer, 3);
    row_put_u16(&writer, 4);
    row_put_bytes(&writer, "alicebobhalo", 12);
    cr_assert(writer.at == writer.end);
}

static MDB_val value_of(void *bytes, size_t length) {
    return (MDB_val){.mv_size = length, .mv_data = bytes};
}

static MDB_env *tables_begin(const place_t *place, MDB_txn **txn) {
    char path[128];
    MDB_env *env;
    place_path(place, "store.mdb", path);
    cr_assert_eq(mdb_env_create(&env), 0);
    cr_assert_eq(mdb_env_set_maxdbs(env, 8), 0);
    cr_assert_eq(mdb_env_set_mapsize(env, 256 << 20), 0);
    cr_assert_eq(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOSYNC, 0600), 0);
    cr_assert_eq(mdb_txn_begin(env, NULL, 0, txn), 0);
    return env;
}

static void tables_end(MDB_env *env, MDB_txn *txn) {
    cr_assert_eq(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

/* The salt of the tables, which an old journal's frames need, or none. */
static uint64_t meta_age(MDB_txn *txn, uint8_t version) {
    MDB_dbi meta;
    char schema[] = "schema", journal[] = "journal";
    uint8_t bytes[4] = {version};
    uint64_t salt;
    cr_assert_eq(mdb_dbi_open(txn, "meta", 0, &meta), 0);
    MDB_val key = value_of(schema, 6);
    MDB_val row = value_of(bytes, sizeof bytes);
    cr_assert_eq(mdb_put(txn, meta, &key, &row, 0), 0);
    key = value_of(journal, 7);
    cr_assert_eq(mdb_get(txn, meta, &key, &row), 0);
    memcpy(&salt, row.mv_data, sizeof salt);
    if (version == 1)
        cr_assert_eq(mdb_del(txn, meta, &key, NULL), 0);
    return salt;
}

/* Puts old rows into the table of before; without blocks beside it, unless some messages stand in
 * them already. */
static uint64_t tables_age(const place_t *place, uint8_t version, uint64_t first, uint64_t last) {
    MDB_txn *txn;
    MDB_dbi blocks, log;
    MDB_env *env = tables_begin(place, &txn);
    if (first == 1) {
        cr_assert_eq(mdb_dbi_open(txn, "blocks", MDB_INTEGERKEY, &blocks), 0);
        cr_assert_eq(mdb_drop(txn, blocks, 1), 0);
    }
    cr_assert_eq(mdb_dbi_open(txn, "log", MDB_INTEGERKEY | MDB_CREATE, &log), 0);
    for (uint64_t number = first; number <= last; number++) {
        uint8_t bytes[OLD_ROW_BYTES];
        old_row(number, bytes);
        MDB_val key = value_of(&number, sizeof number);
        MDB_val row = value_of(bytes, sizeof bytes);
        cr_assert_eq(mdb_put(txn, log, &key, &row, MDB_APPEND), 0);
    }
    uint64_t salt = meta_age(txn, version);
    tables_end(env, txn);
    return salt;
}

/* One message a frame, as versions 2 and 3 wrote them. */
static void journal_age(const place_t *place, uint64_t salt, uint64_t first, uint64_t last) {
    enum { CHANGE_BYTES = 8 + 8 + OLD_ROW_BYTES };
    journal_t journal;
    char path[128];
    place_path(place, "store.mdb-journal", path);
    cr_assert_eq(journal_open(&journal, path, true), STORE_OK);
    cr_assert_eq(journal_reserve(&journal, 64 * 1024), STORE_OK);
    journal_restart(&journal, salt, 7);
    for (uint64_t number = first; number <= last; number++) {
        uint8_t frame[JOURNAL_HEAD_BYTES + CHANGE_BYTES];
        row_writer_t writer = {.at = frame + JOURNAL_HEAD_BYTES, .end = frame + sizeof frame};
        row_put_u8(&writer, OLD_APPEND);
        row_put_u8(&writer, OLD_TABLE_LOG);
        row_put_u16(&writer, sizeof number);
        row_put_u32(&writer, OLD_ROW_BYTES);
        row_put_bytes(&writer, &number, sizeof number);
        old_row(number, writer.at);
        journal_seal(&journal, (char *)frame, sizeof frame);
        cr_assert_eq(journal_append(&journal, (const char *)frame, sizeof frame), STORE_OK);
    }
    journal_close(&journal);
}

static void forget_file(const place_t *place, const char *name) {
    char path[128];
    place_path(place, name, path);
    cr_assert_eq(unlink(path), 0);
}

/* A store of that version, with so many messages in its tables and all up to `last` in its journal.
 */
static void old_store_make(place_t *place, uint8_t version, uint64_t folded, uint64_t last) {
    place_init(place);
    cr_assert_eq(place_open(place), STORE_OK);
    store_close(&place->store);
    forget_file(place, "store.mdb-journal");
    forget_file(place, "store.mdb-journal2");
    uint64_t salt = tables_age(place, version, 1, folded);
    if (version > 1)
        journal_age(place, salt, folded + 1, last);
}

static bool has_table(const place_t *place, const char *name) {
    MDB_txn *txn;
    MDB_dbi table;
    MDB_env *env = tables_begin(place, &txn);
    int code = mdb_dbi_open(txn, name, MDB_INTEGERKEY, &table);
    cr_assert(code == 0 || code == MDB_NOTFOUND);
    tables_end(env, txn);
    return code == 0;
}

/* The store is one of today's with so many messages, and takes more. */
static void expect_taken_over(place_t *place, uint64_t count) {
    for (int round = 0; round < 2; round++) {
        cr_assert_eq(place_open(place), STORE_OK);
        cr_assert_eq(messages_in(place->store), count);
        store_close(&place->store);
        cr_assert(has_table(place, "blocks") && !has_table(place, "log"));
    }
    cr_assert_eq(place_open(place), STORE_OK);
    commit_up_to(place->store, count + 1, count + 3);
    store_close(&place->store);
    cr_assert_eq(place_open(place), STORE_OK);
    cr_assert_eq(messages_in(place->store), count + 3);
}

/* ---- what is to come of it ---- */

Test(store_upgrade, each_older_version_is_taken_over_with_its_journal) {
    for (uint8_t version = 1; version <= 3; version++) {
        place_t place;
        uint64_t last = version > 1 ? 257 : 250;
        old_store_make(&place, version, 250, last);
        expect_taken_over(&place, last);
        place_deinit(&place);
    }
}

Test(store_upgrade, an_empty_store_is_taken_over) {
    place_t place;
    old_store_make(&place, 3, 0, 0);
    expect_taken_over(&place, 0);
    place_deinit(&place);
}

Test(store_upgrade, more_than_fits_one_transaction_is_taken_over) {
    place_t place;
    old_store_make(&place, 3, 250000, 250001);
    expect_taken_over(&place, 250001);
    place_deinit(&place);
}

Test(store_upgrade, what_was_begun_is_ended) {
    place_t place;
    place_init(&place);
    cr_assert_eq(place_open(&place), STORE_OK);
    commit_up_to(place.store, 1, 40);
    store_close(&place.store);
    (void)tables_age(&place, 4, 41, 90);
    expect_taken_over(&place, 90);
    place_deinit(&place);
}

Test(store_upgrade, who_only_reads_has_it_taken_over_first) {
    place_t place;
    uint64_t count;
    old_store_make(&place, 3, 30, 33);
    cr_assert_eq(dump_count(&place, &count), STORE_OK);
    cr_assert_eq(count, 33);
    expect_taken_over(&place, 33);
    place_deinit(&place);
}

Test(store_upgrade, who_only_reads_leaves_it_to_a_realm_that_runs) {
    place_t place;
    uint64_t count;
    char path[128];
    old_store_make(&place, 3, 30, 33);
    place_path(&place, "store.mdb", path);
    int held = open(path, O_RDWR | O_CLOEXEC);
    cr_assert(held >= 0 && flock(held, LOCK_EX) == 0);
    cr_assert_eq(dump_count(&place, &count), STORE_UNFOLDED);
    cr_assert(has_table(&place, "log") && !has_table(&place, "blocks"));
    cr_assert_eq(close(held), 0);
    expect_taken_over(&place, 33);
    place_deinit(&place);
}

Test(store_upgrade, a_damaged_row_is_not_dropped) {
    place_t place;
    MDB_txn *txn;
    MDB_dbi log;
    uint64_t number = 20;
    uint8_t bytes[OLD_ROW_BYTES];
    old_store_make(&place, 3, 30, 33);
    old_row(number, bytes);
    MDB_env *env = tables_begin(&place, &txn);
    cr_assert_eq(mdb_dbi_open(txn, "log", MDB_INTEGERKEY, &log), 0);
    MDB_val key = value_of(&number, sizeof number);
    MDB_val row = value_of(bytes, sizeof bytes - 1);
    cr_assert_eq(mdb_put(txn, log, &key, &row, 0), 0);
    tables_end(env, txn);
    for (int round = 0; round < 2; round++)
        cr_assert_eq(place_open(&place), STORE_CORRUPT);
    env = tables_begin(&place, &txn);
    cr_assert_eq(mdb_dbi_open(txn, "log", MDB_INTEGERKEY, &log), 0);
    row = value_of(bytes, sizeof bytes);
    cr_assert_eq(mdb_put(txn, log, &key, &row, 0), 0);
    tables_end(env, txn);
    expect_taken_over(&place, 33);
    place_deinit(&place);
}
