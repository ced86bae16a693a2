/*
 * PHC strings of Argon2id. Must never accept a hash that costs more to verify than the limits say.
 */
#include "base/phc.h"

#include "base/text.h"

#include <sodium.h>
#include <string.h>

/* What is left to read. */
typedef struct phc_reader {
    span_t rest;
    bool good;
} phc_reader_t;

static void take_literal(phc_reader_t *reader, const char *literal) {
    size_t length = strlen(literal);
    reader->good = reader->good && reader->rest.length >= length &&
                   memcmp(reader->rest.bytes, literal, length) == 0;
    if (reader->good) {
        reader->rest.bytes += length;
        reader->rest.length -= length;
    }
}

/* All up to `end` (which is taken too), or to the end of the text if that is '\0'. */
static span_t take_field(phc_reader_t *reader, char end) {
    span_t field = reader->rest;
    size_t length = 0;
    while (length < field.length && (end == '\0' || field.bytes[length] != end)) {
        length++;
    }
    bool ended = end == '\0' || length < field.length;
    size_t taken = end == '\0' ? length : length + 1;
    reader->good = reader->good && ended;
    field.length = length;
    if (reader->good) {
        reader->rest.bytes += taken;
        reader->rest.length -= taken;
    }
    return field;
}

static uint32_t take_number(phc_reader_t *reader, char end, uint32_t max) {
    uint64_t number = 0;
    span_t field = take_field(reader, end);
    reader->good = reader->good && text_number(field, max, &number) && number > 0;
    return (uint32_t)number;
}

/* Exactly `length` bytes. */
static void take_base64(phc_reader_t *reader, char end, uint8_t *bytes, size_t length) {
    size_t got = 0;
    span_t field = take_field(reader, end);
    reader->good = reader->good &&
                   sodium_base642bin(bytes, length, field.bytes, field.length, NULL, &got, NULL,
                                     sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0 &&
                   got == length;
}

bool phc_parse(password_hash_t *hash, span_t text) {
    phc_reader_t reader = {.rest = text, .good = true};
    *hash = (password_hash_t){0};
    take_literal(&reader, "$argon2id$v=19$m=");
    hash->memory_bytes = take_number(&reader, ',', PASSWORD_HASH_MEMORY_MAX / 1024) * 1024;
    take_literal(&reader, "t=");
    hash->passes = take_number(&reader, ',', PASSWORD_HASH_PASSES_MAX);
    take_literal(&reader, "p=1$");
    take_base64(&reader, '$', hash->salt, SALT_BYTES);
    take_base64(&reader, '\0', hash->hash, KEY_BYTES);
    /* Argon2 itself wants 8 KiB. */
    return reader.good && hash->memory_bytes >= 8192;
}
