/*
 * Groups inside the realm. A group's password is known only as the key that the workers derive from
 * it: the key checks JOINGROUP and seals what goes to other realms.
 */
#include "group.h"

#include "answer.h"
#include "base/assert.h"
#include "base/crypto.h"
#include "base/text.h"
#include "listen.h"
#include "mailbox.h"
#include "quota.h"
#include "session.h"

#include <string.h>

/* Has the workers derive the key of a group from a password. */
static void await_key(call_t *call, pending_kind_t kind, const name_t *name, span_t password) {
    password_job_t *job;
    pending_t *pending = session_await_password(call, kind, &job);
    if (pending == NULL)
        return;
    pending->user = call->user;
    pending->name = *name;
    job->kind = PASSWORD_KEY;
    job->name = *name;
    job->password = effects_copy(call->turn->effects, password);
}

void group_add(call_t *call) {
    name_t name;
    span_t password;
    if (!argument_name(call, 0, &name) || !argument_password(call, 1, &password))
        return;
    if (group_named(call->turn->state, &name) != NULL)
        answer_error(call->turn, call->ticket, CODE_GROUP_EXISTS);
    else if (quota_group(call->turn, call->ticket))
        await_key(call, PENDING_ADD_GROUP, &name, password);
}

void group_join(call_t *call) {
    const state_t *state = call->turn->state;
    name_t name;
    span_t password;
    if (!argument_name(call, 0, &name) || !argument_password(call, 1, &password))
        return;
    const group_t *group = group_named(state, &name);
    if (group == NULL)
        answer_error(call->turn, call->ticket, CODE_NO_GROUP);
    else if (model_is_member(state, group->record.id, call->user))
        answer_error(call->turn, call->ticket, CODE_ALREADY_MEMBER);
    else if (quota_member(call->turn, call->ticket, group))
        await_key(call, PENDING_JOIN_GROUP, &name, password);
}

static void become_member(turn_t *turn, uint32_t group, uint32_t user) {
    member_record_t *record = &effects_record(turn->effects, RECORD_MEMBER)->member;
    record->group = group;
    record->user = user;
    bool put = model_put_member(turn->state, record);
    ASSERT(put);
}

static void add_ready(turn_t *turn, const pending_t *pending, const uint8_t key[KEY_BYTES]) {
    state_t *state = turn->state;
    if (group_named(state, &pending->name) != NULL) {
        answer_error(turn, pending->ticket, CODE_GROUP_EXISTS);
        return;
    }
    if (!quota_group(turn, pending->ticket))
        return;
    group_record_t *record = &effects_record(turn->effects, RECORD_GROUP)->group;
    record->id = (uint32_t)state->group_count + 1;
    record->name = pending->name;
    memcpy(record->key, key, KEY_BYTES);
    bool put = model_put_group(state, record);
    ASSERT(put);
    become_member(turn, (uint32_t)state->group_count, pending->user);
    answer_text(turn, pending->ticket, "Add group berhasil");
}

bool group_opens(const state_t *state, const name_t *name, const uint8_t key[KEY_BYTES]) {
    const group_t *group = group_named(state, name);
    return group != NULL && crypto_equal(key, group->record.key, KEY_BYTES);
}

static void join_ready(turn_t *turn, const pending_t *pending, const uint8_t key[KEY_BYTES]) {
    const state_t *state = turn->state;
    const group_t *group = group_named(state, &pending->name);
    if (group == NULL) {
        answer_error(turn, pending->ticket, CODE_NO_GROUP);
    } else if (!group_opens(state, &pending->name, key)) {
        answer_error(turn, pending->ticket, CODE_GROUP_PASSWORD);
    } else if (model_is_member(state, group->record.id, pending->user)) {
        answer_error(turn, pending->ticket, CODE_ALREADY_MEMBER);
    } else if (quota_member(turn, pending->ticket, group)) {
        become_member(turn, group->record.id, pending->user);
        answer_text(turn, pending->ticket, "Join group berhasil");
    }
}

void group_key_ready(turn_t *turn, const pending_t *pending, const uint8_t key[KEY_BYTES]) {
    if (user_find(turn->state, pending->user) == NULL)
        answer_error(turn, pending->ticket, CODE_AUTH_REQUIRED); /* removed in the meantime */
    else if (pending->kind == PENDING_ADD_GROUP)
        add_ready(turn, pending, key);
    else
        join_ready(turn, pending, key);
}

group_t *group_of_member(call_t *call, unsigned index) {
    const state_t *state = call->turn->state;
    name_t name;
    if (!argument_name(call, index, &name))
        return NULL;
    group_t *group = group_named(state, &name);
    if (group == NULL) {
        answer_error(call->turn, call->ticket, CODE_NO_GROUP);
        return NULL;
    }
    if (!model_is_member(state, group->record.id, call->user)) {
        answer_error(call->turn, call->ticket, CODE_NOT_MEMBER);
        return NULL;
    }
    return group;
}

void group_leave(call_t *call) {
    const group_t *group = group_of_member(call, 0);
    if (group == NULL)
        return;
    member_record_t *record = &effects_record(call->turn->effects, RECORD_MEMBER_GONE)->member;
    record->group = group->record.id;
    record->user = call->user;
    model_drop_member(call->turn->state, record);
    answer_text(call->turn, call->ticket, "Leave group berhasil");
}

void group_send(call_t *call) {
    turn_t *turn = call->turn;
    span_t text;
    if (!argument_text(call, 1, &text))
        return;
    const group_t *group = group_of_member(call, 0);
    if (group == NULL)
        return;
    mailbox_t mailbox = mailbox_address(MAILBOX_GROUP, group->record.id, 0);
    if (!quota_mailbox(turn, call->ticket, mailbox))
        return;
    const user_t *from = user_find(turn->state, call->user);
    message_t *message = mailbox_append(turn, mailbox);
    message->group = true;
    message->from = name_span(&from->record.name); /* lent by the row, see model.h */
    message->to = effects_copy(turn->effects, name_span(&group->record.name));
    message->text = effects_copy(turn->effects, text);
    listen_notify(turn, message);
    answer_sent(turn, call->ticket, "Message Sent", message->number, DELIVERY_NONE);
}

void group_inbox(call_t *call) {
    const group_t *group = group_of_member(call, 0);
    page_query_t query;
    if (group != NULL &&
        argument_page(call, 1, mailbox_address(MAILBOX_GROUP, group->record.id, 0), &query))
        effects_reply(call->turn->effects, call->ticket, REPLY_PAGE)->page.query = query;
}

static void group_row(turn_t *turn, const group_t *group, group_status_t *row) {
    name_t *members = arena_alloc(&turn->effects->arena, group->member_count * sizeof(*members));
    for (size_t i = 0; i < group->member_count; i++)
        members[i] = user_find(turn->state, group->members[i])->record.name;
    row->name = group->record.name;
    row->member_count = (uint32_t)group->member_count;
    row->members = members;
}

void group_check(call_t *call) {
    turn_t *turn = call->turn;
    const user_t *user = user_find(turn->state, call->user);
    size_t count = user_group_count(user);
    group_status_t *rows = arena_alloc(&turn->effects->arena, count * sizeof(*rows));
    for (size_t i = 0; i < count; i++)
        group_row(turn, group_find(turn->state, user->groups->ids[i]), &rows[i]);
    reply_t *reply = effects_reply(turn->effects, call->ticket, REPLY_GROUPS);
    reply->groups.count = (uint32_t)count;
    reply->groups.rows = rows;
}
