/*
 * A message as the store keeps it and as a mailbox shows it. All spans are borrowed.
 */
#ifndef REALMGATE_TYPES_MESSAGE_H
#define REALMGATE_TYPES_MESSAGE_H

#include "types/code.h"
#include "types/name.h"

#include <stdbool.h>

/* How far a message to another realm has come. In the store: never renumber. */
typedef enum delivery {
    DELIVERY_NONE = 0,
    DELIVERY_DELIVERED = 1,
    DELIVERY_QUEUED = 2,
} delivery_t;

typedef struct message {
    uint64_t position; /* place in the log of arrivals: 1, 2, 3, ... with gaps allowed */
    mailbox_t mailbox;
    uint32_t seq;       /* place in the mailbox: 1, 2, 3, ... without holes */
    uint64_t previous;  /* position of seq - 1 in this mailbox, 0 for the first */
    uint64_t jump;      /* position of a farther one (see core/mailbox.h), 0 if there is none */
    int64_t time_ms;    /* when the origin realm accepted it, UTC */
    int64_t arrived_ms; /* when it came to stand in this log, UTC; 0 = at time_ms */
    uint64_t number;    /* the id is "<origin>:<number>" */
    bool group;         /* `to` is a group, else a user */
    bool sealed;        /* the text is sealed with the group's key (outbox only) */
    bool broadcast;     /* to every realm that has the group (outbox only) */
    code_t verdict; /* only in a page that asks for verdicts: why it did not arrive, or CODE_OK */
    span_t origin;  /* realm of the sender; empty = this realm */
    span_t from;    /* the sender's name there */
    span_t realm;   /* realm of the receiver; empty = this realm */
    span_t to;      /* user or group */
    span_t text;
} message_t;

/* What retention looks at of a message. */
typedef struct message_age {
    uint64_t position;
    mailbox_t mailbox;
    uint32_t seq;
    int64_t arrived_ms;
} message_age_t;

/* Which messages of a mailbox to read. The page ends at its newest wanted message and holds the
 * `limit` (1..PAGE_MESSAGES_MAX) messages up to it that satisfy after/before. */
typedef struct page_query {
    mailbox_t mailbox;
    uint64_t newest_position; /* position of newest_seq, where the walk starts; 0 = empty */
    uint32_t newest_seq;      /* head of the mailbox */
    uint32_t after;           /* only seq > after; 0 = from the first */
    uint32_t before;          /* only seq < before; 0 = up to the head */
    uint32_t limit;
    bool verdicts;     /* each message comes with its verdict row */
    bool oldest_first; /* true: the `limit` oldest of them (AFTER); false: the `limit` newest */
} page_query_t;

#endif
