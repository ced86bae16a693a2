/* links: base app */
/*
 * The fair queue: lanes take turns, a lane keeps its order, numbers come back.
 */
#include "app/fair_queue.h"

#include "base/random.h"

#include <criterion/criterion.h>

#define ROOM 64

static fair_queue_t *queue;
static uint64_t owner_of[ROOM];
static unsigned count_of[ROOM];

static void set_up(void) {
    random_start();
    queue = fair_queue_new(ROOM);
}

static void tear_down(void) {
    fair_queue_destroy(&queue);
    cr_assert_null(queue);
}

TestSuite(fair_queue, .init = set_up, .fini = tear_down);

static void put(uint64_t owner, unsigned number) {
    size_t thing = fair_queue_put(queue, owner);
    cr_assert_lt(thing, ROOM);
    owner_of[thing] = owner;
    count_of[thing] = number;
}

static void expect_next(uint64_t owner, unsigned number) {
    size_t thing = fair_queue_take(queue);
    cr_assert_eq(owner_of[thing], owner);
    cr_assert_eq(count_of[thing], number);
}

Test(fair_queue, a_lane_keeps_its_order) {
    for (unsigned i = 0; i < 5; i++) {
        put(7, i);
    }
    cr_assert_eq(fair_queue_count(queue), 5);
    for (unsigned i = 0; i < 5; i++) {
        expect_next(7, i);
    }
    cr_assert_eq(fair_queue_count(queue), 0);
}

Test(fair_queue, who_comes_last_waits_for_one_of_each_only) {
    for (unsigned i = 0; i < 40; i++) {
        put(1, i);
    }
    put(2, 100);
    put(3, 200);
    put(2, 101);
    expect_next(1, 0);
    expect_next(2, 100);
    expect_next(3, 200);
    expect_next(1, 1);
    put(4, 300);
    expect_next(2, 101);
    expect_next(1, 2);
    expect_next(4, 300);
    expect_next(1, 3);
    expect_next(1, 4);
}

Test(fair_queue, it_can_be_full_and_used_again_and_again) {
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < ROOM; i++) {
            put(i % (round + 1), i);
        }
        cr_assert_eq(fair_queue_count(queue), ROOM);
        bool seen[ROOM] = {false};
        for (unsigned i = 0; i < ROOM; i++) {
            size_t thing = fair_queue_take(queue);
            cr_assert_not(seen[thing]);
            seen[thing] = true;
        }
    }
}

Test(fair_queue, as_many_lanes_as_things) {
    for (unsigned i = 0; i < ROOM; i++) {
        put(1000 + i, i);
    }
    for (unsigned i = 0; i < ROOM; i++) {
        expect_next(1000 + i, i);
    }
}
