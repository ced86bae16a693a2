/*
 * Delta debugging: leaves out runs of operations, long ones first, as long as the same rule is
 * broken. Must never change an operation: a message keeps its name.
 */
#include "shrink.h"

#include "base/memory.h"

#include <string.h>

static const unsigned tries_max = 6000;

typedef struct shrinking {
    world_t *world;
    plan_t *plan;
    char rule[64];
    op_t *kept; /* a copy of the operations before the try */
    unsigned tries;
} shrinking_t;

/* Tries without [first, first + count). Puts them back if the violation is gone. */
static bool try_without(shrinking_t *shrinking, size_t first, size_t count) {
    plan_t *plan = shrinking->plan;
    size_t before = plan->op_count;
    memcpy(shrinking->kept, plan->ops, before * sizeof(op_t));
    memmove(&plan->ops[first], &plan->ops[first + count], (before - first - count) * sizeof(op_t));
    plan->op_count -= count;
    shrinking->tries += 1;
    bool kept = world_run(shrinking->world, plan);
    if (!kept && strcmp(shrinking->world->rule, shrinking->rule) == 0)
        return true;
    memcpy(plan->ops, shrinking->kept, before * sizeof(op_t));
    plan->op_count = before;
    return false;
}

static bool shrink_round(shrinking_t *shrinking, size_t count) {
    bool any = false;
    size_t first = 0;
    while (first + count <= shrinking->plan->op_count && shrinking->tries < tries_max) {
        if (try_without(shrinking, first, count))
            any = true;
        else
            first += count;
    }
    return any;
}

void shrink(world_t *world, plan_t *plan) {
    shrinking_t shrinking = {.world = world, .plan = plan};
    memcpy(shrinking.rule, world->rule, sizeof(shrinking.rule));
    shrinking.kept = memory_alloc(plan->op_count * sizeof(op_t));
    size_t count = plan->op_count / 2;
    while (count > 0) {
        bool any = shrink_round(&shrinking, count);
        if (!any || count > 1)
            count /= 2;
    }
    memory_free(shrinking.kept);
    (void)world_run(world, plan);
}
