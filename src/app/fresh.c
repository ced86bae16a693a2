/*
 * A turn's messages by outbox: chains of indexes into its records. Must never be asked about
 * records that are not committed.
 */
#include "app/fresh.h"

#include "base/assert.h"
#include "base/mailbox_address.h"
#include "base/memory.h"

#include <string.h>

static bool is_queued(const record_t *record) {
    return record->kind == RECORD_MESSAGE &&
           mailbox_kind(record->message.mailbox) == MAILBOX_OUTBOX;
}

void fresh_init(fresh_t *fresh, const record_t *records, size_t count) {
    uint32_t last[LINKS_MAX + 1]; /* valid where there is a first */
    ASSERT(count < UINT32_MAX);
    fresh->records = records;
    fresh->next = memory_resize(NULL, count * sizeof(*fresh->next) + 1);
    memset(fresh->first, 0, sizeof fresh->first);
    for (uint32_t i = 0; i < count; i++) {
        if (!is_queued(&records[i])) {
            continue;
        }
        uint32_t realm = mailbox_realm(records[i].message.mailbox);
        ASSERT(realm <= LINKS_MAX);
        if (fresh->first[realm] == 0) {
            fresh->first[realm] = i + 1;
        } else {
            fresh->next[last[realm]] = i + 1;
        }
        last[realm] = i;
        fresh->next[i] = 0;
    }
}

void fresh_deinit(fresh_t *fresh) {
    memory_free(fresh->next);
    fresh->next = NULL;
}

static const message_t *message_at(const fresh_t *fresh, uint32_t index) {
    return index == 0 ? NULL : &fresh->records[index - 1].message;
}

const message_t *fresh_first(const fresh_t *fresh, mailbox_t outbox) {
    ASSERT(mailbox_kind(outbox) == MAILBOX_OUTBOX);
    return message_at(fresh, fresh->first[mailbox_realm(outbox)]);
}

const message_t *fresh_next(const fresh_t *fresh, const message_t *message) {
    size_t offset = (size_t)((const char *)message - (const char *)fresh->records);
    const message_t *next = message_at(fresh, fresh->next[offset / sizeof(record_t)]);
    ASSERT(next == NULL || next->seq == message->seq + 1);
    return next;
}
