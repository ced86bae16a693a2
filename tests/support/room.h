/*
 * A room of desks: realms that reach each other over a network in memory, on one virtual clock.
 * Frames are the real bytes. Everything that happens follows from the seed and the calls.
 *
 *     room_t *room = room_new(1);
 *     desk_t *a = room_desk(room, "a"), *b = room_desk(room, "b");
 *     room_link(room, a, b);
 *     desk_user(a, 1, "alice");
 *     desk_user(b, 1, "bob");
 *     room_expect(room, a, 1, "SENDREALM b bob halo", "{*\"delivery\":\"delivered\"}");
 *
 * A dial succeeds if the desk that listens at the address runs, holds the key that is asked for and
 * lets the dialler's key in. What was sent arrives in order, unless the wire says otherwise.
 */
#ifndef REALMGATE_TESTS_ROOM_H
#define REALMGATE_TESTS_ROOM_H

#include "desk.h"

enum { ROOM_DESKS_MAX = 4 };

/* One direction between two desks. Dials count as traffic of their dialler's direction. */
typedef struct wire {
    bool no_listener;     /* dials are refused */
    bool no_answer;       /* dials get no answer at all */
    bool silent;          /* frames vanish, sessions stay */
    unsigned drop;        /* so many of 1000 frames vanish */
    unsigned twice;       /* so many of 1000 arrive twice */
    bool reorders;        /* each frame takes its own time */
    int64_t delay_us_min; /* how long frames take */
    int64_t delay_us_max;
} wire_t;

typedef struct room room_t;

room_t *room_new(uint64_t seed);
void room_destroy(room_t **room);

/* Adds a realm to the room, running. */
desk_t *room_desk(room_t *room, const char *realm);

/* Adds a realm that does not run yet: its options may be changed before desk_start. */
desk_t *room_desk_stopped(room_t *room, const char *realm);

wire_t *room_wire(room_t *room, const desk_t *from, const desk_t *to);

/* Trusts both ways, then ADDREALM from `a`; fails the test unless both are up in the end. */
void room_link(room_t *room, desk_t *a, desk_t *b);
void room_trust(desk_t *desk, const char *realm);
const char *room_add_realm_line(room_t *room, desk_t *desk, const desk_t *peer);

/* Breaks what is open between two desks and refuses new dials, both ways; and allows them again. */
void room_cut(room_t *room, desk_t *a, desk_t *b);
void room_heal(room_t *room, desk_t *a, desk_t *b);

/* All wires as they were made. */
void room_heal_all(room_t *room);

/* Lets virtual time pass. */
void room_run_ms(room_t *room, int64_t ms);
int64_t room_now_us(const room_t *room);

/* Lets time pass until the reply is there, at most 15 virtual seconds. */
const char *room_ask(room_t *room, desk_t *desk, uint64_t connection, const char *line);
void room_expect(room_t *room, desk_t *desk, uint64_t connection, const char *line,
                 const char *pattern);

/* Until both have nothing queued for each other and are up; at most `ms`. False if it was not. */
bool room_quiet(room_t *room, desk_t *a, desk_t *b, int64_t ms);

/* The room of two realms that most tests want: a and b, linked, each with one user on its
 * connection 1, alice and bob. In each realm the only user has id 1, and so have the only peer and
 * group. */
typedef struct pair {
    room_t *room;
    desk_t *a, *b;
    mailbox_t from_realm, group_realm, inbox, outbox;
} pair_t;

pair_t pair_new(void);
void pair_destroy(pair_t *pair);

/* What CHECKREALM says of a peer, "" if it does not know it. */
const char *room_peer_row(desk_t *desk, const char *peer);
bool room_is_up(desk_t *desk, const char *peer);

/* A realm's stream row for a peer that it knows. */
const stream_record_t *room_stream(const desk_t *desk, const desk_t *peer);

/* Fails the test unless nothing is queued or half-done in one direction. After a restore the
 * receiver may well know more than the sender. */
void room_expect_settled(const desk_t *from, const desk_t *to);

/* Fails the test unless both ends say the same of both directions of a link: nothing queued,
 * nothing half-done, no refusal still remembered. */
void room_expect_agreement(const desk_t *a, const desk_t *b);

/* Puts a frame on a route of `to` as if it came from a realm with this realm's key. */
void room_forge(room_t *room, desk_t *to, const char *key_of_realm, const peer_message_t *message);

/* How many frames were handed to the network by a desk. */
uint64_t room_frames_of(const room_t *room, const desk_t *desk);

/* 0..below-1 of the room's own numbers. */
uint32_t room_draw(room_t *room, uint32_t below);

#endif
