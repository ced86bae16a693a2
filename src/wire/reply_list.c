/*
 * The `data` of the rare replies, through jansson. Must never be on the way of a message.
 *
 * Building JSON can only fail without memory; then this process stops as memory_alloc would.
 */
#include "reply_list.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "base/text.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

/* Enough digits for a microsecond in a day of milliseconds; 0.4 stays 0.4. */
#define REAL_DIGITS 11

static json_t *built(json_t *value) {
    ASSERT(value != NULL);
    return value;
}

/* A string, or null where there is none. An address is whatever an operator or a peer made of it:
 * one that is not UTF-8 is shown as null, too. */
static json_t *string_or_null(const char *text) {
    if (text == NULL || !text_is_utf8(span_of(text))) {
        return json_null();
    }
    return built(json_string(text));
}

static json_t *name_string(const name_t *name) {
    return string_or_null(name->text);
}

/* Takes `value`. */
static void put(json_t *object, const char *key, json_t *value) {
    int failed = json_object_set_new(object, key, value);
    ASSERT(failed == 0);
}

static void put_count(json_t *object, const char *key, uint64_t count) {
    put(object, key, built(json_integer((json_int_t)count)));
}

static void add_row(json_t *array, json_t *row) {
    int failed = json_array_append_new(array, row);
    ASSERT(failed == 0);
}

static const char *realm_state(const realm_status_t *row) {
    if (!row->linked) {
        return "pinned";
    }
    return row->up ? "up" : "down";
}

static json_t *rtt_or_null(int64_t rtt_us) {
    return rtt_us < 0 ? json_null() : built(json_real((double)rtt_us / 1000.0));
}

static json_t *realm_row(const realm_status_t *status, int64_t oldest_s, bool with_key) {
    json_t *row = built(json_object());
    put(row, "realm", name_string(&status->name));
    put(row, "address", status->linked ? string_or_null(status->address.text) : json_null());
    put(row, "port", status->linked ? built(json_integer(status->address.port)) : json_null());
    put(row, "state", string_or_null(realm_state(status)));
    put(row, "rtt_ms", rtt_or_null(status->rtt_us));
    put_count(row, "queued", status->queued);
    put(row, "oldest_s", built(json_integer(oldest_s)));
    put(row, "error", string_or_null(status->error));
    if (with_key) {
        char key[KEY_TEXT_BYTES + 1];
        crypto_key_text(key, status->key);
        put(row, "key", string_or_null(key));
    }
    return row;
}

static json_t *realm_rows(const reply_t *reply, const int64_t *oldest_s) {
    json_t *rows = built(json_array());
    for (uint32_t i = 0; i < reply->realms.count; i++) {
        int64_t oldest = oldest_s == NULL ? 0 : oldest_s[i];
        add_row(rows, realm_row(&reply->realms.rows[i], oldest, reply->realms.with_keys));
    }
    return rows;
}

static json_t *user_rows(const reply_t *reply) {
    json_t *rows = built(json_array());
    for (uint32_t i = 0; i < reply->users.count; i++) {
        json_t *row = built(json_object());
        put(row, "user", name_string(&reply->users.rows[i].name));
        put(row, "operator", json_boolean(reply->users.rows[i].is_operator));
        add_row(rows, row);
    }
    return rows;
}

static json_t *member_names(const group_status_t *group) {
    json_t *members = built(json_array());
    for (uint32_t i = 0; i < group->member_count; i++) {
        add_row(members, name_string(&group->members[i]));
    }
    return members;
}

static json_t *group_rows(const reply_t *reply) {
    json_t *rows = built(json_array());
    for (uint32_t i = 0; i < reply->groups.count; i++) {
        json_t *row = built(json_object());
        put(row, "group", name_string(&reply->groups.rows[i].name));
        put(row, "members", member_names(&reply->groups.rows[i]));
        add_row(rows, row);
    }
    return rows;
}

static json_t *help_rows(const reply_t *reply) {
    json_t *rows = built(json_array());
    for (uint32_t i = 0; i < reply->help.count; i++) {
        json_t *row = built(json_object());
        put(row, "request", string_or_null(reply->help.rows[i].word));
        put(row, "usage", string_or_null(reply->help.rows[i].usage));
        put(row, "help", string_or_null(reply->help.rows[i].help));
        add_row(rows, row);
    }
    return rows;
}

static const char *message_state_word(message_state_t state) {
    switch (state) {
    case MESSAGE_QUEUED:
        return "queued";
    case MESSAGE_DELIVERED:
        return "delivered";
    case MESSAGE_REJECTED:
        return "rejected";
    case MESSAGE_EXPIRED:
        return "expired";
    }
    return NULL;
}

static json_t *message_state(const reply_t *reply, const name_t *realm) {
    char id[NAME_BYTES_MAX + 24];
    char time[TIME_TEXT_BYTES];
    (void)snprintf(id, sizeof(id), "%s:%" PRIu64, realm->text, reply->state.number);
    text_time(time, reply->state.time_ms);
    json_t *object = built(json_object());
    put(object, "id", string_or_null(id));
    put(object, "state", string_or_null(message_state_word(reply->state.state)));
    put(object, "time", string_or_null(time));
    put(object, "reason", string_or_null(reply->state.reason));
    return object;
}

static json_t *server_limits(const server_status_t *server) {
    static const char *const names[LIMIT_COUNT] = {
        "users", "groups",        "members", "mailboxes",      "outbox_records", "outbox_bytes",
        "links", "password_jobs", "logins",  "deferred_bytes", "refs",           "broadcast"};
    json_t *limits = built(json_object());
    for (unsigned i = 0; i < LIMIT_COUNT; i++) {
        json_t *limit = built(json_object());
        put_count(limit, "current", server->limits[i].current);
        put_count(limit, "maximum", server->limits[i].maximum);
        put_count(limit, "refused", server->limits[i].refused);
        put(limits, names[i], limit);
    }
    return limits;
}

static json_t *server_connections(const front_counters_t *front) {
    json_t *connections = built(json_object());
    put_count(connections, "current", front->connections);
    put_count(connections, "maximum", front->connections_max);
    put_count(connections, "accepted", front->accepted);
    put_count(connections, "refused_full", front->refused_full);
    put_count(connections, "refused_address", front->refused_address);
    put_count(connections, "connections_limited", front->connections_limited);
    put_count(connections, "requests_limited", front->requests_limited);
    put_count(connections, "login_timeouts", front->login_timeouts);
    put_count(connections, "stalled", front->stalled);
    put_count(connections, "lagged", front->lagged);
    put_count(connections, "deaf", front->deaf);
    return connections;
}

/* Two digits behind the point are enough, and do not change with every reply. */
static json_t *rate(double per_s) {
    return built(json_real((double)(int64_t)(per_s * 100.0 + 0.5) / 100.0));
}

static json_t *server_status(const server_status_t *server, const front_counters_t *front) {
    json_t *object = built(json_object());
    put(object, "realm", name_string(&server->realm));
    put(object, "version", string_or_null(REALMGATE_VERSION));
    put(object, "uptime_ms", built(json_integer(server->uptime_ms)));
    put_count(object, "users", server->users);
    put_count(object, "groups", server->groups);
    put_count(object, "links", server->links);
    put_count(object, "sessions", server->sessions);
    put_count(object, "mailboxes", server->mailboxes);
    put_count(object, "messages", server->messages);
    put_count(object, "queued", server->queued);
    put_count(object, "requests", server->requests);
    put_count(object, "peer_messages", server->peer_messages);
    put_count(object, "peer_errors", server->peer_errors);
    put(object, "requests_per_s", rate(server->requests_per_s));
    put(object, "messages_per_s", rate(server->messages_per_s));
    put(object, "retention_ms", built(json_integer(server->retention_ms)));
    put_count(object, "forgotten", server->forgotten);
    put(object, "limits", server_limits(server));
    put(object, "connections", server_connections(front));
    return object;
}

static json_t *reply_data(const reply_t *reply, const name_t *realm, const int64_t *oldest_s) {
    switch (reply->kind) {
    case REPLY_REALMS:
        return realm_rows(reply, oldest_s);
    case REPLY_USERS:
        return user_rows(reply);
    case REPLY_GROUPS:
        return group_rows(reply);
    case REPLY_HELP:
        return help_rows(reply);
    case REPLY_MESSAGE_STATE:
        return message_state(reply, realm);
    case REPLY_SERVER:
        return server_status(reply->server.status, &reply->server.front);
    case REPLY_TEXT:
    case REPLY_ERROR:
    case REPLY_PAGE:
    case REPLY_BROADCAST:
        break;
    }
    return NULL;
}

static int append_dumped(const char *bytes, size_t length, void *out) {
    buffer_append(out, bytes, length);
    return 0;
}

void reply_list_write(buffer_t *out, const reply_t *reply, const name_t *realm,
                      const int64_t *oldest_s) {
    json_t *data = built(reply_data(reply, realm, oldest_s));
    int failed = json_dump_callback(data, append_dumped, out,
                                    JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS));
    ASSERT(failed == 0);
    json_decref(data);
}
