/* links: base wire core store app; sources: support/desk.c support/paper_store.c */
/*
 * Accounts: who may make, change and remove them, and what a removed user leaves behind.
 */
#include "../support/desk.h"
#include "../support/paper_store.h"

#include <criterion/criterion.h>
#include <string.h>

static desk_t *desk;

static void prepare(void) {
    desk = desk_new("a");
    desk_start(desk);
    desk_expect(desk, DESK_ADMIN, "ADDUSER root rahasia operator",
                "{\"status\":\"OK\",\"data\":\"Add user berhasil\"}");
    desk_user(desk, 1, "root");
    desk_user(desk, 2, "alice");
}

static void clean_up(void) {
    desk_destroy(&desk);
}

TestSuite(core_account, .init = prepare, .fini = clean_up);

static const char *const OK = "{\"status\":\"OK\",*}";
static const char *const AUTH_FAILED = "{*\"code\":\"AUTH_FAILED\"}";
static const char *const AUTH_REQUIRED = "{*\"code\":\"AUTH_REQUIRED\"}";
static const char *const FORBIDDEN = "{*\"code\":\"FORBIDDEN\"}";
static const char *const NO_USER = "{*user tidak ditemukan\",\"code\":\"NO_USER\"}";
static const char *const USER_EXISTS = "{*user sudah ada\",\"code\":\"USER_EXISTS\"}";

static const char *token(uint64_t connection, const char *user) {
    const char *reply = desk_ask(desk, connection, desk_text(desk, "AUTH %s rahasia", user));
    const char *data = strstr(reply, "\"data\":\"");
    cr_assert(data != NULL);
    return desk_text(desk, "%.43s", data + 8);
}

Test(core_account, operator_adds_users) {
    desk_expect(desk, 1, "ADDUSER bob rahasia", "{*Add user berhasil*}");
    desk_expect(desk, 3, "AUTH bob rahasia", OK);
    desk_expect(desk, 3, "ADDUSER carol rahasia", FORBIDDEN);
    desk_expect(desk, 1, "ADDUSER dewi rahasia OPERATOR", "{*berhasil*}");
    desk_expect(desk, 3, "AUTH dewi rahasia", OK);
    desk_expect(desk, 3, "ADDUSER carol rahasia", "{*berhasil*}");
    desk_expect(desk, 1, "LISTUSER",
                "{*\"root\",\"operator\":true*\"alice\",\"operator\":false*\"bob\",*\"dewi\","
                "\"operator\":true*\"carol\"*}");
}

Test(core_account, errors_of_adduser_store_nothing) {
    uint64_t writes = paper_store_writes(desk->store);
    desk_expect(desk, 1, "ADDUSER alice lain", USER_EXISTS);
    desk_expect(desk, 1, "ADDUSER ALICE lain", USER_EXISTS);
    desk_expect(desk, 1, "ADDUSER realm lain", USER_EXISTS);
    desk_expect(desk, 1, "ADDUSER -x lain", "{*\"code\":\"BAD_NAME\"}");
    desk_expect(desk, 1, "ADDUSER bob lain admin",
                "{*\"usage\":\"ADDUSER <user> <password> [operator]\"}");
    desk_expect(desk, 1, "ADDUSER bob", "{*\"code\":\"PROTOCOL\",\"usage\":*}");
    desk_expect(desk, 1, "ADDUSER bob a\tb", "{*\"code\":\"PROTOCOL\",\"usage\":*}");
    cr_assert_eq(paper_store_writes(desk->store), writes);
}

Test(core_account, registration_is_closed_unless_opened) {
    desk_expect(desk, 3, "REGISTER bob rahasia", FORBIDDEN);
    desk_crash(desk);
    desk->options.registration_open = true;
    desk_start(desk);
    desk_expect(desk, 3, "REGISTER bob rahasia",
                "{\"status\":\"OK\",\"data\":\"Register berhasil\"}");
    desk_expect(desk, 3, "REGISTER bob lain", USER_EXISTS);
    desk_expect(desk, 3, "REGISTER realm lain", USER_EXISTS);
    desk_expect(desk, 3, "AUTH bob rahasia", OK);
    desk_expect(desk, 3, "LISTUSER", FORBIDDEN);
}

Test(core_account, two_who_register_the_same_name_at_once) {
    desk->hold_passwords = true;
    uint32_t first = desk_say(desk, 1, "ADDUSER bob satu");
    uint32_t second = desk_say(desk, DESK_ADMIN, "ADDUSER bob dua");
    desk_errands_run(desk);
    desk_expect_reply(desk, 1, first, OK);
    desk_expect_reply(desk, DESK_ADMIN, second, USER_EXISTS);
    desk_expect(desk, 3, "AUTH bob dua", AUTH_FAILED);
    desk_expect(desk, 3, "AUTH bob satu", OK);
}

Test(core_account, own_password) {
    desk_expect(desk, 2, "PASSWORD alice baru",
                "{\"status\":\"OK\",\"data\":\"Password berhasil\"}");
    desk_expect(desk, 3, "AUTH alice rahasia", AUTH_FAILED);
    desk_expect(desk, 3, "AUTH alice baru", OK);
    desk_restart(desk);
    desk_expect(desk, 3, "AUTH alice rahasia", AUTH_FAILED);
    desk_expect(desk, 3, "AUTH alice baru", OK);
}

Test(core_account, who_may_set_a_password) {
    desk_expect(desk, 2, "PASSWORD root baru", FORBIDDEN);
    desk_expect(desk, 2, "PASSWORD mallory baru", FORBIDDEN);
    desk_expect(desk, 3, "PASSWORD alice baru", AUTH_REQUIRED);
    desk_expect(desk, 1, "PASSWORD mallory baru", NO_USER);
    desk_expect(desk, 1, "PASSWORD alice baru", "{*Password berhasil*}");
    desk_expect(desk, DESK_ADMIN, "PASSWORD root baru", "{*Password berhasil*}");
    desk_expect(desk, 3, "AUTH alice baru", OK);
    desk_expect(desk, 3, "AUTH root baru", OK);
}

Test(core_account, new_password_voids_tokens_and_the_fast_digest) {
    const char *old = token(3, "alice");
    desk_expect(desk, 1, "PASSWORD alice baru", OK);
    desk_expect(desk, 4, desk_text(desk, "RESUME %s", old), AUTH_FAILED);
    desk_expect(desk, 4, "AUTH alice rahasia", AUTH_FAILED);
    desk_restart(desk);
    desk_expect(desk, 4, desk_text(desk, "RESUME %s", old), AUTH_FAILED);
}

Test(core_account, password_changed_while_auth_is_verified) {
    desk_restart(desk);
    desk->hold_passwords = true;
    uint32_t auth = desk_say(desk, 3, "AUTH alice rahasia");
    desk_errand_t verify = desk->errands[0];
    desk->errand_count = 0;
    desk->hold_passwords = false;
    desk_expect(desk, DESK_ADMIN, "PASSWORD alice baru", OK);
    desk_step(desk, &verify.event);
    desk_expect_reply(desk, 3, auth, AUTH_FAILED);
    desk_expect(desk, 3, "AUTH alice rahasia", AUTH_FAILED);
}

Test(core_account, user_removed_while_its_new_password_is_hashed) {
    desk->hold_passwords = true;
    uint32_t slot = desk_say(desk, DESK_ADMIN, "PASSWORD alice baru");
    desk_expect(desk, 1, "DELUSER alice", OK);
    desk_errands_run(desk);
    desk_expect_reply(desk, DESK_ADMIN, slot, NO_USER);
    desk_restart(desk);
}

Test(core_account, removed_user_is_gone_everywhere) {
    const char *old = token(3, "alice");
    desk_expect(desk, 2, "ADDGROUP tim kunci", OK);
    desk_expect(desk, 1, "JOINGROUP tim kunci", OK);
    desk_expect(desk, 2, "SEND root halo", OK);
    desk_expect(desk, 1, "DELUSER alice", "{\"status\":\"OK\",\"data\":\"Delete user berhasil\"}");
    desk_expect(desk, 1, "DELUSER alice", NO_USER);
    desk_expect(desk, 2, "INBOX", AUTH_REQUIRED);
    desk_expect(desk, 3, "PING", OK);
    desk_expect(desk, 3, desk_text(desk, "RESUME %s", old), AUTH_FAILED);
    desk_expect(desk, 3, "AUTH alice rahasia", AUTH_FAILED);
    desk_expect(desk, 1, "SEND alice halo", NO_USER);
    desk_expect(desk, 1, "CHECKGROUP", "{*[\"root\"]*}");
    desk_expect(desk, 1, "INBOX", "{*\"from\":\"alice@a\"*halo*}");
    cr_assert_eq(paper_store_rows(desk->store, RECORD_TOKEN), 1);
    cr_assert_eq(paper_store_rows(desk->store, RECORD_MEMBER), 1);
}

Test(core_account, removed_user_stays_removed) {
    desk_expect(desk, 1, "DELUSER alice", OK);
    desk_restart(desk);
    desk_expect(desk, 3, "AUTH alice rahasia", AUTH_FAILED);
    desk_expect(desk, DESK_ADMIN, "LISTUSER",
                "{\"status\":\"OK\",\"data\":[{\"user\":\"root\",*}]}");
}

Test(core_account, new_user_of_an_old_name_is_somebody_else) {
    desk_expect(desk, 1, "SEND alice rahasia kita", OK);
    desk_expect(desk, 2, "SEND root halo", "{*\"id\":\"a:2\"}");
    desk_expect(desk, 1, "DELUSER alice", OK);
    desk_user(desk, 3, "alice");
    desk_expect(desk, 3, "INBOX", "{\"status\":\"OK\",\"data\":[]}");
    desk_expect(desk, 2, "INBOX", AUTH_REQUIRED);
    desk_expect(desk, 1, "SEND alice halo", OK);
    desk_expect(desk, 3, "INBOX", "{*\"seq\":1,\"id\":\"a:3\"*}");
    desk_restart(desk);
    desk_user(desk, 3, "alice");
    desk_expect(desk, 3, "INBOX", "{*\"data\":[{\"seq\":1,\"id\":\"a:3\"*}");
}

Test(core_account, operator_may_remove_itself) {
    desk_expect(desk, 1, "DELUSER root", OK);
    desk_expect(desk, 1, "LISTUSER", AUTH_REQUIRED);
    desk_expect(desk, 1, "DELUSER _", "{*\"code\":\"AUTH_REQUIRED\"}");
    desk_expect(desk, DESK_ADMIN, "DELUSER _", "{*\"code\":\"BAD_NAME\"}");
}

Test(core_account, removed_while_requests_wait) {
    desk->hold_errands = true;
    uint32_t check = desk_say(desk, 2, "CHECKMESSAGE a:1");
    uint32_t send = desk_say(desk, 2, "SEND root halo");
    desk_expect(desk, 1, "DELUSER alice", OK);
    desk_errands_run(desk);
    desk_expect_reply(desk, 2, check, FORBIDDEN);
    desk_expect_reply(desk, 2, send, AUTH_REQUIRED);
}

Test(core_account, counts_of_the_realm) {
    desk_expect(desk, 2, "ADDGROUP tim kunci", OK);
    desk_expect(desk, 2, "SEND root halo", OK);
    desk_wait_ms(desk, 5000);
    desk_expect(desk, 1, "CHECKSERVER",
                "{*\"realm\":\"a\",*\"uptime_ms\":5000,\"users\":2,\"groups\":1,\"links\":0,"
                "\"sessions\":3,\"mailboxes\":1,\"messages\":1,\"queued\":0,*}");
    desk_close(desk, 2);
    desk_expect(desk, 1, "CHECKSERVER", "{*\"sessions\":2,*}");
}
