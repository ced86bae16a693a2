/*
 * Draws plans. Each seed leaves out some kinds of requests and faults altogether and stresses
 * others (swarm testing): what only shows in a realm without crashes, or under nothing but
 * crashes, gets its turn. Must throw no dice but the plan's own.
 */
#include "plan.h"

#include "base/memory.h"
#include "dice.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const op_names[OP_KIND_COUNT] = {
    "say",   "hang-up", "crash", "stop",   "full",    "stall",   "slow",  "cut",
    "break", "noise",   "clock", "backup", "restore", "strange", "depart"};

static const char *const verb_names[VERB_COUNT] = {
    "SEND",         "SENDREALM",  "SENDGROUP",     "SENDGROUPREALM",
    "INBOX",        "INBOXREALM", "INBOXGROUP",    "INBOXGROUPREALM",
    "ADDGROUP",     "JOINGROUP",  "LEAVEGROUP",    "CHECKGROUP",
    "CHECKMESSAGE", "CHECKREALM", "AUTH",          "AUTH (wrong)",
    "RESUME",       "LOGOUT",     "QUIT",          "PING",
    "LISTEN",       "UNLISTEN",   "HELP",          "REGISTER",
    "PASSWORD",     "(garbage)",  "(server only)", "ADDUSER",
    "IMPORTUSER",   "DELUSER",    "LISTUSER",      "TRUSTREALM",
    "ADDREALM",     "DELREALM",   "LISTREALM",     "CHECKSERVER"};

/* How often what is asked for, before the seed has its say. */
static const uint16_t verb_weights[VERB_COUNT] = {
    [VERB_SEND] = 60,         [VERB_SENDREALM] = 260,
    [VERB_SENDGROUP] = 40,    [VERB_SENDGROUPREALM] = 120,
    [VERB_INBOX] = 20,        [VERB_INBOXREALM] = 30,
    [VERB_INBOXGROUP] = 15,   [VERB_INBOXGROUPREALM] = 20,
    [VERB_ADDGROUP] = 6,      [VERB_JOINGROUP] = 25,
    [VERB_LEAVEGROUP] = 6,    [VERB_CHECKGROUP] = 5,
    [VERB_CHECKMESSAGE] = 30, [VERB_CHECKREALM] = 8,
    [VERB_AUTH] = 8,          [VERB_AUTH_WRONG] = 6,
    [VERB_RESUME] = 8,        [VERB_LOGOUT] = 5,
    [VERB_QUIT] = 4,          [VERB_PING] = 4,
    [VERB_LISTEN] = 60,       [VERB_UNLISTEN] = 4,
    [VERB_HELP] = 3,          [VERB_REGISTER] = 4,
    [VERB_PASSWORD] = 4,      [VERB_GARBAGE] = 8,
    [VERB_SERVER_ONLY] = 4,   [VERB_ADDUSER] = 5,
    [VERB_IMPORTUSER] = 4,    [VERB_DELUSER] = 5,
    [VERB_LISTUSER] = 2,      [VERB_TRUSTREALM] = 5,
    [VERB_ADDREALM] = 8,      [VERB_DELREALM] = 5,
    [VERB_LISTREALM] = 3,     [VERB_CHECKSERVER] = 2,
};

static const uint16_t fault_weights[OP_KIND_COUNT] = {
    [OP_HANG_UP] = 20, [OP_CRASH] = 40, [OP_STOP] = 8,     [OP_FULL] = 12,
    [OP_STALL] = 12,   [OP_SLOW] = 12,  [OP_CUT] = 20,     [OP_BREAK] = 20,
    [OP_NOISE] = 30,   [OP_CLOCK] = 8,  [OP_STRANGE] = 15,
};

typedef struct drawing {
    plan_t *plan;
    dice_t dice;
    uint16_t verbs[VERB_COUNT], faults[OP_KIND_COUNT];
    uint32_t verb_sum, fault_sum;
    bool has_links;
} drawing_t;

static op_t *add(drawing_t *drawing, op_kind_t kind, int64_t at_us) {
    plan_t *plan = drawing->plan;
    plan->ops = memory_grow(plan->ops, &plan->op_room, plan->op_count + 1, sizeof(*plan->ops));
    op_t *op = &plan->ops[plan->op_count++];
    *op = (op_t){.kind = kind, .at_us = at_us};
    op->realm = (uint8_t)dice_below(&drawing->dice, plan->realm_count);
    return op;
}

static uint32_t weigh(dice_t *dice, uint16_t *weights, const uint16_t *base, unsigned count) {
    static const uint8_t stress[] = {0, 1, 1, 1, 1, 2, 4, 8};
    uint32_t sum = 0;
    for (unsigned i = 0; i < count; i++) {
        weights[i] = (uint16_t)(base[i] * stress[dice_below(dice, sizeof(stress))]);
        sum += weights[i];
    }
    return sum;
}

static unsigned pick(dice_t *dice, const uint16_t *weights, uint32_t sum) {
    uint32_t throw = dice_below(dice, sum);
    unsigned index = 0;
    while (throw >= weights[index])
        throw -= weights[index++];
    return index;
}

/* A realm that this one is meant to be linked with, where there is one. */
static uint8_t pick_peer(drawing_t *drawing, uint8_t realm) {
    const plan_t *plan = drawing->plan;
    uint8_t peer = realm;
    for (unsigned i = 0; i < 8 && (peer == realm || !plan->linked[realm][peer]); i++)
        peer = (uint8_t)dice_below(&drawing->dice, plan->realm_count);
    return peer != realm ? peer : (uint8_t)((realm + 1) % plan->realm_count);
}

static bool is_about_group(verb_t verb) {
    return verb == VERB_SENDGROUP || verb == VERB_SENDGROUPREALM || verb == VERB_INBOXGROUP ||
           verb == VERB_INBOXGROUPREALM || verb == VERB_ADDGROUP || verb == VERB_JOINGROUP ||
           verb == VERB_LEAVEGROUP;
}

static bool is_operators(verb_t verb) {
    return verb >= VERB_ADDUSER;
}

static uint16_t draw_length(dice_t *dice) {
    uint32_t throw = dice_below(dice, 100);
    if (throw < 85)
        return (uint16_t)(12 + dice_below(dice, 40));
    if (throw < 97)
        return (uint16_t)(12 + dice_below(dice, 500));
    return (uint16_t)(12 + dice_below(dice, 4085));
}

static void draw_say(drawing_t *drawing, int64_t at_us) {
    plan_t *plan = drawing->plan;
    dice_t *dice = &drawing->dice;
    op_t *op = add(drawing, OP_SAY, at_us);
    op->verb = (verb_t)pick(dice, drawing->verbs, drawing->verb_sum);
    op->seat = (uint8_t)dice_below(dice, plan->user_count * SEATS_PER_USER);
    op->peer = pick_peer(drawing, op->realm);
    op->name =
        (uint8_t)dice_below(dice, is_about_group(op->verb) ? plan->group_count : plan->user_count);
    op->bytes = draw_length(dice);
    op->variant = (uint8_t)dice_below(dice, 256);
    op->amount = (int64_t)dice_below(dice, 1U << 30);
    if (op->verb <= VERB_INBOXGROUPREALM && dice_chance(dice, 30))
        op->name = NAMES_MAX - 1; /* nobody has that name */
    if (is_operators(op->verb))
        op->seat = SEAT_ADMIN;
    if (op->verb == VERB_ADDREALM) /* now they are */
        plan->linked[op->realm][op->peer] = plan->linked[op->peer][op->realm] = true;
    if (op->verb == VERB_PASSWORD)
        op->name = (uint8_t)(op->seat / SEATS_PER_USER);
    if (op->verb == VERB_DELUSER)
        op->name =
            (uint8_t)(plan->user_count - 1); /* always the same, the others can be relied on */
}

/* The same again and again, without waiting for answers. */
static void draw_burst(drawing_t *drawing, int64_t at_us) {
    draw_say(drawing, at_us);
    op_t first = drawing->plan->ops[drawing->plan->op_count - 1];
    uint32_t count = 5 + dice_below(&drawing->dice, 40);
    if (first.verb > VERB_SENDGROUPREALM)
        return;
    for (uint32_t i = 0; i < count; i++) {
        op_t *op = add(drawing, OP_SAY, at_us + i * dice_below(&drawing->dice, 300));
        int64_t when_us = op->at_us;
        *op = first;
        op->at_us = when_us;
        op->bytes = draw_length(&drawing->dice);
    }
}

static void draw_noise(drawing_t *drawing, op_t *op) {
    dice_t *dice = &drawing->dice;
    static const uint16_t rates[] = {0, 0, 20, 100, 300};
    op->amount = dice_between(dice, 100000, 6000000);
    op->count = rates[dice_below(dice, 5)];              /* lost */
    op->bytes = rates[dice_below(dice, 5)];              /* twice */
    op->name = (uint8_t)(rates[dice_below(dice, 4)]);    /* late */
    op->variant = (uint8_t)(rates[dice_below(dice, 4)]); /* garbage */
}

static void draw_fault(drawing_t *drawing, int64_t at_us) {
    dice_t *dice = &drawing->dice;
    op_t *op = add(drawing, (op_kind_t)pick(dice, drawing->faults, drawing->fault_sum), at_us);
    op->peer = pick_peer(drawing, op->realm);
    op->seat = (uint8_t)dice_below(dice, drawing->plan->user_count * SEATS_PER_USER);
    op->variant = (uint8_t)dice_below(dice, 256);
    op->count = (uint16_t)dice_below(dice, 20);
    op->amount = dice_between(dice, 1000, 4000000);
    if (op->kind == OP_CRASH) {
        op->variant = (uint8_t)dice_below(dice, CRASH_POINT_COUNT);
        op->name = (uint8_t)(dice_chance(dice, 300) ? 1 + dice_below(dice, 8) : 0);
        op->amount = dice_chance(dice, 600) ? dice_between(dice, 100, 100000) : op->amount;
    } else if (op->kind == OP_NOISE) {
        draw_noise(drawing, op);
    } else if (op->kind == OP_CUT) {
        op->amount = dice_between(dice, 100000, 9000000);
    } else if (op->kind == OP_CLOCK) {
        int64_t far_ms = dice_chance(dice, 400) ? 8LL * 24 * 3600 * 1000 : 100000;
        op->amount = dice_between(dice, -far_ms, far_ms);
    } else if (op->kind == OP_STRANGE) {
        op->name = (uint8_t)dice_below(dice, 16);
    }
}

/* A backup, life goes on, then the realm is set back to it. Few: each weakens what is promised. */
static void draw_restores(drawing_t *drawing, int64_t from_us, int64_t until_us) {
    dice_t *dice = &drawing->dice;
    if (!dice_chance(dice, 300))
        return;
    uint32_t count = 1 + dice_below(dice, 2);
    for (uint32_t i = 0; i < count; i++) {
        int64_t backup_us = dice_between(dice, from_us, until_us);
        op_t *op = add(drawing, OP_BACKUP, backup_us);
        uint8_t realm = op->realm;
        op = add(drawing, OP_RESTORE, dice_between(dice, backup_us, until_us));
        op->realm = realm;
        op->amount = dice_between(dice, 1000, 1000000);
    }
}

/* Of what a restored realm is sent again nothing arrives, then it is cut off for longer than
 * anybody waits. */
static void draw_relapse(drawing_t *drawing, const op_t *restore) {
    dice_t *dice = &drawing->dice;
    uint8_t realm = restore->realm, peer = pick_peer(drawing, restore->realm);
    int64_t at_us = restore->at_us + restore->amount;
    op_t *op = add(drawing, OP_NOISE, at_us);
    op->realm = peer;
    op->peer = realm;
    op->amount = 2000000;
    op->count = 1000; /* all are lost */
    op = add(drawing, OP_CUT, at_us + dice_between(dice, 500000, 1500000));
    op->realm = peer;
    op->peer = realm;
    op->amount = 9000000;
    op = add(drawing, OP_CLOCK, at_us + 2000000);
    op->realm = peer;
    op->amount = 6LL * 24 * 3600 * 1000;
}

static void draw_relapses(drawing_t *drawing) {
    size_t count = drawing->plan->op_count;
    for (size_t i = 0; i < count; i++) {
        op_t op = drawing->plan->ops[i];
        if (op.kind == OP_RESTORE && dice_chance(&drawing->dice, 300))
            draw_relapse(drawing, &op);
    }
}

/* Some backups are copies made by hand, which do not know that they are one. */
static void draw_copies(drawing_t *drawing) {
    for (size_t i = 0; i < drawing->plan->op_count; i++) {
        op_t *op = &drawing->plan->ops[i];
        if (op->kind == OP_RESTORE)
            op->variant = (uint8_t)dice_chance(&drawing->dice, 250);
    }
}

/* At most one realm goes for good. */
static void draw_departure(drawing_t *drawing, int64_t from_us, int64_t until_us) {
    dice_t *dice = &drawing->dice;
    if (dice_chance(dice, 100))
        (void)add(drawing, OP_DEPART, dice_between(dice, (from_us + until_us) / 2, until_us));
}

static void setup_say(drawing_t *drawing, int64_t at_us, verb_t verb, unsigned realm, unsigned seat,
                      unsigned peer, unsigned name) {
    op_t *op = add(drawing, OP_SAY, at_us);
    op->verb = verb;
    op->realm = (uint8_t)realm;
    op->seat = (uint8_t)seat;
    op->peer = (uint8_t)peer;
    op->name = (uint8_t)name;
}

static void setup_links(drawing_t *drawing, unsigned i) {
    plan_t *plan = drawing->plan;
    for (unsigned j = 0; j < plan->realm_count; j++) {
        if (i == j || !plan->linked[i][j])
            continue;
        setup_say(drawing, 40000, VERB_TRUSTREALM, i, SEAT_ADMIN, j, 0);
        if (i < j)
            setup_say(drawing, 60000, VERB_ADDREALM, i, SEAT_ADMIN, j, 0);
    }
}

static void setup(drawing_t *drawing) {
    plan_t *plan = drawing->plan;
    for (unsigned i = 0; i < plan->realm_count; i++) {
        for (unsigned u = 0; u < plan->user_count; u++)
            setup_say(drawing, 1000, VERB_ADDUSER, i, SEAT_ADMIN, 0, u);
        setup_links(drawing, i);
        for (unsigned g = 0; g < plan->group_count; g++) {
            if (dice_chance(&drawing->dice, 900))
                setup_say(drawing, 100000, VERB_ADDGROUP, i, 0, 0, g);
            for (unsigned u = 1; u < plan->user_count; u++) {
                if (dice_chance(&drawing->dice, 600))
                    setup_say(drawing, 200000, VERB_JOINGROUP, i, u * SEATS_PER_USER, 0, g);
            }
        }
    }
}

static void draw_shape(drawing_t *drawing) {
    plan_t *plan = drawing->plan;
    dice_t *dice = &drawing->dice;
    uint32_t throw = dice_below(dice, 100);
    plan->realm_count = throw < 50 ? 2 : throw < 80 ? 3 : 4 + dice_below(dice, REALMS_MAX - 3);
    plan->user_count = 2 + dice_below(dice, USERS_MAX - 1);
    plan->group_count = 1 + dice_below(dice, GROUPS_MAX);
    plan->faithful = dice_chance(dice, 500);
    for (unsigned i = 0; i < plan->realm_count; i++) {
        plan->accept_any[i] = dice_chance(dice, 150);
        plan->registration[i] = dice_chance(dice, 300);
        for (unsigned g = 0; g < plan->group_count; g++)
            plan->group_key[i][g] = (uint8_t)(dice_chance(dice, 150) ? 1 + i : 0);
        for (unsigned j = 0; j < i; j++)
            plan->linked[i][j] = plan->linked[j][i] = j + 1 == i || dice_chance(dice, 600);
    }
}

/* By dice of its own: what else happens in a seed does not depend on it. Some forget within the
 * moments that a fault takes, some only once everything is well again. */
static void draw_retention(plan_t *plan) {
    dice_t dice = {.state = dice_mix(plan->seed * 31 + 7)};
    if (!dice_chance(&dice, 400))
        return;
    for (unsigned i = 0; i < plan->realm_count; i++) {
        if (dice_chance(&dice, 600))
            plan->retention_ms[i] = dice_between(&dice, 200, dice_chance(&dice, 500) ? 2000 : 9000);
    }
}

static int by_time(const void *left, const void *right) {
    const op_t *a = left, *b = right;
    if (a->at_us != b->at_us)
        return a->at_us < b->at_us ? -1 : 1;
    return a->id < b->id ? -1 : 1;
}

void plan_init(plan_t *plan, uint64_t seed, unsigned size) {
    op_t *ops = plan->ops;
    size_t room = plan->op_room;
    *plan = (plan_t){.seed = seed, .ops = ops, .op_room = room};
    drawing_t drawing = {.plan = plan, .dice = {.state = dice_mix(seed + 1)}};
    dice_t *dice = &drawing.dice;
    draw_shape(&drawing);
    draw_retention(plan);
    setup(&drawing);
    drawing.verb_sum = weigh(dice, drawing.verbs, verb_weights, VERB_COUNT);
    drawing.fault_sum = weigh(dice, drawing.faults, fault_weights, OP_KIND_COUNT);
    int64_t from_us = 250000;
    plan->heal_us = from_us + dice_between(dice, 2000000, 16000000);
    uint32_t fault_permille = dice_chance(dice, 100) ? 0 : 20 + dice_below(dice, 150);
    uint32_t burst_permille = dice_chance(dice, 400) ? 0 : dice_below(dice, 40);
    for (unsigned i = 0; i < size; i++) {
        int64_t at_us = dice_between(dice, from_us, plan->heal_us);
        if (drawing.fault_sum > 0 && dice_chance(dice, fault_permille))
            draw_fault(&drawing, at_us);
        else if (drawing.verb_sum > 0 && dice_chance(dice, burst_permille))
            draw_burst(&drawing, at_us);
        else if (drawing.verb_sum > 0)
            draw_say(&drawing, at_us);
    }
    /* What came to be drawn later comes last: so old seeds still give what they gave. */
    draw_restores(&drawing, from_us, plan->heal_us);
    draw_departure(&drawing, from_us, plan->heal_us);
    draw_relapses(&drawing);
    draw_copies(&drawing);
    for (size_t i = 0; i < plan->op_count; i++)
        plan->ops[i].id = (uint32_t)i + 1;
    plan->max_id = (uint32_t)plan->op_count;
    qsort(plan->ops, plan->op_count, sizeof(*plan->ops), by_time);
}

void plan_deinit(plan_t *plan) {
    memory_free(plan->ops);
    plan->ops = NULL;
    plan->op_room = plan->op_count = 0;
}

bool plan_says(const char *word) {
    for (unsigned i = 0; i < VERB_COUNT; i++) {
        if (strcmp(verb_names[i], word) == 0)
            return true;
    }
    return false;
}

void plan_print(FILE *out, const op_t *op) {
    static const char *const points[] = {"before-commit", "before-send", "while-sending",
                                         "after-send"};
    (void)fprintf(out, "%9.3f ms  #%-4" PRIu32 " %c  ", (double)op->at_us / 1000.0, op->id,
                  'a' + op->realm);
    if (op->kind != OP_SAY) {
        (void)fprintf(out, "%s peer=%c seat=%u amount=%" PRId64 " variant=%u count=%u%s%s\n",
                      op_names[op->kind], 'a' + op->peer, op->seat, op->amount, op->variant,
                      op->count, op->kind == OP_CRASH ? " " : "",
                      op->kind == OP_CRASH ? points[op->variant] : "");
        return;
    }
    if (op->seat == SEAT_ADMIN)
        (void)fprintf(out, "operator: ");
    else
        (void)fprintf(out, "user %u, seat %u: ", op->seat / SEATS_PER_USER, op->seat);
    (void)fprintf(out, "%s peer=%c name=%u bytes=%u\n", verb_names[op->verb], 'a' + op->peer,
                  op->name, op->bytes);
}
