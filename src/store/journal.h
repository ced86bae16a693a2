/*
 * The write-ahead journal: what was committed since the store's last transaction, a frame a commit.
 * Its file is written in full before it is used, so that an append is one write into blocks that
 * are there, and one fdatasync that has no metadata to write.
 *
 * A frame: checksum (8 bytes, XXH3 under the run's salt), length of its payload (4), number in the
 * run (4), payload. A run is the frames from the start of the file on that are whole under one salt
 * and counted without a gap; whatever follows is of an older run, or torn. The numbers go on from
 * run to run, so that a run that lost its end shows where the next one begins. The store's
 * transaction says which salt counts, so one transaction makes all older frames void.
 */
#ifndef REALMGATE_STORE_JOURNAL_H
#define REALMGATE_STORE_JOURNAL_H

#include "base/buffer.h"
#include "store/store.h"

typedef struct journal {
    int file;      /* -1 = none */
    uint64_t salt; /* of the run */
    size_t bytes;  /* of the file; 0 = none of it is ready */
    size_t used;
    uint32_t frames; /* of the run */
    uint32_t number; /* of the next frame */
} journal_t;

/* A frame under way has this much in front of its payload. */
#define JOURNAL_HEAD_BYTES 16

/* Opens the file, and makes it if `create`; without, STORE_OK and no file if there is none. */
store_error_t journal_open(journal_t *journal, const char *file, bool create);
void journal_close(journal_t *journal);

/* Makes the file ready up to `bytes`. A file that cannot grow stays as it is, with an error. */
store_error_t journal_reserve(journal_t *journal, size_t bytes);

/* Looks how long the file is now: another process may have made it longer. */
store_error_t journal_size(journal_t *journal);

/* Begins a run: the next frame stands at the start of the file and has this number. */
void journal_restart(journal_t *journal, uint64_t salt, uint32_t number);

/* Whether a frame of this length, head included, can be appended to the run. */
bool journal_fits(const journal_t *journal, size_t frame_bytes);

/* How long the frame is that starts here, head included. Of frames that journal_append has seen. */
size_t journal_frame_bytes(const char *frame);

/* Makes a frame whole: fills in its first JOURNAL_HEAD_BYTES. */
void journal_seal(const journal_t *journal, char *frame, size_t frame_bytes);

/* Appends a frame that was sealed, and syncs it. On an error nobody knows whether it is on the
 * disk. */
store_error_t journal_append(journal_t *journal, const char *frame, size_t frame_bytes);

/* Called for each payload, valid only during the call; returns 0 to go on. */
typedef int journal_visit_fn(void *context, span_t payload);

/* Visits the run under the journal's salt, whatever its first frame's number is, and takes its end
 * for where the next frame goes. *code is what the last visit returned. */
store_error_t journal_replay(journal_t *journal, journal_visit_fn *visit, void *context, int *code);

#endif
