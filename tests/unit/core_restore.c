/* links: base wire core store app; sources: support/desk.c support/paper_store.c support/room.c */
/*
 * Realms that go back in time. A receiver set back to an old copy of its store is sent again what
 * it lost; what a sender set back to one sends anew is never taken for what an earlier life had
 * sent under the same numbers, and what that life had got rid of is not sent twice.
 */
#include "../support/paper_store.h"
#include "../support/room.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static room_t *room;
static desk_t *a, *b;
static mailbox_t from_realm, group_realm, inbox;

static pair_t pair;

static void prepare(void) {
    pair = pair_new();
    room = pair.room;
    a = pair.a;
    b = pair.b;
    from_realm = pair.from_realm;
    group_realm = pair.group_realm;
    inbox = pair.inbox;
}

static void clean_up(void) {
    pair_destroy(&pair);
}

TestSuite(core_restore, .init = prepare, .fini = clean_up);

/* Alice says <word><first> to <word><last> to bob. */
static void say(const char *word, unsigned first, unsigned last) {
    for (unsigned i = first; i <= last; i++)
        room_expect(room, a, 1, desk_text(a, "SENDREALM b bob %s%u", word, i),
                    "{\"status\":\"OK\",*}");
}

static void cut(void) {
    room_cut(room, a, b);
    room_run_ms(room, 10);
}

static void expect_quiet(void) {
    cr_assert(room_quiet(room, a, b, 60000), "%s\n%s", room_peer_row(a, "b"),
              room_peer_row(b, "a"));
}

static void heal(void) {
    room_heal(room, a, b);
    expect_quiet();
}

static store_t *backup_of(const desk_t *desk) {
    return paper_store_copy(desk->store);
}

static void restore(desk_t *desk, const store_t *backup) {
    desk_restore(desk, backup);
    desk_user(desk, 1, desk == a ? "alice" : "bob");
}

static void start_again(desk_t *desk) {
    desk_restart(desk);
    desk_user(desk, 1, desk == a ? "alice" : "bob");
}

Test(core_restore, receiver_gets_again_what_it_lost) {
    say("m", 1, 5);
    store_t *backup = backup_of(b);
    say("m", 6, 20);
    restore(b, backup);
    expect_quiet();
    desk_expect_texts(b, from_realm, "m1..20");
    say("m", 21, 22);
    desk_expect_texts(b, from_realm, "m1..22");
    room_expect_agreement(a, b);
    store_close(&backup);
}

Test(core_restore, receiver_restored_over_and_over) {
    say("m", 1, 5);
    store_t *backup = backup_of(b);
    for (unsigned i = 0; i < 5; i++) {
        say("m", 6 + i, 6 + i);
        restore(b, backup);
        expect_quiet();
        desk_expect_texts(b, from_realm, desk_text(b, "m1..%u", 6 + i));
    }
    room_expect_agreement(a, b);
    store_close(&backup);
}

Test(core_restore, receiver_restored_while_the_link_is_down) {
    say("m", 1, 5);
    store_t *backup = backup_of(b);
    say("m", 6, 9);
    cut();
    restore(b, backup);
    say("m", 10, 12);
    heal();
    desk_expect_texts(b, from_realm, "m1..12");
    room_expect_agreement(a, b);
    store_close(&backup);
}

Test(core_restore, receiver_restored_to_before_the_first_record) {
    store_t *backup = backup_of(b);
    say("m", 1, 9);
    restore(b, backup);
    expect_quiet();
    desk_expect_texts(b, from_realm, "m1..9");
    say("m", 10, 10);
    desk_expect_texts(b, from_realm, "m1..10");
    store_close(&backup);
}

Test(core_restore, receiver_restored_to_before_the_link) {
    desk_t *c = room_desk(room, "c");
    desk_user(c, 1, "bob");
    store_t *backup = backup_of(c);
    room_link(room, a, c);
    for (unsigned i = 1; i <= 5; i++)
        room_expect(room, a, 1, desk_text(a, "SENDREALM c bob m%u", i), "{*delivered*}");
    desk_restore(c, backup);
    room_run_ms(room, 2000);
    cr_assert(!room_is_up(a, "c"));
    room_expect(room, a, 1, "SENDREALM c bob m6", "{*queued*}");
    room_trust(c, "a");
    room_expect(room, c, DESK_ADMIN, room_add_realm_line(room, c, a), "{*Connect realm berhasil*}");
    cr_assert(room_quiet(room, a, c, 60000));
    desk_expect_texts(c, from_realm, "m1..6");
    store_close(&backup);
}

Test(core_restore, receiver_restored_after_the_sender_was_restarted_often) {
    say("m", 1, 2);
    store_t *backup = backup_of(b);
    for (unsigned i = 3; i < 3 + STREAM_SEGMENTS_MAX - 2; i++) {
        start_again(a);
        expect_quiet();
        say("m", i, i);
    }
    restore(b, backup);
    expect_quiet();
    desk_expect_texts(b, from_realm, desk_text(b, "m1..%u", STREAM_SEGMENTS_MAX));
    room_expect_agreement(a, b);
    store_close(&backup);
}

Test(core_restore, receiver_that_pulls_gets_again_what_it_lost) {
    cut();
    room_wire(room, b, a)->no_listener = false;
    for (unsigned i = 1; i <= 5; i++)
        desk_expect(a, 1, desk_text(a, "SENDREALM b bob m%u", i), "{*queued*}");
    room_run_ms(room, 4000);
    store_t *backup = backup_of(b);
    for (unsigned i = 6; i <= 9; i++)
        desk_expect(a, 1, desk_text(a, "SENDREALM b bob m%u", i), "{*queued*}");
    room_run_ms(room, 4000);
    desk_expect_texts(b, from_realm, "m1..9");
    restore(b, backup);
    room_run_ms(room, 4000);
    desk_expect_texts(b, from_realm, "m1..9");
    store_close(&backup);
}

Test(core_restore, nobody_is_told_twice_of_a_refusal) {
    store_t *backup = backup_of(b);
    cut();
    desk_expect(a, 1, "SENDREALM b carol halo", "{*queued*}");
    say("m", 1, 3);
    heal();
    cr_assert_eq(paper_store_head(a->store, inbox), 1);
    restore(b, backup);
    expect_quiet();
    desk_expect_texts(b, from_realm, "m1..3");
    cr_assert_eq(paper_store_head(a->store, inbox), 1);
    desk_expect(a, 1, "CHECKMESSAGE a:1", "{*\"state\":\"rejected\"*}");
    room_run_ms(room, 3000);
    room_expect_agreement(a, b);
    store_close(&backup);
}

Test(core_restore, nobody_is_told_twice_when_the_link_ends) {
    store_t *backup = backup_of(b);
    say("m", 1, 3);
    cut();
    restore(b, backup);
    room_heal(room, a, b);
    room_wire(room, a, b)->drop = 1000;
    room_run_ms(room, 2000);
    say("m", 4, 4);
    desk_expect(a, DESK_ADMIN, "DELREALM b", "{*berhasil*}");
    cr_assert_eq(paper_store_head(a->store, inbox), 1, "only of the fourth");
    store_close(&backup);
}

Test(core_restore, what_a_restored_sender_says_is_new) {
    say("m", 1, 5);
    store_t *backup = backup_of(a);
    say("x", 6, 9);
    restore(a, backup);
    expect_quiet();
    say("m", 6, 12);
    desk_expect_texts(b, from_realm, "m1..5 x6..9 m6..12");
    room_expect_agreement(a, b);
    store_close(&backup);
}

Test(core_restore, sender_restored_while_the_link_is_down) {
    say("m", 1, 5);
    store_t *backup = backup_of(a);
    say("x", 6, 9);
    cut();
    say("z", 10, 12);
    restore(a, backup);
    say("m", 6, 8);
    heal();
    desk_expect_texts(b, from_realm, "m1..5 x6..9 m6..8");
    room_expect_agreement(a, b);
    store_close(&backup);
}

Test(core_restore, two_restores_of_one_backup) {
    say("m", 1, 5);
    store_t *backup = backup_of(a);
    say("x", 6, 9);
    restore(a, backup);
    expect_quiet();
    say("y", 6, 12);
    restore(a, backup);
    expect_quiet();
    say("z", 6, 7);
    restore(a, backup);
    say("q", 6, 6);
    expect_quiet();
    desk_expect_texts(b, from_realm, "m1..5 x6..9 y6..12 z6..7 q6");
    room_expect_agreement(a, b);
    store_close(&backup);
}

Test(core_restore, restored_sender_does_not_repeat_its_queue) {
    say("m", 1, 2);
    cut();
    say("m", 3, 6);
    store_t *backup = backup_of(a);
    heal();
    say("x", 7, 9);
    restore(a, backup);
    expect_quiet();
    desk_expect_texts(b, from_realm, "m1..6 x7..9");
    say("m", 7, 7);
    desk_expect_texts(b, from_realm, "m1..6 x7..9 m7");
    room_expect_agreement(a, b);
    store_close(&backup);
}

Test(core_restore, restored_sender_goes_on_where_its_queue_was) {
    say("m", 1, 2);
    cut();
    say("m", 3, 6);
    store_t *backup = backup_of(a);
    say("x", 7, 9);
    restore(a, backup);
    heal();
    desk_expect_texts(b, from_realm, "m1..6");
    room_expect_agreement(a, b);
    store_close(&backup);
}

Test(core_restore, sender_restored_to_before_its_first_record) {
    store_t *backup = backup_of(a);
    say("x", 1, 9);
    restore(a, backup);
    expect_quiet();
    say("m", 1, 3);
    desk_expect_texts(b, from_realm, "x1..9 m1..3");
    room_expect_agreement(a, b);
    store_close(&backup);
}

Test(core_restore, refusals_of_an_earlier_life_are_not_those_of_this_one) {
    say("m", 1, 2);
    store_t *backup = backup_of(a);
    room_wire(room, b, a)->silent = true;
    for (unsigned i = 0; i < 6; i++)
        (void)desk_say(a, 1, i == 1 || i == 4 ? "SENDREALM b carol x" : "SENDREALM b bob x");
    room_run_ms(room, 100);
    cr_assert_eq(paper_store_rows(b->store, RECORD_REJECTION), 2);
    cut();
    restore(a, backup);
    say("m", 3, 8);
    heal();
    desk_expect_texts(b, from_realm, "m1..2 x x x x m3..8");
    cr_assert_eq(paper_store_head(a->store, inbox), 0);
    room_run_ms(room, 3000);
    room_expect_agreement(a, b);
    store_close(&backup);
}

Test(core_restore, both_are_restored) {
    say("m", 1, 5);
    store_t *old_b = backup_of(b);
    say("m", 6, 8);
    store_t *old_a = backup_of(a);
    say("x", 9, 15);
    desk_crash(a);
    restore(b, old_b);
    restore(a, old_a);
    expect_quiet();
    desk_expect_texts(b, from_realm, "m1..8");
    say("m", 9, 10);
    desk_expect_texts(b, from_realm, "m1..10");
    room_expect_agreement(a, b);
    store_close(&old_a);
    store_close(&old_b);
}

Test(core_restore, receiver_is_restored_into_a_lost_life_of_the_sender) {
    say("m", 1, 5);
    store_t *old_a = backup_of(a);
    say("x", 6, 8);
    store_t *old_b = backup_of(b);
    restore(a, old_a);
    expect_quiet();
    say("m", 6, 12);
    restore(b, old_b);
    expect_quiet();
    desk_expect_texts(b, from_realm, "m1..5 x6..8 m6..12");
    room_expect_agreement(a, b);
    store_close(&old_a);
    store_close(&old_b);
}

Test(core_restore, receiver_is_restored_to_before_a_lost_life_of_the_sender) {
    say("m", 1, 3);
    store_t *old_b = backup_of(b);
    say("m", 4, 5);
    store_t *old_a = backup_of(a);
    say("x", 6, 8);
    restore(a, old_a);
    expect_quiet();
    say("m", 6, 12);
    restore(b, old_b);
    expect_quiet();
    desk_expect_texts(b, from_realm, "m1..12");
    room_expect_agreement(a, b);
    store_close(&old_a);
    store_close(&old_b);
}

Test(core_restore, receiver_is_restored_to_when_it_knew_only_a_lost_life) {
    store_t *old_a = backup_of(a);
    say("x", 1, 3);
    store_t *old_b = backup_of(b);
    restore(a, old_a);
    expect_quiet();
    say("m", 1, 6);
    restore(b, old_b);
    expect_quiet();
    desk_expect_texts(b, from_realm, "x1..3 m1..6");
    say("m", 7, 7);
    restore(b, old_b);
    expect_quiet();
    desk_expect_texts(b, from_realm, "x1..3 m1..7");
    room_expect_agreement(a, b);
    store_close(&old_a);
    store_close(&old_b);
}

/* The peer's marks are all of a lost life, as before: nothing says that it lost anything. */
Test(core_restore, what_expired_is_not_sent_to_a_peer_that_lost_nothing) {
    store_t *old_a = backup_of(a);
    say("x", 1, 3);
    restore(a, old_a);
    expect_quiet();
    cut();
    say("m", 1, 2);
    a->skew_ms = DEFAULT_QUEUE_EXPIRY_MS;
    room_run_ms(room, OUTBOX_SWEEP_MS + 1000);
    cr_assert_eq(paper_store_head(a->store, inbox), 2);
    say("m", 3, 3);
    heal();
    start_again(a);
    expect_quiet();
    desk_expect_texts(b, from_realm, "x1..3 m3");
    store_close(&old_a);
}

/* What is sent again had its verdict long ago: it does not expire. What is queued behind it does,
 * and must not take it along. */
Test(core_restore, what_is_sent_again_does_not_expire_but_what_waits_behind_it_does) {
    store_t *old_b = backup_of(b);
    say("m", 1, 3);
    a->skew_ms = b->skew_ms = 2 * DEFAULT_QUEUE_EXPIRY_MS;
    restore(b, old_b);
    room_wire(room, a, b)->drop = 1000;
    room_run_ms(room, 500);
    cut();
    room_run_ms(room, OUTBOX_SWEEP_MS + 1000);
    say("x", 4, 4);
    a->skew_ms = b->skew_ms = 4 * DEFAULT_QUEUE_EXPIRY_MS;
    room_run_ms(room, 2 * OUTBOX_SWEEP_MS + 1000);
    cr_assert_eq(paper_store_head(a->store, inbox), 1, "of the fourth");
    desk_expect(a, 1, "CHECKMESSAGE a:3", "{*\"state\":\"delivered\"*}");
    desk_expect(a, 1, "CHECKMESSAGE a:4", "{*\"state\":\"expired\"*}");
    start_again(a);
    say("x", 5, 5);
    heal();
    desk_expect_texts(b, from_realm, "m1..3 x5");
    cr_assert_eq(paper_store_head(a->store, inbox), 1);
    room_expect_agreement(a, b);
    store_close(&old_b);
}

/* Each start with traffic begins a segment, and old ones are merged: the peer's mark may be in one
 * of those. */
Test(core_restore, more_starts_than_segments_while_the_peer_is_away) {
    say("m", 1, 2);
    room_wire(room, b, a)->silent = true;
    (void)desk_say(a, 1, "SENDREALM b bob m3");
    (void)desk_say(a, 1, "SENDREALM b bob m4");
    room_run_ms(room, 100);
    desk_expect_texts(b, from_realm, "m1..4");
    store_t *old_b = backup_of(b);
    cut();
    for (unsigned i = 5; i < 5 + 2 * STREAM_SEGMENTS_MAX; i++) {
        start_again(a);
        say("m", i, i);
    }
    heal();
    const char *all = desk_text(b, "m1..%u", 4 + 2 * STREAM_SEGMENTS_MAX);
    desk_expect_texts(b, from_realm, all);
    restore(b, old_b);
    expect_quiet();
    desk_expect_texts(b, from_realm, all);
    room_expect_agreement(a, b);
    store_close(&old_b);
}

Test(core_restore, sender_stops_in_the_middle_of_sending_again) {
    store_t *backup = backup_of(b);
    cut();
    a->batching = true;
    for (unsigned i = 1; i <= 2000; i++)
        (void)desk_say(a, 1, desk_text(a, "SENDREALM b bob m%u", i));
    desk_turn_end(a);
    a->batching = false;
    heal();
    for (unsigned turns = 1; turns < 12; turns++) {
        restore(b, backup);
        a->crash = DESK_CRASH_AFTER_COMMIT;
        a->crash_turns = turns;
        for (unsigned i = 0; i < 50 && desk_runs(a); i++)
            room_run_ms(room, 20);
        a->crash = DESK_CRASH_NEVER;
        start_again(a);
        expect_quiet();
        desk_expect_texts(b, from_realm, "m1..2000");
    }
    store_close(&backup);
}

Test(core_restore, own_group_copies_are_not_made_twice) {
    desk_group(a, 1, "tim");
    desk_group(b, 1, "tim");
    store_t *backup = backup_of(b);
    for (unsigned i = 1; i <= 3; i++)
        room_expect(room, a, 1, desk_text(a, "SENDGROUPREALM b tim m%u", i), "{*delivered*}");
    restore(b, backup);
    expect_quiet();
    start_again(a);
    expect_quiet();
    desk_expect_texts(a, group_realm, "m1..3");
    desk_expect_texts(b, group_realm, "m1..3");
    store_close(&backup);
}

/* What an earlier link bounced is nobody's business in the new one. */
Test(core_restore, peer_without_marks_does_not_get_what_an_earlier_link_bounced) {
    store_t *backup = backup_of(b);
    say("m", 1, 3);
    cut();
    say("x", 4, 6);
    desk_expect(a, DESK_ADMIN, "DELREALM b", "{*berhasil*}");
    room_heal(room, a, b);
    room_trust(a, "b");
    room_expect(room, a, DESK_ADMIN, room_add_realm_line(room, a, b), "{*Connect realm berhasil*}");
    expect_quiet();
    restore(b, backup);
    expect_quiet();
    say("m", 4, 5);
    desk_expect_texts(b, from_realm, "m4..5");
    restore(b, backup);
    expect_quiet();
    desk_expect_texts(b, from_realm, "m4..5");
    room_expect_agreement(a, b);
    store_close(&backup);
}

/* Its sender was told ERROR: a peer that would take it now, because it went back to when it still
 * had that user, does not get it. */
Test(core_restore, what_was_refused_is_never_taken_later) {
    desk_expect(b, DESK_ADMIN, "ADDUSER carol rahasia", "{*berhasil*}");
    store_t *backup = backup_of(b);
    desk_expect(b, DESK_ADMIN, "DELUSER carol", "{*berhasil*}");
    say("m", 1, 2);
    room_expect(room, a, 1, "SENDREALM b carol halo", "{*NO_USER*}");
    say("m", 4, 4);
    room_expect(room, a, 1, "SENDREALM b carol halo", "{*NO_USER*}");
    restore(b, backup);
    expect_quiet();
    desk_expect_texts(b, from_realm, "m1..2 m4");
    desk_expect_texts(b, mailbox_of(MAILBOX_REALM, 2, 1), "");
    say("m", 6, 6);
    desk_expect_texts(b, from_realm, "m1..2 m4 m6");
    room_expect_agreement(a, b);
    store_close(&backup);
}

static uint64_t outbox_position(uint32_t seq) {
    return paper_store_message(a->store, pair.outbox, seq)->position;
}

Test(core_restore, what_retention_took_is_stepped_over) {
    store_t *backup = backup_of(b);
    say("m", 1, 8);
    paper_store_retain(a->store, outbox_position(5));
    restore(b, backup);
    expect_quiet();
    desk_expect_texts(b, from_realm, "m6..8");
    say("m", 9, 9);
    desk_expect_texts(b, from_realm, "m6..9");
    room_expect_agreement(a, b);
    store_close(&backup);
}

Test(core_restore, stream_goes_on_where_retention_took_all_that_was_lost) {
    say("m", 1, 1);
    store_t *backup = backup_of(b);
    say("m", 2, 8);
    paper_store_retain(a->store, outbox_position(8));
    restore(b, backup);
    expect_quiet();
    room_expect_agreement(a, b);
    say("m", 9, 10);
    desk_expect_texts(b, from_realm, "m1 m9..10");
    room_expect_agreement(a, b);
    store_close(&backup);
}

Test(core_restore, puller_steps_over_what_retention_took) {
    say("m", 1, 2);
    store_t *backup = backup_of(b);
    say("m", 3, 8);
    paper_store_retain(a->store, outbox_position(6));
    cut();
    room_wire(room, b, a)->no_listener = false;
    restore(b, backup);
    room_run_ms(room, 6000);
    desk_expect_texts(b, from_realm, "m1..2 m7..8");
    store_close(&backup);
}

Test(core_restore, link_ends_where_retention_took_what_was_to_be_sent_again) {
    store_t *backup = backup_of(b);
    say("m", 1, 2 * OUTBOX_SWEEP_RECORDS);
    cut();
    restore(b, backup);
    room_heal(room, a, b);
    room_wire(room, a, b)->drop = 1000;
    room_run_ms(room, 2000);
    say("m", 9999, 9999);
    paper_store_retain(a->store, outbox_position(OUTBOX_SWEEP_RECORDS + 7));
    desk_expect(a, DESK_ADMIN, "DELREALM b", "{*berhasil*}");
    cr_assert_eq(paper_store_head(a->store, inbox), 1, "only of the last");
    desk_expect(a, 1, "CHECKREALM", "{*\"data\":[]}");
    store_close(&backup);
}

/* "a:<number>" of what is said next. */
static uint64_t next_id(desk_t *desk) {
    const char *answer = desk_ask(desk, 1, desk == a ? "SEND alice halo" : "SEND bob halo");
    const char *colon = strstr(answer, "\"id\":\"");
    cr_assert(colon != NULL, "%s", answer);
    return strtoull(colon + 8, NULL, 10);
}

Test(core_restore, backup_gives_no_id_again) {
    store_t *backup = backup_of(a);
    paper_store_mark_copied(backup);
    say("m", 1, 5);
    uint64_t lost = next_id(a);
    restore(a, backup);
    uint64_t id = next_id(a);
    cr_assert_geq(id, lost + POSITION_JUMP - 6);
    start_again(a);
    cr_assert_eq(next_id(a), id + 1, "it skips once");
    restore(a, backup);
    uint64_t other = next_id(a);
    cr_assert(other > id + 1000 || other + 1000 < id, "two lives of one backup");
    desk_expect(a, DESK_ADMIN, "CHECKSERVER", "{*\"messages\":1,*}");
    store_close(&backup);
}

Test(core_restore, copy_made_by_hand_is_noticed_by_the_peers_mark) {
    say("m", 1, 2);
    store_t *backup = backup_of(a);
    say("m", 3, 5);
    uint64_t lost = next_id(a);
    restore(a, backup);
    expect_quiet();
    uint64_t id = next_id(a);
    cr_assert_geq(id, POSITION_JUMP);
    cr_assert_geq(id, lost);
    start_again(a);
    expect_quiet();
    cr_assert_eq(next_id(a), id + 1, "the mark is no news any more");
    store_close(&backup);
}

Test(core_restore, ids_do_not_skip_where_nothing_went_back) {
    say("m", 1, 2);
    store_t *backup = backup_of(b);
    cut();
    desk_expect(a, DESK_ADMIN, "DELREALM b", "{*berhasil*}");
    room_heal(room, a, b);
    room_trust(a, "b");
    room_expect(room, a, DESK_ADMIN, room_add_realm_line(room, a, b), "{*Connect realm berhasil*}");
    expect_quiet();
    start_again(a);
    say("m", 3, 4);
    restore(b, backup);
    expect_quiet();
    cr_assert_lt(next_id(a), 100);
    cr_assert_lt(next_id(b), 100);
    store_close(&backup);
}

/* Alice says m<first> to m<last>, each in a life of her realm of its own. */
static void say_in_lives(unsigned first, unsigned last) {
    for (unsigned i = first; i <= last; i++) {
        start_again(a);
        (void)room_quiet(room, a, b, 5000);
        say("m", i, i);
    }
}

enum { MANY_LIVES = 3 * STREAM_SEGMENTS_MAX };

Test(core_restore, sender_goes_back_many_lives) {
    say("m", 1, 3);
    cut();
    say("m", 4, 5);
    store_t *backup = backup_of(a);
    heal();
    say_in_lives(6, MANY_LIVES);
    restore(a, backup);
    expect_quiet();
    say("x", 6, 7);
    desk_expect_texts(b, from_realm, desk_text(b, "m1..%u x6..7", (unsigned)MANY_LIVES));
    room_expect_agreement(a, b);
    store_close(&backup);
}

Test(core_restore, receiver_goes_back_many_lives_of_the_sender) {
    say("m", 1, 3);
    store_t *backup = backup_of(b);
    say_in_lives(4, MANY_LIVES);
    restore(b, backup);
    start_again(a);
    expect_quiet();
    desk_expect_texts(b, from_realm, desk_text(b, "m1..%u", (unsigned)MANY_LIVES));
    room_expect_agreement(a, b);
    store_close(&backup);
}

/* More than anybody remembers: nothing wedges, and where one end only goes back nothing is lost. */
Test(core_restore, more_lives_than_are_remembered, .timeout = 300) {
    const unsigned lives = STREAM_OLDER_MAX + STREAM_SEGMENTS_MAX + 20;
    say("m", 1, 2);
    store_t *backup = backup_of(b);
    cut();
    for (unsigned i = 3; i <= lives; i++) {
        start_again(a);
        say("m", i, i);
    }
    heal();
    const char *all = desk_text(b, "m1..%u", lives);
    desk_expect_texts(b, from_realm, all);
    cr_assert_eq(paper_store_rows(a->store, RECORD_SEGMENT), STREAM_OLDER_MAX);
    cr_assert_eq(paper_store_rows(b->store, RECORD_MARK), STREAM_OLDER_MAX);
    restore(b, backup);
    start_again(a);
    expect_quiet();
    desk_expect_texts(b, from_realm, all);
    start_again(b);
    expect_quiet();
    say("m", lives + 1, lives + 1);
    room_expect_agreement(a, b);
    desk_expect(a, DESK_ADMIN, "DELREALM b", "{*berhasil*}");
    cr_assert_eq(paper_store_rows(a->store, RECORD_SEGMENT), 0);
    store_close(&backup);
}
