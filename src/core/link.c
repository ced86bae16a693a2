/*
 * The life of a link. Decides when to dial and when a peer counts as gone; sends nothing but
 * greetings and heartbeats.
 */
#include "link.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "base/text.h"
#include "candidate.h"
#include "history.h"
#include "quota.h"
#include "remote.h"
#include "stream.h"

#include <string.h>

const char *link_dial_reason(dial_error_t error) {
    switch (error) {
    case DIAL_REFUSED:
        return "refused";
    case DIAL_TIMEOUT:
        return "timed out";
    case DIAL_UNRESOLVED:
        return "the address cannot be resolved";
    case DIAL_REJECTED:
        return "key not accepted by the peer";
    case DIAL_WRONG_KEY:
        return "the peer does not hold that key";
    case DIAL_BROKEN:
        break;
    }
    return "connection lost";
}

const char *link_refusal_reason(peer_refusal_t refusal) {
    switch (refusal) {
    case REFUSAL_NAME:
        return "it calls itself another name";
    case REFUSAL_KEY:
        return "key not accepted by the peer";
    case REFUSAL_UNLINKED:
        return "the peer has no link with this realm";
    case REFUSAL_VERSION:
        return "it speaks another version of the protocol";
    case REFUSAL_FULL:
        return "the peer has no room for another link";
    default:
        return "the peer did not understand";
    }
}

static int64_t due_us(const realm_t *realm) {
    if (realm->record.gone || realm->record.leaving || !realm->record.linked)
        return INT64_MAX;
    int64_t due = stream_due_us(realm);
    if (realm->due_us < due)
        due = realm->due_us;
    return realm->expire_us < due ? realm->expire_us : due;
}

void link_note_due(state_t *state, const realm_t *realm) {
    int64_t due = due_us(realm);
    if (due < state->links_due_us)
        state->links_due_us = due;
}

static void note_all(state_t *state) {
    state->links_due_us = INT64_MAX;
    for (size_t i = 0; i < state->realm_count; i++)
        link_note_due(state, &state->realms[i]);
}

static void allow(effects_t *effects, const uint8_t key[KEY_BYTES]) {
    memcpy(effects_dial(effects, DIAL_ALLOW)->key, key, KEY_BYTES);
}

static void hang_up(turn_t *turn, uint64_t dial) {
    effects_dial(turn->effects, DIAL_CLOSE)->dial = dial;
    (void)map_remove(turn->state->dials, &dial);
}

code_t link_pin(state_t *state, effects_t *effects, const name_t *name,
                const uint8_t key[KEY_BYTES]) {
    if (name_equal(name, &state->options.realm))
        return CODE_BAD_NAME;
    const realm_t *keyed = realm_keyed(state, key);
    const realm_t *named = realm_named(state, name);
    if (keyed != NULL || named != NULL)
        return keyed == named ? CODE_OK : CODE_REALM_KEY;
    if (crypto_equal(key, state->options.key, KEY_BYTES))
        return CODE_REALM_KEY;
    const uint32_t *id = map_get(state->realm_names, name);
    if (id == NULL && state->realm_count >= LINKS_MAX)
        quota_refused(state, LIMIT_LINKS);
    if (id != NULL ? realm_find(state, *id)->record.leaving : state->realm_count >= LINKS_MAX)
        return CODE_BUSY;
    realm_record_t *record = &effects_record(effects, RECORD_REALM)->realm;
    record->id = id != NULL ? *id : (uint32_t)state->realm_count + 1;
    record->name = *name;
    memcpy(record->key, key, KEY_BYTES);
    bool put = model_put_realm(state, record);
    ASSERT(put);
    allow(effects, key);
    effects_log(effects, "realm-trusted", name);
    return CODE_OK;
}

static bool address_equal(const address_t *a, const address_t *b) {
    return a->length == b->length && a->port == b->port && memcmp(a->text, b->text, a->length) == 0;
}

void link_store(turn_t *turn, realm_t *realm, const address_t *address) {
    if (realm->record.linked && address_equal(&realm->record.address, address))
        return;
    realm->record.linked = true;
    realm->record.address = *address;
    link_note_due(turn->state, realm);
    effects_record(turn->effects, RECORD_REALM)->realm = realm->record;
}

void link_dial(turn_t *turn, realm_t *realm) {
    state_t *state = turn->state;
    if (realm->phase != LINK_IDLE || !realm->record.linked)
        return;
    dial_effect_t *dial = effects_dial(turn->effects, DIAL_OPEN);
    dial->dial = realm->dial = ++state->next_dial;
    dial->address = realm->record.address;
    memcpy(dial->key, realm->record.key, KEY_BYTES);
    *(uint32_t *)map_put(state->dials, &realm->dial) = realm->record.id;
    realm->phase = LINK_DIALLING;
    realm->due_us = turn->now_us + HANDSHAKE_MS * 1000LL;
    link_note_due(state, realm);
}

void link_greet(turn_t *turn, uint64_t dial, const name_t *realm, const address_t *address,
                const peer_standing_t *standing) {
    peer_channel_t channel = {.dialled = true, .number = dial};
    peer_message_t *message = &effects_send(turn->effects, &channel)->message;
    message->kind = PEER_ACKREALM;
    message->ackrealm.realm = *realm;
    message->ackrealm.from = turn->state->options.realm;
    message->ackrealm.address = *address;
    message->ackrealm.source = turn->state->options.advertise;
    if (standing != NULL)
        message->ackrealm.standing = *standing;
}

void link_up(turn_t *turn, realm_t *realm, uint64_t dial, int64_t greeted_us,
             const peer_standing_t *standing) {
    if (realm->dial != dial && realm->phase != LINK_IDLE)
        hang_up(turn, realm->dial);
    *(uint32_t *)map_put(turn->state->dials, &dial) = realm->record.id;
    realm->dial = dial;
    realm->phase = LINK_UP;
    realm->error = NULL;
    realm->rtt_us = turn->now_us - greeted_us;
    realm->backoff_ms = 0;
    realm->pings_missed = 0;
    realm->ping = 0;
    realm->pull = 0;
    realm->due_us = turn->now_us;
    stream_heard(turn, realm, standing, true);
    link_note_due(turn->state, realm);
    realm_touch(turn->state, realm);
    effects_log(turn->effects, "link-up", &realm->record.name);
}

/* A try costs a millisecond: a few links that are down are tried once a second, so that they are
 * back as soon as their networks; many take turns, so that they do not cost the others anything. */
static int64_t backoff_max_ms(const state_t *state) {
    int64_t most = 0;
    for (size_t i = 0; i < state->realm_count; i++) {
        const realm_t *realm = &state->realms[i];
        if (realm->record.linked && !realm->record.gone && realm->phase != LINK_UP)
            most += RECONNECT_MS_PER_LINK;
    }
    if (most < RECONNECT_MS_CALM)
        return RECONNECT_MS_CALM;
    return most < RECONNECT_MS_MAX ? most : RECONNECT_MS_MAX;
}

/* Exponential from RECONNECT_MS_MIN to the most, then a random part of it taken off, so that realms
 * which lost each other together do not come back together. */
static void back_off(turn_t *turn, realm_t *realm) {
    uint32_t draw;
    model_draw(turn->state, &draw, sizeof(draw));
    int64_t backoff = realm->backoff_ms * 2;
    if (backoff < RECONNECT_MS_MIN)
        backoff = RECONNECT_MS_MIN;
    int64_t most = backoff_max_ms(turn->state);
    if (backoff > most)
        backoff = most;
    realm->backoff_ms = backoff;
    int64_t wait_us = backoff * 1000 - (int64_t)(draw % 500) * backoff;
    ASSERT(wait_us > 0);
    realm->due_us = turn->now_us + wait_us;
    link_note_due(turn->state, realm);
}

void link_down(turn_t *turn, realm_t *realm, const char *reason, bool is_open) {
    bool was_up = realm->phase == LINK_UP;
    if (is_open)
        hang_up(turn, realm->dial);
    else
        (void)map_remove(turn->state->dials, &realm->dial);
    realm->phase = LINK_IDLE;
    back_off(turn, realm);
    if (was_up || realm->error == NULL || strcmp(realm->error, reason) != 0) {
        log_line_t *line = effects_log(turn->effects, "link-down", &realm->record.name);
        line->reason = reason;
        line->warning = true;
    }
    realm->error = reason;
    realm->rtt_us = -1;
    realm->ping = 0;
    realm->pull = 0;
    stream_unpark_all(turn, realm);
    remote_peer_lost(turn, realm);
}

void link_sign_of_life(turn_t *turn, realm_t *realm) {
    int64_t soon_us = turn->now_us + RECONNECT_MS_MIN * 1000LL;
    if (realm->phase != LINK_IDLE || !realm->record.linked)
        return;
    /* A peer that lives but cannot be dialled is tried no more than once a heartbeat. */
    if (realm->backoff_ms > HEARTBEAT_MS)
        realm->backoff_ms = HEARTBEAT_MS / 2;
    if (realm->due_us > soon_us + HEARTBEAT_MS * 1000LL)
        realm->due_us = soon_us;
    link_note_due(turn->state, realm);
}

void link_pong(turn_t *turn, realm_t *realm, uint64_t correlation, uint64_t stamp) {
    /* The answer to an earlier one counts too: a peer farther away than a heartbeat is not dead. */
    if (realm->ping == 0 || correlation > realm->ping || correlation <= realm->ponged)
        return;
    realm->ponged = correlation;
    if (stamp <= (uint64_t)turn->now_us)
        realm->rtt_us = turn->now_us - (int64_t)stamp;
    if (correlation == realm->ping)
        realm->ping = 0;
    realm->pings_missed = 0;
}

void link_gone(turn_t *turn, realm_t *realm) {
    ASSERT(realm->record.leaving && stream_queued(turn->state, realm) == 0);
    realm->record.leaving = false;
    realm->record.linked = false;
    realm->record.gone = true;
    history_segments_end(turn, realm);
    realm->stream.peer = (stream_mark_t){0};
    realm->stream.bytes = 0;
    realm->segment_open = false;
    realm->knows_peer = false;
    realm->taken = 0;
    realm->error = NULL;
    realm_touch(turn->state, realm);
    effects_record(turn->effects, RECORD_REALM)->realm = realm->record;
    effects_log(turn->effects, "realm-removed", &realm->record.name);
}

void link_start(turn_t *turn) {
    state_t *state = turn->state;
    for (size_t i = 0; i < state->realm_count; i++) {
        realm_t *realm = &state->realms[i];
        if (realm->record.gone)
            continue;
        if (!realm->record.leaving)
            allow(turn->effects, realm->record.key);
        stream_sweep_start(turn, realm);
        if (!realm->record.leaving)
            link_dial(turn, realm);
    }
    note_all(state);
}

static realm_t *realm_of_dial(const state_t *state, uint64_t dial) {
    const uint32_t *id = map_get(state->dials, &dial);
    return id == NULL ? NULL : realm_find(state, *id);
}

void link_dialled(turn_t *turn, uint64_t dial) {
    realm_t *realm = realm_of_dial(turn->state, dial);
    if (realm == NULL) {
        candidate_dialled(turn, dial);
        return;
    }
    if (realm->phase != LINK_DIALLING)
        return;
    peer_standing_t standing;
    realm->phase = LINK_GREETING;
    realm->greeted_us = turn->now_us;
    stream_standing_all(turn, realm, &standing);
    link_greet(turn, dial, &realm->record.name, &realm->record.address, &standing);
}

void link_dial_lost(turn_t *turn, uint64_t dial, dial_error_t error) {
    realm_t *realm = realm_of_dial(turn->state, dial);
    if (realm == NULL)
        candidate_failed(turn, dial, link_dial_reason(error), false);
    else if (realm->dial == dial && realm->phase != LINK_IDLE)
        link_down(turn, realm, link_dial_reason(error), false);
}

static void send_ping(turn_t *turn, realm_t *realm) {
    peer_channel_t channel = {.dialled = true, .number = realm->dial};
    peer_message_t *message = &effects_send(turn->effects, &channel)->message;
    realm->ping = model_job(turn->state);
    message->kind = PEER_PING;
    message->correlation = realm->ping;
    message->ping.stamp = (uint64_t)turn->now_us;
    message->ping.done = realm->stream.done;
    stream_standing(turn, realm, &message->ping.standing);
}

static void heartbeat(turn_t *turn, realm_t *realm) {
    if (realm->ping != 0)
        realm->pings_missed += 1;
    if (realm->pings_missed >= HEARTBEATS_MISSED_MAX) {
        link_down(turn, realm, "timed out", true);
        return;
    }
    realm->pull = 0; /* Not answered until now: lost. The answer to this says if there is more. */
    send_ping(turn, realm);
    realm->due_us = turn->now_us + HEARTBEAT_MS * 1000LL;
}

static void tick_one(turn_t *turn, realm_t *realm) {
    if (realm->record.gone || realm->record.leaving || !realm->record.linked)
        return;
    stream_tick(turn, realm);
    if (turn->now_us >= realm->expire_us) {
        realm->expire_us = turn->now_us + OUTBOX_SWEEP_MS * 1000LL;
        if (realm->phase != LINK_UP)
            stream_sweep_expired(turn, realm);
    }
    if (turn->now_us < realm->due_us)
        return;
    if (realm->phase == LINK_UP)
        heartbeat(turn, realm);
    else if (realm->phase == LINK_IDLE)
        link_dial(turn, realm);
    else
        link_down(turn, realm, link_dial_reason(DIAL_TIMEOUT), true);
}

void link_tick(turn_t *turn) {
    state_t *state = turn->state;
    if (turn->now_us < state->links_due_us)
        return;
    for (size_t i = 0; i < state->realm_count; i++)
        tick_one(turn, &state->realms[i]);
    note_all(state);
}
