/*
 * A store in a directory of its own, for tests that look at its files: what a process leaves behind
 * that dies, what older programs wrote. Message n of one mailbox is the n-th commit, so what is
 * there can be told by counting.
 */
#ifndef REALMGATE_TESTS_STORE_PLACE_H
#define REALMGATE_TESTS_STORE_PLACE_H

#include "base/buffer.h"
#include "store/store.h"

typedef struct place {
    char directory[64];
    store_t *store; /* NULL while it is closed */
} place_t;

/* Makes the directory; the store is opened by place_open, for the realm `a`. */
void place_init(place_t *place);
store_error_t place_open(place_t *place);

/* Closes the store and removes its files; anything else in the directory is a failure. */
void place_deinit(place_t *place);

void place_path(const place_t *place, const char *name, char path[128]);

/* The whole contents of a file of it; the caller frees the buffer. */
void place_read(const place_t *place, const char *name, buffer_t *bytes);
void place_write(const place_t *place, const char *name, const void *bytes, size_t length);

/* Message `number` of the mailbox, at that position. */
record_t message_number(uint64_t number, const char *text, size_t length);

/* Commits those from the first to the last, each by itself, with the text "halo". */
void commit_up_to(store_t *store, uint64_t from, uint64_t last);

/* How many a load gives: 1, 2, 3, ... */
uint64_t messages_in(store_t *store);

/* How many messages somebody sees who only reads; the error if nobody can. */
store_error_t dump_count(const place_t *place, uint64_t *count);

/* A process that commits and ends without closing the store, as one that is killed. The first ones
 * are folded. */
void commit_and_die(place_t *place, uint64_t folded, uint64_t last);

#endif
