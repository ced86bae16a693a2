/*
 * How kind, owner and realm are packed into a mailbox's address. Never changes: addresses are in
 * every store.
 */
#include "base/mailbox_address.h"

#include "base/assert.h"

#define MAILBOX_ID_MASK ((1U << MAILBOX_ID_BITS) - 1)

mailbox_t mailbox_address(mailbox_kind_t kind, uint32_t owner, uint32_t realm) {
    ASSERT(owner <= MAILBOX_ID_MASK && realm <= MAILBOX_ID_MASK);
    return (mailbox_t)kind << (2 * MAILBOX_ID_BITS) | (mailbox_t)owner << MAILBOX_ID_BITS | realm;
}

mailbox_kind_t mailbox_kind(mailbox_t mailbox) {
    return (mailbox_kind_t)(mailbox >> (2 * MAILBOX_ID_BITS));
}

uint32_t mailbox_owner(mailbox_t mailbox) {
    return (uint32_t)(mailbox >> MAILBOX_ID_BITS & MAILBOX_ID_MASK);
}

uint32_t mailbox_realm(mailbox_t mailbox) {
    return (uint32_t)(mailbox & MAILBOX_ID_MASK);
}
