/*
 * The log: one line an event, one write(2) a line. Must never print a password, a token or a
 * message body; its callers name only what may be read by whoever reads the log.
 *
 * log_setting is the one exception to "no mutable globals": its name is set once, before any thread
 * is started, and its level and format are one atomic word, which nothing else depends on.
 */
#include "base/log.h"

#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_BYTES_MAX 1024

/* What always fits behind a value that was cut: its quote, the brace, the line feed. */
#define LOG_TAIL_BYTES 3

/* In the word beside the level. */
#define LOG_JSON_BIT 0x100U

typedef struct log_setting {
    _Atomic unsigned mode; /* log_level_t, and LOG_JSON_BIT */
    char realm[NAME_BYTES_MAX + 1];
} log_setting_t;

static log_setting_t log_setting = {.mode = LEVEL_INFO};

typedef struct log_text {
    char bytes[LOG_LINE_BYTES_MAX];
    size_t length;
    bool json;
} log_text_t;

void log_start(log_level_t level, bool json, const char *realm) {
    log_change(level, json);
    memset(log_setting.realm, 0, sizeof log_setting.realm);
    (void)strncpy(log_setting.realm, realm, NAME_BYTES_MAX);
}

void log_change(log_level_t level, bool json) {
    unsigned mode = (unsigned)level | (json ? LOG_JSON_BIT : 0);
    atomic_store_explicit(&log_setting.mode, mode, memory_order_relaxed);
}

static const char *level_word(log_level_t level) {
    switch (level) {
    case LEVEL_ERROR:
        return "error";
    case LEVEL_WARN:
        return "warn";
    case LEVEL_INFO:
        return "info";
    case LEVEL_DEBUG:
        return "debug";
    }
    return "unknown";
}

/* Adds all of `bytes`, or nothing if they do not fit in front of the tail. */
static bool add(log_text_t *line, const char *bytes, size_t length) {
    if (line->length + length > LOG_LINE_BYTES_MAX - LOG_TAIL_BYTES) {
        return false;
    }
    memcpy(line->bytes + line->length, bytes, length);
    line->length += length;
    return true;
}

static void add_tail(log_text_t *line, char byte) {
    if (line->length < LOG_LINE_BYTES_MAX) {
        line->bytes[line->length] = byte;
        line->length++;
    }
}

static size_t character_bytes(uint8_t lead) {
    return lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

/* Adds one character of a quoted value and returns how many bytes of it were used; 0: no room. */
static size_t add_character(log_text_t *line, const char *value, bool is_utf8) {
    static const char hex[] = "0123456789abcdef";
    uint8_t lead = (uint8_t)value[0];
    if (lead == '"' || lead == '\\') {
        char escaped[2] = {'\\', (char)lead};
        return add(line, escaped, 2) ? 1 : 0;
    }
    if (lead < ' ' || lead == 0x7F) {
        char escaped[6] = {'\\', 'u', '0', '0', hex[lead >> 4], hex[lead & 15]};
        return add(line, escaped, 6) ? 1 : 0;
    }
    if (lead >= 0x80 && !is_utf8) {
        return add(line, "?", 1) ? 1 : 0;
    }
    size_t length = character_bytes(lead);
    return add(line, value, length) ? length : 0;
}

static void add_quoted(log_text_t *line, const char *value) {
    span_t span = span_of(value);
    bool is_utf8 = text_is_utf8(span);
    size_t used = 0;
    add_tail(line, '"');
    while (used < span.length) {
        size_t step = add_character(line, value + used, is_utf8);
        if (step == 0) {
            break;
        }
        used += step;
    }
    add_tail(line, '"');
}

/* A word that reads well without quotes: printable ASCII without space, quote, `=` or `\`. */
static bool is_plain(const char *value) {
    size_t length = 0;
    for (; value[length] != '\0'; length++) {
        char byte = value[length];
        if (byte <= ' ' || byte > '~' || byte == '"' || byte == '=' || byte == '\\') {
            return false;
        }
    }
    return length > 0;
}

/* In JSON no key may stand twice: a pair that is named like one of the head gets a prefix. */
static const char *json_prefix(const char *key) {
    bool is_taken = strcmp(key, "time") == 0 || strcmp(key, "level") == 0 ||
                    strcmp(key, "realm") == 0 || strcmp(key, "event") == 0;
    return is_taken ? "other_" : "";
}

/* Adds the separator, the key with its punctuation, and the value; returns false, having added
 * nothing, if not even an empty value would fit. */
static bool add_pair(log_text_t *line, const char *prefix, const char *key, const char *value) {
    size_t start = line->length;
    bool json = line->json;
    const char *before = json ? (start > 1 ? ",\"" : "\"") : (start > 0 ? " " : "");
    const char *behind = json ? "\":" : "=";
    if (!add(line, before, strlen(before)) || !add(line, prefix, strlen(prefix)) ||
        !add(line, key, strlen(key)) || !add(line, behind, strlen(behind)) ||
        line->length >= LOG_LINE_BYTES_MAX - LOG_TAIL_BYTES) {
        line->length = start;
        return false;
    }
    if (json || !is_plain(value) || !add(line, value, strlen(value))) {
        add_quoted(line, value);
    }
    return true;
}

static void add_text_head(log_text_t *line, const char *time, const char *level,
                          const char *event) {
    (void)add(line, time, strlen(time));
    (void)add(line, " ", 1);
    (void)add(line, level, strlen(level));
    if (log_setting.realm[0] != '\0') {
        (void)add_pair(line, "", "realm", log_setting.realm);
    }
    (void)add(line, " ", 1);
    (void)add(line, event, strlen(event));
}

static void add_json_head(log_text_t *line, const char *time, const char *level,
                          const char *event) {
    add_tail(line, '{');
    (void)add_pair(line, "", "time", time);
    (void)add_pair(line, "", "level", level);
    if (log_setting.realm[0] != '\0') {
        (void)add_pair(line, "", "realm", log_setting.realm);
    }
    (void)add_pair(line, "", "event", event);
}

static void add_head(log_text_t *line, log_level_t level, const char *event) {
    struct timespec now = {0};
    char time[TIME_TEXT_BYTES];
    (void)clock_gettime(CLOCK_REALTIME, &now);
    text_time(time, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    if (line->json) {
        add_json_head(line, time, level_word(level), event);
    } else {
        add_text_head(line, time, level_word(level), event);
    }
}

void log_event(log_level_t level, const char *event, ...) {
    unsigned mode = atomic_load_explicit(&log_setting.mode, memory_order_relaxed);
    if ((unsigned)level > (mode & ~LOG_JSON_BIT)) {
        return;
    }
    int saved_errno = errno;
    log_text_t line = {.length = 0, .json = (mode & LOG_JSON_BIT) != 0};
    add_head(&line, level, event);
    va_list pairs;
    va_start(pairs, event);
    const char *key = va_arg(pairs, const char *);
    while (key != NULL) {
        const char *value = va_arg(pairs, const char *);
        if (value == NULL || !add_pair(&line, line.json ? json_prefix(key) : "", key, value)) {
            break;
        }
        key = va_arg(pairs, const char *);
    }
    va_end(pairs);
    if (line.json) {
        add_tail(&line, '}');
    }
    add_tail(&line, '\n');
    ssize_t written = write(STDERR_FILENO, line.bytes, line.length);
    (void)written; /* There is nobody to tell that the log cannot be written. */
    errno = saved_errno;
}
