/*
 * Accounts: REGISTER, ADDUSER, IMPORTUSER, DELUSER, PASSWORD, LISTUSER.
 *
 * A removed user leaves its groups, its tokens are void, its connections are no longer
 * authenticated; what it sent stays, what is queued for other realms still goes, a bounce of it
 * goes nowhere. A new user of the same name is another user with empty mailboxes.
 */
#include "account.h"

#include "answer.h"
#include "base/assert.h"
#include "base/phc.h"
#include "base/text.h"
#include "quota.h"
#include "ref.h"
#include "session.h"

#include <string.h>

static bool is_taken(const state_t *state, const name_t *name) {
    return user_named(state, name) != NULL ||
           span_equal(name_span(name), span_of(ACCOUNT_RESERVED));
}

/* Has the workers hash a new password; returns the pending row, NULL if BUSY was answered. */
static pending_t *await_hash(call_t *call, pending_kind_t kind, const name_t *name,
                             span_t password) {
    password_job_t *job;
    pending_t *pending = session_await_password(call, kind, &job);
    if (pending == NULL)
        return NULL;
    pending->user = call->user;
    pending->name = *name;
    job->password = effects_copy(call->turn->effects, password);
    return pending;
}

static void add_user(call_t *call, pending_kind_t kind, bool is_operator) {
    name_t name;
    span_t password;
    if (!argument_name(call, 0, &name) || !argument_password(call, 1, &password))
        return;
    if (is_taken(call->turn->state, &name)) {
        answer_error(call->turn, call->ticket, CODE_USER_EXISTS);
        return;
    }
    if (!quota_user(call->turn, call->ticket))
        return;
    pending_t *pending = await_hash(call, kind, &name, password);
    if (pending != NULL)
        pending->is_operator = is_operator;
}

void account_register(call_t *call) {
    if (call->turn->state->options.registration_open)
        add_user(call, PENDING_REGISTER, false);
    else
        answer_error(call->turn, call->ticket, CODE_FORBIDDEN);
}

/* Whether the optional third argument is what it may be. */
static bool role_given(call_t *call, bool *is_operator) {
    name_t role;
    *is_operator = call->argument_count == 3;
    if (!*is_operator || (name_parse(&role, call->arguments[2]) &&
                          span_equal(name_span(&role), span_of("operator"))))
        return true;
    answer_usage(call);
    return false;
}

void account_add(call_t *call) {
    bool is_operator;
    if (role_given(call, &is_operator))
        add_user(call, PENDING_ADD_USER, is_operator);
}

void account_password(call_t *call) {
    state_t *state = call->turn->state;
    name_t name;
    span_t password;
    if (!argument_name(call, 0, &name) || !argument_password(call, 1, &password))
        return;
    const user_t *user = user_named(state, &name);
    const user_t *asker = user_find(state, call->user);
    bool own = user != NULL && user == asker;
    if (!own && !call->admin && !(asker != NULL && asker->record.is_operator))
        answer_error(call->turn, call->ticket, CODE_FORBIDDEN);
    else if (user == NULL)
        answer_error(call->turn, call->ticket, CODE_NO_USER);
    else
        (void)await_hash(call, PENDING_SET_PASSWORD, &name, password);
}

static void add_ready(turn_t *turn, const pending_t *pending, const password_hash_t *hash) {
    state_t *state = turn->state;
    if (is_taken(state, &pending->name)) {
        answer_error(turn, pending->ticket, CODE_USER_EXISTS);
        return;
    }
    if (!quota_user(turn, pending->ticket))
        return;
    user_record_t *record = &effects_record(turn->effects, RECORD_USER)->user;
    record->id = (uint32_t)state->user_count + 1;
    record->is_operator = pending->is_operator;
    record->name = pending->name;
    record->password = *hash;
    record->since = state->next_position;
    bool put = model_put_user(state, record);
    ASSERT(put);
    effects_log(turn->effects, "user-added", &pending->name);
    answer_text(turn, pending->ticket,
                pending->kind == PENDING_REGISTER ? "Register berhasil" : "Add user berhasil");
}

void account_import(call_t *call) {
    pending_t pending = {.kind = PENDING_ADD_USER, .ticket = call->ticket};
    password_hash_t hash;
    if (!role_given(call, &pending.is_operator) || !argument_name(call, 0, &pending.name))
        return;
    if (phc_parse(&hash, call->arguments[1]))
        add_ready(call->turn, &pending, &hash);
    else
        answer_usage(call);
}

static void drop_tokens(turn_t *turn, const user_t *user) {
    while (user->token_count > 0) {
        record_t *gone = effects_record(turn->effects, RECORD_TOKEN_GONE);
        memcpy(gone->token.digest, user->tokens[0].digest, DIGEST_BYTES);
        model_drop_token(turn->state, gone->token.digest);
    }
}

static void password_ready(turn_t *turn, const pending_t *pending, const password_hash_t *hash) {
    user_t *user = user_named(turn->state, &pending->name);
    if (user == NULL) {
        answer_error(turn, pending->ticket, CODE_NO_USER);
        return;
    }
    /* Whoever knew the old password must not come back with a token got by it. */
    drop_tokens(turn, user);
    user->has_fast = false;
    user->record.password = *hash;
    effects_record(turn->effects, RECORD_USER)->user = user->record;
    answer_text(turn, pending->ticket, "Password berhasil");
}

void account_hash_ready(turn_t *turn, const pending_t *pending, const password_hash_t *hash) {
    if (pending->kind == PENDING_SET_PASSWORD)
        password_ready(turn, pending, hash);
    else
        add_ready(turn, pending, hash);
}

static void leave_groups(turn_t *turn, const user_t *user) {
    while (user->groups != NULL) {
        member_record_t *record = &effects_record(turn->effects, RECORD_MEMBER_GONE)->member;
        record->group = user->groups->ids[0];
        record->user = user->record.id;
        model_drop_member(turn->state, record);
    }
}

void account_remove(call_t *call) {
    turn_t *turn = call->turn;
    name_t name;
    if (!argument_name(call, 0, &name))
        return;
    user_t *user = user_named(turn->state, &name);
    if (user == NULL) {
        answer_error(turn, call->ticket, CODE_NO_USER);
        return;
    }
    drop_tokens(turn, user);
    leave_groups(turn, user);
    ref_forget_user(turn, user->record.id);
    session_unbind_user(turn->state, user->record.id);
    user_record_t *record = &effects_record(turn->effects, RECORD_USER)->user;
    *record = user->record;
    record->gone = true;
    bool put = model_put_user(turn->state, record);
    ASSERT(put);
    effects_log(turn->effects, "user-removed", &name);
    answer_text(turn, call->ticket, "Delete user berhasil");
}

void account_list(call_t *call) {
    turn_t *turn = call->turn;
    const state_t *state = turn->state;
    user_status_t *rows = arena_alloc(&turn->effects->arena, state->user_count * sizeof(*rows));
    uint32_t count = 0;
    for (uint32_t id = 1; id <= state->user_count; id++) {
        const user_record_t *record = &user_row(state, id)->record;
        if (!record->gone)
            rows[count++] = (user_status_t){record->name, record->is_operator};
    }
    reply_t *reply = effects_reply(turn->effects, call->ticket, REPLY_USERS);
    reply->users.count = count;
    reply->users.rows = rows;
}
