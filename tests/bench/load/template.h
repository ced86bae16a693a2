/*
 * Requests made from one text. It is read once; what stands in it is then put together for each
 * request, and a text without places is only copied.
 */
#ifndef REALMGATE_BENCH_TEMPLATE_H
#define REALMGATE_BENCH_TEMPLATE_H

#include "bytes.h"
#include "sim/dice.h"

#include <stdbool.h>
#include <stdint.h>

#define TEMPLATE_PARTS_MAX 64

typedef enum template_kind {
    TEMPLATE_TEXT,
    TEMPLATE_CONNECTION,        /* %d: the connection's number */
    TEMPLATE_PAIR,              /* %o: the other one's of a pair */
    TEMPLATE_RANDOM_CONNECTION, /* %r */
    TEMPLATE_REQUEST,           /* %n: the request's number over all */
    TEMPLATE_OWN,               /* %c: its number on this connection */
    TEMPLATE_RANDOM,            /* %R: a random number below 10000 */
    TEMPLATE_RANDOM_DIGITS,     /* %z: the same with five digits */
    TEMPLATE_REALM,             /* %h: "a" on even connections, "b" on odd ones */
    TEMPLATE_OTHER_REALM,       /* %H: the pair's */
    TEMPLATE_BASE64,            /* %B: NUL u%d NUL p, as SASL PLAIN has it */
    TEMPLATE_CAPTURED,          /* %t: what was captured from the connection's first replies */
} template_kind_t;

typedef struct template_part {
    template_kind_t kind;
    size_t start, length; /* of a text, in the template's texts */
} template_part_t;

typedef struct template {
    bytes_t texts;
    template_part_t parts[TEMPLATE_PARTS_MAX];
    size_t part_count;
    bytes_t copies; /* of a text without places */
}
template_t;

/* What the places of a template stand for. */
typedef struct template_values {
    uint64_t connection, connection_count;
    uint64_t request, own; /* count on with each request */
    const bytes_t *captured;
    dice_t *dice;
} template_values_t;

/* Reads a text: C escapes, %p{N} for N bytes of padding, %% for %, and the places above. False if
 * there is something else behind a %, or too much. `copies` requests are the most that are asked
 * for at a time. Given back by template_deinit(). */
bool template_init(template_t *template, const char *text, size_t copies);
void template_deinit(template_t *template);

/* So many requests, one behind the other. They are the template's or in `room`, whose former bytes
 * are dropped; the caller borrows them until the next call. */
const char *template_fill(const template_t *template, template_values_t *values, size_t count,
                          bytes_t *room, size_t *length);

#endif
