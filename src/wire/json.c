/*
 * JSON strings and numbers by hand, for the replies of the hot path. Must never escape what need
 * not be: UTF-8 goes out as it came.
 */
#include "wire/json.h"

#include <stdbool.h>
#include <string.h>

/* The bytes that JSON demands to be escaped: below space, quote, backslash. */
static bool is_escaped(uint8_t byte) {
    return byte < ' ' || byte == '"' || byte == '\\';
}

/* Whether one of the 8 bytes of a word has to be escaped. A byte is below `n` if taking `n` from
 * it borrows; it is equal to `n` if it is below 1 after an exclusive or with `n`. */
static bool word_has_escaped(uint64_t word) {
    const uint64_t ones = 0x0101010101010101ULL;
    const uint64_t highs = ones * 0x80;
    uint64_t quotes = word ^ (ones * '"');
    uint64_t backslashes = word ^ (ones * '\\');
    uint64_t below = (word - ones * ' ') & ~word;
    uint64_t equal = ((quotes - ones) & ~quotes) | ((backslashes - ones) & ~backslashes);
    return ((below | equal) & highs) != 0;
}

/* How many bytes from the start need no escaping. */
static size_t plain_run(const char *bytes, size_t length) {
    size_t run = 0;
    while (length - run >= sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, bytes + run, sizeof(word));
        if (word_has_escaped(word)) {
            break;
        }
        run += sizeof(word);
    }
    while (run < length && !is_escaped((uint8_t)bytes[run])) {
        run++;
    }
    return run;
}

/* The letter of the two-character form of a byte, or 0 if it has none. */
static char short_form(uint8_t byte) {
    switch (byte) {
    case '"':
    case '\\':
        return (char)byte;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

static void append_escaped(buffer_t *out, uint8_t byte) {
    static const char hex[] = "0123456789ABCDEF";
    char letter = short_form(byte);
    if (letter != 0) {
        char escape[2] = {'\\', letter};
        buffer_append(out, escape, sizeof(escape));
    } else {
        char escape[6] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};
        buffer_append(out, escape, sizeof(escape));
    }
}

void json_write_characters(buffer_t *out, span_t text) {
    size_t done = 0;
    while (done < text.length) {
        size_t run = plain_run(text.bytes + done, text.length - done);
        buffer_append(out, text.bytes + done, run);
        done += run;
        if (done < text.length) {
            append_escaped(out, (uint8_t)text.bytes[done]);
            done++;
        }
    }
}

void json_write_string(buffer_t *out, span_t text) {
    buffer_append(out, "\"", 1);
    json_write_characters(out, text);
    buffer_append(out, "\"", 1);
}

void json_write_number(buffer_t *out, uint64_t number) {
    char digits[20];
    size_t start = sizeof(digits);
    do {
        start--;
        digits[start] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    buffer_append(out, digits + start, sizeof(digits) - start);
}
