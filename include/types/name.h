/*
 * The small value types that cross every wall: names, spans of borrowed bytes, mailbox addresses.
 */
#ifndef REALMGATE_TYPES_NAME_H
#define REALMGATE_TYPES_NAME_H

#include "base/limits.h"

#include <stddef.h>
#include <stdint.h>

/* A user, group or realm name, already folded to lower case; zero behind `length`, so that two
 * names can be compared and hashed as plain memory. length 0 = no name. */
typedef struct name {
    uint8_t length;
    char text[NAME_BYTES_MAX + 1];
} name_t;

/* Borrowed bytes; not terminated. */
typedef struct span {
    const char *bytes;
    size_t length;
} span_t;

/* A mailbox is found by what it is for: 4 bits of kind, 30 bits each of owner and realm. */
typedef uint64_t mailbox_t;

typedef enum mailbox_kind {
    MAILBOX_PRIVATE = 1, /* owner = user: messages from users of this realm, and bounces */
    MAILBOX_GROUP,       /* owner = group: messages of this realm's members */
    MAILBOX_REALM,       /* owner = user, realm = link: private messages from that realm */
    MAILBOX_GROUP_REALM, /* owner = group, realm = link: both directions of a spanning group */
    MAILBOX_OUTBOX,      /* realm = link: the stream to that realm */
} mailbox_kind_t;

#endif
