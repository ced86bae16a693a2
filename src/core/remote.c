/*
 * SENDREALM, INBOXREALM and their group twins: messages to and from other realms, from a client's
 * side.
 */
#include "remote.h"

#include "account.h"
#include "answer.h"
#include "base/assert.h"
#include "base/text.h"
#include "broadcast.h"
#include "group.h"
#include "mailbox.h"
#include "quota.h"
#include "ref.h"
#include "seal.h"
#include "session.h"
#include "stream.h"

#include <string.h>

/* The linked realm of argument `index`; else answers BAD_NAME or NO_REALM and returns NULL. */
static realm_t *argument_realm(call_t *call, unsigned index) {
    name_t name;
    if (!argument_name(call, index, &name))
        return NULL;
    realm_t *realm = realm_linked(call->turn->state, &name);
    if (realm == NULL)
        answer_error(call->turn, call->ticket, CODE_NO_REALM);
    return realm;
}

/* Whether a body of this size may be queued; answers QUEUE_FULL or BUSY if not. */
static bool has_room(const call_t *call, const realm_t *realm, size_t body_bytes) {
    turn_t *turn = call->turn;
    if (!quota_mailbox(turn, call->ticket, mailbox_address(MAILBOX_OUTBOX, 0, realm->record.id)))
        return false;
    if (stream_has_room(turn->state, realm, body_bytes))
        return true;
    quota_refused_outbox(turn->state, realm);
    answer_error(turn, call->ticket, CODE_QUEUE_FULL);
    return false;
}

/* Whether our own group has a mailbox for what goes to a realm, or may have one. */
static bool has_room_for_copy(const call_t *call, const realm_t *realm, const group_t *group) {
    mailbox_t copies = mailbox_address(MAILBOX_GROUP_REALM, group->record.id, realm->record.id);
    return quota_mailbox(call->turn, call->ticket, copies);
}

/* Appends a record to the outbox, which has room for it, from the caller to `to`. */
static message_t *queue_record(const call_t *call, realm_t *realm, const name_t *to,
                               size_t body_bytes) {
    turn_t *turn = call->turn;
    const user_t *from = user_find(turn->state, call->user);
    message_t *message = stream_append(turn, realm, body_bytes);
    message->from = name_span(&from->record.name); /* lent by the row, see model.h */
    message->to = effects_copy(turn->effects, name_span(to));
    return message;
}

parked_t remote_parked(const call_t *call, const message_t *message, uint32_t group) {
    return (parked_t){.ticket = call->ticket,
                      .seq = message->seq,
                      .group = group,
                      .user = call->user,
                      .number = message->number,
                      .time_ms = message->time_ms};
}

void remote_send(call_t *call) {
    name_t to;
    span_t text;
    if (!argument_name(call, 1, &to) || !argument_text(call, 2, &text))
        return;
    realm_t *realm = argument_realm(call, 0);
    if (realm == NULL)
        return;
    if (!has_room(call, realm, text.length))
        return;
    message_t *message = queue_record(call, realm, &to, text.length);
    message->text = effects_copy(call->turn->effects, text);
    parked_t parked = remote_parked(call, message, 0);
    ref_queued(call->turn, call->ticket, parked.number);
    stream_park(call->turn, realm, &parked, text);
}

message_t *remote_group_record(const call_t *call, realm_t *realm, const group_t *group,
                               span_t text) {
    message_t *message =
        queue_record(call, realm, &group->record.name, text.length + SEAL_OVERHEAD_BYTES);
    message->group = true;
    message->sealed = true;
    seal_address_t address = seal_address_of(call->turn->state, message);
    message->text = seal_text(call->turn, &address, group, text);
    return message;
}

static void send_group_everywhere(call_t *call, span_t text) {
    const group_t *group = group_of_member(call, 1);
    if (group != NULL)
        broadcast_send(call, group, text);
}

void remote_send_group(call_t *call) {
    span_t text;
    if (!argument_text(call, 2, &text))
        return;
    if (span_equal(call->arguments[0], span_of("*"))) {
        send_group_everywhere(call, text);
        return;
    }
    realm_t *realm = argument_realm(call, 0);
    if (realm == NULL)
        return;
    const group_t *group = group_of_member(call, 1);
    if (group == NULL || !has_room(call, realm, text.length + SEAL_OVERHEAD_BYTES) ||
        !has_room_for_copy(call, realm, group))
        return;
    const message_t *message = remote_group_record(call, realm, group, text);
    parked_t parked = remote_parked(call, message, group->record.id);
    ref_queued(call->turn, call->ticket, parked.number);
    stream_park(call->turn, realm, &parked, text);
}

static void send_pull(turn_t *turn, const realm_t *realm, uint64_t job, bool group,
                      const name_t *name) {
    peer_channel_t channel = {.dialled = true, .number = realm->dial};
    peer_message_t *message = &effects_send(turn->effects, &channel)->message;
    message->kind = group ? PEER_REMOTEINBOXGROUPREALM : PEER_REMOTEINBOXREALM;
    message->correlation = job;
    message->pull.name = *name;
    message->pull.realm = turn->state->options.realm;
    stream_standing(turn, realm, &message->pull.standing);
}

static void answer_page(turn_t *turn, const pull_t *pull, bool stale) {
    page_query_t query = mailbox_query(turn->state, pull->query.mailbox, pull->query.limit);
    query.after = pull->query.after;
    query.before = pull->query.before;
    query.oldest_first = pull->query.oldest_first;
    reply_t *reply = effects_reply(turn->effects, pull->ticket, REPLY_PAGE);
    reply->page.query = query;
    reply->page.stale = stale;
}

/* Asks the peer first; the page is read when it has answered, or could not be asked. */
static void pull_then_answer(call_t *call, const realm_t *realm, bool group, const name_t *name,
                             const page_query_t *query) {
    turn_t *turn = call->turn;
    pull_t pull = {.ticket = call->ticket,
                   .realm = realm->record.id,
                   .deadline_us = turn->now_us + PULL_MS * 1000LL,
                   .group = group,
                   .name = *name,
                   .query = *query};
    if (realm->phase != LINK_UP) {
        answer_page(turn, &pull, true);
        return;
    }
    uint64_t job = model_job(turn->state);
    *(pull_t *)map_put(turn->state->pulls, &job) = pull;
    session_block(turn, call->ticket.connection);
    send_pull(turn, realm, job, group, name);
}

void remote_inbox(call_t *call) {
    const realm_t *realm = argument_realm(call, 0);
    page_query_t query;
    if (realm == NULL)
        return;
    mailbox_t mailbox = mailbox_address(MAILBOX_REALM, call->user, realm->record.id);
    if (!argument_page(call, 1, mailbox, &query))
        return;
    name_t name = user_find(call->turn->state, call->user)->record.name;
    pull_then_answer(call, realm, false, &name, &query);
}

void remote_inbox_group(call_t *call) {
    const realm_t *realm = argument_realm(call, 0);
    page_query_t query;
    if (realm == NULL)
        return;
    const group_t *group = group_of_member(call, 1);
    if (group == NULL)
        return;
    mailbox_t mailbox = mailbox_address(MAILBOX_GROUP_REALM, group->record.id, realm->record.id);
    if (argument_page(call, 2, mailbox, &query))
        pull_then_answer(call, realm, true, &group->record.name, &query);
}

static void finish(turn_t *turn, uint64_t job, bool stale) {
    pull_t pull = *(const pull_t *)map_get(turn->state->pulls, &job);
    (void)map_remove(turn->state->pulls, &job);
    answer_page(turn, &pull, stale);
    session_unblock(turn, pull.ticket.connection);
}

void remote_pull_quietly(turn_t *turn, realm_t *realm) {
    name_t name;
    bool named = name_parse(&name, span_of(ACCOUNT_RESERVED));
    ASSERT(named);
    if (realm->pull != 0)
        return;
    realm->pull = model_job(turn->state);
    send_pull(turn, realm, realm->pull, false, &name);
}

void remote_pulled(turn_t *turn, realm_t *realm, uint64_t correlation, bool more) {
    const pull_t *pull = map_get(turn->state->pulls, &correlation);
    if (correlation != 0 && correlation == realm->pull) {
        realm->pull = 0;
        if (more)
            remote_pull_quietly(turn, realm);
    } else if (pull != NULL && pull->realm == realm->record.id) {
        if (more)
            send_pull(turn, realm, correlation, pull->group, &pull->name);
        else
            finish(turn, correlation, false);
    }
}

/* Ends, as stale, the pulls that `realm` (0: any) can no longer answer or that are over time. */
static void finish_stale(turn_t *turn, uint32_t realm, int64_t now_us) {
    size_t cursor = 0;
    const void *key;
    void *value;
    while (map_next(turn->state->pulls, &cursor, &key, &value)) {
        const pull_t *pull = value;
        uint64_t job;
        memcpy(&job, key, sizeof(job));
        if (pull->realm == realm || pull->deadline_us <= now_us)
            finish(turn, job, true);
    }
}

void remote_peer_lost(turn_t *turn, const realm_t *realm) {
    finish_stale(turn, realm->record.id, INT64_MIN);
}

void remote_tick(turn_t *turn) {
    finish_stale(turn, 0, turn->now_us);
}

int64_t remote_due_us(const state_t *state) {
    size_t cursor = 0;
    void *value;
    /* In order of insertion, and all wait equally long: the first is the earliest. */
    if (!map_next(state->pulls, &cursor, NULL, &value))
        return INT64_MAX;
    return ((const pull_t *)value)->deadline_us;
}
