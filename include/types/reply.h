/*
 * What the core answers to a request, before it becomes JSON (wire/reply.h). Spans and arrays are
 * borrowed from the effects they stand in.
 */
#ifndef REALMGATE_TYPES_REPLY_H
#define REALMGATE_TYPES_REPLY_H

#include "types/code.h"
#include "types/counters.h"
#include "types/message.h"
#include "types/record.h"

#include <stdbool.h>

/* Which request of which connection an answer belongs to. */
typedef struct ticket {
    uint64_t connection;
    uint32_t slot;
} ticket_t;

typedef enum reply_kind {
    REPLY_TEXT = 1,      /* data = text; with id and delivery where they are set */
    REPLY_ERROR,         /* code; with usage and reason where they are set */
    REPLY_PAGE,          /* data = messages; app reads them from the store after the commit */
    REPLY_REALMS,        /* data = [realm_status_t] */
    REPLY_USERS,         /* data = [user_status_t] */
    REPLY_GROUPS,        /* data = [group_status_t] */
    REPLY_HELP,          /* data = [help_line_t] */
    REPLY_MESSAGE_STATE, /* CHECKMESSAGE */
    REPLY_SERVER,        /* CHECKSERVER */
    REPLY_BROADCAST,     /* data = text; realms = [broadcast_status_t] */
} reply_kind_t;

/* What an answer makes of its connection: the front end closes those that stay nobody's. */
typedef enum binding { BINDING_SAME = 0, BINDING_USER, BINDING_NOBODY } binding_t;

typedef struct realm_status {
    name_t name;
    address_t address;
    bool up;
    bool linked; /* false: only pinned (LISTREALM shows these too) */
    uint8_t key[KEY_BYTES];
    int64_t rtt_us; /* negative: not measured yet (null) */
    uint32_t queued;
    page_query_t oldest; /* limit 1: the oldest queued message; app turns it into oldest_s */
    const char *error;   /* why it is down, NULL if it is up */
} realm_status_t;

/* What came of a broadcast at one realm: a number and a delivery, or a code. */
typedef struct broadcast_status {
    uint32_t id; /* of the realm's row; not shown */
    name_t realm;
    uint64_t number; /* of our record for that realm, 0 = none was made */
    delivery_t delivery;
    code_t code; /* CODE_OK, or why that realm did not get it */
} broadcast_status_t;

typedef struct user_status {
    name_t name;
    bool is_operator;
} user_status_t;

typedef struct group_status {
    name_t name;
    uint32_t member_count;
    const name_t *members;
} group_status_t;

typedef struct help_line {
    const char *word;
    const char *usage;
    const char *help;
} help_line_t;

typedef enum message_state {
    MESSAGE_QUEUED,
    MESSAGE_DELIVERED,
    MESSAGE_REJECTED,
    MESSAGE_EXPIRED
} message_state_t;

typedef struct server_status {
    name_t realm;
    int64_t uptime_ms;
    uint64_t users, groups, links, sessions, mailboxes, messages, queued, requests;
    uint64_t peer_messages, peer_errors;   /* peer_errors: refused or unreadable */
    double requests_per_s, messages_per_s; /* over the last minute */
    int64_t retention_ms;                  /* 0 = messages stay forever */
    uint64_t forgotten;                    /* messages that retention took since the start */
    limit_status_t limits[LIMIT_COUNT];
} server_status_t;

typedef struct reply {
    ticket_t ticket;
    reply_kind_t kind;
    bool close; /* the front end closes the connection behind this reply (QUIT) */
    binding_t binding;
    /* The id of an outbox record of an earlier turn that this answers, 0 = none: see reply_refused.
     */
    uint64_t queued;
    const char *queued_text; /* what an OK to it says; static */
    span_t ref;              /* length 0 = the request had none */
    union {
        struct {
            span_t text;
            uint64_t number; /* 0 = no "id"; else "id":"<this realm>:<number>" */
            delivery_t delivery;
        } text;
        struct {
            code_t code;
            const char *usage;  /* NULL = none; static */
            const char *reason; /* NULL = none; static */
        } error;
        struct {
            page_query_t query;
            bool stale; /* the peer could not be asked */
        } page;
        struct {
            uint32_t count;
            const realm_status_t *rows;
            bool with_keys; /* LISTREALM: "key" in each row, unlinked ones too */
        } realms;
        struct {
            uint32_t count;
            const user_status_t *rows;
        } users;
        struct {
            uint32_t count;
            const group_status_t *rows;
        } groups;
        struct {
            uint32_t count;
            const help_line_t *rows;
        } help;
        struct {
            uint64_t number;
            message_state_t state;
            int64_t time_ms;
            const char *reason; /* NULL = null */
        } state;
        struct {
            const server_status_t *status; /* many times the size of all other answers */
            front_counters_t front;        /* zero from the core, see types/counters.h */
        } server;
        struct {
            const char *text; /* static */
            uint32_t count;
            const broadcast_status_t *rows;
            bool unsure; /* the commit of their verdicts failed: what has a number is "queued" */
        } broadcast;
    };
} reply_t;

#endif
