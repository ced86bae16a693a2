/*
 * The state machine's outside: making it, feeding it, ending a batch. Each event goes to the file
 * that knows its topic.
 */
#include "core/state.h"

#include "account.h"
#include "answer.h"
#include "attempts.h"
#include "base/assert.h"
#include "base/crypto.h"
#include "base/memory.h"
#include "base/text.h"
#include "broadcast.h"
#include "candidate.h"
#include "command.h"
#include "group.h"
#include "history.h"
#include "link.h"
#include "load.h"
#include "mailbox.h"
#include "model.h"
#include "peer.h"
#include "position.h"
#include "private.h"
#include "ref.h"
#include "remote.h"
#include "retention.h"
#include "server.h"
#include "session.h"
#include "stream.h"

#include <string.h>

static map_t *new_map(const state_t *state, size_t key_bytes, size_t value_bytes) {
    return map_new(key_bytes, value_bytes, state->hash_seed);
}

static map_t *new_map_of_ids(const state_t *state, size_t key_bytes, size_t value_bytes) {
    return map_new_of_ids(key_bytes, value_bytes, state->hash_seed);
}

state_t *state_new(const state_options_t *options) {
    ASSERT(options->realm.length > 0);
    state_t *state = memory_alloc(sizeof(*state));
    state->options = *options;
    state->next_position = 1;
    model_draw(state, state->hash_seed, sizeof(state->hash_seed));
    state->user_names = index_new(state->hash_seed);
    state->group_names = index_new(state->hash_seed);
    state->realm_names = new_map(state, sizeof(name_t), sizeof(uint32_t));
    state->realm_keys = new_map(state, KEY_BYTES, sizeof(uint32_t));
    state->members = new_map_of_ids(state, sizeof(member_record_t), 1);
    state->tokens = new_map(state, DIGEST_BYTES, sizeof(uint32_t));
    state->sources = new_map_of_ids(state, sizeof(uint64_t), sizeof(source_t));
    state->sessions = new_map_of_ids(state, sizeof(uint64_t), sizeof(session_t));
    state->pending = new_map_of_ids(state, sizeof(uint64_t), sizeof(pending_t));
    state->pulls = new_map_of_ids(state, sizeof(uint64_t), sizeof(pull_t));
    state->candidates = new_map_of_ids(state, sizeof(uint64_t), sizeof(candidate_t));
    state->dials = new_map_of_ids(state, sizeof(uint64_t), sizeof(uint32_t));
    state->mailboxes = new_map_of_ids(state, sizeof(mailbox_t), sizeof(mailbox_row_t));
    state->round = 1;
    state->asked = new_map_of_ids(state, 2 * sizeof(uint64_t), sizeof(asked_t));
    state->refs = new_map(state, REF_DIGEST_BYTES, sizeof(ref_t));
    state->ref_queues = new_map(state, REF_DIGEST_BYTES, sizeof(ref_queue_t));
    state->broadcasts = new_map_of_ids(state, sizeof(uint64_t), sizeof(broadcast_t));
    command_index(state->command_rows);
    state->refs_due_us = INT64_MAX;
    return state;
}

void state_destroy(state_t **pointer) {
    state_t *state = *pointer;
    if (state == NULL)
        return;
    *pointer = NULL;
    session_free_all(state);
    ref_free_all(state);
    broadcast_free_all(state);
    model_free_rows(state);
    map_t **maps[] = {&state->realm_names, &state->realm_keys, &state->members,   &state->tokens,
                      &state->sessions,    &state->pending,    &state->sources,   &state->pulls,
                      &state->candidates,  &state->dials,      &state->mailboxes, &state->asked,
                      &state->refs,        &state->ref_queues, &state->broadcasts};
    for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
        map_destroy(maps[i]);
    index_destroy(&state->user_names);
    index_destroy(&state->group_names);
    memory_free(state->dirty);
    memory_free(state->writing);
    memory_free(state->ready);
    memory_free(state->touched);
    crypto_wipe(&state->options, sizeof(state->options));
    memory_free(state);
}

static bool load_stream(state_t *state, const stream_record_t *record) {
    realm_t *realm = realm_find(state, record->realm);
    if (realm == NULL || record->segment_count > STREAM_SEGMENTS_MAX ||
        record->mark_count > STREAM_MARKS_MAX)
        return false;
    realm->stream = *record;
    return true;
}

static bool load_rejection(state_t *state, const rejection_record_t *record) {
    realm_t *realm = realm_find(state, record->realm);
    if (realm == NULL || realm->rejection_count >= PEER_REJECTIONS_MAX)
        return false;
    realm->rejections = memory_grow(realm->rejections, &realm->rejection_room,
                                    realm->rejection_count + 1, sizeof(*realm->rejections));
    realm->rejections[realm->rejection_count++] =
        (peer_rejection_t){.seq = record->seq, .code = record->code};
    return true;
}

bool state_load(state_t *state, const record_t *record) {
    if (!load_fits(state, record))
        return false;
    switch (record->kind) {
    case RECORD_USER:
        return model_put_user(state, &record->user);
    case RECORD_TOKEN:
        return model_put_token(state, &record->token);
    case RECORD_GROUP:
        return model_put_group(state, &record->group);
    case RECORD_MEMBER:
        return model_put_member(state, &record->member);
    case RECORD_REALM:
        return model_put_realm(state, &record->realm);
    case RECORD_STREAM:
        return load_stream(state, &record->stream);
    case RECORD_REJECTION:
        return load_rejection(state, &record->rejection);
    case RECORD_HEAD:
        mailbox_load_head(state, &record->head);
        return true;
    case RECORD_CHECKPOINT:
        state->checkpoint = record->checkpoint.position;
        if (state->next_position <= state->checkpoint)
            state->next_position = state->checkpoint + 1;
        return true;
    case RECORD_SEGMENT:
    case RECORD_MARK:
        return history_load(state, record);
    case RECORD_FLOOR:
        return position_load(state, &record->floor);
    case RECORD_CUT:
        return retention_load(state, &record->cut);
    case RECORD_MESSAGE:
        return mailbox_load(state, &record->message);
    case RECORD_REF:
        return ref_load(state, &record->ref);
    default:
        return false;
    }
}

bool state_loaded(const state_t *state) {
    return load_fits_together(state);
}

code_t state_trust(state_t *state, const name_t *name, const uint8_t key[KEY_BYTES],
                   effects_t *effects) {
    return link_pin(state, effects, name, key);
}

/* Whether it counts as a failed login: a wrong password, of a user or a group; and each REGISTER,
 * so that nobody makes users without end. */
static bool is_failure(const state_t *state, const pending_t *pending, const event_t *event) {
    switch (pending->kind) {
    case PENDING_AUTH:
        return !event->password.ok;
    case PENDING_REGISTER:
        return true;
    case PENDING_JOIN_GROUP:
        return !group_opens(state, &pending->name, event->password.key);
    default:
        return false;
    }
}

static void on_password(turn_t *turn, const event_t *event) {
    state_t *state = turn->state;
    const pending_t *found = map_get(state->pending, &event->password.job);
    ASSERT(found != NULL && state->password_jobs > 0);
    pending_t pending = *found;
    (void)map_remove(state->pending, &event->password.job);
    state->password_jobs -= 1;
    attempt_end(turn, pending.source, is_failure(state, &pending, event));
    if (pending.kind == PENDING_AUTH)
        session_auth_verified(turn, &pending, event->password.ok);
    else if (!event->password.ok)
        answer_error(turn, pending.ticket, CODE_BUSY);
    else if (pending.kind == PENDING_ADD_GROUP || pending.kind == PENDING_JOIN_GROUP)
        group_key_ready(turn, &pending, event->password.key);
    else
        account_hash_ready(turn, &pending, &event->password.hash);
    session_unblock(turn, pending.ticket.connection);
}

static void on_looked_up(turn_t *turn, const event_t *event) {
    const pending_t *found = map_get(turn->state->pending, &event->lookup.job);
    ASSERT(found != NULL && found->kind == PENDING_LOOKUP);
    pending_t pending = *found;
    (void)map_remove(turn->state->pending, &event->lookup.job);
    private_looked_up(turn, &pending, event);
    session_unblock(turn, pending.ticket.connection);
}

static void on_swept(turn_t *turn, const event_t *event) {
    realm_t *realm = realm_find(turn->state, event->sweep.realm);
    ASSERT(realm != NULL);
    stream_swept(turn, realm, event);
}

static void on_settings(turn_t *turn, const event_t *event) {
    state_options_t *options = &turn->state->options;
    options->registration_open = event->settings.registration_open;
    options->accept_any = event->settings.accept_any;
    options->limits = *event->settings.limits;
    retention_changed(turn);
}

/* The ticket was written just now, in its parts: to read it in the same parts need not wait until
 * it has come to stand in memory. */
static void on_request(turn_t *turn, const event_t *event) {
    ticket_t ticket = {.connection = event->request.ticket.connection,
                       .slot = event->request.ticket.slot};
    ASSERT(turn->state->settling == 0);
    session_request(turn, ticket, event->request.request, event->request.line);
}

static void dispatch(turn_t *turn, const event_t *event) {
    switch (event->kind) {
    case EVENT_START:
        turn->state->started_us = event->uptime_us;
        position_start(turn);
        retention_start(turn);
        link_start(turn);
        ref_start(turn);
        break;
    case EVENT_REQUEST:
        on_request(turn, event);
        break;
    case EVENT_CLOSED:
        session_closed(turn->state, event->closed.connection);
        break;
    case EVENT_PASSWORD:
        on_password(turn, event);
        break;
    case EVENT_PEER:
        peer_run(turn, &event->peer.channel, event->peer.message);
        break;
    case EVENT_PEER_GARBAGE:
        peer_garbage(turn, &event->peer.channel, event->peer.refusal);
        break;
    case EVENT_DIALLED:
        link_dialled(turn, event->dial.dial);
        break;
    case EVENT_DIAL_LOST:
        link_dial_lost(turn, event->dial.dial, event->dial.error);
        break;
    case EVENT_LOOKED_UP:
        on_looked_up(turn, event);
        break;
    case EVENT_SWEPT:
        on_swept(turn, event);
        break;
    case EVENT_TRIM:
        retention_trim(turn, event);
        break;
    case EVENT_SETTINGS:
        on_settings(turn, event);
        break;
    case EVENT_TICK:
        link_tick(turn);
        retention_tick(turn);
        candidate_tick(turn);
        remote_tick(turn);
        ref_tick(turn);
        break;
    }
}

void state_step(state_t *state, const event_t *event, effects_t *effects) {
    turn_t turn = {
        .state = state, .effects = effects, .now_ms = event->time_ms, .now_us = event->uptime_us};
    turn.answered = effects->reply_count;
    dispatch(&turn, event);
    ref_answered(&turn);
    session_run_ready(&turn);
    ASSERT(turn.answered == effects->reply_count);
    ASSERT(state->ready_count == 0);
}

void state_expect(state_t *state, const event_t *event) {
    if (event->kind == EVENT_REQUEST)
        command_expect(state, event->request.ticket, event->request.request, event->request.line);
}

void state_batch_end(state_t *state, int64_t uptime_us, size_t heads_max, effects_t *effects) {
    turn_t turn = {.state = state, .effects = effects, .now_us = uptime_us};
    for (size_t i = 0; i < state->touched_count; i++) {
        realm_t *realm = realm_find(state, state->touched[i]);
        ASSERT(realm != NULL && realm->touched);
        realm->touched = false;
        effects_record(effects, RECORD_STREAM)->stream = realm->stream;
        stream_pump(&turn, realm);
        link_note_due(state, realm);
    }
    state->touched_count = 0;
    mailbox_checkpoint(state, heads_max, effects);
    server_note(state, uptime_us);
    state->handed_over = state->next_position - 1;
    state->broadcast_records = 0;
}

static int64_t earlier(int64_t a, int64_t b) {
    return a < b ? a : b;
}

int64_t state_next_tick_us(const state_t *state) {
    int64_t due = earlier(state->links_due_us, candidate_due_us(state));
    due = earlier(due, retention_due_us(state));
    return earlier(due, earlier(remote_due_us(state), state->refs_due_us));
}
