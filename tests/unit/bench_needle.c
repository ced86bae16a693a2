/* links: base; sources: bench/load/bytes.c bench/load/escape.c bench/load/needle.c */
/*
 * The generator counts replies in a stream however it is torn into pieces.
 */
#include "../bench/load/needle.h"

#include <criterion/criterion.h>
#include <string.h>

static needle_t needle_of(const char *text) {
    needle_t needle;
    cr_assert(needle_init(&needle, text), "%s", text);
    return needle;
}

/* Counts texts that do not overlap, from the left. */
static size_t counted_slowly(const needle_t *needle, const char *stream, size_t length) {
    size_t count = 0;
    for (size_t at = 0; at + needle->length <= length;) {
        bool same = memcmp(stream + at, needle->bytes, needle->length) == 0;
        count += same;
        at += same ? needle->length : 1;
    }
    return count;
}

/* Torn at two places, each place tried. */
static void check(const char *text, const char *stream) {
    needle_t needle = needle_of(text);
    size_t length = strlen(stream);
    size_t expected = counted_slowly(&needle, stream, length);
    for (size_t first = 0; first <= length; first++) {
        for (size_t second = first; second <= length; second++) {
            uint8_t matched = 0;
            size_t count = needle_count(&needle, &matched, stream, first) +
                           needle_count(&needle, &matched, stream + first, second - first) +
                           needle_count(&needle, &matched, stream + second, length - second);
            cr_assert_eq(count, expected, "%s torn at %zu and %zu: %zu instead of %zu", text, first,
                         second, count, expected);
        }
    }
}

Test(needle, counts_however_the_stream_is_torn) {
    check("\\r\\n\\r\\n", "{}\r\n\r\n{}\r\n\r\n\r\n\r\n\r\r\n\r\n\r\n");
    check("\\n", "a\n\nb");
    check("aab", "aaabaabaaab");
    check("abab", "abababababb");
    check("\"seq\":", "{\"seq\":1,\"se\"\"seq\":\"seq");
    check("ERROR", "ERRERRORERRORERRO");
}

Test(needle, reads_escapes) {
    needle_t needle = needle_of("\\x40\\0\\t\\\\");
    cr_assert_eq(needle.length, 4);
    cr_assert_eq(memcmp(needle.bytes, "@\0\t\\", 4), 0);
}

Test(needle, refuses_what_it_cannot_look_for) {
    char text[NEEDLE_BYTES_MAX + 2];
    needle_t needle;
    memset(text, 'x', sizeof(text));
    text[NEEDLE_BYTES_MAX + 1] = '\0';
    cr_assert_not(needle_init(&needle, text));
    text[NEEDLE_BYTES_MAX] = '\0';
    cr_assert(needle_init(&needle, text));
    cr_assert_not(needle_init(&needle, ""));
}

Test(needle, an_empty_one_is_never_found) {
    needle_t none = {0};
    uint8_t matched = 0;
    cr_assert_eq(needle_count(&none, &matched, "abc", 3), 0);
}
