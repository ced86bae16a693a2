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

static void field_text(const json_t *field, char *out, size_t room) {
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

void json_reply_field(const json_reply_t *reply, size_t row, const char *key, char *out,
                      size_t room) {
    const json_t *element = json_array_get(json_object_get(reply->root, "data"), row);
    field_text(json_object_get(element, key), out, room);
}

/* Where a walk through nested objects stands: no reply nests deeper. */
enum { MEMBER_DEPTH_MAX = 4, MEMBER_PATH_BYTES = 256 };

typedef struct member_walk {
    json_t *objects[MEMBER_DEPTH_MAX];
    void *iterators[MEMBER_DEPTH_MAX];
    size_t prefix_bytes[MEMBER_DEPTH_MAX]; /* of the path, in front of the object's own keys */
    size_t depth;
    char path[MEMBER_PATH_BYTES];
} member_walk_t;

static void walk_enter(member_walk_t *walk, json_t *object, size_t prefix_bytes) {
    walk->objects[walk->depth] = object;
    walk->iterators[walk->depth] = json_object_iter(object);
    walk->prefix_bytes[walk->depth] = prefix_bytes;
    walk->depth++;
}

/* The value that the walk stands at, the walk one step further; NULL at the end of an object. */
static json_t *walk_next(member_walk_t *walk) {
    size_t top = walk->depth - 1;
    void *iterator = walk->iterators[top];
    if (iterator == NULL) {
        return NULL;
    }
    size_t prefix = walk->prefix_bytes[top];
    (void)snprintf(walk->path + prefix, sizeof walk->path - prefix, "%s",
                   json_object_iter_key(iterator));
    walk->iterators[top] = json_object_iter_next(walk->objects[top], iterator);
    return json_object_iter_value(iterator);
}

static bool walk_may_enter(const member_walk_t *walk, const json_t *value) {
    return json_is_object(value) && walk->depth < MEMBER_DEPTH_MAX &&
           strlen(walk->path) + 2 < sizeof walk->path;
}

void json_reply_members(const json_reply_t *reply, json_reply_visit_fn *visit, void *context) {
    member_walk_t walk = {.depth = 0};
    json_t *data = json_object_get(reply->root, "data");
    if (json_is_object(data)) {
        walk_enter(&walk, data, 0);
    }
    while (walk.depth > 0) {
        json_t *value = walk_next(&walk);
        if (value == NULL) {
            walk.depth--;
        } else if (walk_may_enter(&walk, value)) {
            size_t length = strlen(walk.path);
            walk.path[length] = '.';
            walk_enter(&walk, value, length + 1);
        } else {
            char text[512];
            field_text(value, text, sizeof text);
            visit(context, walk.path, text);
        }
    }
}
