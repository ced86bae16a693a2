/*
 * Small pure questions about bytes. Must never allocate, and never read past a span's end.
 */
#include "base/text.h"

#include "base/assert.h"

#include <string.h>

static char fold_lower(char byte) {
    return byte >= 'A' && byte <= 'Z' ? (char)(byte + ('a' - 'A')) : byte;
}

static bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

static bool is_lower_or_digit(char byte) {
    return (byte >= 'a' && byte <= 'z') || is_digit(byte);
}

bool name_parse(name_t *name, span_t bytes) {
    *name = (name_t){0};
    if (bytes.length < 1 || bytes.length > NAME_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < bytes.length; i++) {
        char byte = fold_lower(bytes.bytes[i]);
        bool is_mark = byte == '.' || byte == '_' || byte == '-';
        if (!is_lower_or_digit(byte) && (!is_mark || i == 0)) {
            *name = (name_t){0};
            return false;
        }
        name->text[i] = byte;
    }
    name->length = (uint8_t)bytes.length;
    return true;
}

bool name_is_folded(span_t bytes) {
    name_t name;
    return name_parse(&name, bytes) && memcmp(name.text, bytes.bytes, bytes.length) == 0;
}

bool name_equal(const name_t *a, const name_t *b) {
    return memcmp(a, b, sizeof(*a)) == 0;
}

span_t name_span(const name_t *name) {
    return (span_t){.bytes = name->text, .length = name->length};
}

span_t span_of(const char *text) {
    return (span_t){.bytes = text, .length = strlen(text)};
}

bool span_equal(span_t a, span_t b) {
    return a.length == b.length && (a.length == 0 || memcmp(a.bytes, b.bytes, a.length) == 0);
}

/* Has a high bit set if one of the 8 bytes is no ASCII or is NUL: in a word of others none has its
 * high bit set, neither before nor after 1 is taken from each. */
static uint64_t ascii_doubt(const char *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return word | (word - 0x0101010101010101ULL);
}

/* How many bytes from the start of `bytes` are ASCII without NUL, in steps of 8. */
static size_t ascii_run(span_t bytes) {
    const uint64_t highs = 0x8080808080808080ULL;
    size_t length = 0;
    while (bytes.length - length >= 4 * sizeof(uint64_t)) {
        const char *at = bytes.bytes + length;
        uint64_t doubt =
            ascii_doubt(at) | ascii_doubt(at + 8) | ascii_doubt(at + 16) | ascii_doubt(at + 24);
        if ((doubt & highs) != 0) {
            break;
        }
        length += 4 * sizeof(uint64_t);
    }
    while (bytes.length - length >= sizeof(uint64_t) &&
           (ascii_doubt(bytes.bytes + length) & highs) == 0) {
        length += sizeof(uint64_t);
    }
    return length;
}

static bool is_continuation(uint8_t byte) {
    return (byte & 0xC0) == 0x80;
}

/* The length of the character at the start of `bytes` (of at least one byte), or 0 if it is none.
 * The bounds of the second byte are those of RFC 3629, section 4: they leave out over-long forms,
 * surrogates and what lies above U+10FFFF. */
static size_t utf8_character(const uint8_t *bytes, size_t length) {
    uint8_t lead = bytes[0];
    if (lead < 0x80) {
        return lead == 0 ? 0 : 1;
    }
    size_t wanted = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (lead < 0xC2 || lead > 0xF4 || length < wanted) {
        return 0;
    }
    uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (bytes[1] < low || bytes[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < wanted; i++) {
        if (!is_continuation(bytes[i])) {
            return 0;
        }
    }
    return wanted;
}

bool text_is_utf8(span_t bytes) {
    const uint8_t *start = (const uint8_t *)bytes.bytes;
    size_t offset = 0;
    while (offset < bytes.length) {
        size_t rest = bytes.length - offset;
        size_t step = ascii_run((span_t){.bytes = bytes.bytes + offset, .length = rest});
        if (step == 0) {
            step = utf8_character(start + offset, rest);
        }
        if (step == 0) {
            return false;
        }
        offset += step;
    }
    return true;
}

bool text_is_password(span_t bytes) {
    if (bytes.length < 1 || bytes.length > PASSWORD_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < bytes.length; i++) {
        uint8_t byte = (uint8_t)bytes.bytes[i];
        if (byte <= ' ' || byte == 0x7F) {
            return false;
        }
    }
    return true;
}

static bool is_ref_byte(char byte) {
    return is_lower_or_digit(fold_lower(byte)) || byte == '.' || byte == '_' || byte == '-';
}

bool text_ref(span_t bytes, span_t *ref) {
    if (bytes.length < 2 || bytes.length > 1 + REF_BYTES_MAX || bytes.bytes[0] != '@') {
        return false;
    }
    *ref = (span_t){.bytes = bytes.bytes + 1, .length = bytes.length - 1};
    for (size_t i = 0; i < ref->length; i++) {
        if (!is_ref_byte(ref->bytes[i])) {
            return false;
        }
    }
    return true;
}

bool text_number(span_t bytes, uint64_t max, uint64_t *number) {
    uint64_t value = 0;
    if (bytes.length < 1 || bytes.length > 20) {
        return false;
    }
    for (size_t i = 0; i < bytes.length; i++) {
        if (!is_digit(bytes.bytes[i])) {
            return false;
        }
        uint64_t digit = (uint64_t)(bytes.bytes[i] - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    if (value > max) {
        return false;
    }
    *number = value;
    return true;
}

/* A host is printable ASCII without space; colons stand in it only between brackets. */
static bool is_host(span_t host, bool bracketed) {
    bool has_colon = false;
    for (size_t i = 0; i < host.length; i++) {
        char byte = host.bytes[i];
        if (byte <= ' ' || byte > '~' || byte == '[' || byte == ']') {
            return false;
        }
        has_colon = has_colon || byte == ':';
    }
    return host.length > 0 && has_colon == bracketed;
}

bool text_host_port(span_t bytes, char *host, size_t host_room, uint16_t *port) {
    size_t colon = bytes.length;
    while (colon > 0 && bytes.bytes[colon - 1] != ':') {
        colon--;
    }
    if (colon < 2) {
        return false;
    }
    span_t digits = {.bytes = bytes.bytes + colon, .length = bytes.length - colon};
    span_t name = {.bytes = bytes.bytes, .length = colon - 1};
    bool bracketed = name.length >= 2 && name.bytes[0] == '[' && name.bytes[name.length - 1] == ']';
    if (bracketed) {
        name = (span_t){.bytes = name.bytes + 1, .length = name.length - 2};
    }
    uint64_t number = 0;
    if (!is_host(name, bracketed) || name.length >= host_room ||
        !text_number(digits, UINT16_MAX, &number)) {
        return false;
    }
    memcpy(host, name.bytes, name.length);
    host[name.length] = '\0';
    *port = (uint16_t)number;
    return true;
}

/* 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z. */
#define TIME_MS_MIN (-62167219200000LL)
#define TIME_MS_MAX 253402300799999LL
#define DAY_MS      86400000LL

static void write_digits(char *out, unsigned number, unsigned count) {
    for (unsigned i = count; i > 0; i--) {
        out[i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
}

/* Writes "YYYY-MM-DD" of a day counted from 1 March of the year 0 (the year begins in March, so
 * that the leap day is its last; 146097 days are 400 years). */
static void write_date(char out[10], unsigned day) {
    unsigned era = day / 146097;
    unsigned era_day = day % 146097;
    unsigned era_year = (era_day - era_day / 1460 + era_day / 36524 - era_day / 146096) / 365;
    unsigned year_day = era_day - (365 * era_year + era_year / 4 - era_year / 100);
    unsigned month = (5 * year_day + 2) / 153; /* 0 = March */
    unsigned month_day = year_day - (153 * month + 2) / 5 + 1;
    unsigned calendar_month = month < 10 ? month + 3 : month - 9;
    write_digits(out, era * 400 + era_year + (calendar_month <= 2 ? 1 : 0), 4);
    out[4] = '-';
    write_digits(out + 5, calendar_month, 2);
    out[7] = '-';
    write_digits(out + 8, month_day, 2);
}

void text_time(char out[TIME_TEXT_BYTES], int64_t time_ms) {
    int64_t clamped = time_ms < TIME_MS_MIN ? TIME_MS_MIN : time_ms;
    clamped = clamped > TIME_MS_MAX ? TIME_MS_MAX : clamped;
    int64_t since = clamped - TIME_MS_MIN;
    unsigned day = (unsigned)(since / DAY_MS); /* from 1 January of the year 0 */
    unsigned day_ms = (unsigned)(since % DAY_MS);
    memcpy(out, "0000-01-01T00:00:00.000Z", TIME_TEXT_BYTES);
    if (day >= 60) {
        write_date(out, day - 60);
    } else {
        write_digits(out + 5, day < 31 ? 1 : 2, 2);
        write_digits(out + 8, day < 31 ? day + 1 : day - 30, 2);
    }
    write_digits(out + 11, day_ms / 3600000, 2);
    write_digits(out + 14, day_ms / 60000 % 60, 2);
    write_digits(out + 17, day_ms / 1000 % 60, 2);
    write_digits(out + 20, day_ms % 1000, 3);
}
