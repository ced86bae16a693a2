/*
 * The parts of a mailbox's address, mailbox_t.
 */
#ifndef REALMGATE_BASE_MAILBOX_ADDRESS_H
#define REALMGATE_BASE_MAILBOX_ADDRESS_H

#include "types/name.h"

#define MAILBOX_KIND_BITS 4
#define MAILBOX_ID_BITS   30

/* Ids are below 2^30: that is asserted. */
mailbox_t mailbox_address(mailbox_kind_t kind, uint32_t owner, uint32_t realm);
mailbox_kind_t mailbox_kind(mailbox_t mailbox);
uint32_t mailbox_owner(mailbox_t mailbox); /* the user's or group's id, 0 if the kind has none */
uint32_t mailbox_realm(mailbox_t mailbox); /* the realm id, 0 if the kind has none */

#endif
