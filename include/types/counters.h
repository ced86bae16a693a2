/*
 * What a realm counts of itself, for CHECKSERVER. Counts begin at 0 with the process.
 */
#ifndef REALMGATE_TYPES_COUNTERS_H
#define REALMGATE_TYPES_COUNTERS_H

#include <stdint.h>

/* The limits that the core keeps, in the order in which CHECKSERVER shows them. */
typedef enum limit_kind {
    LIMIT_USERS,
    LIMIT_GROUPS,
    LIMIT_MEMBERS, /* of one group */
    LIMIT_MAILBOXES,
    LIMIT_OUTBOX_RECORDS, /* of one realm */
    LIMIT_OUTBOX_BYTES,   /* of one realm */
    LIMIT_LINKS,
    LIMIT_PASSWORD_JOBS,
    LIMIT_LOGINS, /* addresses with failed or unfinished logins; attempts that were refused */
    LIMIT_DEFERRED_BYTES,
    LIMIT_REFS,      /* of all users; refusals also of those that have too many themselves */
    LIMIT_BROADCAST, /* records of SENDGROUPREALM * in one commit */
    LIMIT_COUNT
} limit_kind_t;

/* How near a limit is. Where each group or realm has its own, `current` is that of the fullest. */
typedef struct limit_status {
    uint64_t current;
    uint64_t maximum;
    uint64_t refused; /* requests and records that were refused for it */
} limit_status_t;

/* What the front end counts. The core knows nothing of it: app puts it in where it is shown. */
typedef struct front_counters {
    uint64_t connections;         /* open now */
    uint64_t connections_max;     /* the limit that holds for them */
    uint64_t accepted;            /* connections ever */
    uint64_t refused_full;        /* too many connections, or no descriptor left */
    uint64_t refused_address;     /* too many connections of one address */
    uint64_t connections_limited; /* new ones of one address came too fast */
    uint64_t requests_limited;    /* requests of one address or connection came too fast */
    uint64_t login_timeouts;      /* closed because nobody logged in */
    uint64_t stalled;             /* closed because they did not read */
    uint64_t lagged;              /* times that a listener was told that it misses events */
    uint64_t deaf;                /* closed because they lagged in too many mailboxes */
} front_counters_t;

#endif
