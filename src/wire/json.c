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

/* Copies what stands behind the last whole word, with bytes in front of it that were copied before,
 * so that no text of 4 or more is gone through by byte. False if one of them has to be escaped. */
static bool copy_plain_end(char *at, const char *bytes, size_t length) {
    uint64_t word;
    if (length >= sizeof(word)) {
        memcpy(&word, bytes + length - sizeof(word), sizeof(word));
        memcpy(at + length - sizeof(word), &word, sizeof(word));
        return !word_has_escaped(word);
    }
    if (length < sizeof(uint32_t)) {
        return false;
    }
    uint32_t first;
    uint32_t last;
    memcpy(&first, bytes, sizeof(first));
    memcpy(&last, bytes + length - sizeof(last), sizeof(last));
    memcpy(at, &first, sizeof(first));
    memcpy(at + length - sizeof(last), &last, sizeof(last));
    return !word_has_escaped((uint64_t)last << 32 | first);
}

/* Copies up to the first byte that has to be escaped; returns how many those were. What was copied
 * behind them is overwritten by what follows. */
static size_t copy_plain(char *at, const char *bytes, size_t length) {
    size_t run = 0;
    while (length - run >= sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, bytes + run, sizeof(word));
        if (word_has_escaped(word)) {
            break;
        }
        memcpy(at + run, &word, sizeof(word));
        run += sizeof(word);
    }
    if (run == length || (length - run < sizeof(uint64_t) && copy_plain_end(at, bytes, length))) {
        return length;
    }
    while (run < length && !is_escaped((uint8_t)bytes[run])) {
        at[run] = bytes[run];
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

static char *put_escaped(char *at, uint8_t byte) {
    static const char hex[] = "0123456789ABCDEF";
    char letter = short_form(byte);
    if (letter != 0) {
        char escape[2] = {'\\', letter};
        memcpy(at, escape, sizeof(escape));
        return at + sizeof(escape);
    }
    char escape[6] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};
    memcpy(at, escape, sizeof(escape));
    return at + sizeof(escape);
}

char *json_put_characters(char *at, span_t text) {
    size_t done = 0;
    while (done < text.length) {
        size_t run = copy_plain(at, text.bytes + done, text.length - done);
        at += run;
        done += run;
        if (done < text.length) {
            at = put_escaped(at, (uint8_t)text.bytes[done]);
            done++;
        }
    }
    return at;
}

/* How many digits a number has: 1233/4096 is a little more than log10(2), so the bits say it or one
 * too few. */
static size_t digit_count(uint64_t number) {
    static const uint64_t powers[JSON_NUMBER_BYTES_MAX] = {0,
                                                           10,
                                                           100,
                                                           1000,
                                                           10000,
                                                           100000,
                                                           1000000,
                                                           10000000,
                                                           100000000,
                                                           1000000000,
                                                           10000000000,
                                                           100000000000,
                                                           1000000000000,
                                                           10000000000000,
                                                           100000000000000,
                                                           1000000000000000,
                                                           10000000000000000,
                                                           100000000000000000,
                                                           1000000000000000000,
                                                           10000000000000000000U};
    size_t bits = 64 - (size_t)__builtin_clzll(number | 1);
    size_t digits = bits * 1233 >> 12;
    return digits + (number >= powers[digits] ? 1 : 0);
}

/* From its last digit to its first, two at a time, where they belong: copied from elsewhere, they
 * would have to wait until they stand there. */
char *json_put_number(char *at, uint64_t number) {
    static const char pairs[] = "0001020304050607080910111213141516171819"
                                "2021222324252627282930313233343536373839"
                                "4041424344454647484950515253545556575859"
                                "6061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    char *end = at + digit_count(number);
    char *digit = end;
    for (; number >= 10; number /= 100) {
        digit -= 2;
        memcpy(digit, &pairs[number % 100 * 2], 2);
    }
    if (digit > at) {
        *at = (char)('0' + number);
    }
    return end;
}

void json_write_characters(buffer_t *out, span_t text) {
    char *start = buffer_reserve(out, text.length * JSON_ESCAPE_BYTES_MAX);
    out->length += (size_t)(json_put_characters(start, text) - start);
}

void json_write_string(buffer_t *out, span_t text) {
    buffer_append(out, "\"", 1);
    json_write_characters(out, text);
    buffer_append(out, "\"", 1);
}

void json_write_number(buffer_t *out, uint64_t number) {
    char *start = buffer_reserve(out, JSON_NUMBER_BYTES_MAX);
    out->length += (size_t)(json_put_number(start, number) - start);
}
