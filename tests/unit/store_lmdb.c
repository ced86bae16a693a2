/* links: base store; sources: support/store_place.c */
/*
 * The store in LMDB: what was committed is there after a reopen, in the order that a start wants;
 * pages agree with a naive model; damage, a full disk and kill -9 lose nothing and keep nothing
 * half.
 */
#include "../../src/store/block.h"
#include "../support/store_place.h"
#include "store/lmdb.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static name_t name_from(const char *text) {
    name_t name = {.length = (uint8_t)strlen(text)};
    memcpy(name.text, text, name.length);
    return name;
}

/* A store that is open. */
static void fixture_init(place_t *fixture) {
    place_init(fixture);
    cr_assert_eq(place_open(fixture), STORE_OK);
}

static void fixture_reopen(place_t *fixture) {
    store_close(&fixture->store);
    cr_assert_null(fixture->store);
    cr_assert_eq(place_open(fixture), STORE_OK);
}

static uint64_t random_next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint32_t round_down(uint32_t seq, uint32_t step) {
    return seq / step * step;
}

/* 4^k for the k zeros at the end of seq, counted in base 4. */
static uint32_t zeros_step(uint32_t seq) {
    uint32_t step = 1;
    for (uint32_t rest = seq; rest % 4 == 0 && step < 262144; rest /= 4) {
        step *= 4;
    }
    return step;
}

/* Where the message `seq` may jump: by 4^k; also from in between; anywhere; nowhere. */
typedef enum jump_rule {
    JUMP_BY_ZEROS,
    JUMP_FROM_BETWEEN,
    JUMP_AT_RANDOM,
    JUMP_NOWHERE
} jump_rule_t;

/* Mailboxes as plain lists of positions: the model. */

#define MODEL_MESSAGES_MAX 200000

typedef struct model_mailbox {
    mailbox_t mailbox;
    jump_rule_t rule;
    uint32_t count;
    uint64_t positions[MODEL_MESSAGES_MAX + 1]; /* by seq */
} model_mailbox_t;

static model_mailbox_t *model_new(mailbox_t mailbox) {
    model_mailbox_t *model = calloc(1, sizeof *model);
    cr_assert_not_null(model);
    model->mailbox = mailbox;
    return model;
}

static uint32_t model_jump_seq(jump_rule_t rule, uint32_t seq) {
    uint32_t step = zeros_step(seq);
    uint64_t random = seq * 2654435761ULL + 1;
    switch (rule) {
    case JUMP_FROM_BETWEEN:
        if (seq % 4 != 0) {
            step = zeros_step(round_down(seq, 4) + 4) >> 2 * (4 - seq % 4);
            step = step > 4 ? step : 4;
        }
        return round_down(seq - 1, step);
    case JUMP_AT_RANDOM:
        return (uint32_t)(random_next(&random) % seq);
    case JUMP_NOWHERE:
        return 0;
    default:
        return seq - step;
    }
}

/* The next message of a mailbox, at this position. */
static record_t model_append(model_mailbox_t *model, uint64_t position, span_t text) {
    uint32_t seq = ++model->count;
    cr_assert_leq(seq, MODEL_MESSAGES_MAX);
    model->positions[seq] = position;
    record_t record;
    memset(&record, 0, sizeof record);
    record.kind = RECORD_MESSAGE;
    record.message = (message_t){
        .position = position,
        .mailbox = model->mailbox,
        .seq = seq,
        .previous = model->positions[seq - 1],
        .jump = model->positions[model_jump_seq(model->rule, seq)],
        .time_ms = 1700000000000 + (int64_t)position,
        .number = position * 3,
        .from = {"alice", 5},
        .to = {"bob", 3},
        .text = text,
    };
    return record;
}

static const span_t halo = {"halo", 4};

/* Commits `count` messages into mailboxes picked at random, in batches; positions have gaps. */
static void models_commit(store_t *store, model_mailbox_t **models, size_t models_count,
                          size_t count, uint64_t *position, uint64_t *random) {
    record_t batch[64];
    while (count > 0) {
        size_t size = 1 + random_next(random) % 64;
        size = size < count ? size : count;
        for (size_t i = 0; i < size; i++) {
            *position += 1 + random_next(random) % 3;
            batch[i] = model_append(models[random_next(random) % models_count], *position, halo);
        }
        cr_assert_eq(store_commit(store, batch, size), STORE_OK);
        count -= size;
    }
}

typedef struct seen_page {
    const model_mailbox_t *model;
    size_t count;
    uint32_t seqs[PAGE_MESSAGES_MAX];
} seen_page_t;

static bool see_message(void *context, const message_t *message) {
    seen_page_t *seen = context;
    cr_assert_lt(seen->count, PAGE_MESSAGES_MAX);
    cr_assert(message->mailbox == seen->model->mailbox);
    cr_assert(message->position == seen->model->positions[message->seq]);
    cr_assert(message->number == message->position * 3);
    cr_assert(message->text.length == 4 && memcmp(message->text.bytes, "halo", 4) == 0);
    seen->seqs[seen->count++] = message->seq;
    return true;
}

static page_query_t query_of(const model_mailbox_t *model) {
    return (page_query_t){.mailbox = model->mailbox,
                          .newest_position = model->positions[model->count],
                          .newest_seq = model->count,
                          .limit = PAGE_MESSAGES_DEFAULT};
}

/* Reads a page and compares it with what a filter over the whole list gives. Messages below
 * `oldest` are gone. */
static void expect_page(store_t *store, const model_mailbox_t *model, const page_query_t *query,
                        uint32_t oldest) {
    seen_page_t seen = {.model = model};
    bool more = true;
    cr_assert_eq(store_page(store, query, see_message, &seen, &more), STORE_OK);
    uint32_t wanted = 0;
    uint32_t first = 0;
    for (uint32_t seq = oldest; seq <= model->count; seq++) {
        if (seq > query->after && (query->before == 0 || seq < query->before)) {
            first = wanted == 0 ? seq : first;
            wanted++;
        }
    }
    uint32_t count = wanted < query->limit ? wanted : query->limit;
    if (!query->oldest_first) {
        first += wanted - count;
    }
    cr_assert(seen.count == count && more == (wanted > count),
              "after %u before %u limit %u oldest_first %d: %zu of %u, more %d", query->after,
              query->before, query->limit, query->oldest_first, seen.count, count, more);
    for (uint32_t i = 0; i < count; i++) {
        cr_assert(seen.seqs[i] == first + i);
    }
}

static void expect_pages_at_random(store_t *store, const model_mailbox_t *model, size_t rounds,
                                   uint32_t oldest, uint64_t *random) {
    for (size_t round = 0; round < rounds; round++) {
        page_query_t query = query_of(model);
        query.after =
            random_next(random) % 4 == 0 ? 0 : (uint32_t)(random_next(random) % (model->count + 3));
        query.before =
            random_next(random) % 4 == 0 ? 0 : (uint32_t)(random_next(random) % (model->count + 3));
        query.limit = 1 + (uint32_t)(random_next(random) %
                                     (random_next(random) % 8 == 0 ? PAGE_MESSAGES_MAX : 60));
        query.oldest_first = random_next(random) % 2 == 0;
        expect_page(store, model, &query, oldest);
    }
}

/* Raw access for damage: the tables as the header comment of store/lmdb.h tells. */

static MDB_env *raw_open(const place_t *fixture, const char *table, MDB_txn **txn, MDB_dbi *dbi) {
    char path[128];
    place_path(fixture, "store.mdb", path);
    MDB_env *env;
    cr_assert_eq(mdb_env_create(&env), 0);
    cr_assert_eq(mdb_env_set_maxdbs(env, 8), 0);
    cr_assert_eq(mdb_env_open(env, path, MDB_NOSUBDIR, 0600), 0);
    cr_assert_eq(mdb_txn_begin(env, NULL, 0, txn), 0);
    cr_assert_eq(mdb_dbi_open(*txn, table, 0, dbi), 0);
    return env;
}

static void raw_close(MDB_env *env, MDB_txn *txn) {
    cr_assert_eq(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

/* Replaces a row, or deletes it if length is 0. */
static void raw_put(const place_t *fixture, const char *table, const void *key, size_t key_length,
                    const void *row, size_t length) {
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_env *env = raw_open(fixture, table, &txn, &dbi);
    char key_bytes[64];
    char row_bytes[8192];
    memcpy(key_bytes, key, key_length);
    MDB_val raw_key = {.mv_size = key_length, .mv_data = key_bytes};
    if (length == 0) {
        cr_assert_eq(mdb_del(txn, dbi, &raw_key, NULL), 0);
    } else {
        memcpy(row_bytes, row, length);
        MDB_val raw_row = {.mv_size = length, .mv_data = row_bytes};
        cr_assert_eq(mdb_put(txn, dbi, &raw_key, &raw_row, 0), 0);
    }
    raw_close(env, txn);
}

/* The block that holds the message at a position: its key and bytes, and where in them the row is.
 */
typedef struct raw_block {
    uint64_t key;
    size_t length, row;
    uint8_t bytes[8192];
} raw_block_t;

static void raw_get_block(const place_t *fixture, uint64_t position, raw_block_t *block) {
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_cursor *cursor;
    MDB_env *env = raw_open(fixture, "blocks", &txn, &dbi);
    MDB_val key = {.mv_size = sizeof position, .mv_data = &position};
    MDB_val value;
    cr_assert_eq(mdb_cursor_open(txn, dbi, &cursor), 0);
    cr_assert_eq(mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE), 0);
    memcpy(&block->key, key.mv_data, sizeof block->key);
    block->length = value.mv_size;
    memcpy(block->bytes, value.mv_data, value.mv_size);
    block_reader_t reader =
        block_open(block->key, (span_t){(const char *)block->bytes, block->length});
    span_t row;
    cr_assert(block_seek(&reader, position, &row) && reader.position == position);
    block->row = (size_t)(row.bytes - (const char *)block->bytes);
    mdb_cursor_close(cursor);
    raw_close(env, txn);
}

/* What a load gives: kinds in order, and the records themselves. */

typedef struct loaded {
    size_t count;
    size_t stop_after; /* 0 = never */
    uint64_t last_position;
    record_t records[64];
    char texts[64][64];
} loaded_t;

static bool see_record(void *context, const record_t *record) {
    loaded_t *loaded = context;
    if (loaded->count < 64) {
        loaded->records[loaded->count] = *record;
        if (record->kind == RECORD_MESSAGE) {
            size_t length = record->message.text.length;
            memcpy(loaded->texts[loaded->count], record->message.text.bytes,
                   length < 64 ? length : 64);
        }
    }
    loaded->count++;
    if (record->kind == RECORD_MESSAGE) {
        cr_assert_gt(record->message.position, loaded->last_position);
        loaded->last_position = record->message.position;
    }
    return loaded->stop_after == 0 || loaded->count < loaded->stop_after;
}

static void expect_kinds(const loaded_t *loaded, const record_kind_t *kinds, size_t count) {
    cr_assert_eq(loaded->count, count);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(loaded->records[i].kind, kinds[i], "record %zu", i);
    }
}

static record_t record_of(record_kind_t kind) {
    record_t record;
    memset(&record, 0, sizeof record);
    record.kind = kind;
    return record;
}

static record_t user_of(uint32_t id, const char *name) {
    record_t record = record_of(RECORD_USER);
    record.user.id = id;
    record.user.name = name_from(name);
    record.user.password.passes = 2;
    return record;
}

static record_t member_of(record_kind_t kind, uint32_t group, uint32_t user) {
    record_t record = record_of(kind);
    record.member = (member_record_t){.group = group, .user = user};
    return record;
}

static record_t checkpoint_of(uint64_t position) {
    record_t record = record_of(RECORD_CHECKPOINT);
    record.checkpoint.position = position;
    return record;
}

Test(store_lmdb, a_load_gives_everything_in_the_order_of_the_contract) {
    place_t fixture;
    fixture_init(&fixture);
    model_mailbox_t *model = model_new(7);
    record_t records[16];
    size_t count = 0;
    for (uint64_t position = 1; position <= 4; position++) {
        records[count++] = model_append(model, position, halo);
    }
    records[count++] = checkpoint_of(2);
    records[count] = record_of(RECORD_HEAD);
    records[count].head.mailbox = 7;
    records[count++].head.head.seq = 2;
    records[count] = record_of(RECORD_REJECTION);
    records[count++].rejection = (rejection_record_t){.realm = 1, .seq = 9, .code = CODE_NO_USER};
    records[count] = record_of(RECORD_STREAM);
    records[count++].stream =
        (stream_record_t){.realm = 1, .done = 5, .mark_count = 1, .marks = {{77, 6}}};
    records[count] = record_of(RECORD_REALM);
    records[count].realm.id = 1;
    records[count].realm.linked = true;
    records[count].realm.address = (address_t){.length = 9, .text = "127.0.0.1", .port = 9100};
    records[count++].realm.name = name_from("b");
    records[count++] = member_of(RECORD_MEMBER, 1, 2);
    records[count++] = member_of(RECORD_MEMBER, 1, 1);
    records[count] = record_of(RECORD_GROUP);
    records[count].group.id = 1;
    records[count++].group.name = name_from("club");
    records[count] = record_of(RECORD_TOKEN);
    records[count++].token = (token_record_t){.digest = {1, 2, 3}, .user = 2, .time_ms = -5};
    records[count++] = user_of(300, "carol");
    records[count++] = user_of(2, "bob");
    cr_assert_eq(store_commit(fixture.store, records, count), STORE_OK);
    fixture_reopen(&fixture);
    static const record_kind_t kinds[] = {
        RECORD_USER,       RECORD_USER,    RECORD_TOKEN,  RECORD_GROUP,     RECORD_MEMBER,
        RECORD_MEMBER,     RECORD_REALM,   RECORD_STREAM, RECORD_REJECTION, RECORD_HEAD,
        RECORD_CHECKPOINT, RECORD_MESSAGE, RECORD_MESSAGE};
    static const size_t sources[] = {14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4};
    loaded_t loaded = {0};
    cr_assert_eq(store_load(fixture.store, see_record, &loaded), STORE_OK);
    expect_kinds(&loaded, kinds, sizeof kinds / sizeof *kinds);
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        cr_assert_arr_eq(&loaded.records[i], &records[sources[i]], sizeof(record_t), "%zu", i);
    }
    cr_assert_eq(loaded.records[11].message.position, 3);
    cr_assert_eq(loaded.records[12].message.jump, 0); /* seq 4 jumps to seq 0 */
    cr_assert_eq(loaded.records[12].message.previous, 3);
    cr_assert_str_eq(loaded.texts[12], "halo");
    free(model);
    place_deinit(&fixture);
}

static bool see_ref(void *context, const record_t *record) {
    ref_record_t *seen = context;
    seen[0].number += 1;
    cr_assert_eq(record->kind, RECORD_REF);
    cr_assert_gt(record->ref.number, seen[1].number, "oldest first");
    seen[1].number = record->ref.number;
    return record->ref.realms.length == 0 ||
           (record->ref.realms.length == LINKS_MAX * REF_REALM_BYTES &&
            record->ref.realms.bytes[LINKS_MAX] == 'x');
}

Test(store_lmdb, refs_are_loaded_oldest_first_and_replaced_and_deleted) {
    place_t fixture;
    fixture_init(&fixture);
    static char realms[LINKS_MAX * REF_REALM_BYTES];
    memset(realms, 'x', sizeof realms);
    static const uint64_t numbers[] = {70000, 3, 256, 1, 2};
    for (size_t i = 0; i < 5; i++) {
        record_t record = record_of(RECORD_REF);
        record.ref.number = numbers[i];
        cr_assert_eq(store_commit(fixture.store, &record, 1), STORE_OK);
        record.ref.realms = (span_t){realms, i == 0 ? sizeof realms : 0};
        record.ref.message = 7;
        cr_assert_eq(store_commit(fixture.store, &record, 1), STORE_OK, "once more");
    }
    record_t gone = record_of(RECORD_REF_GONE);
    gone.ref.number = 2;
    cr_assert_eq(store_commit(fixture.store, &gone, 1), STORE_OK);
    fixture_reopen(&fixture);
    ref_record_t seen[2] = {{0}};
    cr_assert_eq(store_load(fixture.store, see_ref, seen), STORE_OK);
    cr_assert_eq(seen[0].number, 4);
    cr_assert_eq(seen[1].number, 70000);
    place_deinit(&fixture);
}

Test(store_lmdb, a_new_store_is_empty_and_an_empty_commit_is_fine) {
    place_t fixture;
    fixture_init(&fixture);
    cr_assert_eq(store_commit(fixture.store, NULL, 0), STORE_OK);
    fixture_reopen(&fixture);
    loaded_t loaded = {0};
    cr_assert_eq(store_load(fixture.store, see_record, &loaded), STORE_OK);
    cr_assert_eq(loaded.count, 0);
    place_deinit(&fixture);
}

Test(store_lmdb, a_visitor_that_refuses_stops_the_load) {
    place_t fixture;
    fixture_init(&fixture);
    record_t records[] = {user_of(1, "alice"), user_of(2, "bob"), user_of(3, "carol")};
    cr_assert_eq(store_commit(fixture.store, records, 3), STORE_OK);
    loaded_t loaded = {.stop_after = 2};
    cr_assert_eq(store_load(fixture.store, see_record, &loaded), STORE_CORRUPT);
    cr_assert_eq(loaded.count, 2);
    place_deinit(&fixture);
}

Test(store_lmdb, rows_are_replaced_and_deleted) {
    place_t fixture;
    fixture_init(&fixture);
    record_t token = record_of(RECORD_TOKEN);
    token.token.digest[31] = 9;
    record_t rejection = record_of(RECORD_REJECTION);
    rejection.rejection = (rejection_record_t){.realm = 3, .seq = 4, .code = CODE_NO_GROUP};
    record_t first[] = {user_of(1, "alice"), member_of(RECORD_MEMBER, 1, 1), token, rejection,
                        checkpoint_of(0)};
    cr_assert_eq(store_commit(fixture.store, first, 5), STORE_OK);
    token.kind = RECORD_TOKEN_GONE;
    rejection.kind = RECORD_REJECTION_GONE;
    record_t second[] = {user_of(1, "alice2"), member_of(RECORD_MEMBER_GONE, 1, 1), token,
                         rejection, checkpoint_of(12)};
    cr_assert_eq(store_commit(fixture.store, second, 5), STORE_OK);
    cr_assert_eq(store_commit(fixture.store, second, 5), STORE_OK, "already gone is fine");
    fixture_reopen(&fixture);
    static const record_kind_t kinds[] = {RECORD_USER, RECORD_CHECKPOINT};
    loaded_t loaded = {0};
    cr_assert_eq(store_load(fixture.store, see_record, &loaded), STORE_OK);
    expect_kinds(&loaded, kinds, 2);
    cr_assert_str_eq(loaded.records[0].user.name.text, "alice2");
    cr_assert_eq(loaded.records[1].checkpoint.position, 12);
    place_deinit(&fixture);
}

Test(store_lmdb, a_position_not_behind_the_last_keeps_nothing_of_the_batch) {
    place_t fixture;
    fixture_init(&fixture);
    model_mailbox_t *model = model_new(1);
    record_t records[] = {model_append(model, 10, halo), model_append(model, 11, halo)};
    cr_assert_eq(store_commit(fixture.store, records, 2), STORE_OK);
    record_t again[] = {user_of(1, "alice"), model_append(model, 12, halo), records[1]};
    cr_assert_eq(store_commit(fixture.store, again, 3), STORE_CORRUPT);
    record_t ahead[] = {user_of(1, "alice"), again[1]};
    ahead[1].message.previous = 12;
    cr_assert_eq(store_commit(fixture.store, ahead, 2), STORE_CORRUPT, "links must lead back");
    fixture_reopen(&fixture);
    loaded_t loaded = {0};
    cr_assert_eq(store_load(fixture.store, see_record, &loaded), STORE_OK);
    cr_assert_eq(loaded.count, 2);
    cr_assert_eq(loaded.last_position, 11);
    cr_assert_eq(store_commit(fixture.store, again, 2), STORE_OK);
    free(model);
    place_deinit(&fixture);
}

Test(store_lmdb, every_field_of_a_message_survives) {
    place_t fixture;
    fixture_init(&fixture);
    char text[BODY_BYTES_MAX];
    memset(text, 0xE9, sizeof text);
    record_t record = record_of(RECORD_MESSAGE);
    message_t *message = &record.message;
    *message = (message_t){.position = 1ULL << 47,
                           .mailbox = UINT64_MAX,
                           .seq = UINT32_MAX,
                           .previous = (1ULL << 47) - 1,
                           .jump = 3,
                           .time_ms = INT64_MIN,
                           .number = UINT64_MAX,
                           .group = true,
                           .sealed = true,
                           .origin = {"origin", 6},
                           .from = {"f", 1},
                           .realm = {"r.e-a_l", 7},
                           .to = {"club", 4},
                           .text = {text, sizeof text}};
    cr_assert_eq(store_commit(fixture.store, &record, 1), STORE_OK);
    fixture_reopen(&fixture);
    loaded_t loaded = {0};
    cr_assert_eq(store_load(fixture.store, see_record, &loaded), STORE_OK);
    const message_t *got = &loaded.records[0].message;
    cr_assert(got->position == message->position && got->mailbox == message->mailbox);
    cr_assert(got->seq == message->seq && got->previous == message->previous && got->jump == 3);
    cr_assert(got->time_ms == INT64_MIN && got->number == UINT64_MAX);
    cr_assert(got->group && got->sealed);
    cr_assert(got->origin.length == 6 && memcmp(got->origin.bytes, "origin", 6) == 0);
    cr_assert(got->from.length == 1 && got->realm.length == 7 && got->to.length == 4);
    cr_assert(got->text.length == sizeof text && memcmp(got->text.bytes, text, sizeof text) == 0);
    place_deinit(&fixture);
}

Test(store_lmdb, lookups_find_messages_and_verdicts) {
    place_t fixture;
    fixture_init(&fixture);
    model_mailbox_t *model = model_new(1);
    record_t records[] = {model_append(model, 10, halo), model_append(model, 20, halo),
                          record_of(RECORD_VERDICT)};
    records[2].verdict = (verdict_record_t){.position = 10, .code = CODE_NO_USER};
    cr_assert_eq(store_commit(fixture.store, records, 3), STORE_OK);
    fixture_reopen(&fixture);
    static const struct {
        uint64_t position;
        size_t count;
        code_t verdict;
    } expected[] = {{10, 1, CODE_NO_USER}, {20, 1, CODE_OK}, {15, 0, CODE_OK}, {0, 0, CODE_OK}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        seen_page_t seen = {.model = model};
        code_t verdict = CODE_BUSY;
        cr_assert_eq(
            store_lookup(fixture.store, expected[i].position, see_message, &seen, &verdict),
            STORE_OK);
        cr_assert_eq(seen.count, expected[i].count);
        cr_assert_eq(verdict, expected[i].verdict);
    }
    free(model);
    place_deinit(&fixture);
}

/* Pages. */

Test(store_lmdb, every_page_of_a_small_mailbox_is_as_the_model_says) {
    place_t fixture;
    fixture_init(&fixture);
    uint64_t random = 11;
    uint64_t position = 0;
    model_mailbox_t *models[] = {model_new(1), model_new(2)};
    models_commit(fixture.store, models, 2, 50, &position, &random);
    for (size_t i = 0; i < 2; i++) {
        page_query_t query = query_of(models[i]);
        for (query.after = 0; query.after <= query.newest_seq + 2; query.after++) {
            for (query.before = 0; query.before <= query.newest_seq + 2; query.before++) {
                for (query.limit = 1; query.limit <= query.newest_seq + 2; query.limit++) {
                    query.oldest_first = false;
                    expect_page(fixture.store, models[i], &query, 1);
                    query.oldest_first = true;
                    expect_page(fixture.store, models[i], &query, 1);
                }
            }
        }
        free(models[i]);
    }
    place_deinit(&fixture);
}

static void random_pages(jump_rule_t rule, size_t first_count) {
    place_t fixture;
    fixture_init(&fixture);
    uint64_t random = 12;
    uint64_t position = 1000000;
    model_mailbox_t *models[] = {model_new(1ULL << 60), model_new(2), model_new(3), model_new(4)};
    for (size_t i = 0; i < 4; i++) {
        models[i]->rule = rule;
    }
    models_commit(fixture.store, models, 1, first_count, &position, &random);
    models_commit(fixture.store, models, 4, 8000, &position, &random);
    fixture_reopen(&fixture);
    for (size_t i = 0; i < 4; i++) {
        expect_pages_at_random(fixture.store, models[i], 500, 1, &random);
        free(models[i]);
    }
    place_deinit(&fixture);
}

Test(store_lmdb, random_pages_are_as_the_model_says) {
    random_pages(JUMP_BY_ZEROS, 30000);
}

Test(store_lmdb, pages_do_not_depend_on_where_jumps_lead) {
    random_pages(JUMP_FROM_BETWEEN, 30000);
    random_pages(JUMP_AT_RANDOM, 3000);
    random_pages(JUMP_NOWHERE, 1000);
}

Test(store_lmdb, an_empty_mailbox_has_an_empty_page) {
    place_t fixture;
    fixture_init(&fixture);
    model_mailbox_t *model = model_new(1);
    page_query_t query = query_of(model);
    expect_page(fixture.store, model, &query, 1);
    query.oldest_first = true;
    query.after = UINT32_MAX;
    expect_page(fixture.store, model, &query, 1);
    free(model);
    place_deinit(&fixture);
}

static bool see_two(void *context, const message_t *message) {
    (void)message;
    size_t *count = context;
    return ++*count < 2;
}

Test(store_lmdb, a_page_stops_where_its_visitor_says) {
    place_t fixture;
    fixture_init(&fixture);
    uint64_t random = 13;
    uint64_t position = 0;
    model_mailbox_t *model = model_new(1);
    models_commit(fixture.store, &model, 1, 10, &position, &random);
    page_query_t query = query_of(model);
    size_t count = 0;
    bool more;
    cr_assert_eq(store_page(fixture.store, &query, see_two, &count, &more), STORE_OK);
    cr_assert_eq(count, 2);
    expect_page(fixture.store, model, &query, 1);
    free(model);
    place_deinit(&fixture);
}

Test(store_lmdb, messages_that_retention_took_are_skipped) {
    place_t fixture;
    fixture_init(&fixture);
    uint64_t random = 14;
    uint64_t position = 0;
    model_mailbox_t *models[] = {model_new(1), model_new(2), model_new(3)};
    models[1]->rule = JUMP_FROM_BETWEEN;
    models_commit(fixture.store, models, 3, 3000, &position, &random);
    models_commit(fixture.store, models, 2, 3000, &position, &random);
    for (uint64_t floor = position / 16; floor <= position + 1; floor += position / 6) {
        record_t gone[] = {record_of(RECORD_MESSAGES_GONE), record_of(RECORD_CUT)};
        gone[0].messages_gone = (messages_gone_record_t){.first = 1, .last = floor - 1};
        gone[1].cut.position = floor - 1;
        cr_assert_eq(store_commit(fixture.store, gone, 2), STORE_OK);
        fixture_reopen(&fixture);
        for (size_t i = 0; i < 3; i++) {
            uint32_t oldest = 1;
            while (oldest <= models[i]->count && models[i]->positions[oldest] < floor) {
                oldest++;
            }
            expect_pages_at_random(fixture.store, models[i], 400, oldest, &random);
        }
    }
    for (size_t i = 0; i < 3; i++) {
        free(models[i]);
    }
    place_deinit(&fixture);
}

/* Damage. */

/* Where they stand in a row of mailbox 1, which is one of a realm's as far as its number goes. */
enum { ROW_MAILBOX_OFFSET = 2, ROW_SEQ_OFFSET = 3 };

static store_error_t page_error(store_t *store, const model_mailbox_t *model, uint32_t before) {
    page_query_t query = query_of(model);
    query.before = before;
    query.limit = 5;
    seen_page_t seen = {.model = model};
    bool more;
    return store_page(store, &query, see_message, &seen, &more);
}

static void expect_damage_refused(place_t *fixture, const model_mailbox_t *model,
                                  const raw_block_t *block, size_t length) {
    store_close(&fixture->store);
    raw_put(fixture, "blocks", &block->key, sizeof block->key, block->bytes, length);
    cr_assert_eq(place_open(fixture), STORE_OK);
    cr_assert_eq(page_error(fixture->store, model, 0), STORE_CORRUPT);
}

Test(store_lmdb, a_row_of_another_mailbox_or_seq_ends_a_walk_as_corrupt) {
    place_t fixture;
    fixture_init(&fixture);
    uint64_t random = 15;
    uint64_t position = 0;
    model_mailbox_t *model = model_new(1);
    models_commit(fixture.store, &model, 1, 64, &position, &random);
    cr_assert_eq(page_error(fixture.store, model, 0), STORE_OK);
    uint64_t damaged = model->positions[62];
    store_close(&fixture.store);
    raw_block_t block;
    raw_get_block(&fixture, damaged, &block);
    uint8_t *row = block.bytes + block.row;
    row[ROW_MAILBOX_OFFSET] ^= 1;
    expect_damage_refused(&fixture, model, &block, block.length);
    row[ROW_MAILBOX_OFFSET] ^= 1;
    row[ROW_SEQ_OFFSET] ^= 1;
    expect_damage_refused(&fixture, model, &block, block.length);
    row[ROW_SEQ_OFFSET] ^= 1;
    raw_put(&fixture, "blocks", &block.key, sizeof block.key, block.bytes, block.length);
    fixture_reopen(&fixture);
    cr_assert_eq(page_error(fixture.store, model, 0), STORE_OK);
    expect_damage_refused(&fixture, model, &block, block.length - 1);
    expect_damage_refused(&fixture, model, &block, BLOCK_HEAD_BYTES);
    expect_damage_refused(&fixture, model, &block, 3);
    loaded_t loaded = {0};
    cr_assert_eq(store_load(fixture.store, see_record, &loaded), STORE_CORRUPT);
    code_t verdict;
    seen_page_t seen = {.model = model};
    cr_assert_eq(store_lookup(fixture.store, damaged, see_message, &seen, &verdict), STORE_CORRUPT);
    free(model);
    place_deinit(&fixture);
}

Test(store_lmdb, a_head_that_points_elsewhere_is_corrupt) {
    place_t fixture;
    fixture_init(&fixture);
    uint64_t random = 16;
    uint64_t position = 0;
    model_mailbox_t *model = model_new(1);
    models_commit(fixture.store, &model, 1, 64, &position, &random);
    page_query_t query = query_of(model);
    query.newest_position = model->positions[63]; /* is not seq 64 */
    seen_page_t seen = {.model = model};
    bool more;
    cr_assert_eq(store_page(fixture.store, &query, see_message, &seen, &more), STORE_CORRUPT);
    cr_assert_eq(seen.count, 0);
    free(model);
    place_deinit(&fixture);
}

Test(store_lmdb, damaged_rows_of_every_table_end_a_load_as_corrupt) {
    place_t fixture;
    fixture_init(&fixture);
    static const struct {
        const char *table;
        size_t key_length;
        const char *key;
    } damages[] = {{"rows", 5, "\1\0\0\0\1"},
                   {"rows", 5, "\x63\0\0\0\1"},
                   {"rows", 3, "\1\0\0"},
                   {"heads", 8, "\1\0\0\0\0\0\0\0"},
                   {"blocks", 8, "\1\0\0\0\0\0\0\0"},
                   {"meta", 10, "checkpoint"}};
    store_close(&fixture.store);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        raw_put(&fixture, damages[i].table, damages[i].key, damages[i].key_length, "rubbish", 7);
        cr_assert_eq(place_open(&fixture), STORE_OK);
        loaded_t loaded = {0};
        cr_assert_eq(store_load(fixture.store, see_record, &loaded), STORE_CORRUPT, "%s %zu",
                     damages[i].table, i);
        store_close(&fixture.store);
        raw_put(&fixture, damages[i].table, damages[i].key, damages[i].key_length, NULL, 0);
    }
    raw_put(&fixture, "verdicts", "\1\0\0\0\0\0\0\0", 8, "\xFF\xFF", 2);
    cr_assert_eq(place_open(&fixture), STORE_OK);
    code_t verdict;
    cr_assert_eq(store_lookup(fixture.store, 1, see_two, NULL, &verdict), STORE_CORRUPT);
    place_deinit(&fixture);
}

static void file_bytes(const place_t *fixture, const char *name, char **bytes, size_t *length) {
    char path[128];
    place_path(fixture, name, path);
    struct stat status;
    cr_assert_eq(stat(path, &status), 0);
    *length = (size_t)status.st_size;
    *bytes = malloc(*length + 1);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_geq(file, 0);
    cr_assert_eq(read(file, *bytes, *length), (ssize_t)*length);
    (void)close(file);
}

Test(store_lmdb, a_store_of_a_newer_schema_is_refused_and_not_touched) {
    place_t fixture;
    fixture_init(&fixture);
    store_close(&fixture.store);
    raw_put(&fixture, "meta", "schema", 6, "\5\0\0\0", 4);
    char *before;
    char *after;
    size_t before_length;
    size_t after_length;
    file_bytes(&fixture, "store.mdb", &before, &before_length);
    cr_assert_eq(place_open(&fixture), STORE_NEWER);
    cr_assert_null(fixture.store);
    file_bytes(&fixture, "store.mdb", &after, &after_length);
    cr_assert(before_length == after_length && memcmp(before, after, before_length) == 0);
    raw_put(&fixture, "meta", "schema", 6, "\0\0\0\0", 4);
    cr_assert_eq(place_open(&fixture), STORE_CORRUPT);
    raw_put(&fixture, "meta", "schema", 6, "1", 1);
    cr_assert_eq(place_open(&fixture), STORE_CORRUPT);
    raw_put(&fixture, "meta", "schema", 6, NULL, 0);
    cr_assert_eq(place_open(&fixture), STORE_CORRUPT);
    free(before);
    free(after);
    place_deinit(&fixture);
}

Test(store_lmdb, the_store_of_another_realm_is_refused) {
    place_t fixture;
    fixture_init(&fixture);
    store_close(&fixture.store);
    static const char *const others[] = {"b", "aa"};
    for (size_t i = 0; i < 2; i++) {
        name_t realm = name_from(others[i]);
        cr_assert_eq(store_lmdb_open(&fixture.store, fixture.directory, &realm), STORE_OTHER);
        cr_assert_null(fixture.store);
    }
    cr_assert_eq(place_open(&fixture), STORE_OK);
    place_deinit(&fixture);
}

Test(store_lmdb, a_second_opening_is_refused) {
    place_t fixture;
    fixture_init(&fixture);
    place_t second = fixture;
    cr_assert_eq(place_open(&second), STORE_BUSY);
    cr_assert_null(second.store);
    record_t user = user_of(1, "alice");
    cr_assert_eq(store_commit(fixture.store, &user, 1), STORE_OK);
    place_deinit(&fixture);
}

static void file_write(const place_t *fixture, const char *name, const void *bytes, size_t length) {
    char path[128];
    place_path(fixture, name, path);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert_geq(file, 0);
    cr_assert_eq(write(file, bytes, length), (ssize_t)length);
    (void)close(file);
}

Test(store_lmdb, a_file_that_is_no_store_is_refused) {
    place_t fixture;
    fixture_init(&fixture);
    store_close(&fixture.store);
    char rubbish[20000];
    memset(rubbish, 'r', sizeof rubbish);
    static const size_t lengths[] = {1, 100, 4096, sizeof rubbish};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        file_write(&fixture, "store.mdb", rubbish, lengths[i]);
        cr_assert_eq(place_open(&fixture), STORE_CORRUPT);
        cr_assert_null(fixture.store);
    }
    file_write(&fixture, "store.mdb", rubbish, 0);
    cr_assert_eq(place_open(&fixture), STORE_OK, "an empty file is a new store");
    place_deinit(&fixture);
}

Test(store_lmdb, an_lmdb_file_of_somebody_else_is_refused) {
    place_t fixture;
    fixture_init(&fixture);
    store_close(&fixture.store);
    file_write(&fixture, "store.mdb", "", 0);
    char path[128];
    place_path(&fixture, "store.mdb", path);
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    cr_assert_eq(mdb_env_create(&env), 0);
    cr_assert_eq(mdb_env_open(env, path, MDB_NOSUBDIR, 0600), 0);
    cr_assert_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
    cr_assert_eq(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
    char bytes[] = "meta";
    MDB_val value = {.mv_size = 4, .mv_data = bytes};
    cr_assert_eq(mdb_put(txn, dbi, &value, &value, 0), 0);
    raw_close(env, txn);
    cr_assert_eq(place_open(&fixture), STORE_CORRUPT);
    place_deinit(&fixture);
}

Test(store_lmdb, a_file_that_lost_its_end_is_corrupt_and_no_signal) {
    place_t fixture;
    fixture_init(&fixture);
    uint64_t random = 17;
    uint64_t position = 0;
    model_mailbox_t *model = model_new(1);
    models_commit(fixture.store, &model, 1, 2000, &position, &random);
    store_close(&fixture.store);
    char *bytes;
    size_t length;
    file_bytes(&fixture, "store.mdb", &bytes, &length);
    size_t refused = 0;
    for (size_t kept = 8192; kept < length; kept += 4096) {
        file_write(&fixture, "store.mdb", bytes, kept);
        loaded_t loaded = {0};
        store_error_t error = place_open(&fixture);
        if (error == STORE_OK) {
            error = store_load(fixture.store, see_record, &loaded);
        }
        cr_assert(error == STORE_CORRUPT || (error == STORE_OK && loaded.count == 2000));
        refused += error == STORE_CORRUPT ? 1 : 0;
        store_close(&fixture.store);
    }
    cr_assert_gt(refused, 10);
    free(bytes);
    free(model);
    place_deinit(&fixture);
}

Test(store_lmdb, a_directory_that_is_not_there_is_an_io_error) {
    name_t realm = name_from("a");
    store_t *store;
    cr_assert_eq(store_lmdb_open(&store, "/nowhere/at/all", &realm), STORE_IO);
    cr_assert_null(store);
    store_close(&store);
}

Test(store_lmdb, every_error_has_its_text) {
    for (int error = STORE_OK; error <= STORE_BUSY; error++) {
        cr_assert_gt(strlen(store_error_text((store_error_t)error)), 5);
    }
    cr_assert_not_null(store_error_text((store_error_t)99));
}

/* Growth, backups. */

#define LONG_MESSAGES 10000

static void commit_long_messages(store_t *store, model_mailbox_t *model, uint64_t *position) {
    static char text[BODY_BYTES_MAX];
    memset(text, 'x', sizeof text);
    record_t *records = calloc(LONG_MESSAGES, sizeof *records);
    cr_assert_not_null(records);
    for (size_t i = 0; i < LONG_MESSAGES; i++) {
        records[i] = model_append(model, ++*position, (span_t){text, sizeof text});
    }
    cr_assert_eq(store_commit(store, records, LONG_MESSAGES), STORE_OK);
    free(records);
}

static bool count_message(void *context, const message_t *message) {
    size_t *count = context;
    cr_assert_eq(message->text.length, BODY_BYTES_MAX);
    ++*count;
    return true;
}

Test(store_lmdb, the_map_grows_over_several_doublings) {
    place_t fixture;
    fixture_init(&fixture);
    uint64_t position = 0;
    model_mailbox_t *model = model_new(1);
    for (size_t round = 0; round < 3; round++) {
        commit_long_messages(fixture.store, model, &position);
        page_query_t query = query_of(model);
        size_t count = 0;
        bool more;
        cr_assert_eq(store_page(fixture.store, &query, count_message, &count, &more), STORE_OK);
        cr_assert(count == PAGE_MESSAGES_DEFAULT && more);
    }
    char path[128];
    struct stat status;
    place_path(&fixture, "store.mdb", path);
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_gt((uint64_t)status.st_size, STORE_MAP_BYTES_START * 3);
    fixture_reopen(&fixture);
    commit_long_messages(fixture.store, model, &position);
    loaded_t loaded = {0};
    cr_assert_eq(store_load(fixture.store, see_record, &loaded), STORE_OK);
    cr_assert_eq(loaded.count, model->count);
    free(model);
    place_deinit(&fixture);
}

static bool see_floor(void *context, const record_t *record) {
    if (record->kind == RECORD_FLOOR)
        *(floor_record_t *)context = record->floor;
    return true;
}

static void expect_floor(store_t *store, uint64_t position, bool copied) {
    floor_record_t floor = {.position = 0};
    cr_assert_eq(store_load(store, see_floor, &floor), STORE_OK);
    cr_assert_eq(floor.position, position);
    cr_assert_eq(floor.copied, copied);
}

Test(store_lmdb, a_backup_is_a_store_of_its_own) {
    place_t fixture;
    place_t restored;
    fixture_init(&fixture);
    fixture_init(&restored);
    uint64_t random = 18;
    uint64_t position = 0;
    model_mailbox_t *model = model_new(1);
    models_commit(fixture.store, &model, 1, 1000, &position, &random);
    char backup[128];
    char target[128];
    place_path(&fixture, "backup.mdb", backup);
    cr_assert_eq(store_backup(fixture.store, backup, (span_t){0}), STORE_OK);
    cr_assert_eq(store_backup(fixture.store, backup, (span_t){0}), STORE_IO, "it exists");
    struct stat status;
    cr_assert_eq(stat(backup, &status), 0);
    cr_assert_eq(status.st_mode & 0777, 0600);
    uint32_t count = model->count;
    models_commit(fixture.store, &model, 1, 1000, &position, &random);
    store_close(&restored.store);
    place_path(&restored, "store.mdb", target);
    cr_assert_eq(rename(backup, target), 0);
    cr_assert_eq(place_open(&restored), STORE_OK);
    model->count = count;
    expect_pages_at_random(restored.store, model, 200, 1, &random);
    models_commit(restored.store, &model, 1, 10, &position, &random);
    expect_floor(fixture.store, 0, false);
    expect_floor(restored.store, 0, true);
    record_t floor = {.kind = RECORD_FLOOR, .floor = {.position = 77, .skipped = 7}};
    cr_assert_eq(store_commit(restored.store, &floor, 1), STORE_OK);
    expect_floor(restored.store, 77, false);
    cr_assert_eq(store_backup(fixture.store, "/nowhere/backup.mdb", (span_t){0}), STORE_IO);
    free(model);
    place_deinit(&restored);
    place_deinit(&fixture);
}

Test(store_lmdb, a_backup_carries_a_note_along) {
    place_t fixture;
    place_t restored;
    char backup[128];
    char target[128];
    char note[STORE_NOTE_BYTES_MAX];
    size_t length = 1;
    fixture_init(&fixture);
    fixture_init(&restored);
    cr_assert_eq(store_note(fixture.store, note, &length), STORE_OK);
    cr_assert_eq(length, 0);
    place_path(&fixture, "backup.mdb", backup);
    cr_assert_eq(store_backup(fixture.store, backup, (span_t){"carry me", 8}), STORE_OK);
    cr_assert_eq(store_note(fixture.store, note, &length), STORE_OK);
    cr_assert_eq(length, 0, "only the copy has it");
    store_close(&restored.store);
    place_path(&restored, "store.mdb", target);
    cr_assert_eq(rename(backup, target), 0);
    cr_assert_eq(place_open(&restored), STORE_OK);
    cr_assert_eq(store_note(restored.store, note, &length), STORE_OK);
    cr_assert(length == 8 && memcmp(note, "carry me", 8) == 0);
    place_deinit(&restored);
    place_deinit(&fixture);
}

/* A reader is another process: what it sees is its exit status. */

typedef int reader_fn(store_t *store, const name_t *realm);

static int status_of_reader(const place_t *fixture, reader_fn *look) {
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        store_t *store;
        name_t realm;
        store_error_t error = store_lmdb_open_reader(&store, fixture->directory, &realm);
        _exit(error != STORE_OK ? 100 + (int)error : look(store, &realm));
    }
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Messages of a dump come oldest first, whatever the checkpoint is. */
typedef struct dumped {
    uint64_t position;
    uint32_t messages, others;
    bool ascending;
} dumped_t;

static bool see_dumped(void *context, const record_t *record) {
    dumped_t *dumped = context;
    if (record->kind != RECORD_MESSAGE) {
        dumped->others++;
        return dumped->messages == 0;
    }
    dumped->ascending = dumped->ascending && record->message.position > dumped->position;
    dumped->position = record->message.position;
    dumped->messages++;
    return true;
}

static int reads_but_cannot_write(store_t *store, const name_t *realm) {
    dumped_t dumped = {.ascending = true};
    record_t record = {.kind = RECORD_CHECKPOINT};
    bool good = realm->length == 1 && realm->text[0] == 'a' &&
                store_dump(store, see_dumped, &dumped) == STORE_OK && dumped.messages == 1000 &&
                dumped.others > 0 && dumped.ascending &&
                store_commit(store, &record, 1) == STORE_IO;
    store_close(&store);
    return good ? 0 : 1;
}

Test(store_lmdb, a_reader_looks_on_while_the_store_is_open) {
    place_t fixture;
    fixture_init(&fixture);
    uint64_t random = 19;
    uint64_t position = 0;
    model_mailbox_t *model = model_new(1);
    models_commit(fixture.store, &model, 1, 1000, &position, &random);
    record_t rows[2] = {{.kind = RECORD_CHECKPOINT}, {.kind = RECORD_REALM}};
    rows[0].checkpoint.position = position;
    rows[1].realm.id = 1;
    rows[1].realm.name = name_from("b");
    cr_assert_eq(store_commit(fixture.store, rows, 2), STORE_OK);
    cr_assert(store_unfolded(fixture.store));
    cr_assert_eq(store_fold(fixture.store), STORE_OK);
    cr_assert_not(store_unfolded(fixture.store));
    cr_assert_eq(status_of_reader(&fixture, reads_but_cannot_write), 0);
    models_commit(fixture.store, &model, 1, 10, &position, &random);
    free(model);
    place_deinit(&fixture);
}

/* The map grows under a reader that is open already. */
static int follows_the_growth(store_t *store, const name_t *realm) {
    dumped_t dumped = {.ascending = true};
    (void)realm;
    if (raise(SIGSTOP) != 0) {
        return 1;
    }
    bool good = store_dump(store, see_dumped, &dumped) == STORE_OK && dumped.ascending &&
                dumped.messages > 0;
    store_close(&store);
    return good ? 0 : 2;
}

Test(store_lmdb, a_reader_follows_a_map_that_grows) {
    place_t fixture;
    fixture_init(&fixture);
    uint64_t position = 0;
    model_mailbox_t *model = model_new(1);
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        store_t *store;
        name_t realm;
        store_error_t error = store_lmdb_open_reader(&store, fixture.directory, &realm);
        _exit(error != STORE_OK ? 100 + (int)error : follows_the_growth(store, &realm));
    }
    int status = 0;
    cr_assert_eq(waitpid(child, &status, WUNTRACED), child);
    cr_assert(WIFSTOPPED(status));
    commit_long_messages(fixture.store, model, &position);
    cr_assert_eq(store_fold(fixture.store), STORE_OK);
    cr_assert_eq(kill(child, SIGCONT), 0);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d", WEXITSTATUS(status));
    free(model);
    place_deinit(&fixture);
}

Test(store_lmdb, a_reader_refuses_what_is_no_store) {
    place_t fixture;
    char path[128];
    fixture_init(&fixture);
    store_close(&fixture.store);
    place_path(&fixture, "store.mdb", path);
    cr_assert_eq(truncate(path, 4096 * 3), 0);
    cr_assert_eq(status_of_reader(&fixture, reads_but_cannot_write), 100 + STORE_CORRUPT);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(status_of_reader(&fixture, reads_but_cannot_write), 100 + STORE_CORRUPT);
    place_deinit(&fixture);
}

/* kill -9 of a process that commits in a loop. */

#define KILL_BATCH 5

static bool note_last(void *context, const record_t *record) {
    model_mailbox_t *model = context;
    cr_assert_eq(record->kind, RECORD_MESSAGE);
    model->count++;
    model->positions[model->count] = record->message.position;
    return true;
}

/* The child: never returns. Tells each position up to which it has committed. */
static _Noreturn void commit_until_killed(place_t *fixture, model_mailbox_t *model, int pipe_end) {
    if (place_open(fixture) != STORE_OK ||
        store_load(fixture->store, note_last, model) != STORE_OK) {
        _exit(1);
    }
    uint64_t position = model->positions[model->count];
    while (model->count + KILL_BATCH <= MODEL_MESSAGES_MAX) {
        record_t batch[KILL_BATCH];
        for (size_t i = 0; i < KILL_BATCH; i++) {
            batch[i] = model_append(model, ++position, halo);
        }
        if (store_commit(fixture->store, batch, KILL_BATCH) != STORE_OK ||
            write(pipe_end, &position, sizeof position) != sizeof position) {
            _exit(1);
        }
    }
    _exit(2);
}

/* Runs a child until it told `reports` positions, kills it, returns the last one that it told. */
static uint64_t run_and_kill(place_t *fixture, size_t reports) {
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    model_mailbox_t *model = model_new(1);
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        commit_until_killed(fixture, model, ends[1]);
    }
    (void)close(ends[1]);
    uint64_t position = 0;
    for (size_t i = 0; i < reports; i++) {
        cr_assert_eq(read(ends[0], &position, sizeof position), (ssize_t)sizeof position);
    }
    cr_assert_eq(kill(child, SIGKILL), 0);
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    while (read(ends[0], &position, sizeof position) == (ssize_t)sizeof position) {
    }
    (void)close(ends[0]);
    free(model);
    return position;
}

Test(store_lmdb, every_reported_commit_survives_kill_9) {
    place_t fixture;
    fixture_init(&fixture);
    for (size_t round = 0; round < 20; round++) {
        store_close(&fixture.store);
        uint64_t reported = run_and_kill(&fixture, 1 + round * 3);
        cr_assert_eq(place_open(&fixture), STORE_OK);
        model_mailbox_t *model = model_new(1);
        cr_assert_eq(store_load(fixture.store, note_last, model), STORE_OK);
        cr_assert_geq(model->count, reported);
        cr_assert_leq(model->count, reported + KILL_BATCH);
        cr_assert_eq(model->count % KILL_BATCH, 0, "a batch is there whole or not at all");
        page_query_t query = query_of(model);
        expect_page(fixture.store, model, &query, 1);
        free(model);
    }
    place_deinit(&fixture);
}

/* A full disk. */

static void disk_fill(const place_t *fixture) {
    static const char zeros[4096];
    char path[128];
    place_path(fixture, "filler", path);
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    cr_assert_geq(file, 0);
    while (write(file, zeros, sizeof zeros) > 0) {
    }
    cr_assert_eq(errno, ENOSPC);
    (void)close(file);
}

/* Gives back so many bytes of a disk that disk_fill filled. */
static void disk_free(const place_t *fixture, off_t bytes) {
    char path[128];
    struct stat status;
    place_path(fixture, "filler", path);
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_eq(truncate(path, status.st_size > bytes ? status.st_size - bytes : 0), 0);
}

/* Mounts a small disk of our own over the directory; nobody else sees it, and it goes with us. */
static void disk_mount(const char *directory) {
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", directory, "tmpfs", 0, "size=6m") != 0) {
        int code = errno;
        (void)rmdir(directory);
        cr_skip_test("a full disk needs a mount of its own: %s", strerror(code));
    }
}

static void expect_newest(store_t *store, const model_mailbox_t *model) {
    page_query_t query = query_of(model);
    query.limit = PAGE_MESSAGES_MAX;
    expect_page(store, model, &query, 1);
}

static void expect_contents(store_t *store, const model_mailbox_t *model) {
    loaded_t loaded = {0};
    cr_assert_eq(store_load(store, see_record, &loaded), STORE_OK);
    cr_assert_eq(loaded.count, model->count);
    expect_newest(store, model);
}

/* Commits until the disk is full; the model keeps what was committed. Returns the commits done. */
static size_t commit_until_full(store_t *store, model_mailbox_t *model) {
    record_t batch[100];
    for (size_t commits = 0; commits < 1000; commits++) {
        uint32_t count = model->count;
        for (size_t i = 0; i < 100; i++) {
            batch[i] = model_append(model, model->positions[model->count] + 1, halo);
        }
        store_error_t error = store_commit(store, batch, 100);
        if (error != STORE_OK) {
            cr_assert_eq(error, STORE_FULL, "%s", store_error_text(error));
            model->count = count;
            return commits;
        }
    }
    cr_assert_fail("the disk is never full");
    return 0;
}

Test(store_lmdb, a_full_disk_refuses_commits_and_loses_nothing) {
    place_t fixture;
    (void)snprintf(fixture.directory, sizeof fixture.directory, "/tmp/realmgate-store-XXXXXX");
    cr_assert_not_null(mkdtemp(fixture.directory));
    disk_mount(fixture.directory);
    cr_assert_eq(place_open(&fixture), STORE_OK);
    model_mailbox_t *model = model_new(1);
    disk_fill(&fixture);
    size_t useful = 0;
    for (off_t pages = 1; pages <= 24; pages++) {
        disk_free(&fixture, pages * 8192);
        size_t commits = commit_until_full(fixture.store, model);
        useful += commits > 0 ? 1 : 0;
        expect_newest(fixture.store, model);
        fixture_reopen(&fixture);
        expect_contents(fixture.store, model);
        (void)commit_until_full(fixture.store, model);
        disk_fill(&fixture);
    }
    cr_assert(useful >= 3 && model->count > 1000, "%zu rounds, %u messages", useful, model->count);
    char path[128];
    place_path(&fixture, "backup.mdb", path);
    cr_assert_eq(store_backup(fixture.store, path, (span_t){0}), STORE_FULL);
    place_path(&fixture, "filler", path);
    cr_assert_eq(unlink(path), 0);
    uint64_t random = 19;
    uint64_t position = model->positions[model->count];
    models_commit(fixture.store, &model, 1, 1000, &position, &random);
    fixture_reopen(&fixture);
    expect_contents(fixture.store, model);
    free(model);
    store_close(&fixture.store);
    cr_assert_eq(umount2(fixture.directory, MNT_DETACH), 0);
    cr_assert_eq(rmdir(fixture.directory), 0);
}

Test(store_lmdb, a_store_on_a_full_disk_is_refused_and_made_later) {
    place_t fixture;
    (void)snprintf(fixture.directory, sizeof fixture.directory, "/tmp/realmgate-store-XXXXXX");
    cr_assert_not_null(mkdtemp(fixture.directory));
    disk_mount(fixture.directory);
    disk_fill(&fixture);
    store_error_t error = STORE_FULL;
    for (size_t pages = 0; pages < 40 && error == STORE_FULL; pages++) {
        error = place_open(&fixture);
        disk_free(&fixture, error == STORE_FULL ? 4096 : 0);
    }
    cr_assert_eq(error, STORE_OK, "%s", store_error_text(error));
    loaded_t loaded = {0};
    cr_assert_eq(store_load(fixture.store, see_record, &loaded), STORE_OK);
    cr_assert_eq(loaded.count, 0);
    store_close(&fixture.store);
    cr_assert_eq(umount2(fixture.directory, MNT_DETACH), 0);
    cr_assert_eq(rmdir(fixture.directory), 0);
}
