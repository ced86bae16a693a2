/* links: base wire core store app; sources: support/desk.c support/paper_store.c */
/*
 * Groups inside the realm: making, joining, leaving, messages. Groups that span realms:
 * core_federation.c.
 */
#include "../support/desk.h"
#include "../support/paper_store.h"

#include <criterion/criterion.h>
#include <string.h>

static desk_t *desk;

static void prepare(void) {
    desk = desk_new("a");
    desk_start(desk);
    desk_user(desk, 1, "alice");
    desk_user(desk, 2, "bob");
    desk_expect(desk, 1, "ADDGROUP tim kunci",
                "{\"status\":\"OK\",\"data\":\"Add group berhasil\"}");
}

static void clean_up(void) {
    desk_destroy(&desk);
}

TestSuite(core_group, .init = prepare, .fini = clean_up);

static const char *const NOT_MEMBER = "{*bukan anggota group\",\"code\":\"NOT_MEMBER\"}";
static const char *const NO_GROUP = "{*group tidak ditemukan\",\"code\":\"NO_GROUP\"}";

static void bob_joins(void) {
    desk_expect(desk, 2, "JOINGROUP tim kunci",
                "{\"status\":\"OK\",\"data\":\"Join group berhasil\"}");
}

static void authenticate_again(void) {
    desk_user(desk, 1, "alice");
    desk_user(desk, 2, "bob");
}

Test(core_group, creator_is_the_first_member) {
    desk_expect(desk, 1, "CHECKGROUP",
                "{\"status\":\"OK\",\"data\":[{\"group\":\"tim\",\"members\":[\"alice\"]}]}");
    desk_expect(desk, 2, "CHECKGROUP", "{\"status\":\"OK\",\"data\":[]}");
}

Test(core_group, members_share_a_mailbox) {
    bob_joins();
    desk_expect(desk, 1, "SENDGROUP tim halo semua",
                "{\"status\":\"OK\",\"data\":\"Message Sent\",\"id\":\"a:1\"}");
    const char *seen =
        "{\"status\":\"OK\",\"data\":[{\"seq\":1,\"id\":\"a:1\",\"from\":\"alice@a\","
        "\"group\":\"tim\",\"time\":\"*\",\"message\":\"halo semua\"}]}";
    desk_expect(desk, 1, "INBOXGROUP tim", seen);
    desk_expect(desk, 2, "INBOXGROUP tim", seen);
    desk_expect(desk, 1, "CHECKGROUP", "{*[\"alice\",\"bob\"]*}");
    desk_expect(desk, 2, "INBOX", "{\"status\":\"OK\",\"data\":[]}");
}

Test(core_group, errors_of_making_and_joining_store_nothing) {
    uint64_t writes = paper_store_writes(desk->store);
    desk_expect(desk, 2, "ADDGROUP tim lain", "{*group sudah ada\",\"code\":\"GROUP_EXISTS\"}");
    desk_expect(desk, 2, "ADDGROUP TIM lain", "{*\"code\":\"GROUP_EXISTS\"}");
    desk_expect(desk, 2, "ADDGROUP _ kunci", "{*\"code\":\"BAD_NAME\"}");
    desk_expect(desk, 2, "ADDGROUP baru \x7f", "{*\"code\":\"PROTOCOL\",\"usage\":*}");
    desk_expect(desk, 2, "ADDGROUP baru", "{*\"code\":\"PROTOCOL\",\"usage\":*}");
    desk_expect(desk, 2, "JOINGROUP tim salah",
                "{*password group salah\",\"code\":\"GROUP_PASSWORD\"}");
    desk_expect(desk, 2, "JOINGROUP lain kunci", NO_GROUP);
    desk_expect(desk, 1, "JOINGROUP tim kunci",
                "{*sudah menjadi anggota group\",\"code\":\"ALREADY_MEMBER\"}");
    desk_expect(desk, 1, "JOINGROUP tim salah", "{*\"code\":\"ALREADY_MEMBER\"}");
    desk_expect(desk, 3, "ADDGROUP baru kunci", "{*\"code\":\"AUTH_REQUIRED\"}");
    cr_assert_eq(paper_store_writes(desk->store), writes);
}

Test(core_group, who_is_no_member_neither_reads_nor_writes) {
    desk_expect(desk, 2, "SENDGROUP tim halo", NOT_MEMBER);
    desk_expect(desk, 2, "INBOXGROUP tim", NOT_MEMBER);
    desk_expect(desk, 2, "LEAVEGROUP tim", NOT_MEMBER);
    desk_expect(desk, 2, "SENDGROUP lain halo", NO_GROUP);
    desk_expect(desk, 2, "INBOXGROUP lain", NO_GROUP);
    desk_expect(desk, 2, "LEAVEGROUP lain", NO_GROUP);
    desk_expect(desk, 2, "SENDGROUP _ halo", "{*\"code\":\"BAD_NAME\"}");
    desk_expect(desk, 2, "SENDGROUP tim \xff", "{*\"code\":\"BAD_TEXT\"}");
    desk_expect(desk, 2, "INBOXGROUP tim AFTER x", NOT_MEMBER);
    desk_expect(desk, 1, "INBOXGROUP tim AFTER x", "{*\"code\":\"PROTOCOL\",\"usage\":*}");
}

Test(core_group, leaving_and_coming_back) {
    bob_joins();
    desk_expect(desk, 2, "LEAVEGROUP tim", "{\"status\":\"OK\",\"data\":\"Leave group berhasil\"}");
    desk_expect(desk, 2, "INBOXGROUP tim", NOT_MEMBER);
    desk_expect(desk, 1, "CHECKGROUP", "{*[\"alice\"]*}");
    desk_restart(desk);
    authenticate_again();
    desk_expect(desk, 2, "SENDGROUP tim halo", NOT_MEMBER);
    bob_joins();
    desk_expect(desk, 2, "SENDGROUP tim halo", "{*Message Sent*}");
}

Test(core_group, group_without_members_still_has_its_password) {
    desk_expect(desk, 1, "LEAVEGROUP tim", "{*berhasil*}");
    desk_expect(desk, 2, "ADDGROUP tim lain", "{*\"code\":\"GROUP_EXISTS\"}");
    desk_expect(desk, 2, "JOINGROUP tim lain", "{*\"code\":\"GROUP_PASSWORD\"}");
    bob_joins();
}

Test(core_group, restart_keeps_groups_members_and_messages) {
    bob_joins();
    desk_expect(desk, 2, "SENDGROUP tim halo", "{*Message Sent*}");
    desk_expect(desk, 1, "ADDGROUP dua kunci", "{*berhasil*}");
    const char *groups = desk_ask(desk, 1, "CHECKGROUP");
    const char *inbox = desk_ask(desk, 1, "INBOXGROUP tim");
    desk_restart(desk);
    authenticate_again();
    cr_assert_str_eq(desk_ask(desk, 1, "CHECKGROUP"), groups);
    cr_assert_str_eq(desk_ask(desk, 1, "INBOXGROUP tim"), inbox);
    desk_expect(desk, 2, "JOINGROUP dua salah", "{*\"code\":\"GROUP_PASSWORD\"}");
    desk_expect(desk, 2, "JOINGROUP dua kunci", "{*berhasil*}");
}

Test(core_group, two_who_make_the_same_group_at_once) {
    desk->hold_passwords = true;
    uint32_t first = desk_say(desk, 1, "ADDGROUP baru satu");
    uint32_t second = desk_say(desk, 2, "ADDGROUP baru dua");
    desk_errands_run(desk);
    desk_expect_reply(desk, 1, first, "{*berhasil*}");
    desk_expect_reply(desk, 2, second, "{*\"code\":\"GROUP_EXISTS\"}");
    desk_expect(desk, 2, "JOINGROUP baru satu", "{*berhasil*}");
}

Test(core_group, two_connections_of_a_user_join_at_once) {
    desk_user(desk, 3, "bob");
    desk->hold_passwords = true;
    uint32_t first = desk_say(desk, 2, "JOINGROUP tim kunci");
    uint32_t second = desk_say(desk, 3, "JOINGROUP tim kunci");
    desk_errands_run(desk);
    desk_expect_reply(desk, 2, first, "{*berhasil*}");
    desk_expect_reply(desk, 3, second, "{*\"code\":\"ALREADY_MEMBER\"}");
}

Test(core_group, user_removed_while_the_key_is_derived) {
    desk->hold_passwords = true;
    uint32_t first = desk_say(desk, 2, "JOINGROUP tim kunci");
    desk_expect(desk, DESK_ADMIN, "DELUSER bob", "{*berhasil*}");
    desk_errands_run(desk);
    desk_expect_reply(desk, 2, first, "{*\"code\":\"AUTH_REQUIRED\"}");
    desk_expect(desk, 1, "CHECKGROUP", "{*[\"alice\"]*}");
    desk_restart(desk);
}

Test(core_group, state_of_a_group_message) {
    desk_expect(desk, 1, "SENDGROUP tim halo", "{*\"id\":\"a:1\"}");
    desk_expect(desk, 1, "CHECKMESSAGE a:1", "{*\"state\":\"delivered\"*}");
    desk_expect(desk, 2, "CHECKMESSAGE a:1", "{*\"code\":\"FORBIDDEN\"}");
}
