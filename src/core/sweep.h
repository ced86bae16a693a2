/*
 * Sweeps: what has to be read back from an outbox, one run at a time, to give each record its local
 * consequences: copies of group messages that a crash left undone, bounces of what was refused, has
 * expired, or belongs to a link that ends. One sweep a link is under way at a time.
 */
#ifndef REALMGATE_CORE_SWEEP_H
#define REALMGATE_CORE_SWEEP_H

#include "model.h"

/* Reads the refused record, to bounce it. No other sweep may be under way. */
void sweep_refused(turn_t *turn, realm_t *realm, uint32_t seq);

/* The parts of stream_out.c that sweeps move. */
void stream_settle(turn_t *turn, realm_t *realm);
void stream_done_move(turn_t *turn, realm_t *realm, uint32_t done);
void stream_judged_move(turn_t *turn, realm_t *realm, uint32_t judged);
/* The peer's first refusal above a seq, NULL if there is none. */
const peer_rejection_t *stream_refusal(const realm_t *realm, uint32_t after);

#endif
