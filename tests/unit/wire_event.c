/* links: base wire */
/*
 * Events come out byte for byte as the protocol says, with the message as a page shows it.
 */
#include "base/text.h"
#include "wire/event.h"
#include "wire/reply.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
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

TestSuite(event, .init = prepare, .fini = clean_up);

/* What was written so far as a C string; starts anew. */
static const char *written(void) {
    buffer_append(&out, "", 1);
    buffer_reset(&out);
    return out.bytes;
}

Test(event, private_message) {
    message_t message = {.seq = 17, .number = 1042, .time_ms = 1795341600123LL};
    message.from = span_of("alice");
    message.to = span_of("bob");
    message.text = span_of("\"halo\"\\\x01\xC3\xA9");
    event_write_message(&out, span_of("INBOX"), &message, &own);
    cr_assert_str_eq(
        written(), "{\"event\":\"message\",\"mailbox\":\"INBOX\",\"data\":{\"seq\":17,\"id\":"
                   "\"a:1042\",\"from\":\"alice@a\",\"to\":\"bob@a\",\"time\":"
                   "\"2026-11-22T10:00:00.123Z\",\"message\":\"\\\"halo\\\"\\\\\\u0001\xC3\xA9\"}}"
                   "\r\n\r\n");
}

Test(event, group_message_of_another_realm) {
    message_t message = {.seq = 1, .number = 7, .time_ms = 1795341600000LL, .group = true};
    message.origin = span_of("b");
    message.from = span_of("bob");
    message.to = span_of("tim");
    message.text = span_of("hai");
    event_write_message(&out, span_of("INBOXGROUPREALM b tim"), &message, &own);
    cr_assert_str_eq(written(),
                     "{\"event\":\"message\",\"mailbox\":\"INBOXGROUPREALM b tim\",\"data\":{"
                     "\"seq\":1,\"id\":\"b:7\",\"from\":\"bob@b\",\"group\":\"tim\",\"time\":"
                     "\"2026-11-22T10:00:00.000Z\",\"message\":\"hai\"}}\r\n\r\n");
}

/* Whatever the text is, the message in an event is the message in a page. */
Test(event, message_is_that_of_a_page) {
    char text[256];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)(i < 0x80 ? i : ' ');
    message_t message = {.seq = 3, .number = 4, .time_ms = 5};
    message.from = message.to = span_of("u");
    message.text = (span_t){text + 1, sizeof(text) - 1};
    reply_page_message(&out, &message, &own, true);
    char page[2048];
    (void)snprintf(page, sizeof(page), "%s", written());
    event_write_message(&out, span_of("INBOX"), &message, &own);
    const char *event = written();
    json_t *root = json_loads(event, JSON_REJECT_DUPLICATES, NULL);
    cr_assert(json_is_object(json_object_get(root, "data")));
    cr_assert(strstr(event, page) != NULL);
    json_decref(root);
}

Test(event, lag) {
    event_write_lagged(&out, span_of("INBOXREALM b"), UINT32_MAX);
    cr_assert_str_eq(
        written(),
        "{\"event\":\"lagged\",\"mailbox\":\"INBOXREALM b\",\"seq\":4294967295}\r\n\r\n");
}
