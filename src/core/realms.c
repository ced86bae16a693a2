/*
 * The requests about links themselves: ADDREALM, CHECKREALM, TRUSTREALM, DELREALM, LISTREALM.
 */
#include "answer.h"
#include "base/assert.h"
#include "base/crypto.h"
#include "base/text.h"
#include "candidate.h"
#include "link.h"
#include "mailbox.h"
#include "remote.h"
#include "stream.h"

#include <string.h>

static bool argument_address(call_t *call, unsigned index, address_t *address) {
    span_t host = call->arguments[index];
    uint64_t port;
    if (host.length >= 2 && host.bytes[0] == '[' && host.bytes[host.length - 1] == ']')
        host = (span_t){.bytes = host.bytes + 1, .length = host.length - 2};
    bool good = host.length > 0 && host.length <= ADDRESS_BYTES_MAX &&
                text_number(call->arguments[index + 1], UINT16_MAX, &port) && port > 0;
    for (size_t i = 0; good && i < host.length; i++)
        good =
            host.bytes[i] > ' ' && host.bytes[i] < 0x7f && strchr("/;,*[]", host.bytes[i]) == NULL;
    if (!good) {
        answer_usage(call);
        return false;
    }
    memset(address, 0, sizeof(*address));
    address->length = (uint8_t)host.length;
    memcpy(address->text, host.bytes, host.length);
    address->port = (uint16_t)port;
    return true;
}

static bool argument_key(call_t *call, unsigned index, uint8_t key[KEY_BYTES]) {
    span_t text = call->arguments[index];
    if (crypto_key_parse(key, text.bytes, text.length))
        return true;
    answer_usage(call);
    return false;
}

/* The key to demand of the realm: the pinned one, or the fourth argument if none is pinned. Answers
 * REALM_KEY and returns false if there is none, or they differ. */
static bool expected_key(call_t *call, const name_t *name, uint8_t key[KEY_BYTES]) {
    const state_t *state = call->turn->state;
    const realm_t *realm = realm_named(state, name);
    bool given = call->argument_count == 4;
    bool good = realm != NULL || given;
    if (good && realm != NULL && given)
        good = crypto_equal(realm->record.key, key, KEY_BYTES);
    const realm_t *other = given ? realm_keyed(state, key) : NULL;
    if (good && other != NULL && other != realm)
        good = false; /* that key is pinned to another name */
    if (!good) {
        answer_error(call->turn, call->ticket, CODE_REALM_KEY);
        return false;
    }
    if (realm != NULL)
        memcpy(key, realm->record.key, KEY_BYTES);
    return true;
}

void link_add_realm(call_t *call) {
    candidate_t candidate = {.ticket = call->ticket};
    if (!argument_name(call, 0, &candidate.name) || !argument_address(call, 1, &candidate.address))
        return;
    if (call->argument_count == 4 && !argument_key(call, 3, candidate.key))
        return;
    if (name_equal(&candidate.name, &call->turn->state->options.realm))
        answer_error(call->turn, call->ticket, CODE_BAD_NAME);
    else if (expected_key(call, &candidate.name, candidate.key))
        candidate_begin(call->turn, &candidate);
}

void link_trust_realm(call_t *call) {
    name_t name;
    uint8_t key[KEY_BYTES];
    if (!argument_name(call, 0, &name) || !argument_key(call, 1, key))
        return;
    code_t code = link_pin(call->turn->state, call->turn->effects, &name, key);
    if (code == CODE_OK)
        answer_text(call->turn, call->ticket, "Trust realm berhasil");
    else
        answer_error(call->turn, call->ticket, code);
}

static void cut(turn_t *turn, realm_t *realm) {
    if (realm->phase != LINK_IDLE)
        link_down(turn, realm, link_refusal_reason(REFUSAL_UNLINKED), true);
    memcpy(effects_dial(turn->effects, DIAL_DENY)->key, realm->record.key, KEY_BYTES);
}

void link_remove_realm(call_t *call) {
    turn_t *turn = call->turn;
    name_t name;
    if (!argument_name(call, 0, &name))
        return;
    realm_t *realm = realm_named(turn->state, &name);
    if (realm == NULL) {
        answer_error(turn, call->ticket, CODE_NO_REALM);
        return;
    }
    cut(turn, realm);
    realm_record_t record = realm->record;
    record.leaving = true;
    bool put = model_put_realm(turn->state, &record);
    ASSERT(put);
    effects_record(turn->effects, RECORD_REALM)->realm = record;
    stream_sweep_leave(turn, realm);
    answer_text(turn, call->ticket, "Delete realm berhasil");
}

static void fill_row(const state_t *state, const realm_t *realm, realm_status_t *row) {
    row->name = realm->record.name;
    row->address = realm->record.address;
    row->linked = realm->record.linked;
    row->up = realm->phase == LINK_UP;
    row->rtt_us = row->up ? realm->rtt_us : -1;
    row->queued = stream_queued(state, realm);
    row->error = row->up ? NULL : realm->error;
    if (!row->up && row->error == NULL && row->linked)
        row->error = "connecting";
    memcpy(row->key, realm->record.key, KEY_BYTES);
    if (row->queued > 0) {
        uint32_t oldest = realm->stream.done + 1;
        row->oldest = mailbox_run(state, mailbox_address(MAILBOX_OUTBOX, 0, realm->record.id),
                                  oldest, oldest);
    }
}

static void answer_realms(call_t *call, bool pinned_too) {
    turn_t *turn = call->turn;
    const state_t *state = turn->state;
    realm_status_t *rows = arena_alloc(&turn->effects->arena, state->realm_count * sizeof(*rows));
    uint32_t count = 0;
    for (size_t i = 0; i < state->realm_count; i++) {
        const realm_t *realm = &state->realms[i];
        if (realm->record.gone || realm->record.leaving)
            continue;
        if (realm->record.linked || pinned_too)
            fill_row(state, realm, &rows[count++]);
    }
    reply_t *reply = effects_reply(turn->effects, call->ticket, REPLY_REALMS);
    reply->realms.count = count;
    reply->realms.rows = rows;
    reply->realms.with_keys = pinned_too;
}

void link_check_realms(call_t *call) {
    answer_realms(call, false);
}

void link_list_realms(call_t *call) {
    answer_realms(call, true);
}
