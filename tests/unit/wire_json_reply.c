/* links: base wire */
/*
 * Replies as the subcommands read them.
 */
#include "base/text.h"
#include "wire/json_reply.h"

#include <criterion/criterion.h>

static json_reply_t *parsed(const char *text) {
    return json_reply_parse(span_of(text));
}

Test(json_reply, texts_of_an_error) {
    json_reply_t *reply = parsed(
        "{\"status\":\"ERROR\",\"data\":\"user sudah ada\",\"code\":\"USER_EXISTS\"}\r\n\r\n");
    cr_assert_not_null(reply);
    cr_assert_not(json_reply_ok(reply));
    cr_assert_str_eq(json_reply_text(reply, "data"), "user sudah ada");
    cr_assert_str_eq(json_reply_text(reply, "code"), "USER_EXISTS");
    cr_assert_null(json_reply_text(reply, "reason"));
    cr_assert_eq(json_reply_rows(reply), 0);
    json_reply_destroy(&reply);
    cr_assert_null(reply);
}

Test(json_reply, fields_of_rows) {
    char field[6];
    json_reply_t *reply =
        parsed("{\"status\":\"OK\",\"data\":[{\"a\":\"alice12\",\"n\":17,\"t\":true,"
               "\"f\":0.5,\"x\":null},3]}");
    cr_assert(json_reply_ok(reply));
    cr_assert_eq(json_reply_rows(reply), 2);
    json_reply_field(reply, 0, "a", field, sizeof field);
    cr_assert_str_eq(field, "alice");
    json_reply_field(reply, 0, "n", field, sizeof field);
    cr_assert_str_eq(field, "17");
    json_reply_field(reply, 0, "t", field, sizeof field);
    cr_assert_str_eq(field, "true");
    json_reply_field(reply, 0, "f", field, sizeof field);
    cr_assert_str_eq(field, "0.5");
    json_reply_field(reply, 0, "x", field, sizeof field);
    cr_assert_str_eq(field, "-");
    json_reply_field(reply, 1, "a", field, sizeof field);
    cr_assert_str_eq(field, "-");
    json_reply_field(reply, 2, "a", field, sizeof field);
    cr_assert_str_eq(field, "-");
    json_reply_destroy(&reply);
}

Test(json_reply, what_is_no_reply_is_refused) {
    cr_assert_null(parsed(""));
    cr_assert_null(parsed("\r\n\r\n"));
    cr_assert_null(parsed("[]"));
    cr_assert_null(parsed("{\"status\":\"OK\""));
    cr_assert_null(parsed("{\"status\":\"OK\"} x"));
}
