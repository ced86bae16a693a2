/*
 * The limits of a realm that its operator sets, and may set anew while it runs. What is fixed
 * stands in base/limits.h, and so do the defaults of these (DEFAULT_...).
 */
#ifndef REALMGATE_TYPES_SETTINGS_H
#define REALMGATE_TYPES_SETTINGS_H

#include "base/limits.h"

#include <stdint.h>

/*
 * A token bucket: `burst` tokens at the start and at most, `per_minute` new ones a minute. A count
 * in 1/60000 of a token stays exact: it grows by elapsed_ms * per_minute, is capped at
 * burst * 60000, and something costs 60000. per_minute 0 = no limit (burst is 0 too then); else
 * both are at least 1 and at most RATE_PER_MINUTE_MAX and RATE_BURST_MAX.
 */
typedef struct rate {
    uint32_t per_minute;
    uint32_t burst;
} rate_t;

/* What the front end holds its connections to. The admin socket is bound by none of them. */
typedef struct front_limits {
    rate_t request_rate;            /* requests of one address, over all its connections */
    rate_t request_rate_connection; /* requests of one connection */
    rate_t connection_rate;         /* new connections of one address */
    uint32_t connections_max;
    uint32_t connections_per_address_max; /* 0 = no limit */
    int64_t login_timeout_ms; /* a connection that nobody has logged in on is closed; 0 = never */
} front_limits_t;

/* What the realm itself is held to. A cap that is lowered below what is there refuses new ones and
 * removes nothing. */
typedef struct realm_limits {
    uint32_t users_max;
    uint32_t groups_max;
    uint32_t members_max;        /* of one group */
    uint32_t mailboxes_max;      /* of all kinds, in the whole realm */
    uint32_t outbox_records_max; /* waiting for one realm */
    uint64_t outbox_bytes_max;   /* waiting for one realm */
    int64_t queue_expiry_ms;     /* how long a message may wait for a realm that is away */
    int64_t retention_ms;        /* messages older than this go; 0 = they stay forever */
    rate_t auth_rate;            /* failed AUTH, and REGISTER, of one address */
} realm_limits_t;

/* What holds where nothing is set. */
#define FRONT_LIMITS_DEFAULT                                                                       \
    ((front_limits_t){.connections_max = CONNECTIONS_MAX,                                          \
                      .login_timeout_ms = DEFAULT_LOGIN_TIMEOUT_MS})
#define REALM_LIMITS_DEFAULT                                                                       \
    ((realm_limits_t){.users_max = DEFAULT_USERS_MAX,                                              \
                      .groups_max = DEFAULT_GROUPS_MAX,                                            \
                      .members_max = DEFAULT_MEMBERS_MAX,                                          \
                      .mailboxes_max = DEFAULT_MAILBOXES_MAX,                                      \
                      .outbox_records_max = DEFAULT_OUTBOX_RECORDS_MAX,                            \
                      .outbox_bytes_max = DEFAULT_OUTBOX_BYTES_MAX,                                \
                      .queue_expiry_ms = DEFAULT_QUEUE_EXPIRY_MS,                                  \
                      .auth_rate = {DEFAULT_AUTH_PER_MINUTE, DEFAULT_AUTH_BURST}})

#endif
