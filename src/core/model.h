/*
 * What a realm holds in memory, and the turn that every handler works in. Private to core: handlers
 * reach all of it, nobody else does. Message bodies are not here; they stay in the store.
 */
#ifndef REALMGATE_CORE_MODEL_H
#define REALMGATE_CORE_MODEL_H

#include "base/assert.h"
#include "base/bucket.h"
#include "base/index.h"
#include "base/map.h"
#include "core/state.h"

#define FAST_DIGEST_BYTES 16
/* More than twice as many as there are request words. */
#define COMMAND_SLOTS 128

typedef struct token {
    uint8_t digest[DIGEST_BYTES];
    int64_t time_ms;
} token_t;

/* What memory holds of a mailbox. Each user, group and realm has one of its own in its row, where
 * it is found without a search; see mailbox.c. */
typedef struct mailbox_row {
    mailbox_head_t head; /* seq 0 = there is no such mailbox */
    uint32_t round;      /* it is dirty in this round of checkpoints */
} mailbox_row_t;

/* Ids, and connections, that a row owns; NULL where it has none. */
typedef struct list_head {
    uint32_t count, room;
} list_head_t;

typedef struct id_list {
    list_head_t head;
    uint32_t ids[];
} id_list_t;

typedef struct connection_list {
    list_head_t head;
    uint64_t connections[];
} connection_list_t;

/*
 * There are as many as a million: rows are USER_BYTES, begin at a cache line and never move. A
 * message to a user touches the first two lines only, unless the name is longer than most. A row
 * outlives its user and keeps the name, so names may be lent to effects.
 */
#define USER_BYTES 256
typedef struct user {
    mailbox_row_t mailbox;        /* private messages */
    uint32_t ref_count;           /* a removed user's are still counted down */
    connection_list_t *listeners; /* its connections that listen */
    user_record_t record;
    uint8_t fast[FAST_DIGEST_BYTES]; /* keyed digest of the password, after one slow success */
    token_t *tokens;                 /* oldest first */
    id_list_t *groups;
    bool has_fast;
    uint8_t token_count, token_room;
} user_t;
_Static_assert(sizeof(user_t) == USER_BYTES, "rows of whole cache lines");
_Static_assert(TOKENS_PER_USER_MAX <= UINT8_MAX, "token_count holds it");

/* Users in a block of their table. */
#define USERS_PER_BLOCK 256

typedef struct group {
    group_record_t record;
    mailbox_row_t mailbox; /* messages of this realm's members */
    uint32_t *members;     /* in order of joining */
    size_t member_count, member_room;
    uint32_t *listeners; /* the members that have listening connections */
    size_t listener_count, listener_room;
} group_t;

/* A request that waits until an earlier one of its connection is answered. */
typedef struct deferred {
    struct deferred *next;
    uint32_t slot;
    request_t request;
    char line[];
} deferred_t;

typedef struct session {
    uint32_t user; /* 0 = not authenticated */
    bool blocked;  /* a request is with a worker, a peer or the store */
    bool has_token;
    bool listening;              /* stands among its user's listeners */
    bool awaits_verdicts;        /* what it is blocked for: `parked` to be 0 */
    uint32_t parked;             /* its requests that wait for a peer's verdict */
    uint8_t token[DIGEST_BYTES]; /* digest of the token that bound this connection */
    uint32_t deferred_count;
    deferred_t *deferred, *deferred_last;
} session_t;

/* An address that logins come from. */
typedef struct source {
    bucket_t failures;
    uint32_t jobs; /* with the password workers */
} source_t;

/* A request that waits for a worker, the store or a peer, found by its job number. */
typedef enum pending_kind {
    PENDING_AUTH = 1,
    PENDING_ADD_USER,
    PENDING_REGISTER,
    PENDING_SET_PASSWORD,
    PENDING_ADD_GROUP,
    PENDING_JOIN_GROUP,
    PENDING_LOOKUP,
} pending_kind_t;

typedef struct pending {
    pending_kind_t kind;
    ticket_t ticket;
    uint64_t source; /* where it came from, see request_t */
    uint32_t user;   /* AUTH: the user tried, 0 = unknown; else who asks */
    name_t name;     /* the user or group that it is about */
    bool is_operator;
    password_hash_t hash; /* AUTH: what was verified against */
    uint8_t fast[FAST_DIGEST_BYTES];
} pending_t;

/* INBOXREALM or INBOXGROUPREALM, while the peer is asked for what it still has. */
typedef struct pull {
    ticket_t ticket;
    uint32_t realm;
    int64_t deadline_us;
    bool group;
    name_t name; /* the user or group */
    page_query_t query;
} pull_t;

/* SENDREALM or SENDGROUPREALM, committed to the outbox, while the peer's verdict is awaited. */
typedef struct parked {
    ticket_t ticket;
    uint32_t seq;
    uint32_t group; /* 0 = private */
    uint32_t user;
    uint64_t number;
    int64_t time_ms;
    int64_t deadline_us;
    uint64_t broadcast; /* 0, or the broadcast whose row `row` waits for the verdict */
    uint32_t row;
    char *text; /* of a group message: for our own copy */
    size_t text_bytes;
} parked_t;

/* A request with a ref, on its way to its reply. */
typedef struct asked {
    bool keeps;                       /* its outcome is kept, under the digest */
    uint8_t digest[REF_DIGEST_BYTES]; /* of the user and the ref */
    uint8_t length;
    char ref[REF_BYTES_MAX];
} asked_t;

/* What came, or will come, of a request with a ref. The row in the store says the same. */
typedef struct ref {
    uint64_t number;
    int64_t time_ms;
    uint64_t message;
    uint32_t user;
    uint8_t success, code, delivery;
    bool under_way; /* its reply is still to come */
    bool stored;    /* there is a row of it: whatever comes of it is kept */
    uint16_t realm_bytes;
    uint8_t *realms;
} ref_t;

/* Connections whose next request has the ref of one that is under way. */
typedef struct ref_queue {
    uint64_t *connections;
    size_t count, room;
} ref_queue_t;

/* SENDGROUPREALM *, while verdicts are awaited. */
typedef struct broadcast {
    ticket_t ticket;
    uint32_t left; /* verdicts to come */
    uint32_t count;
    broadcast_status_t *rows;
} broadcast_t;

typedef enum link_phase { LINK_IDLE, LINK_DIALLING, LINK_GREETING, LINK_UP } link_phase_t;

typedef enum sweep_purpose {
    SWEEP_NONE,
    SWEEP_SETTLE, /* at start: give each record its local consequences */
    SWEEP_REJECT, /* read the one that the peer refused, to bounce it */
    SWEEP_EXPIRE, /* bounce what is too old */
    SWEEP_LEAVE,  /* the link ends: bounce all */
} sweep_purpose_t;

/* What has no more room in the stream row, see core/history.h. */
typedef struct history {
    stream_mark_t *marks; /* oldest first; row `number + i` is marks[i] */
    size_t count, room;
    uint32_t number;
} history_t;

typedef struct realm {
    realm_record_t record;
    mailbox_row_t outbox;
    stream_record_t stream;
    history_t segments; /* outgoing: older than those of the stream row */
    history_t marks;    /* incoming: likewise */
    bool touched;       /* its stream row is owed to the store at the end of the batch */
    bool knows_peer;    /* stream.peer was told in this run of the process */

    link_phase_t phase;
    uint64_t dial;
    int64_t due_us; /* IDLE: dial then; DIALLING, GREETING: give up then; UP: heartbeat then */
    int64_t backoff_ms;
    const char *error;
    int64_t rtt_us;     /* negative: not measured */
    int64_t greeted_us; /* when the greeting under way was sent */
    uint32_t pings_missed;
    uint64_t ping;   /* correlation of the newest heartbeat, 0 = answered */
    uint64_t ponged; /* correlation of the newest answer to one */
    uint64_t pull;   /* correlation of our pull without a client behind it, 0 = none */

    uint32_t sent;             /* outgoing: all up to this seq was handed to the dial */
    stream_mark_t edge;        /* outgoing: the peer's mark once it has all that was handed over */
    int64_t resend_us;         /* outgoing: when silence has lasted too long */
    bool segment_open;         /* the newest segment was begun by this process */
    uint32_t taken;            /* outgoing: the peer has taken all up to this seq */
    peer_rejection_t *refused; /* outgoing: the peer's refusals above `done`, ascending */
    size_t refused_count, refused_room;
    parked_t *parked; /* ascending seq; [parked_first, parked_count) are live */
    size_t parked_first, parked_count, parked_room;
    sweep_purpose_t sweep;
    uint32_t swept;    /* the last seq that the sweep under way asked for */
    int64_t expire_us; /* when to look for expired records next */

    uint32_t kept; /* outgoing: the oldest seq that retention left standing, 0 = none */
    peer_rejection_t *rejections; /* incoming: ours, above what the sender has settled */
    size_t rejection_count, rejection_room;
} realm_t;

/* ADDREALM, while its handshake runs; nothing is stored before it succeeds. */
typedef struct candidate {
    ticket_t ticket;
    name_t name;
    uint8_t key[KEY_BYTES];
    address_t address;
    int64_t deadline_us;
    int64_t greeted_us;
} candidate_t;

/* Retention's walk along the front of the log, see retention.h. */
typedef struct retention {
    int64_t due_us;    /* when to look next, INT64_MAX = never */
    uint64_t cursor;   /* all up to here was looked at in this pass */
    uint64_t old_to;   /* all up to here came longer ago than the retention */
    uint64_t unclear;  /* the first one behind it whose age is not known, 0 = none */
    uint64_t cut;      /* the newest message that ever went */
    uint64_t seen;     /* next_position when rows were asked for last */
    uint64_t settled;  /* sum of the streams' `done` when the pass over what was left began */
    bool asked;        /* rows are on their way */
    bool again;        /* the settings changed: what is on its way counts for nothing */
    bool left;         /* undelivered ones were left standing */
    bool clock_known;  /* offset_ms is set */
    int64_t offset_ms; /* UTC less uptime when it was looked at last */
    int64_t steady_us; /* since then the clock has not jumped */
    int64_t left_us;   /* when to see again what was left standing */
    uint64_t gone;     /* messages that went since the start */
} retention_t;

/* How much was done by the beginning of a second of uptime. */
typedef struct rate_mark {
    int64_t second; /* + 1, so that 0 is none */
    uint64_t requests, messages;
} rate_mark_t;

#define RATE_WINDOW_S 60

/* Whom requests that will soon be stepped seem to be about, in the order in which they were
 * announced. The newest are still being fetched: only behind so many others is one looked up. */
#define EXPECTED_ROOM  32
#define EXPECTED_FETCH 6
typedef struct expected {
    ticket_t ticket;
    uint32_t hash; /* of the name */
    uint32_t user; /* 0 = nobody, or not looked up */
} expected_t;

struct state {
    state_options_t options;
    uint64_t draws;        /* how often the keyed generator was asked */
    uint8_t hash_seed[16]; /* of every map here: nobody outside knows it */
    uint64_t next_job, next_dial;

    user_t **user_blocks; /* see user_row */
    group_t *groups;      /* by id - 1 */
    realm_t *realms;
    size_t user_count, user_block_count, user_block_room;
    size_t group_count, group_room, realm_count, realm_room;
    index_t *user_names, *group_names;   /* name -> id */
    map_t *realm_names;                  /* name_t -> id */
    map_t *realm_keys;                   /* key -> id, of pinned realms */
    map_t *members;                      /* member_record_t -> 1 */
    map_t *tokens;                       /* digest -> user id */
    uint8_t command_rows[COMMAND_SLOTS]; /* see command_index */

    expected_t expected[EXPECTED_ROOM];    /* a ring */
    size_t expected_count, expected_first; /* ever announced; the first that may still come */

    map_t *sources;    /* address -> source_t, in the order of their last attempt */
    map_t *sessions;   /* connection -> session_t */
    map_t *pending;    /* job -> pending_t */
    map_t *pulls;      /* job -> pull_t, in order of deadline */
    map_t *candidates; /* dial -> candidate_t */
    map_t *dials;      /* dial -> realm id */
    uint64_t *ready;   /* connections whose deferred requests may go on */
    size_t ready_count, ready_room;
    uint32_t *touched; /* realms with `touched` set */
    size_t touched_count, touched_room;
    int64_t links_due_us; /* no link has anything to do before it */
    size_t password_jobs;
    size_t deferred_bytes; /* memory of all deferred requests */

    map_t *asked;        /* ticket -> asked_t */
    map_t *refs;         /* digest -> ref_t, in order of number */
    map_t *ref_queues;   /* digest -> ref_queue_t */
    uint64_t ref_number; /* the newest */
    uint32_t admin_refs; /* how many are the admin socket's */
    int64_t refs_due_us; /* when to look for old ones next */

    map_t *broadcasts;        /* job -> broadcast_t */
    size_t broadcast_records; /* made for this commit */

    uint64_t listener_changes; /* counts them: who listens where is the same while it is */

    map_t *mailboxes;     /* mailbox -> mailbox_row_t, of those that stand in no other row */
    size_t mailbox_count; /* of all */
    uint32_t round;       /* counts checkpoints, from 1 */
    mailbox_t *dirty;     /* mailboxes appended to since the checkpoint began: its round is ours */
    mailbox_t *writing; /* those of the checkpoint under way; it still owes those from `written` */
    bool is_writing;    /* a checkpoint is under way */
    size_t dirty_count, dirty_room, writing_count, writing_room, written;
    uint64_t next_position, checkpoint, checkpoint_target;
    size_t settling; /* links whose start is still being settled: until then no request comes */
    floor_record_t floor;
    bool skipped;         /* positions, because the store went back in time */
    uint64_t handed_over; /* positions up to this one were in an earlier turn's records */

    bool checkpoint_wanted; /* retention waits for one */
    retention_t retention;

    uint64_t requests, peer_messages, peer_errors;
    uint64_t refused[LIMIT_COUNT];             /* how often each limit was in the way */
    rate_mark_t rate_marks[RATE_WINDOW_S];     /* by second modulo RATE_WINDOW_S */
    uint64_t requests_before, messages_before; /* at the end of the last batch */
    int64_t started_us;
};

/* One call of state_step: what every handler needs. */
typedef struct turn {
    state_t *state;
    effects_t *effects;
    size_t answered; /* replies up to this one have got their refs */
    int64_t now_ms;  /* UTC */
    int64_t now_us;  /* monotonic */
} turn_t;

/* The row of an id that is in the table, tombstones too. */
static inline user_t *user_row(const state_t *state, uint32_t id) {
    ASSERT(id > 0 && id <= state->user_count);
    return &state->user_blocks[(id - 1) / USERS_PER_BLOCK][(id - 1) % USERS_PER_BLOCK];
}

/* Rows by id; NULL for 0, ids outside the table and tombstones. */
static inline user_t *user_find(const state_t *state, uint32_t id) {
    if (id == 0 || id > state->user_count)
        return NULL;
    user_t *user = user_row(state, id);
    return user->record.gone ? NULL : user;
}
user_t *user_named(const state_t *state, const name_t *name);
/* A hint: the request with this ticket will soon be about the user of that name. */
void user_expect(state_t *state, ticket_t ticket, const name_t *name);
/* What user_named finds under a name, if that was expected of the ticket: NULL says nothing. */
const user_t *user_expected(state_t *state, ticket_t ticket, span_t name);
/* Who sent a message of this realm; NULL if that user was removed since. */
user_t *user_sender(const state_t *state, const message_t *message);
group_t *group_find(const state_t *state, uint32_t id);
group_t *group_named(const state_t *state, const name_t *name);

/* realm_find gives tombstones too; realm_named and realm_keyed only pinned, not leaving ones;
 * realm_linked only linked ones. */
realm_t *realm_find(const state_t *state, uint32_t id);
realm_t *realm_named(const state_t *state, const name_t *name);
realm_t *realm_keyed(const state_t *state, const uint8_t key[KEY_BYTES]);
realm_t *realm_linked(const state_t *state, const name_t *name);

bool mark_equal(stream_mark_t a, stream_mark_t b);

/* The realm's stream row is owed to the store at the end of the batch, and its stream is pumped. */
void realm_touch(state_t *state, realm_t *realm);

/* Adds or replaces a row in the tables (not in the store). Pointers to rows of the same table are
 * no longer valid behind it. False if the ids do not fit together: a corrupt store. */
bool model_put_user(state_t *state, const user_record_t *record);
bool model_put_group(state_t *state, const group_record_t *record);
bool model_put_realm(state_t *state, const realm_record_t *record);
bool model_put_token(state_t *state, const token_record_t *record);
bool model_put_member(state_t *state, const member_record_t *record);
void model_drop_token(state_t *state, const uint8_t digest[DIGEST_BYTES]);
void model_drop_member(state_t *state, const member_record_t *record);
bool model_is_member(const state_t *state, uint32_t group, uint32_t user);

/* A connection of the user begins, or ends, to listen: the user's row, and those of its groups. */
void model_put_listener(state_t *state, uint32_t user, uint64_t connection);
void model_drop_listener(state_t *state, uint32_t user, uint64_t connection);

/* How many groups a user is in, and connections of a user listen. */
size_t user_group_count(const user_t *user);
size_t user_listener_count(const user_t *user);

/* Frees the rows and what they own. */
void model_free_rows(state_t *state);

/* `length` (at most DIGEST_BYTES) bytes of the keyed generator: BLAKE2b of a counter under the
 * process's secret, unpredictable to everybody else, repeatable for a given secret. */
void model_draw(state_t *state, void *out, size_t length);

/* The next job number; never 0. */
uint64_t model_job(state_t *state);

#endif
