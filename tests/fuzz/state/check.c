/*
 * The checks behind check.h. Must never change the world that they look at.
 */
#include "check.h"

#include "base/assert.h"
#include "base/memory.h"
#include "base/text.h"
#include "judge.h"
#include "message_row.h"
#include "record_codec.h"
#include "wire/event.h"
#include "wire/peer_codec.h"
#include "wire/reply.h"
#include "wire/request.h"

#include <jansson.h>
#include <string.h>

static bool spans_match(span_t a, span_t b) {
    return span_equal(a, b) && (a.length == 0 || memcmp(a.bytes, b.bytes, a.length) == 0);
}

static void check_message(const message_t *message) {
    message_t again;
    uint8_t row[MESSAGE_ROW_BYTES_MAX];
    span_t span = {(const char *)row, message_row_encode(row, sizeof row, message)};
    ASSERT(message_row_decode(&again, message->position, span));
    ASSERT(again.mailbox == message->mailbox && again.seq == message->seq);
    ASSERT(again.number == message->number && again.time_ms == message->time_ms);
    ASSERT(spans_match(again.from, message->from) && spans_match(again.to, message->to));
    ASSERT(spans_match(again.text, message->text) && message->text.length > 0);
    ASSERT(message->sealed || text_is_utf8(message->text));
}

static void check_row(const record_t *record) {
    record_t again;
    uint8_t key[RECORD_KEY_BYTES_MAX], key_again[RECORD_KEY_BYTES_MAX];
    uint8_t row[RECORD_ROW_BYTES_MAX], row_again[RECORD_ROW_BYTES_MAX];
    size_t key_bytes = record_key_encode(key, record->kind, record);
    size_t row_bytes = record_row_encode(row, record);
    span_t key_span = {(const char *)key, key_bytes};
    span_t row_span = {(const char *)row, row_bytes};
    ASSERT(record_decode(&again, key_span, row_span));
    ASSERT(record_key_encode(key_again, again.kind, &again) == key_bytes);
    ASSERT(record_row_encode(row_again, &again) == row_bytes);
    ASSERT(memcmp(key, key_again, key_bytes) == 0 && memcmp(row, row_again, row_bytes) == 0);
}

static bool look_away(void *context, const message_t *message) {
    (void)context;
    (void)message;
    return true;
}

static void check_verdict(const world_t *world, const verdict_record_t *verdict) {
    code_t before;
    ASSERT(verdict->code > CODE_OK && verdict->code < CODE_COUNT);
    store_error_t error = store_lookup(world->store, verdict->position, look_away, NULL, &before);
    ASSERT(world->may_refuse || (error == STORE_OK && before == CODE_OK));
}

void check_record(const world_t *world, const record_t *record) {
    ASSERT(record->kind > 0 && record->kind < RECORD_KIND_COUNT);
    if (record_kind_is_row(record->kind))
        check_row(record);
    else if (record->kind == RECORD_MESSAGE)
        check_message(&record->message);
    else if (record->kind == RECORD_VERDICT)
        check_verdict(world, &record->verdict);
}

void check_frame(span_t frame) {
    arena_t arena;
    peer_message_t message;
    arena_init(&arena);
    ASSERT(frame.length <= PEER_FRAME_BYTES_MAX);
    ASSERT(peer_decode(&message, &arena, frame) == REFUSAL_NONE);
    arena_deinit(&arena);
}

typedef struct page_writer {
    buffer_t *out;
    const name_t *realm;
    uint32_t seq;
    uint32_t count;
} page_writer_t;

static bool page_message(void *context, const message_t *message) {
    page_writer_t *writer = context;
    ASSERT(message->seq > writer->seq);
    reply_page_message(writer->out, message, writer->realm, writer->count == 0);
    writer->seq = message->seq;
    writer->count += 1;
    return true;
}

/* False if the store refused. */
static bool write_page(world_t *world, const reply_t *reply, buffer_t *out) {
    page_writer_t writer = {.out = out, .realm = &world->options.realm};
    bool more = false;
    reply_page_begin(out);
    store_error_t error =
        store_page(world->store, &reply->page.query, page_message, &writer, &more);
    reply_page_end(out, more, reply->page.stale, reply->ref);
    ASSERT(writer.count <= reply->page.query.limit);
    return world_stored(world, error);
}

/* One line of JSON and an empty one; `key` says what kind of frame it is. */
static void check_json(const buffer_t *out, const char *key) {
    json_t *root = json_loadb(out->bytes, out->length, JSON_REJECT_DUPLICATES, NULL);
    ASSERT(json_is_string(json_object_get(root, key)));
    ASSERT(json_object_get(root, "data") != NULL);
    json_decref(root);
}

static void check_ends(const buffer_t *out) {
    ASSERT(out->length > 4 && memcmp(out->bytes + out->length - 4, "\r\n\r\n", 4) == 0);
    ASSERT(memchr(out->bytes, '\n', out->length - 3) == NULL);
}

/* Whether the turn commits this message. */
static bool is_committed(const effects_t *effects, const message_t *message) {
    for (size_t i = 0; i < effects->record_count; i++) {
        const record_t *record = &effects->records[i];
        if (record->kind == RECORD_MESSAGE && record->message.position == message->position)
            return record->message.mailbox == message->mailbox &&
                   record->message.seq == message->seq &&
                   spans_match(record->message.text, message->text);
    }
    return false;
}

void check_news(const world_t *world, const news_t *news) {
    buffer_t out;
    buffer_init(&out);
    ASSERT(news->connection_count > 0 && news->connections != NULL);
    ASSERT(is_committed(&world->effects, &news->message));
    for (uint32_t i = 0; i < news->connection_count; i++) {
        ASSERT(news->connections[i] > 0 && news->connections[i] <= world->next_connection);
        for (uint32_t j = 0; j < i; j++)
            ASSERT(news->connections[i] != news->connections[j]);
    }
    event_write_message(&out, news->mailbox, &news->message, &world->options.realm);
    check_ends(&out);
    check_json(&out, "event");
    buffer_deinit(&out);
}

void check_reply(world_t *world, const reply_t *reply) {
    static const int64_t ages[LINKS_MAX];
    bool whole = true;
    buffer_t out;
    buffer_init(&out);
    if (reply->kind == REPLY_PAGE)
        whole = write_page(world, reply, &out);
    else
        reply_write(&out, reply, &world->options.realm, ages);
    check_ends(&out);
    if (whole)
        check_json(&out, "status");
    buffer_deinit(&out);
}

static bool load_record(void *context, const record_t *record) {
    return state_load(context, record);
}

/* The answer of a state to an administrator, in `effects`. */
static const reply_t *ask(state_t *state, const char *line, effects_t *effects) {
    request_t request;
    request_parse(&request, span_of(line));
    request.admin = true;
    event_t event = {.kind = EVENT_REQUEST};
    event.request.ticket = (ticket_t){.connection = UINT64_MAX};
    event.request.request = &request;
    event.request.line = line;
    state_step(state, &event, effects);
    ASSERT(effects->reply_count == 1 && effects->record_count == 0);
    return effects->replies;
}

static void compare_counts(const reply_t *a, const reply_t *b) {
    ASSERT(a->kind == REPLY_SERVER && b->kind == REPLY_SERVER);
    ASSERT(a->server.status->users == b->server.status->users &&
           a->server.status->groups == b->server.status->groups);
    ASSERT(a->server.status->links == b->server.status->links &&
           a->server.status->mailboxes == b->server.status->mailboxes);
    ASSERT(a->server.status->messages == b->server.status->messages &&
           a->server.status->queued == b->server.status->queued);
}

static void compare_users(const reply_t *a, const reply_t *b) {
    ASSERT(a->kind == REPLY_USERS && b->kind == REPLY_USERS);
    ASSERT(a->users.count == b->users.count);
    for (uint32_t i = 0; i < a->users.count; i++) {
        ASSERT(name_equal(&a->users.rows[i].name, &b->users.rows[i].name));
        ASSERT(a->users.rows[i].is_operator == b->users.rows[i].is_operator);
    }
}

static void compare_realms(const reply_t *a, const reply_t *b) {
    ASSERT(a->kind == REPLY_REALMS && b->kind == REPLY_REALMS);
    ASSERT(a->realms.count == b->realms.count);
    for (uint32_t i = 0; i < a->realms.count; i++) {
        const realm_status_t *left = &a->realms.rows[i];
        const realm_status_t *right = &b->realms.rows[i];
        ASSERT(name_equal(&left->name, &right->name) && left->linked == right->linked);
        ASSERT(memcmp(left->key, right->key, KEY_BYTES) == 0 && left->queued == right->queued);
        ASSERT(left->address.port == right->address.port);
        ASSERT(strcmp(left->address.text, right->address.text) == 0);
    }
}

static void compare(state_t *a, state_t *b, const char *line,
                    void (*judge)(const reply_t *, const reply_t *)) {
    effects_t left, right;
    effects_init(&left);
    effects_init(&right);
    judge(ask(a, line, &left), ask(b, line, &right));
    effects_deinit(&left);
    effects_deinit(&right);
}

void check_reload(const world_t *world) {
    state_t *fresh = state_new(&world->options);
    ASSERT(store_load(world->store, load_record, fresh) == STORE_OK);
    compare(world->state, fresh, "CHECKSERVER", compare_counts);
    compare(world->state, fresh, "LISTUSER", compare_users);
    compare(world->state, fresh, "LISTREALM", compare_realms);
    judge_same(world->state, fresh);
    state_destroy(&fresh);
}
