/*
 * A run of the simulator: realms, the network between them, their clients, the clock, and what the
 * oracle knows. One thread owns a world; everything in it follows from the plan.
 */
#ifndef REALMGATE_SIM_WORLD_H
#define REALMGATE_SIM_WORLD_H

#include "base/arena.h"
#include "base/batch.h"
#include "base/buffer.h"
#include "core/state.h"
#include "dice.h"
#include "memory_store.h"
#include "oracle.h"
#include "plan.h"

#include <setjmp.h>

#define NEVER INT64_MAX
/* UTC of the start of every run: 2026-11-22T10:00:00Z. */
#define WORLD_EPOCH_MS 1795341600000LL

/* What waits for its time. */
typedef enum item_kind {
    ITEM_FRAME = 1, /* a frame reaches the end of its way */
    ITEM_DIAL,      /* an attempt to connect is decided */
    ITEM_LOST,      /* the dialling side notices that a connection is gone */
    ITEM_TURN,      /* a realm takes what has come */
    ITEM_TICK,      /* a realm may have something to do by itself */
    ITEM_START,     /* a realm's process starts */
    ITEM_PASSWORD,  /* a password worker is done */
    ITEM_MEND,      /* the end of a fault */
    ITEM_CHECK,     /* after healing: is everything as promised? */
} item_kind_t;

typedef struct item {
    int64_t at_us;
    uint64_t order; /* of scheduling: ties go to the older one */
    item_kind_t kind;
    uint32_t a, b, c;
} item_t;

/* A frame on its way. Slots are used again. */
typedef struct frame {
    buffer_t bytes;
    uint32_t next_free; /* index + 1 */
    uint32_t next_held; /* index + 1, in the queue of a connection that is cut */
} frame_t;

typedef enum connection_phase {
    CONNECTION_DIALLING,
    CONNECTION_UP,
    CONNECTION_GONE
} connection_phase_t;

/* A CURVE session, or the attempt at one. Direction 0 leads from the dialling side. */
typedef struct connection {
    connection_phase_t phase;
    uint8_t from, to;
    bool hung_up; /* the dialling side closed it: hears nothing, but what it sent arrives */
    bool noticed; /* the dialling side knows that it is gone */
    uint32_t from_life, to_life;
    uint64_t dial;  /* the dialling realm's own number */
    uint8_t wanted; /* whose key it wants to find there */
    int64_t newest_us[2];
    uint32_t held_first[2], held_last[2];
} connection_t;

typedef struct noise {
    int64_t until_us;
    uint16_t loss, twice, late, garbage; /* permille */
} noise_t;

typedef struct network {
    connection_t *connections;
    size_t connection_count, connection_room;
    frame_t *frames;
    size_t frame_count, frame_room;
    uint32_t free_frames;
    int64_t cut_until_us[REALMS_MAX][REALMS_MAX];
    noise_t noise[REALMS_MAX][REALMS_MAX];
    dice_t dice[REALMS_MAX + 1][REALMS_MAX + 1];
    buffer_t overheard; /* what the stranger heard last */
} network_t;

typedef enum input_kind {
    INPUT_FRAME,
    INPUT_REQUEST,
    INPUT_CLOSED,
    INPUT_PASSWORD,
    INPUT_DIALLED,
    INPUT_DIAL_LOST
} input_kind_t;

/* What waits for a realm's next turn. Bytes lie in the realm's input_bytes. */
typedef struct input {
    input_kind_t kind;
    uint8_t from; /* FRAME: whose key */
    bool dialled, admin;
    uint64_t number; /* route, dial, connection or job */
    uint32_t slot;
    dial_error_t error;
    size_t offset, length;
} input_t;

/* A password job that a worker has. */
typedef struct password_work {
    uint32_t life;
    event_t answer;
} password_work_t;

typedef struct realm_node {
    uint8_t index;
    state_options_t options;
    memory_store_t *store;
    state_t *state; /* NULL: no process */
    uint32_t life;
    effects_t effects;
    int64_t born_us, turn_us, tick_us, stalled_until_us, slow_until_us, full_until_us;
    int64_t asked_us;   /* when lookups or sweeps were last asked for */
    unsigned questions; /* how often at that very moment */
    int64_t start_us;   /* when the next process starts, NEVER if one runs */
    int64_t skew_ms;
    dice_t dice;
    input_t *inputs;
    size_t input_count, input_room;
    buffer_t input_bytes;
    lookup_t *lookups;
    sweep_t *sweeps;
    size_t lookup_count, lookup_room, sweep_count, sweep_room;
    trim_t trim; /* limit 0 = nothing was asked */
    bool crash_armed;
    crash_point_t crash_point;
    unsigned crash_turns;   /* turns with something to commit until then */
    peer_kind_t crash_kind; /* 0, or: only in a turn that takes such a frame */
    int64_t crash_rest_us;
    bool allowed[REALMS_MAX + 1]; /* keys that get in */
    uint32_t *dials;              /* dial number -> connection index + 1, 0 = closed */
    size_t dial_count, dial_room;
} realm_node_t;

/* A seat's connection, if it has one. */
typedef struct seat {
    uint64_t connection; /* 0 = none */
    uint32_t life;
    bool bound;         /* was bound to its user, as far as the client knows */
    uint32_t *requests; /* by slot - 1: index of the request */
    size_t request_count, request_room;
    const op_t **again; /* messages that are to be said again under their refs */
    size_t again_count, again_room;
} seat_t;

/* A user's part of the audit. */
typedef struct audit_part {
    size_t next, end;
    unsigned waiting;
} audit_part_t;

struct world {
    const plan_t *plan;
    int64_t now_us;
    uint64_t events; /* steps of states and deliveries by the network */
    uint64_t trace;  /* hash of everything that happened */
    bool healed, done;
    unsigned departed; /* the realm that is gone for good, REALMS_MAX if none is */
    bool days_passed;  /* so many that nobody waits for it any more */
    bool verbose;

    item_t *items; /* a heap */
    size_t item_count, item_room;
    uint64_t item_orders;

    realm_node_t realms[REALMS_MAX];
    network_t network;
    password_work_t *works;
    size_t work_count, work_room;

    seat_t seats[REALMS_MAX][SEATS_ALL];
    uint64_t connection_count;
    uint64_t *owners; /* connection - 1 -> realm << 32 | seat */
    size_t owner_room;
    bool audit_begun;
    op_t *audit; /* what is asked in the audit, realm by realm, user by user */
    size_t audit_count, audit_room;
    audit_part_t audit_parts[REALMS_MAX][USERS_MAX];
    int64_t check_us;
    unsigned checks;
    bool news_final; /* nobody was waiting when realms were last asked how they are */

    oracle_t oracle;
    arena_t arena; /* decoded frames, collected messages: for the length of a step */
    batch_t packed;
    buffer_t scratch;

    jmp_buf ended;
    char rule[64]; /* empty: no violation */
    char words[512];
};
typedef struct world world_t;

/* Runs a plan from its beginning to its verdict. True: all promises were kept. Else rule and words
 * say what was not. */
bool world_run(world_t *world, const plan_t *plan);

/* In place. What a run leaves behind is used again by the next one. */
void world_init(world_t *world);
void world_deinit(world_t *world);

/* A promise was broken: the run is over. Does not return. */
_Noreturn void world_violation(world_t *world, const char *rule, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void world_schedule(world_t *world, int64_t at_us, item_kind_t kind, uint32_t a, uint32_t b,
                    uint32_t c);
/* Mixes a number into the trace. */
void world_trace(world_t *world, uint64_t value);
/* For people; only with --trace. */
void world_tell(const world_t *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Whether two realms are meant to be linked, and both are there. */
bool world_links(const world_t *world, unsigned i, unsigned j);

/* "a", "b", ...; the stranger is "mallory". */
const char *realm_text(unsigned index);
void realm_key(uint8_t key[KEY_BYTES], unsigned index);

#endif
