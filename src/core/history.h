/*
 * The epochs of a link: the segments of our own stream, and the marks that we reached in those of
 * the peer. The newest few are in the stream row, which each commit of the link writes; older ones
 * have rows of their own, which are written once.
 *
 * They are remembered for the sake of backups. A realm that went back in time knows only epochs
 * that were there when the backup was made; so its peers have to know what they reached in these,
 * however often it was started since. Beyond STREAM_SEGMENTS_MAX or STREAM_MARKS_MAX and
 * STREAM_OLDER_MAX of them the oldest two segments become one, and the oldest mark is forgotten:
 * what was sent in them can no longer be told apart where a backup as old as that is restored.
 */
#ifndef REALMGATE_CORE_HISTORY_H
#define REALMGATE_CORE_HISTORY_H

#include "model.h"

/* Makes room for one more in the stream row by moving its oldest out. */
void history_segment_out(turn_t *turn, realm_t *realm);
void history_mark_out(turn_t *turn, realm_t *realm);

/* The link is gone, and with it all segments. */
void history_segments_end(turn_t *turn, realm_t *realm);

/* Our segments, oldest first: all of them. */
unsigned history_segment_count(const realm_t *realm);
stream_mark_t history_segment(const realm_t *realm, unsigned index);
/* Whether two of them may have become one. */
bool history_is_merged(const realm_t *realm);

/* Replay at start; false if it says what cannot be: a corrupt store. */
bool history_load(state_t *state, const record_t *record);

#endif
