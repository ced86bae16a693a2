/*
 * Single values of the configuration. Must never guess: what is not exactly one of the forms is
 * refused with a sentence that says what the forms are.
 */
#include "app/config_values.h"

#include "app/options.h"
#include "base/crypto.h"
#include "base/memory.h"
#include "base/text.h"

#include <string.h>

#define COUNT_MAX 1000000000U
#define SIZE_BITS 50 /* a pebibyte */

bool options_address(address_t *address, const char *text) {
    memset(address, 0, sizeof *address);
    if (!text_host_port(span_of(text), address->text, sizeof address->text, &address->port)) {
        return false;
    }
    address->length = (uint8_t)strlen(address->text);
    return address->length > 0;
}

const char *value_name(void *name, const char *text) {
    return name_parse(name, span_of(text))
               ? NULL
               : "is no realm name: 1 to 64 of a-z 0-9 . _ -, the first a letter or digit";
}

const char *value_path(void *path, const char *text) {
    *(const char **)path = text;
    return text[0] != '\0' ? NULL : "is empty";
}

const char *value_address(void *address, const char *text) {
    address_t parsed;
    *(const char **)address = text;
    return options_address(&parsed, text) ? NULL
                                          : "is no address: host:port, or [host]:port for IPv6";
}

const char *value_advertise(void *address, const char *text) {
    address_t *advertise = address;
    bool good = options_address(advertise, text) && advertise->port != 0;
    return good ? NULL : "is no address that a peer can dial: host:port, or [host]:port for IPv6";
}

/* One of two words. */
static bool choose(bool *chosen, const char *text, const char *word, const char *other) {
    *chosen = strcmp(text, word) == 0;
    return *chosen || strcmp(text, other) == 0;
}

const char *value_registration(void *open, const char *text) {
    return choose(open, text, "open", "closed") ? NULL : "must be open or closed";
}

const char *value_accept(void *any, const char *text) {
    return choose(any, text, "any", "known") ? NULL : "must be known or any";
}

const char *value_log_format(void *json, const char *text) {
    return choose(json, text, "json", "text") ? NULL : "must be text or json";
}

const char *value_log(void *level, const char *text) {
    static const char *const words[] = {[LEVEL_ERROR] = "error",
                                        [LEVEL_WARN] = "warn",
                                        [LEVEL_INFO] = "info",
                                        [LEVEL_DEBUG] = "debug"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i]) == 0) {
            *(log_level_t *)level = (log_level_t)i;
            return NULL;
        }
    }
    return "must be error, warn, info or debug";
}

static const char *trust_add(serve_options_t *options, span_t text) {
    trust_t trust = {0};
    const char *equals = memchr(text.bytes, '=', text.length);
    size_t name_bytes = equals == NULL ? 0 : (size_t)(equals - text.bytes);
    if (equals == NULL || !name_parse(&trust.name, (span_t){text.bytes, name_bytes}) ||
        !crypto_key_parse(trust.key, equals + 1, text.length - name_bytes - 1)) {
        return "must be NAME=KEY, the key as `realmgate key` prints it";
    }
    if (options->trust_count >= LINKS_MAX) {
        return "names too many realms";
    }
    options->trusts = memory_grow(options->trusts, &options->trust_room, options->trust_count + 1,
                                  sizeof *options->trusts);
    options->trusts[options->trust_count++] = trust;
    return NULL;
}

const char *value_trust(void *options, const char *text) {
    const char *wrong = NULL;
    const char *rest = text + strspn(text, " ");
    while (*rest != '\0' && wrong == NULL) {
        size_t length = strcspn(rest, " ");
        wrong = trust_add(options, (span_t){rest, length});
        rest += length;
        rest += strspn(rest, " ");
    }
    return wrong;
}

/* Reads a number from 1 to `most` of all the text up to `end`. */
static bool number_before(const char *text, const char *end, uint64_t most, uint64_t *number) {
    return text_number((span_t){text, (size_t)(end - text)}, most, number) && *number > 0;
}

static bool rate_parse(rate_t *rate, const char *text) {
    const char *slash = strchr(text, '/');
    const char *colon = strchr(text, ':');
    uint64_t number = 0;
    uint64_t burst = 0;
    if (slash == NULL || (slash[1] != 's' && slash[1] != 'm') ||
        (colon != NULL ? colon != slash + 2 : slash[2] != '\0')) {
        return false;
    }
    uint64_t scale = slash[1] == 's' ? 60 : 1;
    if (!number_before(text, slash, RATE_PER_MINUTE_MAX / 60, &number)) {
        return false;
    }
    if (colon == NULL) {
        burst = number;
    } else if (!number_before(colon + 1, text + strlen(text), RATE_BURST_MAX, &burst)) {
        return false;
    }
    *rate = (rate_t){.per_minute = (uint32_t)(number * scale), .burst = (uint32_t)burst};
    return true;
}

const char *value_rate(void *rate, const char *text) {
    if (strcmp(text, "off") == 0) {
        *(rate_t *)rate = (rate_t){0};
        return NULL;
    }
    return rate_parse(rate, text)
               ? NULL
               : "must be off, or like 20/s, 30/m or 20/s:100 (behind the colon: how many at once)";
}

static int64_t unit_ms(char unit) {
    switch (unit) {
    case 's':
        return 1000;
    case 'm':
        return 60 * 1000;
    case 'h':
        return 3600 * 1000;
    case 'd':
        return 24 * 3600 * 1000;
    default:
        return 0;
    }
}

static bool duration_parse(int64_t *milliseconds, const char *text) {
    size_t length = strlen(text);
    int64_t unit = length > 0 ? unit_ms(text[length - 1]) : 0;
    uint64_t number = 0;
    if (unit == 0 ||
        !number_before(text, text + length - 1, (uint64_t)(SETTING_MS_MAX / unit), &number)) {
        return false;
    }
    *milliseconds = (int64_t)number * unit;
    return true;
}

const char *value_duration(void *milliseconds, const char *text) {
    return duration_parse(milliseconds, text) ? NULL : "must be a time like 90s, 15m, 12h or 30d";
}

const char *value_timeout(void *milliseconds, const char *text) {
    if (strcmp(text, "off") == 0) {
        *(int64_t *)milliseconds = 0;
        return NULL;
    }
    return duration_parse(milliseconds, text) ? NULL
                                              : "must be off, or a time like 90s, 15m, 12h or 30d";
}

const char *value_retention(void *milliseconds, const char *text) {
    if (strcmp(text, "forever") == 0) {
        *(int64_t *)milliseconds = 0;
        return NULL;
    }
    return duration_parse(milliseconds, text)
               ? NULL
               : "must be forever, or a time like 90s, 15m, 12h or 30d";
}

const char *value_count(void *count, const char *text) {
    uint64_t number = 0;
    if (!number_before(text, text + strlen(text), COUNT_MAX, &number)) {
        return "must be a number from 1 to 1000000000";
    }
    *(uint32_t *)count = (uint32_t)number;
    return NULL;
}

const char *value_count_or_off(void *count, const char *text) {
    if (strcmp(text, "off") == 0) {
        *(uint32_t *)count = 0;
        return NULL;
    }
    return value_count(count, text) == NULL ? NULL
                                            : "must be off, or a number from 1 to 1000000000";
}

const char *value_size(void *bytes, const char *text) {
    static const char units[] = "kMG";
    size_t length = strlen(text);
    const char *unit = length > 0 ? strchr(units, text[length - 1]) : NULL;
    unsigned bits = unit != NULL ? 10 * (unsigned)(unit - units + 1) : 0;
    uint64_t number = 0;
    const char *end = text + length - (unit != NULL ? 1 : 0);
    if (!number_before(text, end, 1ULL << (SIZE_BITS - bits), &number)) {
        return "must be a size in bytes like 4096, 64k, 16M or 1G";
    }
    *(uint64_t *)bytes = number << bits;
    return NULL;
}
