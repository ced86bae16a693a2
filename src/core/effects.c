/*
 * The growing lists of effects. Only holds what handlers append; decides nothing.
 */
#include "core/effects.h"

#include "base/assert.h"
#include "base/memory.h"

#include <string.h>

void effects_init(effects_t *effects) {
    memset(effects, 0, sizeof(*effects));
    arena_init(&effects->arena);
}

void effects_deinit(effects_t *effects) {
    memory_free(effects->records);
    memory_free(effects->replies);
    memory_free(effects->sends);
    memory_free(effects->dials);
    memory_free(effects->passwords);
    memory_free(effects->lookups);
    memory_free(effects->sweeps);
    memory_free(effects->news);
    memory_free(effects->logs);
    arena_deinit(&effects->arena);
    memset(effects, 0, sizeof(*effects));
}

void effects_reset(effects_t *effects) {
    effects->record_count = effects->reply_count = effects->send_count = effects->dial_count = 0;
    effects->password_count = effects->lookup_count = effects->sweep_count = effects->log_count = 0;
    effects->news_count = 0;
    effects->trim = (trim_t){0};
    arena_reset(&effects->arena);
}

/* The two that come with every message are cleared as far as they reach, all others whole. Sizes
 * that the compiler knows cost a few stores, others a call. */
static void record_clear(record_t *record, record_kind_t kind) {
    switch (kind) {
    case RECORD_MESSAGE:
        memset(record, 0, offsetof(record_t, message) + sizeof(record->message));
        break;
    case RECORD_HEAD:
        memset(record, 0, offsetof(record_t, head) + sizeof(record->head));
        break;
    default:
        memset(record, 0, sizeof(*record));
        break;
    }
}

record_t *effects_record(effects_t *effects, record_kind_t kind) {
    ASSERT(kind > 0 && kind < RECORD_KIND_COUNT);
    effects->records = memory_grow(effects->records, &effects->record_room,
                                   effects->record_count + 1, sizeof(record_t));
    record_t *record = &effects->records[effects->record_count++];
    record_clear(record, kind);
    record->kind = kind;
    return record;
}

/* Likewise: most requests are answered by these two. */
static void reply_clear(reply_t *reply, reply_kind_t kind) {
    switch (kind) {
    case REPLY_TEXT:
        memset(reply, 0, offsetof(reply_t, text) + sizeof(reply->text));
        break;
    case REPLY_ERROR:
        memset(reply, 0, offsetof(reply_t, error) + sizeof(reply->error));
        break;
    default:
        memset(reply, 0, sizeof(*reply));
        break;
    }
}

reply_t *effects_reply(effects_t *effects, ticket_t ticket, reply_kind_t kind) {
    effects->replies = memory_grow(effects->replies, &effects->reply_room, effects->reply_count + 1,
                                   sizeof(reply_t));
    reply_t *reply = &effects->replies[effects->reply_count++];
    reply_clear(reply, kind);
    reply->ticket = ticket;
    reply->kind = kind;
    return reply;
}

peer_send_t *effects_send(effects_t *effects, const peer_channel_t *channel) {
    effects->sends = memory_grow(effects->sends, &effects->send_room, effects->send_count + 1,
                                 sizeof(peer_send_t));
    peer_send_t *send = &effects->sends[effects->send_count++];
    memset(send, 0, sizeof(*send));
    send->channel = *channel;
    return send;
}

dial_effect_t *effects_dial(effects_t *effects, dial_action_t action) {
    effects->dials = memory_grow(effects->dials, &effects->dial_room, effects->dial_count + 1,
                                 sizeof(dial_effect_t));
    dial_effect_t *dial = &effects->dials[effects->dial_count++];
    memset(dial, 0, sizeof(*dial));
    dial->action = action;
    return dial;
}

password_job_t *effects_password(effects_t *effects, password_job_kind_t kind) {
    effects->passwords = memory_grow(effects->passwords, &effects->password_room,
                                     effects->password_count + 1, sizeof(password_job_t));
    password_job_t *job = &effects->passwords[effects->password_count++];
    memset(job, 0, sizeof(*job));
    job->kind = kind;
    return job;
}

lookup_t *effects_lookup(effects_t *effects) {
    effects->lookups = memory_grow(effects->lookups, &effects->lookup_room,
                                   effects->lookup_count + 1, sizeof(lookup_t));
    lookup_t *lookup = &effects->lookups[effects->lookup_count++];
    memset(lookup, 0, sizeof(*lookup));
    return lookup;
}

sweep_t *effects_sweep(effects_t *effects) {
    effects->sweeps = memory_grow(effects->sweeps, &effects->sweep_room, effects->sweep_count + 1,
                                  sizeof(sweep_t));
    sweep_t *sweep = &effects->sweeps[effects->sweep_count++];
    memset(sweep, 0, sizeof(*sweep));
    return sweep;
}

news_t *effects_news(effects_t *effects) {
    effects->news =
        memory_grow(effects->news, &effects->news_room, effects->news_count + 1, sizeof(news_t));
    news_t *news = &effects->news[effects->news_count++];
    memset(news, 0, sizeof(*news));
    news->replies_before = effects->reply_count;
    return news;
}

log_line_t *effects_log(effects_t *effects, const char *event, const name_t *name) {
    effects->logs =
        memory_grow(effects->logs, &effects->log_room, effects->log_count + 1, sizeof(log_line_t));
    log_line_t *line = &effects->logs[effects->log_count++];
    memset(line, 0, sizeof(*line));
    line->event = event;
    if (name != NULL)
        line->name = *name;
    return line;
}

reply_t reply_refused(const reply_t *reply) {
    if (reply->kind == REPLY_BROADCAST && reply->queued != 0) {
        reply_t unsure = *reply;
        unsure.broadcast.unsure = true;
        return unsure;
    }
    reply_t refused = {
        .ticket = reply->ticket, .kind = REPLY_ERROR, .close = reply->close, .ref = reply->ref};
    if (reply->queued == 0) {
        refused.error.code = CODE_STORE;
        return refused;
    }
    refused.kind = REPLY_TEXT;
    refused.text.text = (span_t){.bytes = reply->queued_text, .length = strlen(reply->queued_text)};
    refused.text.number = reply->queued;
    refused.text.delivery = DELIVERY_QUEUED;
    return refused;
}

span_t effects_copy(effects_t *effects, span_t bytes) {
    char *copy = arena_take(&effects->arena, bytes.length);
    if (bytes.length > 0)
        memcpy(copy, bytes.bytes, bytes.length);
    return (span_t){.bytes = copy, .length = bytes.length};
}
