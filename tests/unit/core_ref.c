/* links: base wire core store app; sources: support/desk.c support/paper_store.c support/room.c */
/*
 * Refs: each reply has that of its request, and what changes something happens once under it,
 * whatever breaks between the first request and the last try. Broadcasts: core_broadcast.c.
 */
#include "../support/paper_store.h"
#include "../support/room.h"
#include "wire/request.h"

#include <criterion/criterion.h>
#include <string.h>

enum { ALICE = 1, BOB = 2, AGAIN = 3, OPERATOR = DESK_ADMIN };

static desk_t *desk;

static void prepare(void) {
    desk = desk_new("a");
    desk_start(desk);
    desk_user(desk, ALICE, "alice");
    desk_user(desk, BOB, "bob");
    desk_user(desk, AGAIN, "alice");
}

static void clean_up(void) {
    desk_destroy(&desk);
}

TestSuite(core_ref, .init = prepare, .fini = clean_up);

static mailbox_t inbox_of(uint32_t user) {
    return mailbox_of(MAILBOX_PRIVATE, user, 0);
}

/* ---- the ref in front ---- */

Test(core_ref, every_kind_of_reply_has_the_ref_last) {
    static const char *const lines[] = {"PING",
                                        "HELP",
                                        "INBOX",
                                        "CHECKREALM",
                                        "CHECKGROUP",
                                        "CHECKMESSAGE a:1",
                                        "CHECKMESSAGE c:1",
                                        "CHECKSERVER",
                                        "LISTEN",
                                        "UNLISTEN",
                                        "SEND bob halo",
                                        "SEND nobody halo",
                                        "SEND ../x halo",
                                        "SEND bob \xFF",
                                        "SEND",
                                        "NONSENSE",
                                        "ACKREALM b x 1 y 2",
                                        "INBOXREALM b",
                                        "AUTH alice salah",
                                        "AUTH alice rahasia",
                                        "RESUME x",
                                        "ADDUSER x y",
                                        "LOGOUT",
                                        "INBOX",
                                        "REGISTER x y",
                                        "QUIT"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        desk_expect(desk, ALICE, desk_text(desk, "@r.%zu_-Z %s", i, lines[i]),
                    desk_text(desk, "{*,\"ref\":\"r.%zu_-Z\"}", i));
}

Test(core_ref, what_is_no_ref_is_no_request) {
    const char *refused = "{\"status\":\"ERROR\",\"data\":\"protokol tidak benar\","
                          "\"code\":\"PROTOCOL\"}";
    desk_expect(desk, ALICE, "@ PING", refused);
    desk_expect(desk, ALICE, "@", refused);
    desk_expect(desk, ALICE, "@a!b PING", refused);
    desk_expect(desk, ALICE, "@a/b PING", refused);
    desk_expect(desk, ALICE, "@\xC3\xA9 PING", refused);
    desk_expect(desk, ALICE, desk_text(desk, "@%065d PING", 0), refused);
    desk_expect(desk, ALICE, desk_text(desk, "@%064d PING", 0), "{*\"PONG\",\"ref\":\"0*0\"}");
}

Test(core_ref, one_ref_and_then_the_word) {
    desk_expect(desk, ALICE, "@a", "{*\"code\":\"PROTOCOL\",\"ref\":\"a\"}");
    desk_expect(desk, ALICE, "@a @b PING", "{*\"code\":\"PROTOCOL\",\"ref\":\"a\"}");
    desk_expect(desk, ALICE, "PING @a", "{*\"code\":\"PROTOCOL\",\"usage\":\"PING\"}");
    desk_expect(desk, ALICE, "  @a    ping", "{*\"PONG\",\"ref\":\"a\"}");
}

Test(core_ref, text_is_kept_byte_for_byte_behind_it) {
    desk_expect(desk, ALICE, "@t   SEND   bob  @x  dua ", "{*\"ref\":\"t\"}");
    cr_assert(text_matches(desk_ask(desk, BOB, "INBOX"), "{*\"message\":\" @x  dua \"}*"));
}

Test(core_ref, one_token_too_many_is_still_seen) {
    desk_expect(desk, ALICE, "@r INBOXGROUPREALM b tim AFTER 1 LIMIT 2", "{*\"NO_REALM\"*\"r\"}");
    desk_expect(desk, ALICE, "@r INBOXGROUPREALM b tim AFTER 1 LIMIT 2 3", "{*\"usage\"*\"r\"}");
    desk_expect(desk, ALICE, "@r PING 1 2 3 4 5 6 7 8 9", "{*\"usage\":\"PING\",\"ref\":\"r\"}");
    desk_expect(desk, ALICE, "INBOXGROUPREALM b tim AFTER 1 LIMIT 2 3", "{*\"usage\"*}");
}

/* ---- once ---- */

/* Says a line twice over different connections: the same reply, and the second stores nothing. */
static void expect_once(uint64_t first, uint64_t second, const char *line, const char *pattern) {
    const char *reply = desk_ask(desk, first, line);
    cr_assert(text_matches(reply, pattern), "%s: %s", line, reply);
    uint64_t writes = paper_store_writes(desk->store);
    cr_assert_str_eq(desk_ask(desk, second, line), reply);
    cr_assert_eq(paper_store_writes(desk->store), writes, "%s", line);
}

Test(core_ref, users_requests_happen_once) {
    expect_once(ALICE, AGAIN, "@1 SEND bob halo",
                "{*\"Message sent\",\"id\":\"a:1\",\"ref\":\"1\"}");
    expect_once(ALICE, AGAIN, "@2 ADDGROUP tim kunci", "{*\"Add group berhasil\",\"ref\":\"2\"}");
    expect_once(BOB, BOB, "@3 JOINGROUP tim kunci", "{*\"Join group berhasil\",\"ref\":\"3\"}");
    expect_once(BOB, BOB, "@4 SENDGROUP tim hai",
                "{*\"Message Sent\",\"id\":\"a:2\",\"ref\":\"4\"}");
    expect_once(BOB, BOB, "@5 LEAVEGROUP tim", "{*\"Leave group berhasil\",\"ref\":\"5\"}");
    expect_once(ALICE, AGAIN, "@6 PASSWORD alice baru", "{*\"Password berhasil\",\"ref\":\"6\"}");
    desk_expect_texts(desk, inbox_of(2), "halo");
    desk_expect_texts(desk, mailbox_of(MAILBOX_GROUP, 1, 0), "hai");
}

Test(core_ref, operators_requests_happen_once) {
    const char *key = key_text_of(desk, "b");
    uint64_t other = OPERATOR + 1; /* the admin socket's refs are those of all its connections */
    expect_once(OPERATOR, other, "@1 ADDUSER caca rahasia",
                "{*\"Add user berhasil\",\"ref\":\"1\"}");
    expect_once(OPERATOR, other, "@2 PASSWORD caca baru", "{*\"Password berhasil\",\"ref\":\"2\"}");
    expect_once(OPERATOR, other, "@3 DELUSER caca", "{*\"Delete user berhasil\",\"ref\":\"3\"}");
    expect_once(OPERATOR, other, desk_text(desk, "@4 TRUSTREALM b %s", key),
                "{*\"Trust realm berhasil\",\"ref\":\"4\"}");
    expect_once(OPERATOR, other, "@5 DELREALM b", "{*\"Delete realm berhasil\",\"ref\":\"5\"}");
}

Test(core_ref, an_operator_that_is_a_user_has_refs_of_its_own) {
    desk_expect(desk, OPERATOR, "ADDUSER ops rahasia operator", "{*berhasil*}");
    desk_expect(desk, 9, "AUTH ops rahasia", "{*OK*}");
    expect_once(OPERATOR, OPERATOR, "@1 ADDUSER caca rahasia", "{*\"Add user berhasil\"*}");
    expect_once(9, 9, "@1 ADDUSER dodo rahasia", "{*\"Add user berhasil\"*}");
    expect_once(9, 9, "@2 ADDUSER dodo rahasia", "{*\"USER_EXISTS\"*}");
    expect_once(ALICE, AGAIN, "@1 ADDUSER x y", "{*\"FORBIDDEN\"*}");
}

Test(core_ref, everything_that_changes_something_says_so_in_its_row) {
    desk_expect(desk, OPERATOR, "ADDUSER ops rahasia operator", "{*berhasil*}");
    desk_expect(desk, 9, "AUTH ops rahasia", "{*OK*}");
    desk->options.registration_open = true;
    desk_restart(desk);
    desk_expect(desk, 9, "AUTH ops rahasia", "{*OK*}");
    /* Whoever is somebody can register somebody else, once. */
    expect_once(9, 9, "@r REGISTER caca rahasia", "{*\"Register berhasil\",\"ref\":\"r\"}");
    /* Nobody's request is only told its ref. */
    desk_expect(desk, 7, "@r REGISTER dodo rahasia", "{*\"Register berhasil\",\"ref\":\"r\"}");
    desk_expect(desk, 7, "@r REGISTER dodo rahasia", "{*\"USER_EXISTS\",\"ref\":\"r\"}");
}

Test(core_ref, the_first_outcome_whatever_is_asked) {
    desk_expect(desk, ALICE, "@r SEND bob satu", "{*\"id\":\"a:1\",\"ref\":\"r\"}");
    desk_expect(desk, ALICE, "@r SEND bob dua", "{*\"Message sent\",\"id\":\"a:1\",\"ref\":\"r\"}");
    desk_expect(desk, ALICE, "@r ADDGROUP tim x",
                "{*\"Message sent\",\"id\":\"a:1\",\"ref\":\"r\"}");
    desk_expect(desk, ALICE, "@r SEND", "{*\"Message sent\",\"id\":\"a:1\",\"ref\":\"r\"}");
    desk_expect(desk, ALICE, "@r PING", "{*\"PONG\",\"ref\":\"r\"}");
    desk_expect(desk, ALICE, "@R SEND bob tiga", "{*\"id\":\"a:2\",\"ref\":\"R\"}");
    desk_expect(desk, BOB, "@r SEND alice empat", "{*\"id\":\"a:3\",\"ref\":\"r\"}");
    desk_expect_texts(desk, inbox_of(2), "satu tiga");
    desk_expect_texts(desk, inbox_of(1), "empat");
}

Test(core_ref, reads_run_each_time) {
    desk_expect(desk, ALICE, "@r INBOX", "{*\"data\":[],\"ref\":\"r\"}");
    desk_expect(desk, BOB, "SEND alice halo", "{*OK*}");
    desk_expect(desk, ALICE, "@r INBOX", "{*halo*],\"ref\":\"r\"}");
    cr_assert_eq(paper_store_rows(desk->store, RECORD_REF), 0);
}

Test(core_ref, what_is_forbidden_stays_forbidden_under_the_ref) {
    expect_once(ALICE, AGAIN, "@1 SEND caca halo", "{*\"NO_USER\",\"ref\":\"1\"}");
    desk_user(desk, 5, "caca");
    desk_expect(desk, ALICE, "@1 SEND caca halo", "{*\"NO_USER\",\"ref\":\"1\"}");
    desk_expect(desk, ALICE, "@2 SEND caca halo", "{*\"Message sent\"*}");
    expect_once(ALICE, AGAIN, "@3 JOINGROUP tim x", "{*\"NO_GROUP\"*}");
    desk_group(desk, ALICE, "tim");
    expect_once(ALICE, AGAIN, "@4 ADDGROUP tim x", "{*\"GROUP_EXISTS\"*}");
    expect_once(ALICE, AGAIN, "@5 JOINGROUP tim kunci", "{*\"ALREADY_MEMBER\"*}");
    expect_once(BOB, BOB, "@6 JOINGROUP tim x", "{*\"GROUP_PASSWORD\"*}");
    expect_once(BOB, BOB, "@7 SENDGROUP tim x", "{*\"NOT_MEMBER\"*}");
    expect_once(BOB, BOB, "@8 SENDREALM b x y", "{*\"NO_REALM\"*}");
}

Test(core_ref, what_was_wrong_in_the_line_can_be_said_again) {
    desk_expect(desk, ALICE, "@r SEND bob", "{*\"usage\"*\"ref\":\"r\"}");
    desk_expect(desk, ALICE, "@r SEND ../bob x", "{*\"BAD_NAME\",\"ref\":\"r\"}");
    desk_expect(desk, ALICE, "@r SEND bob \xFF", "{*\"BAD_TEXT\",\"ref\":\"r\"}");
    desk_expect(desk, 7, "@r SEND bob x", "{*\"AUTH_REQUIRED\",\"ref\":\"r\"}");
    cr_assert_eq(paper_store_rows(desk->store, RECORD_REF), 0);
    desk_expect(desk, ALICE, "@r SEND bob halo", "{*\"Message sent\"*}");
}

/* ---- across lives ---- */

Test(core_ref, outcomes_outlive_the_process) {
    const char *sent = desk_ask(desk, ALICE, "@s SEND bob halo");
    const char *made = desk_ask(desk, ALICE, "@g ADDGROUP tim kunci");
    const char *refused = desk_ask(desk, ALICE, "@e SEND caca halo");
    const char *added = desk_ask(desk, OPERATOR, "@s ADDUSER caca rahasia");
    for (unsigned life = 0; life < 3; life++) {
        desk_restart(desk);
        desk_user(desk, ALICE, "alice");
        cr_assert_str_eq(desk_ask(desk, ALICE, "@s SEND bob halo"), sent);
        cr_assert_str_eq(desk_ask(desk, ALICE, "@g ADDGROUP tim kunci"), made);
        cr_assert_str_eq(desk_ask(desk, ALICE, "@e SEND caca halo"), refused);
        cr_assert_str_eq(desk_ask(desk, OPERATOR, "@s ADDUSER caca rahasia"), added);
    }
    desk_expect_texts(desk, inbox_of(2), "halo");
}

Test(core_ref, a_crash_before_the_commit_takes_both) {
    desk->crash = DESK_CRASH_BEFORE_COMMIT;
    (void)desk_say(desk, ALICE, "@r SEND bob halo");
    desk->crash = DESK_CRASH_NEVER;
    desk_start(desk);
    desk_user(desk, ALICE, "alice");
    desk_expect(desk, ALICE, "@r SEND bob halo", "{*\"Message sent\"*}");
    desk_expect_texts(desk, inbox_of(2), "halo");
}

Test(core_ref, a_crash_behind_the_commit_takes_none) {
    desk->crash = DESK_CRASH_AFTER_COMMIT;
    (void)desk_say(desk, ALICE, "@r SEND bob halo");
    desk->crash = DESK_CRASH_NEVER;
    desk_start(desk);
    desk_user(desk, ALICE, "alice");
    desk_expect(desk, ALICE, "@r SEND bob halo",
                "{*\"Message sent\",\"id\":\"a:1\",\"ref\":\"r\"}");
    desk_expect_texts(desk, inbox_of(2), "halo");
}

Test(core_ref, a_failed_commit_is_told_with_the_ref) {
    request_t request;
    effects_t effects;
    const char *line = "@r SEND bob halo";
    effects_init(&effects);
    request_parse(&request, (span_t){line, strlen(line)});
    event_t event = {.kind = EVENT_REQUEST, .time_ms = DESK_EPOCH_MS};
    event.request.ticket = (ticket_t){.connection = ALICE, .slot = 9};
    event.request.request = &request;
    event.request.line = line;
    state_step(desk->state, &event, &effects);
    cr_assert_eq(effects.reply_count, 1);
    reply_t refused = reply_refused(&effects.replies[0]);
    cr_assert_eq(refused.error.code, CODE_STORE);
    cr_assert_eq(refused.ref.length, 1);
    cr_assert_eq(refused.ref.bytes[0], 'r');
    effects_deinit(&effects);
}

/* ---- while the first is under way ---- */

Test(core_ref, the_second_waits_for_the_first) {
    desk->hold_passwords = true;
    uint32_t first = desk_say(desk, ALICE, "@r ADDGROUP tim kunci");
    uint32_t second = desk_say(desk, AGAIN, "@r ADDGROUP tim kunci");
    uint32_t behind = desk_say(desk, AGAIN, "PING");
    uint32_t read = desk_say(desk, BOB, "@r PING");
    desk_expect_reply(desk, BOB, read, "{*PONG*}");
    cr_assert_null(desk_reply(desk, AGAIN, second));
    cr_assert_null(desk_reply(desk, AGAIN, behind));
    desk_errands_run(desk);
    desk_expect_reply(desk, ALICE, first, "{*\"Add group berhasil\",\"ref\":\"r\"}");
    desk_expect_reply(desk, AGAIN, second, "{*\"Add group berhasil\",\"ref\":\"r\"}");
    desk_expect_reply(desk, AGAIN, behind, "{*PONG*}");
}

Test(core_ref, who_hangs_up_still_gets_it_done) {
    desk->hold_passwords = true;
    (void)desk_say(desk, ALICE, "@r ADDGROUP tim kunci");
    uint32_t waits = desk_say(desk, AGAIN, "@r ADDGROUP tim kunci");
    desk_close(desk, ALICE);
    desk_user(desk, 4, "bob"); /* a worker's job behind it, answered first or later */
    desk_errands_run(desk);
    desk_expect_reply(desk, AGAIN, waits, "{*\"Add group berhasil\",\"ref\":\"r\"}");
    desk_user(desk, 6, "alice");
    desk_expect(desk, 6, "@r ADDGROUP tim kunci", "{*\"Add group berhasil\",\"ref\":\"r\"}");
}

Test(core_ref, who_waits_may_hang_up) {
    desk->hold_passwords = true;
    uint32_t first = desk_say(desk, ALICE, "@r ADDGROUP tim kunci");
    (void)desk_say(desk, AGAIN, "@r ADDGROUP tim kunci");
    desk_close(desk, AGAIN);
    desk_errands_run(desk);
    desk_expect_reply(desk, ALICE, first, "{*\"Add group berhasil\"*}");
}

Test(core_ref, a_pipeline_of_the_same_is_one) {
    uint32_t slots[4];
    desk->hold_passwords = true;
    (void)desk_say(desk, 8, "AUTH alice rahasia");
    (void)desk_say(desk, 8, "AUTH alice salah");
    for (unsigned i = 0; i < 4; i++)
        slots[i] = desk_say(desk, 8, "@r SEND bob halo");
    desk_errands_run(desk);
    for (unsigned i = 0; i < 4; i++)
        desk_expect_reply(desk, 8, slots[i], "{*\"id\":\"a:1\",\"ref\":\"r\"}");
    desk_expect_texts(desk, inbox_of(2), "halo");
}

Test(core_ref, the_next_in_line_runs_if_nothing_was_kept) {
    desk->hold_passwords = true;
    uint32_t first = desk_say(desk, ALICE, "@r ADDGROUP tim kunci");
    uint32_t second = desk_say(desk, AGAIN, "@r ADDGROUP tim kunci");
    desk_user(desk, 6, "alice");
    desk->errands[0].event.password.ok = false; /* the workers are busy */
    desk_errands_run(desk);
    desk_expect_reply(desk, ALICE, first, "{*\"BUSY\",\"ref\":\"r\"}");
    desk_expect_reply(desk, AGAIN, second, "{*\"Add group berhasil\",\"ref\":\"r\"}");
}

Test(core_ref, too_many_waiting_requests_are_told_their_refs) {
    desk->hold_passwords = true;
    (void)desk_say(desk, ALICE, "@r ADDGROUP tim kunci");
    for (unsigned i = 0; i < DEFERRED_REQUESTS_MAX; i++)
        (void)desk_say(desk, ALICE, "@s PING");
    desk_expect(desk, ALICE, "@t PING", "{*\"BUSY\",\"ref\":\"t\"}");
    desk_errands_run(desk);
    desk_expect(desk, ALICE, "@t PING", "{*\"PONG\",\"ref\":\"t\"}");
}

Test(core_ref, a_login_whose_connection_is_gone_leaves_nothing) {
    desk->hold_passwords = true;
    (void)desk_say(desk, 8, "@r AUTH bob salah");
    desk_close(desk, 8);
    desk_errands_run(desk);
    desk_expect(desk, 8, "@r PING", "{*\"PONG\",\"ref\":\"r\"}");
}

/* ---- an end to it ---- */

Test(core_ref, after_a_day_it_is_a_new_request) {
    desk_expect(desk, ALICE, "@r SEND bob satu", "{*OK*}");
    desk_wait_ms(desk, REF_KEEP_MS - 2 * REF_SWEEP_MS);
    desk_expect(desk, ALICE, "@s SEND bob dua", "{*OK*}");
    desk_expect(desk, ALICE, "@r SEND bob satu", "{*\"id\":\"a:1\"*}");
    desk_wait_ms(desk, 4 * REF_SWEEP_MS);
    cr_assert_eq(paper_store_rows(desk->store, RECORD_REF), 1);
    desk_expect(desk, ALICE, "@r SEND bob tiga", "{*\"id\":\"a:3\"*}");
    desk_expect(desk, ALICE, "@s SEND bob dua", "{*\"id\":\"a:2\"*}");
    desk_restart(desk);
    desk_user(desk, ALICE, "alice");
    desk_wait_ms(desk, REF_KEEP_MS + REF_SWEEP_MS);
    cr_assert_eq(paper_store_rows(desk->store, RECORD_REF), 0);
    desk_expect_texts(desk, inbox_of(2), "satu dua tiga");
}

Test(core_ref, many_old_ones_go_slice_by_slice) {
    for (unsigned i = 0; i < 3 * REF_SWEEP_ROWS + 1; i++)
        desk_expect(desk, ALICE, desk_text(desk, "@r%u LEAVEGROUP tim", i), "{*\"NO_GROUP\"*}");
    cr_assert_eq(paper_store_rows(desk->store, RECORD_REF), 3 * REF_SWEEP_ROWS + 1);
    desk_wait_ms(desk, REF_KEEP_MS + REF_SWEEP_MS);
    cr_assert_eq(paper_store_rows(desk->store, RECORD_REF), 0);
}

Test(core_ref, a_clock_that_was_years_ahead_keeps_nothing_for_years) {
    desk->skew_ms = 3650 * REF_KEEP_MS;
    desk_expect(desk, ALICE, "@r SEND bob satu", "{*OK*}");
    desk->skew_ms = 0;
    desk_wait_ms(desk, 2 * REF_SWEEP_MS);
    cr_assert_eq(paper_store_rows(desk->store, RECORD_REF), 0);
}

Test(core_ref, a_user_has_so_many) {
    for (unsigned i = 0; i < REFS_PER_USER_MAX; i++)
        (void)desk_say(desk, ALICE, desk_text(desk, "@r%u LEAVEGROUP tim", i));
    const char *busy = "{*\"BUSY\",\"reason\":\"too many refs within 24 hours\",\"ref\":\"x\"}";
    desk_expect(desk, ALICE, "@x SEND bob halo", busy);
    desk_expect(desk, OPERATOR, "CHECKSERVER",
                "{*\"refs\":{\"current\":100000,\"maximum\":1000000,\"refused\":1}*}");
    desk_expect(desk, ALICE, "@r0 SEND bob halo", "{*\"NO_GROUP\",\"ref\":\"r0\"}");
    desk_expect(desk, ALICE, "@x PING", "{*PONG*}");
    desk_expect(desk, ALICE, "SEND bob halo", "{*OK*}");
    desk_expect(desk, BOB, "@x SEND alice halo", "{*OK*}");
    desk_expect(desk, OPERATOR, "DELUSER alice", "{*berhasil*}");
    cr_assert_eq(paper_store_rows(desk->store, RECORD_REF), 1);
}

Test(core_ref, a_new_user_of_the_name_has_none_of_the_old_ones) {
    desk_expect(desk, ALICE, "@r SEND bob satu", "{*OK*}");
    desk_expect(desk, OPERATOR, "@d DELUSER alice", "{*berhasil\",\"ref\":\"d\"}");
    cr_assert_eq(paper_store_rows(desk->store, RECORD_REF), 1);
    desk_expect(desk, ALICE, "@r SEND bob satu", "{*\"AUTH_REQUIRED\",\"ref\":\"r\"}");
    desk_user(desk, ALICE, "alice");
    desk_expect(desk, ALICE, "@r SEND bob dua", "{*\"id\":\"a:2\",\"ref\":\"r\"}");
    desk_restart(desk);
    desk_user(desk, ALICE, "alice");
    desk_expect(desk, ALICE, "@r SEND bob dua", "{*\"id\":\"a:2\",\"ref\":\"r\"}");
}

Test(core_ref, a_user_removed_on_the_way_leaves_no_outcome) {
    desk->hold_passwords = true;
    uint32_t first = desk_say(desk, ALICE, "@r ADDGROUP tim kunci");
    uint32_t second = desk_say(desk, AGAIN, "@r ADDGROUP tim kunci");
    desk_expect(desk, OPERATOR, "DELUSER alice", "{*berhasil*}");
    desk_errands_run(desk);
    desk_expect_reply(desk, ALICE, first, "{*\"AUTH_REQUIRED\",\"ref\":\"r\"}");
    desk_expect_reply(desk, AGAIN, second, "{*\"AUTH_REQUIRED\",\"ref\":\"r\"}");
    cr_assert_eq(paper_store_rows(desk->store, RECORD_REF), 0);
}

Test(core_ref, an_operator_may_remove_itself) {
    desk_expect(desk, OPERATOR, "ADDUSER ops rahasia operator", "{*berhasil*}");
    desk_expect(desk, 9, "AUTH ops rahasia", "{*OK*}");
    desk_expect(desk, 9, "@r DELUSER ops", "{*\"Delete user berhasil\",\"ref\":\"r\"}");
    cr_assert_eq(paper_store_rows(desk->store, RECORD_REF), 0);
    desk_restart(desk);
}

/* ---- rows that cannot be ---- */

static bool loads(const ref_record_t *ref) {
    state_t *state = state_new(&desk->options);
    record_t user = {.kind = RECORD_USER, .user = {.id = 1}};
    user.user.name = name_of("alice");
    record_t record = {.kind = RECORD_REF, .ref = *ref};
    bool good = state_load(state, &user) && state_load(state, &record);
    state_destroy(&state);
    return good;
}

Test(core_ref, rows_of_no_life_of_ours_are_refused) {
    ref_record_t sound = {.number = 1, .user = 1, .success = 1, .message = 7};
    cr_assert(loads(&sound));
    ref_record_t broken = sound;
    broken.number = 0;
    cr_assert_not(loads(&broken), "numbers begin at 1");
    broken = sound;
    broken.user = 2;
    cr_assert_not(loads(&broken), "nobody's");
    broken = sound;
    broken.success = 0;
    cr_assert_not(loads(&broken), "no request says that");
    broken.success = 200;
    cr_assert_not(loads(&broken), "no request of this program says that");
    broken = sound;
    broken.realms = (span_t){"123456789012345", REF_REALM_BYTES};
    cr_assert_not(loads(&broken), "no such realm");
    broken.realms.length = 3;
    cr_assert_not(loads(&broken), "half a realm");
}

/* ---- to other realms ---- */

static room_t *room;
static desk_t *b;

static void prepare_two(void) {
    room = room_new(1);
    desk = room_desk(room, "a");
    b = room_desk(room, "b");
    room_link(room, desk, b);
    desk_user(desk, ALICE, "alice");
    desk_user(desk, AGAIN, "alice");
    desk_user(b, BOB, "bob");
}

static void clean_up_two(void) {
    room_destroy(&room);
}

TestSuite(core_ref_realms, .init = prepare_two, .fini = clean_up_two);

static void expect_arrived(const char *texts) {
    desk_expect_texts(b, mailbox_of(MAILBOX_REALM, 1, 1), texts);
}

Test(core_ref_realms, delivered_is_delivered_again) {
    const char *reply = room_ask(room, desk, ALICE, "@r SENDREALM b bob halo");
    cr_assert(text_matches(reply, "{*\"id\":*,\"delivery\":\"delivered\",\"ref\":\"r\"}"));
    cr_assert_str_eq(desk_ask(desk, AGAIN, "@r SENDREALM b bob halo"), reply);
    desk_restart(desk);
    desk_user(desk, ALICE, "alice");
    cr_assert_str_eq(room_ask(room, desk, ALICE, "@r SENDREALM b bob halo"), reply);
    expect_arrived("halo");
}

Test(core_ref_realms, a_refusal_is_a_refusal_again) {
    const char *reply = room_ask(room, desk, ALICE, "@r SENDREALM b caca halo");
    cr_assert(text_matches(reply, "{*\"NO_USER\",\"ref\":\"r\"}"));
    desk_user(b, 7, "caca");
    cr_assert_str_eq(desk_ask(desk, AGAIN, "@r SENDREALM b caca halo"), reply);
    desk_restart(desk);
    desk_user(desk, ALICE, "alice");
    cr_assert_str_eq(room_ask(room, desk, ALICE, "@r SENDREALM b caca halo"), reply);
}

Test(core_ref_realms, who_asks_meanwhile_waits_for_the_verdict) {
    uint32_t first = desk_say(desk, ALICE, "@r SENDREALM b bob halo");
    uint32_t second = desk_say(desk, AGAIN, "@r SENDREALM b bob halo");
    uint32_t third = desk_say(desk, ALICE, "@r SENDREALM b bob halo");
    cr_assert_null(desk_reply(desk, AGAIN, second));
    desk_close(desk, ALICE);
    (void)first;
    (void)third;
    room_run_ms(room, 100);
    desk_expect_reply(desk, AGAIN, second, "{*\"delivery\":\"delivered\",\"ref\":\"r\"}");
    expect_arrived("halo");
}

Test(core_ref_realms, queued_while_the_link_is_down) {
    room_cut(room, desk, b);
    room_run_ms(room, 5000);
    const char *reply = desk_ask(desk, ALICE, "@r SENDREALM b bob halo");
    cr_assert(text_matches(reply, "{*\"delivery\":\"queued\",\"ref\":\"r\"}"), "%s", reply);
    cr_assert_str_eq(desk_ask(desk, AGAIN, "@r SENDREALM b bob halo"), reply);
    room_heal(room, desk, b);
    cr_assert(room_quiet(room, desk, b, 60000));
    cr_assert_str_eq(desk_ask(desk, AGAIN, "@r SENDREALM b bob halo"), reply);
    expect_arrived("halo");
}

Test(core_ref_realms, a_crash_between_the_record_and_the_verdict) {
    room_wire(room, desk, b)->silent = true;
    (void)desk_say(desk, ALICE, "@r SENDREALM b bob halo");
    desk_restart(desk);
    desk_user(desk, ALICE, "alice");
    const char *reply = desk_ask(desk, ALICE, "@r SENDREALM b bob halo");
    cr_assert(text_matches(reply, "{*\"id\":*\"delivery\":\"queued\",\"ref\":\"r\"}"), "%s", reply);
    room_heal_all(room);
    cr_assert(room_quiet(room, desk, b, 60000));
    expect_arrived("halo");
}

Test(core_ref_realms, addrealm_that_did_not_reach_it_is_tried_anew) {
    desk_t *c = room_desk(room, "c");
    room_trust(desk, "c");
    room_trust(c, "a");
    const char *line = desk_text(desk, "@r %s", room_add_realm_line(room, desk, c));
    room_wire(room, desk, c)->no_listener = true;
    room_expect(room, desk, OPERATOR, line, "{*\"REALM_UNREACHABLE\"*\"ref\":\"r\"}");
    room_heal_all(room);
    room_expect(room, desk, OPERATOR, line, "{*\"Connect realm berhasil\",\"ref\":\"r\"}");
    cr_assert(text_matches(desk_ask(desk, OPERATOR, line), "{*berhasil\",\"ref\":\"r\"}"));
}

Test(core_ref_realms, a_failed_commit_of_the_verdict_says_queued_with_the_ref) {
    desk->batching = true;
    (void)desk_say(desk, ALICE, "@r SENDREALM b bob halo");
    desk_batch_end(desk);
    effects_t effects;
    effects_init(&effects);
    event_t tick = {.kind = EVENT_TICK, .time_ms = DESK_EPOCH_MS};
    tick.uptime_us = desk_uptime_us(desk) + VERDICT_MS * 1000LL;
    state_step(desk->state, &tick, &effects);
    cr_assert_eq(effects.reply_count, 1);
    reply_t refused = reply_refused(&effects.replies[0]);
    cr_assert_eq(refused.kind, REPLY_TEXT);
    cr_assert_eq(refused.text.delivery, DELIVERY_QUEUED);
    cr_assert_eq(refused.ref.length, 1);
    effects_deinit(&effects);
}
