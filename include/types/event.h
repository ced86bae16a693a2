/*
 * Everything that can happen to a realm, with the time it happened. All spans are borrowed for
 * the length of state_step.
 */
#ifndef REALMGATE_TYPES_EVENT_H
#define REALMGATE_TYPES_EVENT_H

#include "types/message.h"
#include "types/peer_message.h"
#include "types/reply.h"
#include "types/request.h"
#include "types/settings.h"

typedef enum event_kind {
    EVENT_START = 1,    /* after the last state_load: the realm begins to serve */
    EVENT_REQUEST,      /* a client's line */
    EVENT_CLOSED,       /* a connection is gone; no more replies are wanted */
    EVENT_PASSWORD,     /* a password job is done */
    EVENT_PEER,         /* a peer's message, decoded */
    EVENT_PEER_GARBAGE, /* a peer's message that could not be decoded */
    EVENT_DIALLED,      /* our dial reached a CURVE session with the key that was asked for */
    EVENT_DIAL_LOST,    /* our dial failed or broke; the dial id is dead */
    EVENT_LOOKED_UP,    /* answer to an EFFECT lookup */
    EVENT_SWEPT,        /* answer to an EFFECT sweep: a run of outbox records */
    EVENT_TRIM,         /* answer to an EFFECT trim: what stands in the log behind a position */
    EVENT_SETTINGS,     /* the operator's settings were read anew and are these */
    EVENT_TICK,         /* time has passed; nothing else */
} event_kind_t;

typedef enum dial_error {
    DIAL_REFUSED = 1, /* nobody listens there */
    DIAL_TIMEOUT,     /* no answer in time */
    DIAL_UNRESOLVED,  /* the address cannot be resolved or used */
    DIAL_REJECTED,    /* the peer does not accept our key */
    DIAL_WRONG_KEY,   /* the peer does not hold the key that we expect */
    DIAL_BROKEN,      /* an established connection ended */
} dial_error_t;

typedef struct event {
    event_kind_t kind;
    int64_t time_ms;   /* UTC; may jump */
    int64_t uptime_us; /* monotonic; what all timeouts count in */
    union {
        struct {
            ticket_t ticket;
            const request_t *request;
            const char *line;
        } request;
        struct {
            uint64_t connection;
        } closed;
        struct {
            uint64_t job;
            bool ok;                /* VERIFY: it matches; HASH, KEY: always true; false = BUSY */
            password_hash_t hash;   /* HASH */
            uint8_t key[KEY_BYTES]; /* KEY */
        } password;
        struct {
            peer_channel_t channel;
            const peer_message_t *message; /* NULL for EVENT_PEER_GARBAGE */
            peer_refusal_t refusal;        /* EVENT_PEER_GARBAGE: VERSION or MALFORMED */
        } peer;
        struct {
            uint64_t dial;
            dial_error_t error; /* EVENT_DIAL_LOST */
        } dial;
        struct {
            uint64_t job;
            bool found;
            message_t message;
            code_t verdict; /* CODE_OK = none */
        } lookup;
        struct {
            uint32_t realm;            /* the id that the effect named */
            uint32_t count;            /* fewer than asked: those are gone (retention) */
            const message_t *messages; /* ascending seq */
        } sweep;
        struct {
            uint32_t count;
            const message_age_t *rows; /* ascending position */
            bool end;                  /* nothing stands behind them */
        } trim;
        struct {
            const realm_limits_t *limits;
            bool registration_open;
            bool accept_any;
        } settings;
    };
} event_t;

#endif
