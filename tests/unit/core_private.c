/* links: base wire core store app; sources: support/desk.c support/paper_store.c */
/*
 * Private messages inside the realm: SEND, INBOX, CHECKMESSAGE. Between realms: core_federation.c.
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
}

static void clean_up(void) {
    desk_destroy(&desk);
}

TestSuite(core_private, .init = prepare, .fini = clean_up);

static const char *const EMPTY = "{\"status\":\"OK\",\"data\":[]}";
static const char *const FORBIDDEN = "{*\"code\":\"FORBIDDEN\"}";

Test(core_private, message_is_answered_with_its_id_and_read_back) {
    desk_expect(desk, 1, "SEND bob halo",
                "{\"status\":\"OK\",\"data\":\"Message sent\",\"id\":\"a:1\"}");
    desk_expect(
        desk, 2, "INBOX",
        "{\"status\":\"OK\",\"data\":[{\"seq\":1,\"id\":\"a:1\",\"from\":\"alice@a\",\"to\":"
        "\"bob@a\",\"time\":\"2026-11-22T10:00:00.000Z\",\"message\":\"halo\"}]}");
    desk_expect(desk, 1, "INBOX", EMPTY);
}

Test(core_private, reading_removes_nothing) {
    desk_expect(desk, 1, "SEND bob halo", "{*Message sent*}");
    const char *first = desk_ask(desk, 2, "INBOX");
    cr_assert_str_eq(desk_ask(desk, 2, "INBOX"), first);
    desk_restart(desk);
    desk_user(desk, 2, "bob");
    cr_assert_str_eq(desk_ask(desk, 2, "INBOX"), first);
}

Test(core_private, message_to_oneself) {
    desk_expect(desk, 1, "SEND alice catatan", "{*Message sent*}");
    desk_expect(desk, 1, "INBOX", "{*\"from\":\"alice@a\",\"to\":\"alice@a\",*catatan*}");
}

Test(core_private, text_is_kept_byte_for_byte) {
    desk_expect(desk, 1, "SEND   bob  dua  spasi ", "{*Message sent*}");
    desk_expect(desk, 2, "INBOX", "{*\"message\":\" dua  spasi \"}]}");
    desk_expect(desk, 1, "send bob a b c d e f g h i j k l m", "{*Message sent*}");
    desk_expect(desk, 2, "INBOX LIMIT 1", "{*\"message\":\"a b c d e f g h i j k l m\"}]*");
    desk_expect(desk, 1, "SEND bob \"\\\t\x01 h\xc3\xa9", "{*Message sent*}");
    desk_expect(desk, 2, "INBOX LIMIT 1", "{*\"message\":\"\\\"\\\\\\t\\u0001 h\xc3\xa9\"}]*");
}

Test(core_private, errors_of_send_store_nothing) {
    char line[LINE_BYTES_MAX + 1] = "SEND bob ";
    uint64_t writes = paper_store_writes(desk->store);
    desk_expect(desk, 1, "SEND carol halo", "{*\"code\":\"NO_USER\"}");
    desk_expect(desk, 1, "SEND _ halo", "{*\"code\":\"BAD_NAME\"}");
    desk_expect(desk, 1, "SEND bob \xff", "{*\"code\":\"BAD_TEXT\"}");
    desk_expect(desk, 1, "SEND bob", "{*\"code\":\"PROTOCOL\",\"usage\":*}");
    desk_expect(desk, 1, "SEND bob ", "{*\"code\":\"PROTOCOL\",\"usage\":*}");
    memset(line + 9, 'x', TEXT_BYTES_MAX + 1);
    desk_expect(desk, 1, line, "{*\"code\":\"TOO_LONG\"}");
    cr_assert_eq(paper_store_writes(desk->store), writes);
    line[9 + TEXT_BYTES_MAX] = '\0';
    desk_expect(desk, 1, line, "{*Message sent*}");
}

Test(core_private, nul_is_no_text) {
    (void)desk_say_bytes(desk, 1, (span_t){"SEND bob a\0b", 12});
    desk_expect_reply(desk, 1, 2, "{*\"code\":\"BAD_TEXT\"}");
}

Test(core_private, seqs_are_of_the_mailbox_and_ids_of_the_realm) {
    desk_expect(desk, 1, "SEND bob satu", "{*\"id\":\"a:1\"}");
    desk_expect(desk, 1, "SEND alice dua", "{*\"id\":\"a:2\"}");
    desk_expect(desk, 2, "SEND bob tiga", "{*\"id\":\"a:3\"}");
    desk_expect(desk, 2, "INBOX", "{*\"seq\":1,\"id\":\"a:1\"*\"seq\":2,\"id\":\"a:3\"*}");
    desk_restart(desk);
    desk_user(desk, 1, "alice");
    desk_expect(desk, 1, "SEND bob empat", "{*\"id\":\"a:4\"}");
}

Test(core_private, time_is_that_of_the_realm) {
    desk_wait_ms(desk, 1234);
    desk_expect(desk, 1, "SEND bob halo", "{*Message sent*}");
    desk_expect(desk, 2, "INBOX", "{*\"time\":\"2026-11-22T10:00:01.234Z\"*}");
}

Test(core_private, local_message_is_delivered_at_once) {
    desk_expect(desk, 1, "SEND bob halo", "{*Message sent*}");
    desk_expect(desk, 1, "CHECKMESSAGE a:1",
                "{\"status\":\"OK\",\"data\":{\"id\":\"a:1\",\"state\":\"delivered\",\"time\":"
                "\"2026-11-22T10:00:00.000Z\",\"reason\":null}}");
    desk_expect(desk, 1, "CHECKMESSAGE A:1", "{*\"delivered\"*}");
}

Test(core_private, only_its_sender_may_ask_about_a_message) {
    desk_expect(desk, 1, "SEND bob halo", "{*Message sent*}");
    desk_expect(desk, 2, "CHECKMESSAGE a:1", FORBIDDEN);
    desk_expect(desk, 1, "CHECKMESSAGE a:2", FORBIDDEN);
    desk_expect(desk, 1, "CHECKMESSAGE a:0", FORBIDDEN);
    desk_expect(desk, 1, "CHECKMESSAGE b:1", FORBIDDEN);
    desk_expect(desk, 1, "CHECKMESSAGE a:18446744073709551615", FORBIDDEN);
    desk_expect(desk, 3, "CHECKMESSAGE a:1", "{*\"code\":\"AUTH_REQUIRED\"}");
}

Test(core_private, what_is_no_id) {
    const char *const ids[] = {
        "a", "1", ":1", "a:", "a:x", "a:-1", "a:1x", "a:18446744073709551616"};
    for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        desk_expect(desk, 1, desk_text(desk, "CHECKMESSAGE %s", ids[i]),
                    "{*\"code\":\"PROTOCOL\",\"usage\":\"CHECKMESSAGE <id>\"}");
}

Test(core_private, requests_behind_checkmessage_wait_for_the_store) {
    desk_expect(desk, 1, "SEND bob halo", "{*Message sent*}");
    desk->hold_errands = true;
    uint32_t first = desk_say(desk, 1, "CHECKMESSAGE a:1");
    uint32_t second = desk_say(desk, 1, "PING");
    cr_assert(desk_reply(desk, 1, second) == NULL);
    desk_errands_run(desk);
    desk_expect_reply(desk, 1, first, "{*\"delivered\"*}");
    desk_expect_reply(desk, 1, second, "{*PONG*}");
}

Test(core_private, checkmessage_of_a_closed_connection) {
    desk->hold_errands = true;
    (void)desk_say(desk, 1, "CHECKMESSAGE a:1");
    desk_close(desk, 1);
    desk_errands_run(desk);
    desk_expect(desk, 2, "PING", "{*PONG*}");
}

Test(core_private, forgotten_message_cannot_be_asked_about) {
    desk_expect(desk, 1, "SEND bob halo", "{*Message sent*}");
    paper_store_retain(desk->store, 1);
    desk_expect(desk, 1, "CHECKMESSAGE a:1", FORBIDDEN);
}

Test(core_private, many_requests_in_one_commit) {
    desk->batching = true;
    uint32_t slots[3];
    slots[0] = desk_say(desk, 1, "SEND bob satu");
    slots[1] = desk_say(desk, 2, "INBOX");
    slots[2] = desk_say(desk, 1, "SEND bob dua");
    cr_assert(desk_reply(desk, 1, slots[0]) == NULL, "nothing is told before the commit");
    desk_turn_end(desk);
    desk_expect_reply(desk, 1, slots[0], "{*\"id\":\"a:1\"}");
    desk_expect_reply(desk, 1, slots[2], "{*\"id\":\"a:2\"}");
    desk_expect_reply(desk, 2, slots[1], "{*\"seq\":1,*satu\"}]}");
}
