/*
 * The growing lists of effects of a batch of steps, with the memory their spans point into.
 * One thread owns an effects_t. Handlers append through the functions below; the shell reads the
 * lists. Growth aborts the process if memory runs out: nothing has been committed then.
 */
#ifndef REALMGATE_CORE_EFFECTS_H
#define REALMGATE_CORE_EFFECTS_H

#include "base/arena.h"
#include "types/effect.h"

struct effects {
    arena_t arena;
    record_t *records;
    reply_t *replies;
    peer_send_t *sends;
    dial_effect_t *dials;
    password_job_t *passwords;
    lookup_t *lookups;
    sweep_t *sweeps;
    trim_t trim; /* at most one a turn; limit 0 = none */
    news_t *news;
    log_line_t *logs;
    size_t record_count, reply_count, send_count, dial_count, password_count, lookup_count,
        sweep_count, news_count, log_count;
    size_t record_room, reply_room, send_room, dial_room, password_room, lookup_room, sweep_room,
        news_room, log_room;
};

/* In place. Never fails (aborts without memory). */
void effects_init(effects_t *effects);
void effects_deinit(effects_t *effects);

/* Empties the lists and frees what the arena holds beyond its first block. */
void effects_reset(effects_t *effects);

/* Each appends an element and returns it, valid until the next append to the same list. It is
 * zeroed; of a record's and a reply's union at least what its kind has. */
record_t *effects_record(effects_t *effects, record_kind_t kind);
reply_t *effects_reply(effects_t *effects, ticket_t ticket, reply_kind_t kind);
peer_send_t *effects_send(effects_t *effects, const peer_channel_t *channel);
dial_effect_t *effects_dial(effects_t *effects, dial_action_t action);
password_job_t *effects_password(effects_t *effects, password_job_kind_t kind);
lookup_t *effects_lookup(effects_t *effects);
sweep_t *effects_sweep(effects_t *effects);
news_t *effects_news(effects_t *effects); /* with replies_before set */
log_line_t *effects_log(effects_t *effects, const char *event, const name_t *name);

/* What is answered instead when the turn's commit fails: STORE, as nothing of the turn happened;
 * but "queued" to who waits for a verdict on a record that an earlier turn committed: it will go.
 */
reply_t reply_refused(const reply_t *reply);

/* Copies bytes into the arena; valid until effects_reset. */
span_t effects_copy(effects_t *effects, span_t bytes);

#endif
