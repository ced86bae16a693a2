/*
 * What a realm says of itself. Changes nothing but its own notes.
 */
#include "server.h"

#include "base/assert.h"
#include "command.h"
#include "quota.h"
#include "stream.h"

static uint64_t messages(const state_t *state) {
    return state->next_position - 1 - state->floor.skipped;
}

void server_note(state_t *state, int64_t uptime_us) {
    int64_t second = uptime_us / 1000000 + 1;
    ASSERT(second > 0);
    rate_mark_t *mark = &state->rate_marks[second % RATE_WINDOW_S];
    if (mark->second != second)
        *mark = (rate_mark_t){.second = second,
                              .requests = state->requests_before,
                              .messages = state->messages_before};
    state->requests_before = state->requests;
    state->messages_before = messages(state);
}

/* The oldest mark of the last minute; NULL if nothing was done in it. */
static const rate_mark_t *oldest_mark(const state_t *state, int64_t uptime_us) {
    const rate_mark_t *oldest = NULL;
    int64_t second = uptime_us / 1000000 + 1;
    for (unsigned i = 0; i < RATE_WINDOW_S; i++) {
        const rate_mark_t *mark = &state->rate_marks[i];
        bool in_window = mark->second != 0 && second - mark->second < RATE_WINDOW_S;
        if (in_window && (oldest == NULL || mark->second < oldest->second))
            oldest = mark;
    }
    return oldest;
}

static void fill_rates(const turn_t *turn, server_status_t *server) {
    const state_t *state = turn->state;
    double window_s = (double)(turn->now_us - state->started_us) / 1e6;
    const rate_mark_t *mark = oldest_mark(state, turn->now_us);
    if (mark == NULL)
        return;
    if (window_s > RATE_WINDOW_S)
        window_s = RATE_WINDOW_S;
    if (window_s < 1)
        window_s = 1;
    server->requests_per_s = (double)(state->requests - mark->requests) / window_s;
    server->messages_per_s = (double)(messages(state) - mark->messages) / window_s;
}

static void fill_queues(const state_t *state, server_status_t *server) {
    for (size_t i = 0; i < state->realm_count; i++) {
        const realm_t *realm = &state->realms[i];
        if (realm->record.linked && !realm->record.gone)
            server->links += 1;
        server->queued += stream_queued(state, realm);
    }
}

void server_check(call_t *call) {
    const state_t *state = call->turn->state;
    reply_t *reply = effects_reply(call->turn->effects, call->ticket, REPLY_SERVER);
    server_status_t *server = arena_alloc(&call->turn->effects->arena, sizeof(*server));
    reply->server.status = server;
    server->realm = state->options.realm;
    server->uptime_ms = (call->turn->now_us - state->started_us) / 1000;
    server->users = index_count(state->user_names);
    server->groups = index_count(state->group_names);
    server->sessions = map_count(state->sessions);
    server->mailboxes = state->mailbox_count;
    server->messages = messages(state);
    server->requests = state->requests;
    server->peer_messages = state->peer_messages;
    server->peer_errors = state->peer_errors;
    server->retention_ms = state->options.limits.retention_ms;
    server->forgotten = state->retention.gone;
    fill_queues(state, server);
    fill_rates(call->turn, server);
    quota_status(state, server->limits);
}
