/*
 * A realm on the desk: one state machine with a store on paper, passwords that cost nothing and a
 * clock that the test moves. Lines go in, replies come out as the text that a client would read.
 *
 * By itself a desk speaks to nobody: what it sends to peers is kept for the test to look at, and
 * the test plays the peer (puppet.h). room.h joins desks by a network.
 *
 *     desk_t *desk = desk_new("a");
 *     desk_start(desk);
 *     desk_user(desk, 1, "alice");                       a user, and connection 1 speaks for it
 *     desk_expect(desk, 1, "SEND alice halo", "{*\"data\":\"Message sent\"*}");
 *     desk_crash(desk);
 *     desk_start(desk);                                  what was committed is there again
 *     desk_destroy(&desk);
 */
#ifndef REALMGATE_TESTS_DESK_H
#define REALMGATE_TESTS_DESK_H

#include "base/batch.h"
#include "base/buffer.h"
#include "base/map.h"
#include "core/state.h"
#include "store/store.h"

/* The UTC of uptime 0 on the clock: 2026-11-22T10:00:00.000Z. */
#define DESK_EPOCH_MS 1795341600000LL

/* Lines from here on come through the admin socket. */
#define DESK_ADMIN 1000000U

typedef enum desk_crash {
    DESK_CRASH_NEVER,
    DESK_CRASH_BEFORE_COMMIT, /* the records of the turn are lost, and so is all that follows */
    DESK_CRASH_AFTER_COMMIT,  /* they are kept, but nobody was told */
} desk_crash_t;

typedef struct desk_frame {
    peer_channel_t channel;
    span_t bytes; /* valid until desk_forget_frames or the end */
} desk_frame_t;

/* A password job or a lookup or a sweep or a trim that waits for its answer. */
typedef struct desk_errand {
    event_t event;
    page_query_t query;
    trim_t trim;
    uint64_t position;
} desk_errand_t;

/* What a listening connection was told. */
typedef struct desk_event {
    uint64_t connection;
    const char *text;
    size_t replies_before; /* how many replies had been given out to anybody */
} desk_event_t;

typedef struct desk desk_t;

/* Where frames and dials of a desk go when it is not alone. */
typedef struct desk_outside {
    void *context;
    void (*send)(void *context, desk_t *desk, const peer_channel_t *channel, span_t frame);
    void (*dial)(void *context, desk_t *desk, const dial_effect_t *dial);
} desk_outside_t;

struct desk {
    state_options_t options; /* may be changed while the realm does not run */
    store_t *store;
    state_t *state;       /* NULL while the realm does not run */
    unsigned lives;       /* how often it was started */
    const int64_t *clock; /* virtual microseconds, own_clock or a room's */
    int64_t own_clock;
    int64_t born_us; /* when this life began */
    int64_t skew_ms; /* how wrong its idea of UTC is */
    size_t heads_max;

    uint64_t source;     /* the address that requests come from, 0 = none that is counted */
    bool hold_passwords; /* password jobs wait for desk_errands_run */
    bool hold_errands;   /* lookups and sweeps too */
    bool batching;       /* turns are not ended by each event, but by desk_turn_end */
    desk_crash_t crash;  /* what happens in the turn that `crash_turns` counts down to */
    unsigned crash_turns;

    desk_outside_t outside;
    desk_frame_t *frames; /* without an outside: what was sent, oldest first */
    dial_effect_t *dials; /* and dialled, allowed, denied */
    size_t frame_count, frame_room, frame_next, dial_count, dial_room;
    log_line_t *logs;
    size_t log_count, log_room;

    effects_t effects;
    arena_t arena;        /* frames, replies */
    desk_event_t *events; /* oldest first; desk_event takes them */
    size_t event_count, event_room;
    desk_errand_t *errands; /* in the order in which they were asked for */
    size_t errand_count, errand_room;
    map_t *slots;   /* connection -> newest slot */
    map_t *replies; /* ticket -> const char * */
    batch_t packed;
    size_t reply_count;
    bool closing; /* the newest reply closes its connection */
};

desk_t *desk_new(const char *realm);
void desk_destroy(desk_t **desk);

/* Begins a life: loads what is in the store. */
void desk_start(desk_t *desk);
/* A clean stop, with a complete checkpoint. */
void desk_stop(desk_t *desk);
/* The process dies: only the store is left. Connections and requests of the life are gone. */
void desk_crash(desk_t *desk);
void desk_restart(desk_t *desk); /* desk_crash and desk_start */
/* The realm goes back in time: it runs on a copy of `backup` from now on. */
void desk_restore(desk_t *desk, const store_t *backup);
bool desk_runs(const desk_t *desk);

/* Hands in a line; returns the slot of its reply. Connections need no opening. */
uint32_t desk_say(desk_t *desk, uint64_t connection, const char *line);
uint32_t desk_say_bytes(desk_t *desk, uint64_t connection, span_t line);
/* The reply to a slot, without the CR LF CR LF; NULL while there is none. */
const char *desk_reply(const desk_t *desk, uint64_t connection, uint32_t slot);
/* Says a line and returns the reply, "" if it has to wait. */
const char *desk_ask(desk_t *desk, uint64_t connection, const char *line);
/* Fails the test unless the reply matches the pattern, where * stands for anything. */
void desk_expect(desk_t *desk, uint64_t connection, const char *line, const char *pattern);
void desk_expect_reply(const desk_t *desk, uint64_t connection, uint32_t slot, const char *pattern);
bool text_matches(const char *text, const char *pattern);
void desk_close(desk_t *desk, uint64_t connection);

/* The oldest event that a connection was told and that was not taken yet, without the CR LF CR LF;
 * "" if there is none. replies_before (may be NULL): how many replies the desk had given out. */
const char *desk_event(desk_t *desk, uint64_t connection, size_t *replies_before);

/* Adds a user (password "rahasia") where there is none, and binds the connection to it. */
void desk_user(desk_t *desk, uint64_t connection, const char *name);
/* Lets the connection's user make a group, or join it where it is there (password "kunci"). */
void desk_group(desk_t *desk, uint64_t connection, const char *name);

/* Any event; sets its times. Ends the turn unless the desk is batching. */
void desk_step(desk_t *desk, event_t *event);
void desk_turn_end(desk_t *desk);
/* Ends the batching: one commit for all that was stepped, then what comes of it. */
void desk_batch_end(desk_t *desk);
/* Answers all that waits, and what comes of that, in order. */
void desk_errands_run(desk_t *desk);

/* A peer's message, through the codec and back. */
void desk_hear(desk_t *desk, const peer_channel_t *channel, const peer_message_t *message);
void desk_hear_bytes(desk_t *desk, const peer_channel_t *channel, span_t frame);
void desk_dialled(desk_t *desk, uint64_t dial);
void desk_dial_lost(desk_t *desk, uint64_t dial, dial_error_t error);

/* Its own clock moves on; ticks fall when they are due. */
void desk_wait_ms(desk_t *desk, int64_t ms);
int64_t desk_uptime_us(const desk_t *desk);
/* When the next tick is due on the clock, INT64_MAX if none is. */
int64_t desk_due_us(const desk_t *desk);
void desk_tick(desk_t *desk);

/* The next frame that the desk sent, decoded. False if there are no more. */
bool desk_take_frame(desk_t *desk, peer_message_t *message, peer_channel_t *channel);
void desk_forget_frames(desk_t *desk);
/* The newest dial effect of an action, NULL if there was none. */
const dial_effect_t *desk_dial_of(const desk_t *desk, dial_action_t action);
/* The newest log line of an event, NULL if there was none. */
const log_line_t *desk_log_of(const desk_t *desk, const char *event);

/* A mailbox by what it is for; ids count from 1 in the order of making. */
mailbox_t mailbox_of(mailbox_kind_t kind, uint32_t owner, uint32_t realm);
/* Fails the test unless a mailbox holds exactly these texts in this order. They are separated by
 * spaces; "m1..9" stands for m1 m2 and so on up to m9. */
void desk_expect_texts(const desk_t *desk, mailbox_t mailbox, const char *texts);

name_t name_of(const char *text);
/* The public key of the realm of that name, in every test. */
void key_of(uint8_t key[KEY_BYTES], const char *realm);
const char *key_text_of(desk_t *desk, const char *realm);
/* printf into the desk's memory. */
const char *desk_text(desk_t *desk, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
