/* links: base wire core store app; sources: support/desk.c support/paper_store.c support/room.c */
/*
 * LISTEN: who is told of which message, when that begins and when it ends.
 */
#include "../support/paper_store.h"
#include "../support/room.h"

#include <criterion/criterion.h>
#include <string.h>

static desk_t *desk;

static void prepare(void) {
    desk = desk_new("a");
    desk_start(desk);
    desk_user(desk, 1, "alice");
    desk_user(desk, 2, "bob");
    desk_user(desk, 3, "carol");
}

static void clean_up(void) {
    desk_destroy(&desk);
}

TestSuite(core_listen, .init = prepare, .fini = clean_up);

static const char *const ACTIVE = "{\"status\":\"OK\",\"data\":\"Listen aktif\"}";
static const char *const ENDED = "{\"status\":\"OK\",\"data\":\"Listen berhenti\"}";

static void expect_event(desk_t *where, uint64_t connection, const char *pattern) {
    const char *event = desk_event(where, connection, NULL);
    cr_assert(text_matches(event, pattern), "connection %d was told \"%s\", not \"%s\"",
              (int)connection, event, pattern);
}

static void expect_silence(desk_t *where) {
    cr_assert_eq(where->event_count, 0, "connection %d was told \"%s\"",
                 (int)where->events[0].connection, where->events[0].text);
}

Test(core_listen, message_comes_as_it_stands_in_the_inbox) {
    desk_expect(desk, 2, "LISTEN", ACTIVE);
    desk_expect(desk, 1, "SEND bob \"halo\"", "{*Message sent*}");
    expect_event(
        desk, 2,
        "{\"event\":\"message\",\"mailbox\":\"INBOX\",\"data\":{\"seq\":1,\"id\":\"a:1\",\"from\":"
        "\"alice@a\",\"to\":\"bob@a\",\"time\":\"2026-11-22T10:00:00.000Z\",\"message\":"
        "\"\\\"halo\\\"\"}}");
    expect_silence(desk);
    desk_expect(desk, 2, "INBOX", "{*\"data\":[{\"seq\":1,\"id\":\"a:1\",*}]}");
}

Test(core_listen, needs_a_user) {
    desk_expect(desk, 9, "LISTEN", "{*\"code\":\"AUTH_REQUIRED\"}");
    desk_expect(desk, 9, "UNLISTEN", "{*\"code\":\"AUTH_REQUIRED\"}");
    desk_expect(desk, DESK_ADMIN, "LISTEN", "{*\"code\":\"AUTH_REQUIRED\"}");
    desk_expect(desk, 1, "LISTEN tim", "{*\"code\":\"PROTOCOL\",\"usage\":\"LISTEN\"}");
}

Test(core_listen, asking_twice_is_asking_once) {
    desk_expect(desk, 2, "UNLISTEN", ENDED);
    desk_expect(desk, 2, "LISTEN", ACTIVE);
    desk_expect(desk, 2, "listen", ACTIVE);
    desk_expect(desk, 1, "SEND bob satu", "{*Message sent*}");
    expect_event(desk, 2, "{*satu*}");
    expect_silence(desk);
    desk_expect(desk, 2, "UNLISTEN", ENDED);
    desk_expect(desk, 1, "SEND bob dua", "{*Message sent*}");
    desk_expect(desk, 2, "UNLISTEN", ENDED);
    expect_silence(desk);
}

Test(core_listen, only_the_receiver_is_told) {
    for (unsigned connection = 1; connection <= 3; connection++)
        desk_expect(desk, connection, "LISTEN", ACTIVE);
    desk_expect(desk, 1, "SEND bob halo", "{*Message sent*}");
    expect_event(desk, 2, "{*halo*}");
    expect_silence(desk);
    desk_expect(desk, 1, "SEND alice catatan", "{*Message sent*}");
    expect_event(desk, 1, "{*\"to\":\"alice@a\"*catatan*}");
    expect_silence(desk);
}

Test(core_listen, all_connections_of_a_user_are_told) {
    for (unsigned connection = 20; connection < 40; connection++) {
        desk_user(desk, connection, "bob");
        desk_expect(desk, connection, "LISTEN", ACTIVE);
    }
    desk_close(desk, 20);
    desk_close(desk, 30);
    desk_close(desk, 39);
    desk_expect(desk, 1, "SEND bob halo", "{*Message sent*}");
    for (unsigned connection = 20; connection < 40; connection++) {
        bool open = connection != 20 && connection != 30 && connection != 39;
        expect_event(desk, connection, open ? "{*halo*}" : "");
    }
    expect_silence(desk);
}

Test(core_listen, group_tells_its_members_and_the_sender) {
    desk_expect(desk, 1, "LISTEN", ACTIVE);
    desk_group(desk, 1, "tim");
    desk_group(desk, 2, "tim");
    desk_expect(desk, 2, "LISTEN", ACTIVE);
    desk_expect(desk, 3, "LISTEN", ACTIVE);
    desk_expect(desk, 1, "SENDGROUP tim halo", "{*Message Sent*}");
    expect_event(
        desk, 1,
        "{\"event\":\"message\",\"mailbox\":\"INBOXGROUP tim\",\"data\":{\"seq\":1,\"id\":"
        "\"a:1\",\"from\":\"alice@a\",\"group\":\"tim\",\"time\":*,\"message\":\"halo\"}}");
    expect_event(desk, 2, "{*INBOXGROUP tim*halo*}");
    expect_silence(desk);
}

Test(core_listen, group_that_is_joined_or_left_while_listening) {
    desk_group(desk, 1, "tim");
    desk_expect(desk, 2, "LISTEN", ACTIVE);
    desk_expect(desk, 1, "SENDGROUP tim satu", "{*Message Sent*}");
    expect_silence(desk);
    desk_group(desk, 2, "tim");
    desk_expect(desk, 1, "SENDGROUP tim dua", "{*Message Sent*}");
    expect_event(desk, 2, "{*\"seq\":2,*dua*}");
    desk_expect(desk, 2, "LEAVEGROUP tim", "{*Leave group berhasil*}");
    desk_expect(desk, 1, "SENDGROUP tim tiga", "{*Message Sent*}");
    expect_silence(desk);
    desk_group(desk, 2, "tim");
    desk_expect(desk, 1, "SENDGROUP tim empat", "{*Message Sent*}");
    expect_event(desk, 2, "{*\"seq\":4,*empat*}");
    desk_expect(desk, 2, "UNLISTEN", ENDED);
    desk_expect(desk, 1, "SENDGROUP tim lima", "{*Message Sent*}");
    expect_silence(desk);
}

/* Each way to stop listening; behind it nobody is told. */
static void expect_end(const char *line, const char *pattern) {
    desk_user(desk, 5, "bob");
    desk_expect(desk, 5, "LISTEN", ACTIVE);
    desk_expect(desk, 1, "SEND bob sebelum", "{*Message sent*}");
    expect_event(desk, 5, "{*sebelum*}");
    desk_expect(desk, 5, line, pattern);
    desk_expect(desk, 1, "SEND bob sesudah", "{*Message sent*}");
    desk_expect(desk, 1, "SEND carol sesudah", "{*Message sent*}");
    expect_silence(desk);
}

Test(core_listen, ends_with_the_session) {
    const char *token = desk_text(desk, "%s", desk_ask(desk, 3, "AUTH carol rahasia"));
    const char *resume = desk_text(desk, "RESUME %.43s", strstr(token, "data\":\"") + 7);
    expect_end("LOGOUT", "{*Logout berhasil*}");
    expect_end("AUTH carol rahasia", "{\"status\":\"OK\"*}");
    expect_end(resume, "{*\"data\":\"carol\"}");
    expect_end("UNLISTEN", ENDED);
}

Test(core_listen, does_not_come_back_with_the_user) {
    expect_end("AUTH carol rahasia", "{\"status\":\"OK\"*}");
    desk_expect(desk, 5, "AUTH bob rahasia", "{\"status\":\"OK\"*}");
    desk_expect(desk, 1, "SEND bob halo", "{*Message sent*}");
    expect_silence(desk);
}

Test(core_listen, goes_on_when_the_same_user_comes_again) {
    desk_expect(desk, 2, "LISTEN", ACTIVE);
    desk_expect(desk, 2, "AUTH bob rahasia", "{\"status\":\"OK\"*}");
    desk_expect(desk, 2, "AUTH bob salah", "{*AUTH_FAILED*}");
    desk_expect(desk, 1, "SEND bob halo", "{*Message sent*}");
    expect_event(desk, 2, "{*halo*}");
}

Test(core_listen, ends_with_the_connection) {
    desk_group(desk, 2, "tim");
    desk_group(desk, 1, "tim");
    desk_expect(desk, 2, "LISTEN", ACTIVE);
    desk_close(desk, 2);
    desk_expect(desk, 1, "SEND bob halo", "{*Message sent*}");
    desk_expect(desk, 1, "SENDGROUP tim halo", "{*Message Sent*}");
    expect_silence(desk);
}

Test(core_listen, ends_with_the_user) {
    desk_group(desk, 2, "tim");
    desk_group(desk, 1, "tim");
    desk_expect(desk, 2, "LISTEN", ACTIVE);
    desk_expect(desk, DESK_ADMIN, "DELUSER bob", "{*Delete user berhasil*}");
    desk_user(desk, 6, "bob");
    desk_expect(desk, 1, "SEND bob halo", "{*Message sent*}");
    desk_expect(desk, 1, "SENDGROUP tim halo", "{*Message Sent*}");
    expect_silence(desk);
    desk_expect(desk, 6, "LISTEN", ACTIVE);
    desk_expect(desk, 1, "SEND bob lagi", "{*Message sent*}");
    expect_event(desk, 6, "{*\"seq\":2,*lagi*}");
    expect_silence(desk);
}

Test(core_listen, ends_with_the_process) {
    desk_expect(desk, 2, "LISTEN", ACTIVE);
    desk_restart(desk);
    desk_user(desk, 1, "alice");
    desk_user(desk, 2, "bob");
    desk_expect(desk, 1, "SEND bob halo", "{*Message sent*}");
    expect_silence(desk);
}

/* Messages of one turn from before LISTEN and from behind UNLISTEN are not told of; those between
 * come between the two replies. */
Test(core_listen, events_stand_between_the_two_replies) {
    size_t at, replies = desk->reply_count;
    desk->batching = true;
    (void)desk_say(desk, 1, "SEND bob satu");
    (void)desk_say(desk, 2, "LISTEN");
    (void)desk_say(desk, 1, "SEND bob dua");
    (void)desk_say(desk, 1, "SEND bob tiga");
    (void)desk_say(desk, 2, "UNLISTEN");
    (void)desk_say(desk, 1, "SEND bob empat");
    expect_silence(desk);
    desk_turn_end(desk);
    cr_assert(text_matches(desk_event(desk, 2, &at), "{*\"seq\":2,*dua*}"));
    cr_assert_eq(at, replies + 2);
    cr_assert(text_matches(desk_event(desk, 2, &at), "{*\"seq\":3,*tiga*}"));
    cr_assert_eq(at, replies + 3);
    expect_silence(desk);
}

Test(core_listen, who_listens_changes_within_a_burst) {
    desk_group(desk, 1, "tim");
    desk_group(desk, 2, "tim");
    desk_expect(desk, 1, "LISTEN", ACTIVE);
    desk->batching = true;
    (void)desk_say(desk, 1, "SENDGROUP tim satu");
    (void)desk_say(desk, 1, "SENDGROUP tim dua");
    cr_assert_eq(desk->effects.news[0].connections, desk->effects.news[1].connections);
    (void)desk_say(desk, 2, "LISTEN");
    (void)desk_say(desk, 1, "SENDGROUP tim tiga");
    (void)desk_say(desk, 1, "SEND bob di antara");
    (void)desk_say(desk, 1, "SENDGROUP tim empat");
    (void)desk_say(desk, 2, "LEAVEGROUP tim");
    (void)desk_say(desk, 1, "SENDGROUP tim lima");
    desk_turn_end(desk);
    expect_event(desk, 2, "{*INBOXGROUP tim*tiga*}");
    expect_event(desk, 2, "{*\"INBOX\"*di antara*}");
    expect_event(desk, 2, "{*INBOXGROUP tim*empat*}");
    expect_event(desk, 2, "");
    const char *const all[] = {"{*satu*}", "{*dua*}", "{*tiga*}", "{*empat*}", "{*lima*}"};
    for (unsigned i = 0; i < 5; i++)
        expect_event(desk, 1, all[i]);
    expect_silence(desk);
}

Test(core_listen, nothing_is_told_without_a_commit) {
    desk_expect(desk, 2, "LISTEN", ACTIVE);
    desk->batching = true;
    (void)desk_say(desk, 1, "SEND bob halo");
    cr_assert_eq(desk->effects.news_count, 1);
    cr_assert_eq(desk->effects.record_count, 1, "listening is nobody's business but the process's");
    desk->crash = DESK_CRASH_BEFORE_COMMIT;
    desk->crash_turns = 1;
    desk_turn_end(desk);
    cr_assert_not(desk_runs(desk));
    expect_silence(desk);
    desk_start(desk);
}

Test(core_listen, nobody_listens_nothing_is_prepared) {
    desk_group(desk, 1, "tim");
    desk_group(desk, 2, "tim");
    desk_expect(desk, 3, "LISTEN", ACTIVE);
    desk->batching = true;
    (void)desk_say(desk, 1, "SEND bob halo");
    (void)desk_say(desk, 1, "SENDGROUP tim halo");
    cr_assert_eq(desk->effects.news_count, 0);
    desk_turn_end(desk);
}

/* ---- between realms ---- */

static room_t *room;
static desk_t *a, *b;

static void prepare_room(void) {
    room = room_new(1);
    a = room_desk(room, "a");
    b = room_desk(room, "b");
    room_link(room, a, b);
    desk_user(a, 1, "alice");
    desk_user(b, 1, "bob");
    desk_group(a, 1, "tim");
    desk_group(b, 1, "tim");
    desk_expect(a, 1, "LISTEN", ACTIVE);
    desk_expect(b, 1, "LISTEN", ACTIVE);
}

static void clean_up_room(void) {
    room_destroy(&room);
}

TestSuite(core_listen_across, .init = prepare_room, .fini = clean_up_room);

Test(core_listen_across, private_message_of_a_realm) {
    room_expect(room, a, 1, "SENDREALM b bob halo", "{*\"delivery\":\"delivered\"}");
    expect_event(b, 1,
                 "{\"event\":\"message\",\"mailbox\":\"INBOXREALM a\",\"data\":{\"seq\":1,\"id\":"
                 "\"a:1\",\"from\":\"alice@a\",\"to\":\"bob@b\",\"time\":*,\"message\":\"halo\"}}");
    expect_silence(a);
    expect_silence(b);
}

Test(core_listen_across, group_message_of_a_realm_and_our_own_copy) {
    room_expect(room, a, 1, "SENDGROUPREALM b tim halo", "{*\"delivery\":\"delivered\"}");
    expect_event(b, 1,
                 "{\"event\":\"message\",\"mailbox\":\"INBOXGROUPREALM a tim\",\"data\":{\"seq\":1,"
                 "\"id\":\"a:1\",\"from\":\"alice@a\",\"group\":\"tim\",\"time\":*,\"message\":"
                 "\"halo\"}}");
    expect_event(a, 1, "{*\"mailbox\":\"INBOXGROUPREALM b tim\"*\"id\":\"a:1\",*halo*}");
    room_expect(room, b, 1, "SENDGROUPREALM a tim hai", "{*\"delivery\":\"delivered\"}");
    expect_event(a, 1, "{*\"INBOXGROUPREALM b tim\"*\"seq\":2,*\"from\":\"bob@b\"*hai*}");
    expect_event(b, 1, "{*\"INBOXGROUPREALM a tim\"*\"seq\":2,*\"from\":\"bob@b\"*hai*}");
    expect_silence(a);
    expect_silence(b);
}

Test(core_listen_across, queued_message_is_told_once_when_it_comes) {
    room_cut(room, a, b);
    room_run_ms(room, 10);
    room_expect(room, a, 1, "SENDREALM b bob satu", "{*\"delivery\":\"queued\"}");
    room_expect(room, a, 1, "SENDGROUPREALM b tim dua", "{*\"delivery\":\"queued\"}");
    expect_event(a, 1, "{*\"INBOXGROUPREALM b tim\"*dua*}");
    expect_silence(b);
    room_heal(room, a, b);
    room_wire(room, a, b)->twice = 500;
    cr_assert(room_quiet(room, a, b, 60000));
    expect_event(b, 1, "{*satu*}");
    expect_event(b, 1, "{*dua*}");
    expect_silence(a);
    expect_silence(b);
}

Test(core_listen_across, bounce_is_a_message_too) {
    room_cut(room, a, b);
    room_run_ms(room, 10);
    room_expect(room, a, 1, "SENDREALM b carol halo", "{*\"delivery\":\"queued\"}");
    room_heal(room, a, b);
    cr_assert(room_quiet(room, a, b, 60000));
    expect_event(a, 1,
                 "{*\"mailbox\":\"INBOX\"*\"from\":\"realm@a\",\"to\":\"alice@a\"*Pesan a:1 untuk "
                 "carol@b tidak terkirim*}");
    expect_silence(a);
    expect_silence(b);
}
