/*
 * AUTH, RESUME, LOGOUT and the order of a connection's requests. Passwords are only handed on to
 * the workers; nothing here computes a slow hash.
 */
#include "session.h"

#include "answer.h"
#include "attempts.h"
#include "base/assert.h"
#include "base/crypto.h"
#include "base/memory.h"
#include "base/text.h"
#include "listen.h"
#include "quota.h"
#include "ref.h"

#include <string.h>

static session_t *session_find(const state_t *state, uint64_t connection) {
    return map_get(state->sessions, &connection);
}

/* Behind the others. False if BUSY was answered. */
static bool defer(turn_t *turn, session_t *session, ticket_t ticket, const request_t *request,
                  const char *line) {
    size_t bytes = sizeof(deferred_t) + request->line_bytes;
    if (session->deferred_count == DEFERRED_REQUESTS_MAX ||
        turn->state->deferred_bytes + bytes > DEFERRED_BYTES_MAX) {
        quota_refused(turn->state, LIMIT_DEFERRED_BYTES);
        ref_refuse(turn, ticket, request, line, CODE_BUSY);
        return false;
    }
    deferred_t *deferred = memory_alloc(bytes);
    turn->state->deferred_bytes += bytes;
    deferred->slot = ticket.slot;
    deferred->request = *request;
    memcpy(deferred->line, line, request->line_bytes);
    if (session->deferred == NULL)
        session->deferred = deferred;
    else
        session->deferred_last->next = deferred;
    session->deferred_last = deferred;
    session->deferred_count += 1;
    return true;
}

/* The connection waits until the request that is under way with this ref has its reply, or its own
 * requests to other realms have theirs. */
static void await(turn_t *turn, uint64_t connection, run_result_t result,
                  const uint8_t awaited[REF_DIGEST_BYTES]) {
    session_block(turn, connection);
    if (result == RUN_AWAITS_REF)
        ref_wait(turn->state, awaited, connection);
    else
        session_find(turn->state, connection)->awaits_verdicts = true;
}

void session_request(turn_t *turn, ticket_t ticket, const request_t *request, const char *line) {
    uint8_t awaited[REF_DIGEST_BYTES];
    session_t *session = session_find(turn->state, ticket.connection);
    if (session != NULL && (session->blocked || session->deferred != NULL)) {
        (void)defer(turn, session, ticket, request, line);
        return;
    }
    run_result_t result = command_run(turn, ticket, session, request, line, awaited);
    if (result == RUN_DONE)
        return;
    session = map_put(turn->state->sessions, &ticket.connection);
    if (defer(turn, session, ticket, request, line))
        await(turn, ticket.connection, result, awaited);
}

void session_block(turn_t *turn, uint64_t connection) {
    session_t *session = map_put(turn->state->sessions, &connection);
    ASSERT(!session->blocked);
    session->blocked = true;
}

void session_unblock(turn_t *turn, uint64_t connection) {
    state_t *state = turn->state;
    session_t *session = session_find(state, connection);
    if (session == NULL)
        return;
    ASSERT(session->blocked);
    session->blocked = false;
    if (session->deferred == NULL)
        return;
    state->ready = memory_grow(state->ready, &state->ready_room, state->ready_count + 1,
                               sizeof(*state->ready));
    state->ready[state->ready_count++] = connection;
}

void session_park(turn_t *turn, uint64_t connection) {
    session_t *session = session_find(turn->state, connection);
    ASSERT(session != NULL);
    session->parked += 1;
}

void session_unpark(turn_t *turn, uint64_t connection) {
    session_t *session = session_find(turn->state, connection);
    if (session == NULL)
        return;
    ASSERT(session->parked > 0);
    session->parked -= 1;
    if (session->parked == 0 && session->awaits_verdicts) {
        session->awaits_verdicts = false;
        session_unblock(turn, connection);
    }
}

/* Takes the first deferred request out; the caller gives it to free_one. */
static deferred_t *take_first(session_t *session) {
    deferred_t *deferred = session->deferred;
    session->deferred = deferred->next;
    session->deferred_count -= 1;
    return deferred;
}

/* The line may hold a password. */
static void free_one(state_t *state, deferred_t *deferred) {
    size_t bytes = sizeof(*deferred) + deferred->request.line_bytes;
    ASSERT(state->deferred_bytes >= bytes);
    state->deferred_bytes -= bytes;
    crypto_wipe(deferred->line, deferred->request.line_bytes);
    memory_free(deferred);
}

static void put_back(session_t *session, deferred_t *deferred) {
    if (session->deferred == NULL)
        session->deferred_last = deferred;
    deferred->next = session->deferred;
    session->deferred = deferred;
    session->deferred_count += 1;
}

static void run_deferred(turn_t *turn, uint64_t connection) {
    for (;;) {
        session_t *session = session_find(turn->state, connection);
        if (session == NULL || session->blocked || session->deferred == NULL)
            return;
        deferred_t *deferred = take_first(session);
        ticket_t ticket = {.connection = connection, .slot = deferred->slot};
        uint8_t awaited[REF_DIGEST_BYTES];
        run_result_t result =
            command_run(turn, ticket, session, &deferred->request, deferred->line, awaited);
        if (result != RUN_DONE) {
            put_back(session, deferred);
            await(turn, connection, result, awaited);
            return;
        }
        ref_answered(turn);
        free_one(turn->state, deferred);
    }
}

void session_run_ready(turn_t *turn) {
    state_t *state = turn->state;
    /* Running them may make further connections ready: the list grows while it is walked. */
    for (size_t i = 0; i < state->ready_count; i++)
        run_deferred(turn, state->ready[i]);
    state->ready_count = 0;
}

static void free_deferred(state_t *state, session_t *session) {
    while (session->deferred != NULL)
        free_one(state, take_first(session));
}

void session_closed(state_t *state, uint64_t connection) {
    session_t *session = session_find(state, connection);
    if (session == NULL)
        return;
    free_deferred(state, session);
    listen_stop(state, connection, session);
    (void)map_remove(state->sessions, &connection);
}

static void unbind(state_t *state, uint64_t connection, session_t *session) {
    listen_stop(state, connection, session);
    session->user = 0;
    session->has_token = false;
    crypto_wipe(session->token, sizeof(session->token));
}

void session_unbind_user(state_t *state, uint32_t user) {
    size_t cursor = 0;
    const void *key;
    void *value;
    while (map_next(state->sessions, &cursor, &key, &value)) {
        session_t *session = value;
        uint64_t connection;
        memcpy(&connection, key, sizeof(connection));
        if (session->user == user)
            unbind(state, connection, session);
    }
}

void session_free_all(state_t *state) {
    size_t cursor = 0;
    void *value;
    while (map_next(state->sessions, &cursor, NULL, &value))
        free_deferred(state, value);
}

void session_fast_digest(const state_t *state, uint32_t user, span_t password,
                         uint8_t out[FAST_DIGEST_BYTES]) {
    uint8_t input[8 + PASSWORD_BYTES_MAX] = "fast";
    uint8_t digest[DIGEST_BYTES];
    ASSERT(password.length <= PASSWORD_BYTES_MAX);
    memcpy(input + 4, &user, sizeof(user));
    memcpy(input + 8, password.bytes, password.length);
    crypto_digest(digest, state->options.secret, input, 8 + password.length);
    memcpy(out, digest, FAST_DIGEST_BYTES);
    crypto_wipe(input, sizeof(input));
}

static void token_digest(uint8_t digest[DIGEST_BYTES], const char *text) {
    /* Tokens are 256 random bits: a plain hash keeps them secret, no salt or cost is needed. */
    static const uint8_t no_key[KEY_BYTES];
    crypto_digest(digest, no_key, text, KEY_TEXT_BYTES);
}

/* Makes a token for a user, voiding the oldest if there are too many, and binds the session. */
static span_t token_give(turn_t *turn, user_t *user, session_t *session) {
    state_t *state = turn->state;
    uint8_t token[KEY_BYTES];
    char text[KEY_TEXT_BYTES + 1];
    if (user->token_count == TOKENS_PER_USER_MAX) {
        record_t *gone = effects_record(turn->effects, RECORD_TOKEN_GONE);
        memcpy(gone->token.digest, user->tokens[0].digest, DIGEST_BYTES);
        model_drop_token(state, gone->token.digest);
    }
    model_draw(state, token, sizeof(token));
    crypto_key_text(text, token);
    token_record_t *record = &effects_record(turn->effects, RECORD_TOKEN)->token;
    token_digest(record->digest, text);
    record->user = user->record.id;
    record->time_ms = turn->now_ms;
    bool put = model_put_token(state, record);
    ASSERT(put);
    memcpy(session->token, record->digest, DIGEST_BYTES);
    session->has_token = true;
    session->user = user->record.id;
    return effects_copy(turn->effects, span_of(text));
}

static void auth_accept(turn_t *turn, ticket_t ticket, user_t *user) {
    session_t *session = map_put(turn->state->sessions, &ticket.connection);
    if (session->user != user->record.id)
        listen_stop(turn->state, ticket.connection, session);
    span_t token = token_give(turn, user, session);
    reply_t *reply = effects_reply(turn->effects, ticket, REPLY_TEXT);
    reply->text.text = token;
    reply->binding = BINDING_USER;
}

pending_t *session_await_password(const call_t *call, pending_kind_t kind, password_job_t **job) {
    turn_t *turn = call->turn;
    state_t *state = turn->state;
    if (state->password_jobs >= PASSWORD_JOBS_MAX) {
        quota_refused(state, LIMIT_PASSWORD_JOBS);
        answer_error(turn, call->ticket, CODE_BUSY);
        return NULL;
    }
    if (!attempt_begin(turn, call->source)) {
        answer_reason(turn, call->ticket, CODE_BUSY, "too many attempts from this address");
        return NULL;
    }
    state->password_jobs += 1;
    *job = effects_password(turn->effects, PASSWORD_HASH);
    (*job)->job = model_job(state);
    (*job)->source = call->source;
    session_block(turn, call->ticket.connection);
    pending_t *pending = map_put(state->pending, &(*job)->job);
    pending->kind = kind;
    pending->ticket = call->ticket;
    pending->source = call->source;
    return pending;
}

/* What an unknown user's password is verified against: it costs the same and never matches. */
static password_hash_t decoy_hash(void) {
    return (password_hash_t){.passes = PASSWORD_HASH_PASSES,
                             .memory_bytes = PASSWORD_HASH_MEMORY_BYTES};
}

void session_auth(call_t *call) {
    state_t *state = call->turn->state;
    name_t name;
    span_t password;
    if (!argument_name(call, 0, &name) || !argument_password(call, 1, &password))
        return;
    user_t *user = user_named(state, &name);
    uint8_t fast[FAST_DIGEST_BYTES];
    session_fast_digest(state, user == NULL ? 0 : user->record.id, password, fast);
    if (user != NULL && user->has_fast && crypto_equal(fast, user->fast, sizeof(fast))) {
        auth_accept(call->turn, call->ticket, user);
        return;
    }
    password_job_t *job;
    pending_t *pending = session_await_password(call, PENDING_AUTH, &job);
    if (pending == NULL)
        return;
    pending->user = user == NULL ? 0 : user->record.id;
    pending->hash = user == NULL ? decoy_hash() : user->record.password;
    memcpy(pending->fast, fast, sizeof(fast));
    job->kind = PASSWORD_VERIFY;
    job->password = effects_copy(call->turn->effects, password);
    job->expected = pending->hash;
}

void session_auth_verified(turn_t *turn, const pending_t *pending, bool ok) {
    user_t *user = user_find(turn->state, pending->user);
    /* The password may have been changed while the worker was busy. */
    bool same =
        user != NULL && memcmp(&user->record.password, &pending->hash, sizeof(pending->hash)) == 0;
    if (session_find(turn->state, pending->ticket.connection) == NULL) {
        ref_drop(turn->state, pending->ticket);
        return;
    }
    if (!ok || !same) {
        answer_error(turn, pending->ticket, CODE_AUTH_FAILED);
        effects_log(turn->effects, "auth-failed", user == NULL ? NULL : &user->record.name)
            ->warning = true;
        return;
    }
    memcpy(user->fast, pending->fast, sizeof(user->fast));
    user->has_fast = true;
    auth_accept(turn, pending->ticket, user);
}

void session_resume(call_t *call) {
    turn_t *turn = call->turn;
    state_t *state = turn->state;
    uint8_t digest[DIGEST_BYTES];
    const uint32_t *id = NULL;
    if (call->arguments[0].length == KEY_TEXT_BYTES) {
        token_digest(digest, call->arguments[0].bytes);
        id = map_get(state->tokens, digest);
    }
    if (id == NULL) {
        answer_error(turn, call->ticket, CODE_AUTH_FAILED);
        return;
    }
    session_t *session = map_put(state->sessions, &call->ticket.connection);
    if (session->user != *id)
        listen_stop(state, call->ticket.connection, session);
    session->user = *id;
    session->has_token = true;
    memcpy(session->token, digest, sizeof(digest));
    span_t name = name_span(&user_find(state, *id)->record.name);
    reply_t *reply = effects_reply(turn->effects, call->ticket, REPLY_TEXT);
    reply->text.text = effects_copy(turn->effects, name);
    reply->binding = BINDING_USER;
}

void session_logout(call_t *call) {
    state_t *state = call->turn->state;
    session_t *session = session_find(state, call->ticket.connection);
    ASSERT(session != NULL && session->user != 0);
    if (session->has_token && map_get(state->tokens, session->token) != NULL) {
        record_t *gone = effects_record(call->turn->effects, RECORD_TOKEN_GONE);
        memcpy(gone->token.digest, session->token, DIGEST_BYTES);
        model_drop_token(state, session->token);
    }
    unbind(state, call->ticket.connection, session);
    answer_text(call->turn, call->ticket, "Logout berhasil");
    effects_t *effects = call->turn->effects;
    effects->replies[effects->reply_count - 1].binding = BINDING_NOBODY;
}

void session_ping(call_t *call) {
    answer_text(call->turn, call->ticket, "PONG");
}

void session_quit(call_t *call) {
    answer_text(call->turn, call->ticket, "Sampai jumpa");
    effects_t *effects = call->turn->effects;
    effects->replies[effects->reply_count - 1].close = true;
}
