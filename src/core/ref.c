/*
 * Refs and the outcomes that are kept under them. Must never change an outcome that somebody was
 * told, and never keep one that is not in the same commit as what it speaks of.
 */
#include "ref.h"

#include "answer.h"
#include "base/assert.h"
#include "base/crypto.h"
#include "base/memory.h"
#include "base/text.h"
#include "broadcast.h"
#include "quota.h"
#include "session.h"

#include <string.h>

/* What an OK says, by success_t: replies given again are letter for letter the first ones. */
static const char *const success_texts[SUCCESS_COUNT] = {
    [SUCCESS_SEND] = "Message sent",
    [SUCCESS_SENDGROUP] = "Message Sent",
    [SUCCESS_SENDREALM] = "Pesan realm dikirim",
    [SUCCESS_SENDGROUPREALM] = BROADCAST_TEXT,
    [SUCCESS_ADDGROUP] = "Add group berhasil",
    [SUCCESS_JOINGROUP] = "Join group berhasil",
    [SUCCESS_LEAVEGROUP] = "Leave group berhasil",
    [SUCCESS_REGISTER] = "Register berhasil",
    [SUCCESS_PASSWORD] = "Password berhasil",
    [SUCCESS_ADDUSER] = "Add user berhasil",
    [SUCCESS_DELUSER] = "Delete user berhasil",
    [SUCCESS_ADDREALM] = "Connect realm berhasil",
    [SUCCESS_TRUSTREALM] = "Trust realm berhasil",
    [SUCCESS_DELREALM] = "Delete realm berhasil",
};

/* Keys are compared as memory: no padding. */
typedef struct ticket_key {
    uint64_t connection;
    uint64_t slot;
} ticket_key_t;

static ticket_key_t key_of(ticket_t ticket) {
    return (ticket_key_t){.connection = ticket.connection, .slot = ticket.slot};
}

static asked_t *asked_find(const state_t *state, ticket_t ticket) {
    ticket_key_t key = key_of(ticket);
    return map_get(state->asked, &key);
}

bool ref_take(request_t *request, const char *line, span_t *ref) {
    *ref = (span_t){0};
    if (request->token_count == 0 || line[request->token_offset[0]] != '@')
        return true;
    span_t token = {line + request->token_offset[0], request->token_bytes[0]};
    if (!text_ref(token, ref)) {
        *ref = (span_t){0};
        return false;
    }
    request->token_count -= 1;
    size_t moved = sizeof(request->token_offset) - sizeof(request->token_offset[0]);
    memmove(&request->token_offset[0], &request->token_offset[1], moved);
    memmove(&request->token_bytes[0], &request->token_bytes[1], moved);
    return true;
}

static void digest_of(uint8_t digest[REF_DIGEST_BYTES], uint32_t user, span_t ref) {
    static const uint8_t no_key[KEY_BYTES];
    uint8_t input[sizeof(user) + REF_BYTES_MAX];
    uint8_t whole[DIGEST_BYTES];
    ASSERT(ref.length > 0 && ref.length <= REF_BYTES_MAX);
    memcpy(input, &user, sizeof(user));
    memcpy(input + sizeof(user), ref.bytes, ref.length);
    crypto_digest(whole, no_key, input, sizeof(user) + ref.length);
    memcpy(digest, whole, REF_DIGEST_BYTES);
}

ref_standing_t ref_look(call_t *call) {
    bool changes = call->command != NULL && call->command->success != SUCCESS_NONE;
    call->keeps = changes && call->ref.length > 0 && (call->user != 0 || call->admin);
    if (!call->keeps)
        return REF_FREE;
    digest_of(call->digest, call->user, call->ref);
    const ref_t *ref = map_get(call->turn->state->refs, call->digest);
    if (ref == NULL)
        return REF_FREE;
    return ref->under_way ? REF_UNDER_WAY : REF_ANSWERED;
}

void ref_note(turn_t *turn, ticket_t ticket, span_t ref) {
    if (ref.length == 0)
        return;
    ASSERT(ref.length <= REF_BYTES_MAX && asked_find(turn->state, ticket) == NULL);
    ticket_key_t key = key_of(ticket);
    asked_t *asked = map_put(turn->state->asked, &key);
    asked->length = (uint8_t)ref.length;
    memcpy(asked->ref, ref.bytes, ref.length);
}

void ref_refuse(turn_t *turn, ticket_t ticket, const request_t *request, const char *line,
                code_t code) {
    request_t bare = *request;
    span_t ref;
    if (ref_take(&bare, line, &ref))
        ref_note(turn, ticket, ref);
    answer_error(turn, ticket, code);
}

void ref_drop(state_t *state, ticket_t ticket) {
    ticket_key_t key = key_of(ticket);
    (void)map_remove(state->asked, &key);
}

/* How many are known of a user. The row of a removed user is still there. */
static uint32_t *count_of(state_t *state, uint32_t user) {
    ASSERT(user <= state->user_count);
    return user == 0 ? &state->admin_refs : &user_row(state, user)->ref_count;
}

static ref_t *ref_add(state_t *state, const uint8_t digest[REF_DIGEST_BYTES], uint32_t user) {
    ref_t *ref = map_put(state->refs, digest);
    ASSERT(ref->number == 0);
    ref->user = user;
    *count_of(state, user) += 1;
    return ref;
}

static void ref_remove(state_t *state, const uint8_t digest[REF_DIGEST_BYTES]) {
    uint8_t key[REF_DIGEST_BYTES]; /* the digest may stand in the map itself */
    memcpy(key, digest, sizeof(key));
    ref_t *ref = map_get(state->refs, key);
    uint32_t *count = count_of(state, ref->user);
    ASSERT(*count > 0);
    *count -= 1;
    memory_free(ref->realms);
    (void)map_remove(state->refs, key);
}

static void look_later(state_t *state, int64_t now_us) {
    if (state->refs_due_us == INT64_MAX)
        state->refs_due_us = now_us + REF_SWEEP_MS * 1000LL;
}

bool ref_begin(const call_t *call) {
    state_t *state = call->turn->state;
    if (!call->keeps)
        return true;
    if (map_count(state->refs) >= REFS_MAX || *count_of(state, call->user) >= REFS_PER_USER_MAX) {
        quota_refused(state, LIMIT_REFS);
        answer_reason(call->turn, call->ticket, CODE_BUSY, "too many refs within 24 hours");
        return false;
    }
    asked_t *asked = asked_find(state, call->ticket);
    ASSERT(asked != NULL);
    asked->keeps = true;
    memcpy(asked->digest, call->digest, sizeof(asked->digest));
    ref_t *ref = ref_add(state, call->digest, call->user);
    ref->number = ++state->ref_number;
    ref->time_ms = call->turn->now_ms;
    ref->success = (uint8_t)call->command->success;
    ref->under_way = true;
    look_later(state, call->turn->now_us);
    return true;
}

/* ---- what came of it, as bytes ---- */

static uint8_t *put_bytes(uint8_t *at, uint64_t value, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        at[i] = (uint8_t)(value >> (8 * i));
    return at + count;
}

static uint64_t take_bytes(const uint8_t **at, unsigned count) {
    uint64_t value = 0;
    for (unsigned i = count; i-- > 0;)
        value = value << 8 | (*at)[i];
    *at += count;
    return value;
}

/* Each realm of a broadcast: its id, the number of the message, the delivery, the code. */
static void keep_realms(ref_t *ref, const broadcast_status_t *rows, uint32_t count) {
    ASSERT(count <= LINKS_MAX);
    memory_free(ref->realms);
    ref->realm_bytes = (uint16_t)(count * REF_REALM_BYTES);
    ref->realms = memory_alloc(ref->realm_bytes);
    uint8_t *at = ref->realms;
    for (uint32_t i = 0; i < count; i++) {
        at = put_bytes(at, rows[i].id, 4);
        at = put_bytes(at, rows[i].number, 8);
        at = put_bytes(at, rows[i].delivery, 1);
        at = put_bytes(at, rows[i].code, 2);
    }
    ASSERT(at == ref->realms + ref->realm_bytes);
}

/* False if the bytes are none of ours. */
static bool take_realm(const state_t *state, const uint8_t **at, broadcast_status_t *row) {
    row->id = (uint32_t)take_bytes(at, 4);
    row->number = take_bytes(at, 8);
    uint64_t delivery = take_bytes(at, 1);
    uint64_t code = take_bytes(at, 2);
    const realm_t *realm = realm_find(state, row->id);
    if (realm == NULL || delivery > DELIVERY_QUEUED || code >= CODE_COUNT ||
        (code == CODE_OK) == (delivery == DELIVERY_NONE))
        return false;
    row->realm = realm->record.name; /* a realm that was removed keeps its row */
    row->delivery = (delivery_t)delivery;
    row->code = (code_t)code;
    return true;
}

static void answer_broadcast(const call_t *call, const ref_t *ref) {
    uint32_t count = ref->realm_bytes / REF_REALM_BYTES;
    const uint8_t *at = ref->realms;
    broadcast_status_t *rows =
        arena_alloc(&call->turn->effects->arena, count * sizeof(broadcast_status_t));
    for (uint32_t i = 0; i < count; i++) {
        bool good = take_realm(call->turn->state, &at, &rows[i]);
        ASSERT(good); /* checked when it was loaded, or ours */
    }
    broadcast_answer(call->turn, call->ticket, rows, count);
}

void ref_answer_again(const call_t *call) {
    const ref_t *ref = map_get(call->turn->state->refs, call->digest);
    ASSERT(ref != NULL && !ref->under_way);
    if (ref->code != CODE_OK)
        answer_error(call->turn, call->ticket, (code_t)ref->code);
    else if (ref->realm_bytes > 0)
        answer_broadcast(call, ref);
    else
        answer_sent(call->turn, call->ticket, success_texts[ref->success], ref->message,
                    (delivery_t)ref->delivery);
}

/* ---- keeping ---- */

static void put_row(turn_t *turn, const uint8_t digest[REF_DIGEST_BYTES], ref_t *ref) {
    ref_record_t *record = &effects_record(turn->effects, RECORD_REF)->ref;
    record->number = ref->number;
    memcpy(record->digest, digest, REF_DIGEST_BYTES);
    record->user = ref->user;
    record->time_ms = ref->time_ms;
    record->success = ref->success;
    record->code = (code_t)ref->code;
    record->delivery = (delivery_t)ref->delivery;
    record->message = ref->message;
    span_t realms = {.bytes = (const char *)ref->realms, .length = ref->realm_bytes};
    record->realms = effects_copy(turn->effects, realms);
    ref->stored = true;
}

/* Of a ticket whose outcome is kept; NULL for others, and where its user was removed meanwhile. */
static ref_t *ref_of(const state_t *state, const asked_t *asked) {
    return asked == NULL || !asked->keeps ? NULL : map_get(state->refs, asked->digest);
}

void ref_queued(turn_t *turn, ticket_t ticket, uint64_t message) {
    const asked_t *asked = asked_find(turn->state, ticket);
    ref_t *ref = ref_of(turn->state, asked);
    if (ref == NULL)
        return;
    ref->message = message;
    ref->delivery = DELIVERY_QUEUED;
    put_row(turn, asked->digest, ref);
}

void ref_broadcast(turn_t *turn, ticket_t ticket, const broadcast_t *broadcast) {
    const asked_t *asked = asked_find(turn->state, ticket);
    ref_t *ref = ref_of(turn->state, asked);
    if (ref == NULL)
        return;
    keep_realms(ref, broadcast->rows, broadcast->count);
    put_row(turn, asked->digest, ref);
}

/* What the realm's state forbids will be forbidden under this ref; what is wrong in the line or may
 * go better the next time will not. */
static bool is_definite(code_t code) {
    switch (code) {
    case CODE_FORBIDDEN:
    case CODE_USER_EXISTS:
    case CODE_NO_USER:
    case CODE_GROUP_EXISTS:
    case CODE_NO_GROUP:
    case CODE_GROUP_PASSWORD:
    case CODE_ALREADY_MEMBER:
    case CODE_NOT_MEMBER:
    case CODE_NO_REALM:
    case CODE_REALM_KEY:
    case CODE_GROUP_MISMATCH:
        return true;
    default:
        return false;
    }
}

static void take_outcome(ref_t *ref, const reply_t *reply) {
    if (reply->kind == REPLY_ERROR) {
        ref->code = (uint8_t)reply->error.code;
        ref->message = 0;
        ref->delivery = DELIVERY_NONE;
    } else if (reply->kind == REPLY_BROADCAST) {
        keep_realms(ref, reply->broadcast.rows, reply->broadcast.count);
    } else {
        ASSERT(reply->kind == REPLY_TEXT &&
               span_equal(reply->text.text, span_of(success_texts[ref->success])));
        ref->message = reply->text.number;
        ref->delivery = (uint8_t)reply->text.delivery;
    }
}

static void keep(turn_t *turn, const asked_t *asked, const reply_t *reply) {
    ref_t *ref = ref_of(turn->state, asked);
    if (ref == NULL)
        return;
    ASSERT(ref->under_way);
    if (!ref->stored && reply->kind == REPLY_ERROR && !is_definite(reply->error.code)) {
        ref_remove(turn->state, asked->digest);
        return;
    }
    ref->under_way = false;
    take_outcome(ref, reply);
    put_row(turn, asked->digest, ref);
}

void ref_wait(state_t *state, const uint8_t digest[REF_DIGEST_BYTES], uint64_t connection) {
    ref_queue_t *queue = map_put(state->ref_queues, digest);
    queue->connections = memory_grow(queue->connections, &queue->room, queue->count + 1,
                                     sizeof(*queue->connections));
    queue->connections[queue->count++] = connection;
}

/* Those who wait look again: the first of them becomes the one under way if nothing was kept. */
static void wake(turn_t *turn, const uint8_t digest[REF_DIGEST_BYTES]) {
    const ref_queue_t *found = map_get(turn->state->ref_queues, digest);
    if (found == NULL)
        return;
    ref_queue_t queue = *found;
    (void)map_remove(turn->state->ref_queues, digest);
    for (size_t i = 0; i < queue.count; i++)
        session_unblock(turn, queue.connections[i]);
    memory_free(queue.connections);
}

static void answered(turn_t *turn, reply_t *reply) {
    const asked_t *found = asked_find(turn->state, reply->ticket);
    if (found == NULL)
        return;
    asked_t asked = *found;
    ref_drop(turn->state, reply->ticket);
    reply->ref = effects_copy(turn->effects, (span_t){asked.ref, asked.length});
    if (!asked.keeps)
        return;
    keep(turn, &asked, reply);
    wake(turn, asked.digest);
}

void ref_answered(turn_t *turn) {
    effects_t *effects = turn->effects;
    ASSERT(turn->answered <= effects->reply_count);
    if (map_count(turn->state->asked) == 0)
        turn->answered = effects->reply_count;
    for (; turn->answered < effects->reply_count; turn->answered++)
        answered(turn, &effects->replies[turn->answered]);
}

/* ---- forgetting ---- */

static void forget(turn_t *turn, const uint8_t digest[REF_DIGEST_BYTES], const ref_t *ref) {
    if (ref->stored)
        effects_record(turn->effects, RECORD_REF_GONE)->ref.number = ref->number;
    ref_remove(turn->state, digest);
}

void ref_forget_user(turn_t *turn, uint32_t user) {
    size_t cursor = 0;
    const void *digest;
    void *value;
    while (*count_of(turn->state, user) > 0 &&
           map_next(turn->state->refs, &cursor, &digest, &value)) {
        if (((const ref_t *)value)->user == user)
            forget(turn, digest, value);
    }
}

/* A clock that went back a day or more makes them old, too: else one that was wrong by years would
 * keep them for as long. */
static bool is_old(const turn_t *turn, const ref_t *ref) {
    int64_t age_ms = turn->now_ms - ref->time_ms;
    return !ref->under_way && (age_ms >= REF_KEEP_MS || age_ms <= -REF_KEEP_MS);
}

void ref_tick(turn_t *turn) {
    state_t *state = turn->state;
    if (turn->now_us < state->refs_due_us)
        return;
    size_t cursor = 0;
    const void *digest;
    void *value;
    unsigned gone = 0;
    while (gone < REF_SWEEP_ROWS && map_next(state->refs, &cursor, &digest, &value) &&
           is_old(turn, value)) {
        forget(turn, digest, value);
        gone += 1;
    }
    state->refs_due_us = INT64_MAX;
    if (gone == REF_SWEEP_ROWS)
        state->refs_due_us = turn->now_us + REF_SWEEP_BUSY_MS * 1000LL;
    else if (map_count(state->refs) > 0)
        look_later(state, turn->now_us);
}

/* ---- at start and end ---- */

static bool realms_load(const state_t *state, ref_t *ref, span_t realms) {
    if (realms.length % REF_REALM_BYTES != 0 || realms.length > LINKS_MAX * REF_REALM_BYTES)
        return false;
    ref->realm_bytes = (uint16_t)realms.length;
    ref->realms = realms.length == 0 ? NULL : memory_alloc(realms.length);
    if (realms.length > 0)
        memcpy(ref->realms, realms.bytes, realms.length);
    const uint8_t *at = ref->realms;
    bool good = true;
    for (size_t i = 0; good && i < realms.length / REF_REALM_BYTES; i++) {
        broadcast_status_t row;
        good = take_realm(state, &at, &row);
    }
    return good;
}

bool ref_load(state_t *state, const ref_record_t *record) {
    if (record->number <= state->ref_number || record->user > state->user_count ||
        record->success == SUCCESS_NONE || record->success >= SUCCESS_COUNT ||
        map_get(state->refs, record->digest) != NULL)
        return false;
    ref_t *ref = ref_add(state, record->digest, record->user);
    ref->number = state->ref_number = record->number;
    ref->time_ms = record->time_ms;
    ref->success = record->success;
    ref->code = (uint8_t)record->code;
    ref->delivery = (uint8_t)record->delivery;
    ref->message = record->message;
    ref->stored = true;
    return realms_load(state, ref, record->realms);
}

void ref_start(turn_t *turn) {
    if (map_count(turn->state->refs) > 0)
        look_later(turn->state, turn->now_us);
}

void ref_free_all(state_t *state) {
    size_t cursor = 0;
    void *value;
    while (map_next(state->refs, &cursor, NULL, &value))
        memory_free(((ref_t *)value)->realms);
    cursor = 0;
    while (map_next(state->ref_queues, &cursor, NULL, &value))
        memory_free(((ref_queue_t *)value)->connections);
}
