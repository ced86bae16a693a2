/* links: base wire core store app; sources: support/desk.c support/paper_store.c support/room.c */
/*
 * Two realms and a network: messages across, and what becomes of them when peers, wires and
 * processes fail. Set back in time: core_restore.c; at random: core_soak.c.
 */
#include "../support/paper_store.h"
#include "../support/room.h"

#include <criterion/criterion.h>
#include <string.h>

static room_t *room;
static desk_t *a, *b;

/* In each realm the only user has id 1, and so have the only peer and the only group. */
static mailbox_t from_realm, group_realm, inbox, outbox;

static pair_t pair;

static void prepare(void) {
    pair = pair_new();
    room = pair.room;
    a = pair.a;
    b = pair.b;
    from_realm = pair.from_realm;
    group_realm = pair.group_realm;
    inbox = pair.inbox;
    outbox = pair.outbox;
}

static void clean_up(void) {
    pair_destroy(&pair);
}

TestSuite(core_federation, .init = prepare, .fini = clean_up);

static const char *const DELIVERED = "{\"status\":\"OK\",\"data\":\"Pesan realm dikirim\",\"id\":*,"
                                     "\"delivery\":\"delivered\"}";
static const char *const QUEUED = "{\"status\":\"OK\",\"data\":\"Pesan realm dikirim\",\"id\":*,"
                                  "\"delivery\":\"queued\"}";
static const char *const GROUP_DELIVERED = "{\"status\":\"OK\",\"data\":\"Pesan grup realm "
                                           "terkirim\",\"id\":*,\"delivery\":\"delivered\"}";
static const char *const GROUP_QUEUED = "{\"status\":\"OK\",\"data\":\"Pesan grup realm "
                                        "terkirim\",\"id\":*,\"delivery\":\"queued\"}";
static const char *const EMPTY = "{\"status\":\"OK\",\"data\":[]}";

static void say_across(const char *text, const char *pattern) {
    room_expect(room, a, 1, desk_text(a, "SENDREALM b bob %s", text), pattern);
}

/* Alice says m<first> to m<last> to bob, one after the other. */
static void say_many(unsigned first, unsigned last, const char *pattern) {
    for (unsigned i = first; i <= last; i++)
        say_across(desk_text(a, "m%u", i), pattern);
}

static void expect_quiet(void) {
    cr_assert(room_quiet(room, a, b, 60000), "%s\n%s", room_peer_row(a, "b"),
              room_peer_row(b, "a"));
}

static void start_again(desk_t *desk) {
    desk_restart(desk);
    desk_user(desk, 1, desk == a ? "alice" : "bob");
}

Test(core_federation, message_is_delivered_and_read) {
    say_across("halo", DELIVERED);
    desk_expect(b, 1, "INBOX", EMPTY);
    room_expect(
        room, b, 1, "INBOXREALM a",
        "{\"status\":\"OK\",\"data\":[{\"seq\":1,\"id\":\"a:1\",\"from\":\"alice@a\",\"to\":"
        "\"bob@b\",\"time\":\"*\",\"message\":\"halo\"}]}");
    desk_expect(a, 1, "CHECKMESSAGE a:1", "{*\"state\":\"delivered\",*\"reason\":null}}");
    desk_expect(b, 1, "CHECKMESSAGE a:1", "{*\"code\":\"FORBIDDEN\"}");
    room_expect_agreement(a, b);
}

Test(core_federation, both_ways) {
    say_across("halo", DELIVERED);
    room_expect(room, b, 1, "SENDREALM a alice hai", DELIVERED);
    room_expect(room, a, 1, "INBOXREALM b", "{*\"from\":\"bob@b\",\"to\":\"alice@a\",*hai*}");
    room_expect_agreement(a, b);
}

Test(core_federation, errors_of_sendrealm_store_nothing) {
    uint64_t writes = paper_store_writes(a->store);
    desk_expect(a, 1, "SENDREALM c bob halo", "{*realm tidak ditemukan\",\"code\":\"NO_REALM\"}");
    desk_expect(a, 1, "SENDREALM a bob halo", "{*\"code\":\"NO_REALM\"}");
    desk_expect(a, 1, "SENDREALM _ bob halo", "{*\"code\":\"BAD_NAME\"}");
    desk_expect(a, 1, "SENDREALM b _ halo", "{*\"code\":\"BAD_NAME\"}");
    desk_expect(a, 1, "SENDREALM b bob \xff", "{*\"code\":\"BAD_TEXT\"}");
    desk_expect(a, 1, "SENDREALM b bob", "{*\"code\":\"PROTOCOL\",\"usage\":*}");
    desk_expect(a, 2, "SENDREALM b bob halo", "{*\"code\":\"AUTH_REQUIRED\"}");
    desk_expect(a, DESK_ADMIN, "SENDREALM b bob halo", "{*\"code\":\"AUTH_REQUIRED\"}");
    desk_expect(a, 1, "INBOXREALM c", "{*\"code\":\"NO_REALM\"}");
    desk_expect(a, 1, "INBOXREALM b AFTER x", "{*\"code\":\"PROTOCOL\",\"usage\":*}");
    cr_assert_eq(paper_store_writes(a->store), writes);
}

Test(core_federation, peers_error_is_the_answer) {
    room_expect(room, a, 1, "SENDREALM b carol halo",
                "{*user tidak ditemukan\",\"code\":\"NO_USER\"}");
    desk_expect(a, 1, "CHECKMESSAGE a:1",
                "{*\"state\":\"rejected\",*\"reason\":\"user tidak ditemukan\"}}");
    say_across("halo", DELIVERED);
    desk_expect(a, 1, "INBOX", EMPTY);
    room_run_ms(room, 2000);
    room_expect_agreement(a, b);
}

Test(core_federation, pipelined_requests_get_their_own_verdicts) {
    uint32_t slots[4];
    a->batching = true;
    slots[0] = desk_say(a, 1, "SENDREALM b bob m1");
    slots[1] = desk_say(a, 1, "SENDREALM b carol salah");
    slots[2] = desk_say(a, 1, "PING");
    slots[3] = desk_say(a, 1, "SENDREALM b bob m2");
    a->batching = false;
    desk_turn_end(a);
    desk_expect_reply(a, 1, slots[2], "{*PONG*}");
    cr_assert(desk_reply(a, 1, slots[0]) == NULL);
    room_run_ms(room, 100);
    desk_expect_reply(a, 1, slots[0], DELIVERED);
    desk_expect_reply(a, 1, slots[1], "{*\"code\":\"NO_USER\"}");
    desk_expect_reply(a, 1, slots[3], DELIVERED);
    desk_expect_texts(b, from_realm, "m1..2");
}

/* ---- what tells of a message waits behind the message ---- */

/* Says it behind a message to b in one turn; while b has not answered there is no reply to it. */
static uint32_t say_behind(const char *message, const char *line) {
    a->batching = true;
    uint32_t first = desk_say(a, 1, message);
    uint32_t second = desk_say(a, 1, line);
    a->batching = false;
    desk_turn_end(a);
    cr_assert(desk_reply(a, 1, first) == NULL && desk_reply(a, 1, second) == NULL);
    return second;
}

Test(core_federation, a_message_is_no_longer_queued_behind_its_delivery) {
    uint32_t realms = say_behind("SENDREALM b bob halo", "CHECKREALM");
    uint32_t ping = desk_say(a, 1, "PING");
    uint32_t state = desk_say(a, 1, "CHECKMESSAGE a:1");
    cr_assert(desk_reply(a, 1, ping) == NULL);
    room_run_ms(room, 100);
    desk_expect_reply(a, 1, realms, "{*\"queued\":0,*}");
    desk_expect_reply(a, 1, ping, "{*PONG*}");
    desk_expect_reply(a, 1, state, "{*\"state\":\"delivered\"*}");
}

Test(core_federation, who_sent_nothing_does_not_wait) {
    desk_user(a, 2, "carol");
    (void)say_behind("SENDREALM b bob halo", "CHECKREALM");
    desk_expect(a, 2, "CHECKREALM", "{*\"queued\":1,*}");
    room_run_ms(room, 100);
}

Test(core_federation, all_verdicts_are_awaited) {
    a->batching = true;
    uint32_t first = desk_say(a, 1, "SENDREALM b bob m1");
    uint32_t second = desk_say(a, 1, "SENDREALM b carol salah");
    a->batching = false;
    desk_turn_end(a);
    uint32_t realms = say_behind("SENDREALM b bob m2", "CHECKREALM");
    room_run_ms(room, 100);
    desk_expect_reply(a, 1, first, DELIVERED);
    desk_expect_reply(a, 1, second, "{*\"code\":\"NO_USER\"}");
    desk_expect_reply(a, 1, realms, "{*\"queued\":0,*}");
}

Test(core_federation, without_a_verdict_the_wait_ends) {
    room_wire(room, b, a)->silent = true;
    uint32_t realms = say_behind("SENDREALM b bob halo", "CHECKREALM");
    room_run_ms(room, VERDICT_MS - 100);
    cr_assert(desk_reply(a, 1, realms) == NULL);
    room_run_ms(room, 200);
    desk_expect_reply(a, 1, realms, "{*\"queued\":1,*}");
}

Test(core_federation, a_connection_that_ends_waits_for_nothing) {
    (void)say_behind("SENDREALM b bob halo", "CHECKREALM");
    desk_close(a, 1);
    room_run_ms(room, 100);
    desk_expect_texts(b, from_realm, "halo");
    desk_user(a, 1, "alice");
    desk_expect(a, 1, "CHECKREALM", "{*\"queued\":0,*}");
}

static void make_groups(const char *key_of_b) {
    desk_expect(a, 1, "ADDGROUP tim kunci", "{*berhasil*}");
    desk_expect(b, 1, desk_text(b, "ADDGROUP tim %s", key_of_b), "{*berhasil*}");
}

Test(core_federation, group_spans_two_realms) {
    make_groups("kunci");
    room_expect(room, a, 1, "SENDGROUPREALM b tim m1", GROUP_DELIVERED);
    room_expect(room, b, 1, "SENDGROUPREALM a tim m2", GROUP_DELIVERED);
    const char *seen =
        "{*\"seq\":1,\"id\":\"a:1\",\"from\":\"alice@a\",\"group\":\"tim\",*m1*\"seq\":"
        "2,*\"from\":\"bob@b\",\"group\":\"tim\",*m2*}";
    room_expect(room, a, 1, "INBOXGROUPREALM b tim", seen);
    room_expect(room, b, 1, "INBOXGROUPREALM a tim", seen);
    desk_expect(a, 1, "CHECKMESSAGE a:1", "{*\"delivered\"*}");
    desk_expect(a, 1, "CHECKMESSAGE a:2", "{*\"code\":\"FORBIDDEN\"}"); /* its copy at home */
    desk_expect(a, 1, "INBOXGROUP tim", EMPTY);
    room_expect_agreement(a, b);
}

Test(core_federation, a_group_message_is_there_behind_its_delivery) {
    make_groups("kunci");
    uint32_t page = say_behind("SENDGROUPREALM b tim m1", "INBOXGROUPREALM b tim");
    room_run_ms(room, 100);
    desk_expect_reply(a, 1, page, "{*\"seq\":1,\"id\":\"a:1\",*m1*}");
    page = say_behind("SENDGROUPREALM * tim m2", "INBOXGROUPREALM b tim LIMIT 1");
    room_run_ms(room, 100);
    desk_expect_reply(a, 1, page, "{*\"seq\":2,*m2*}");
}

Test(core_federation, who_listens_behind_a_message_does_not_hear_it) {
    make_groups("kunci");
    uint32_t listens = say_behind("SENDGROUPREALM b tim m1", "LISTEN");
    room_run_ms(room, 100);
    desk_expect_reply(a, 1, listens, "{*Listen aktif*}");
    cr_assert_str_empty(desk_event(a, 1, NULL));
    room_expect(room, a, 1, "SENDGROUPREALM b tim m2", GROUP_DELIVERED);
    cr_assert(strstr(desk_event(a, 1, NULL), "m2") != NULL);
    cr_assert_str_empty(desk_event(a, 1, NULL));
}

Test(core_federation, errors_of_group_messages) {
    make_groups("kunci");
    desk_user(a, 2, "carol");
    desk_expect(a, 2, "SENDGROUPREALM b tim halo", "{*\"code\":\"NOT_MEMBER\"}");
    desk_expect(a, 2, "INBOXGROUPREALM b tim", "{*\"code\":\"NOT_MEMBER\"}");
    desk_expect(a, 1, "SENDGROUPREALM b lain halo", "{*\"code\":\"NO_GROUP\"}");
    desk_expect(a, 1, "INBOXGROUPREALM b lain", "{*\"code\":\"NO_GROUP\"}");
    desk_expect(a, 1, "SENDGROUPREALM c tim halo", "{*\"code\":\"NO_REALM\"}");
    desk_expect(a, 1, "SENDGROUPREALM b tim \xff", "{*\"code\":\"BAD_TEXT\"}");
    desk_expect(a, 1, "SENDGROUPREALM b tim", "{*\"code\":\"PROTOCOL\",\"usage\":*}");
    desk_expect(a, 1, "INBOXGROUPREALM b tim LIMIT 0", "{*\"code\":\"PROTOCOL\",\"usage\":*}");
    cr_assert_eq(paper_store_head(a->store, outbox), 0);
}

Test(core_federation, group_of_another_password_cannot_read) {
    make_groups("lain");
    room_expect(room, a, 1, "SENDGROUPREALM b tim rahasia-sekali",
                "{*group di realm tujuan berbeda\",\"code\":\"GROUP_MISMATCH\"}");
    cr_assert(!paper_store_holds(b->store, "rahasia-sekali"));
    room_expect(room, a, 1, "INBOXGROUPREALM b tim", EMPTY);
    room_expect(room, b, 1, "INBOXGROUPREALM a tim", EMPTY);
    desk_expect(a, 1, "CHECKMESSAGE a:1", "{*\"state\":\"rejected\"*}");
}

Test(core_federation, group_that_the_peer_does_not_have) {
    desk_expect(a, 1, "ADDGROUP tim kunci", "{*berhasil*}");
    room_expect(room, a, 1, "SENDGROUPREALM b tim halo", "{*\"code\":\"GROUP_MISMATCH\"}");
    start_again(a);
    cr_assert(room_quiet(room, a, b, 5000));
    room_expect(room, a, 1, "INBOXGROUPREALM b tim", EMPTY);
}

Test(core_federation, link_down_queues_and_delivers_later) {
    room_cut(room, a, b);
    room_run_ms(room, 10);
    say_many(1, 20, QUEUED);
    desk_expect(a, 1, "CHECKMESSAGE a:1", "{*\"state\":\"queued\",*\"reason\":null}}");
    cr_assert(strstr(room_peer_row(a, "b"), "\"state\":\"down\",\"rtt_ms\":null,\"queued\":20,") !=
              NULL);
    room_heal(room, a, b);
    expect_quiet();
    desk_expect_texts(b, from_realm, "m1..20");
    desk_expect(a, 1, "CHECKMESSAGE a:1", "{*\"state\":\"delivered\"*}");
    room_expect_agreement(a, b);
}

Test(core_federation, queue_outlives_restarts_of_both) {
    room_cut(room, a, b);
    room_run_ms(room, 10);
    say_many(1, 100, QUEUED);
    start_again(a);
    say_many(101, 150, QUEUED);
    start_again(b);
    start_again(a);
    say_many(151, 200, QUEUED);
    room_heal(room, a, b);
    expect_quiet();
    desk_expect_texts(b, from_realm, "m1..200");
    room_expect_agreement(a, b);
}

Test(core_federation, no_verdict_in_two_seconds_is_queued) {
    room_wire(room, b, a)->silent = true;
    uint32_t slot = desk_say(a, 1, "SENDREALM b bob m1");
    room_run_ms(room, VERDICT_MS - 1);
    cr_assert(desk_reply(a, 1, slot) == NULL);
    room_run_ms(room, 1);
    desk_expect_reply(a, 1, slot, QUEUED);
    room_heal_all(room);
    expect_quiet();
    desk_expect_texts(b, from_realm, "m1");
}

Test(core_federation, late_refusal_bounces_to_the_sender) {
    room_wire(room, b, a)->silent = true;
    room_expect(room, a, 1, "SENDREALM b carol halo", QUEUED);
    say_across("m1", QUEUED);
    desk_expect(a, 1, "CHECKMESSAGE a:1", "{*\"state\":\"queued\"*}");
    room_heal_all(room);
    expect_quiet();
    desk_expect(
        a, 1, "INBOX",
        "{\"status\":\"OK\",\"data\":[{\"seq\":1,\"id\":\"a:3\",\"from\":\"realm@a\",\"to\":"
        "\"alice@a\",\"time\":\"*\",\"message\":\"*a:1*carol@b*user tidak ditemukan\"}]}");
    desk_expect(a, 1, "CHECKMESSAGE a:1", "{*\"state\":\"rejected\",*user tidak ditemukan\"}}");
    desk_expect(a, 1, "CHECKMESSAGE a:3", "{*\"code\":\"FORBIDDEN\"}");
    desk_expect_texts(b, from_realm, "m1");
    room_run_ms(room, 3000);
    room_expect_agreement(a, b);
}

Test(core_federation, many_late_refusals_all_bounce_once) {
    room_cut(room, a, b);
    room_run_ms(room, 10);
    for (unsigned i = 0; i < 300; i++)
        desk_expect(a, 1, i % 3 == 0 ? "SENDREALM b bob m" : "SENDREALM b carol m", QUEUED);
    room_heal_all(room);
    expect_quiet();
    room_run_ms(room, 3000);
    cr_assert_eq(paper_store_head(a->store, inbox), 200);
    cr_assert_eq(paper_store_head(b->store, from_realm), 100);
    room_expect_agreement(a, b);
}

/* More refusals than a receiver may remember: it goes on when the sender has settled them. */
Test(core_federation, more_refusals_than_the_receiver_remembers) {
    room_cut(room, a, b);
    room_run_ms(room, 10);
    a->batching = true;
    for (unsigned i = 0; i < PEER_REJECTIONS_MAX + 1000; i++)
        (void)desk_say(a, 1, "SENDREALM b carol m");
    (void)desk_say(a, 1, "SENDREALM b bob m1");
    a->batching = false;
    desk_turn_end(a);
    room_heal_all(room);
    expect_quiet();
    room_run_ms(room, 3000);
    desk_expect_texts(b, from_realm, "m1");
    cr_assert_eq(paper_store_head(a->store, inbox), PEER_REJECTIONS_MAX + 1000);
    room_expect_agreement(a, b);
}

Test(core_federation, bounce_of_a_removed_user_goes_nowhere) {
    room_cut(room, a, b);
    room_run_ms(room, 10);
    desk_expect(a, 1, "SENDREALM b carol halo", QUEUED);
    desk_expect(a, DESK_ADMIN, "DELUSER alice", "{*berhasil*}");
    room_heal_all(room);
    expect_quiet();
    cr_assert_eq(paper_store_head(a->store, inbox), 0);
}

Test(core_federation, queued_message_of_a_removed_user_still_goes) {
    room_cut(room, a, b);
    room_run_ms(room, 10);
    say_across("m1", QUEUED);
    desk_expect(a, DESK_ADMIN, "DELUSER alice", "{*berhasil*}");
    room_heal_all(room);
    expect_quiet();
    desk_expect_texts(b, from_realm, "m1");
}

Test(core_federation, expires_after_five_days_and_bounces) {
    room_cut(room, a, b);
    room_run_ms(room, 10);
    say_many(1, 3, QUEUED);
    a->skew_ms = DEFAULT_QUEUE_EXPIRY_MS - 120000;
    room_run_ms(room, OUTBOX_SWEEP_MS + 1000);
    desk_expect(a, 1, "INBOX", EMPTY);
    say_many(4, 5, QUEUED);
    a->skew_ms = DEFAULT_QUEUE_EXPIRY_MS - 30000;
    room_run_ms(room, OUTBOX_SWEEP_MS + 1000);
    cr_assert_eq(paper_store_head(a->store, inbox), 3);
    desk_expect(a, 1, "INBOX LIMIT 1", "{*\"from\":\"realm@a\",*a:3*bob@b*}");
    desk_expect(a, 1, "CHECKMESSAGE a:3", "{*\"state\":\"expired\"*}");
    desk_expect(a, 1, "CHECKMESSAGE a:4", "{*\"state\":\"queued\"*}");
    start_again(a);
    room_heal_all(room);
    expect_quiet();
    desk_expect_texts(b, from_realm, "m4..5");
    cr_assert_eq(paper_store_head(a->store, inbox), 3);
    room_expect_agreement(a, b);
}

Test(core_federation, record_that_arrived_before_it_expired_holds_nothing_up) {
    room_wire(room, b, a)->silent = true;
    for (unsigned i = 1; i <= 3; i++)
        (void)desk_say(a, 1, desk_text(a, "SENDREALM b bob m%u", i));
    room_run_ms(room, 100);
    desk_expect_texts(b, from_realm, "m1..3");
    room_cut(room, a, b);
    a->skew_ms = DEFAULT_QUEUE_EXPIRY_MS;
    room_run_ms(room, OUTBOX_SWEEP_MS + 1000);
    desk_expect(a, 1, "CHECKMESSAGE a:3", "{*\"state\":\"expired\"*}");
    say_many(4, 6, QUEUED);
    room_heal_all(room);
    expect_quiet();
    desk_expect_texts(b, from_realm, "m1..6");
}

Test(core_federation, group_copy_is_there_once_whatever_the_verdict_takes) {
    make_groups("kunci");
    room_wire(room, b, a)->silent = true;
    room_expect(room, a, 1, "SENDGROUPREALM b tim m1", GROUP_QUEUED);
    desk_expect_texts(a, group_realm, "m1");
    room_heal_all(room);
    room_cut(room, a, b);
    room_run_ms(room, 10);
    room_expect(room, a, 1, "SENDGROUPREALM b tim m2", GROUP_QUEUED);
    room_heal_all(room);
    expect_quiet();
    room_expect(room, a, 1, "SENDGROUPREALM b tim m3", GROUP_DELIVERED);
    start_again(a);
    expect_quiet();
    desk_expect_texts(a, group_realm, "m1..3");
    desk_expect_texts(b, group_realm, "m1..3");
}

/* Its sender was never answered: it may have gone, so the group at home sees it too. */
Test(core_federation, group_copy_is_made_after_a_crash_before_the_verdict) {
    make_groups("kunci");
    room_wire(room, b, a)->silent = true;
    (void)desk_say(a, 1, "SENDGROUPREALM b tim m1");
    (void)desk_say(a, 1, "SENDREALM b bob x");
    (void)desk_say(a, 1, "SENDGROUPREALM b tim m2");
    room_run_ms(room, 100);
    cr_assert_eq(paper_store_head(a->store, group_realm), 0);
    start_again(a);
    desk_expect_texts(a, group_realm, "m1..2");
    start_again(a);
    desk_expect_texts(a, group_realm, "m1..2");
    room_heal_all(room);
    expect_quiet();
    desk_expect_texts(a, group_realm, "m1..2");
    desk_expect_texts(b, group_realm, "m1..2");
    desk_expect(a, 1, "CHECKMESSAGE a:1", "{*\"state\":\"delivered\"*}");
}

Test(core_federation, more_group_copies_owed_than_a_sweep_reads) {
    make_groups("kunci");
    const unsigned count = 2 * OUTBOX_SWEEP_RECORDS + 100;
    room_wire(room, a, b)->silent = true;
    a->batching = true;
    for (unsigned i = 1; i <= count; i++)
        (void)desk_say(a, 1, desk_text(a, "SENDGROUPREALM b tim m%u", i));
    a->batching = false;
    desk_turn_end(a);
    start_again(a);
    desk_expect_texts(a, group_realm, desk_text(a, "m1..%u", count));
    room_heal_all(room);
    expect_quiet();
    desk_expect_texts(b, group_realm, desk_text(b, "m1..%u", count));
}

Test(core_federation, delrealm_bounces_what_is_queued) {
    room_cut(room, a, b);
    room_run_ms(room, 10);
    say_many(1, 1200, QUEUED);
    desk_expect(a, DESK_ADMIN, "DELREALM b",
                "{\"status\":\"OK\",\"data\":\"Delete realm berhasil\"}");
    cr_assert_eq(paper_store_head(a->store, inbox), 1200);
    desk_expect(a, 1, "INBOX LIMIT 1", "{*\"from\":\"realm@a\",*a:1200 untuk bob@b*}");
    desk_expect(a, 1, "CHECKMESSAGE a:7", "{*\"state\":\"rejected\"*}");
    desk_expect(a, 1, "SENDREALM b bob halo", "{*\"code\":\"NO_REALM\"}");
    desk_expect(a, DESK_ADMIN, "DELREALM b", "{*\"code\":\"NO_REALM\"}");
    desk_expect(a, DESK_ADMIN, "CHECKREALM", EMPTY);
    desk_expect(a, DESK_ADMIN, "LISTREALM", EMPTY);
    start_again(a);
    desk_expect(a, DESK_ADMIN, "LISTREALM", EMPTY);
    room_run_ms(room, 5000);
    cr_assert_eq(paper_store_head(b->store, from_realm), 0);
}

Test(core_federation, delrealm_survives_a_crash_at_each_step) {
    room_cut(room, a, b);
    room_run_ms(room, 10);
    say_many(1, 1200, QUEUED);
    store_t *backup = paper_store_copy(a->store);
    for (unsigned turn = 1; turn <= 5; turn++) {
        for (desk_crash_t crash = DESK_CRASH_BEFORE_COMMIT; crash <= DESK_CRASH_AFTER_COMMIT;
             crash++) {
            desk_restore(a, backup);
            desk_user(a, 1, "alice");
            a->crash = crash;
            a->crash_turns = turn;
            bool told = *desk_ask(a, DESK_ADMIN, "DELREALM b") != '\0';
            desk_restart(a);
            unsigned bounced = paper_store_head(a->store, inbox);
            cr_assert(bounced == 1200 || (!told && bounced == 0), "%u bounces", bounced);
        }
    }
    store_close(&backup);
}

Test(core_federation, link_ended_while_verdicts_are_awaited) {
    room_wire(room, b, a)->silent = true;
    uint32_t slot = desk_say(a, 1, "SENDREALM b bob m1");
    uint32_t page = desk_say(a, 1, "INBOXREALM b");
    room_run_ms(room, 100);
    desk_expect(a, DESK_ADMIN, "DELREALM b", "{*berhasil*}");
    desk_expect_reply(a, 1, slot, QUEUED);
    desk_expect_reply(a, 1, page, "{*\"stale\":true}");
    cr_assert_eq(paper_store_head(a->store, inbox), 1);
}

Test(core_federation, link_made_again_starts_behind_the_old_one) {
    say_many(1, 3, DELIVERED);
    room_cut(room, a, b);
    room_run_ms(room, 10);
    say_many(4, 5, QUEUED);
    desk_expect(a, DESK_ADMIN, "DELREALM b", "{*berhasil*}");
    room_heal_all(room);
    room_trust(a, "b");
    room_expect(room, a, DESK_ADMIN, room_add_realm_line(room, a, b), "{*Connect realm berhasil*}");
    say_many(4, 6, DELIVERED);
    expect_quiet();
    desk_expect_texts(b, from_realm, "m1..6");
    room_expect(room, b, 1, "SENDREALM a alice hai", DELIVERED);
    start_again(a);
    start_again(b);
    expect_quiet();
    say_many(7, 8, DELIVERED);
    desk_expect_texts(b, from_realm, "m1..8");
}

Test(core_federation, peers_queue_outlives_our_delrealm) {
    room_cut(room, a, b);
    room_run_ms(room, 10);
    for (unsigned i = 1; i <= 5; i++)
        room_expect(room, b, 1, desk_text(b, "SENDREALM a alice m%u", i), QUEUED);
    desk_expect(a, DESK_ADMIN, "DELREALM b", "{*berhasil*}");
    room_heal_all(room);
    room_run_ms(room, 3000);
    cr_assert(!room_is_up(b, "a"));
    room_trust(a, "b");
    room_expect(room, a, DESK_ADMIN, room_add_realm_line(room, a, b), "{*Connect realm berhasil*}");
    expect_quiet();
    desk_expect_texts(a, from_realm, "m1..5");
}

Test(core_federation, window_of_a_long_queue) {
    const unsigned count = STREAM_WINDOW_RECORDS + PEER_RECORDS_MAX + 1000;
    room_cut(room, a, b);
    room_run_ms(room, 10);
    a->batching = true;
    for (unsigned i = 1; i <= count; i++)
        (void)desk_say(a, 1, desk_text(a, "SENDREALM b bob m%u", i));
    a->batching = false;
    desk_turn_end(a);
    uint64_t frames = room_frames_of(room, a);
    room_heal_all(room);
    expect_quiet();
    desk_expect_texts(b, from_realm, desk_text(b, "m1..%u", count));
    cr_assert_leq(room_frames_of(room, a) - frames, 40, "many records go in a frame");
    room_expect_agreement(a, b);
}

/* The wire in one direction gives no dials: that realm is behind something. */
Test(core_federation, realm_that_cannot_be_dialled_pulls) {
    room_cut(room, a, b);
    room_wire(room, a, b)->no_listener = false;
    room_run_ms(room, 10);
    cr_assert(!room_is_up(b, "a"));
    for (unsigned i = 1; i <= 1300; i++)
        desk_expect(b, 1, desk_text(b, "SENDREALM a alice m%u", i), "{*\"id\":*}");
    room_run_ms(room, 5000);
    cr_assert(room_is_up(a, "b") && !room_is_up(b, "a"));
    desk_expect_texts(a, from_realm, "m1..1300");
    cr_assert(strstr(room_peer_row(b, "a"), "\"queued\":0,") != NULL);
    room_expect(room, b, 1, "SENDREALM a carol m", QUEUED);
    room_run_ms(room, 5000);
    desk_expect(b, 1, "INBOX", "{*\"from\":\"realm@b\",*carol@a*}");
    room_expect(room, b, 1, "SENDREALM a alice m1301", QUEUED);
    room_run_ms(room, 5000);
    desk_expect_texts(a, from_realm, "m1..1301");
    cr_assert_eq(paper_store_rows(a->store, RECORD_REJECTION), 0, "forgotten with the next pull");
}

Test(core_federation, reading_asks_the_peer_first) {
    room_cut(room, a, b);
    room_wire(room, a, b)->no_listener = false;
    room_run_ms(room, 3000);
    cr_assert(room_is_up(a, "b") && !room_is_up(b, "a"));
    desk_group(a, 1, "tim");
    desk_group(b, 1, "tim");
    for (unsigned i = 1; i <= 1300; i++)
        desk_expect(b, 1, desk_text(b, "SENDREALM a alice m%u", i), QUEUED);
    desk_expect(b, 1, "SENDGROUPREALM a tim hai", GROUP_QUEUED);
    room_expect(room, a, 1, "INBOXREALM b LIMIT 1", "{*\"seq\":1300,*\"m1300\"}],\"more\":true}");
    room_expect(room, a, 1, "INBOXGROUPREALM b tim", "{*\"hai\"}]}");
    room_run_ms(room, 2000);
    desk_expect(b, 1, "SENDGROUPREALM a tim lagi", GROUP_QUEUED);
    room_expect(room, a, 1, "INBOXGROUPREALM b tim", "{*\"hai\"*\"lagi\"}]}");
}

Test(core_federation, pull_that_is_lost_is_made_again) {
    room_cut(room, a, b);
    room_wire(room, a, b)->no_listener = false;
    room_run_ms(room, 3000);
    desk_expect(b, 1, "SENDREALM a alice m1", QUEUED);
    room_run_ms(room, 900);
    room_wire(room, b, a)->drop = 700;
    room_run_ms(room, 3000);
    room_wire(room, b, a)->drop = 0;
    room_run_ms(room, 3000);
    cr_assert(room_is_up(a, "b"));
    desk_expect_texts(a, from_realm, "m1");
}

Test(core_federation, page_is_stale_when_the_peer_cannot_be_asked) {
    room_expect(room, b, 1, "SENDREALM a alice hai", DELIVERED);
    room_wire(room, b, a)->silent = true;
    uint32_t slow = desk_say(a, 1, "INBOXREALM b");
    uint32_t behind = desk_say(a, 1, "PING");
    room_run_ms(room, PULL_MS - 1);
    cr_assert(desk_reply(a, 1, slow) == NULL && desk_reply(a, 1, behind) == NULL);
    room_run_ms(room, 1);
    desk_expect_reply(a, 1, slow, "{*\"hai\"}],\"stale\":true}");
    desk_expect_reply(a, 1, behind, "{*PONG*}");
    room_run_ms(room, 2000);
    desk_expect(a, 1, "INBOXREALM b", "{*\"hai\"}],\"stale\":true}");
}

Test(core_federation, page_waiting_for_a_peer_that_dies_comes_at_once) {
    room_wire(room, b, a)->silent = true;
    uint32_t page = desk_say(a, 1, "INBOXREALM b");
    room_run_ms(room, 100);
    desk_crash(b);
    room_run_ms(room, 10);
    desk_expect_reply(a, 1, page, "{*[],\"stale\":true}");
}

Test(core_federation, crash_of_the_sender_at_each_turn) {
    unsigned told = 0;
    for (unsigned turn = 1; turn <= 24; turn++) {
        a->crash = turn % 2 == 0 ? DESK_CRASH_BEFORE_COMMIT : DESK_CRASH_AFTER_COMMIT;
        a->crash_turns = (turn + 1) / 2;
        uint32_t slot = desk_say(a, 1, desk_text(a, "SENDREALM b bob m%u", told + 1));
        for (unsigned i = 0; i < 100 && desk_runs(a); i++)
            room_run_ms(room, 100);
        cr_assert(!desk_runs(a));
        const char *reply = desk_reply(a, 1, slot);
        desk_start(a);
        desk_user(a, 1, "alice");
        expect_quiet();
        uint32_t head = paper_store_head(b->store, from_realm);
        cr_assert(head == told + 1 || (reply == NULL && head == told));
        told = head;
    }
    desk_expect_texts(b, from_realm, desk_text(b, "m1..%u", told));
    room_expect_agreement(a, b);
}

Test(core_federation, crash_of_the_receiver_at_each_turn) {
    for (unsigned turn = 1; turn <= 24; turn++) {
        b->crash = turn % 2 == 0 ? DESK_CRASH_BEFORE_COMMIT : DESK_CRASH_AFTER_COMMIT;
        b->crash_turns = (turn + 1) / 2;
        room_expect(room, a, 1, desk_text(a, "SENDREALM b bob m%u", turn), "{*\"id\":*}");
        for (unsigned i = 0; i < 100 && desk_runs(b); i++)
            room_run_ms(room, 100);
        cr_assert(!desk_runs(b));
        desk_start(b);
        expect_quiet();
    }
    desk_expect_texts(b, from_realm, "m1..24");
    room_expect_agreement(a, b);
}

static void bad_wire(wire_t *wire) {
    wire->drop = 200;
    wire->twice = 200;
    wire->reorders = true;
    wire->delay_us_max = 30000;
}

Test(core_federation, frames_lost_doubled_and_out_of_order) {
    uint32_t slots[400];
    bad_wire(room_wire(room, a, b));
    bad_wire(room_wire(room, b, a));
    for (unsigned i = 0; i < 400; i++) {
        slots[i] = desk_say(a, 1, desk_text(a, "SENDREALM b bob m%u", i + 1));
        if (i % 5 == 0)
            room_run_ms(room, 20);
    }
    room_run_ms(room, 4000);
    for (unsigned i = 0; i < 400; i++)
        desk_expect_reply(a, 1, slots[i], "{*\"delivery\":*}");
    room_heal_all(room);
    expect_quiet();
    desk_expect_texts(b, from_realm, "m1..400");
    room_expect_agreement(a, b);
}

Test(core_federation, lost_frame_is_sent_again_after_a_while) {
    room_wire(room, a, b)->drop = 1000;
    uint32_t slot = desk_say(a, 1, "SENDREALM b bob m1");
    room_run_ms(room, 500);
    room_heal_all(room);
    room_run_ms(room, RESEND_MS - 450);
    desk_expect_reply(a, 1, slot, DELIVERED);
}

Test(core_federation, lost_ack_does_no_harm) {
    room_wire(room, b, a)->drop = 1000;
    uint32_t slot = desk_say(a, 1, "SENDREALM b bob m1");
    room_run_ms(room, 500);
    room_heal_all(room);
    room_run_ms(room, RESEND_MS);
    desk_expect_reply(a, 1, slot, DELIVERED);
    desk_expect_texts(b, from_realm, "m1");
}

Test(core_federation, both_operators_link_at_the_same_moment) {
    desk_t *c = room_desk(room, "c");
    room_trust(a, "c");
    room_trust(c, "a");
    uint32_t ours = desk_say(a, DESK_ADMIN, room_add_realm_line(room, a, c));
    uint32_t theirs = desk_say(c, DESK_ADMIN, room_add_realm_line(room, c, a));
    room_run_ms(room, 1000);
    desk_expect_reply(a, DESK_ADMIN, ours, "{*Connect realm berhasil*}");
    desk_expect_reply(c, DESK_ADMIN, theirs, "{*Connect realm berhasil*}");
    cr_assert(room_quiet(room, a, c, 2000));
}

Test(core_federation, stranger_links_where_any_key_is_accepted) {
    desk_t *c = room_desk_stopped(room, "c");
    c->options.accept_any = true;
    desk_start(c);
    const char *line = desk_text(a, "%s %s", room_add_realm_line(room, a, c), key_text_of(a, "c"));
    room_expect(room, a, DESK_ADMIN, line, "{*Connect realm berhasil*}");
    cr_assert(room_quiet(room, a, c, 2000));
}

Test(core_federation, third_realm_is_a_link_of_its_own) {
    desk_t *c = room_desk(room, "c");
    desk_user(c, 1, "carol");
    room_link(room, c, a);
    room_expect(room, a, 1, "SENDREALM c carol halo", DELIVERED);
    say_across("halo", DELIVERED);
    room_cut(room, a, b);
    room_run_ms(room, 10);
    say_across("nanti", QUEUED);
    room_expect(room, c, 1, "SENDREALM a alice hai", DELIVERED);
    room_expect(room, a, 1, "INBOXREALM c", "{*\"from\":\"carol@c\",*}");
    desk_expect(c, 1, "SENDREALM b bob halo", "{*\"code\":\"NO_REALM\"}");
}
