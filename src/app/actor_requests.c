/*
 * The actor's side of the front end: entries of its batches become events, replies become entries.
 * Must never hand over a reply before the commit of its turn.
 */
#include "app/actor.h"

#include "base/assert.h"
#include "base/text.h"
#include "net/front_end.h"
#include "wire/event.h"
#include "wire/reply.h"

#include <string.h>

/* Replies that together weigh so much go into the batch: they are copied there. */
#define ANSWERS_BYTES_MAX ((size_t)16 * 1024)

static ticket_t entry_ticket(const batch_entry_t *entry) {
    return (ticket_t){.connection = entry->subject, .slot = (uint32_t)entry->detail};
}

/* Hands the newest replies to the batch, if there are any. */
static void answers_end(actor_t *actor) {
    answers_t *answers = &actor->answers;
    if (answers->count == 0) {
        return;
    }
    uint64_t detail = answers->first.slot | answers->flags | front_run_bits(answers->count);
    void *payload = batch_append(&actor->replies, FRONT_REPLY, answers->first.connection, detail,
                                 answers->frames.length);
    memcpy(payload, answers->frames.bytes, answers->frames.length);
    buffer_reset(&answers->frames);
    answers->count = 0;
}

/* Where the reply to a ticket is to be written: behind those to the slots in front of its own if
 * they stand there, so that whoever asks much at once is answered in one entry. A reply that says
 * more of its connection stands alone. */
static buffer_t *answers_place(actor_t *actor, ticket_t ticket, uint64_t flags) {
    answers_t *answers = &actor->answers;
    if (answers->count > 0 && ticket.connection == answers->first.connection &&
        ticket.slot == answers->first.slot + answers->count && flags == 0 && answers->flags == 0 &&
        answers->frames.length < ANSWERS_BYTES_MAX) {
        answers->count++;
        return &answers->frames;
    }
    answers_end(actor);
    answers->first = ticket;
    answers->flags = flags;
    answers->count = 1;
    return &answers->frames;
}

/* The ref of a request that will not be stepped. */
static span_t request_ref(const request_t *request, const char *line) {
    span_t ref;
    span_t first = {line + request->token_offset[0], request->token_bytes[0]};
    return request->token_count > 0 && text_ref(first, &ref) ? ref : (span_t){0};
}

static void reply_refuse(actor_t *actor, ticket_t ticket, span_t ref) {
    reply_t refused = {.kind = REPLY_ERROR, .ref = ref};
    refused.error.code = CODE_STORE;
    reply_write(answers_place(actor, ticket, 0), &refused, &actor->engine->realm, NULL);
}

static void request_event(const batch_entry_t *entry, event_t *event) {
    const request_t *request = batch_payload(entry);
    ASSERT(entry->payload_bytes == sizeof *request + request->line_bytes);
    event->kind = EVENT_REQUEST;
    event->request.ticket = entry_ticket(entry);
    event->request.request = request;
    event->request.line = (const char *)(request + 1);
}

/* What will be stepped soon. */
static void expect_entry(actor_t *actor, const batch_entry_t *entry) {
    if (entry->kind == FRONT_REQUEST) {
        event_t event;
        request_event(entry, &event);
        state_expect(actor->engine->state, &event);
    }
}

static void take_request(actor_t *actor, const batch_entry_t *entry) {
    const request_t *request = batch_payload(entry);
    if (actor->phase == ACTOR_FAILED) {
        reply_refuse(actor, entry_ticket(entry), request_ref(request, (const char *)(request + 1)));
        return;
    }
    event_t event;
    request_event(entry, &event);
    engine_step(actor->engine, &event);
}

static void take_closed(actor_t *actor, const batch_entry_t *entry) {
    if (actor->phase != ACTOR_FAILED) {
        event_t event = {.kind = EVENT_CLOSED};
        event.closed.connection = entry->subject;
        engine_step(actor->engine, &event);
    }
}

static void take_entry(actor_t *actor, const batch_entry_t *entry) {
    switch (entry->kind) {
    case FRONT_REQUEST:
        take_request(actor, entry);
        break;
    case FRONT_CLOSED:
        take_closed(actor, entry);
        break;
    case FRONT_COUNTERS:
        ASSERT(entry->payload_bytes == sizeof actor->engine->front);
        memcpy(&actor->engine->front, batch_payload(entry), sizeof actor->engine->front);
        break;
    case FRONT_DRAINED:
        actor->front_drained = true;
        break;
    default:
        ASSERT(!"the front end sends no such entry");
        break;
    }
}

size_t actor_take_requests(actor_t *actor) {
    return actor_batch_receive(actor, &actor->from_front, take_entry, expect_entry);
}

static uint64_t reply_flags(const reply_t *reply) {
    static const uint64_t bindings[] = {
        [BINDING_SAME] = 0, [BINDING_USER] = FRONT_USER_BIT, [BINDING_NOBODY] = FRONT_NOBODY_BIT};
    return bindings[reply->binding] | (reply->close ? FRONT_CLOSE_BIT : 0);
}

static void reply_put(actor_t *actor, const reply_t *reply) {
    buffer_t *out = answers_place(actor, reply->ticket, reply_flags(reply));
    if (reply->kind == REPLY_TEXT || reply->kind == REPLY_ERROR) {
        reply_write(out, reply, &actor->engine->realm, NULL); /* needs nothing of the store */
    } else {
        engine_reply(actor->engine, reply, out);
    }
}

/* `before` are the news in front of it in the same batch, NULL if there are none: most often it
 * goes to the same connections. */
static void news_put(actor_t *actor, const news_t *news, const news_t *before) {
    bool same = before != NULL && before->connections == news->connections;
    size_t handles_bytes = same ? 0 : news->connection_count * sizeof *news->connections;
    front_news_t head = {.mailbox = news->message.mailbox,
                         .seq = news->message.seq,
                         .connection_count = same ? 0 : news->connection_count,
                         .name_bytes = (uint32_t)news->mailbox.length};
    answers_end(actor);
    buffer_reset(&actor->frame);
    buffer_append(&actor->frame, &head, sizeof head);
    buffer_append(&actor->frame, news->connections, handles_bytes);
    buffer_append(&actor->frame, news->mailbox.bytes, news->mailbox.length);
    event_write_message(&actor->frame, news->mailbox, &news->message, &actor->engine->realm);
    void *payload = batch_append(&actor->replies, FRONT_NEWS, 0, 0, actor->frame.length);
    memcpy(payload, actor->frame.bytes, actor->frame.length);
}

/* Puts the news from the index `next` on that stand before that reply; returns the next index. */
static size_t news_put_before(actor_t *actor, size_t next, size_t reply) {
    const effects_t *effects = &actor->engine->effects;
    for (; next < effects->news_count && effects->news[next].replies_before <= reply; next++) {
        const news_t *news = &effects->news[next];
        news_put(actor, news, next > 0 ? news - 1 : NULL);
    }
    return next;
}

void actor_put_replies(actor_t *actor) {
    const effects_t *effects = &actor->engine->effects;
    size_t news = 0;
    for (size_t i = 0; i < effects->reply_count; i++) {
        if (news < effects->news_count) {
            news = news_put_before(actor, news, i);
        }
        reply_put(actor, &effects->replies[i]);
    }
    (void)news_put_before(actor, news, effects->reply_count);
}

void actor_refuse_replies(actor_t *actor) {
    const effects_t *effects = &actor->engine->effects;
    for (size_t i = 0; i < effects->reply_count; i++) {
        reply_t refused = reply_refused(&effects->replies[i]);
        reply_put(actor, &refused);
    }
}

void actor_send_replies(actor_t *actor) {
    answers_end(actor);
    actor_batch_send(actor->to_front, &actor->replies);
}

void actor_tell_front(actor_t *actor, uint32_t kind) {
    answers_end(actor);
    (void)batch_append(&actor->replies, kind, 0, 0, 0);
    actor_send_replies(actor);
}
