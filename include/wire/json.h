/*
 * The pieces of JSON that replies are put together from by hand. The names keep clear of jansson's,
 * which has a json_string of its own.
 */
#ifndef REALMGATE_WIRE_JSON_H
#define REALMGATE_WIRE_JSON_H

#include "base/buffer.h"
#include "types/name.h"

/* Appends a JSON string with its quotes; bytes are valid UTF-8. Only what JSON demands is
 * escaped: quote, backslash, control characters. */
void json_write_string(buffer_t *out, span_t text);

/* The same without the quotes: a part of a string. */
void json_write_characters(buffer_t *out, span_t text);

void json_write_number(buffer_t *out, uint64_t number);

/* The same into memory that has room for it: JSON_ESCAPE_BYTES_MAX for each byte of the text,
 * JSON_NUMBER_BYTES_MAX for a number. They return the end of what they wrote. */
#define JSON_ESCAPE_BYTES_MAX 6
#define JSON_NUMBER_BYTES_MAX 20
char *json_put_characters(char *at, span_t text);
char *json_put_number(char *at, uint64_t number);

#endif
