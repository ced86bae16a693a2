/*
 * A realm in the hands of the fuzzer: one state machine, a store on paper, and what the shell would
 * still owe it (password jobs, reads, dials), all of it given when and as the input says. Every
 * effect is checked where it comes out.
 *
 * Unlike the desk of the unit tests it hands in events in any order that the contracts allow, and
 * frees what an event pointed to as soon as state_step has returned.
 */
#ifndef REALMGATE_TESTS_WORLD_H
#define REALMGATE_TESTS_WORLD_H

#include "base/buffer.h"
#include "base/map.h"
#include "core/state.h"
#include "input.h"
#include "store/store.h"

enum {
    WORLD_CONNECTIONS = 5, /* the last one is an administrator's */
    WORLD_PEERS = 4,
    WORLD_ROUTES = 6, /* one for each peer, one of a stranger, one of our own key */
    WORLD_FRAMES = 16,
    WORLD_TOKENS = 4,
    PUPPET_REFUSALS = 8,
};

typedef struct connection {
    uint64_t id;
    uint32_t slot_next;
    bool admin;
} connection_t;

/* Another realm, as far as it needs to remember to behave well. */
typedef struct puppet {
    name_t name;
    uint8_t key[KEY_BYTES];
    char key_text[KEY_TEXT_BYTES + 1];
    stream_mark_t mark; /* what it has taken of our stream */
    stream_mark_t told; /* what we said that we took of its stream */
    uint64_t epoch;     /* of its stream */
    uint16_t refusal_count;
    peer_rejection_t refusals[PUPPET_REFUSALS]; /* what it refused, ascending */
} puppet_t;

typedef enum dial_phase { DIAL_RINGS, DIAL_TALKS, DIAL_DEAD } dial_phase_t;

typedef struct dial {
    uint64_t id;
    uint8_t key[KEY_BYTES];
    dial_phase_t phase;
} dial_t;

/* Where a record of a stream that the realm sends stands. */
typedef struct sent_key {
    uint8_t peer[KEY_BYTES];
    uint64_t epoch, seq;
} sent_key_t;

/* A frame that the realm sent. */
typedef struct frame {
    peer_channel_t channel;
    buffer_t bytes;
} frame_t;

/* A password job, a lookup, a sweep or a trim that waits for its answer. */
typedef struct errand {
    event_t event;
    page_query_t query;
    trim_t trim;
    uint64_t position;
} errand_t;

typedef struct world {
    input_t input;
    state_options_t options;
    store_t *store, *backup; /* backup: NULL or a copy of an earlier store */
    state_t *state;
    effects_t effects;
    unsigned lives, steps;
    unsigned turn_steps; /* steps of the turn that ends next */
    int64_t clock_us, born_us, skew_ms;
    bool tracing;    /* FUZZ_TRACE is set: tell on standard error what happens */
    bool may_refuse; /* the store was tampered with: an error of it ends the realm, as it should */
    bool stopped;    /* it has ended: nothing happens any more */
    bool batching;   /* several events a turn */
    bool holding;    /* lookups and sweeps wait until the input answers them */

    connection_t connections[WORLD_CONNECTIONS];
    uint64_t next_connection;
    map_t *sent; /* sent_key_t -> digest of what it was; outlives crashes and restored backups */
    map_t *owed; /* ticket_t -> 1: requests of open connections without a reply */
    puppet_t puppets[WORLD_PEERS];
    uint8_t strange_key[KEY_BYTES];
    dial_t *dials;
    errand_t *errands;
    size_t dial_count, dial_room, errand_count, errand_room;
    frame_t frames[WORLD_FRAMES]; /* a ring */
    size_t frame_count;           /* ever */
    char tokens[WORLD_TOKENS][KEY_TEXT_BYTES + 1];
    size_t token_count; /* ever */
    uint64_t newest_number;
} world_t;

/* A realm on this store, which becomes the world's. The input begins with a byte of options. With
 * may_refuse the store may fail, even at once: the realm is `stopped` then. The caller destroys
 * it. */
world_t *world_new(span_t input, store_t *store, bool may_refuse);
void world_destroy(world_t **world);

/* What an operator might set. */
realm_limits_t world_limits(uint8_t choice);

/* Whether the store did what it was asked. If not the realm is stopped. */
bool world_stored(world_t *world, store_error_t error);

/* Hands in an event (its times are set here) and, unless it is batching, ends the turn. */
void world_step(world_t *world, event_t *event);
void world_turn_end(world_t *world);

/* A clean stop, with its complete checkpoint. The world may only be destroyed, or crash, then. */
void world_stop(world_t *world);

void world_say(world_t *world, connection_t *connection, span_t line);
void world_hang_up(world_t *world, connection_t *connection);
void world_hear(world_t *world, const peer_channel_t *channel, span_t frame);
void world_tick(world_t *world, int64_t wait_us);
void world_errand_run(world_t *world, size_t index, bool good);

/* The process ends without a word (what was not committed is lost) and begins anew. */
void world_crash(world_t *world);
/* Does nothing where the store may refuse: that one is not on paper. */
void world_keep_backup(world_t *world);
void world_restore(world_t *world);

/* Gives every answer that is still owed, lets time pass, and asserts that no request was forgotten
 * and that what was committed is a realm like this one. */
void world_close(world_t *world);

/* Tells what happens, where it is wanted. */
void world_trace(const world_t *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* NULL if the key is none of a puppet. */
puppet_t *world_puppet_keyed(world_t *world, const uint8_t key[KEY_BYTES]);
dial_t *world_dial(world_t *world, uint64_t id); /* NULL if there never was one */
void world_group_key(uint8_t key[KEY_BYTES], span_t name, span_t password);

#endif
