/* links: base wire */
/*
 * A log line is one write, whole, cut at its limit, and always one line.
 */
#include "base/log.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

typedef struct capture {
    int read_end;
    int standard_error;
    char bytes[8192];
    ssize_t length;
} capture_t;

static void capture_begin(capture_t *capture) {
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    capture->read_end = ends[0];
    capture->standard_error = dup(STDERR_FILENO);
    cr_assert_geq(dup2(ends[1], STDERR_FILENO), 0);
    cr_assert_eq(close(ends[1]), 0);
}

/* Everything that was written meanwhile; less than a pipe holds. */
static void capture_end(capture_t *capture) {
    cr_assert_geq(dup2(capture->standard_error, STDERR_FILENO), 0);
    cr_assert_eq(close(capture->standard_error), 0);
    capture->length = read(capture->read_end, capture->bytes, sizeof(capture->bytes) - 1);
    cr_assert_geq(capture->length, 0);
    capture->bytes[capture->length] = '\0';
    cr_assert_eq(close(capture->read_end), 0);
}

/* Checks that the one line is JSON without any key twice; the caller decrefs. */
static json_t *captured_json(const capture_t *capture) {
    cr_assert_leq(capture->length, 1024);
    cr_assert_eq(capture->bytes[capture->length - 1], '\n');
    json_error_t error;
    json_t *line = json_loads(capture->bytes, JSON_REJECT_DUPLICATES, &error);
    cr_assert_not_null(line, "%s: %s", error.text, capture->bytes);
    return line;
}

static const char *field(const json_t *line, const char *key) {
    return json_string_value(json_object_get(line, key));
}

Test(log, writes_text) {
    capture_t capture;
    log_start(LEVEL_INFO, false, "a");
    capture_begin(&capture);
    errno = EAGAIN;
    log_event(LEVEL_INFO, "link-up", "realm", "b", "rtt_ms", "0.4", NULL);
    cr_assert_eq(errno, EAGAIN);
    capture_end(&capture);
    cr_assert_eq(capture.bytes[23], 'Z');
    cr_assert_str_eq(capture.bytes + 24, " info realm=a link-up realm=b rtt_ms=0.4\n");
}

Test(log, says_nothing_above_its_level) {
    capture_t capture;
    log_start(LEVEL_WARN, false, "a");
    capture_begin(&capture);
    log_event(LEVEL_INFO, "no", NULL);
    log_event(LEVEL_DEBUG, "no", NULL);
    log_event(LEVEL_WARN, "yes", NULL);
    log_event(LEVEL_ERROR, "too", NULL);
    capture_end(&capture);
    cr_assert_null(strstr(capture.bytes, "no"));
    cr_assert_not_null(strstr(capture.bytes, " warn realm=a yes\n"));
    cr_assert_not_null(strstr(capture.bytes, " error realm=a too\n"));
}

Test(log, speaks_before_it_is_started) {
    capture_t capture;
    capture_begin(&capture);
    log_event(LEVEL_INFO, "early", "key", "", "last", NULL, "never", "x", NULL);
    capture_end(&capture);
    cr_assert_str_eq(capture.bytes + 24, " info early key=\"\"\n");
}

/* Whoever reads the log configures it while it is written; the realm's name stays. */
Test(log, changes_level_and_format) {
    capture_t capture;
    log_start(LEVEL_WARN, false, "a");
    log_change(LEVEL_DEBUG, true);
    capture_begin(&capture);
    log_event(LEVEL_DEBUG, "now", NULL);
    capture_end(&capture);
    json_t *line = captured_json(&capture);
    cr_assert_str_eq(field(line, "realm"), "a");
    cr_assert_str_eq(field(line, "event"), "now");
    json_decref(line);
    log_change(LEVEL_ERROR, false);
    capture_begin(&capture);
    log_event(LEVEL_WARN, "no", NULL);
    log_event(LEVEL_ERROR, "yes", NULL);
    capture_end(&capture);
    cr_assert_null(strstr(capture.bytes, "no"));
    cr_assert_str_eq(capture.bytes + 24, " error realm=a yes\n");
}

Test(log, quotes_what_could_be_misread) {
    capture_t capture;
    log_start(LEVEL_INFO, false, "a");
    capture_begin(&capture);
    log_event(LEVEL_INFO, "e", "a", "two words", "b", "x\ny\"\\", "c", "k=v", "d", "\xC3\xA9", "f",
              "\xFF!", NULL);
    capture_end(&capture);
    cr_assert_str_eq(capture.bytes + 24,
                     " info realm=a e a=\"two words\" b=\"x\\u000ay\\\"\\\\\" c=\"k=v\" "
                     "d=\"\xC3\xA9\" f=\"?!\"\n");
}

Test(log, writes_json) {
    capture_t capture;
    log_start(LEVEL_DEBUG, true, "a");
    capture_begin(&capture);
    log_event(LEVEL_DEBUG, "link-up", "realm", "b", "why", "a \"b\"\n\xFF", NULL);
    capture_end(&capture);
    json_t *line = captured_json(&capture);
    cr_assert_eq(strlen(field(line, "time")), 24);
    cr_assert_str_eq(field(line, "level"), "debug");
    cr_assert_str_eq(field(line, "realm"), "a");
    cr_assert_str_eq(field(line, "event"), "link-up");
    cr_assert_str_eq(field(line, "other_realm"), "b");
    cr_assert_str_eq(field(line, "why"), "a \"b\"\n?");
    json_decref(line);
}

/* Whatever is cut off, and wherever: what remains is one line, and JSON if it is to be. */
Test(log, cuts_long_lines_whole) {
    static char value[3000];
    for (int json = 0; json < 2; json++) {
        log_start(LEVEL_INFO, json == 1, "a");
        for (size_t length = 850; length < 1100; length++) {
            capture_t capture;
            for (size_t i = 0; i < length; i++) {
                value[i] = "\xC3\xA9\"\n"[i % 4];
            }
            value[length] = '\0';
            capture_begin(&capture);
            log_event(LEVEL_INFO, "e", "long", value + length / 2, "more", value + 500, "k", "v",
                      NULL);
            capture_end(&capture);
            cr_assert_leq(capture.length, 1024);
            cr_assert_eq(strcspn(capture.bytes, "\n"), (size_t)capture.length - 1);
            if (json == 1) {
                json_decref(captured_json(&capture));
            }
        }
    }
}
