/*
 * A reader of comma separated values. Must never guess: what RFC 4180 does not allow is wrong.
 */
#include "app/csv.h"

#include <stddef.h>

void csv_open(csv_t *csv, char *bytes, size_t length) {
    *csv = (csv_t){.rest = bytes, .end = bytes + length, .next_line = 1};
}

static bool at_end(const csv_t *csv) {
    return csv->rest == csv->end;
}

/* Takes a line end, if one is there. */
static bool take_line_end(csv_t *csv) {
    ptrdiff_t left = csv->end - csv->rest;
    ptrdiff_t bytes = 0;
    if (left >= 1 && csv->rest[0] == '\n') {
        bytes = 1;
    } else if (left >= 2 && csv->rest[0] == '\r' && csv->rest[1] == '\n') {
        bytes = 2;
    }
    csv->rest += bytes;
    csv->next_line += bytes > 0;
    return bytes > 0;
}

/* The field is moved together over its doubled quotes. */
static span_t take_quoted(csv_t *csv) {
    char *to = ++csv->rest;
    span_t field = {.bytes = to};
    while (!at_end(csv)) {
        if (*csv->rest == '"') {
            csv->rest++;
            if (at_end(csv) || *csv->rest != '"') {
                field.length = (size_t)(to - field.bytes);
                return field;
            }
        }
        csv->next_line += *csv->rest == '\n';
        *to++ = *csv->rest++;
    }
    csv->wrong = "a quoted field does not end";
    return field;
}

static bool ends_field(const csv_t *csv) {
    return at_end(csv) || *csv->rest == ',' || *csv->rest == '\n' ||
           (*csv->rest == '\r' && csv->end - csv->rest >= 2 && csv->rest[1] == '\n');
}

static span_t take_plain(csv_t *csv) {
    span_t field = {.bytes = csv->rest};
    while (!ends_field(csv)) {
        if (*csv->rest == '"') {
            csv->wrong = "a quote inside a field that is not quoted";
            return field;
        }
        csv->rest++;
    }
    field.length = (size_t)(csv->rest - field.bytes);
    return field;
}

static void take_field(csv_t *csv) {
    if (csv->field_count == CSV_FIELDS_MAX) {
        csv->wrong = "too many fields";
        return;
    }
    bool quoted = !at_end(csv) && *csv->rest == '"';
    csv->fields[csv->field_count++] = quoted ? take_quoted(csv) : take_plain(csv);
    if (csv->wrong == NULL && !ends_field(csv)) {
        csv->wrong = "something stands behind a quoted field";
    }
}

bool csv_next(csv_t *csv) {
    while (take_line_end(csv)) {
    }
    csv->field_count = 0;
    csv->line = csv->next_line;
    if (at_end(csv)) {
        return false;
    }
    take_field(csv);
    while (csv->wrong == NULL && !at_end(csv) && *csv->rest == ',') {
        csv->rest++;
        take_field(csv);
    }
    if (csv->wrong == NULL && !at_end(csv)) {
        (void)take_line_end(csv);
    }
    return csv->wrong == NULL;
}
