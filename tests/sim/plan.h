/*
 * What will happen in a run, written down before it starts: who asks for what and when, and which
 * faults fall when. A run is a function of its plan; that is why a failure can be replayed from its
 * seed, and shrunk by leaving operations out.
 */
#ifndef REALMGATE_SIM_PLAN_H
#define REALMGATE_SIM_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    REALMS_MAX = 7,
    STRANGER = REALMS_MAX, /* holds a key that nobody pinned */
    USERS_MAX = 5,
    GROUPS_MAX = 3,
    NAMES_MAX = 8,      /* users or groups: more names than there are */
    SEATS_PER_USER = 2, /* connections that a user works with */
    SEATS_MAX = USERS_MAX * SEATS_PER_USER,
    SEAT_ADMIN = SEATS_MAX, /* speaks through the admin socket */
    SEAT_AUDIT,             /* reads everything at the end, user by user */
    SEATS_ALL = SEAT_AUDIT + USERS_MAX,
};

typedef enum op_kind {
    OP_SAY,     /* a request from a seat */
    OP_HANG_UP, /* a client closes its connection */
    OP_CRASH,   /* the realm's process dies, at a point of the turn */
    OP_STOP,    /* it ends cleanly and starts again */
    OP_FULL,    /* its disk is full for a while */
    OP_STALL,   /* it does nothing for a while */
    OP_SLOW,    /* its commits take long for a while */
    OP_CUT,     /* nothing gets from one realm to the other for a while */
    OP_BREAK,   /* the connections between two realms break */
    OP_NOISE,   /* single frames from one realm to the other go wrong for a while */
    OP_CLOCK,   /* a realm's idea of UTC jumps */
    OP_BACKUP,
    OP_RESTORE,
    OP_STRANGE, /* the stranger sends something */
    OP_DEPART,  /* a realm goes, and never comes back */
    OP_KIND_COUNT
} op_kind_t;

typedef enum verb {
    VERB_SEND,
    VERB_SENDREALM,
    VERB_SENDGROUP,
    VERB_SENDGROUPREALM,
    VERB_INBOX,
    VERB_INBOXREALM,
    VERB_INBOXGROUP,
    VERB_INBOXGROUPREALM,
    VERB_ADDGROUP,
    VERB_JOINGROUP,
    VERB_LEAVEGROUP,
    VERB_CHECKGROUP,
    VERB_CHECKMESSAGE,
    VERB_CHECKREALM,
    VERB_AUTH,
    VERB_AUTH_WRONG,
    VERB_RESUME,
    VERB_LOGOUT,
    VERB_QUIT,
    VERB_PING,
    VERB_LISTEN,
    VERB_UNLISTEN,
    VERB_HELP,
    VERB_REGISTER,
    VERB_PASSWORD,
    VERB_GARBAGE,
    VERB_SERVER_ONLY,
    VERB_ADDUSER,
    VERB_IMPORTUSER,
    VERB_DELUSER,
    VERB_LISTUSER,
    VERB_TRUSTREALM,
    VERB_ADDREALM,
    VERB_DELREALM,
    VERB_LISTREALM,
    VERB_CHECKSERVER,
    VERB_COUNT
} verb_t;

typedef enum crash_point {
    CRASH_BEFORE_COMMIT,
    CRASH_BEFORE_SEND,
    CRASH_WHILE_SENDING,
    CRASH_AFTER_SEND,
    CRASH_POINT_COUNT
} crash_point_t;

/* One line of the plan. What the small fields mean depends on the kind. */
typedef struct op {
    int64_t at_us;
    int64_t amount; /* how long, how far */
    uint32_t id;    /* its place in the whole plan; names a message for good */
    op_kind_t kind;
    verb_t verb;
    uint8_t realm; /* where */
    uint8_t seat;
    uint8_t peer;    /* the other realm */
    uint8_t name;    /* user or group */
    uint8_t variant; /* crash point, paging form, kind of strangeness */
    uint16_t bytes;  /* length of a text */
    uint16_t count;  /* turns to wait, rates of noise */
} op_t;

typedef struct plan {
    uint64_t seed;
    unsigned realm_count, user_count, group_count;
    bool faithful;               /* the network keeps the order of a connection */
    bool accept_any[REALMS_MAX]; /* trust on first use */
    bool registration[REALMS_MAX];
    int64_t retention_ms[REALMS_MAX];          /* 0 = forever */
    uint8_t group_key[REALMS_MAX][GROUPS_MAX]; /* which password the group has there */
    bool linked[REALMS_MAX][REALMS_MAX];       /* meant to be linked, symmetric */
    int64_t heal_us;                           /* when all faults end */
    op_t *ops;                                 /* by time */
    size_t op_count, op_room;
    uint32_t max_id; /* of an operation */
} plan_t;

/* Draws a plan from a seed; `size` is the number of operations, roughly. In place. */
void plan_init(plan_t *plan, uint64_t seed, unsigned size);
void plan_deinit(plan_t *plan);

/* Whether plans say this request word. */
bool plan_says(const char *word);

/* One line for people. */
void plan_print(FILE *out, const op_t *op);

#endif
