/*
 * The shell of a realm in a test: it does what the actor does, in the same order (step, one commit,
 * then the effects), at once and without threads. Must never let anything out before the commit.
 */
#include "desk.h"

#include "app/run_packer.h"
#include "base/crypto.h"
#include "base/memory.h"
#include "base/text.h"
#include "net/federation.h"
#include "paper_store.h"
#include "wire/event.h"
#include "wire/peer_codec.h"
#include "wire/reply.h"
#include "wire/request.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

name_t name_of(const char *text) {
    name_t name;
    cr_assert(name_parse(&name, span_of(text)), "\"%s\" is a name", text);
    return name;
}

void key_of(uint8_t key[KEY_BYTES], const char *realm) {
    static const uint8_t keyring[KEY_BYTES] = "public keys of realms in tests";
    crypto_digest(key, keyring, realm, strlen(realm));
}

const char *key_text_of(desk_t *desk, const char *realm) {
    uint8_t key[KEY_BYTES];
    char text[KEY_TEXT_BYTES + 1];
    key_of(key, realm);
    crypto_key_text(text, key);
    return desk_text(desk, "%s", text);
}

const char *desk_text(desk_t *desk, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    cr_assert(length >= 0);
    char *copy = arena_alloc(&desk->arena, (size_t)length + 1);
    memcpy(copy, text, (size_t)length + 1);
    free(text);
    return copy;
}

desk_t *desk_new(const char *realm) {
    static const uint8_t seed[16] = "desk";
    desk_t *desk = memory_alloc(sizeof(*desk));
    desk->options.realm = name_of(realm);
    key_of(desk->options.key, realm);
    desk->options.advertise = (address_t){.length = 9, .text = "127.0.0.1", .port = 9100};
    desk->options.version = "0";
    desk->options.limits = REALM_LIMITS_DEFAULT;
    desk->store = paper_store_new();
    desk->clock = &desk->own_clock;
    desk->heads_max = STORE_HEADS_PER_COMMIT;
    desk->slots = map_new(sizeof(uint64_t), sizeof(uint32_t), seed);
    desk->replies = map_new(2 * sizeof(uint64_t), sizeof(const char *), seed);
    effects_init(&desk->effects);
    arena_init(&desk->arena);
    batch_init(&desk->packed);
    return desk;
}

void desk_destroy(desk_t **pointer) {
    desk_t *desk = *pointer;
    *pointer = NULL;
    state_destroy(&desk->state);
    store_close(&desk->store);
    effects_deinit(&desk->effects);
    arena_deinit(&desk->arena);
    batch_deinit(&desk->packed);
    map_destroy(&desk->slots);
    map_destroy(&desk->replies);
    memory_free(desk->frames);
    memory_free(desk->dials);
    memory_free(desk->logs);
    memory_free(desk->events);
    memory_free(desk->errands);
    memory_free(desk);
}

bool desk_runs(const desk_t *desk) {
    return desk->state != NULL;
}

static bool load_record(void *context, const record_t *record) {
    return state_load(context, record);
}

void desk_start(desk_t *desk) {
    cr_assert(!desk_runs(desk));
    event_t event = {.kind = EVENT_START};
    char life[64];
    desk->lives += 1;
    desk->born_us = *desk->clock;
    (void)snprintf(life, sizeof(life), "life %u", desk->lives);
    crypto_digest(desk->options.secret, desk->options.key, life, strlen(life));
    desk->state = state_new(&desk->options);
    cr_assert_eq(store_load(desk->store, load_record, desk->state), STORE_OK);
    desk_step(desk, &event);
}

static void forget_life(desk_t *desk) {
    state_destroy(&desk->state);
    effects_reset(&desk->effects);
    batch_reset(&desk->packed);
    desk->errand_count = 0;
    desk->crash = DESK_CRASH_NEVER;
    desk->batching = desk->hold_passwords = desk->hold_errands = false;
}

void desk_stop(desk_t *desk) {
    desk->heads_max = SIZE_MAX;
    desk_turn_end(desk);
    desk->heads_max = STORE_HEADS_PER_COMMIT;
    desk_errands_run(desk);
    forget_life(desk);
}

void desk_crash(desk_t *desk) {
    if (desk_runs(desk))
        forget_life(desk);
}

void desk_restart(desk_t *desk) {
    desk_crash(desk);
    desk_start(desk);
}

void desk_restore(desk_t *desk, const store_t *backup) {
    desk_crash(desk);
    store_close(&desk->store);
    desk->store = paper_store_copy(backup);
    desk_start(desk);
}

/* The toy of all password hashes: one digest. */
static void toy_hash(uint8_t hash[KEY_BYTES], const uint8_t *salt, size_t salt_bytes,
                     span_t password) {
    uint8_t key[KEY_BYTES] = {0};
    memcpy(key, salt, salt_bytes < KEY_BYTES ? salt_bytes : KEY_BYTES);
    crypto_digest(hash, key, password.bytes, password.length);
}

static desk_errand_t *errand_add(desk_t *desk, event_kind_t kind) {
    desk->errands = memory_grow(desk->errands, &desk->errand_room, desk->errand_count + 1,
                                sizeof(*desk->errands));
    desk_errand_t *errand = &desk->errands[desk->errand_count++];
    memset(errand, 0, sizeof(*errand));
    errand->event.kind = kind;
    return errand;
}

static void take_password(desk_t *desk, const password_job_t *job) {
    event_t *event = &errand_add(desk, EVENT_PASSWORD)->event;
    event->password.job = job->job;
    event->password.ok = true;
    if (job->kind == PASSWORD_VERIFY) {
        uint8_t hash[KEY_BYTES];
        toy_hash(hash, job->expected.salt, SALT_BYTES, job->password);
        event->password.ok = memcmp(hash, job->expected.hash, KEY_BYTES) == 0;
    } else if (job->kind == PASSWORD_HASH) {
        memcpy(event->password.hash.salt, &job->job, sizeof(job->job));
        toy_hash(event->password.hash.hash, event->password.hash.salt, SALT_BYTES, job->password);
    } else {
        toy_hash(event->password.key, (const uint8_t *)job->name.text, job->name.length,
                 job->password);
    }
}

static void take_errands(desk_t *desk) {
    const effects_t *effects = &desk->effects;
    for (size_t i = 0; i < effects->lookup_count; i++) {
        desk_errand_t *errand = errand_add(desk, EVENT_LOOKED_UP);
        errand->event.lookup.job = effects->lookups[i].job;
        errand->position = effects->lookups[i].position;
    }
    for (size_t i = 0; i < effects->sweep_count; i++) {
        desk_errand_t *errand = errand_add(desk, EVENT_SWEPT);
        errand->event.sweep.realm = effects->sweeps[i].realm;
        errand->query = effects->sweeps[i].query;
    }
    if (effects->trim.limit > 0)
        errand_add(desk, EVENT_TRIM)->trim = effects->trim;
    for (size_t i = 0; i < effects->password_count; i++)
        take_password(desk, &effects->passwords[i]);
}

typedef struct ticket_key {
    uint64_t connection, slot;
} ticket_key_t;

typedef struct page_writer {
    buffer_t *out;
    const name_t *realm;
    bool first;
} page_writer_t;

static bool page_message(void *context, const message_t *message) {
    page_writer_t *writer = context;
    reply_page_message(writer->out, message, writer->realm, writer->first);
    writer->first = false;
    return true;
}

static void write_reply(desk_t *desk, const reply_t *reply, buffer_t *out) {
    int64_t ages[LINKS_MAX] = {0};
    bool more = false;
    if (reply->kind != REPLY_PAGE) {
        reply_write(out, reply, &desk->options.realm, ages);
        return;
    }
    page_writer_t writer = {.out = out, .realm = &desk->options.realm, .first = true};
    reply_page_begin(out);
    cr_assert_eq(store_page(desk->store, &reply->page.query, page_message, &writer, &more),
                 STORE_OK);
    reply_page_end(out, more, reply->page.stale, reply->ref);
}

static void take_reply(desk_t *desk, const reply_t *reply) {
    ticket_key_t key = {reply->ticket.connection, reply->ticket.slot};
    buffer_t out;
    buffer_init(&out);
    write_reply(desk, reply, &out);
    cr_assert(out.length > 4 && memcmp(out.bytes + out.length - 4, "\r\n\r\n", 4) == 0);
    cr_assert(map_get(desk->replies, &key) == NULL, "a request is answered once");
    *(const char **)map_put(desk->replies, &key) =
        desk_text(desk, "%.*s", (int)out.length - 4, out.bytes);
    desk->reply_count += 1;
    desk->closing = reply->close;
    buffer_deinit(&out);
}

static void take_news(desk_t *desk, const news_t *news) {
    buffer_t out;
    buffer_init(&out);
    event_write_message(&out, news->mailbox, &news->message, &desk->options.realm);
    cr_assert(out.length > 4 && memcmp(out.bytes + out.length - 4, "\r\n\r\n", 4) == 0);
    cr_assert_gt(news->connection_count, 0, "news are for somebody");
    const char *text = desk_text(desk, "%.*s", (int)out.length - 4, out.bytes);
    for (uint32_t i = 0; i < news->connection_count; i++) {
        desk->events = memory_grow(desk->events, &desk->event_room, desk->event_count + 1,
                                   sizeof(*desk->events));
        desk->events[desk->event_count++] =
            (desk_event_t){news->connections[i], text, desk->reply_count};
    }
    buffer_deinit(&out);
}

/* Replies and news, in the order in which they are to come out. */
static void take_answers(desk_t *desk) {
    const effects_t *effects = &desk->effects;
    size_t news = 0;
    for (size_t i = 0; i <= effects->reply_count; i++) {
        for (; news < effects->news_count && effects->news[news].replies_before == i; news++)
            take_news(desk, &effects->news[news]);
        if (i < effects->reply_count)
            take_reply(desk, &effects->replies[i]);
    }
    cr_assert_eq(news, effects->news_count, "news stand in the order of the replies");
}

const char *desk_event(desk_t *desk, uint64_t connection, size_t *replies_before) {
    for (size_t i = 0; i < desk->event_count; i++) {
        desk_event_t event = desk->events[i];
        if (event.connection != connection)
            continue;
        desk->event_count -= 1;
        memmove(&desk->events[i], &desk->events[i + 1],
                (desk->event_count - i) * sizeof(*desk->events));
        if (replies_before != NULL)
            *replies_before = event.replies_before;
        return event.text;
    }
    return "";
}

static void keep_frame(desk_t *desk, const peer_channel_t *channel, span_t frame) {
    desk->frames =
        memory_grow(desk->frames, &desk->frame_room, desk->frame_count + 1, sizeof(*desk->frames));
    char *copy = arena_alloc(&desk->arena, frame.length);
    memcpy(copy, frame.bytes, frame.length);
    desk->frames[desk->frame_count++] =
        (desk_frame_t){.channel = *channel, .bytes = {copy, frame.length}};
}

static void send_frame(desk_t *desk, const peer_channel_t *channel, span_t frame) {
    cr_assert_leq(frame.length, PEER_FRAME_BYTES_MAX);
    if (desk->outside.send != NULL)
        desk->outside.send(desk->outside.context, desk, channel, frame);
    else
        keep_frame(desk, channel, frame);
}

static void take_run(desk_t *desk, const peer_send_t *send) {
    const batch_entry_t *entry = NULL;
    fresh_t fresh;
    batch_reset(&desk->packed);
    fresh_init(&fresh, desk->effects.records, desk->effects.record_count);
    cr_assert_eq(run_pack(desk->store, &fresh, send, &desk->packed), STORE_OK);
    fresh_deinit(&fresh);
    while ((entry = batch_next(desk->packed.bytes, desk->packed.length, entry)) != NULL) {
        cr_assert_eq(entry->subject, send->channel.number);
        cr_assert_eq(entry->detail, send->channel.dialled ? 1 : 0);
        send_frame(desk, &send->channel, (span_t){batch_payload(entry), entry->payload_bytes});
    }
}

static void take_send(desk_t *desk, const peer_send_t *send) {
    buffer_t out;
    if (send->is_run) {
        take_run(desk, send);
        return;
    }
    buffer_init(&out);
    peer_encode(&out, &send->message);
    send_frame(desk, &send->channel, (span_t){out.bytes, out.length});
    buffer_deinit(&out);
}

static void take_dial(desk_t *desk, const dial_effect_t *dial) {
    desk->dials =
        memory_grow(desk->dials, &desk->dial_room, desk->dial_count + 1, sizeof(*desk->dials));
    desk->dials[desk->dial_count++] = *dial;
    if (desk->outside.dial != NULL)
        desk->outside.dial(desk->outside.context, desk, dial);
}

static void take_logs(desk_t *desk) {
    for (size_t i = 0; i < desk->effects.log_count; i++) {
        desk->logs =
            memory_grow(desk->logs, &desk->log_room, desk->log_count + 1, sizeof(*desk->logs));
        desk->logs[desk->log_count++] = desk->effects.logs[i];
    }
}

static void release(desk_t *desk) {
    const effects_t *effects = &desk->effects;
    take_answers(desk);
    for (size_t i = 0; i < effects->send_count; i++)
        take_send(desk, &effects->sends[i]);
    for (size_t i = 0; i < effects->dial_count; i++)
        take_dial(desk, &effects->dials[i]);
    take_logs(desk);
    take_errands(desk);
    effects_reset(&desk->effects);
}

static bool crashes_now(desk_t *desk, desk_crash_t crash) {
    return desk->crash == crash && desk->crash_turns == 0;
}

void desk_turn_end(desk_t *desk) {
    if (!desk_runs(desk))
        return;
    if (desk->crash != DESK_CRASH_NEVER && desk->crash_turns > 0)
        desk->crash_turns -= 1;
    state_batch_end(desk->state, desk_uptime_us(desk), desk->heads_max, &desk->effects);
    if (crashes_now(desk, DESK_CRASH_BEFORE_COMMIT)) {
        desk_crash(desk);
        return;
    }
    if (desk->effects.record_count > 0)
        cr_assert_eq(store_commit(desk->store, desk->effects.records, desk->effects.record_count),
                     STORE_OK);
    if (crashes_now(desk, DESK_CRASH_AFTER_COMMIT))
        desk_crash(desk);
    else
        release(desk);
}

static void step_only(desk_t *desk, event_t *event) {
    event->uptime_us = desk_uptime_us(desk);
    event->time_ms = DESK_EPOCH_MS + *desk->clock / 1000 + desk->skew_ms;
    state_step(desk->state, event, &desk->effects);
}

typedef struct run {
    arena_t *arena;
    message_t *messages;
    uint32_t count;
} run_t;

static bool collect(void *context, const message_t *message) {
    run_t *run = context;
    run->messages[run->count++] = *message;
    return true;
}

static void errand_run(desk_t *desk, desk_errand_t *errand) {
    event_t *event = &errand->event;
    arena_t arena;
    arena_init(&arena);
    size_t room = event->kind == EVENT_SWEPT ? errand->query.limit : 1;
    run_t run = {.arena = &arena, .messages = arena_alloc(&arena, room * sizeof(message_t))};
    bool more;
    if (event->kind == EVENT_SWEPT) {
        cr_assert_eq(store_page(desk->store, &errand->query, collect, &run, &more), STORE_OK);
        event->sweep.count = run.count;
        event->sweep.messages = run.messages;
    } else if (event->kind == EVENT_LOOKED_UP) {
        code_t verdict;
        cr_assert_eq(store_lookup(desk->store, errand->position, collect, &run, &verdict),
                     STORE_OK);
        event->lookup.found = run.count > 0;
        event->lookup.message = run.messages[0];
        event->lookup.verdict = verdict;
    } else if (event->kind == EVENT_TRIM) {
        message_age_t *rows = arena_alloc(&arena, errand->trim.limit * sizeof(*rows));
        event->trim.rows = rows;
        cr_assert_eq(store_oldest(desk->store, errand->trim.after, rows, errand->trim.limit,
                                  &event->trim.count, &event->trim.end),
                     STORE_OK);
    }
    step_only(desk, event);
    desk_turn_end(desk);
    arena_deinit(&arena);
}

static bool is_held(const desk_t *desk, const desk_errand_t *errand) {
    return errand->event.kind == EVENT_PASSWORD ? desk->hold_passwords : desk->hold_errands;
}

/* Takes the oldest errand that is not held. */
static bool errand_take(desk_t *desk, desk_errand_t *errand) {
    for (size_t i = 0; i < desk->errand_count; i++) {
        if (is_held(desk, &desk->errands[i]))
            continue;
        *errand = desk->errands[i];
        desk->errand_count -= 1;
        memmove(&desk->errands[i], &desk->errands[i + 1],
                (desk->errand_count - i) * sizeof(*desk->errands));
        return true;
    }
    return false;
}

static void follow(desk_t *desk) {
    desk_errand_t errand;
    while (desk_runs(desk) && errand_take(desk, &errand))
        errand_run(desk, &errand);
}

void desk_batch_end(desk_t *desk) {
    desk->batching = false;
    desk_turn_end(desk);
    follow(desk);
}

void desk_errands_run(desk_t *desk) {
    desk->hold_passwords = desk->hold_errands = false;
    follow(desk);
}

void desk_step(desk_t *desk, event_t *event) {
    if (!desk_runs(desk))
        return;
    step_only(desk, event);
    if (desk->batching)
        return;
    desk_turn_end(desk);
    follow(desk);
}

uint32_t desk_say_bytes(desk_t *desk, uint64_t connection, span_t line) {
    uint32_t slot = ++*(uint32_t *)map_put(desk->slots, &connection);
    request_t request;
    request_parse(&request, line);
    request.admin = connection >= DESK_ADMIN;
    request.source = desk->source;
    event_t event = {.kind = EVENT_REQUEST};
    event.request.ticket = (ticket_t){.connection = connection, .slot = slot};
    event.request.request = &request;
    event.request.line = line.bytes;
    desk_step(desk, &event);
    return slot;
}

uint32_t desk_say(desk_t *desk, uint64_t connection, const char *line) {
    return desk_say_bytes(desk, connection, span_of(line));
}

const char *desk_reply(const desk_t *desk, uint64_t connection, uint32_t slot) {
    ticket_key_t key = {connection, slot};
    const char *const *reply = map_get(desk->replies, &key);
    return reply == NULL ? NULL : *reply;
}

const char *desk_ask(desk_t *desk, uint64_t connection, const char *line) {
    const char *reply = desk_reply(desk, connection, desk_say(desk, connection, line));
    return reply == NULL ? "" : reply;
}

bool text_matches(const char *text, const char *pattern) {
    const char *star = NULL;
    const char *resume = NULL;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            resume = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

void desk_expect(desk_t *desk, uint64_t connection, const char *line, const char *pattern) {
    const char *reply = desk_ask(desk, connection, line);
    cr_assert(text_matches(reply, pattern), "%s: %s\nanswered %s\nexpected %s",
              desk->options.realm.text, line, reply, pattern);
}

void desk_expect_reply(const desk_t *desk, uint64_t connection, uint32_t slot,
                       const char *pattern) {
    const char *reply = desk_reply(desk, connection, slot);
    cr_assert(reply != NULL && text_matches(reply, pattern), "%s answered %s\nexpected %s",
              desk->options.realm.text, reply == NULL ? "nothing" : reply, pattern);
}

void desk_close(desk_t *desk, uint64_t connection) {
    event_t event = {.kind = EVENT_CLOSED};
    event.closed.connection = connection;
    desk_step(desk, &event);
}

void desk_user(desk_t *desk, uint64_t connection, const char *name) {
    (void)desk_ask(desk, DESK_ADMIN, desk_text(desk, "ADDUSER %s rahasia", name));
    desk_expect(desk, connection, desk_text(desk, "AUTH %s rahasia", name), "{\"status\":\"OK\"*");
}

void desk_group(desk_t *desk, uint64_t connection, const char *name) {
    if (!text_matches(desk_ask(desk, connection, desk_text(desk, "ADDGROUP %s kunci", name)),
                      "{\"status\":\"OK\"*"))
        desk_expect(desk, connection, desk_text(desk, "JOINGROUP %s kunci", name),
                    "{\"status\":\"OK\"*");
}

void desk_hear_bytes(desk_t *desk, const peer_channel_t *channel, span_t frame) {
    peer_message_t message;
    arena_t arena;
    arena_init(&arena);
    event_t event = {.kind = EVENT_PEER};
    event.peer.channel = *channel;
    event.peer.refusal = peer_decode(&message, &arena, frame);
    if (event.peer.refusal == REFUSAL_NONE)
        event.peer.message = &message;
    else
        event.kind = EVENT_PEER_GARBAGE;
    desk_step(desk, &event);
    arena_deinit(&arena);
}

void desk_hear(desk_t *desk, const peer_channel_t *channel, const peer_message_t *message) {
    buffer_t out;
    buffer_init(&out);
    peer_encode(&out, message);
    desk_hear_bytes(desk, channel, (span_t){out.bytes, out.length});
    buffer_deinit(&out);
}

void desk_dialled(desk_t *desk, uint64_t dial) {
    event_t event = {.kind = EVENT_DIALLED};
    event.dial.dial = dial;
    desk_step(desk, &event);
}

void desk_dial_lost(desk_t *desk, uint64_t dial, dial_error_t error) {
    event_t event = {.kind = EVENT_DIAL_LOST};
    event.dial.dial = dial;
    event.dial.error = error;
    desk_step(desk, &event);
}

int64_t desk_uptime_us(const desk_t *desk) {
    return *desk->clock - desk->born_us;
}

int64_t desk_due_us(const desk_t *desk) {
    int64_t due = desk_runs(desk) ? state_next_tick_us(desk->state) : INT64_MAX;
    return due == INT64_MAX ? due : desk->born_us + due;
}

void desk_tick(desk_t *desk) {
    event_t event = {.kind = EVENT_TICK};
    desk_step(desk, &event);
}

void desk_wait_ms(desk_t *desk, int64_t ms) {
    int64_t end = desk->own_clock + ms * 1000;
    unsigned hot = 0;
    while (desk_due_us(desk) <= end) {
        hot = desk_due_us(desk) > desk->own_clock ? 0 : hot + 1;
        cr_assert_lt(hot, 100, "ticks move on");
        if (desk_due_us(desk) > desk->own_clock)
            desk->own_clock = desk_due_us(desk);
        desk_tick(desk);
    }
    desk->own_clock = end;
}

bool desk_take_frame(desk_t *desk, peer_message_t *message, peer_channel_t *channel) {
    if (desk->frame_next == desk->frame_count)
        return false;
    const desk_frame_t *frame = &desk->frames[desk->frame_next++];
    if (channel != NULL)
        *channel = frame->channel;
    cr_assert_eq(peer_decode(message, &desk->arena, frame->bytes), REFUSAL_NONE);
    return true;
}

void desk_forget_frames(desk_t *desk) {
    desk->frame_next = desk->frame_count;
}

const dial_effect_t *desk_dial_of(const desk_t *desk, dial_action_t action) {
    for (size_t i = desk->dial_count; i-- > 0;) {
        if (desk->dials[i].action == action)
            return &desk->dials[i];
    }
    return NULL;
}

const log_line_t *desk_log_of(const desk_t *desk, const char *event) {
    for (size_t i = desk->log_count; i-- > 0;) {
        if (strcmp(desk->logs[i].event, event) == 0)
            return &desk->logs[i];
    }
    return NULL;
}

mailbox_t mailbox_of(mailbox_kind_t kind, uint32_t owner, uint32_t realm) {
    return (mailbox_t)kind << 60 | (mailbox_t)owner << 30 | realm;
}

static uint32_t expect_text(const desk_t *desk, mailbox_t mailbox, uint32_t seq, const char *text,
                            int length) {
    const message_t *message = paper_store_message(desk->store, mailbox, seq);
    cr_assert(message != NULL, "seq %u (%.*s) is missing", seq, length, text);
    cr_assert(message->text.length == (size_t)length &&
                  memcmp(message->text.bytes, text, (size_t)length) == 0,
              "seq %u is %.*s, not %.*s", seq, (int)message->text.length, message->text.bytes,
              length, text);
    return seq + 1;
}

void desk_expect_texts(const desk_t *desk, mailbox_t mailbox, const char *texts) {
    uint32_t seq = 1;
    for (const char *word = texts; *word != '\0';) {
        char prefix[16], text[32];
        unsigned first, last;
        int length = (int)strcspn(word, " ");
        if (sscanf(word, "%15[a-z]%u..%u", prefix, &first, &last) == 3) {
            for (unsigned i = first; i <= last; i++) {
                int bytes = snprintf(text, sizeof(text), "%s%u", prefix, i);
                seq = expect_text(desk, mailbox, seq, text, bytes);
            }
        } else {
            seq = expect_text(desk, mailbox, seq, word, length);
        }
        word += length + (word[length] == ' ' ? 1 : 0);
    }
    cr_assert_eq(paper_store_head(desk->store, mailbox), seq - 1, "%u more than \"%s\"",
                 paper_store_head(desk->store, mailbox) + 1 - seq, texts);
}
