/*
 * The realm as a deterministic state machine: events in, effects out. No clock, no random, no I/O,
 * no thread: the same events give the same effects. What looks random (tokens, nonces, epochs,
 * jitter) is drawn from a keyed generator seeded by state_options_t.secret.
 *
 * One thread owns a state_t. Running out of memory aborts the process.
 */
#ifndef REALMGATE_CORE_STATE_H
#define REALMGATE_CORE_STATE_H

#include "core/effects.h"
#include "types/effect.h"
#include "types/event.h"
#include "types/record.h"
#include "types/settings.h"

#include <stdbool.h>

typedef struct state state_t;

typedef struct state_options {
    name_t realm;              /* this realm's name */
    uint8_t key[KEY_BYTES];    /* this realm's public CURVE key */
    address_t advertise;       /* where peers are told to dial us */
    bool registration_open;    /* REGISTER allowed */
    bool accept_any;           /* trust on first use */
    realm_limits_t limits;     /* REALM_LIMITS_DEFAULT where nothing is set */
    uint8_t secret[KEY_BYTES]; /* fresh random for this process */
    const char *version;       /* static */
} state_options_t;

/* An empty realm. The caller destroys it. */
state_t *state_new(const state_options_t *options);
void state_destroy(state_t **state);

/* Replays one record of the store, before EVENT_START: all rows first, then heads, the checkpoint,
 * and the messages after the checkpoint in order of position (of a message only the fields up to
 * `jump` are looked at). Returns false if the record contradicts what is there: a corrupt store. */
bool state_load(state_t *state, const record_t *record);

/* After the last state_load: whether what was loaded fits together. False: a corrupt store. */
bool state_loaded(const state_t *state);

/* Pins a realm's key, at the start or in any turn (configuration). Returns CODE_OK, CODE_REALM_KEY
 * if the name has another key or the key another name, CODE_BAD_NAME for our own name. Appends the
 * record to effects. */
code_t state_trust(state_t *state, const name_t *name, const uint8_t key[KEY_BYTES],
                   effects_t *effects);

/* Handles one event. Appends to effects; does not block, never fails. After EVENT_START the sweeps
 * that it asks for, and those that come of them, are answered before the first EVENT_REQUEST: they
 * give what a crash interrupted its local consequences, which come before those of new requests. */
void state_step(state_t *state, const event_t *event, effects_t *effects);

/* A hint that this event will be stepped soon: what it is about is looked up and begins to come
 * into the processor's caches. Nothing that anybody sees depends on it. It pays for several events
 * at once, just before they are stepped: their fetches then go on side by side. */
void state_expect(state_t *state, const event_t *event);

/* Ends a batch of steps: appends what the batch owes the store once (stream rows of the links it
 * touched, a slice of the checkpoint). Call once before each commit. `heads_max` bounds the slice;
 * SIZE_MAX at a clean stop makes the checkpoint complete. */
void state_batch_end(state_t *state, int64_t uptime_us, size_t heads_max, effects_t *effects);

/* Uptime in microseconds at which the next EVENT_TICK is due, INT64_MAX if none is. */
int64_t state_next_tick_us(const state_t *state);

#endif
