/*
 * A reply as a program that asked for it reads it: the other end of wire/reply.h.
 */
#ifndef REALMGATE_WIRE_JSON_REPLY_H
#define REALMGATE_WIRE_JSON_REPLY_H

#include "types/name.h"

#include <stdbool.h>

typedef struct json_reply json_reply_t;

/* Reads one reply frame: a JSON object, white space around it allowed. NULL if it is none. The
 * caller destroys it. */
json_reply_t *json_reply_parse(span_t frame);
void json_reply_destroy(json_reply_t **reply);

/* "status" is "OK". */
bool json_reply_ok(const json_reply_t *reply);

/* A field of the reply itself if it is a string ("data", "code", "reason", "usage"), else NULL.
 * Valid as long as the reply. */
const char *json_reply_text(const json_reply_t *reply, const char *key);

/* Called for each value in "data" that is no object itself; `path` is "limits.users.refused". */
typedef void json_reply_visit_fn(void *context, const char *path, const char *text);

/* Visits the members of "data", if it is an object, in their order, those of objects in it as well;
 * text as json_reply_field gives it. */
void json_reply_members(const json_reply_t *reply, json_reply_visit_fn *visit, void *context);

/* How many elements "data" has if it is a list, else 0. */
size_t json_reply_rows(const json_reply_t *reply);

/* A field of an element of "data" as text: strings as they are, numbers in decimal, "true" and
 * "false", "-" for null, and for what is not there or neither of these. Cut if it does not fit;
 * always terminated. */
void json_reply_field(const json_reply_t *reply, size_t row, const char *key, char *out,
                      size_t room);

#endif
