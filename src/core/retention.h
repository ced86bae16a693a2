/*
 * Retention: messages that came longer ago than the operator wants to keep them go, from the front
 * of the log, some of them at each commit.
 *
 * The log is in order of arrival, and so is what goes: everything up to a message that is old
 * enough, but for records that still wait in an outbox, and for what lies behind the checkpoint,
 * which a start has to replay. So what is gone of a mailbox is always its oldest part, without
 * holes; its head, and with it the next seq, stays.
 *
 * Ages come from UTC, which may be wrong. Position is the better witness of order: a stamp never
 * makes an older message stay behind a younger one that went, or go before an older one that
 * stays. One from the future, of a time when the clock was ahead, says nothing: such a message goes
 * with the next one that is old. And a clock that jumps is not believed at once, because what is
 * deleted does not come back when the clock does.
 */
#ifndef REALMGATE_CORE_RETENTION_H
#define REALMGATE_CORE_RETENTION_H

#include "model.h"

void retention_start(turn_t *turn);

/* The limits have changed. */
void retention_changed(turn_t *turn);

/* Asks for rows of the log when it is time. */
void retention_tick(turn_t *turn);
int64_t retention_due_us(const state_t *state);

/* The rows are here: lets go what may go, and asks for more while there is more of it. */
void retention_trim(turn_t *turn, const event_t *event);

/* Replay at start. False if it says what cannot be: a corrupt store. */
bool retention_load(state_t *state, const cut_record_t *cut);

#endif
