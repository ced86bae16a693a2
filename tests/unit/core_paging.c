/* links: base wire core store app; sources: support/desk.c support/paper_store.c */
/*
 * Pages of a mailbox, the links that a reader walks along, and the checkpoints that spare a start
 * from reading the whole log. The store on paper checks each message's links when it is written,
 * and each head.
 */
#include "../support/desk.h"
#include "../support/paper_store.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static desk_t *desk;

static void prepare(void) {
    desk = desk_new("a");
    desk_start(desk);
    desk_user(desk, 1, "alice");
}

static void clean_up(void) {
    desk_destroy(&desk);
}

TestSuite(core_paging, .init = prepare, .fini = clean_up);

/* Messages to alice whose texts are their seqs. */
static void fill(unsigned first, unsigned last) {
    char line[64];
    desk->batching = true;
    for (unsigned i = first; i <= last; i++) {
        (void)snprintf(line, sizeof(line), "SEND alice %u", i);
        (void)desk_say(desk, 1, line);
        if (i % 256 == 0)
            desk_turn_end(desk);
    }
    desk_turn_end(desk);
    desk->batching = false;
}

/* Expects a page of exactly the seqs first..last (none if first is 0). */
static void expect_page(const char *line, unsigned first, unsigned last, bool more) {
    const char *reply = desk_ask(desk, 1, line);
    const char *at = reply;
    for (unsigned seq = first; first > 0 && seq <= last; seq++) {
        const char *entry = desk_text(desk, "{\"seq\":%u,", seq);
        const char *text = desk_text(desk, "\"message\":\"%u\"}", seq);
        at = strstr(at, entry);
        cr_assert(at != NULL, "%s: seq %u is missing", line, seq);
        at = strstr(at, text);
        cr_assert(at != NULL, "%s: seq %u is another message", line, seq);
    }
    cr_assert(first != 0 || text_matches(reply, "{\"status\":\"OK\",\"data\":[]*"), "%s", line);
    cr_assert(strstr(at, "{\"seq\"") == NULL || first == 0, "%s: there are more", line);
    cr_assert_eq(strstr(reply, "\"more\":true") != NULL, more, "%s", line);
}

Test(core_paging, pages_of_an_empty_mailbox) {
    expect_page("INBOX", 0, 0, false);
    expect_page("INBOX AFTER 0", 0, 0, false);
    expect_page("INBOX BEFORE 5 LIMIT 1", 0, 0, false);
}

Test(core_paging, newest_hundred_oldest_first) {
    fill(1, 100);
    expect_page("INBOX", 1, 100, false);
    fill(101, 250);
    expect_page("INBOX", 151, 250, true);
    expect_page("INBOX LIMIT 1000", 1, 250, false);
    expect_page("inbox limit 10", 241, 250, true);
}

Test(core_paging, after_reads_on_and_before_reads_back) {
    fill(1, 250);
    expect_page("INBOX AFTER 0", 1, 100, true);
    expect_page("INBOX AFTER 200", 201, 250, false);
    expect_page("INBOX AFTER 100 LIMIT 7", 101, 107, true);
    expect_page("INBOX AFTER 243 LIMIT 7", 244, 250, false);
    expect_page("INBOX AFTER 250", 0, 0, false);
    expect_page("INBOX AFTER 4294967295", 0, 0, false);
    expect_page("INBOX BEFORE 1", 0, 0, false);
    expect_page("INBOX BEFORE 2", 1, 1, false);
    expect_page("INBOX BEFORE 151", 51, 150, true);
    expect_page("INBOX BEFORE 101", 1, 100, false);
    expect_page("INBOX before 300 Limit 3", 248, 250, true);
    expect_page("INBOX BEFORE 4294967295 LIMIT 1", 250, 250, true);
}

Test(core_paging, what_is_no_page) {
    const char *const options[] = {"AFTER",           "AFTER x",         "AFTER -1",
                                   "LIMIT 0",         "LIMIT 1001",      "BEFORE 0",
                                   "SINCE 1",         "AFTER 1 LIMIT",   "LIMIT 1 AFTER 1",
                                   "AFTER 1 AFTER 2", "LIMIT 1 LIMIT 2", "AFTER 4294967296",
                                   "AFTER 1 BEFORE 2"};
    for (unsigned i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        desk_expect(desk, 1, desk_text(desk, "INBOX %s", options[i]),
                    "{*\"code\":\"PROTOCOL\",\"usage\":\"INBOX [AFTER <seq> | BEFORE <seq>] "
                    "[LIMIT <n>]\"}");
    desk_expect(desk, 1, "INBOX AFTER 1 LIMIT 1 x", "{*\"code\":\"PROTOCOL\",\"usage\":*}");
}

Test(core_paging, page_is_that_of_the_moment_of_its_commit) {
    fill(1, 3);
    desk->batching = true;
    uint32_t before = desk_say(desk, 1, "INBOX");
    (void)desk_say(desk, 1, "SEND alice 4");
    uint32_t after = desk_say(desk, 1, "INBOX");
    desk_turn_end(desk);
    desk_expect_reply(desk, 1, before, "{*\"seq\":3,*\"message\":\"3\"}]}");
    desk_expect_reply(desk, 1, after, "{*\"seq\":4,*\"message\":\"4\"}]}");
}

/* The message that a link leads to. */
static const message_t *linked(const message_t *from, uint64_t position) {
    for (uint32_t seq = from->seq - 1; seq > 0; seq--) {
        const message_t *message = paper_store_message(desk->store, from->mailbox, seq);
        if (message->position == position)
            return message;
    }
    return NULL;
}

Test(core_paging, any_seq_is_found_in_a_few_steps) {
    const unsigned head = 1500;
    mailbox_t alice = (mailbox_t)MAILBOX_PRIVATE << 60 | (mailbox_t)1 << 30;
    fill(1, head);
    for (uint32_t target = 1; target <= head; target += 7) {
        const message_t *message = paper_store_message(desk->store, alice, head);
        unsigned steps = 0;
        while (message->seq != target) {
            const message_t *jump = message->jump == 0 ? NULL : linked(message, message->jump);
            message =
                jump != NULL && jump->seq >= target ? jump : linked(message, message->previous);
            steps += 1;
        }
        cr_assert_leq(steps, 30, "%u steps from %u to %u", steps, head, target);
    }
}

Test(core_paging, clean_stop_leaves_nothing_to_replay) {
    fill(1, 70);
    desk_stop(desk);
    cr_assert_eq(paper_store_checkpoint(desk->store), 70);
    desk_start(desk);
    desk_user(desk, 1, "alice");
    expect_page("INBOX LIMIT 5", 66, 70, true);
    fill(71, 90);
    desk_stop(desk);
    cr_assert_eq(paper_store_checkpoint(desk->store), 90);
    desk_start(desk);
    uint64_t writes = paper_store_writes(desk->store);
    desk_stop(desk);
    cr_assert_eq(paper_store_writes(desk->store), writes, "nothing came: no checkpoint");
}

Test(core_paging, replay_goes_on_from_the_checkpoint) {
    fill(1, 70);
    desk_stop(desk);
    desk_start(desk);
    desk_user(desk, 1, "alice");
    fill(71, 130);
    desk_restart(desk);
    desk_user(desk, 1, "alice");
    expect_page("INBOX LIMIT 1000", 1, 130, false);
    fill(131, 140);
    expect_page("INBOX LIMIT 1000", 1, 140, false);
}

/* A checkpoint begins by itself when the log has grown by STORE_CHECKPOINT_EVERY positions. The log
 * may have gaps: one message far up in it, to somebody who is of no further interest, stands for
 * all those that were before. */
static void skip_to_checkpoint(uint32_t somebody) {
    record_t record = {.kind = RECORD_MESSAGE};
    record.message.position = paper_store_checkpoint(desk->store) + 2 * STORE_CHECKPOINT_EVERY;
    record.message.mailbox = (mailbox_t)MAILBOX_PRIVATE << 60 | (mailbox_t)somebody << 30;
    record.message.seq = 1;
    cr_assert_eq(store_commit(desk->store, &record, 1), STORE_OK);
}

enum { CHECKPOINT_USERS = 12 };

/* A realm that starts from what is stored right now must know every mailbox as it is. */
static void expect_same_after_crash(const unsigned *heads) {
    desk_t *other = desk_new("a");
    desk_restore(other, desk->store);
    for (unsigned i = 0; i < CHECKPOINT_USERS; i++) {
        desk_user(other, 1, desk_text(other, "user%u", i));
        desk_expect(other, 1, desk_text(other, "SEND user%u lagi", i), "{*Message sent*}");
        desk_expect(other, 1, "INBOX LIMIT 1", desk_text(other, "{*\"seq\":%u,*}", heads[i] + 1));
    }
    desk_destroy(&other);
}

Test(core_paging, checkpoint_in_slices_while_messages_go_on) {
    unsigned heads[CHECKPOINT_USERS] = {0};
    unsigned checkpoints = 0;
    desk->heads_max = 1;
    for (unsigned i = 0; i < 4; i++)
        desk_user(desk, 2, desk_text(desk, "idle%u", i));
    uint32_t idle = (uint32_t)paper_store_rows(desk->store, RECORD_USER); /* the last one's id */
    for (unsigned i = 0; i < CHECKPOINT_USERS; i++)
        desk_user(desk, 2, desk_text(desk, "user%u", i));
    for (unsigned turn = 0; turn < 4 * CHECKPOINT_USERS; turn++) {
        uint64_t checkpoint = paper_store_checkpoint(desk->store);
        if (turn % CHECKPOINT_USERS == 0) {
            skip_to_checkpoint(idle - turn / CHECKPOINT_USERS);
            desk_restart(desk);
            desk_user(desk, 1, "alice");
        }
        unsigned to = turn * 7 % CHECKPOINT_USERS;
        desk_expect(desk, 1, desk_text(desk, "SEND user%u halo", to), "{*Message sent*}");
        heads[to] += 1;
        checkpoints += paper_store_checkpoint(desk->store) != checkpoint ? 1 : 0;
        expect_same_after_crash(heads);
    }
    cr_assert_geq(checkpoints, 3, "%u came to their end", checkpoints);
}

Test(core_paging, store_that_contradicts_itself_is_not_loaded) {
    state_t *state = state_new(&desk->options);
    record_t record = {.kind = RECORD_USER, .user = {.id = 1}};
    cr_assert(name_parse(&record.user.name, span_of("u")));
    cr_assert(state_load(state, &record));
    record = (record_t){.kind = RECORD_MESSAGE};
    record.message = (message_t){.position = 5, .mailbox = 1ULL << 60 | 1ULL << 30, .seq = 2};
    cr_assert(!state_load(state, &record), "a hole in a mailbox");
    record.message.seq = 0;
    cr_assert(!state_load(state, &record), "seqs count from 1");
    record.message.seq = 1;
    record.message.position = 6;
    cr_assert(state_load(state, &record));
    record.message.seq = 2;
    cr_assert(!state_load(state, &record), "positions ascend");
    record = (record_t){.kind = RECORD_USER, .user = {.id = 3}};
    cr_assert(!state_load(state, &record), "a hole in the users");
    record = (record_t){.kind = RECORD_TOKEN, .token = {.user = 2}};
    cr_assert(!state_load(state, &record), "a token of nobody");
    record = (record_t){.kind = RECORD_MEMBER, .member = {.user = 1, .group = 1}};
    cr_assert(!state_load(state, &record), "a member of nothing");
    record = (record_t){.kind = RECORD_STREAM, .stream = {.realm = 1}};
    cr_assert(!state_load(state, &record), "a stream to nobody");
    record = (record_t){.kind = RECORD_REJECTION, .rejection = {.realm = 1}};
    cr_assert(!state_load(state, &record), "a refusal for nobody");
    record = (record_t){.kind = RECORD_VERDICT};
    cr_assert(!state_load(state, &record), "verdicts stay in the store");
    state_destroy(&state);
}
