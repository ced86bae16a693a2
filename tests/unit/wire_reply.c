/* links: base wire */
/*
 * Replies come out byte for byte as the protocol says, and always as valid JSON.
 */
#include "base/code.h"
#include "base/text.h"
#include "wire/reply.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

static buffer_t out;
static name_t own;

static void prepare(void) {
    buffer_init(&out);
    cr_assert(name_parse(&own, span_of("a")));
}

static void clean_up(void) {
    buffer_deinit(&out);
}

TestSuite(reply, .init = prepare, .fini = clean_up);
TestSuite(page, .init = prepare, .fini = clean_up);
TestSuite(json, .init = prepare, .fini = clean_up);

static name_t named(const char *text) {
    name_t name;
    cr_assert(name_parse(&name, span_of(text)));
    return name;
}

/* What was written so far as a C string; starts anew. */
static const char *written(void) {
    buffer_append(&out, "", 1);
    buffer_reset(&out);
    return out.bytes;
}

static const char *write_reply(const reply_t *reply) {
    reply_write(&out, reply, &own, NULL);
    return written();
}

#define OK_DATA(json) "{\"status\":\"OK\",\"data\":" json "}\r\n\r\n"
#define OK_TEXT(text) "{\"status\":\"OK\",\"data\":\"" text "\"}\r\n\r\n"
#define REFUSAL(text, code)                                                                        \
    "{\"status\":\"ERROR\",\"data\":\"" text "\",\"code\":\"" code "\"}\r\n\r\n"

Test(reply, says_ok_with_a_text) {
    reply_t reply = {.kind = REPLY_TEXT, .text.text = span_of("PONG")};
    cr_assert_str_eq(write_reply(&reply), OK_TEXT("PONG"));
    reply.text.text = span_of("");
    cr_assert_str_eq(write_reply(&reply), OK_TEXT(""));
    reply.text.text = span_of("a \"b\"\\\n\x01\xC3\xA9");
    cr_assert_str_eq(write_reply(&reply), OK_TEXT("a \\\"b\\\"\\\\\\n\\u0001\xC3\xA9"));
}

Test(reply, gives_id_and_delivery_behind_the_text) {
    reply_t reply = {.kind = REPLY_TEXT, .text = {.text = span_of("Message sent"), .number = 7}};
    cr_assert_str_eq(write_reply(&reply),
                     "{\"status\":\"OK\",\"data\":\"Message sent\",\"id\":\"a:7\"}\r\n\r\n");
    reply.text.text = span_of("Pesan realm dikirim");
    reply.text.number = UINT64_MAX;
    reply.text.delivery = DELIVERY_DELIVERED;
    cr_assert_str_eq(write_reply(&reply),
                     "{\"status\":\"OK\",\"data\":\"Pesan realm dikirim\","
                     "\"id\":\"a:18446744073709551615\",\"delivery\":\"delivered\"}\r\n\r\n");
    reply.text.number = 10;
    reply.text.delivery = DELIVERY_QUEUED;
    cr_assert_str_eq(write_reply(&reply), "{\"status\":\"OK\",\"data\":\"Pesan realm dikirim\","
                                          "\"id\":\"a:10\",\"delivery\":\"queued\"}\r\n\r\n");
}

Test(reply, says_error_with_code_usage_and_reason) {
    reply_t reply = {.kind = REPLY_ERROR, .error.code = CODE_NO_USER};
    cr_assert_str_eq(write_reply(&reply), REFUSAL("user tidak ditemukan", "NO_USER"));
    reply.error.code = CODE_PROTOCOL;
    reply.error.usage = "SEND <user> <message>";
    cr_assert_str_eq(
        write_reply(&reply),
        "{\"status\":\"ERROR\",\"data\":\"protokol tidak benar\",\"code\":\"PROTOCOL\","
        "\"usage\":\"SEND <user> <message>\"}\r\n\r\n");
    reply.error.code = CODE_REALM_UNREACHABLE;
    reply.error.usage = NULL;
    reply.error.reason = "connection refused";
    cr_assert_str_eq(write_reply(&reply),
                     "{\"status\":\"ERROR\",\"data\":\"realm tidak dapat dihubungi\","
                     "\"code\":\"REALM_UNREACHABLE\",\"reason\":\"connection refused\"}\r\n\r\n");
}

Test(reply, says_what_came_of_a_broadcast) {
    broadcast_status_t rows[] = {{.realm = named("b"), .number = 7, .delivery = DELIVERY_DELIVERED},
                                 {.realm = named("c"), .number = 8, .delivery = DELIVERY_QUEUED},
                                 {.realm = named("d"), .number = 9, .code = CODE_GROUP_MISMATCH},
                                 {.realm = named("e"), .code = CODE_QUEUE_FULL}};
    reply_t reply = {.kind = REPLY_BROADCAST, .broadcast = {.text = "terkirim", .rows = rows}};
    cr_assert_str_eq(write_reply(&reply),
                     "{\"status\":\"OK\",\"data\":\"terkirim\",\"realms\":[]}\r\n\r\n");
    reply.broadcast.count = 4;
    cr_assert_str_eq(write_reply(&reply),
                     "{\"status\":\"OK\",\"data\":\"terkirim\",\"realms\":["
                     "{\"realm\":\"b\",\"id\":\"a:7\",\"delivery\":\"delivered\"},"
                     "{\"realm\":\"c\",\"id\":\"a:8\",\"delivery\":\"queued\"},"
                     "{\"realm\":\"d\",\"error\":\"GROUP_MISMATCH\"},"
                     "{\"realm\":\"e\",\"error\":\"QUEUE_FULL\"}]}\r\n\r\n");
    /* The commit failed in which the verdicts came: whatever has an id goes. */
    reply.broadcast.unsure = true;
    reply.ref = span_of("r");
    cr_assert_str_eq(write_reply(&reply),
                     "{\"status\":\"OK\",\"data\":\"terkirim\",\"realms\":["
                     "{\"realm\":\"b\",\"id\":\"a:7\",\"delivery\":\"queued\"},"
                     "{\"realm\":\"c\",\"id\":\"a:8\",\"delivery\":\"queued\"},"
                     "{\"realm\":\"d\",\"id\":\"a:9\",\"delivery\":\"queued\"},"
                     "{\"realm\":\"e\",\"error\":\"QUEUE_FULL\"}],"
                     "\"ref\":\"r\"}\r\n\r\n");
}

Test(reply, has_the_ref_of_its_request_last) {
    reply_t text = {.kind = REPLY_TEXT, .text = {.text = span_of("PONG"), .number = 7}};
    text.text.delivery = DELIVERY_QUEUED;
    text.ref = span_of("x-1");
    cr_assert_str_eq(write_reply(&text), "{\"status\":\"OK\",\"data\":\"PONG\",\"id\":\"a:7\","
                                         "\"delivery\":\"queued\",\"ref\":\"x-1\"}\r\n\r\n");
    reply_t error = {.kind = REPLY_ERROR, .ref = span_of("x-2")};
    error.error.code = CODE_PROTOCOL;
    error.error.usage = "PING";
    cr_assert_str_eq(write_reply(&error),
                     "{\"status\":\"ERROR\",\"data\":\"protokol tidak benar\","
                     "\"code\":\"PROTOCOL\",\"usage\":\"PING\",\"ref\":\"x-2\"}\r\n\r\n");
    reply_t list = {.kind = REPLY_USERS, .ref = span_of("x-3")};
    cr_assert_str_eq(write_reply(&list), "{\"status\":\"OK\",\"data\":[],\"ref\":\"x-3\"}\r\n\r\n");
    reply_page_begin(&out);
    reply_page_end(&out, true, true, span_of("x-4"));
    cr_assert_str_eq(written(), "{\"status\":\"OK\",\"data\":[],\"more\":true,\"stale\":true,"
                                "\"ref\":\"x-4\"}\r\n\r\n");
}

/* The table of the protocol, letter for letter. */
Test(reply, has_the_text_of_every_code) {
    static const char *const table[CODE_COUNT][2] = {
        {NULL, NULL},
        {"PROTOCOL", "protokol tidak benar"},
        {"TOO_LONG", "permintaan terlalu panjang"},
        {"BAD_NAME", "nama tidak sah"},
        {"BAD_TEXT", "teks bukan UTF-8"},
        {"AUTH_REQUIRED", "belum terautentikasi"},
        {"AUTH_FAILED", "user atau password salah"},
        {"FORBIDDEN", "tidak diizinkan"},
        {"SERVER_ONLY", "hanya untuk antar server"},
        {"USER_EXISTS", "user sudah ada"},
        {"NO_USER", "user tidak ditemukan"},
        {"GROUP_EXISTS", "group sudah ada"},
        {"NO_GROUP", "group tidak ditemukan"},
        {"GROUP_PASSWORD", "password group salah"},
        {"ALREADY_MEMBER", "sudah menjadi anggota group"},
        {"NOT_MEMBER", "bukan anggota group"},
        {"NO_REALM", "realm tidak ditemukan"},
        {"REALM_UNREACHABLE", "realm tidak dapat dihubungi"},
        {"REALM_KEY", "kunci realm tidak dikenal"},
        {"GROUP_MISMATCH", "group di realm tujuan berbeda"},
        {"QUEUE_FULL", "antrian realm penuh"},
        {"STORE", "penyimpanan gagal"},
        {"BUSY", "server sibuk"},
        {"EXPIRED", "waktu pengiriman habis"},
    };
    cr_assert_null(code_word(CODE_OK));
    cr_assert_null(code_text(CODE_OK));
    cr_assert_null(code_word(CODE_COUNT));
    cr_assert_null(code_text((code_t)-1));
    for (unsigned code = 1; code < CODE_COUNT; code++) {
        char expected[256];
        cr_assert_str_eq(code_word((code_t)code), table[code][0]);
        cr_assert_str_eq(code_text((code_t)code), table[code][1]);
        (void)snprintf(expected, sizeof(expected), REFUSAL("%s", "%s"), table[code][1],
                       table[code][0]);
        reply_write_error(&out, (code_t)code);
        cr_assert_str_eq(written(), expected);
    }
}

static message_t message_of(const char *from, const char *to, const char *text) {
    return (message_t){.seq = 17,
                       .number = 1042,
                       .time_ms = 1795341600123,
                       .from = span_of(from),
                       .to = span_of(to),
                       .text = span_of(text)};
}

Test(page, may_be_empty) {
    reply_page_begin(&out);
    reply_page_end(&out, false, false, (span_t){0});
    cr_assert_str_eq(written(), OK_DATA("[]"));
    reply_page_begin(&out);
    reply_page_end(&out, false, true, (span_t){0});
    cr_assert_str_eq(written(), "{\"status\":\"OK\",\"data\":[],\"stale\":true}\r\n\r\n");
}

Test(page, shows_a_private_message) {
    message_t message = message_of("alice", "bob", "halo");
    message.realm = span_of("b");
    reply_page_begin(&out);
    reply_page_message(&out, &message, &own, true);
    reply_page_end(&out, false, false, (span_t){0});
    cr_assert_str_eq(written(),
                     OK_DATA("[{\"seq\":17,\"id\":\"a:1042\",\"from\":\"alice@a\",\"to\":\"bob@b\","
                             "\"time\":\"2026-11-22T10:00:00.123Z\",\"message\":\"halo\"}]"));
}

Test(page, shows_messages_of_groups_and_of_other_realms_in_order) {
    message_t message = message_of("carol", "tim", "\"hai\"");
    message.group = true;
    message.origin = span_of("c");
    message_t second = message_of("carol", "bob", "dua");
    second.origin = span_of("c");
    second.seq = 18;
    second.number = 1;
    reply_page_begin(&out);
    reply_page_message(&out, &message, &own, true);
    reply_page_message(&out, &second, &own, false);
    reply_page_end(&out, true, true, (span_t){0});
    cr_assert_str_eq(written(),
                     "{\"status\":\"OK\",\"data\":["
                     "{\"seq\":17,\"id\":\"c:1042\",\"from\":\"carol@c\",\"group\":\"tim\","
                     "\"time\":\"2026-11-22T10:00:00.123Z\",\"message\":\"\\\"hai\\\"\"},"
                     "{\"seq\":18,\"id\":\"c:1\",\"from\":\"carol@c\",\"to\":\"bob@a\","
                     "\"time\":\"2026-11-22T10:00:00.123Z\",\"message\":\"dua\"}],"
                     "\"more\":true,\"stale\":true}\r\n\r\n");
}

static realm_status_t linked_realm(void) {
    return (realm_status_t){.name = named("b"),
                            .address = {.length = 9, .text = "127.0.0.1", .port = 9102},
                            .up = true,
                            .linked = true,
                            .rtt_us = 400};
}

Test(reply, lists_realms) {
    realm_status_t rows[2] = {linked_realm(), linked_realm()};
    rows[1].name = named("c");
    rows[1].up = false;
    rows[1].rtt_us = -1;
    rows[1].queued = 12;
    rows[1].error = "tidak ada \"jawaban\"";
    const int64_t oldest_s[2] = {0, 93};
    reply_t reply = {.kind = REPLY_REALMS, .realms = {.count = 2, .rows = rows}};
    reply_write(&out, &reply, &own, oldest_s);
    cr_assert_str_eq(
        written(),
        OK_DATA("[{\"realm\":\"b\",\"address\":\"127.0.0.1\",\"port\":9102,\"state\":\"up\","
                "\"rtt_ms\":0.4,\"queued\":0,\"oldest_s\":0,\"error\":null},"
                "{\"realm\":\"c\",\"address\":\"127.0.0.1\",\"port\":9102,\"state\":\"down\","
                "\"rtt_ms\":null,\"queued\":12,\"oldest_s\":93,"
                "\"error\":\"tidak ada \\\"jawaban\\\"\"}]"));
}

Test(reply, lists_pinned_realms_with_their_keys) {
    realm_status_t row = {.name = named("d"), .rtt_us = -1};
    memset(row.key, 0xFF, sizeof(row.key));
    reply_t reply = {.kind = REPLY_REALMS, .realms = {.count = 1, .rows = &row, .with_keys = true}};
    cr_assert_str_eq(
        write_reply(&reply),
        OK_DATA("[{\"realm\":\"d\",\"address\":null,\"port\":null,\"state\":\"pinned\","
                "\"rtt_ms\":null,\"queued\":0,\"oldest_s\":0,\"error\":null,"
                "\"key\":\"__________________________________________8\"}]"));
    reply.realms.count = 0;
    cr_assert_str_eq(write_reply(&reply), OK_DATA("[]"));
}

Test(reply, shows_round_trips_short) {
    static const struct {
        int64_t rtt_us;
        const char *text;
    } cases[] = {{0, "0.0"}, {100, "0.1"}, {412, "0.412"}, {2000, "2.0"}, {1234567, "1234.567"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        realm_status_t row = linked_realm();
        char expected[32];
        row.rtt_us = cases[i].rtt_us;
        reply_t reply = {.kind = REPLY_REALMS, .realms = {.count = 1, .rows = &row}};
        (void)snprintf(expected, sizeof(expected), "\"rtt_ms\":%s,", cases[i].text);
        cr_assert_not_null(strstr(write_reply(&reply), expected), "%s", out.bytes);
    }
}

Test(reply, shows_an_unreadable_address_as_null) {
    realm_status_t row = linked_realm();
    memcpy(row.address.text, "\xFF\xFE", 3);
    reply_t reply = {.kind = REPLY_REALMS, .realms = {.count = 1, .rows = &row}};
    cr_assert_not_null(strstr(write_reply(&reply), "\"address\":null,\"port\":9102"));
}

Test(reply, lists_users_and_groups) {
    const user_status_t users[2] = {{.name = named("alice"), .is_operator = true},
                                    {.name = named("bob")}};
    reply_t reply = {.kind = REPLY_USERS, .users = {.count = 2, .rows = users}};
    cr_assert_str_eq(
        write_reply(&reply),
        OK_DATA("[{\"user\":\"alice\",\"operator\":true},{\"user\":\"bob\",\"operator\":false}]"));
    const name_t members[2] = {named("alice"), named("bob")};
    const group_status_t groups[2] = {{.name = named("tim"), .member_count = 2, .members = members},
                                      {.name = named("sepi")}};
    reply_t list = {.kind = REPLY_GROUPS, .groups = {.count = 2, .rows = groups}};
    cr_assert_str_eq(write_reply(&list),
                     OK_DATA("[{\"group\":\"tim\",\"members\":[\"alice\",\"bob\"]},"
                             "{\"group\":\"sepi\",\"members\":[]}]"));
}

Test(reply, helps) {
    const help_line_t line = {"SEND", "SEND <user> <message>", "kirim pesan"};
    reply_t reply = {.kind = REPLY_HELP, .help = {.count = 1, .rows = &line}};
    cr_assert_str_eq(write_reply(&reply),
                     OK_DATA("[{\"request\":\"SEND\",\"usage\":\"SEND <user> <message>\","
                             "\"help\":\"kirim pesan\"}]"));
}

Test(reply, tells_the_state_of_a_message) {
    static const char *const words[] = {"queued", "delivered", "rejected", "expired"};
    reply_t reply = {.kind = REPLY_MESSAGE_STATE, .state = {.number = 7, .time_ms = 1795341600123}};
    for (int state = 0; state < 4; state++) {
        char expected[256];
        reply.state.state = (message_state_t)state;
        (void)snprintf(expected, sizeof(expected),
                       OK_DATA("{\"id\":\"a:7\",\"state\":\"%s\","
                               "\"time\":\"2026-11-22T10:00:00.123Z\",\"reason\":null}"),
                       words[state]);
        cr_assert_str_eq(write_reply(&reply), expected);
    }
    reply.state.reason = "NO_USER";
    cr_assert_not_null(strstr(write_reply(&reply), "\"reason\":\"NO_USER\"}"));
}

Test(reply, tells_the_state_of_the_server) {
    server_status_t status = {.realm = own,
                              .uptime_ms = 1,
                              .users = 2,
                              .groups = 3,
                              .links = 4,
                              .sessions = 5,
                              .mailboxes = 6,
                              .messages = 7,
                              .queued = 8,
                              .requests = 9,
                              .peer_messages = 10,
                              .peer_errors = 11,
                              .requests_per_s = 2.0 / 3,
                              .messages_per_s = 100000,
                              .retention_ms = 12,
                              .forgotten = 13};
    reply_t reply = {.kind = REPLY_SERVER, .server.status = &status};
    for (unsigned i = 0; i < LIMIT_COUNT; i++)
        status.limits[i] = (limit_status_t){i, 100 + i, 200 + i};
    reply.server.front = (front_counters_t){1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    cr_assert_str_eq(write_reply(&reply),
                     OK_DATA("{\"realm\":\"a\",\"version\":\"" REALMGATE_VERSION
                             "\",\"uptime_ms\":1,"
                             "\"users\":2,\"groups\":3,\"links\":4,\"sessions\":5,\"mailboxes\":6,"
                             "\"messages\":7,\"queued\":8,\"requests\":9,\"peer_messages\":10,"
                             "\"peer_errors\":11,\"requests_per_s\":0.67,"
                             "\"messages_per_s\":100000.0,\"retention_ms\":12,\"forgotten\":13,"
                             "\"limits\":{"
                             "\"users\":{\"current\":0,\"maximum\":100,\"refused\":200},"
                             "\"groups\":{\"current\":1,\"maximum\":101,\"refused\":201},"
                             "\"members\":{\"current\":2,\"maximum\":102,\"refused\":202},"
                             "\"mailboxes\":{\"current\":3,\"maximum\":103,\"refused\":203},"
                             "\"outbox_records\":{\"current\":4,\"maximum\":104,\"refused\":204},"
                             "\"outbox_bytes\":{\"current\":5,\"maximum\":105,\"refused\":205},"
                             "\"links\":{\"current\":6,\"maximum\":106,\"refused\":206},"
                             "\"password_jobs\":{\"current\":7,\"maximum\":107,\"refused\":207},"
                             "\"logins\":{\"current\":8,\"maximum\":108,\"refused\":208},"
                             "\"deferred_bytes\":{\"current\":9,\"maximum\":109,\"refused\":209},"
                             "\"refs\":{\"current\":10,\"maximum\":110,\"refused\":210},"
                             "\"broadcast\":{\"current\":11,\"maximum\":111,\"refused\":211}},"
                             "\"connections\":{\"current\":1,\"maximum\":2,\"accepted\":3,"
                             "\"refused_full\":4,\"refused_address\":5,\"connections_limited\":6,"
                             "\"requests_limited\":7,\"login_timeouts\":8,\"stalled\":9,\"lagged\":"
                             "10,\"deaf\":11}}"));
}

static const char *as_json(const char *text, size_t length) {
    json_write_string(&out, (span_t){text, length});
    return written();
}

Test(json, escapes_only_what_it_must) {
    cr_assert_str_eq(as_json("", 0), "\"\"");
    cr_assert_str_eq(as_json("/<>&'\x7F\xE2\x80\xA8", 9), "\"/<>&'\x7F\xE2\x80\xA8\"");
    cr_assert_str_eq(as_json("\"\\\b\f\n\r\t", 7), "\"\\\"\\\\\\b\\f\\n\\r\\t\"");
    cr_assert_str_eq(as_json("\x01\x1F", 2), "\"\\u0001\\u001F\"");
    cr_assert_str_eq(as_json("\0", 1), "\"\\u0000\"");
}

static void check_read_back(const char *text, size_t length) {
    json_t *value = json_loads(as_json(text, length), JSON_DECODE_ANY, NULL);
    cr_assert_not_null(value);
    cr_assert_eq(json_string_length(value), length);
    cr_assert_arr_eq(json_string_value(value), text, length);
    json_decref(value);
}

/* Each byte at each place of texts of all lengths about a word's, read back by another
 * implementation. */
Test(json, is_read_back_unchanged) {
    for (unsigned byte = 1; byte < 0x80; byte++) {
        for (size_t length = 1; length <= 20; length++) {
            for (size_t at = 0; at < length; at++) {
                char text[20];
                memset(text, 'a', sizeof(text));
                text[at] = (char)byte;
                check_read_back(text, length);
            }
        }
    }
}

Test(json, has_room_for_what_grows_most) {
    char text[100];
    memset(text, 1, sizeof(text));
    for (size_t length = 1; length <= sizeof(text); length++) {
        buffer_deinit(&out);
        check_read_back(text, length);
    }
}

Test(json, writes_numbers) {
    json_write_number(&out, 0);
    buffer_text(&out, " ");
    json_write_number(&out, 1234567890);
    buffer_text(&out, " ");
    json_write_number(&out, UINT64_MAX);
    cr_assert_str_eq(written(), "0 1234567890 18446744073709551615");
}

Test(json, writes_numbers_of_any_length) {
    char expected[JSON_NUMBER_BYTES_MAX + 1];
    char at[JSON_NUMBER_BYTES_MAX + 1];
    uint64_t power = 1;
    for (int digits = 1; digits < JSON_NUMBER_BYTES_MAX; digits++, power *= 10) {
        for (uint64_t number = power - 1; number <= power + 1; number++) {
            (void)snprintf(expected, sizeof(expected), "%" PRIu64, number);
            *json_put_number(at, number) = '\0';
            cr_assert_str_eq(at, expected);
        }
        uint64_t bits = UINT64_MAX >> (64 - 3 * digits);
        (void)snprintf(expected, sizeof(expected), "%" PRIu64, bits);
        *json_put_number(at, bits) = '\0';
        cr_assert_str_eq(at, expected);
    }
}
