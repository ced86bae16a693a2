/*
 * Replies as the program's own subcommands read them. Must never trust a realm's reply to have the
 * shape that it should have.
 */
#include "wire/json_reply.h"

#include "base/memory.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct json_reply {
    json_t *root; /* an object */
};

json_reply_t *json_reply_parse(span_t frame) {
    json_t *root = json_loadb(frame.bytes, frame.length, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(root)) {
        json_decref(root);
        return NULL;
    }
    json_reply_t *reply = memory_alloc(sizeof *reply);
    reply->root = root;
    return reply;
}

void json_reply_destroy(json_reply_t **reply) {
    if (*reply != NULL) {
        json_decref((*reply)->root);
        memory_free(*reply);
        *reply = NULL;
    }
}

bool json_reply_ok(const json_reply_t *reply) {
    const char *status = json_reply_text(reply, "status");
    return status != NULL && strcmp(status, "OK") == 0;
}

const char *json_reply_text(const json_reply_t *reply, const char *key) {
    return json_string_value(json_object_get(reply->root, key));
}

size_t json_reply_rows(const json_reply_t *reply) {
    return json_array_size(json_object_get(reply->root, "data"));
}

void json_reply_field(const json_reply_t *reply, size_t row, const char *key, char *out,
                      size_t room) {
    const json_t *element = json_array_get(json_object_get(reply->root, "data"), row);
    const json_t *field = json_object_get(element, key);
    if (json_is_string(field)) {
        (void)snprintf(out, room, "%s", json_string_value(field));
    } else if (json_is_integer(field)) {
        (void)snprintf(out, room, "%" JSON_INTEGER_FORMAT, json_integer_value(field));
    } else if (json_is_real(field)) {
        (void)snprintf(out, room, "%g", json_real_value(field));
    } else if (json_is_boolean(field)) {
        (void)snprintf(out, room, "%s", json_is_true(field) ? "true" : "false");
    } else {
        (void)snprintf(out, room, "-");
    }
}
