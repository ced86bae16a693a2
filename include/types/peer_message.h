/*
 * What realms say to each other, decoded. The bytes are written down in wire/peer_codec.h. What a
 * realm says of itself here is never believed: the channel it came over says who it is.
 */
#ifndef REALMGATE_TYPES_PEER_MESSAGE_H
#define REALMGATE_TYPES_PEER_MESSAGE_H

#include "types/code.h"
#include "types/record.h"

typedef enum peer_kind {
    PEER_ACKREALM = 1,              /* request: introduce ourselves, with marks */
    PEER_WELCOME = 2,               /* answer to ACKREALM, with marks or a refusal */
    PEER_RECORDS = 3,               /* records of the sender's stream, pushed or pulled */
    PEER_ACK = 4,                   /* the receiver's mark, and verdicts of refused records */
    PEER_REMOTEINBOXREALM = 5,      /* request: send what is pending (asked for a user's inbox) */
    PEER_REMOTEINBOXGROUPREALM = 6, /* request: the same, asked for a group */
    PEER_PING = 7,                  /* request: heartbeat through the state actor */
    PEER_PONG = 8,                  /* answer to PING */
    PEER_ERROR = 9,                 /* answer to what could not be read or is not allowed */
    PEER_KIND_COUNT
} peer_kind_t;

typedef enum peer_refusal {
    REFUSAL_NONE = 0,
    REFUSAL_NAME = 1,      /* "I am not the realm that you mean" */
    REFUSAL_KEY = 2,       /* your key is not the pinned one, or your name belongs to another key */
    REFUSAL_UNLINKED = 3,  /* no link with you: introduce yourself (ACKREALM) first */
    REFUSAL_VERSION = 4,   /* version not spoken here */
    REFUSAL_MALFORMED = 5, /* could not be decoded, or an unknown kind */
    REFUSAL_FULL = 6,      /* no room for another link */
    REFUSAL_COUNT
} peer_refusal_t;

/* One record of a stream: a private message (SENDREALM) or a group message (RECVGROUPREALM). */
typedef enum peer_record_kind { PEER_SENDREALM = 1, PEER_RECVGROUPREALM = 2 } peer_record_kind_t;

typedef struct peer_record {
    peer_record_kind_t kind;
    uint32_t seq; /* not on the wire: first_seq + index */
    uint64_t number;
    int64_t time_ms;
    span_t from; /* user at the origin */
    span_t to;   /* user or group at the receiver */
    span_t body; /* text, or the sealed text of a group */
} peer_record_t;

typedef struct peer_rejection {
    uint32_t seq;
    code_t code;
} peer_rejection_t;

/* A receiver's standing: its marks newest first (so that a sender whose store went back in time
 * finds a mark it knows), and the verdicts of refused records that the sender may not know yet. */
typedef struct peer_standing {
    uint8_t mark_count;
    stream_mark_t marks[STREAM_MARKS_MAX];
    uint16_t older_count;       /* in ACKREALM and WELCOME only, else 0 */
    const stream_mark_t *older; /* borrowed; those behind `marks`, newest first */
    uint16_t rejection_count;
    const peer_rejection_t *rejections; /* borrowed */
} peer_standing_t;

typedef struct peer_message {
    peer_kind_t kind;
    uint64_t correlation; /* chosen by the asker, repeated in the answer */
    union {
        struct {
            name_t realm;      /* who is meant */
            name_t from;       /* who says to be asking */
            address_t address; /* where the asker dialled */
            address_t source;  /* where the asker can be dialled */
            peer_standing_t standing;
        } ackrealm;
        struct {
            peer_refusal_t refusal;
            name_t from;
            peer_standing_t standing;
        } welcome;
        struct {
            stream_mark_t base;  /* taken only on top of exactly this mark of the receiver */
            stream_mark_t first; /* epoch and seq of the first record; what lies between `base` and
                                    it is stepped over */
            uint32_t done;       /* sender has settled all up to this seq: forget verdicts */
            bool pulled;         /* answer to a pull (correlation is the pull's) */
            bool more;           /* pulled: more is pending behind these */
            uint16_t record_count;
            const peer_record_t *records; /* borrowed */
        } records;
        struct {
            peer_standing_t standing;
        } ack;
        struct {
            name_t name;  /* the user, or the group, it is asked for */
            name_t realm; /* the asker */
            peer_standing_t standing;
        } pull;
        struct {
            uint64_t stamp;   /* the asker's own clock, repeated in the answer */
            uint32_t done;    /* PING: as in records; PONG: 0 */
            uint32_t pending; /* records that the speaker still has for the other, capped */
            peer_standing_t standing;
        } ping; /* PING and PONG */
        struct {
            peer_refusal_t refusal;
        } error;
    };
} peer_message_t;

/* The way that a message came and an answer goes: our own dial, or a route of our ROUTER. */
typedef struct peer_channel {
    bool dialled; /* true: number is a dial id; false: number is a ROUTER route */
    uint64_t number;
    uint8_t key[KEY_BYTES]; /* who is at the other end, proved by CURVE */
} peer_channel_t;

#endif
