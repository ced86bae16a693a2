/*
 * The actor's side of the federation: frames become events, messages and dials become entries. Must
 * never believe a frame: what cannot be decoded is an event as well.
 */
#include "app/actor.h"

#include "app/run_packer.h"
#include "base/assert.h"
#include "base/map.h"
#include "net/federation.h"
#include "wire/peer_codec.h"

#include <string.h>

static void take_frame(actor_t *actor, const batch_entry_t *entry) {
    const char *payload = batch_payload(entry);
    ASSERT(entry->payload_bytes >= KEY_BYTES);
    peer_message_t message;
    event_t event = {.kind = EVENT_PEER};
    event.peer.channel.dialled = entry->detail != 0;
    event.peer.channel.number = entry->subject;
    memcpy(event.peer.channel.key, payload, KEY_BYTES);
    span_t frame = {payload + KEY_BYTES, entry->payload_bytes - KEY_BYTES};
    event.peer.refusal = peer_decode(&message, &actor->arena, frame);
    if (event.peer.refusal == REFUSAL_NONE) {
        event.peer.message = &message;
    } else {
        event.kind = EVENT_PEER_GARBAGE;
    }
    engine_step(actor->engine, &event);
    arena_reset(&actor->arena);
}

static void take_dial(actor_t *actor, const batch_entry_t *entry) {
    event_t event = {.kind = entry->kind == FED_DIALLED ? EVENT_DIALLED : EVENT_DIAL_LOST};
    event.dial.dial = entry->subject;
    event.dial.error = entry->kind == FED_DIALLED ? 0 : (dial_error_t)entry->detail;
    engine_step(actor->engine, &event);
}

static void take_entry(actor_t *actor, const batch_entry_t *entry) {
    if (entry->kind == FED_STOPPED) {
        actor->federation_stopped = true;
        return;
    }
    if (actor->engine == NULL || actor->phase == ACTOR_FAILED || actor->phase == ACTOR_ENDED) {
        return; /* not acknowledged, so the peer will send it again */
    }
    switch (entry->kind) {
    case FED_FRAME:
        take_frame(actor, entry);
        break;
    case FED_DIALLED:
    case FED_DIAL_LOST:
        take_dial(actor, entry);
        break;
    default:
        ASSERT(!"the federation sends no such entry");
        break;
    }
}

size_t actor_take_frames(actor_t *actor) {
    return actor_batch_receive(actor, &actor->from_federation, take_entry, NULL);
}

static void put_message(actor_t *actor, const peer_send_t *send) {
    buffer_reset(&actor->frame);
    peer_encode(&actor->frame, &send->message);
    void *payload = batch_append(&actor->sends, FED_SEND, send->channel.number,
                                 send->channel.dialled ? 1 : 0, actor->frame.length);
    memcpy(payload, actor->frame.bytes, actor->frame.length);
}

/* A channel as a key of a map, without the peer's key. */
typedef struct ack_channel {
    uint64_t number, dialled;
} ack_channel_t;

static bool is_ack(const peer_send_t *send) {
    return !send->is_run && send->message.kind == PEER_ACK;
}

static ack_channel_t ack_channel(const peer_send_t *send) {
    return (ack_channel_t){send->channel.number, send->channel.dialled ? 1 : 0};
}

/* The newest of a turn's acknowledgements on each channel, which says all that those before it say:
 * channel -> index among the sends. NULL if there is nothing to leave out. */
static map_t *newest_acks(const effects_t *effects) {
    const uint8_t seed[16] = {0}; /* the numbers of channels are our own */
    size_t acks = 0;
    for (size_t i = 0; i < effects->send_count; i++) {
        acks += is_ack(&effects->sends[i]) ? 1 : 0;
    }
    if (acks < 2) {
        return NULL;
    }
    map_t *newest = map_new_of_ids(sizeof(ack_channel_t), sizeof(size_t), seed);
    for (size_t i = 0; i < effects->send_count; i++) {
        ack_channel_t channel = ack_channel(&effects->sends[i]);
        if (is_ack(&effects->sends[i])) {
            *(size_t *)map_put(newest, &channel) = i;
        }
    }
    return newest;
}

static void put_run(actor_t *actor, const fresh_t *fresh, const peer_send_t *send) {
    store_error_t error = run_pack(actor->engine->store, fresh, send, &actor->sends);
    if (error != STORE_OK) {
        /* The stream asks for it again; nothing is lost as long as the disk comes back. */
        log_event(LEVEL_ERROR, "outbox-unreadable", "reason", store_error_text(error), NULL);
    }
}

void actor_put_sends(actor_t *actor) {
    const effects_t *effects = &actor->engine->effects;
    if (effects->send_count == 0) {
        return;
    }
    fresh_t fresh;
    fresh_init(&fresh, effects->records, effects->record_count);
    map_t *newest = newest_acks(effects);
    for (size_t i = 0; i < effects->send_count; i++) {
        const peer_send_t *send = &effects->sends[i];
        ack_channel_t channel = ack_channel(send);
        if (send->is_run) {
            put_run(actor, &fresh, send);
        } else if (!is_ack(send) || newest == NULL ||
                   *(const size_t *)map_get(newest, &channel) == i) {
            put_message(actor, send);
        }
    }
    map_destroy(&newest);
    fresh_deinit(&fresh);
}

static void put_key(actor_t *actor, uint32_t kind, const dial_effect_t *dial) {
    memcpy(batch_append(&actor->sends, kind, 0, 0, KEY_BYTES), dial->key, KEY_BYTES);
}

void actor_put_keys(actor_t *actor) {
    const effects_t *effects = &actor->engine->effects;
    for (size_t i = 0; i < effects->dial_count; i++) {
        const dial_effect_t *dial = &effects->dials[i];
        if (dial->action == DIAL_ALLOW) {
            put_key(actor, FED_ALLOW, dial);
        } else if (dial->action == DIAL_DENY) {
            put_key(actor, FED_DENY, dial);
        }
    }
}

static void put_open(actor_t *actor, const dial_effect_t *dial) {
    federation_dial_t *payload =
        batch_append(&actor->sends, FED_DIAL, dial->dial, 0, sizeof *payload);
    memset(payload, 0, sizeof *payload);
    memcpy(payload->key, dial->key, KEY_BYTES);
    payload->address = dial->address;
}

void actor_put_dials(actor_t *actor) {
    const effects_t *effects = &actor->engine->effects;
    for (size_t i = 0; i < effects->dial_count; i++) {
        const dial_effect_t *dial = &effects->dials[i];
        if (dial->action == DIAL_OPEN) {
            put_open(actor, dial);
        } else if (dial->action == DIAL_CLOSE) {
            (void)batch_append(&actor->sends, FED_HANG_UP, dial->dial, 0, 0);
        }
    }
}

void actor_send_sends(actor_t *actor) {
    actor_batch_send(actor->to_federation, &actor->sends);
}
