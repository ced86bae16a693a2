/*
 * Finds a text by its rarest byte, which memchr() looks for faster than any search for words. Must
 * never miss a text that is torn between two pieces.
 */
#include "needle.h"

#include "escape.h"

#include <ctype.h>
#include <string.h>

/* How rarely a byte stands in replies: control characters and upper case are seldom in JSON. */
static int rareness(char byte) {
    if (iscntrl((unsigned char)byte))
        return 3;
    if (isupper((unsigned char)byte))
        return 2;
    return strchr(" \":,", byte) == NULL ? 1 : 0;
}

static void needle_prepare(needle_t *needle) {
    size_t kept = 0;
    for (size_t i = 1; i < needle->length; i++) {
        while (kept > 0 && needle->bytes[i] != needle->bytes[kept])
            kept = needle->fallback[kept - 1];
        if (needle->bytes[i] == needle->bytes[kept])
            kept++;
        needle->fallback[i] = (uint8_t)kept;
        if (rareness(needle->bytes[i]) > rareness(needle->bytes[needle->anchor]))
            needle->anchor = i;
    }
}

bool needle_init(needle_t *needle, const char *text) {
    bytes_t bytes = {0};
    escape_read(&bytes, text);
    *needle = (needle_t){.length = bytes.length};
    bool fits = bytes.length > 0 && bytes.length <= NEEDLE_BYTES_MAX;
    if (fits)
        memcpy(needle->bytes, bytes.data, bytes.length);
    bytes_clear(&bytes);
    if (fits)
        needle_prepare(needle);
    return fits;
}

/* One byte more of a stream that ended with so much of the text. */
static size_t step(const needle_t *needle, size_t matched, char byte) {
    while (matched > 0 && needle->bytes[matched] != byte)
        matched = needle->fallback[matched - 1];
    return needle->bytes[matched] == byte ? matched + 1 : 0;
}

/* Counts whole texts from here on, and returns what lies behind the last one. */
static const char *count_whole(const needle_t *needle, const char *from, const char *end,
                               size_t *count) {
    while ((size_t)(end - from) >= needle->length) {
        const char *look = from + needle->anchor;
        const char *hit = memchr(look, needle->bytes[needle->anchor], (size_t)(end - look));
        if (hit == NULL)
            return end - (needle->length - 1);
        from = hit - needle->anchor;
        if ((size_t)(end - from) < needle->length)
            break;
        bool same = memcmp(from, needle->bytes, needle->length) == 0;
        *count += same;
        from += same ? needle->length : 1;
    }
    return from;
}

size_t needle_count(const needle_t *needle, uint8_t *matched, const char *piece, size_t length) {
    if (needle->length == 0)
        return 0;
    const char *end = piece + length;
    size_t count = 0;
    size_t now = *matched;
    while (now > 0 && piece < end) {
        now = step(needle, now, *piece++);
        if (now == needle->length) {
            count++;
            now = 0;
        }
    }
    if (now == 0)
        piece = count_whole(needle, piece, end, &count);
    while (piece < end)
        now = step(needle, now, *piece++);
    *matched = (uint8_t)now;
    return count;
}
