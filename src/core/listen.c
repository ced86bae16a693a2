/*
 * Who listens, and what they are told. Must never name a connection whose user may not read the
 * mailbox, nor cost anything where nobody listens.
 */
#include "listen.h"

#include "answer.h"
#include "base/assert.h"
#include "base/text.h"
#include "mailbox.h"

#include <stdio.h>
#include <string.h>

/* A request word, a realm and a group. */
#define MAILBOX_TEXT_BYTES (24 + 2 * (NAME_BYTES_MAX + 1))

void listen_begin(call_t *call) {
    state_t *state = call->turn->state;
    session_t *session = map_get(state->sessions, &call->ticket.connection);
    ASSERT(session != NULL && session->user == call->user);
    if (!session->listening) {
        session->listening = true;
        model_put_listener(state, call->user, call->ticket.connection);
    }
    answer_text(call->turn, call->ticket, "Listen aktif");
}

void listen_stop(state_t *state, uint64_t connection, session_t *session) {
    if (!session->listening)
        return;
    session->listening = false;
    model_drop_listener(state, session->user, connection);
}

void listen_end(call_t *call) {
    state_t *state = call->turn->state;
    session_t *session = map_get(state->sessions, &call->ticket.connection);
    ASSERT(session != NULL && session->user == call->user);
    listen_stop(state, call->ticket.connection, session);
    answer_text(call->turn, call->ticket, "Listen berhenti");
}

/* A mailbox is called by the request that reads it, so that a person can type it. */
static span_t mailbox_text(turn_t *turn, mailbox_t mailbox) {
    const state_t *state = turn->state;
    mailbox_kind_t kind = mailbox_kind(mailbox);
    char text[MAILBOX_TEXT_BYTES];
    const char *group = "";
    const char *realm = "";
    if (kind == MAILBOX_GROUP || kind == MAILBOX_GROUP_REALM)
        group = group_find(state, mailbox_owner(mailbox))->record.name.text;
    if (kind == MAILBOX_REALM || kind == MAILBOX_GROUP_REALM)
        realm = realm_find(state, mailbox_realm(mailbox))->record.name.text;
    int length = snprintf(text, sizeof(text), "INBOX%s%s%s%s%s%s", *group == '\0' ? "" : "GROUP",
                          *realm == '\0' ? "" : "REALM", *realm == '\0' ? "" : " ", realm,
                          *group == '\0' ? "" : " ", group);
    ASSERT(length > 0 && (size_t)length < sizeof(text));
    return effects_copy(turn->effects, (span_t){.bytes = text, .length = (size_t)length});
}

static uint64_t *add_listeners(uint64_t *to, const user_t *user) {
    const connection_list_t *list = user->listeners;
    ASSERT(list != NULL && list->head.count > 0);
    memcpy(to, list->connections, list->head.count * sizeof(*to));
    return to + list->head.count;
}

/* The connections of all members of a group that listen. */
static void group_connections(turn_t *turn, const group_t *group, news_t *news) {
    size_t count = 0;
    for (size_t i = 0; i < group->listener_count; i++)
        count += user_listener_count(user_find(turn->state, group->listeners[i]));
    uint64_t *connections = arena_alloc(&turn->effects->arena, count * sizeof(*connections));
    uint64_t *end = connections;
    for (size_t i = 0; i < group->listener_count; i++)
        end = add_listeners(end, user_find(turn->state, group->listeners[i]));
    ASSERT(end == connections + count);
    news->connections = connections;
    news->connection_count = (uint32_t)count;
}

static void user_connections(turn_t *turn, const user_t *user, news_t *news) {
    size_t count = user_listener_count(user);
    uint64_t *connections = arena_alloc(&turn->effects->arena, count * sizeof(*connections));
    (void)add_listeners(connections, user);
    news->connections = connections;
    news->connection_count = (uint32_t)count;
}

/* A burst to a large group shares one list of connections, and the name of the mailbox. */
static bool share(const turn_t *turn, news_t *news) {
    size_t count = turn->effects->news_count;
    if (count < 2)
        return false;
    const news_t *before = &turn->effects->news[count - 2];
    if (before->message.mailbox != news->message.mailbox ||
        before->roster != turn->state->listener_changes)
        return false;
    news->mailbox = before->mailbox;
    news->connections = before->connections;
    news->connection_count = before->connection_count;
    return true;
}

void listen_notify(turn_t *turn, const message_t *message) {
    mailbox_kind_t kind = mailbox_kind(message->mailbox);
    uint32_t owner = mailbox_owner(message->mailbox);
    bool is_users = kind == MAILBOX_PRIVATE || kind == MAILBOX_REALM;
    const user_t *user = is_users ? user_find(turn->state, owner) : NULL;
    const group_t *group = is_users ? NULL : group_find(turn->state, owner);
    ASSERT(kind != MAILBOX_OUTBOX && (user != NULL || group != NULL));
    if (user != NULL ? user->listeners == NULL : group->listener_count == 0)
        return;
    news_t *news = effects_news(turn->effects);
    news->message = *message;
    news->roster = turn->state->listener_changes;
    if (share(turn, news))
        return;
    news->mailbox = mailbox_text(turn, message->mailbox);
    if (user != NULL)
        user_connections(turn, user, news);
    else
        group_connections(turn, group, news);
}
