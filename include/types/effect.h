/*
 * Everything that a step asks for. The shell first commits `records` as one transaction, synced,
 * and only then does the rest, in the order of the lists. All spans, rows and arrays stay valid
 * until effects_reset (core/effects.h).
 */
#ifndef REALMGATE_TYPES_EFFECT_H
#define REALMGATE_TYPES_EFFECT_H

#include "types/peer_message.h"
#include "types/reply.h"

/* Work for the password workers; answered by one EVENT_PASSWORD with the same job. */
typedef enum password_job_kind {
    PASSWORD_VERIFY = 1, /* does `password` match `expected`? */
    PASSWORD_HASH,       /* hash `password` with a fresh salt */
    PASSWORD_KEY,        /* Argon2id(password, salt from `name`): a group's key */
} password_job_kind_t;

typedef struct password_job {
    uint64_t job;
    password_job_kind_t kind;
    uint64_t source; /* jobs of different sources take turns */
    span_t password;
    password_hash_t expected; /* VERIFY */
    name_t name;              /* KEY */
} password_job_t;

/* Messages to peers, in order: either one message, or a run of our own stream that the shell
 * reads from the store, packs and sends as PEER_RECORDS. */
typedef struct peer_send {
    peer_channel_t channel;
    bool is_run;
    peer_message_t message; /* !is_run; is_run: the frame of it, without records */
    page_query_t run;       /* is_run: after/before/limit bound the seqs, oldest first */
} peer_send_t;

typedef enum dial_action {
    DIAL_OPEN = 1, /* open a DEALER; answered by EVENT_DIALLED or EVENT_DIAL_LOST */
    DIAL_CLOSE,    /* close it; no event follows */
    DIAL_ALLOW,    /* let this key in at our ROUTER */
    DIAL_DENY,     /* no longer let it in */
} dial_action_t;

typedef struct dial_effect {
    dial_action_t action;
    uint64_t dial;
    uint8_t key[KEY_BYTES];
    address_t address;
} dial_effect_t;

/* Read one message by its position; answered by EVENT_LOOKED_UP. */
typedef struct lookup {
    uint64_t job;
    uint64_t position;
} lookup_t;

/* Read a run of an outbox; answered by EVENT_SWEPT. */
typedef struct sweep {
    uint32_t realm;
    page_query_t query;
} sweep_t;

/* Read what stands in the log behind a position, oldest first and without texts; answered by
 * EVENT_TRIM. */
typedef struct trim {
    uint64_t after;
    uint32_t limit;
} trim_t;

typedef struct log_line {
    const char *event;  /* static */
    name_t name;        /* whom it is about */
    const char *reason; /* static, or NULL */
    bool warning;
} log_line_t;

/* A message that somebody listens for: an event for each of `connections`. Let out only after the
 * commit, and behind the first `replies_before` of the turn's replies, so that no event comes in
 * front of the reply to LISTEN nor behind the one to UNLISTEN. */
typedef struct news {
    message_t message;
    span_t mailbox; /* the request that reads it: "INBOX", "INBOXGROUPREALM b tim" */
    size_t replies_before;
    uint32_t connection_count;   /* at least 1 */
    const uint64_t *connections; /* of the news before it, where they are the same pointer */
    uint64_t roster;             /* for the core alone */
} news_t;

typedef struct effects effects_t; /* core/effects.h */

#endif
