/* links: base */
/*
 * Names, UTF-8, numbers, addresses and times, by the protocol's rules.
 */
#include "base/text.h"

#include <criterion/criterion.h>
#include <string.h>

static bool is_name(const char *text) {
    name_t name;
    return name_parse(&name, span_of(text));
}

Test(name, follows_the_rule) {
    cr_assert(is_name("a"));
    cr_assert(is_name("0"));
    cr_assert(is_name("alice.b_c-d"));
    cr_assert(is_name("9lives"));
    cr_assert_not(is_name(""));
    cr_assert_not(is_name(".a"));
    cr_assert_not(is_name("_a"));
    cr_assert_not(is_name("-a"));
    cr_assert_not(is_name("a b"));
    cr_assert_not(is_name("a@b"));
    cr_assert_not(is_name("caf\xC3\xA9"));
}

Test(name, is_at_most_64_bytes) {
    char text[66];
    memset(text, 'x', sizeof(text));
    name_t name;
    cr_assert(name_parse(&name, (span_t){text, 64}));
    cr_assert_eq(name.length, 64);
    cr_assert_eq(name.text[64], '\0');
    cr_assert_not(name_parse(&name, (span_t){text, 65}));
}

Test(name, is_folded_and_compares_as_memory) {
    name_t upper;
    name_t lower;
    memset(&upper, 0xFF, sizeof(upper));
    memset(&lower, 0x55, sizeof(lower));
    cr_assert(name_parse(&upper, span_of("ALICE-Z")));
    cr_assert(name_parse(&lower, span_of("alice-z")));
    cr_assert_arr_eq(&upper, &lower, sizeof(upper));
    cr_assert(name_equal(&upper, &lower));
    cr_assert(span_equal(name_span(&upper), span_of("alice-z")));
    cr_assert(name_parse(&lower, span_of("alice")));
    cr_assert_not(name_equal(&upper, &lower));
}

Test(name, is_zeroed_when_there_is_none) {
    name_t name;
    const name_t none = {0};
    memset(&name, 0xFF, sizeof(name));
    cr_assert_not(name_parse(&name, span_of("alice!")));
    cr_assert_arr_eq(&name, &none, sizeof(name));
}

Test(utf8, accepts_all_that_is_valid) {
    cr_assert(text_is_utf8(span_of("")));
    cr_assert(text_is_utf8(span_of("halo dunia, this is longer than eight bytes\r\n\t\x01\x7F")));
    cr_assert(text_is_utf8(span_of("\xC2\x80 \xDF\xBF \xE0\xA0\x80 \xEF\xBF\xBF")));
    cr_assert(text_is_utf8(span_of("\xED\x9F\xBF \xEE\x80\x80")));
    cr_assert(text_is_utf8(span_of("\xF0\x90\x80\x80 \xF4\x8F\xBF\xBF \xF0\x9F\x98\x80")));
}

Test(utf8, refuses_what_is_not) {
    static const char *const wrong[] = {
        "\x80",
        "\xBF",
        "\xC0\x80",
        "\xC1\xBF",
        "\xC2",
        "\xC2 ",
        "\xE0\x9F\xBF",
        "\xE0\xA0",
        "\xED\xA0\x80",
        "\xED\xBF\xBF",
        "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80",
        "\xF8\x88\x80\x80",
        "\xFF",
        "\xFE",
        "\xF0\x9F\x98",
        "\xE2\x82(",
        "\xF0\x9F(\x80",
    };
    char text[80];
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_assert_not(text_is_utf8(span_of(wrong[i])), "case %zu alone", i);
        for (size_t lead = 0; lead < 70; lead++) {
            memset(text, 'a', lead);
            memcpy(text + lead, wrong[i], strlen(wrong[i]));
            span_t span = {text, lead + strlen(wrong[i])};
            cr_assert_not(text_is_utf8(span), "case %zu behind %zu letters", i, lead);
        }
    }
}

Test(utf8, refuses_nul_anywhere) {
    char text[80];
    for (size_t at = 0; at < sizeof(text); at++) {
        memset(text, 'a', sizeof(text));
        text[at] = '\0';
        cr_assert_not(text_is_utf8((span_t){text, sizeof(text)}), "NUL at %zu", at);
        cr_assert(text_is_utf8((span_t){text, at}));
    }
}

/* Every code point once, against the definition. */
Test(utf8, knows_every_code_point) {
    for (uint32_t point = 1; point < 0x120000; point++) {
        char text[4];
        size_t length = 0;
        if (point < 0x80) {
            text[length++] = (char)point;
        } else if (point < 0x800) {
            text[length++] = (char)(0xC0 | point >> 6);
            text[length++] = (char)(0x80 | (point & 0x3F));
        } else if (point < 0x10000) {
            text[length++] = (char)(0xE0 | point >> 12);
            text[length++] = (char)(0x80 | (point >> 6 & 0x3F));
            text[length++] = (char)(0x80 | (point & 0x3F));
        } else {
            text[length++] = (char)(0xF0 | point >> 18);
            text[length++] = (char)(0x80 | (point >> 12 & 0x3F));
            text[length++] = (char)(0x80 | (point >> 6 & 0x3F));
            text[length++] = (char)(0x80 | (point & 0x3F));
        }
        bool valid = (point < 0xD800 || point > 0xDFFF) && point <= 0x10FFFF;
        if (text_is_utf8((span_t){text, length}) != valid) {
            cr_assert_fail("U+%04X", point);
        }
    }
}

Test(password, follows_the_rule) {
    char text[129];
    memset(text, 'p', sizeof(text));
    cr_assert(text_is_password((span_t){text, 1}));
    cr_assert(text_is_password((span_t){text, 128}));
    cr_assert_not(text_is_password((span_t){text, 129}));
    cr_assert_not(text_is_password((span_t){text, 0}));
    cr_assert(text_is_password(span_of("r\xC3\xA4hasia!\"\\")));
    cr_assert_not(text_is_password(span_of("a b")));
    cr_assert_not(text_is_password(span_of("a\tb")));
    cr_assert_not(text_is_password(span_of("a\x7F")));
}

Test(ref, follows_the_rule) {
    char longest[REF_BYTES_MAX + 3] = "@";
    span_t ref;
    memset(longest + 1, 'r', REF_BYTES_MAX);
    cr_assert(text_ref(span_of(longest), &ref));
    cr_assert_eq(ref.length, REF_BYTES_MAX);
    cr_assert(text_ref(span_of("@aZ09._-"), &ref));
    cr_assert(span_equal(ref, span_of("aZ09._-")), "upper case is kept");
    longest[REF_BYTES_MAX + 1] = 'r';
    static const char *const others[] = {"", "@", "a", "aa@", "@a b", "@@a", "@a/", "@\xC3\xA9"};
    cr_assert_not(text_ref(span_of(longest), &ref));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        cr_assert_not(text_ref(span_of(others[i]), &ref), "%s", others[i]);
    cr_assert_not(text_ref((span_t){"@a\0", 3}, &ref));
}

Test(number, reads_decimals_within_the_limit) {
    uint64_t number = 0;
    cr_assert(text_number(span_of("0"), 10, &number));
    cr_assert_eq(number, 0);
    cr_assert(text_number(span_of("007"), 10, &number));
    cr_assert_eq(number, 7);
    cr_assert(text_number(span_of("18446744073709551615"), UINT64_MAX, &number));
    cr_assert_eq(number, UINT64_MAX);
    number = 42;
    cr_assert_not(text_number(span_of("18446744073709551616"), UINT64_MAX, &number));
    cr_assert_not(text_number(span_of("99999999999999999999"), UINT64_MAX, &number));
    cr_assert_not(text_number(span_of("000000000000000000001"), UINT64_MAX, &number));
    cr_assert_not(text_number(span_of("11"), 10, &number));
    cr_assert_not(text_number(span_of(""), 10, &number));
    cr_assert_not(text_number(span_of("-1"), 10, &number));
    cr_assert_not(text_number(span_of("+1"), 10, &number));
    cr_assert_not(text_number(span_of("1 "), 10, &number));
    cr_assert_eq(number, 42, "a refusal leaves the number alone");
}

static bool splits(const char *text, const char *host, uint16_t port) {
    char found[32];
    uint16_t found_port = 0;
    return text_host_port(span_of(text), found, sizeof(found), &found_port) &&
           strcmp(found, host) == 0 && found_port == port;
}

Test(host_port, splits_names_and_addresses) {
    cr_assert(splits("127.0.0.1:9000", "127.0.0.1", 9000));
    cr_assert(splits("[::1]:0", "::1", 0));
    cr_assert(splits("[fe80::1%eth0]:65535", "fe80::1%eth0", 65535));
    cr_assert(splits("chat.example:1", "chat.example", 1));
    cr_assert(splits("*:5555", "*", 5555));
}

Test(host_port, refuses_what_is_malformed_or_too_long) {
    static const char *const wrong[] = {
        "",           ":",         ":9000",         "127.0.0.1",
        "127.0.0.1:", "a:65536",   "::1:9000",      "[]:1",
        "[::1]",      "[::1]9000", "[::1:9000",     "::1]:9000",
        "[a]:1",      "a b:1",     "a:1 ",          "a:-1",
        "a:x",        "[[::1]]:1", "caf\xC3\xA9:1", "123456789012345678901234567890123:1",
    };
    char host[32];
    uint16_t port = 0;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_assert_not(text_host_port(span_of(wrong[i]), host, sizeof(host), &port), "%s", wrong[i]);
    }
    cr_assert(splits("1234567890123456789012345678901:1", "1234567890123456789012345678901", 1));
}

static bool time_is(int64_t time_ms, const char *expected) {
    char text[TIME_TEXT_BYTES];
    text_time(text, time_ms);
    return strcmp(text, expected) == 0;
}

Test(time, reads_as_utc_with_milliseconds) {
    cr_assert(time_is(0, "1970-01-01T00:00:00.000Z"));
    cr_assert(time_is(-1, "1969-12-31T23:59:59.999Z"));
    cr_assert(time_is(951782400000, "2000-02-29T00:00:00.000Z"));
    cr_assert(time_is(1795341600123, "2026-11-22T10:00:00.123Z"));
    cr_assert(time_is(4107542399999, "2100-02-28T23:59:59.999Z"));
    cr_assert(time_is(4107542400000, "2100-03-01T00:00:00.000Z"));
}

Test(time, is_clamped_to_four_digit_years) {
    cr_assert(time_is(-62167219200000, "0000-01-01T00:00:00.000Z"));
    cr_assert(time_is(-62167219200001, "0000-01-01T00:00:00.000Z"));
    cr_assert(time_is(INT64_MIN, "0000-01-01T00:00:00.000Z"));
    cr_assert(time_is(253402300799999, "9999-12-31T23:59:59.999Z"));
    cr_assert(time_is(253402300800000, "9999-12-31T23:59:59.999Z"));
    cr_assert(time_is(INT64_MAX, "9999-12-31T23:59:59.999Z"));
}

/* Every day of the ten thousand years, against counting on the fingers. */
Test(time, knows_every_day_of_the_calendar) {
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t time_ms = -62167219200000 + 12 * 3600000;
    for (int year = 0; year < 10000; year++) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        for (int month = 1; month <= 12; month++) {
            int days = lengths[month - 1] + (leap && month == 2 ? 1 : 0);
            for (int day = 1; day <= days; day++) {
                char text[TIME_TEXT_BYTES];
                text_time(text, time_ms);
                int number = (text[0] - '0') * 1000 + (text[1] - '0') * 100 + (text[2] - '0') * 10 +
                             (text[3] - '0');
                int month_number = (text[5] - '0') * 10 + (text[6] - '0');
                int day_number = (text[8] - '0') * 10 + (text[9] - '0');
                if (number != year || month_number != month || day_number != day) {
                    cr_assert_fail("%d-%d-%d is written %s", year, month, day, text);
                }
                time_ms += 86400000;
            }
        }
    }
}
