/*
 * What each step of the realm may do, and what it must still know after a start: rules read from
 * the contracts, not from the code that keeps them.
 */
#ifndef REALMGATE_TESTS_JUDGE_H
#define REALMGATE_TESTS_JUDGE_H

#include "world.h"

/* What stood before a step. */
typedef struct judge {
    size_t record_count, reply_count;
    uint32_t realm; /* whose channel the event came over, 0 = nobody's */
    stream_mark_t mark;
} judge_t;

void judge_begin(judge_t *judge, const world_t *world, const event_t *event);
void judge_end(const judge_t *judge, const world_t *world, const event_t *event);

/* A frame of the realm's: under one epoch and seq a peer is never sent two things, whatever crashes
 * and backups lie between. */
void judge_frame(world_t *world, const peer_channel_t *channel, span_t frame);

/* Two states are the same realm. */
void judge_same(const state_t *a, const state_t *b);

#endif
