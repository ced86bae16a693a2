/* links: base store; sources: support/store_place.c */
/*
 * What retention does to the store: pages, loads and lookups around what is gone, against a model
 * that is only lists; a missing message where none may be missing; and a file that stops growing.
 */
#include "../support/store_place.h"
#include "store/lmdb.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void fixture_open(place_t *fixture) {
    cr_assert_eq(place_open(fixture), STORE_OK);
}

static void fixture_init(place_t *fixture) {
    place_init(fixture);
    fixture_open(fixture);
}

static uint64_t random_next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint32_t random_below(uint64_t *state, uint64_t limit) {
    return (uint32_t)(random_next(state) % limit);
}

/* The model: for each position which mailbox and seq, and whether it is gone. */

enum { MAILBOXES = 5, POSITIONS_MAX = 20000 };

/* How a message picks where it jumps to among the older ones of its mailbox. */
typedef enum rule { RULE_FOURS, RULE_RANDOM, RULE_NEWEST, RULE_NONE, RULE_COUNT } rule_t;

typedef struct model {
    rule_t rule;
    uint64_t random;
    uint32_t newest; /* position */
    uint32_t cut;
    uint32_t heads[MAILBOXES], gone_seq[MAILBOXES];
    uint32_t places[MAILBOXES][POSITIONS_MAX + 1]; /* position by seq */
    uint8_t mailbox[POSITIONS_MAX + 1];
    uint32_t seq[POSITIONS_MAX + 1];
    bool gone[POSITIONS_MAX + 1];
} model_t;

static uint32_t jump_seq(model_t *model, uint32_t seq) {
    uint32_t length = 1;
    switch (model->rule) {
    case RULE_FOURS: /* the greatest power of four in it */
        while (seq % (length * 4) == 0) {
            length *= 4;
        }
        return seq - length;
    case RULE_RANDOM:
        return random_below(&model->random, seq);
    case RULE_NEWEST:
        return seq - 1;
    default:
        return 0;
    }
}

static message_t append(model_t *model, unsigned mailbox) {
    uint32_t position = ++model->newest;
    uint32_t seq = ++model->heads[mailbox];
    cr_assert(position <= POSITIONS_MAX);
    model->places[mailbox][seq] = position;
    model->mailbox[position] = (uint8_t)mailbox;
    model->seq[position] = seq;
    return (message_t){.position = position,
                       .mailbox = mailbox + 1,
                       .seq = seq,
                       .previous = model->places[mailbox][seq - 1],
                       .jump = model->places[mailbox][jump_seq(model, seq)],
                       .time_ms = 1000 + position,
                       .arrived_ms = position % 3 == 0 ? 5000 + position : 0,
                       .number = position,
                       .from = {"alice", 5},
                       .to = {"bob", 3},
                       .text = {"halo", 4}};
}

static void commit_messages(place_t *fixture, model_t *model, unsigned count) {
    record_t records[64];
    while (count > 0) {
        size_t size = count < 64 ? count : 64;
        for (size_t i = 0; i < size; i++) {
            memset(&records[i], 0, sizeof records[i]);
            records[i].kind = RECORD_MESSAGE;
            records[i].message = append(model, random_below(&model->random, MAILBOXES));
        }
        cr_assert_eq(store_commit(fixture->store, records, size), STORE_OK);
        count -= (unsigned)size;
    }
}

/* Lets go what stands up to a position, except in the mailboxes that are named by bits, in one
 * commit. */
static void forget(place_t *fixture, model_t *model, uint32_t last, unsigned kept) {
    static record_t records[POSITIONS_MAX];
    size_t count = 0;
    for (uint32_t position = 1; position <= last; position++) {
        unsigned mailbox = model->mailbox[position];
        if (model->gone[position] || (kept >> mailbox & 1) != 0) {
            continue;
        }
        bool follows = count > 0 && records[count - 1].messages_gone.last == position - 1;
        if (!follows) {
            memset(&records[count], 0, sizeof records[count]);
            records[count].kind = RECORD_MESSAGES_GONE;
            records[count++].messages_gone.first = position;
        }
        records[count - 1].messages_gone.last = position;
        model->gone[position] = true;
        model->gone_seq[mailbox] = model->seq[position];
        model->cut = position > model->cut ? position : model->cut;
    }
    memset(&records[count], 0, sizeof records[count]);
    records[count].kind = RECORD_CUT;
    records[count++].cut.position = model->cut;
    cr_assert_eq(store_commit(fixture->store, records, count), STORE_OK);
}

typedef struct seen {
    uint32_t count;
    uint32_t seqs[PAGE_MESSAGES_MAX];
} seen_t;

static bool see(void *context, const message_t *message) {
    seen_t *seen = context;
    cr_assert(seen->count < PAGE_MESSAGES_MAX);
    cr_assert_eq(message->number, message->position);
    seen->seqs[seen->count++] = message->seq;
    return true;
}

/* The page that a filter over what is left gives. */
static void expect_page(const place_t *fixture, const model_t *model, unsigned mailbox,
                        const page_query_t *query) {
    static uint32_t wanted[POSITIONS_MAX];
    seen_t seen = {0};
    uint32_t count = 0;
    bool more = false;
    for (uint32_t seq = model->gone_seq[mailbox] + 1; seq <= model->heads[mailbox]; seq++) {
        if (seq > query->after && (query->before == 0 || seq < query->before)) {
            wanted[count++] = seq;
        }
    }
    uint32_t length = count < query->limit ? count : query->limit;
    const uint32_t *first = query->oldest_first ? wanted : wanted + count - length;
    cr_assert_eq(store_page(fixture->store, query, see, &seen, &more), STORE_OK);
    cr_assert(seen.count == length && more == (count > length) &&
                  memcmp(seen.seqs, first, length * sizeof *first) == 0,
              "rule %d, head %u, gone %u; after %u before %u limit %u oldest_first %d: "
              "%u of %u, more %d",
              (int)model->rule, model->heads[mailbox], model->gone_seq[mailbox], query->after,
              query->before, query->limit, query->oldest_first, seen.count, length, more);
}

/* Bounds near the edges: of the mailbox, of what is gone, or anywhere. */
static uint32_t random_bound(model_t *model, unsigned mailbox) {
    uint32_t edge =
        random_below(&model->random, 2) == 0 ? model->gone_seq[mailbox] : model->heads[mailbox];
    switch (random_below(&model->random, 4)) {
    case 0:
        return 0;
    case 1:
        return random_below(&model->random, model->heads[mailbox] + 3);
    default:
        return edge + random_below(&model->random, 5) - (edge < 2 ? 0 : 2);
    }
}

static void expect_pages(const place_t *fixture, model_t *model, unsigned rounds) {
    for (unsigned round = 0; round < rounds; round++) {
        unsigned mailbox = random_below(&model->random, MAILBOXES);
        uint32_t head = model->heads[mailbox];
        page_query_t query = {
            .mailbox = mailbox + 1,
            .newest_position = model->places[mailbox][head],
            .newest_seq = head,
            .after = random_bound(model, mailbox),
            .before = random_bound(model, mailbox),
            .limit = 1 + random_below(&model->random, round % 8 == 0 ? PAGE_MESSAGES_MAX : 20),
            .oldest_first = random_below(&model->random, 2) == 0};
        expect_page(fixture, model, mailbox, &query);
    }
}

/* All that is left, a few rows at a time. */
static void expect_oldest(const place_t *fixture, model_t *model) {
    message_age_t rows[50];
    uint32_t count;
    bool end = false;
    uint32_t position = 0;
    while (!end) {
        uint32_t limit = 1 + random_below(&model->random, 50);
        cr_assert_eq(store_oldest(fixture->store, position, rows, limit, &count, &end), STORE_OK);
        cr_assert(count == limit || end);
        for (uint32_t i = 0; i < count; i++) {
            do {
                position += 1;
            } while (model->gone[position]);
            cr_assert_eq(rows[i].position, position);
            cr_assert_eq(rows[i].mailbox, model->mailbox[position] + 1U);
            cr_assert_eq(rows[i].seq, model->seq[position]);
            cr_assert_eq(rows[i].arrived_ms, (position % 3 == 0 ? 5000 : 1000) + position);
        }
    }
    for (position += 1; position <= model->newest; position++) {
        cr_assert(model->gone[position]);
    }
}

static model_t *model_new(rule_t rule) {
    model_t *model = calloc(1, sizeof *model);
    cr_assert_not_null(model);
    model->rule = rule;
    model->random = 77 + (uint64_t)rule;
    return model;
}

static void forget_bit_by_bit(rule_t rule) {
    place_t fixture;
    model_t *model = model_new(rule);
    fixture_init(&fixture);
    for (unsigned round = 0; round < 12; round++) {
        commit_messages(&fixture, model, random_below(&model->random, 600));
        uint32_t last = model->newest - random_below(&model->random, model->newest + 1) / 3;
        forget(&fixture, model, last, random_below(&model->random, 1U << MAILBOXES));
        if (round % 3 == 1) {
            store_close(&fixture.store);
            fixture_open(&fixture);
        }
        expect_pages(&fixture, model, 400);
        expect_oldest(&fixture, model);
    }
    forget(&fixture, model, model->newest, 0);
    expect_pages(&fixture, model, 100);
    expect_oldest(&fixture, model);
    free(model);
    place_deinit(&fixture);
}

Test(store_retention, pages_are_as_the_model_says_whatever_is_gone) {
    for (rule_t rule = 0; rule < RULE_COUNT; rule++) {
        forget_bit_by_bit(rule);
    }
}

static record_t gone_of(uint64_t first, uint64_t last) {
    record_t record;
    memset(&record, 0, sizeof record);
    record.kind = RECORD_MESSAGES_GONE;
    record.messages_gone = (messages_gone_record_t){.first = first, .last = last};
    return record;
}

Test(store_retention, a_message_that_is_missing_behind_the_cut_is_damage) {
    place_t fixture;
    model_t *model = model_new(RULE_FOURS);
    fixture_init(&fixture);
    commit_messages(&fixture, model, 400);
    forget(&fixture, model, 100, 0);
    record_t damage = gone_of(300, 300);
    cr_assert_eq(store_commit(fixture.store, &damage, 1), STORE_OK);
    unsigned mailbox = model->mailbox[300];
    uint32_t head = model->heads[mailbox];
    page_query_t query = {.mailbox = mailbox + 1,
                          .newest_position = model->places[mailbox][head],
                          .newest_seq = head,
                          .limit = head - model->seq[300]};
    seen_t seen = {0};
    bool more;
    cr_assert_eq(store_page(fixture.store, &query, see, &seen, &more), STORE_OK);
    query.limit += 1;
    cr_assert_eq(store_page(fixture.store, &query, see, &seen, &more), STORE_CORRUPT);
    free(model);
    place_deinit(&fixture);
}

typedef struct loaded {
    unsigned messages, cuts, others;
    uint64_t cut;
} loaded_t;

static bool see_record(void *context, const record_t *record) {
    loaded_t *loaded = context;
    if (record->kind == RECORD_MESSAGE) {
        loaded->messages += 1;
    } else if (record->kind == RECORD_CUT) {
        cr_assert_eq(loaded->messages, 0, "the cut comes before the messages");
        loaded->cuts += 1;
        loaded->cut = record->cut.position;
    } else {
        loaded->others += 1;
    }
    return true;
}

Test(store_retention, a_load_gives_the_cut_and_what_is_left) {
    place_t fixture;
    model_t *model = model_new(RULE_FOURS);
    fixture_init(&fixture);
    loaded_t loaded = {0};
    commit_messages(&fixture, model, 100);
    cr_assert_eq(store_load(fixture.store, see_record, &loaded), STORE_OK);
    cr_assert_eq(loaded.cuts, 0);
    forget(&fixture, model, 60, 0);
    store_close(&fixture.store);
    fixture_open(&fixture);
    loaded = (loaded_t){0};
    cr_assert_eq(store_load(fixture.store, see_record, &loaded), STORE_OK);
    cr_assert(loaded.cuts == 1 && loaded.cut == 60 && loaded.messages == 40 && loaded.others == 0);
    free(model);
    place_deinit(&fixture);
}

static code_t verdict_of(const place_t *fixture, uint64_t position, uint32_t count) {
    seen_t seen = {0};
    code_t verdict;
    cr_assert_eq(store_lookup(fixture->store, position, see, &seen, &verdict), STORE_OK);
    cr_assert_eq(seen.count, count);
    return verdict;
}

Test(store_retention, verdicts_go_with_their_messages) {
    place_t fixture;
    model_t *model = model_new(RULE_FOURS);
    fixture_init(&fixture);
    commit_messages(&fixture, model, 60);
    for (uint64_t position = 10; position <= 50; position += 10) {
        record_t record;
        memset(&record, 0, sizeof record);
        record.kind = RECORD_VERDICT;
        record.verdict = (verdict_record_t){.position = position, .code = CODE_NO_USER};
        cr_assert_eq(store_commit(fixture.store, &record, 1), STORE_OK);
    }
    forget(&fixture, model, 30, 0);
    cr_assert_eq(verdict_of(&fixture, 10, 0), CODE_OK);
    cr_assert_eq(verdict_of(&fixture, 30, 0), CODE_OK);
    cr_assert_eq(verdict_of(&fixture, 31, 1), CODE_OK);
    cr_assert_eq(verdict_of(&fixture, 40, 1), CODE_NO_USER);
    free(model);
    place_deinit(&fixture);
}

/* The file. */

enum { WINDOW = 6000, ROUND = 300, WARM_UP = 60, ROUNDS = 400 };

/* Messages of all lengths: some share a page, some have one of their own, some need two. */
static void steady_round(place_t *fixture, uint64_t *position, uint64_t *random) {
    static record_t records[ROUND + 2];
    static char text[TEXT_BYTES_MAX];
    memset(text, 'x', sizeof text);
    size_t count = 0;
    if (*position > WINDOW) {
        records[count++] = gone_of(*position - WINDOW - ROUND, *position - WINDOW);
        memset(&records[count], 0, sizeof records[count]);
        records[count].kind = RECORD_CUT;
        records[count++].cut.position = *position - WINDOW;
    }
    for (unsigned i = 0; i < ROUND; i++) {
        size_t length = random_below(random, 20) == 0 ? TEXT_BYTES_MAX : 200;
        *position += 1;
        memset(&records[count], 0, sizeof records[count]);
        records[count].kind = RECORD_MESSAGE;
        records[count++].message = (message_t){.position = *position,
                                               .mailbox = 1,
                                               .seq = (uint32_t)*position,
                                               .previous = *position - 1,
                                               .time_ms = 1,
                                               .number = *position,
                                               .from = {"alice", 5},
                                               .to = {"bob", 3},
                                               .text = {text, 1 + random_below(random, length)}};
    }
    cr_assert_eq(store_commit(fixture->store, records, count), STORE_OK);
    cr_assert_eq(store_fold(fixture->store), STORE_OK); /* pages are free again only then */
}

static int64_t file_bytes(const place_t *fixture) {
    struct stat status;
    char file[128];
    place_path(fixture, "store.mdb", file);
    cr_assert_eq(stat(file, &status), 0);
    return status.st_size;
}

/* Readers in between must not hold old pages fast. */
static void read_something(const place_t *fixture, uint64_t position) {
    page_query_t query = {.mailbox = 1,
                          .newest_position = position,
                          .newest_seq = (uint32_t)position,
                          .limit = PAGE_MESSAGES_MAX};
    seen_t seen = {0};
    bool more;
    cr_assert_eq(store_page(fixture->store, &query, see, &seen, &more), STORE_OK);
    cr_assert_eq(seen.count, position < PAGE_MESSAGES_MAX ? position : PAGE_MESSAGES_MAX);
}

Test(store_retention, a_file_with_steady_traffic_reaches_a_size_and_stays_there) {
    place_t fixture;
    uint64_t position = 0;
    uint64_t random = 4711;
    int64_t warm_bytes = 0;
    fixture_init(&fixture);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        steady_round(&fixture, &position, &random);
        read_something(&fixture, position);
        if (round == WARM_UP) {
            warm_bytes = file_bytes(&fixture);
        }
        if (round == ROUNDS / 2) {
            store_close(&fixture.store);
            fixture_open(&fixture);
        }
    }
    int64_t bytes = file_bytes(&fixture);
    cr_assert(bytes <= warm_bytes * 12 / 10, "%lld bytes, %lld when warm", (long long)bytes,
              (long long)warm_bytes);
    place_deinit(&fixture);
}
