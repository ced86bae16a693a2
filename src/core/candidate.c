/*
 * The handshake of ADDREALM, from the dial to the answer.
 */
#include "candidate.h"

#include "answer.h"
#include "base/assert.h"
#include "link.h"
#include "session.h"
#include "stream.h"

#include <string.h>

static candidate_t *find(const state_t *state, uint64_t dial) {
    return map_get(state->candidates, &dial);
}

void candidate_begin(turn_t *turn, const candidate_t *candidate) {
    state_t *state = turn->state;
    uint64_t number = ++state->next_dial;
    candidate_t *entry = map_put(state->candidates, &number);
    *entry = *candidate;
    entry->deadline_us = turn->now_us + HANDSHAKE_MS * 1000LL;
    /* The peer dials back before it answers: it must get in. */
    memcpy(effects_dial(turn->effects, DIAL_ALLOW)->key, candidate->key, KEY_BYTES);
    dial_effect_t *dial = effects_dial(turn->effects, DIAL_OPEN);
    dial->dial = number;
    dial->address = candidate->address;
    memcpy(dial->key, candidate->key, KEY_BYTES);
    session_block(turn, candidate->ticket.connection);
}

/* Whether a key is being tried by an ADDREALM right now. */
static bool holds_key(const state_t *state, const uint8_t key[KEY_BYTES]) {
    size_t cursor = 0;
    void *value;
    while (map_next(state->candidates, &cursor, NULL, &value)) {
        if (memcmp(((const candidate_t *)value)->key, key, KEY_BYTES) == 0)
            return true;
    }
    return false;
}

void candidate_dialled(turn_t *turn, uint64_t dial) {
    candidate_t *candidate = find(turn->state, dial);
    if (candidate == NULL)
        return;
    candidate->greeted_us = turn->now_us;
    peer_standing_t standing = {0};
    const realm_t *realm = realm_named(turn->state, &candidate->name);
    if (realm != NULL)
        stream_standing_all(turn, realm, &standing);
    link_greet(turn, dial, &candidate->name, &candidate->address, &standing);
}

/* A key that neither a realm nor another ADDREALM stands for is let in no more. */
static void forget_key(turn_t *turn, const uint8_t key[KEY_BYTES]) {
    if (realm_keyed(turn->state, key) == NULL && !holds_key(turn->state, key))
        memcpy(effects_dial(turn->effects, DIAL_DENY)->key, key, KEY_BYTES);
}

void candidate_failed(turn_t *turn, uint64_t dial, const char *reason, bool is_open) {
    state_t *state = turn->state;
    const candidate_t *found = find(state, dial);
    if (found == NULL)
        return;
    candidate_t candidate = *found;
    (void)map_remove(state->candidates, &dial);
    if (is_open)
        effects_dial(turn->effects, DIAL_CLOSE)->dial = dial;
    forget_key(turn, candidate.key);
    answer_reason(turn, candidate.ticket, CODE_REALM_UNREACHABLE, reason);
    session_unblock(turn, candidate.ticket.connection);
}

static void succeed(turn_t *turn, uint64_t dial, const peer_message_t *message) {
    state_t *state = turn->state;
    candidate_t candidate = *find(state, dial);
    code_t code = link_pin(state, turn->effects, &candidate.name, candidate.key);
    if (code != CODE_OK) { /* Pinned otherwise while the handshake ran. */
        (void)map_remove(state->candidates, &dial);
        effects_dial(turn->effects, DIAL_CLOSE)->dial = dial;
        forget_key(turn, candidate.key);
        answer_error(turn, candidate.ticket, code);
    } else {
        (void)map_remove(state->candidates, &dial);
        realm_t *realm = realm_named(state, &candidate.name);
        ASSERT(realm != NULL);
        link_store(turn, realm, &candidate.address);
        link_up(turn, realm, dial, candidate.greeted_us, &message->welcome.standing);
        answer_text(turn, candidate.ticket, "Connect realm berhasil");
    }
    session_unblock(turn, candidate.ticket.connection);
}

void candidate_welcome(turn_t *turn, uint64_t dial, const peer_message_t *message) {
    if (find(turn->state, dial) == NULL)
        return;
    if (message->welcome.refusal == REFUSAL_NONE)
        succeed(turn, dial, message);
    else
        candidate_failed(turn, dial, link_refusal_reason(message->welcome.refusal), true);
}

void candidate_tick(turn_t *turn) {
    size_t cursor = 0;
    const void *key;
    void *value;
    while (map_next(turn->state->candidates, &cursor, &key, &value)) {
        uint64_t dial;
        memcpy(&dial, key, sizeof(dial));
        if (((const candidate_t *)value)->deadline_us <= turn->now_us)
            candidate_failed(turn, dial, link_dial_reason(DIAL_TIMEOUT), true);
    }
}

int64_t candidate_due_us(const state_t *state) {
    size_t cursor = 0;
    void *value;
    /* In order of insertion, and all wait equally long: the first is the earliest. */
    if (!map_next(state->candidates, &cursor, NULL, &value))
        return INT64_MAX;
    return ((const candidate_t *)value)->deadline_us;
}
