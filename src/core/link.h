/*
 * Links: dialling peers, greeting them, heartbeats, backing off. One dial at a time a link; a dial
 * is one attempt, and when it ends the core decides when to try again.
 */
#ifndef REALMGATE_CORE_LINK_H
#define REALMGATE_CORE_LINK_H

#include "model.h"

/* Pins a key to a name: a new realm, or the same again. CODE_OK; CODE_REALM_KEY if the name has
 * another key or the key another name; CODE_BAD_NAME for our own name; CODE_BUSY while an ended
 * link of that name still bounces what was queued, or when there are too many. */
code_t link_pin(state_t *state, effects_t *effects, const name_t *name,
                const uint8_t key[KEY_BYTES]);

/* Stores that a pinned realm is linked at this address. */
void link_store(turn_t *turn, realm_t *realm, const address_t *address);

/* Opens a dial if none is open or under way. */
void link_dial(turn_t *turn, realm_t *realm);

/* The dial is through and the peer has welcomed us: the link is up. `greeted_us`: when we
 * introduced ourselves, for the first round trip time. */
void link_up(turn_t *turn, realm_t *realm, uint64_t dial, int64_t greeted_us,
             const peer_standing_t *standing);

/* The link is down for a reason in plain words; dials again after the backoff. `hang_up`: the dial
 * is still open. */
void link_down(turn_t *turn, realm_t *realm, const char *reason, bool hang_up);

/* Anything that a peer sent over any way: it lives, so a long backoff makes no sense. */
void link_sign_of_life(turn_t *turn, realm_t *realm);

/* A heartbeat was answered. */
void link_pong(turn_t *turn, realm_t *realm, uint64_t correlation, uint64_t stamp);

/* The ended link has bounced everything: only its tombstone stays. */
void link_gone(turn_t *turn, realm_t *realm);

/* Introduces us over a dial. */
void link_greet(turn_t *turn, uint64_t dial, const name_t *realm, const address_t *address,
                const peer_standing_t *standing);

void link_start(turn_t *turn);
void link_dialled(turn_t *turn, uint64_t dial);
void link_dial_lost(turn_t *turn, uint64_t dial, dial_error_t error);
void link_tick(turn_t *turn);
/* The link has something to do at another time than before: called where that may be earlier. */
void link_note_due(state_t *state, const realm_t *realm);

/* Plain words for people, always the same ones. */
const char *link_dial_reason(dial_error_t error);
const char *link_refusal_reason(peer_refusal_t refusal);

#endif
