/* links: base wire core store app; sources: support/desk.c support/paper_store.c support/puppet.c
 */
/*
 * The life of a link: trust, the handshake from both sides and all that can be wrong with it,
 * heartbeats, backing off. The peer is played by hand.
 */
#include "../support/paper_store.h"
#include "../support/puppet.h"
#include "base/memory.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static desk_t *desk;
static puppet_t b;

static void prepare(void) {
    desk = desk_new("a");
    desk_start(desk);
    puppet_init(&b, desk, "b");
}

static void clean_up(void) {
    desk_destroy(&desk);
}

TestSuite(core_link, .init = prepare, .fini = clean_up);

static const char *const OK = "{\"status\":\"OK\",*}";
static const char *const REALM_KEY = "{*kunci realm tidak dikenal\",\"code\":\"REALM_KEY\"}";
static const char *const BAD_NAME = "{*\"code\":\"BAD_NAME\"}";
static const char *const USAGE = "{*\"code\":\"PROTOCOL\",\"usage\":*}";
static const char *const EMPTY = "{\"status\":\"OK\",\"data\":[]}";

static const char *trust_line(const char *name, const char *key_of_realm) {
    return desk_text(desk, "TRUSTREALM %s %s", name, key_text_of(desk, key_of_realm));
}

static void trust(const char *name, const char *key_of_realm, const char *pattern) {
    desk_expect(desk, DESK_ADMIN, trust_line(name, key_of_realm), pattern);
}

static void expect_unreachable(uint32_t slot, const char *reason) {
    desk_expect_reply(desk, DESK_ADMIN, slot,
                      desk_text(desk,
                                "{\"status\":\"ERROR\",\"data\":\"realm tidak dapat dihubungi\","
                                "\"code\":\"REALM_UNREACHABLE\",\"reason\":\"%s\"}",
                                reason));
}

/* ADDREALM with the key as its fourth parameter; the desk dials. */
static uint32_t add_realm(void) {
    uint32_t slot = desk_say(
        desk, DESK_ADMIN, desk_text(desk, "ADDREALM b 127.0.0.1 9102 %s", key_text_of(desk, "b")));
    cr_assert(puppet_dialled(&b));
    return slot;
}

static void expect_nothing_stored(void) {
    cr_assert_eq(paper_store_writes(desk->store), 0);
    desk_expect(desk, DESK_ADMIN, "LISTREALM", EMPTY);
    uint8_t key[KEY_BYTES];
    key_of(key, "b");
    const dial_effect_t *deny = desk_dial_of(desk, DIAL_DENY);
    cr_assert(deny != NULL && memcmp(deny->key, key, KEY_BYTES) == 0, "the key is let in no more");
}

static void expect_row(const char *pattern) {
    desk_expect(desk, DESK_ADMIN, "CHECKREALM", pattern);
}

Test(core_link, trust_pins_a_key_to_a_name) {
    trust("b", "b", "{\"status\":\"OK\",\"data\":\"Trust realm berhasil\"}");
    trust("B", "b", OK);
    trust("b", "c", REALM_KEY);
    trust("c", "b", REALM_KEY);
    trust("a", "c", BAD_NAME);
    trust("c", "a", REALM_KEY);
    trust("_", "c", BAD_NAME);
    desk_expect(desk, DESK_ADMIN, "TRUSTREALM c pendek", USAGE);
    desk_expect(desk, DESK_ADMIN, "TRUSTREALM c", USAGE);
    desk_restart(desk);
    trust("b", "c", REALM_KEY);
    desk_expect(desk, DESK_ADMIN, "CHECKREALM", EMPTY);
    desk_expect(desk, DESK_ADMIN, "LISTREALM",
                desk_text(desk,
                          "{*\"realm\":\"b\",\"address\":null,\"port\":null,\"state\":\"pinned\","
                          "*\"key\":\"%s\"}]}",
                          key_text_of(desk, "b")));
}

Test(core_link, trusted_key_is_let_in) {
    trust("b", "b", OK);
    const dial_effect_t *allow = desk_dial_of(desk, DIAL_ALLOW);
    cr_assert(allow != NULL && memcmp(allow->key, b.route.key, KEY_BYTES) == 0);
    desk->dial_count = 0;
    desk_restart(desk);
    allow = desk_dial_of(desk, DIAL_ALLOW);
    cr_assert(allow != NULL && memcmp(allow->key, b.route.key, KEY_BYTES) == 0);
    cr_assert(desk_dial_of(desk, DIAL_OPEN) == NULL, "pinned only: nobody to dial");
}

Test(core_link, key_pinned_by_the_configuration) {
    effects_t effects;
    name_t name = name_of("b"), own = name_of("a"), other = name_of("c");
    effects_init(&effects);
    state_t *state = state_new(&desk->options);
    cr_assert_eq(state_trust(state, &name, b.route.key, &effects), CODE_OK);
    cr_assert_eq(effects.record_count, 1);
    cr_assert_eq(effects.records[0].kind, RECORD_REALM);
    cr_assert_eq(state_trust(state, &name, b.route.key, &effects), CODE_OK);
    cr_assert_eq(state_trust(state, &other, b.route.key, &effects), CODE_REALM_KEY);
    cr_assert_eq(state_trust(state, &name, desk->options.key, &effects), CODE_REALM_KEY);
    cr_assert_eq(state_trust(state, &own, b.route.key, &effects), CODE_BAD_NAME);
    cr_assert_eq(effects.record_count, 1);
    state_destroy(&state);
    effects_deinit(&effects);
}

Test(core_link, addrealm_introduces_us_and_stores_the_link) {
    uint32_t slot = add_realm();
    const dial_effect_t *dial = desk_dial_of(desk, DIAL_OPEN);
    cr_assert_str_eq(dial->address.text, "127.0.0.1");
    cr_assert_eq(dial->address.port, 9102);
    cr_assert(memcmp(dial->key, b.dial.key, KEY_BYTES) == 0);
    desk_dialled(desk, b.dial.number);
    const peer_message_t *heard = puppet_hears(&b, PEER_ACKREALM);
    cr_assert_str_eq(heard->ackrealm.realm.text, "b");
    cr_assert_str_eq(heard->ackrealm.from.text, "a");
    cr_assert_eq(heard->ackrealm.address.port, 9102);
    cr_assert_eq(heard->ackrealm.source.port, 9100);
    cr_assert_eq(heard->ackrealm.standing.mark_count, 0);
    cr_assert_eq(paper_store_writes(desk->store), 0, "nothing is stored before the welcome");
    peer_message_t welcome = puppet_message(&b, PEER_WELCOME);
    puppet_answer(&b, &welcome);
    desk_expect_reply(desk, DESK_ADMIN, slot,
                      "{\"status\":\"OK\",\"data\":\"Connect realm berhasil\"}");
    expect_row(
        "{*[{\"realm\":\"b\",\"address\":\"127.0.0.1\",\"port\":9102,\"state\":\"up\",*\"queued\":"
        "0,\"oldest_s\":0,\"error\":null}]}");
    desk_restart(desk);
    expect_row("{*\"realm\":\"b\",\"address\":\"127.0.0.1\",\"port\":9102,\"state\":\"down\",*}");
    cr_assert(puppet_dialled(&b), "a stored link is dialled at the start");
}

Test(core_link, addrealm_of_ipv6_and_names) {
    trust("b", "b", OK);
    (void)desk_say(desk, DESK_ADMIN, "ADDREALM b [::1] 9102");
    cr_assert_str_eq(desk_dial_of(desk, DIAL_OPEN)->address.text, "::1");
    (void)desk_say(desk, DESK_ADMIN + 1, "ADDREALM b realm.example.org 65535");
    cr_assert_str_eq(desk_dial_of(desk, DIAL_OPEN)->address.text, "realm.example.org");
}

Test(core_link, addrealm_that_is_no_request) {
    const char *const tails[] = {"127.0.0.1 0",
                                 "127.0.0.1 65536",
                                 "127.0.0.1 x",
                                 "127.0.0.1",
                                 "a/b 1",
                                 "a;b 1",
                                 "[] 1",
                                 "* 1",
                                 "127.0.0.1 1 kunci",
                                 "127.0.0.1 1 2 3",
                                 "\x7f 1"};
    trust("b", "b", OK);
    uint64_t writes = paper_store_writes(desk->store);
    for (unsigned i = 0; i < sizeof(tails) / sizeof(tails[0]); i++)
        desk_expect(desk, DESK_ADMIN, desk_text(desk, "ADDREALM b %s", tails[i]),
                    "{*\"usage\":\"ADDREALM <realm> <address> <port> [key]\"}");
    desk_expect(desk, DESK_ADMIN, "ADDREALM _ 127.0.0.1 1", BAD_NAME);
    desk_expect(desk, DESK_ADMIN, "ADDREALM a 127.0.0.1 1", BAD_NAME);
    cr_assert(desk_dial_of(desk, DIAL_OPEN) == NULL);
    cr_assert_eq(paper_store_writes(desk->store), writes);
}

Test(core_link, addrealm_needs_the_right_key) {
    desk_expect(desk, DESK_ADMIN, "ADDREALM b 127.0.0.1 9102", REALM_KEY);
    trust("b", "b", OK);
    desk_expect(desk, DESK_ADMIN,
                desk_text(desk, "ADDREALM b 127.0.0.1 9102 %s", key_text_of(desk, "c")), REALM_KEY);
    desk_expect(desk, DESK_ADMIN,
                desk_text(desk, "ADDREALM c 127.0.0.1 9102 %s", key_text_of(desk, "b")), REALM_KEY);
    cr_assert(desk_dial_of(desk, DIAL_OPEN) == NULL);
}

static const struct {
    dial_error_t error;
    const char *reason;
} dial_failures[] = {
    {DIAL_REFUSED, "refused"},
    {DIAL_TIMEOUT, "timed out"},
    {DIAL_UNRESOLVED, "the address cannot be resolved"},
    {DIAL_REJECTED, "key not accepted by the peer"},
    {DIAL_WRONG_KEY, "the peer does not hold that key"},
    {DIAL_BROKEN, "connection lost"},
};

Test(core_link, addrealm_whose_dial_fails_leaves_nothing) {
    for (unsigned i = 0; i < sizeof(dial_failures) / sizeof(dial_failures[0]); i++) {
        uint32_t slot = add_realm();
        desk_dial_lost(desk, b.dial.number, dial_failures[i].error);
        expect_unreachable(slot, dial_failures[i].reason);
        expect_nothing_stored();
    }
    cr_assert(desk_dial_of(desk, DIAL_CLOSE) == NULL, "a lost dial is dead already");
}

static const struct {
    peer_refusal_t refusal;
    const char *reason;
} refusals[] = {
    {REFUSAL_NAME, "it calls itself another name"},
    {REFUSAL_KEY, "key not accepted by the peer"},
    {REFUSAL_FULL, "the peer has no room for another link"},
    {REFUSAL_VERSION, "it speaks another version of the protocol"},
    {REFUSAL_MALFORMED, "the peer did not understand"},
    {REFUSAL_UNLINKED, "the peer has no link with this realm"},
};

Test(core_link, addrealm_that_the_peer_refuses_leaves_nothing) {
    for (unsigned i = 0; i < 2 * sizeof(refusals) / sizeof(refusals[0]); i++) {
        uint32_t slot = add_realm();
        desk_dialled(desk, b.dial.number);
        peer_message_t answer = puppet_message(&b, i % 2 == 0 ? PEER_WELCOME : PEER_ERROR);
        if (i % 2 == 0)
            answer.welcome.refusal = refusals[i / 2].refusal;
        else
            answer.error.refusal = refusals[i / 2].refusal;
        puppet_answer(&b, &answer);
        expect_unreachable(slot, refusals[i / 2].reason);
        expect_nothing_stored();
        cr_assert_eq(desk_dial_of(desk, DIAL_CLOSE)->dial, b.dial.number);
    }
}

Test(core_link, addrealm_without_an_answer_in_time) {
    uint32_t slot = add_realm();
    desk_wait_ms(desk, HANDSHAKE_MS - 1);
    cr_assert(desk_reply(desk, DESK_ADMIN, slot) == NULL);
    desk_wait_ms(desk, 1);
    expect_unreachable(slot, "timed out");
    expect_nothing_stored();
    slot = add_realm();
    desk_dialled(desk, b.dial.number);
    desk_wait_ms(desk, HANDSHAKE_MS);
    expect_unreachable(slot, "timed out");
    expect_nothing_stored();
    peer_message_t welcome = puppet_message(&b, PEER_WELCOME);
    puppet_answer(&b, &welcome);
    desk_expect(desk, DESK_ADMIN, "LISTREALM", EMPTY);
}

Test(core_link, requests_behind_addrealm_wait_for_it) {
    uint32_t slot = add_realm();
    uint32_t behind = desk_say(desk, DESK_ADMIN, "CHECKREALM");
    cr_assert(desk_reply(desk, DESK_ADMIN, behind) == NULL);
    desk_expect(desk, DESK_ADMIN + 1, "CHECKREALM", EMPTY);
    puppet_welcomes(&b);
    desk_expect_reply(desk, DESK_ADMIN, slot, OK);
    desk_expect_reply(desk, DESK_ADMIN, behind, "{*\"realm\":\"b\"*}");
}

Test(core_link, addrealm_of_a_connection_that_went_away) {
    (void)add_realm();
    desk_close(desk, DESK_ADMIN);
    puppet_welcomes(&b);
    desk_expect(desk, DESK_ADMIN + 1, "CHECKREALM", "{*\"realm\":\"b\"*}");
}

Test(core_link, addrealm_again_updates_the_address) {
    puppet_link(&b);
    uint64_t old = b.dial.number;
    uint32_t slot = desk_say(desk, DESK_ADMIN, "ADDREALM b 127.0.0.2 9103");
    cr_assert(puppet_dialled(&b));
    cr_assert(desk_dial_of(desk, DIAL_CLOSE) == NULL, "the old one stays until the new one is up");
    puppet_welcomes(&b);
    desk_expect_reply(desk, DESK_ADMIN, slot, OK);
    cr_assert_eq(desk_dial_of(desk, DIAL_CLOSE)->dial, old);
    expect_row("{*\"address\":\"127.0.0.2\",\"port\":9103,\"state\":\"up\",*}");
    desk_restart(desk);
    expect_row("{*\"address\":\"127.0.0.2\",\"port\":9103,*}");
}

Test(core_link, addrealm_again_that_fails_leaves_the_link_as_it_is) {
    puppet_link(&b);
    uint64_t writes = paper_store_writes(desk->store);
    uint32_t slot = desk_say(desk, DESK_ADMIN, "ADDREALM b 127.0.0.2 9103");
    desk_dial_lost(desk, desk_dial_of(desk, DIAL_OPEN)->dial, DIAL_REFUSED);
    expect_unreachable(slot, "refused");
    expect_row("{*\"address\":\"127.0.0.1\",\"port\":9102,\"state\":\"up\",*}");
    cr_assert_eq(paper_store_writes(desk->store), writes);
    cr_assert(desk_dial_of(desk, DIAL_DENY) == NULL);
}

Test(core_link, name_pinned_otherwise_while_the_handshake_ran) {
    uint32_t slot = add_realm();
    desk_expect(desk, DESK_ADMIN + 1, trust_line("b", "c"), OK);
    puppet_welcomes(&b);
    desk_expect_reply(desk, DESK_ADMIN, slot, REALM_KEY);
    const dial_effect_t *deny = desk_dial_of(desk, DIAL_DENY);
    cr_assert(deny != NULL && memcmp(deny->key, b.dial.key, KEY_BYTES) == 0);
    desk_expect(desk, DESK_ADMIN, "CHECKREALM", EMPTY);
}

static void expect_welcome(peer_refusal_t refusal) {
    const peer_message_t *welcome = puppet_hears(&b, PEER_WELCOME);
    cr_assert_eq(welcome->welcome.refusal, refusal, "refusal %d", (int)welcome->welcome.refusal);
}

Test(core_link, ackrealm_of_a_pinned_realm_makes_the_link) {
    trust("b", "b", OK);
    peer_message_t message = puppet_message(&b, PEER_ACKREALM);
    message.correlation = 5;
    puppet_call(&b, &message);
    expect_welcome(REFUSAL_NONE);
    cr_assert_eq(b.heard.correlation, 5);
    cr_assert_str_eq(b.heard.welcome.from.text, "a");
    cr_assert(puppet_dialled(&b), "we dial back");
    cr_assert_eq(desk_dial_of(desk, DIAL_OPEN)->address.port, 9102);
    puppet_welcomes(&b);
    expect_row("{*\"realm\":\"b\",*\"state\":\"up\",*}");
}

Test(core_link, ackrealm_that_means_another_realm) {
    trust("b", "b", OK);
    uint64_t writes = paper_store_writes(desk->store);
    peer_message_t message = puppet_message(&b, PEER_ACKREALM);
    message.ackrealm.realm = name_of("c");
    puppet_call(&b, &message);
    expect_welcome(REFUSAL_NAME);
    cr_assert_eq(b.heard.welcome.from.length, 0, "it does not learn our name");
    cr_assert_eq(paper_store_writes(desk->store), writes);
}

Test(core_link, ackrealm_of_an_unknown_key) {
    peer_message_t message = puppet_message(&b, PEER_ACKREALM);
    puppet_call(&b, &message);
    expect_welcome(REFUSAL_KEY);
    cr_assert_eq(paper_store_writes(desk->store), 0);
    cr_assert(desk_dial_of(desk, DIAL_OPEN) == NULL);
}

Test(core_link, impostor_gets_nowhere) {
    puppet_t impostor;
    for (unsigned any = 0; any < 2; any++) {
        desk_crash(desk);
        desk->options.accept_any = any != 0;
        desk_start(desk);
        trust("b", "b", OK);
        uint64_t writes = paper_store_writes(desk->store);
        puppet_init(&impostor, desk, "mallory");
        impostor.name = name_of("b");
        peer_message_t message = puppet_message(&impostor, PEER_ACKREALM);
        puppet_call(&impostor, &message);
        expect_welcome(REFUSAL_KEY);
        cr_assert_eq(paper_store_writes(desk->store), writes);
    }
}

Test(core_link, known_key_cannot_take_another_name) {
    trust("b", "b", OK);
    desk_crash(desk);
    desk->options.accept_any = true;
    desk_start(desk);
    uint64_t writes = paper_store_writes(desk->store);
    peer_message_t message = puppet_message(&b, PEER_ACKREALM);
    message.ackrealm.from = name_of("c");
    puppet_call(&b, &message);
    expect_welcome(REFUSAL_KEY);
    message.ackrealm.from = name_of("a");
    puppet_call(&b, &message);
    expect_welcome(REFUSAL_KEY);
    cr_assert_eq(paper_store_writes(desk->store), writes);
}

static void accept_any(void) {
    desk_crash(desk);
    desk->options.accept_any = true;
    desk_start(desk);
}

Test(core_link, first_key_under_a_free_name_is_pinned_if_any_is_accepted) {
    accept_any();
    peer_message_t message = puppet_message(&b, PEER_ACKREALM);
    puppet_call(&b, &message);
    expect_welcome(REFUSAL_NONE);
    desk_crash(desk);
    desk->options.accept_any = false;
    desk_start(desk);
    puppet_call(&b, &message);
    expect_welcome(REFUSAL_NONE);
    trust("b", "c", REALM_KEY);
}

Test(core_link, own_name_is_never_free) {
    accept_any();
    peer_message_t message = puppet_message(&b, PEER_ACKREALM);
    message.ackrealm.from = name_of("a");
    puppet_call(&b, &message);
    expect_welcome(REFUSAL_KEY);
    cr_assert_eq(paper_store_writes(desk->store), 0);
}

Test(core_link, only_so_many_links) {
    puppet_t each;
    accept_any();
    for (unsigned i = 0; i <= LINKS_MAX; i++) {
        puppet_init(&each, desk, desk_text(desk, "r%u", i));
        peer_message_t message = puppet_message(&each, PEER_ACKREALM);
        puppet_call(&each, &message);
        expect_welcome(i < LINKS_MAX ? REFUSAL_NONE : REFUSAL_FULL);
    }
    trust("b", "b", "{*\"code\":\"BUSY\"}");
}

Test(core_link, ackrealm_over_our_own_dial_is_no_request) {
    puppet_link(&b);
    peer_message_t message = puppet_message(&b, PEER_ACKREALM);
    puppet_answer(&b, &message);
    cr_assert(!puppet_would_hear(&b, PEER_WELCOME));
}

static void expect_error(peer_refusal_t refusal) {
    cr_assert_eq(puppet_hears(&b, PEER_ERROR)->error.refusal, refusal);
}

Test(core_link, who_is_not_linked_is_told_to_introduce_itself) {
    for (unsigned pinned = 0; pinned < 2; pinned++) {
        for (peer_kind_t kind = PEER_WELCOME; kind < PEER_ERROR; kind++) {
            peer_message_t message = puppet_message(&b, kind);
            message.correlation = 9;
            puppet_call(&b, &message);
            expect_error(REFUSAL_UNLINKED);
            cr_assert_eq(b.heard.correlation, 9);
        }
        trust("b", "b", OK);
    }
    peer_message_t message = puppet_message(&b, PEER_ERROR);
    message.error.refusal = REFUSAL_UNLINKED;
    puppet_call(&b, &message);
    cr_assert(!puppet_would_hear(&b, PEER_ERROR), "errors are not answered");
    desk_expect(desk, DESK_ADMIN, "CHECKSERVER", "{*\"peer_messages\":15,\"peer_errors\":14,*}");
}

Test(core_link, garbage_is_answered_and_counted) {
    puppet_link(&b);
    desk_hear_bytes(desk, &b.route, (span_t){"halo", 4});
    cr_assert(puppet_would_hear(&b, PEER_ERROR));
    desk_hear_bytes(desk, &b.route, (span_t){"\x7fhalo dunia", 11});
    cr_assert(puppet_would_hear(&b, PEER_ERROR));
    desk_hear_bytes(desk, &b.dial, (span_t){"halo", 4});
    cr_assert(!puppet_would_hear(&b, PEER_ERROR));
    desk_expect(desk, DESK_ADMIN, "CHECKSERVER", "{*\"peer_errors\":3,*}");
    expect_row("{*\"state\":\"up\"*}");
}

Test(core_link, frames_of_dials_that_are_no_more) {
    puppet_link(&b);
    puppet_t old = b;
    old.dial.number = 1000;
    for (peer_kind_t kind = PEER_ACKREALM; kind < PEER_KIND_COUNT; kind++) {
        peer_message_t message = puppet_message(&old, kind);
        puppet_answer(&old, &message);
    }
    desk_dialled(desk, 1000);
    desk_dial_lost(desk, 1000, DIAL_BROKEN);
    expect_row("{*\"state\":\"up\"*}");
}

/* Answers the newest heartbeat. */
static void pong(uint64_t stamp_more) {
    peer_message_t answer = puppet_message(&b, PEER_PONG);
    (void)puppet_hears(&b, PEER_PING);
    answer.correlation = b.heard.correlation;
    answer.ping.stamp = b.heard.ping.stamp + stamp_more;
    puppet_answer(&b, &answer);
}

Test(core_link, heartbeats_each_second_measure_the_way) {
    puppet_link(&b);
    for (unsigned i = 0; i < 5; i++) {
        desk_wait_ms(desk, 3);
        pong(0);
        expect_row("{*\"state\":\"up\",\"rtt_ms\":3.0,*}");
        cr_assert(!puppet_would_hear(&b, PEER_PING), "one each second");
        desk_wait_ms(desk, HEARTBEAT_MS - 3);
    }
}

Test(core_link, peer_may_lie_about_the_stamp) {
    puppet_link(&b);
    desk_wait_ms(desk, 1);
    pong(UINT64_MAX / 2 + 1);
    expect_row("{*\"state\":\"up\"*}");
    desk_wait_ms(desk, HEARTBEAT_MS);
    pong(UINT64_MAX / 2);
    desk_wait_ms(desk, HEARTBEAT_MS);
    pong(1000000);
    expect_row("{*\"state\":\"up\"*}");
}

Test(core_link, three_missed_heartbeats_are_down) {
    puppet_link(&b);
    desk_wait_ms(desk, HEARTBEATS_MISSED_MAX * HEARTBEAT_MS - 1);
    expect_row("{*\"state\":\"up\"*}");
    desk_wait_ms(desk, 1);
    expect_row("{*\"state\":\"down\",\"rtt_ms\":null,*\"error\":\"timed out\"}]}");
    cr_assert_eq(desk_dial_of(desk, DIAL_CLOSE)->dial, b.dial.number);
    cr_assert_str_eq(desk_log_of(desk, "link-down")->reason, "timed out");
}

Test(core_link, slow_peer_is_not_a_dead_one) {
    puppet_link(&b);
    peer_message_t answer = puppet_message(&b, PEER_PONG);
    desk_wait_ms(desk, HEARTBEAT_MS / 2);
    for (unsigned i = 0; i < 10; i++) {
        /* The answer to each comes when the next one is out already. */
        (void)puppet_hears(&b, PEER_PING);
        answer.correlation = b.heard.correlation;
        answer.ping.stamp = b.heard.ping.stamp;
        desk_wait_ms(desk, HEARTBEAT_MS);
        puppet_answer(&b, &answer);
    }
    expect_row("{*\"state\":\"up\",\"rtt_ms\":1500.0,*}");
}

Test(core_link, pongs_of_nothing_count_for_nothing) {
    puppet_link(&b);
    peer_message_t answer = puppet_message(&b, PEER_PONG);
    for (unsigned i = 0; i < HEARTBEATS_MISSED_MAX; i++) {
        answer.correlation = i == 0 ? 0 : UINT64_MAX;
        puppet_answer(&b, &answer);
        puppet_call(&b, &answer);
        desk_wait_ms(desk, HEARTBEAT_MS);
    }
    expect_row("{*\"state\":\"down\"*}");
}

Test(core_link, ping_of_the_peer_is_answered_with_what_is_queued) {
    puppet_link(&b);
    peer_message_t ping = puppet_message(&b, PEER_PING);
    ping.correlation = 3;
    ping.ping.stamp = 12345;
    puppet_call(&b, &ping);
    (void)puppet_hears(&b, PEER_PONG);
    cr_assert_eq(b.heard.correlation, 3);
    cr_assert_eq(b.heard.ping.stamp, 12345);
    cr_assert_eq(b.heard.ping.pending, 0);
    desk_user(desk, 1, "alice");
    desk_dial_lost(desk, b.dial.number, DIAL_BROKEN);
    desk_expect(desk, 1, "SENDREALM b bob halo", "{*queued*}");
    puppet_call(&b, &ping);
    cr_assert_eq(puppet_hears(&b, PEER_PONG)->ping.pending, 1);
}

/* How long the desk waits from now on until it dials again. */
static int64_t wait_for_dial_ms(void) {
    for (int64_t ms = 0; ms <= RECONNECT_MS_MAX; ms++) {
        if (puppet_dialled(&b))
            return ms;
        desk_wait_ms(desk, 1);
    }
    cr_assert_fail("it does not dial again");
    return 0;
}

static void expect_backoff_up_to(int64_t limit_ms) {
    int64_t most_ms = RECONNECT_MS_MIN;
    int64_t at_the_most[8];
    for (unsigned i = 0; i < 16; i++) {
        int64_t waited_ms = wait_for_dial_ms();
        cr_assert(waited_ms >= most_ms / 2 && waited_ms <= most_ms + 1, "%d of %d", (int)waited_ms,
                  (int)most_ms);
        at_the_most[i % 8] = waited_ms;
        most_ms = most_ms * 2 > limit_ms ? limit_ms : most_ms * 2;
        desk_dial_lost(desk, b.dial.number, DIAL_REFUSED);
    }
    cr_assert_neq(at_the_most[6], at_the_most[7], "they differ");
}

Test(core_link, backoff_grows_to_a_second_with_jitter) {
    puppet_link(&b);
    desk_dial_lost(desk, b.dial.number, DIAL_BROKEN);
    expect_backoff_up_to(RECONNECT_MS_CALM);
    expect_row("{*\"state\":\"down\",*\"error\":\"refused\"}]}");
}

/* Links of which nothing more is heard. */
static void add_dead_links(unsigned count) {
    record_t *records = memory_alloc(count * sizeof(*records));
    for (unsigned i = 0; i < count; i++) {
        realm_record_t *realm = &records[i].realm;
        records[i].kind = RECORD_REALM;
        realm->id = i + 2;
        realm->linked = true;
        realm->name.length = (uint8_t)snprintf(realm->name.text, NAME_BYTES_MAX, "dead%u", i);
        memcpy(realm->key, &records[i].realm.id, sizeof(realm->id));
        realm->address.length = 4;
        memcpy(realm->address.text, "dead", 4);
        realm->address.port = 9100;
    }
    cr_assert_eq(store_commit(desk->store, records, count), STORE_OK);
    memory_free(records);
    desk_restart(desk);
}

Test(core_link, backoff_grows_the_more_links_are_down) {
    puppet_link(&b);
    add_dead_links(99);
    cr_assert(puppet_dialled(&b));
    desk_dial_lost(desk, b.dial.number, DIAL_REFUSED);
    expect_backoff_up_to(100 * RECONNECT_MS_PER_LINK);
}

static void fail_often(void) {
    for (unsigned i = 0; i < 12; i++) {
        desk_dial_lost(desk, b.dial.number, DIAL_REFUSED);
        (void)wait_for_dial_ms();
    }
    desk_dial_lost(desk, b.dial.number, DIAL_REFUSED);
}

Test(core_link, sign_of_life_ends_a_long_backoff) {
    puppet_link(&b);
    add_dead_links(999);
    cr_assert(puppet_dialled(&b));
    fail_often();
    peer_message_t ping = puppet_message(&b, PEER_PING);
    puppet_call(&b, &ping);
    cr_assert_leq(wait_for_dial_ms(), RECONNECT_MS_MIN + 1);
    desk_dial_lost(desk, b.dial.number, DIAL_REFUSED);
    cr_assert_leq(wait_for_dial_ms(), HEARTBEAT_MS, "and it starts anew from there");
}

Test(core_link, introduction_ends_a_backoff_at_once) {
    puppet_link(&b);
    fail_often();
    peer_message_t message = puppet_message(&b, PEER_ACKREALM);
    message.ackrealm.source.port = 9109;
    puppet_call(&b, &message);
    cr_assert(puppet_dialled(&b));
    cr_assert_eq(desk_dial_of(desk, DIAL_OPEN)->address.port, 9109, "at the address it tells");
}

Test(core_link, peer_that_cannot_be_dialled_is_not_dialled_all_the_time) {
    unsigned dials = 0;
    puppet_link(&b);
    desk_dial_lost(desk, b.dial.number, DIAL_BROKEN);
    peer_message_t ping = puppet_message(&b, PEER_PING);
    for (unsigned i = 0; i < 300; i++) {
        puppet_call(&b, &ping);
        if (puppet_dialled(&b)) {
            dials += 1;
            desk_dial_lost(desk, b.dial.number, DIAL_REFUSED);
        }
        desk_wait_ms(desk, 100);
    }
    cr_assert(dials >= 20 && dials <= 80, "%u dials in 30 s", dials);
}

Test(core_link, dial_or_greeting_without_an_answer_is_given_up) {
    puppet_link(&b);
    desk_dial_lost(desk, b.dial.number, DIAL_BROKEN);
    (void)wait_for_dial_ms();
    desk_wait_ms(desk, HANDSHAKE_MS);
    cr_assert_eq(desk_dial_of(desk, DIAL_CLOSE)->dial, b.dial.number);
    expect_row("{*\"error\":\"timed out\"}]}");
    (void)wait_for_dial_ms();
    desk_dialled(desk, b.dial.number);
    desk_wait_ms(desk, HANDSHAKE_MS);
    cr_assert_eq(desk_dial_of(desk, DIAL_CLOSE)->dial, b.dial.number);
}

Test(core_link, welcome_may_refuse_a_link_that_was_there) {
    puppet_link(&b);
    desk_dial_lost(desk, b.dial.number, DIAL_BROKEN);
    (void)wait_for_dial_ms();
    desk_dialled(desk, b.dial.number);
    peer_message_t welcome = puppet_message(&b, PEER_WELCOME);
    welcome.welcome.refusal = REFUSAL_KEY;
    puppet_answer(&b, &welcome);
    expect_row("{*\"state\":\"down\",*\"error\":\"key not accepted by the peer\"}]}");
    (void)wait_for_dial_ms();
    puppet_welcomes(&b);
    expect_row("{*\"state\":\"up\",*\"error\":null}]}");
}

Test(core_link, peer_that_lost_the_link_is_introduced_to_anew) {
    puppet_link(&b);
    peer_message_t error = puppet_message(&b, PEER_ERROR);
    error.error.refusal = REFUSAL_UNLINKED;
    puppet_call(&b, &error);
    expect_row("{*\"state\":\"up\"*}");
    puppet_answer(&b, &error);
    expect_row("{*\"state\":\"down\",*\"error\":\"the peer has no link with this realm\"}]}");
    (void)wait_for_dial_ms();
    desk_dialled(desk, b.dial.number);
    (void)puppet_hears(&b, PEER_ACKREALM);
}

Test(core_link, second_welcome_changes_nothing) {
    puppet_link(&b);
    peer_message_t welcome = puppet_message(&b, PEER_WELCOME);
    puppet_answer(&b, &welcome);
    puppet_call(&b, &welcome);
    welcome.welcome.refusal = REFUSAL_KEY;
    puppet_answer(&b, &welcome);
    expect_row("{*\"state\":\"up\"*}");
}

Test(core_link, delrealm_forgets_the_key) {
    desk_expect(desk, DESK_ADMIN, "DELREALM b", "{*\"code\":\"NO_REALM\"}");
    desk_expect(desk, DESK_ADMIN, "DELREALM _", BAD_NAME);
    trust("b", "b", OK);
    desk_expect(desk, DESK_ADMIN, "DELREALM b",
                "{\"status\":\"OK\",\"data\":\"Delete realm berhasil\"}");
    cr_assert(memcmp(desk_dial_of(desk, DIAL_DENY)->key, b.route.key, KEY_BYTES) == 0);
    peer_message_t message = puppet_message(&b, PEER_ACKREALM);
    puppet_call(&b, &message);
    expect_welcome(REFUSAL_KEY);
    trust("b", "c", OK);
    trust("d", "b", OK);
    desk_restart(desk);
    trust("b", "c", OK);
    trust("d", "b", OK);
}

Test(core_link, delrealm_hangs_up) {
    puppet_link(&b);
    desk_expect(desk, DESK_ADMIN, "DELREALM b", OK);
    cr_assert_eq(desk_dial_of(desk, DIAL_CLOSE)->dial, b.dial.number);
    peer_message_t ping = puppet_message(&b, PEER_PING);
    puppet_answer(&b, &ping);
    puppet_call(&b, &ping);
    expect_error(REFUSAL_UNLINKED);
    desk_wait_ms(desk, 60000);
    cr_assert(!puppet_dialled(&b));
    desk_restart(desk);
    cr_assert(!puppet_dialled(&b));
}

Test(core_link, delrealm_while_the_dial_is_under_way) {
    puppet_link(&b);
    desk_dial_lost(desk, b.dial.number, DIAL_BROKEN);
    (void)wait_for_dial_ms();
    desk_expect(desk, DESK_ADMIN, "DELREALM b", OK);
    cr_assert_eq(desk_dial_of(desk, DIAL_CLOSE)->dial, b.dial.number);
    desk_dialled(desk, b.dial.number);
    desk_dial_lost(desk, b.dial.number, DIAL_BROKEN);
    cr_assert(!puppet_would_hear(&b, PEER_ACKREALM));
}

Test(core_link, names_of_links_that_ended_can_be_used_again_and_again) {
    for (unsigned i = 0; i < 5; i++) {
        puppet_link(&b);
        desk_expect(desk, DESK_ADMIN, "DELREALM b", OK);
        if (i % 2 == 0)
            desk_restart(desk);
    }
    cr_assert_eq(paper_store_rows(desk->store, RECORD_REALM), 1);
}

Test(core_link, clock_of_the_realm_may_jump) {
    puppet_link(&b);
    desk->skew_ms = -1000LL * 3600 * 24 * 365;
    desk_wait_ms(desk, 10);
    pong(0);
    desk->skew_ms = 1000LL * 3600 * 24 * 365 * 100;
    desk_wait_ms(desk, HEARTBEAT_MS);
    pong(0);
    expect_row("{*\"state\":\"up\"*}");
}
