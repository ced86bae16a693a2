/*
 * Requests from a template. Must never cost more than the server's work on the request: everything
 * that can be known before is done when the template is read.
 */
#include "template.h"

#include "escape.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define PADDING_MAX      1000000
#define PLACE_BYTES_MAX  64 /* of one place that is not a text */
#define NUMBER_BYTES_MAX 20

static template_part_t *add_part(template_t *template, template_kind_t kind) {
    if (template->part_count == TEMPLATE_PARTS_MAX)
        return NULL;
    template_part_t *part = &template->parts[template->part_count++];
    *part = (template_part_t){.kind = kind, .start = template->texts.length};
    return part;
}

/* Adds to the text that the template ends with, so far. */
static bool add_text(template_t *template, const char *text, size_t length) {
    template_part_t *last =
        template->part_count > 0 ? &template->parts[template->part_count - 1] : NULL;
    if (last == NULL || last->kind != TEMPLATE_TEXT)
        last = add_part(template, TEMPLATE_TEXT);
    if (last == NULL)
        return false;
    bytes_add(&template->texts, text, length);
    last->length += length;
    return true;
}

/* Reads {N} behind a %p; returns how long it is, 0 if it is none. */
static size_t add_padding(template_t *template, const char *text, size_t length) {
    const char *closing = length > 0 && text[0] == '{' ? memchr(text, '}', length) : NULL;
    char *end = NULL;
    if (closing == NULL || !isdigit((unsigned char)text[1]))
        return 0;
    unsigned long count = strtoul(text + 1, &end, 10);
    if (end != closing || count > PADDING_MAX)
        return 0;
    bytes_t padding = {0};
    memset(bytes_reserve(&padding, count), 'x', count);
    bool added = add_text(template, padding.data, count);
    bytes_clear(&padding);
    return added ? (size_t)(closing + 1 - text) : 0;
}

static bool add_place(template_t *template, char letter) {
    static const char letters[] = "dorncRzhHBt";
    const char *found = letter != '\0' ? strchr(letters, letter) : NULL;
    if (found == NULL)
        return false;
    return add_part(template, (template_kind_t)(TEMPLATE_CONNECTION + (found - letters))) != NULL;
}

/* Reads what stands behind a %; returns how long it is, 0 if it is nothing known. */
static size_t read_place(template_t *template, const char *text, size_t length) {
    if (length == 0)
        return 0;
    if (text[0] == '%')
        return add_text(template, text, 1) ? 1 : 0;
    if (text[0] != 'p')
        return add_place(template, text[0]) ? 1 : 0;
    size_t padding = add_padding(template, text + 1, length - 1);
    return padding > 0 ? padding + 1 : 0;
}

static bool read_all(template_t *template, const char *text, size_t length) {
    size_t at = 0;
    while (at < length) {
        const char *percent = memchr(text + at, '%', length - at);
        size_t plain = percent != NULL ? (size_t)(percent - text) - at : length - at;
        if (plain > 0 && !add_text(template, text + at, plain))
            return false;
        at += plain;
        if (percent == NULL)
            break;
        size_t place = read_place(template, text + at + 1, length - at - 1);
        if (place == 0)
            return false;
        at += place + 1;
    }
    return true;
}

static bool has_no_places(const template_t *template) {
    return template->part_count == 1 && template->parts[0].kind == TEMPLATE_TEXT;
}

bool template_init(template_t *template, const char *text, size_t copies) {
    *template = (template_t){0};
    bytes_t bytes = {0};
    escape_read(&bytes, text);
    bool sound = read_all(template, bytes.data, bytes.length);
    bytes_clear(&bytes);
    if (sound && has_no_places(template)) {
        for (size_t i = 0; i < copies; i++)
            bytes_add(&template->copies, template->texts.data, template->texts.length);
    }
    return sound;
}

void template_deinit(template_t *template) {
    bytes_clear(&template->texts);
    bytes_clear(&template->copies);
}

static char *put_number(char *out, uint64_t number) {
    char digits[NUMBER_BYTES_MAX];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (count > 0)
        *out++ = digits[--count];
    return out;
}

static char *put_five_digits(char *out, uint32_t number) {
    for (int i = 4; i >= 0; i--) {
        out[i] = (char)('0' + number % 10);
        number /= 10;
    }
    return out + 5;
}

static char *put_three(char *out, const unsigned char *three, size_t count) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = (unsigned)three[0] << 16 | (unsigned)three[1] << 8 | three[2];
    out[0] = letters[bits >> 18];
    out[1] = letters[bits >> 12 & 63];
    out[2] = count > 1 ? letters[bits >> 6 & 63] : '=';
    out[3] = count > 2 ? letters[bits & 63] : '=';
    return out + 4;
}

static char *put_base64(char *out, uint64_t connection) {
    char plain[NUMBER_BYTES_MAX + 8] = {'\0', 'u'};
    char *end = put_number(plain + 2, connection);
    *end++ = '\0';
    *end++ = 'p';
    size_t length = (size_t)(end - plain);
    for (size_t i = 0; i < length; i += 3)
        out = put_three(out, (const unsigned char *)plain + i, length - i);
    return out;
}

static char *put_bytes(char *out, const char *data, size_t length) {
    if (length > 0)
        memcpy(out, data, length);
    return out + length;
}

static char *put_part(char *out, const template_t *template, const template_part_t *part,
                      const template_values_t *values) {
    static const char realms[] = "ab";
    bool odd = (values->connection & 1) != 0;
    switch (part->kind) {
    case TEMPLATE_TEXT:
        return put_bytes(out, template->texts.data + part->start, part->length);
    case TEMPLATE_CONNECTION:
        return put_number(out, values->connection);
    case TEMPLATE_PAIR:
        return put_number(out, values->connection ^ 1U);
    case TEMPLATE_RANDOM_CONNECTION:
        return put_number(out, dice_below(values->dice, (uint32_t)values->connection_count));
    case TEMPLATE_REQUEST:
        return put_number(out, values->request);
    case TEMPLATE_OWN:
        return put_number(out, values->own);
    case TEMPLATE_RANDOM:
        return put_number(out, dice_below(values->dice, 10000));
    case TEMPLATE_RANDOM_DIGITS:
        return put_five_digits(out, dice_below(values->dice, 10000));
    case TEMPLATE_REALM:
        return put_bytes(out, &realms[odd], 1);
    case TEMPLATE_OTHER_REALM:
        return put_bytes(out, &realms[!odd], 1);
    case TEMPLATE_BASE64:
        return put_base64(out, values->connection);
    case TEMPLATE_CAPTURED:
        return put_bytes(out, values->captured->data, values->captured->length);
    }
    return out;
}

const char *template_fill(const template_t *template, template_values_t *values, size_t count,
                          bytes_t *room, size_t *length) {
    *length = count * template->texts.length;
    if (*length <= template->copies.length && template->copies.length > 0)
        return template->copies.data;
    size_t place_bytes = PLACE_BYTES_MAX + values->captured->length;
    size_t request_bytes = template->texts.length + template->part_count * place_bytes;
    room->length = 0;
    char *out = bytes_reserve(room, count * request_bytes);
    for (size_t i = 0; i < count; i++) {
        for (size_t part = 0; part < template->part_count; part++)
            out = put_part(out, template, &template->parts[part], values);
        values->request++;
        values->own++;
    }
    *length = (size_t)(out - room->data);
    return room->data;
}
