/*
 * Replies as a client sees them, the hot ones put together by hand. Must never let a byte of a
 * client's or a peer's text out unescaped.
 */
#include "wire/reply.h"

#include "base/assert.h"
#include "base/code.h"
#include "base/text.h"
#include "reply_list.h"

#include <string.h>

/* The pieces of a frame that is written at once: `at` has room for it, the end is returned. */
static inline char *put_bytes(char *at, const char *bytes, size_t length) {
    memcpy(at, bytes, length);
    return at + length;
}

static inline char *put(char *at, const char *text) {
    return put_bytes(at, text, strlen(text));
}

/* The ref, if there is one, is the last key. It has no character to escape. */
static char *put_end(char *at, span_t ref) {
    if (ref.length > 0) {
        at = put(at, ",\"ref\":\"");
        at = put_bytes(at, ref.bytes, ref.length);
        at = put(at, "\"");
    }
    return put(at, "}\r\n\r\n");
}

#define END_BYTES_MAX (32 + REF_BYTES_MAX)

/* Ends the frame. */
static void write_end(buffer_t *out, span_t ref) {
    ASSERT(ref.length <= REF_BYTES_MAX);
    char *start = buffer_reserve(out, END_BYTES_MAX);
    out->length += (size_t)(put_end(start, ref) - start);
}

static char *put_id(char *at, span_t realm, uint64_t number) {
    at = put(at, "\"");
    at = json_put_characters(at, realm);
    at = put(at, ":");
    at = json_put_number(at, number);
    return put(at, "\"");
}

/* Appends `"<realm>:<number>"`. */
static void append_id(buffer_t *out, span_t realm, uint64_t number) {
    char *start =
        buffer_reserve(out, 8 + JSON_NUMBER_BYTES_MAX + JSON_ESCAPE_BYTES_MAX * realm.length);
    out->length += (size_t)(put_id(start, realm, number) - start);
}

/* Appends `"<user>@<realm>"`. */
static void append_address(buffer_t *out, span_t user, span_t realm) {
    buffer_append(out, "\"", 1);
    json_write_characters(out, user);
    buffer_append(out, "@", 1);
    json_write_characters(out, realm);
    buffer_append(out, "\"", 1);
}

/* Appends `,"<key>":"<text>"` if there is a text. */
static void append_field(buffer_t *out, const char *key, const char *text) {
    if (text == NULL) {
        return;
    }
    buffer_append(out, ",\"", 2);
    buffer_text(out, key);
    buffer_append(out, "\":", 2);
    json_write_string(out, span_of(text));
}

static const char *delivery_word(delivery_t delivery) {
    switch (delivery) {
    case DELIVERY_NONE:
        return NULL;
    case DELIVERY_DELIVERED:
        return "delivered";
    case DELIVERY_QUEUED:
        return "queued";
    }
    return NULL;
}

/* The reply to all that is asked often, so it is put together in one go. What is not the texts
 * takes less than the 128 bytes. */
static void write_text(buffer_t *out, const reply_t *reply, const name_t *realm) {
    const char *delivery = delivery_word(reply->text.delivery);
    ASSERT(reply->ref.length <= REF_BYTES_MAX && realm->length <= NAME_BYTES_MAX);
    char *start =
        buffer_reserve(out, 128 + END_BYTES_MAX +
                                JSON_ESCAPE_BYTES_MAX * (reply->text.text.length + NAME_BYTES_MAX));
    char *at = put(start, "{\"status\":\"OK\",\"data\":\"");
    at = json_put_characters(at, reply->text.text);
    at = put(at, "\"");
    if (reply->text.number != 0) {
        at = put(at, ",\"id\":");
        at = put_id(at, name_span(realm), reply->text.number);
    }
    if (delivery != NULL) {
        at = put(at, ",\"delivery\":\"");
        at = put(at, delivery);
        at = put(at, "\"");
    }
    out->length += (size_t)(put_end(at, reply->ref) - start);
}

static void write_error(buffer_t *out, code_t code, const char *usage, const char *reason,
                        span_t ref) {
    const char *word = code_word(code);
    ASSERT(word != NULL);
    buffer_text(out, "{\"status\":\"ERROR\",\"data\":");
    json_write_string(out, span_of(code_text(code)));
    append_field(out, "code", word);
    append_field(out, "usage", usage);
    append_field(out, "reason", reason);
    write_end(out, ref);
}

void reply_write_error(buffer_t *out, code_t code) {
    write_error(out, code, NULL, NULL, (span_t){0});
}

static void write_broadcast_row(buffer_t *out, const broadcast_status_t *row, const name_t *realm,
                                bool unsure) {
    buffer_text(out, "{\"realm\":");
    json_write_string(out, name_span(&row->realm));
    /* A refusal that was not committed did not happen: the record goes. */
    if (row->code != CODE_OK && !(unsure && row->number != 0)) {
        append_field(out, "error", code_word(row->code));
    } else {
        buffer_text(out, ",\"id\":");
        append_id(out, name_span(realm), row->number);
        append_field(out, "delivery", delivery_word(unsure ? DELIVERY_QUEUED : row->delivery));
    }
    buffer_text(out, "}");
}

static void write_broadcast(buffer_t *out, const reply_t *reply, const name_t *realm) {
    buffer_text(out, "{\"status\":\"OK\",\"data\":");
    json_write_string(out, span_of(reply->broadcast.text));
    buffer_text(out, ",\"realms\":[");
    for (uint32_t i = 0; i < reply->broadcast.count; i++) {
        buffer_text(out, i == 0 ? "" : ",");
        write_broadcast_row(out, &reply->broadcast.rows[i], realm, reply->broadcast.unsure);
    }
    buffer_text(out, "]");
    write_end(out, reply->ref);
}

void reply_write(buffer_t *out, const reply_t *reply, const name_t *realm,
                 const int64_t *oldest_s) {
    ASSERT(reply->kind != REPLY_PAGE);
    if (reply->kind == REPLY_TEXT) {
        write_text(out, reply, realm);
    } else if (reply->kind == REPLY_ERROR) {
        write_error(out, reply->error.code, reply->error.usage, reply->error.reason, reply->ref);
    } else if (reply->kind == REPLY_BROADCAST) {
        write_broadcast(out, reply, realm);
    } else {
        buffer_text(out, "{\"status\":\"OK\",\"data\":");
        reply_list_write(out, reply, realm, oldest_s);
        write_end(out, reply->ref);
    }
}

void reply_page_begin(buffer_t *out) {
    buffer_text(out, "{\"status\":\"OK\",\"data\":[");
}

void reply_page_message(buffer_t *out, const message_t *message, const name_t *realm, bool first) {
    char time[TIME_TEXT_BYTES];
    span_t own = name_span(realm);
    span_t origin = message->origin.length > 0 ? message->origin : own;
    buffer_text(out, first ? "{\"seq\":" : ",{\"seq\":");
    json_write_number(out, message->seq);
    buffer_text(out, ",\"id\":");
    append_id(out, origin, message->number);
    buffer_text(out, ",\"from\":");
    append_address(out, message->from, origin);
    if (message->group) {
        buffer_text(out, ",\"group\":");
        json_write_string(out, message->to);
    } else {
        buffer_text(out, ",\"to\":");
        append_address(out, message->to, message->realm.length > 0 ? message->realm : own);
    }
    buffer_text(out, ",\"time\":\"");
    text_time(time, message->time_ms);
    buffer_append(out, time, TIME_TEXT_BYTES - 1);
    buffer_text(out, "\",\"message\":");
    json_write_string(out, message->text);
    buffer_text(out, "}");
}

void reply_page_end(buffer_t *out, bool more, bool stale, span_t ref) {
    buffer_text(out, "]");
    if (more) {
        buffer_text(out, ",\"more\":true");
    }
    if (stale) {
        buffer_text(out, ",\"stale\":true");
    }
    write_end(out, ref);
}
