/*
 * Private messages inside the realm: SEND, INBOX, CHECKMESSAGE.
 */
#include "private.h"

#include "answer.h"
#include "base/code.h"
#include "base/text.h"
#include "listen.h"
#include "mailbox.h"
#include "quota.h"
#include "session.h"

#include <string.h>

void private_send(call_t *call) {
    turn_t *turn = call->turn;
    name_t name;
    span_t text;
    const user_t *to = user_expected(turn->state, call->ticket, call->arguments[0]);
    if ((to == NULL && !argument_name(call, 0, &name)) || !argument_text(call, 1, &text))
        return;
    if (to == NULL)
        to = user_named(turn->state, &name);
    if (to == NULL) {
        answer_error(turn, call->ticket, CODE_NO_USER);
        return;
    }
    mailbox_t mailbox = mailbox_address(MAILBOX_PRIVATE, to->record.id, 0);
    if (!quota_mailbox(turn, call->ticket, mailbox))
        return;
    const user_t *from = user_find(turn->state, call->user);
    message_t *message = mailbox_append(turn, mailbox);
    message->from = name_span(&from->record.name); /* lent by the rows, see model.h */
    message->to = name_span(&to->record.name);
    message->text = effects_copy(turn->effects, text);
    listen_notify(turn, message);
    answer_sent(turn, call->ticket, "Message sent", message->number, DELIVERY_NONE);
}

void private_inbox(call_t *call) {
    page_query_t query;
    if (argument_page(call, 0, mailbox_address(MAILBOX_PRIVATE, call->user, 0), &query))
        effects_reply(call->turn->effects, call->ticket, REPLY_PAGE)->page.query = query;
}

/* Reads "<our realm>:<number>". CODE_OK, CODE_FORBIDDEN for another realm's, CODE_PROTOCOL. */
static code_t parse_id(const state_t *state, span_t id, uint64_t *number) {
    const char *colon = memchr(id.bytes, ':', id.length);
    name_t realm;
    if (colon == NULL)
        return CODE_PROTOCOL;
    span_t before = {.bytes = id.bytes, .length = (size_t)(colon - id.bytes)};
    span_t behind = {.bytes = colon + 1, .length = id.length - before.length - 1};
    if (!name_parse(&realm, before) || !text_number(behind, UINT64_MAX, number))
        return CODE_PROTOCOL;
    return name_equal(&realm, &state->options.realm) ? CODE_OK : CODE_FORBIDDEN;
}

void private_check_message(call_t *call) {
    turn_t *turn = call->turn;
    uint64_t number;
    code_t code = parse_id(turn->state, call->arguments[0], &number);
    if (code == CODE_PROTOCOL) {
        answer_usage(call);
        return;
    }
    if (code != CODE_OK) {
        answer_error(turn, call->ticket, code);
        return;
    }
    lookup_t *lookup = effects_lookup(turn->effects);
    lookup->job = model_job(turn->state);
    lookup->position = number;
    pending_t *pending = map_put(turn->state->pending, &lookup->job);
    *pending = (pending_t){.kind = PENDING_LOOKUP, .ticket = call->ticket, .user = call->user};
    session_block(turn, call->ticket.connection);
}

/* A message is its sender's to ask about if it is the original (not our copy of a peer's, not a
 * bounce) and bears the asker's name. */
static bool is_own(const state_t *state, const message_t *message, uint32_t user) {
    if (message->origin.length != 0 || message->number != message->position)
        return false;
    const user_t *asker = user_find(state, user);
    return asker != NULL && user_sender(state, message) == asker;
}

static message_state_t state_of(const state_t *state, const message_t *message, code_t verdict) {
    if (verdict == CODE_EXPIRED)
        return MESSAGE_EXPIRED;
    if (verdict != CODE_OK)
        return MESSAGE_REJECTED;
    if (mailbox_kind(message->mailbox) != MAILBOX_OUTBOX)
        return MESSAGE_DELIVERED;
    const realm_t *realm = realm_find(state, mailbox_realm(message->mailbox));
    /* What a restored peer lost is sent again, but was delivered once and stays so. */
    bool judged = realm == NULL || message->seq <= realm->stream.judged;
    return judged ? MESSAGE_DELIVERED : MESSAGE_QUEUED;
}

void private_looked_up(turn_t *turn, const pending_t *pending, const event_t *event) {
    const message_t *message = &event->lookup.message;
    if (!event->lookup.found || !is_own(turn->state, message, pending->user)) {
        answer_error(turn, pending->ticket, CODE_FORBIDDEN);
        return;
    }
    reply_t *reply = effects_reply(turn->effects, pending->ticket, REPLY_MESSAGE_STATE);
    reply->state.number = message->number;
    reply->state.time_ms = message->time_ms;
    reply->state.state = state_of(turn->state, message, event->lookup.verdict);
    reply->state.reason = code_text(event->lookup.verdict);
}
