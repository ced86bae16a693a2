/*
 * A realm without its sockets: the state, its store and the turns that keep the two in step. The
 * actor of `serve` drives one from batches, an offline command drives one for a single request.
 *
 * A turn: engine_clock; engine_follow; engine_step for each event; engine_tick; engine_commit; then
 * the caller does what engine->effects ask for; engine_turn_end.
 *
 * One thread owns an engine. Its functions may block on the disk, on nothing else.
 */
#ifndef REALMGATE_APP_ENGINE_H
#define REALMGATE_APP_ENGINE_H

#include "app/exit_code.h"
#include "app/options.h"
#include "app/problem.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "core/state.h"
#include "store/store.h"

typedef struct engine {
    name_t realm;
    store_t *store;
    state_t *state;
    effects_t effects;
    int64_t start_us;    /* CLOCK_MONOTONIC at the start */
    int64_t time_ms;     /* of this turn, UTC */
    int64_t uptime_us;   /* of this turn, since the start */
    int64_t fold_due_us; /* uptime at which engine_fold is due, INT64_MAX = not at all */
    lookup_t *lookups;   /* what the last turn asked to read */
    sweep_t *sweeps;
    trim_t trim;         /* limit 0 = nothing was asked */
    uint64_t *busy_jobs; /* password jobs that found no room in the last turn */
    size_t lookup_count, sweep_count, busy_count, lookup_room, sweep_room, busy_room;
    front_counters_t front; /* what the front end told of itself last */
    arena_t arena;          /* messages read for a sweep or a lookup */
} engine_t;

/* Opens the store in `directory` for options->realm and replays it into a new state.
 * options->secret is filled in here. EXIT_USAGE if the store belongs to another realm, EXIT_RUNTIME
 * for all else. On failure there is nothing to close. */
exit_code_t engine_open(engine_t *engine, const char *directory, state_options_t *options,
                        problem_t *problem);
void engine_close(engine_t *engine);

/* Pins keys of the configuration and commits them; before EVENT_START. EXIT_USAGE on a conflict. */
exit_code_t engine_trust(engine_t *engine, const trust_t *trusts, size_t count, problem_t *problem);

/* Why state_trust refused a pin, for people. Static. */
const char *engine_trust_reason(code_t code);

/* Reads the clocks for this turn. */
void engine_clock(engine_t *engine);

/* Stamps the event with this turn's time and steps it. */
void engine_step(engine_t *engine, event_t *event);

/* Steps EVENT_TICK if one is due; returns whether it did. */
bool engine_tick(engine_t *engine);

/* Reads what the last turn asked for (lookups, sweeps) and steps the answers, and those of password
 * jobs that found no room. *stepped counts them. A store error means that the disk fails: stop. */
store_error_t engine_follow(engine_t *engine, size_t *stepped);
bool engine_follows(const engine_t *engine); /* is there anything for engine_follow to do? */

/* A password job found no room in the pool: it is answered in the next turn. */
void engine_busy(engine_t *engine, uint64_t job);

/* Commits the turn's records, with at most heads_max rows of the checkpoint. */
store_error_t engine_commit(engine_t *engine, size_t heads_max);

/* Tidies up behind the commits (store_fold_begin), between turns. A store error means: stop. */
store_error_t engine_fold(engine_t *engine);

/* Appends the frame of a reply, with what it needs from the store. Only after engine_commit. */
void engine_reply(engine_t *engine, const reply_t *reply, buffer_t *out);

/* Writes the turn's log lines. */
void engine_log(const engine_t *engine);

/* Remembers what is to be read in the next turn and empties the effects. */
void engine_turn_end(engine_t *engine);

#endif
