/* links: base wire core store app; sources: support/desk.c support/paper_store.c support/room.c */
/*
 * SENDGROUPREALM *: one group message to all linked realms, with a verdict for each.
 */
#include "../support/paper_store.h"
#include "../support/room.h"

#include <criterion/criterion.h>
#include <string.h>

enum { ALICE = 1, AGAIN = 2 };

static room_t *room;
static desk_t *a, *b, *c, *d;

/* b and c have the group, d has it with another password. */
static void prepare(void) {
    room = room_new(1);
    a = room_desk(room, "a");
    b = room_desk(room, "b");
    c = room_desk(room, "c");
    d = room_desk(room, "d");
    room_link(room, a, b);
    room_link(room, a, c);
    room_link(room, a, d);
    desk_user(a, ALICE, "alice");
    desk_user(a, AGAIN, "alice");
    desk_group(a, ALICE, "tim");
    desk_t *others[] = {b, c, d};
    for (unsigned i = 0; i < 3; i++)
        desk_user(others[i], 1, "bob");
    desk_group(b, 1, "tim");
    desk_group(c, 1, "tim");
    desk_expect(d, 1, "ADDGROUP tim lain", "{*OK*}");
}

static void clean_up(void) {
    room_destroy(&room);
}

TestSuite(core_broadcast, .init = prepare, .fini = clean_up);

/* In each realm a is the first peer, and tim the first group. */
static void expect_texts(const desk_t *desk, const char *texts) {
    desk_expect_texts(desk, mailbox_of(MAILBOX_GROUP_REALM, 1, 1), texts);
}

static void expect_copies(uint32_t realm, const char *texts) {
    desk_expect_texts(a, mailbox_of(MAILBOX_GROUP_REALM, 1, realm), texts);
}

static const char *const ALL =
    "{\"status\":\"OK\",\"data\":\"Pesan grup realm terkirim\","
    "\"realms\":[{\"realm\":\"b\",\"id\":\"a:1\",\"delivery\":\"delivered\"},"
    "{\"realm\":\"c\",\"id\":\"a:2\",\"delivery\":\"delivered\"},"
    "{\"realm\":\"d\",\"error\":\"GROUP_MISMATCH\"}]}";

Test(core_broadcast, each_realm_gives_its_verdict) {
    room_expect(room, a, ALICE, "SENDGROUPREALM * tim halo", ALL);
    expect_texts(b, "halo");
    expect_texts(c, "halo");
    expect_texts(d, "");
    expect_copies(1, "halo");
    expect_copies(2, "halo");
    expect_copies(3, "");
}

Test(core_broadcast, a_realm_that_is_away_gets_it_later) {
    room_cut(room, a, c);
    room_run_ms(room, 5000);
    room_expect(room, a, ALICE, "SENDGROUPREALM * tim halo",
                "{*{\"realm\":\"b\",*\"delivered\"},{\"realm\":\"c\",\"id\":\"a:2\",\"delivery\":"
                "\"queued\"},{\"realm\":\"d\"*}");
    room_heal(room, a, c);
    cr_assert(room_quiet(room, a, c, 60000));
    expect_texts(c, "halo");
    expect_copies(2, "halo");
}

Test(core_broadcast, a_realm_that_is_silent_is_waited_for_so_long) {
    room_wire(room, c, a)->silent = true;
    int64_t asked_us = room_now_us(room);
    room_expect(room, a, ALICE, "SENDGROUPREALM * tim halo",
                "{*\"b\",*\"delivered\"},*\"c\",*\"queued\"},*\"GROUP_MISMATCH\"*}");
    cr_assert_leq(room_now_us(room) - asked_us, (VERDICT_MS + 200) * 1000LL);
}

Test(core_broadcast, who_has_not_the_group_need_not_be_told_late) {
    room_cut(room, a, d);
    room_run_ms(room, 5000);
    room_expect(room, a, ALICE, "SENDGROUPREALM * tim satu",
                "{*\"realm\":\"d\",\"id\":\"a:3\",\"delivery\":\"queued\"}]}");
    room_expect(room, a, ALICE, "SENDGROUPREALM d tim dua", "{*\"queued\"}");
    room_heal(room, a, d);
    cr_assert(room_quiet(room, a, d, 60000));
    desk_expect(a, ALICE, "CHECKMESSAGE a:3", "{*\"rejected\"*}");
    const char *inbox = desk_ask(a, ALICE, "INBOX");
    cr_assert_null(strstr(inbox, "a:3 "), "a broadcast bounced: %s", inbox);
    cr_assert_not_null(strstr(inbox, "Pesan a:"), "the other did not: %s", inbox);
}

Test(core_broadcast, what_expires_bounces) {
    room_cut(room, a, d);
    room_run_ms(room, 5000);
    room_expect(room, a, ALICE, "SENDGROUPREALM * tim satu", "{*\"a:3\",\"delivery\":\"queued\"*}");
    a->skew_ms = DEFAULT_QUEUE_EXPIRY_MS + 3600 * 1000;
    room_run_ms(room, 2 * OUTBOX_SWEEP_MS);
    cr_assert_not_null(strstr(desk_ask(a, ALICE, "INBOX"), "Pesan a:3 untuk tim@d"));
}

Test(core_broadcast, a_retry_gets_the_same_list) {
    const char *reply = room_ask(room, a, ALICE, "@r SENDGROUPREALM * tim halo");
    cr_assert(text_matches(reply, "{*\"a:1\"*\"a:2\"*\"GROUP_MISMATCH\"}],\"ref\":\"r\"}"));
    cr_assert_str_eq(desk_ask(a, AGAIN, "@r SENDGROUPREALM * tim halo"), reply);
    desk_restart(a);
    desk_user(a, ALICE, "alice");
    cr_assert_str_eq(room_ask(room, a, ALICE, "@r SENDGROUPREALM * tim halo"), reply);
    expect_texts(b, "halo");
    expect_texts(c, "halo");
}

Test(core_broadcast, a_crash_on_the_way_leaves_it_queued_everywhere) {
    room_cut(room, a, c);
    room_run_ms(room, 5000);
    room_wire(room, a, b)->silent = room_wire(room, a, d)->silent = true;
    (void)desk_say(a, ALICE, "@r SENDGROUPREALM * tim halo");
    desk_restart(a);
    desk_user(a, ALICE, "alice");
    const char *reply = desk_ask(a, ALICE, "@r SENDGROUPREALM * tim halo");
    cr_assert(text_matches(reply, "{*\"id\":\"a:1\",\"delivery\":\"queued\"},*\"id\":\"a:2\","
                                  "\"delivery\":\"queued\"},*\"id\":\"a:3\",\"delivery\":"
                                  "\"queued\"}],\"ref\":\"r\"}"),
              "%s", reply);
    room_heal_all(room);
    room_heal(room, a, c);
    cr_assert(room_quiet(room, a, b, 60000) && room_quiet(room, a, c, 60000));
    expect_texts(b, "halo");
    expect_texts(c, "halo");
    expect_copies(1, "halo");
    expect_copies(2, "halo");
}

Test(core_broadcast, a_realm_removed_later_keeps_its_name_in_the_list) {
    const char *reply = room_ask(room, a, ALICE, "@r SENDGROUPREALM * tim halo");
    desk_expect(a, DESK_ADMIN, "DELREALM c", "{*OK*}");
    desk_restart(a);
    desk_user(a, ALICE, "alice");
    cr_assert_str_eq(room_ask(room, a, ALICE, "@r SENDGROUPREALM * tim halo"), reply);
    room_expect(room, a, ALICE, "SENDGROUPREALM * tim lagi",
                "{*\"realm\":\"b\"*\"realm\":\"d\"*]}");
}

Test(core_broadcast, a_full_outbox_is_that_realms_verdict) {
    room_cut(room, a, c);
    room_run_ms(room, 5000);
    desk_stop(a);
    a->options.limits.outbox_records_max = 1;
    desk_start(a);
    desk_user(a, ALICE, "alice");
    room_run_ms(room, 5000);
    room_expect(room, a, ALICE, "SENDGROUPREALM c tim satu", "{*\"queued\"*}");
    room_expect(room, a, ALICE, "SENDGROUPREALM * tim dua",
                "{*\"b\",*\"delivered\"},{\"realm\":\"c\",\"error\":\"QUEUE_FULL\"},{*}]}");
    room_cut(room, a, b);
    room_cut(room, a, d);
    room_run_ms(room, 5000);
    room_expect(room, a, ALICE, "SENDGROUPREALM * tim tiga", "{*\"queued\"*\"QUEUE_FULL\"*}");
    room_expect(room, a, ALICE, "@r SENDGROUPREALM * tim empat",
                "{\"status\":\"ERROR\",*\"QUEUE_FULL\",\"ref\":\"r\"}");
    expect_copies(2, "satu");
}

Test(core_broadcast, only_members_and_only_with_links) {
    desk_user(a, 5, "caca");
    desk_expect(a, 5, "SENDGROUPREALM * tim halo", "{*\"NOT_MEMBER\"}");
    desk_expect(a, 5, "SENDGROUPREALM * klub halo", "{*\"NO_GROUP\"}");
    desk_expect(a, 5, "SENDGROUPREALM *", "{*\"usage\"*}");
    desk_expect(a, ALICE, "SENDREALM * bob halo", "{*\"BAD_NAME\"}");
    desk_expect(a, ALICE, "INBOXGROUPREALM * tim", "{*\"BAD_NAME\"}");
}

Test(core_broadcast, without_links_there_is_nobody_to_tell) {
    desk_t *alone = desk_new("e");
    desk_start(alone);
    desk_user(alone, 1, "alice");
    desk_group(alone, 1, "tim");
    desk_expect(alone, 1, "SENDGROUPREALM * tim halo", "{*\"NO_REALM\"}");
    desk_destroy(&alone);
}

Test(core_broadcast, who_hung_up_still_sent_it) {
    (void)desk_say(a, ALICE, "SENDGROUPREALM * tim halo");
    desk_close(a, ALICE);
    room_run_ms(room, 500);
    expect_texts(b, "halo");
    expect_texts(c, "halo");
}

Test(core_broadcast, verdicts_whose_commit_fails_are_only_queued) {
    room_wire(room, b, a)->silent = room_wire(room, c, a)->silent = true;
    room_wire(room, d, a)->silent = true;
    (void)desk_say(a, ALICE, "SENDGROUPREALM * tim halo");
    effects_t effects;
    effects_init(&effects);
    event_t tick = {.kind = EVENT_TICK, .time_ms = DESK_EPOCH_MS};
    tick.uptime_us = desk_uptime_us(a) + VERDICT_MS * 1000LL;
    state_step(a->state, &tick, &effects);
    cr_assert_eq(effects.reply_count, 1);
    reply_t refused = reply_refused(&effects.replies[0]);
    cr_assert_eq(refused.kind, REPLY_BROADCAST);
    cr_assert(refused.broadcast.unsure);
    effects_deinit(&effects);
}

Test(core_broadcast, a_commit_holds_only_so_many) {
    size_t refused = 0;
    const char *busy = NULL;
    a->batching = true;
    for (unsigned i = 0; i < BROADCAST_RECORDS_MAX / 3 + 1; i++)
        (void)desk_say(a, ALICE, "SENDGROUPREALM * tim x");
    desk_batch_end(a);
    for (uint32_t slot = 1; slot <= BROADCAST_RECORDS_MAX / 3 + 4; slot++) {
        const char *reply = desk_reply(a, ALICE, slot);
        if (reply != NULL && strstr(reply, "\"BUSY\"") != NULL) {
            busy = reply;
            refused += 1;
        }
    }
    cr_assert_not_null(busy);
    cr_assert_eq(refused, 1);
    desk_expect(a, DESK_ADMIN, "CHECKSERVER",
                "{*\"broadcast\":{\"current\":0,\"maximum\":65536,\"refused\":1}*}");
}
