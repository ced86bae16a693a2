/* links: base wire */
/*
 * Lines come out the same however the bytes are cut into reads; tokens are the runs between spaces.
 */
#include "base/text.h"
#include "wire/request.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* What came out of a connection: one line a line, "!" for one that was too long. */
typedef struct transcript {
    char text[65536];
    size_t length;
} transcript_t;

static void note(transcript_t *transcript, framing_t framing, span_t line) {
    if (framing == FRAMING_TOO_LONG) {
        line = span_of("!");
    }
    cr_assert_lt(transcript->length + line.length + 1, sizeof(transcript->text));
    memcpy(transcript->text + transcript->length, line.bytes, line.length);
    transcript->length += line.length;
    transcript->text[transcript->length] = '\n';
    transcript->length++;
    transcript->text[transcript->length] = '\0';
}

/* Feeds `input` as a connection would: reads of `step` bytes, the rest kept between them. */
static void feed(transcript_t *transcript, const char *input, size_t length, size_t step) {
    static char kept[65536];
    size_t kept_bytes = 0;
    framer_t framer = {0};
    span_t line = {0};
    framing_t framing = FRAMING_NEEDS;
    *transcript = (transcript_t){.length = 0};
    for (size_t offset = 0; offset < length; offset += step) {
        size_t read_bytes = length - offset < step ? length - offset : step;
        memcpy(kept + kept_bytes, input + offset, read_bytes);
        kept_bytes += read_bytes;
        size_t consumed = 0;
        while ((framing = framing_next(&framer, kept, kept_bytes, &consumed, &line)) !=
               FRAMING_NEEDS) {
            note(transcript, framing, line);
        }
        cr_assert_leq(consumed, kept_bytes);
        memmove(kept, kept + consumed, kept_bytes - consumed);
        kept_bytes -= consumed;
        cr_assert_leq(kept_bytes, LINE_BYTES_MAX + 1, "more is never kept");
    }
    size_t consumed = 0;
    while ((framing = framing_end(&framer, kept, kept_bytes, &consumed, &line)) != FRAMING_NEEDS) {
        note(transcript, framing, line);
    }
    cr_assert_eq(consumed, kept_bytes);
}

static void check(const char *input, size_t length, const char *expected) {
    static transcript_t transcript;
    static const size_t steps[] = {1, 2, 3, 5, 7, 64, 1000, 8191, 8192, 8193, 8194, 65536};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        feed(&transcript, input, length, steps[i]);
        cr_assert_str_eq(transcript.text, expected, "reads of %zu bytes", steps[i]);
    }
}

static void check_text(const char *input, const char *expected) {
    check(input, strlen(input), expected);
}

Test(framing, cuts_at_line_feeds) {
    check_text("", "");
    check_text("AUTH alice rahasia\nSEND bob halo\n", "AUTH alice rahasia\nSEND bob halo\n");
    check_text("PING\r\n\r\nQUIT\r\n\r\n", "PING\n\nQUIT\n\n");
    check_text("\n\n\r\n", "\n\n\n");
    check_text("a\rb\r\r\n", "a\rb\r\n");
}

Test(framing, takes_the_unterminated_rest_at_the_end) {
    check_text("PING\nQUIT", "PING\nQUIT\n");
    check_text("QUIT\r", "QUIT\n");
    check_text("PING\n", "PING\n");
}

Test(framing, keeps_any_bytes) {
    framer_t framer = {0};
    span_t line = {0};
    size_t consumed = 0;
    cr_assert_eq(framing_next(&framer, "a\0b\xFF\n", 5, &consumed, &line), FRAMING_LINE);
    cr_assert_eq(line.length, 4);
    cr_assert_arr_eq(line.bytes, "a\0b\xFF", 4);
}

/* A line of `length` bytes between two short ones, with each ending. */
static void check_length(size_t length, bool fits) {
    static const char *const endings[] = {"\n", "\r\n"};
    static char input[32768];
    static char expected[32768];
    for (size_t i = 0; i < 2; i++) {
        size_t bytes = (size_t)sprintf(input, "A\n");
        memset(input + bytes, 'x', length);
        bytes += length;
        bytes += (size_t)sprintf(input + bytes, "%sB\n", endings[i]);
        size_t out = (size_t)sprintf(expected, "A\n");
        if (fits) {
            memset(expected + out, 'x', length);
            out += length;
        } else {
            expected[out] = '!';
            out++;
        }
        (void)sprintf(expected + out, "\nB\n");
        check(input, bytes, expected);
    }
}

Test(framing, refuses_a_long_line_once_and_goes_on) {
    check_length(LINE_BYTES_MAX - 1, true);
    check_length(LINE_BYTES_MAX, true);
    check_length(LINE_BYTES_MAX + 1, false);
    check_length(LINE_BYTES_MAX + 2, false);
    check_length(LINE_BYTES_MAX * 3, false);
}

Test(framing, refuses_an_unterminated_long_line_once) {
    static char input[LINE_BYTES_MAX * 2];
    memset(input, 'x', sizeof(input));
    check(input, sizeof(input), "!\n");
    check(input, LINE_BYTES_MAX + 1, "!\n");
}

Test(framing, refuses_as_soon_as_the_line_is_too_long) {
    static char input[LINE_BYTES_MAX + 2];
    memset(input, 'x', sizeof(input));
    framer_t framer = {0};
    span_t line = {0};
    size_t consumed = 0;
    cr_assert_eq(framing_next(&framer, input, LINE_BYTES_MAX, &consumed, &line), FRAMING_NEEDS);
    cr_assert_eq(consumed, 0);
    input[LINE_BYTES_MAX] = '\r';
    cr_assert_eq(framing_next(&framer, input, LINE_BYTES_MAX + 1, &consumed, &line), FRAMING_NEEDS,
                 "that CR may stand before an LF");
    cr_assert_eq(framing_next(&framer, input, LINE_BYTES_MAX + 2, &consumed, &line),
                 FRAMING_TOO_LONG);
    cr_assert_eq(consumed, LINE_BYTES_MAX + 2);
    cr_assert_eq(framing_next(&framer, input, LINE_BYTES_MAX + 2, &consumed, &line), FRAMING_NEEDS);
}

Test(framing, gives_thousands_of_lines_of_one_read) {
    static char input[60000];
    static transcript_t transcript;
    for (size_t i = 0; i < sizeof(input); i += 5) {
        memcpy(input + i, "PING\n", 5);
    }
    feed(&transcript, input, sizeof(input), sizeof(input));
    cr_assert_eq(transcript.length, sizeof(input));
    cr_assert_arr_eq(transcript.text, input, sizeof(input));
}

static void check_tokens(const char *line, const char *expected) {
    char found[256] = "";
    size_t length = 0;
    request_t request;
    memset(&request, 0xFF, sizeof(request));
    request_parse(&request, span_of(line));
    cr_assert_eq(request.line_bytes, strlen(line));
    cr_assert_not(request.admin);
    for (size_t i = 0; i < request.token_count && i < REQUEST_TOKENS_MAX; i++) {
        length += (size_t)snprintf(found + length, sizeof(found) - length, "[%.*s]",
                                   (int)request.token_bytes[i], line + request.token_offset[i]);
    }
    cr_assert_str_eq(found, expected);
}

Test(request, is_cut_at_runs_of_spaces) {
    check_tokens("PING", "[PING]");
    check_tokens("SEND bob halo", "[SEND][bob][halo]");
    check_tokens("  SEND   bob  halo dunia  ", "[SEND][bob][halo][dunia]");
    check_tokens("a\tb c", "[a\tb][c]");
    check_tokens("abc !abc\xa0\x1f! b", "[abc][!abc\xa0\x1f!][b]"); /* nearly spaces */
    check_tokens(" ", "");
    check_tokens("     ", "");
}

Test(request, is_cut_at_one_space_anywhere) {
    char line[41];
    char expected[48];
    for (size_t at = 1; at < sizeof(line) - 2; at++) {
        memset(line, 'a', sizeof(line) - 1);
        line[sizeof(line) - 1] = '\0';
        line[at] = ' ';
        (void)snprintf(expected, sizeof(expected), "[%.*s][%s]", (int)at, line, line + at + 1);
        check_tokens(line, expected);
    }
}

Test(request, says_when_there_are_more_tokens_than_fit) {
    request_t request;
    request_parse(&request, span_of("1 2 3 4 5 6 7 8"));
    cr_assert_eq(request.token_count, REQUEST_TOKENS_MAX);
    request_parse(&request, span_of("1 2 3 4 5 6 7 8  "));
    cr_assert_eq(request.token_count, REQUEST_TOKENS_MAX);
    request_parse(&request, span_of("1 2 3 4 5 6 7 8 9 10 11"));
    cr_assert_eq(request.token_count, REQUEST_TOKENS_MAX + 1);
    cr_assert_eq(request.token_offset[7], 14);
}

Test(request, reaches_the_end_of_the_longest_line) {
    static char line[LINE_BYTES_MAX];
    request_t request;
    memset(line, ' ', sizeof(line));
    line[sizeof(line) - 1] = 'x';
    request_parse(&request, (span_t){line, sizeof(line)});
    cr_assert_eq(request.token_count, 1);
    cr_assert_eq(request.token_offset[0], LINE_BYTES_MAX - 1);
    cr_assert_eq(request.token_bytes[0], 1);
}
