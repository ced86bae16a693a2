/* links: base wire core store app; sources: support/desk.c support/paper_store.c */
/*
 * Failed logins: counted by address, refused before they cost a hash, forgotten in time.
 */
#include "../support/desk.h"
#include "../support/paper_store.h"

#include <criterion/criterion.h>
#include <string.h>

static desk_t *desk;

static void prepare(void) {
    desk = desk_new("a");
    desk->options.limits.auth_rate = (rate_t){.per_minute = 60, .burst = 5};
    desk->options.registration_open = true;
    desk_start(desk);
    desk_user(desk, 1, "alice");
    desk_user(desk, 2, "bob");
    desk_expect(desk, 1, "ADDGROUP tim kunci", "{*berhasil*}");
    desk_restart(desk); /* nobody's password is known from memory any more */
}

static void clean_up(void) {
    desk_destroy(&desk);
}

TestSuite(core_attempts, .init = prepare, .fini = clean_up);

static const char *const OK = "{\"status\":\"OK\",*}";
static const char *const AUTH_FAILED = "{*\"code\":\"AUTH_FAILED\"}";
static const char *const BUSY =
    "{*\"code\":\"BUSY\",\"reason\":\"too many attempts from this address\"}";

static void fail(uint64_t source, unsigned times) {
    desk->source = source;
    for (unsigned i = 0; i < times; i++)
        desk_expect(desk, 10, "AUTH alice salah", AUTH_FAILED);
}

Test(core_attempts, after_a_burst_of_failures_an_address_waits) {
    fail(7, 5);
    desk_expect(desk, 10, "AUTH alice salah", BUSY);
    desk_expect(desk, 10, "AUTH alice rahasia", BUSY);
    desk_expect(desk, 10, "AUTH nobody rahasia", BUSY);
    desk->source = 8;
    desk_expect(desk, 10, "AUTH alice rahasia", OK);
    desk->source = 7;
    desk_wait_ms(desk, 1000);
    desk_expect(desk, 11, "AUTH bob rahasia", OK);
    fail(7, 1);
    desk_expect(desk, 10, "AUTH bob salah", BUSY);
}

Test(core_attempts, who_is_known_gets_in_all_the_same) {
    desk->source = 7;
    desk_expect(desk, 10, "AUTH bob rahasia", OK);
    fail(7, 5);
    desk_expect(desk, 10, "AUTH alice rahasia", BUSY);
    desk_expect(desk, 11, "AUTH bob rahasia", OK);
}

Test(core_attempts, what_succeeds_is_not_counted) {
    desk->source = 7;
    for (unsigned i = 0; i < 30; i++) {
        desk_restart(desk);
        desk_expect(desk, 10, "AUTH alice rahasia", OK);
    }
    fail(7, 5);
}

Test(core_attempts, wrong_group_passwords_and_new_users_count) {
    desk->source = 7;
    desk_expect(desk, 10, "AUTH bob rahasia", OK);
    for (unsigned i = 0; i < 3; i++)
        desk_expect(desk, 10, "JOINGROUP tim salah", "{*\"code\":\"GROUP_PASSWORD\"}");
    desk_expect(desk, 11, "REGISTER carol rahasia", OK);
    desk_expect(desk, 11, "REGISTER dewi rahasia", OK);
    desk_expect(desk, 11, "REGISTER eka rahasia", BUSY);
    desk_expect(desk, 10, "JOINGROUP tim kunci", BUSY);
    desk_wait_ms(desk, 1000);
    desk_expect(desk, 10, "JOINGROUP tim kunci", OK);
}

Test(core_attempts, the_admin_socket_is_not_counted) {
    fail(0, 50);
    desk_expect(desk, DESK_ADMIN, "ADDUSER carol rahasia", OK);
}

Test(core_attempts, a_connection_that_hangs_up_is_counted) {
    desk->source = 7;
    for (unsigned i = 0; i < 5; i++) {
        desk->hold_passwords = true;
        (void)desk_say(desk, 20 + i, "AUTH alice salah");
        desk_close(desk, 20 + i);
        desk->hold_passwords = false;
        desk_errands_run(desk);
    }
    desk_expect(desk, 10, "AUTH alice rahasia", BUSY);
}

Test(core_attempts, one_address_cannot_take_all_workers) {
    desk->source = 7;
    desk->hold_passwords = true;
    for (unsigned i = 0; i < SOURCE_JOBS_MAX; i++)
        (void)desk_say(desk, 100 + i, "AUTH alice rahasia");
    uint32_t slot = desk_say(desk, 99, "AUTH alice rahasia");
    desk_expect_reply(desk, 99, slot, BUSY);
    desk->source = 8;
    slot = desk_say(desk, 98, "AUTH bob rahasia");
    desk->hold_passwords = false;
    desk_errands_run(desk);
    desk_expect_reply(desk, 98, slot, OK);
}

Test(core_attempts, addresses_are_forgotten_when_they_owe_nothing) {
    for (unsigned i = 0; i < 100; i++)
        fail(1000 + i, 1);
    desk->source = 0;
    const char *status = desk_ask(desk, DESK_ADMIN, "CHECKSERVER");
    cr_assert(strstr(status, "\"logins\":{\"current\":0,") == NULL);
    desk_wait_ms(desk, 5000);
    for (unsigned i = 0; i < 100; i++) {
        desk->source = 2000;
        desk_restart(desk);
        desk_expect(desk, 10, "AUTH alice rahasia", OK);
    }
    fail(1, 1);
    desk_wait_ms(desk, 60000);
    for (unsigned i = 0; i < 100; i++)
        fail(5000 + i, 1);
    desk_wait_ms(desk, 60000);
    fail(2, 1);
    for (unsigned i = 0; i < 60; i++) {
        desk_wait_ms(desk, 1000);
        fail(2, 1);
    }
    desk->source = 0;
    status = desk_ask(desk, DESK_ADMIN, "CHECKSERVER");
    cr_assert(strstr(status, "\"logins\":{\"current\":1,") != NULL, "%s", status);
}
