/*
 * A peer played by hand: the test says each of its frames to a desk, and looks at each frame that
 * the desk sends to it. So it can say what no realm would.
 */
#ifndef REALMGATE_TESTS_PUPPET_H
#define REALMGATE_TESTS_PUPPET_H

#include "desk.h"

typedef struct puppet {
    desk_t *desk;
    name_t name;
    peer_channel_t dial;  /* the desk's dial to it */
    peer_channel_t route; /* its own dial, as the desk's ROUTER sees it */
    size_t dials_seen;    /* of the desk's dial effects */
    stream_mark_t mark;   /* how far it has taken the desk's stream */
    peer_message_t heard; /* the newest frame that was taken */
} puppet_t;

/* A peer that the desk does not know yet; its key is that of its name. */
void puppet_init(puppet_t *puppet, desk_t *desk, const char *name);

/* The desk trusts it, dials it by ADDREALM and is welcomed; frames until then are forgotten. */
void puppet_link(puppet_t *puppet);

/* An empty message of a kind, with the puppet's standing where one belongs. */
peer_message_t puppet_message(const puppet_t *puppet, peer_kind_t kind);

/* Says something over the desk's dial, or over its own. */
void puppet_answer(puppet_t *puppet, const peer_message_t *message);
void puppet_call(puppet_t *puppet, const peer_message_t *message);

/* Takes the desk's frames up to the next of a kind; fails the test if there is none. */
const peer_message_t *puppet_hears(puppet_t *puppet, peer_kind_t kind);
/* Whether there is one of the kind among the frames that were not taken. Takes them all. */
bool puppet_would_hear(puppet_t *puppet, peer_kind_t kind);

/* Takes the newest dial that the desk opened since the last time. False if there is none. */
bool puppet_dialled(puppet_t *puppet);
void puppet_welcomes(puppet_t *puppet);

#endif
