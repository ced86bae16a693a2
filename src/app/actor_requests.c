/*
 * The actor's side of the front end: entries of its batches become events, replies become entries.
 * Must never hand over a reply before the commit of its turn.
 */
#include "app/actor.h"

#include "base/assert.h"
#include "net/front_end.h"
#include "wire/reply.h"

#include <string.h>

static ticket_t entry_ticket(const batch_entry_t *entry) {
    return (ticket_t){.connection = entry->subject, .slot = (uint32_t)entry->detail};
}

/* Appends what stands in actor->frame as the reply to a ticket. */
static void reply_append(actor_t *actor, ticket_t ticket, bool close) {
    uint64_t detail = ticket.slot | (close ? FRONT_CLOSE_BIT : 0);
    void *payload =
        batch_append(&actor->replies, FRONT_REPLY, ticket.connection, detail, actor->frame.length);
    memcpy(payload, actor->frame.bytes, actor->frame.length);
}

static void reply_refuse(actor_t *actor, ticket_t ticket, bool close) {
    buffer_reset(&actor->frame);
    reply_write_error(&actor->frame, CODE_STORE);
    reply_append(actor, ticket, close);
}

static void take_request(actor_t *actor, const batch_entry_t *entry) {
    if (actor->phase == ACTOR_FAILED) {
        reply_refuse(actor, entry_ticket(entry), false);
        return;
    }
    const request_t *request = batch_payload(entry);
    event_t event = {.kind = EVENT_REQUEST};
    ASSERT(entry->payload_bytes == sizeof *request + request->line_bytes);
    event.request.ticket = entry_ticket(entry);
    event.request.request = request;
    event.request.line = (const char *)(request + 1);
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
    case FRONT_DRAINED:
        actor->front_drained = true;
        break;
    default:
        ASSERT(!"the front end sends no such entry");
        break;
    }
}

size_t actor_take_requests(actor_t *actor) {
    return actor_batch_receive(actor, actor->from_front, take_entry);
}

static void reply_put(actor_t *actor, const reply_t *reply) {
    buffer_reset(&actor->frame);
    engine_reply(actor->engine, reply, &actor->frame);
    reply_append(actor, reply->ticket, reply->close);
}

void actor_put_replies(actor_t *actor) {
    const effects_t *effects = &actor->engine->effects;
    for (size_t i = 0; i < effects->reply_count; i++) {
        reply_put(actor, &effects->replies[i]);
    }
}

void actor_refuse_replies(actor_t *actor) {
    const effects_t *effects = &actor->engine->effects;
    for (size_t i = 0; i < effects->reply_count; i++) {
        reply_t refused = reply_refused(&effects->replies[i]);
        reply_put(actor, &refused);
    }
}

void actor_send_replies(actor_t *actor) {
    actor_batch_send(actor->to_front, &actor->replies);
}

void actor_tell_front(actor_t *actor, uint32_t kind) {
    (void)batch_append(&actor->replies, kind, 0, 0, 0);
    actor_send_replies(actor);
}
