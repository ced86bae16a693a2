/*
 * What users were promised, kept by somebody who knows nothing of how it is done: requests as they
 * were said, replies as they were read, pages as they were shown. Shares no code with the core.
 */
#ifndef REALMGATE_SIM_ORACLE_H
#define REALMGATE_SIM_ORACLE_H

#include "forgetting.h"
#include "hearing.h"
#include "plan.h"
#include "types/peer_message.h"
#include "types/reply.h"

typedef struct world world_t;

/* A request that a client sent. */
typedef struct asked {
    verb_t verb;
    uint8_t realm, seat, user, peer, name, variant;
    uint32_t op; /* of a message: which */
    uint32_t after, before, limit;
    bool forward;     /* AFTER was said */
    uint64_t number;  /* CHECKMESSAGE */
    uint64_t said_at; /* on the oracle's own count of what happens */
    bool answered;
} asked_t;

typedef enum fate {
    FATE_UNSAID,
    FATE_WAITING,
    FATE_SENT, /* OK, inside the realm */
    FATE_DELIVERED,
    FATE_QUEUED,
    FATE_REFUSED, /* ERROR: nothing was changed */
    FATE_UNKNOWN, /* no reply: once or not at all */
} fate_t;

/* What is known of a message. */
typedef struct letter {
    fate_t fate;
    const op_t *op;
    uint8_t user;   /* who sent it */
    uint32_t older; /* the message of the same sender before it, 0 = none */
    uint64_t connection;
    unsigned tries;  /* how often it was said */
    bool final;      /* it was answered for good: each further answer must be that one */
    uint64_t number; /* of its id, 0 = not known yet */
    code_t code;
    uint64_t said_at, told_at;
    uint32_t seq, copy_seq;         /* where pages showed it, 0 = nowhere yet */
    uint32_t seen, copies, bounces; /* in the final audit */
    bool stored;                    /* the receiver's realm has committed it */
    bool forgotten, copy_forgotten; /* retention took it */
    bool gave_up;                   /* a bounce said: expired, or the link was ended */
    bool shown_delivered, shown_rejected, shown_queued; /* by CHECKMESSAGE in the audit */
    uint8_t shown; /* what CHECKMESSAGE said last, 1 + message_state_t; 0 = it was not asked */
} letter_t;

/* A mailbox as its readers saw it: a fingerprint for each seq. */
typedef struct view {
    uint64_t *prints;
    size_t count, room;
} view_t;

/* A realm went back in time: what happened there between the two moments is gone. */
typedef struct setback {
    uint64_t backup_at, restored_at;
} setback_t;

typedef enum link_news { LINK_IS_UNKNOWN, LINK_IS_DOWN, LINK_IS_BUSY, LINK_IS_IDLE } link_news_t;

enum {
    SETBACKS_MAX = 4,
};

typedef struct oracle {
    uint64_t now; /* counts all that the oracle hears */
    letter_t *letters;
    size_t letter_count, letter_room;
    asked_t *asked;
    size_t asked_count, asked_room;
    size_t waiting; /* requests without an answer */
    view_t views[REALMS_MAX][VIEWS_PER_REALM];
    forgetting_t forgetting[REALMS_MAX];
    setback_t setbacks[REALMS_MAX][SETBACKS_MAX];
    unsigned setback_count[REALMS_MAX];
    uint64_t backup_at[REALMS_MAX];
    bool may_repeat[REALMS_MAX]; /* it went back without knowing, and gave ids before it knew */
    uint64_t user_lost_at[REALMS_MAX][NAMES_MAX];  /* the last time somebody removed that user */
    uint64_t user_made_at[REALMS_MAX][NAMES_MAX];  /* the last time somebody added it */
    uint64_t user_known_at[REALMS_MAX][NAMES_MAX]; /* the first time that it was acknowledged */
    uint64_t group_made_at[REALMS_MAX][NAMES_MAX]; /* likewise of groups */
    uint64_t group_lost_at[REALMS_MAX][NAMES_MAX];
    uint64_t link_lost_at[REALMS_MAX][REALMS_MAX]; /* the last DELREALM there of that one */
    uint32_t newest[REALMS_MAX][NAMES_MAX];        /* message of each sender */
    uint8_t password[REALMS_MAX][NAMES_MAX];       /* the newest that was asked for */
    char token[REALMS_MAX][NAMES_MAX][KEY_TEXT_BYTES + 1];
    link_news_t links[REALMS_MAX][REALMS_MAX]; /* what the last CHECKREALM said */
    bool user_there[REALMS_MAX][NAMES_MAX];    /* what the last LISTUSER said */
    bool audited[REALMS_MAX][NAMES_MAX];
    hearings_t hearings[REALMS_MAX];
    uint32_t *given; /* table of the ids of one realm -> letter */
    size_t given_room;
} oracle_t;

void oracle_init(oracle_t *oracle);
void oracle_deinit(oracle_t *oracle);
void oracle_begin(world_t *world);

/* Whether the message is said to all linked realms ("*"), which is one. */
bool oracle_goes_to_all(const world_t *world, const op_t *op);

/* A request goes out; returns its index. */
uint32_t oracle_said(world_t *world, const op_t *op, const asked_t *asked, uint64_t connection);
/* Its answer has come. Pages are read from what is committed. */
void oracle_told(world_t *world, uint32_t index, const reply_t *reply);
/* An event shows a message as a page of that mailbox would. */
void oracle_read_event(world_t *world, const asked_t *asked, const message_t *message);
/* A realm has committed records: what is on its disk now. */
void oracle_committed(world_t *world, unsigned realm, const record_t *records, size_t count);
/* No answer will come any more. */
void oracle_silence(world_t *world, uint32_t index);

/* A frame with records leaves for whoever holds a key. */
void oracle_overhears(world_t *world, unsigned from, unsigned to, const peer_message_t *message);

void oracle_backup(world_t *world, unsigned realm);
/* By hand: the copy does not know that it is one. */
void oracle_restored(world_t *world, unsigned realm, bool by_hand);

/* After the audit: every promise, one by one. */
void oracle_judge(world_t *world);

/* Which message a text is, 0 if it is none. */
uint32_t oracle_letter(const world_t *world, span_t text);

/* The text of a message: its name, then filling. Valid until the next call. */
size_t oracle_text(char *out, const op_t *op);

#endif
