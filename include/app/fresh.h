/*
 * What a turn has just appended to the outboxes, so that what goes out at once need not be read
 * back from the store first.
 */
#ifndef REALMGATE_APP_FRESH_H
#define REALMGATE_APP_FRESH_H

#include "base/limits.h"
#include "types/record.h"

#include <stddef.h>
#include <stdint.h>

typedef struct fresh {
    const record_t *records;
    uint32_t *next;                /* of a record: 1 + the index of the next in its outbox */
    uint32_t first[LINKS_MAX + 1]; /* of a realm's outbox: 1 + an index, 0 = none */
} fresh_t;

/* Finds the outboxes' messages among a turn's committed records, which are borrowed until
 * fresh_deinit. */
void fresh_init(fresh_t *fresh, const record_t *records, size_t count);
void fresh_deinit(fresh_t *fresh);

/* The first message that the turn appended to an outbox, or NULL; then the one behind it, or NULL.
 * Their seqs have no holes. */
const message_t *fresh_first(const fresh_t *fresh, mailbox_t outbox);
const message_t *fresh_next(const fresh_t *fresh, const message_t *message);

#endif
