/*
 * The run itself: one heap of things to come, one clock that jumps from each to the next. Must
 * never look at a real clock, an address or anything else that the plan does not say.
 */
#include "world.h"

#include "base/assert.h"
#include "base/memory.h"
#include "clients.h"
#include "network.h"
#include "node.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* After this long without faults everything has to be as promised. */
static const int64_t liveness_us = 200LL * 1000 * 1000;
/* A peer whose connection ended without a word is missed by then: three heartbeats. */
static const int64_t settle_us = 5LL * 1000 * 1000;
static const int64_t check_every_us = 500 * 1000;
/* Where a realm is gone for good, its peers have given up on it by then: their clocks say that more
 * days have passed than anybody waits, and sweeps look for what has expired. */
static const int64_t give_up_us = 20LL * 1000 * 1000;
static const int64_t give_up_ms = 400LL * 24 * 3600 * 1000;

void world_init(world_t *world) {
    memset(world, 0, sizeof(*world));
    oracle_init(&world->oracle);
    arena_init(&world->arena);
    batch_init(&world->packed);
    buffer_init(&world->scratch);
    buffer_init(&world->network.overheard);
    for (unsigned i = 0; i < REALMS_MAX; i++) {
        effects_init(&world->realms[i].effects);
        buffer_init(&world->realms[i].input_bytes);
    }
}

void world_deinit(world_t *world) {
    for (unsigned i = 0; i < REALMS_MAX; i++)
        node_free(&world->realms[i]);
    network_free(world);
    clients_free(world);
    forgetting_free(world);
    oracle_deinit(&world->oracle);
    arena_deinit(&world->arena);
    batch_deinit(&world->packed);
    buffer_deinit(&world->scratch);
    memory_free(world->items);
    memory_free(world->works);
}

void world_trace(world_t *world, uint64_t value) {
    world->trace = (world->trace ^ value) * 0x9e3779b97f4a7c15ULL;
    world->trace ^= world->trace >> 29;
}

void world_tell(const world_t *world, const char *format, ...) {
    if (!world->verbose)
        return;
    va_list arguments;
    va_start(arguments, format);
    (void)printf("%12.3f ms  ", (double)world->now_us / 1000.0);
    (void)vprintf(format, arguments);
    (void)printf("\n");
    va_end(arguments);
}

void world_violation(world_t *world, const char *rule, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)snprintf(world->rule, sizeof(world->rule), "%s", rule);
    (void)vsnprintf(world->words, sizeof(world->words), format, arguments);
    va_end(arguments);
    longjmp(world->ended, 1);
}

/* ---- what is to come ---- */

static bool is_before(const item_t *a, const item_t *b) {
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

void world_schedule(world_t *world, int64_t at_us, item_kind_t kind, uint32_t a, uint32_t b,
                    uint32_t c) {
    world->items =
        memory_grow(world->items, &world->item_room, world->item_count + 1, sizeof(*world->items));
    item_t item = {at_us, ++world->item_orders, kind, a, b, c};
    size_t index = world->item_count++;
    while (index > 0 && is_before(&item, &world->items[(index - 1) / 2])) {
        world->items[index] = world->items[(index - 1) / 2];
        index = (index - 1) / 2;
    }
    world->items[index] = item;
}

static item_t item_take(world_t *world) {
    item_t first = world->items[0];
    item_t last = world->items[--world->item_count];
    size_t index = 0;
    for (;;) {
        size_t child = 2 * index + 1;
        if (child + 1 < world->item_count &&
            is_before(&world->items[child + 1], &world->items[child]))
            child += 1;
        if (child >= world->item_count || !is_before(&world->items[child], &last))
            break;
        world->items[index] = world->items[child];
        index = child;
    }
    world->items[index] = last;
    return first;
}

/* ---- the two phases ---- */

bool world_links(const world_t *world, unsigned i, unsigned j) {
    return world->plan->linked[i][j] && i != world->departed && j != world->departed;
}

static void heal(world_t *world) {
    world->healed = true;
    world_tell(world, "all faults end");
    network_heal(world);
    for (unsigned i = 0; i < world->plan->realm_count; i++) {
        if (i == world->departed)
            continue;
        node_heal(world, &world->realms[i]);
    }
    world_schedule(world, world->now_us + check_every_us, ITEM_CHECK, 0, 0, 0);
}

static void not_live(world_t *world) {
    char words[400] = "";
    size_t length = 0;
    const oracle_t *oracle = &world->oracle;
    for (unsigned i = 0; i < world->plan->realm_count; i++) {
        for (unsigned j = 0; j < world->plan->realm_count; j++) {
            static const char *const news[] = {"unlinked", "down", "busy", "idle"};
            if (world_links(world, i, j) && oracle->links[i][j] != LINK_IS_IDLE)
                length += (size_t)snprintf(words + length, sizeof(words) - length, " %s->%s %s",
                                           realm_text(i), realm_text(j), news[oracle->links[i][j]]);
            length = length < sizeof(words) ? length : sizeof(words) - 1;
        }
    }
    world_violation(world, "not-live", "%zu requests without an answer;%s", oracle->waiting, words);
}

static void days_pass(world_t *world) {
    world->days_passed = true;
    for (unsigned i = 0; i < world->plan->realm_count; i++)
        world->realms[i].skew_ms += give_up_ms;
}

static void check(world_t *world) {
    if (world->audit_begun && world->oracle.waiting == 0) {
        oracle_judge(world);
        world->done = true;
        return;
    }
    if (world->departed < REALMS_MAX && !world->days_passed &&
        world->now_us >= world->plan->heal_us + settle_us)
        days_pass(world);
    if (world->now_us > world->plan->heal_us + liveness_us)
        not_live(world);
    int64_t calm_us = world->departed < REALMS_MAX ? give_up_us : settle_us;
    bool settled = world->now_us >= world->plan->heal_us + calm_us;
    if (!world->audit_begun && settled && clients_repaired(world)) {
        world->audit_begun = true;
        world_tell(world, "the audit begins");
        clients_audit(world);
    } else if (!world->audit_begun) {
        clients_repair(world);
    }
    world_schedule(world, world->now_us + check_every_us, ITEM_CHECK, 0, 0, 0);
}

static void do_op(world_t *world, const op_t *op) {
    if (world->verbose)
        plan_print(stdout, op);
    world_trace(world, op->id);
    switch (op->kind) {
    case OP_SAY:
        clients_say(world, op);
        break;
    case OP_HANG_UP:
        clients_hang_up(world, op->realm, op->seat);
        break;
    case OP_CUT:
        network_cut(world, op->realm, op->peer, world->now_us + op->amount);
        if (op->variant % 2 == 0)
            network_cut(world, op->peer, op->realm, world->now_us + op->amount);
        break;
    case OP_BREAK:
        network_break(world, op->realm, op->peer);
        break;
    case OP_NOISE:
        network_noise(world, op);
        break;
    case OP_STRANGE:
        node_strange(world, op);
        break;
    default:
        node_fault(world, op);
        break;
    }
}

static void do_item(world_t *world, const item_t *item) {
    realm_node_t *node = &world->realms[item->a % REALMS_MAX];
    world_trace(world, (uint64_t)item->at_us << 8 | item->kind);
    switch (item->kind) {
    case ITEM_FRAME:
        network_frame(world, item);
        break;
    case ITEM_DIAL:
        network_decide(world, item);
        break;
    case ITEM_LOST:
        network_lost(world, item);
        break;
    case ITEM_TURN:
        if (node->state != NULL && node->life == item->b && node->turn_us == item->at_us)
            node_turn(world, node);
        break;
    case ITEM_TICK:
        node_tick(world, node, item);
        break;
    case ITEM_START:
        node_start(world, node);
        break;
    case ITEM_PASSWORD:
        node_password(world, item);
        break;
    case ITEM_MEND:
        network_mend(world);
        break;
    case ITEM_CHECK:
        check(world);
        break;
    }
}

static void run(world_t *world) {
    const plan_t *plan = world->plan;
    size_t next = 0;
    while (!world->done) {
        int64_t item_us = world->item_count > 0 ? world->items[0].at_us : NEVER;
        int64_t op_us = next < plan->op_count ? plan->ops[next].at_us : NEVER;
        bool heals = !world->healed && plan->heal_us <= item_us && plan->heal_us <= op_us;
        world->now_us = heals ? plan->heal_us : op_us <= item_us ? op_us : item_us;
        if (heals) {
            heal(world);
        } else if (op_us <= item_us) {
            do_op(world, &plan->ops[next++]);
        } else {
            item_t item = item_take(world);
            do_item(world, &item);
        }
    }
}

static void begin(world_t *world, const plan_t *plan) {
    world->plan = plan;
    world->now_us = 0;
    world->events = world->trace = world->item_orders = 0;
    world->departed = REALMS_MAX;
    world->days_passed = world->healed = world->done = world->audit_begun = world->news_final =
        false;
    world->checks = 0;
    world->item_count = world->work_count = 0;
    world->rule[0] = world->words[0] = '\0';
    arena_reset(&world->arena);
    network_begin(world);
    clients_begin(world);
    oracle_begin(world);
}

/* The world whose core is being stepped: where an assertion that does not hold comes out. */
static world_t *asserting;

void assert_fail(const char *condition, const char *file, int line) {
    world_violation(asserting, "assertion", "%s (%s:%d)", condition, strrchr(file, '/') + 1, line);
}

bool world_run(world_t *world, const plan_t *plan) {
    asserting = world;
    begin(world, plan);
    if (setjmp(world->ended) == 0) {
        for (unsigned i = 0; i < plan->realm_count; i++)
            node_begin(world, i);
        run(world);
    }
    for (unsigned i = 0; i < plan->realm_count; i++)
        node_end(world, i);
    return world->rule[0] == '\0';
}
