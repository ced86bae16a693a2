/* links: base wire core store app; sources: support/desk.c support/paper_store.c */
/*
 * Who a connection speaks for, which request words there are, and the order of a connection's
 * replies while one of them waits for a password worker.
 */
#include "../support/desk.h"
#include "../support/paper_store.h"

#include <criterion/criterion.h>
#include <string.h>

static desk_t *desk;

static void prepare(void) {
    desk = desk_new("a");
    desk_start(desk);
    desk_expect(desk, DESK_ADMIN, "ADDUSER alice rahasia", "*Add user berhasil*");
}

static void clean_up(void) {
    desk_destroy(&desk);
}

TestSuite(core_session, .init = prepare, .fini = clean_up);

static const char *const OK = "{\"status\":\"OK\",*}";
static const char *const AUTH_FAILED = "{*user atau password salah\",\"code\":\"AUTH_FAILED\"}";
static const char *const AUTH_REQUIRED = "{*belum terautentikasi\",\"code\":\"AUTH_REQUIRED\"}";
static const char *const FORBIDDEN = "{*tidak diizinkan\",\"code\":\"FORBIDDEN\"}";
static const char *const SERVER_ONLY = "{*\"code\":\"SERVER_ONLY\"}";
static const char *const UNKNOWN =
    "{\"status\":\"ERROR\",\"data\":\"protokol tidak benar\",\"code\":\"PROTOCOL\"}";

/* The token in the reply to AUTH. */
static const char *token_of(const char *reply) {
    const char *data = strstr(reply, "\"data\":\"");
    cr_assert(data != NULL && strlen(data + 8) == KEY_TEXT_BYTES + 2, "%s", reply);
    return desk_text(desk, "%.43s", data + 8);
}

static const char *auth(uint64_t connection) {
    return token_of(desk_ask(desk, connection, "AUTH alice rahasia"));
}

static void expect_resume(uint64_t connection, const char *token, const char *pattern) {
    desk_expect(desk, connection, desk_text(desk, "RESUME %s", token), pattern);
}

Test(core_session, auth_gives_a_token_and_binds_the_connection) {
    desk_expect(desk, 1, "SEND alice halo", AUTH_REQUIRED);
    (void)auth(1);
    desk_expect(desk, 1, "SEND alice halo", "{*Message sent*}");
    desk_expect(desk, 2, "INBOX", AUTH_REQUIRED);
}

Test(core_session, names_are_folded) {
    desk_expect(desk, 1, "AUTH ALICE rahasia", OK);
    desk_expect(desk, 1, "SEND Alice halo", OK);
}

Test(core_session, auth_again_switches_the_user) {
    desk_user(desk, 2, "bob");
    (void)auth(1);
    desk_expect(desk, 1, "AUTH bob rahasia", OK);
    desk_expect(desk, 1, "SEND alice halo", OK);
    (void)auth(2);
    desk_expect(desk, 2, "INBOX", "{*\"from\":\"bob@a\"*}");
}

Test(core_session, failed_auth_leaves_the_binding) {
    (void)auth(1);
    desk_expect(desk, 1, "AUTH alice salah", AUTH_FAILED);
    desk_expect(desk, 1, "INBOX", OK);
}

Test(core_session, wrong_password_and_unknown_user_look_and_cost_alike) {
    desk->hold_passwords = true;
    uint32_t wrong = desk_say(desk, 1, "AUTH alice salah");
    uint32_t unknown = desk_say(desk, 2, "AUTH mallory rahasia");
    cr_assert_eq(desk->errand_count, 2, "both go the slow way");
    desk_errands_run(desk);
    desk_expect_reply(desk, 1, wrong, AUTH_FAILED);
    desk_expect_reply(desk, 2, unknown, AUTH_FAILED);
}

Test(core_session, errors_of_auth) {
    desk_expect(desk, 1, "AUTH alice",
                "{*\"code\":\"PROTOCOL\",\"usage\":\"AUTH <user> <password>\"}");
    desk_expect(desk, 1, "AUTH alice a b", "{*\"code\":\"PROTOCOL\",\"usage\":*}");
    desk_expect(desk, 1, "AUTH _x rahasia", "{*\"code\":\"BAD_NAME\"}");
    desk_expect(desk, 1, "AUTH alice \x01", "{*\"code\":\"PROTOCOL\",\"usage\":*}");
    char line[256] = "AUTH alice ";
    memset(line + 11, 'x', PASSWORD_BYTES_MAX + 1);
    desk_expect(desk, 1, line, "{*\"code\":\"TOO_LONG\"}");
    line[11 + PASSWORD_BYTES_MAX] = '\0';
    desk_expect(desk, 1, line, AUTH_FAILED);
    cr_assert_eq(paper_store_rows(desk->store, RECORD_TOKEN), 0);
}

Test(core_session, second_auth_makes_no_password_job) {
    (void)auth(1);
    desk->hold_passwords = true;
    (void)auth(2);
    (void)auth(1);
    cr_assert_eq(desk->errand_count, 0);
}

Test(core_session, wrong_password_goes_the_slow_way_all_the_same) {
    (void)auth(1);
    desk->hold_passwords = true;
    uint32_t slot = desk_say(desk, 2, "AUTH alice salah");
    cr_assert_eq(desk->errand_count, 1);
    desk_errands_run(desk);
    desk_expect_reply(desk, 2, slot, AUTH_FAILED);
}

Test(core_session, fast_digest_is_gone_after_a_restart) {
    (void)auth(1);
    desk_restart(desk);
    desk->hold_passwords = true;
    (void)desk_say(desk, 2, "AUTH alice rahasia");
    cr_assert_eq(desk->errand_count, 1);
    desk_errands_run(desk);
    desk_expect(desk, 2, "INBOX", OK);
}

Test(core_session, requests_behind_auth_wait_for_it) {
    desk->hold_passwords = true;
    uint32_t first = desk_say(desk, 1, "AUTH alice rahasia");
    uint32_t second = desk_say(desk, 1, "SEND alice halo");
    uint32_t third = desk_say(desk, 1, "PING");
    cr_assert(desk_reply(desk, 1, third) == NULL);
    desk_expect(desk, 2, "PING", "{*PONG*}");
    desk_errands_run(desk);
    desk_expect_reply(desk, 1, first, OK);
    desk_expect_reply(desk, 1, second, "{*Message sent*}");
    desk_expect_reply(desk, 1, third, "{*PONG*}");
}

Test(core_session, requests_behind_a_failed_auth_run_unauthenticated) {
    desk->hold_passwords = true;
    uint32_t first = desk_say(desk, 1, "AUTH alice salah");
    uint32_t second = desk_say(desk, 1, "SEND alice halo");
    desk_errands_run(desk);
    desk_expect_reply(desk, 1, first, AUTH_FAILED);
    desk_expect_reply(desk, 1, second, AUTH_REQUIRED);
}

Test(core_session, deferred_requests_may_wait_again) {
    uint32_t slots[4];
    desk->hold_passwords = true;
    slots[0] = desk_say(desk, 1, "AUTH alice rahasia");
    slots[1] = desk_say(desk, 1, "ADDGROUP tim kunci");
    slots[2] = desk_say(desk, 1, "AUTH alice salah");
    slots[3] = desk_say(desk, 1, "SENDGROUP tim halo");
    desk_errands_run(desk);
    desk_expect_reply(desk, 1, slots[0], OK);
    desk_expect_reply(desk, 1, slots[1], "{*Add group berhasil*}");
    desk_expect_reply(desk, 1, slots[2], AUTH_FAILED);
    desk_expect_reply(desk, 1, slots[3], "{*Message Sent*}");
}

Test(core_session, thousands_are_deferred_and_the_next_ones_refused) {
    desk->hold_passwords = true;
    uint32_t first = desk_say(desk, 1, "AUTH alice rahasia");
    for (unsigned i = 0; i < DEFERRED_REQUESTS_MAX; i++)
        cr_assert(desk_reply(desk, 1, desk_say(desk, 1, "SEND alice halo")) == NULL);
    desk_expect(desk, 1, "SEND alice halo", "{*\"code\":\"BUSY\"}");
    desk_errands_run(desk);
    for (uint32_t slot = first + 1; slot <= DEFERRED_REQUESTS_MAX + 1; slot++)
        desk_expect_reply(desk, 1, slot, "{*Message sent*}");
    desk_expect(desk, 1, "INBOX BEFORE 2", "{*\"seq\":1,*}");
    desk_expect(desk, 1, "INBOX LIMIT 1", "{*\"seq\":4096,*}");
}

Test(core_session, deferred_requests_of_a_closed_connection_never_run) {
    desk->hold_passwords = true;
    (void)desk_say(desk, 1, "AUTH alice rahasia");
    (void)desk_say(desk, 1, "SEND alice halo");
    desk_close(desk, 1);
    desk_errands_run(desk);
    (void)auth(2);
    desk_expect(desk, 2, "INBOX", "{\"status\":\"OK\",\"data\":[]}");
}

Test(core_session, too_many_password_jobs_are_refused) {
    desk->hold_passwords = true;
    for (uint64_t connection = 1; connection <= PASSWORD_JOBS_MAX; connection++)
        (void)desk_say(desk, connection, "AUTH mallory x");
    desk_expect(desk, PASSWORD_JOBS_MAX + 1, "AUTH mallory x", "{*\"code\":\"BUSY\"}");
    desk_expect(desk, PASSWORD_JOBS_MAX + 1, "PING", OK);
    desk_errands_run(desk);
    desk_expect(desk, PASSWORD_JOBS_MAX + 1, "AUTH mallory x", AUTH_FAILED);
}

Test(core_session, busy_workers_are_said_to_be_busy) {
    event_t event = {.kind = EVENT_PASSWORD};
    (void)auth(1);
    desk->hold_passwords = true;
    uint32_t slot = desk_say(desk, 1, "ADDGROUP tim kunci");
    event.password.job = desk->errands[0].event.password.job;
    desk->errand_count = 0;
    desk_step(desk, &event);
    desk_expect_reply(desk, 1, slot, "{*\"code\":\"BUSY\"}");
    desk_expect(desk, 1, "CHECKGROUP", "{\"status\":\"OK\",\"data\":[]}");
}

Test(core_session, resume_binds_to_the_user_of_the_token) {
    const char *token = auth(1);
    expect_resume(2, token, "{\"status\":\"OK\",\"data\":\"alice\"}");
    desk_expect(desk, 2, "INBOX", OK);
    desk_restart(desk);
    expect_resume(3, token, "{\"status\":\"OK\",\"data\":\"alice\"}");
}

Test(core_session, what_is_no_token_resumes_nothing) {
    const char *token = auth(1);
    expect_resume(2, "x", AUTH_FAILED);
    expect_resume(2, "", "{*\"code\":\"PROTOCOL\",\"usage\":\"RESUME <token>\"}");
    expect_resume(2, desk_text(desk, "%sx", token), AUTH_FAILED);
    expect_resume(2, desk_text(desk, "%c%s", token[0] == 'A' ? 'B' : 'A', token + 1), AUTH_FAILED);
    desk_expect(desk, 2, "INBOX", AUTH_REQUIRED);
}

Test(core_session, logout_voids_the_token) {
    const char *token = auth(1);
    const char *other = auth(2);
    desk_expect(desk, 1, "LOGOUT", "{\"status\":\"OK\",\"data\":\"Logout berhasil\"}");
    desk_expect(desk, 1, "INBOX", AUTH_REQUIRED);
    desk_expect(desk, 1, "LOGOUT", AUTH_REQUIRED);
    expect_resume(1, token, AUTH_FAILED);
    desk_restart(desk);
    expect_resume(1, token, AUTH_FAILED);
    expect_resume(1, other, OK);
    desk_expect(desk, 1, "LOGOUT", OK);
    expect_resume(2, other, AUTH_FAILED);
}

Test(core_session, oldest_token_goes_when_there_are_too_many) {
    const char *tokens[TOKENS_PER_USER_MAX + 1];
    for (unsigned i = 0; i <= TOKENS_PER_USER_MAX; i++)
        tokens[i] = auth(1);
    cr_assert_eq(paper_store_rows(desk->store, RECORD_TOKEN), TOKENS_PER_USER_MAX);
    expect_resume(2, tokens[0], AUTH_FAILED);
    for (unsigned i = 1; i <= TOKENS_PER_USER_MAX; i++)
        expect_resume(2, tokens[i], OK);
}

Test(core_session, oldest_token_is_still_known_after_a_restart) {
    const char *tokens[TOKENS_PER_USER_MAX];
    for (unsigned i = 0; i < TOKENS_PER_USER_MAX; i++) {
        tokens[i] = auth(1);
        desk_wait_ms(desk, 10);
    }
    desk_restart(desk);
    for (unsigned i = 0; i + 1 < TOKENS_PER_USER_MAX; i++) {
        (void)auth(2);
        expect_resume(3, tokens[i], AUTH_FAILED);
        expect_resume(3, tokens[i + 1], OK);
    }
}

Test(core_session, tokens_of_two_lives_differ) {
    const char *first = auth(1);
    desk_restart(desk);
    cr_assert_str_neq(auth(1), first);
}

Test(core_session, request_words_are_case_insensitive) {
    desk_expect(desk, 1, "ping", "{\"status\":\"OK\",\"data\":\"PONG\"}");
    desk_expect(desk, 1, "PiNg", "{\"status\":\"OK\",\"data\":\"PONG\"}");
    desk_expect(desk, 1, "auth alice rahasia", OK);
}

Test(core_session, unknown_requests_and_wrong_counts) {
    desk_expect(desk, 1, "HALO", UNKNOWN);
    desk_expect(desk, 1, "   ", UNKNOWN);
    desk_expect(desk, 1, "PINGPINGPINGPINGPINGPINGPINGPING", UNKNOWN);
    desk_expect(desk, 1, "PING x", "{*\"code\":\"PROTOCOL\",\"usage\":\"PING\"}");
    desk_expect(desk, 1, "1 2 3 4 5 6 7 8 9 10 11 12", UNKNOWN);
    desk_expect(desk, 1, "PING 2 3 4 5 6 7 8 9 10 11 12", "{*\"usage\":\"PING\"}");
    desk_expect(desk, 1, "SEND alice",
                "{*\"code\":\"PROTOCOL\",\"usage\":\"SEND <user> <message>\"}");
}

Test(core_session, requests_between_servers_are_refused_whatever_they_carry) {
    const char *const words[] = {"ACKREALM",       "REMOTEINBOXREALM",      "remoteinboxrealm",
                                 "RECVGROUPREALM", "REMOTEINBOXGROUPREALM", "Ackrealm"};
    (void)auth(1);
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        desk_expect(desk, 1, words[i], SERVER_ONLY);
        desk_expect(desk, 2, desk_text(desk, "%s a b c d e", words[i]), SERVER_ONLY);
        desk_expect(desk, DESK_ADMIN, desk_text(desk, "%s a b", words[i]), SERVER_ONLY);
    }
}

Test(core_session, operators_requests_need_an_operator) {
    const char *const lines[] = {
        "ADDUSER bob rahasia",      "DELUSER alice", "LISTUSER",  "ADDREALM b 127.0.0.1 1",
        "TRUSTREALM b AAAAAAAAAAA", "DELREALM b",    "LISTREALM", "CHECKSERVER",
    };
    uint64_t writes;
    (void)auth(1);
    writes = paper_store_writes(desk->store);
    for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        desk_expect(desk, 1, lines[i], FORBIDDEN);
        desk_expect(desk, 2, lines[i], AUTH_REQUIRED);
    }
    cr_assert_eq(paper_store_writes(desk->store), writes);
}

Test(core_session, arity_is_checked_before_who_asks) {
    desk_expect(desk, 1, "SEND", "{*\"usage\":\"SEND <user> <message>\"}");
    desk_expect(desk, 1, "DELUSER", "{*\"usage\":\"DELUSER <user>\"}");
}

Test(core_session, admin_socket_is_operator_without_a_user) {
    desk_expect(desk, DESK_ADMIN, "LISTUSER", "{*\"alice\"*}");
    desk_expect(desk, DESK_ADMIN, "CHECKREALM", "{\"status\":\"OK\",\"data\":[]}");
    desk_expect(desk, DESK_ADMIN, "SEND alice halo", AUTH_REQUIRED);
    desk_expect(desk, DESK_ADMIN, "INBOX", AUTH_REQUIRED);
}

Test(core_session, help_shows_what_this_connection_may_use) {
    const char *nobody = desk_ask(desk, 1, "HELP");
    cr_assert(strstr(nobody, "\"AUTH") != NULL && strstr(nobody, "\"SEND") == NULL);
    (void)auth(1);
    const char *user = desk_ask(desk, 1, "HELP");
    cr_assert(strstr(user, "SENDREALM") != NULL && strstr(user, "ADDUSER") == NULL);
    const char *admin = desk_ask(desk, DESK_ADMIN, "HELP");
    cr_assert(strstr(admin, "ADDUSER") != NULL && strstr(admin, "ACKREALM") == NULL);
}

Test(core_session, quit_closes_behind_its_reply) {
    desk_expect(desk, 1, "PING", OK);
    cr_assert(!desk->closing);
    desk_expect(desk, 1, "QUIT", "{\"status\":\"OK\",\"data\":\"Sampai jumpa\"}");
    cr_assert(desk->closing);
}

Test(core_session, nothing_is_told_when_the_commit_did_not_happen) {
    (void)auth(1);
    desk->crash = DESK_CRASH_BEFORE_COMMIT;
    uint32_t slot = desk_say(desk, 1, "SEND alice hilang");
    cr_assert(!desk_runs(desk) && desk_reply(desk, 1, slot) == NULL);
    desk_start(desk);
    (void)auth(2);
    desk_expect(desk, 2, "INBOX", "{\"status\":\"OK\",\"data\":[]}");
}
