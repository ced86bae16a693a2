/*
 * What crosses between threads: one flat block of entries, without pointers, so that the other
 * side could as well be another process. Each entry is a fixed head and a payload, padded to 8
 * bytes.
 *
 *     batch_t batch; batch_init(&batch);
 *     void *payload = batch_append(&batch, kind, connection, slot, bytes);
 *     ... send batch.bytes / batch.length in one inproc message, then batch_reset or batch_take ...
 *
 *     const batch_entry_t *entry = NULL;
 *     while ((entry = batch_next(bytes, length, entry)) != NULL) ...
 */
#ifndef REALMGATE_BASE_BATCH_H
#define REALMGATE_BASE_BATCH_H

#include "base/assert.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BATCH_ALIGNMENT 8

typedef struct batch_entry {
    uint32_t kind;
    uint32_t payload_bytes;
    uint64_t subject; /* connection, dial or route: by kind */
    uint64_t detail;  /* slot, flags or error: by kind */
    /* the payload follows, then padding to 8 */
} batch_entry_t;

typedef struct batch {
    char *bytes;
    size_t length;
    size_t room;
    size_t newest; /* where the newest entry starts */
    size_t usual;  /* how much its last blocks held: what the next one is made for */
    bool is_open;  /* between batch_open and batch_close */
} batch_t;

void batch_init(batch_t *batch);
void batch_deinit(batch_t *batch);
void batch_reset(batch_t *batch); /* keeps its memory */

/* Makes room for `bytes` more; what batch_append does when there is none. */
void batch_grow(batch_t *batch, size_t bytes);

static inline size_t batch_padded(size_t bytes) {
    return (bytes + BATCH_ALIGNMENT - 1) / BATCH_ALIGNMENT * BATCH_ALIGNMENT;
}

/* Appends an entry with room for a payload (not zeroed, padding is) and returns that room. The
 * pointer is valid until the next append. */
static inline void *batch_append(batch_t *batch, uint32_t kind, uint64_t subject, uint64_t detail,
                                 size_t payload_bytes) {
    size_t bytes = sizeof(batch_entry_t) + batch_padded(payload_bytes);
    ASSERT(!batch->is_open && payload_bytes <= UINT32_MAX - BATCH_ALIGNMENT);
    if (bytes > batch->room - batch->length) {
        batch_grow(batch, bytes);
    }
    char *at = batch->bytes + batch->length;
    memset(at + bytes - BATCH_ALIGNMENT, 0, BATCH_ALIGNMENT); /* the padding, if there is any */
    batch_entry_t *entry = (batch_entry_t *)(void *)at;
    entry->kind = kind;
    entry->payload_bytes = (uint32_t)payload_bytes;
    entry->subject = subject;
    entry->detail = detail;
    batch->newest = batch->length;
    batch->length += bytes;
    return entry + 1;
}

/* For a payload whose size is not known before: open, grow with batch_extend (returns the new
 * bytes' room), close. Only the newest entry can be open. */
void batch_open(batch_t *batch, uint32_t kind, uint64_t subject, uint64_t detail);
void *batch_extend(batch_t *batch, size_t bytes);
void batch_shrink(batch_t *batch, size_t bytes); /* gives back the last `bytes` of the payload */
void batch_close(batch_t *batch);

/* Hands the block over (the taker frees it with memory_free) and leaves the batch empty. */
char *batch_take(batch_t *batch, size_t *length);

/* The entry after `entry` (NULL: the first), or NULL at the end. */
static inline const batch_entry_t *batch_next(const void *bytes, size_t length,
                                              const batch_entry_t *entry) {
    const char *start = bytes;
    size_t offset = 0;
    if (entry != NULL) {
        offset = (size_t)((const char *)entry - start) + sizeof(*entry) +
                 batch_padded(entry->payload_bytes);
    }
    if (offset == length) {
        return NULL;
    }
    ASSERT(offset < length && length - offset >= sizeof(*entry));
    const batch_entry_t *next = (const batch_entry_t *)(const void *)(start + offset);
    ASSERT(batch_padded(next->payload_bytes) <= length - offset - sizeof(*next));
    return next;
}

static inline const void *batch_payload(const batch_entry_t *entry) {
    return entry + 1;
}

#endif
