/*
 * Small pure questions about bytes: names, UTF-8, numbers.
 */
#ifndef REALMGATE_BASE_TEXT_H
#define REALMGATE_BASE_TEXT_H

#include "types/name.h"

#include <stdbool.h>

/* Reads a name by the protocol's rule (1..64 of a-z 0-9 . _ -, the first a letter or digit), upper
 * case folded to lower; the rest of *name is zeroed. False if it is none. */
bool name_parse(name_t *name, span_t bytes);

/* Whether the bytes are a name as a realm writes it: by the rule, and folded. */
bool name_is_folded(span_t bytes);

bool name_equal(const name_t *a, const name_t *b);
span_t name_span(const name_t *name);

/* A span of a C string. */
span_t span_of(const char *text);
bool span_equal(span_t a, span_t b);

/* Valid UTF-8 (RFC 3629) without NUL. */
bool text_is_utf8(span_t bytes);

/* True for 1..PASSWORD_BYTES_MAX bytes without space or control characters. */
bool text_is_password(span_t bytes);

/* Reads "@<ref>": a ref is 1..REF_BYTES_MAX of A-Z a-z 0-9 . _ -. False if it is none. */
bool text_ref(span_t bytes, span_t *ref);

/* Reads a decimal number without sign, 1..20 digits, at most `max`. */
bool text_number(span_t bytes, uint64_t max, uint64_t *number);

/* Splits "host:port" or "[v6]:port" (brackets are dropped). False if malformed or too long. */
bool text_host_port(span_t bytes, char *host, size_t host_room, uint16_t *port);

/* "2026-11-22T10:00:00.123Z" and a NUL: 25 bytes. Years 0..9999; others are clamped. */
#define TIME_TEXT_BYTES 25
void text_time(char out[TIME_TEXT_BYTES], int64_t time_ms);

#endif
