/*
 * What the core asks the store to keep, and what the store gives back at start. A record is a
 * whole row: putting it again replaces it. Spans are borrowed until the commit (or the visit).
 */
#ifndef REALMGATE_TYPES_RECORD_H
#define REALMGATE_TYPES_RECORD_H

#include "types/code.h"
#include "types/message.h"

typedef enum record_kind {
    RECORD_USER = 1,
    RECORD_TOKEN,
    RECORD_TOKEN_GONE,
    RECORD_GROUP,
    RECORD_MEMBER,
    RECORD_MEMBER_GONE,
    RECORD_REALM,
    RECORD_STREAM,
    RECORD_REJECTION,
    RECORD_REJECTION_GONE,
    RECORD_VERDICT,
    RECORD_MESSAGE,
    RECORD_HEAD,
    RECORD_CHECKPOINT,
    RECORD_MESSAGES_GONE,
    RECORD_CUT,
    RECORD_REF,
    RECORD_REF_GONE,
    RECORD_FLOOR,
    RECORD_SEGMENT,
    RECORD_SEGMENT_GONE,
    RECORD_MARK,
    RECORD_MARK_GONE,
    RECORD_KIND_COUNT
} record_kind_t;

/* Argon2id (RFC 9106) of a password, with what is needed to compute it again. */
typedef struct password_hash {
    uint32_t passes;
    uint32_t memory_bytes;
    uint8_t salt[SALT_BYTES];
    uint8_t hash[KEY_BYTES];
} password_hash_t;

/* Ids count from 1 and are never used again: a row that is gone stays as a tombstone. */
typedef struct user_record {
    uint32_t id;
    bool gone;
    bool is_operator;
    name_t name;
    password_hash_t password;
    uint64_t since; /* messages at lower positions are of an earlier user of that name */
} user_record_t;

typedef struct token_record {
    uint8_t digest[DIGEST_BYTES]; /* of the token; the token itself is nowhere kept */
    uint32_t user;
    int64_t time_ms; /* when it was given */
} token_record_t;

typedef struct group_record {
    uint32_t id;
    bool gone;
    name_t name;
    uint8_t key[KEY_BYTES]; /* Argon2id(password, salt from the name): seals and checks */
} group_record_t;

typedef struct member_record {
    uint32_t group;
    uint32_t user;
} member_record_t;

typedef struct address {
    uint8_t length;
    char text[ADDRESS_BYTES_MAX + 1];
    uint16_t port;
} address_t;

/* A realm that we know: pinned, perhaps linked. */
typedef struct realm_record {
    uint32_t id;
    bool gone;    /* tombstone */
    bool linked;  /* ADDREALM or ACKREALM succeeded; its stream may have an outbox */
    bool leaving; /* DELREALM: what is still queued is bounced, then it is gone */
    name_t name;
    uint8_t key[KEY_BYTES];
    address_t address;
} realm_record_t;

/* A place in a stream: the record `seq` of the segment that the sender called `epoch`. */
typedef struct stream_mark {
    uint64_t epoch;
    uint32_t seq;
} stream_mark_t;

/* Everything durable about both directions of a link, one row a realm. */
typedef struct stream_record {
    uint32_t realm;
    uint32_t done;      /* outgoing: the peer has taken or refused all up to this seq, or they
                           expired; goes back when the peer was restored from a backup */
    uint32_t judged;    /* outgoing: all up to this seq have had their verdict, and none is told
                           twice; above `done` after that went back: what is only sent again */
    uint32_t settled;   /* outgoing: all up to this seq have their local consequences */
    stream_mark_t peer; /* outgoing: the mark that the peer last told us */
    uint64_t bytes;     /* outgoing: body bytes of (judged, head], for the limit */
    uint8_t segment_count;
    uint8_t mark_count;
    /* The newest few; those before them have rows of their own. */
    stream_mark_t segments[STREAM_SEGMENTS_MAX]; /* outgoing: epoch and first seq, oldest first */
    stream_mark_t marks[STREAM_MARKS_MAX]; /* incoming: newest first; [0] is the mark itself */
} stream_record_t;

/* What has no more room in the stream row: an older segment of ours (SEGMENT) or an older mark of
 * the peer's stream (MARK). Numbers ascend with time, without holes. */
typedef struct mark_record {
    uint32_t realm;
    uint32_t number;
    stream_mark_t mark;
} mark_record_t;

/* Incoming: the peer's record `seq` was refused; kept until the peer knows. */
typedef struct rejection_record {
    uint32_t realm;
    uint32_t seq;
    code_t code;
} rejection_record_t;

/* Outgoing: the message at this position did not arrive and its sender was told. */
typedef struct verdict_record {
    uint64_t position;
    code_t code;
} verdict_record_t;

/* Positions of the newest message whose seq is a multiple of 4^level, 6 bytes each, little
 * endian; see core/mailbox.h. 64 bytes a mailbox, whatever it holds. */
#define HEAD_LEVELS 10
typedef struct mailbox_head {
    uint32_t seq;
    uint8_t positions[HEAD_LEVELS][6];
} mailbox_head_t;

typedef struct head_record {
    mailbox_t mailbox;
    mailbox_head_t head;
} head_record_t;

/* All heads as of `position` are kept: a start reads the log from there. */
typedef struct checkpoint_record {
    uint64_t position;
} checkpoint_record_t;

/* What came of a request with a ref. Numbers ascend with time; a number is given once while its row
 * is there. */
#define REF_REALM_BYTES 15
typedef struct ref_record {
    uint64_t number;
    uint8_t digest[REF_DIGEST_BYTES]; /* of the user and the ref */
    uint32_t user;                    /* 0 = the admin socket */
    int64_t time_ms;                  /* when it was asked first */
    uint8_t success;                  /* a success_t of the core: what an OK says */
    code_t code;
    delivery_t delivery;
    uint64_t message; /* number of the message that it sent, 0 = none */
    span_t realms;    /* SENDGROUPREALM *: REF_REALM_BYTES for each realm, see core/ref.c */
} ref_record_t;

/* Retention: every message with first <= position <= last that is still there goes, and its verdict
 * with it. */
typedef struct messages_gone_record {
    uint64_t first, last;
} messages_gone_record_t;

/* Up to this position messages may be missing; behind it a missing one means a corrupt store. Never
 * goes back, never beyond the checkpoint. */
typedef struct cut_record {
    uint64_t position;
} cut_record_t;

/* Positions below this one are never given again: an earlier life of the store, which went on
 * behind the backup that this one was restored from, may have given them. */
typedef struct floor_record {
    uint64_t position;
    uint64_t skipped; /* how many positions were never given, for the count of messages */
    bool copied;      /* only when loaded: a backup that was not started since it was made */
} floor_record_t;

typedef struct record {
    record_kind_t kind;
    union {
        user_record_t user;
        token_record_t token; /* TOKEN_GONE uses only the digest */
        group_record_t group;
        member_record_t member;
        realm_record_t realm;
        stream_record_t stream;
        rejection_record_t rejection; /* REJECTION_GONE: realm and seq */
        verdict_record_t verdict;
        message_t message;
        head_record_t head;
        checkpoint_record_t checkpoint;
        messages_gone_record_t messages_gone;
        cut_record_t cut;
        floor_record_t floor;
        mark_record_t mark; /* SEGMENT, MARK; gone: realm and number */
        ref_record_t ref;   /* REF_GONE uses only the number */
    };
} record_t;

#endif
