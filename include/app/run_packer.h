/*
 * Turns a run of an outbox, as the core asks for it, into PEER_RECORDS frames for the federation.
 */
#ifndef REALMGATE_APP_RUN_PACKER_H
#define REALMGATE_APP_RUN_PACKER_H

#include "app/fresh.h"
#include "base/batch.h"
#include "store/store.h"
#include "types/effect.h"

/* Reads the run, from the store and, if `fresh` is not NULL, from what this turn has appended (only
 * a pushed run that does not ask for verdicts), and appends its frames to `out` as FED_SEND
 * entries. A pushed run becomes as many frames as it needs, each on top of the one before. A pulled
 * run is always exactly one frame, perhaps without records, that says whether more is there.
 * Records that retention took are not sent, nor, in a run that asks for verdicts, those that have
 * one: the next frame starts behind the gap, still on top of the last record that was sent; a gap
 * at the end of the run is stepped over by a frame without records. */
store_error_t run_pack(store_t *store, const fresh_t *fresh, const peer_send_t *send, batch_t *out);

#endif
