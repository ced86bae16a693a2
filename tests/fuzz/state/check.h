/*
 * What every effect has to be, whatever the events were.
 */
#ifndef REALMGATE_TESTS_CHECK_H
#define REALMGATE_TESTS_CHECK_H

#include "world.h"

/* The record survives the store's rows; a message has one verdict. */
void check_record(const world_t *world, const record_t *record);

/* The bytes are a peer message. */
void check_frame(span_t frame);

/* The reply's bytes are a frame of JSON with a status; pages are read from the store. */
void check_reply(world_t *world, const reply_t *reply);

/* What listeners are told is a frame of JSON with an event, of a message that the turn commits, for
 * each connection once. */
void check_news(const world_t *world, const news_t *news);

/* A state made from the committed records is the same realm. */
void check_reload(const world_t *world);

#endif
