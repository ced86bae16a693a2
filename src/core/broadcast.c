/*
 * A group message to all linked realms. All its records are of one turn, so they are committed
 * together or not at all; each then goes its own way. A realm that says that it has no such group
 * is simply not meant: if it says so late, nothing bounces (sweep.c).
 */
#include "broadcast.h"

#include "answer.h"
#include "base/assert.h"
#include "base/memory.h"
#include "mailbox.h"
#include "quota.h"
#include "ref.h"
#include "remote.h"
#include "session.h"
#include "stream.h"

#include <string.h>

static broadcast_t *find(const state_t *state, uint64_t job) {
    return map_get(state->broadcasts, &job);
}

void broadcast_answer(turn_t *turn, ticket_t ticket, const broadcast_status_t *rows,
                      uint32_t count) {
    reply_t *reply = effects_reply(turn->effects, ticket, REPLY_BROADCAST);
    reply->broadcast.text = BROADCAST_TEXT;
    reply->broadcast.rows = rows;
    reply->broadcast.count = count;
}

/* The number of its first record. */
static uint64_t first_number(const broadcast_t *broadcast) {
    uint64_t number = 0;
    for (uint32_t i = 0; number == 0 && i < broadcast->count; i++)
        number = broadcast->rows[i].number;
    ASSERT(number != 0);
    return number;
}

static void finish(turn_t *turn, uint64_t job) {
    state_t *state = turn->state;
    broadcast_t broadcast = *find(state, job);
    (void)map_remove(state->broadcasts, &job);
    size_t bytes = broadcast.count * sizeof(*broadcast.rows);
    broadcast_status_t *rows = arena_alloc(&turn->effects->arena, bytes);
    memcpy(rows, broadcast.rows, bytes);
    memory_free(broadcast.rows);
    broadcast_answer(turn, broadcast.ticket, rows, broadcast.count);
    /* The records were committed in an earlier turn: they go even if this one's commit fails. */
    reply_t *reply = &turn->effects->replies[turn->effects->reply_count - 1];
    broadcast.rows = rows;
    if (first_number(&broadcast) <= state->handed_over)
        reply->queued = first_number(&broadcast);
    session_unpark(turn, broadcast.ticket.connection);
}

static void settle_one(turn_t *turn, uint64_t job) {
    broadcast_t *broadcast = find(turn->state, job);
    ASSERT(broadcast != NULL && broadcast->left > 0);
    broadcast->left -= 1;
    if (broadcast->left == 0)
        finish(turn, job);
}

void broadcast_verdict(turn_t *turn, const parked_t *parked, delivery_t delivery, code_t code) {
    const broadcast_t *broadcast = find(turn->state, parked->broadcast);
    ASSERT(broadcast != NULL && parked->row < broadcast->count);
    broadcast_status_t *row = &broadcast->rows[parked->row];
    ASSERT(row->number == parked->number && (code == CODE_OK) != (delivery == DELIVERY_NONE));
    row->delivery = delivery;
    row->code = code;
    settle_one(turn, parked->broadcast);
}

/* CODE_OK if a realm's outbox has room for a body, and our group for its copy. */
static code_t room_at(turn_t *turn, const realm_t *realm, const group_t *group, size_t body_bytes) {
    uint32_t id = realm->record.id;
    if (!stream_has_room(turn->state, realm, body_bytes)) {
        quota_refused_outbox(turn->state, realm);
        return CODE_QUEUE_FULL;
    }
    bool fits =
        quota_allows_mailbox(turn, mailbox_address(MAILBOX_OUTBOX, 0, id)) &&
        quota_allows_mailbox(turn, mailbox_address(MAILBOX_GROUP_REALM, group->record.id, id));
    return fits ? CODE_OK : CODE_BUSY;
}

/* All linked realms as rows, which the caller frees; `left` counts those that can take it. */
static void list_realms(turn_t *turn, const group_t *group, size_t body_bytes,
                        broadcast_t *broadcast) {
    const state_t *state = turn->state;
    broadcast->rows = memory_alloc(state->realm_count * sizeof(*broadcast->rows));
    for (size_t i = 0; i < state->realm_count; i++) {
        const realm_t *realm = &state->realms[i];
        if (realm_linked(state, &realm->record.name) != realm)
            continue;
        broadcast_status_t *row = &broadcast->rows[broadcast->count++];
        row->id = realm->record.id;
        row->realm = realm->record.name;
        row->code = room_at(turn, realm, group, body_bytes);
        row->delivery = row->code == CODE_OK ? DELIVERY_QUEUED : DELIVERY_NONE;
        broadcast->left += row->code == CODE_OK ? 1 : 0;
    }
}

/* Appends the records. Who waits for their verdicts is parked behind that: where a link is down,
 * the answer comes at once. */
static void append_all(call_t *call, const group_t *group, span_t text, uint64_t job,
                       parked_t *parked) {
    state_t *state = call->turn->state;
    const broadcast_t *broadcast = find(state, job);
    for (uint32_t i = 0; i < broadcast->count; i++) {
        broadcast_status_t *row = &broadcast->rows[i];
        if (row->code != CODE_OK)
            continue;
        message_t *message = remote_group_record(call, realm_find(state, row->id), group, text);
        message->broadcast = true;
        row->number = message->number;
        parked[i] = remote_parked(call, message, group->record.id);
        parked[i].broadcast = job;
        parked[i].row = i;
    }
    state->broadcast_records += broadcast->left;
    ref_broadcast(call->turn, call->ticket, broadcast);
}

static void park_all(turn_t *turn, const uint32_t *realms, const parked_t *parked, uint32_t count,
                     span_t text) {
    for (uint32_t i = 0; i < count; i++) {
        if (parked[i].broadcast != 0)
            stream_park(turn, realm_find(turn->state, realms[i]), &parked[i], text);
    }
}

static void begin(call_t *call, const group_t *group, span_t text, const broadcast_t *broadcast) {
    turn_t *turn = call->turn;
    uint64_t job = model_job(turn->state);
    arena_t *arena = &turn->effects->arena;
    parked_t *parked = arena_alloc(arena, broadcast->count * sizeof(*parked));
    uint32_t *realms = arena_alloc(arena, broadcast->count * sizeof(*realms));
    for (uint32_t i = 0; i < broadcast->count; i++)
        realms[i] = broadcast->rows[i].id;
    *(broadcast_t *)map_put(turn->state->broadcasts, &job) = *broadcast;
    append_all(call, group, text, job, parked);
    session_park(turn, call->ticket.connection);
    park_all(turn, realms, parked, broadcast->count, text); /* frees the rows when it is the last */
}

/* Why there is nothing to begin; CODE_OK if there is. */
static code_t refusal(state_t *state, const broadcast_t *broadcast) {
    if (broadcast->count == 0)
        return CODE_NO_REALM;
    if (broadcast->left == 0)
        return broadcast->rows[0].code;
    if (state->broadcast_records + broadcast->left <= BROADCAST_RECORDS_MAX)
        return CODE_OK;
    quota_refused(state, LIMIT_BROADCAST);
    return CODE_BUSY;
}

void broadcast_send(call_t *call, const group_t *group, span_t text) {
    broadcast_t broadcast = {.ticket = call->ticket};
    list_realms(call->turn, group, text.length + SEAL_OVERHEAD_BYTES, &broadcast);
    code_t code = refusal(call->turn->state, &broadcast);
    if (code == CODE_OK) {
        begin(call, group, text, &broadcast);
        return;
    }
    memory_free(broadcast.rows);
    answer_error(call->turn, call->ticket, code);
}

void broadcast_free_all(state_t *state) {
    size_t cursor = 0;
    void *value;
    while (map_next(state->broadcasts, &cursor, NULL, &value))
        memory_free(((broadcast_t *)value)->rows);
}
