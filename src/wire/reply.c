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

static const char frame_end[] = "}\r\n\r\n";

/* Appends `"<realm>:<number>"`. */
static void append_id(buffer_t *out, span_t realm, uint64_t number) {
    buffer_append(out, "\"", 1);
    json_write_characters(out, realm);
    buffer_append(out, ":", 1);
    json_write_number(out, number);
    buffer_append(out, "\"", 1);
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

static void write_text(buffer_t *out, const reply_t *reply, const name_t *realm) {
    buffer_text(out, "{\"status\":\"OK\",\"data\":");
    json_write_string(out, reply->text.text);
    if (reply->text.number != 0) {
        buffer_text(out, ",\"id\":");
        append_id(out, name_span(realm), reply->text.number);
    }
    append_field(out, "delivery", delivery_word(reply->text.delivery));
    buffer_text(out, frame_end);
}

static void write_error(buffer_t *out, code_t code, const char *usage, const char *reason) {
    const char *word = code_word(code);
    ASSERT(word != NULL);
    buffer_text(out, "{\"status\":\"ERROR\",\"data\":");
    json_write_string(out, span_of(code_text(code)));
    append_field(out, "code", word);
    append_field(out, "usage", usage);
    append_field(out, "reason", reason);
    buffer_text(out, frame_end);
}

void reply_write_error(buffer_t *out, code_t code) {
    write_error(out, code, NULL, NULL);
}

void reply_write(buffer_t *out, const reply_t *reply, const name_t *realm,
                 const int64_t *oldest_s) {
    ASSERT(reply->kind != REPLY_PAGE);
    if (reply->kind == REPLY_TEXT) {
        write_text(out, reply, realm);
    } else if (reply->kind == REPLY_ERROR) {
        write_error(out, reply->error.code, reply->error.usage, reply->error.reason);
    } else {
        buffer_text(out, "{\"status\":\"OK\",\"data\":");
        reply_list_write(out, reply, realm, oldest_s);
        buffer_text(out, frame_end);
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

void reply_page_end(buffer_t *out, bool more, bool stale) {
    buffer_text(out, "]");
    if (more) {
        buffer_text(out, ",\"more\":true");
    }
    if (stale) {
        buffer_text(out, ",\"stale\":true");
    }
    buffer_text(out, frame_end);
}
