/* links: base */
/*
 * The index finds what was added under a hash and nothing that was removed, however hashes collide.
 */
#include "base/index.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MODEL_IDS    400
#define MODEL_HASHES 60 /* far fewer than ids: most share theirs with others */
#define MODEL_STEPS  60000

static const uint8_t seed[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static unsigned times_found(const index_t *index, uint32_t hash, uint32_t id) {
    unsigned times = 0;
    size_t cursor = 0;
    uint32_t found;
    while ((found = index_next(index, hash, &cursor)) != 0) {
        times += found == id ? 1 : 0;
    }
    return times;
}

Test(index, is_empty_at_first) {
    index_t *index = index_new(seed);
    size_t cursor = 0;
    cr_assert_eq(index_count(index), 0);
    cr_assert_eq(index_next(index, 7, &cursor), 0);
    cr_assert_not(index_remove(index, 7, 1));
    index_destroy(&index);
    cr_assert_null(index);
    index_destroy(&index);
}

Test(index, keeps_all_ids_of_a_hash) {
    index_t *index = index_new(seed);
    for (uint32_t id = 1; id <= 1000; id++) {
        index_add(index, UINT32_MAX - id % 3, id);
    }
    cr_assert_eq(index_count(index), 1000);
    for (uint32_t id = 1; id <= 1000; id++) {
        cr_assert_eq(times_found(index, UINT32_MAX - id % 3, id), 1);
        cr_assert_eq(times_found(index, UINT32_MAX - (id + 1) % 3, id), 0);
    }
    index_destroy(&index);
}

Test(index, removes_an_id_of_one_hash_only) {
    index_t *index = index_new(seed);
    index_add(index, 5, 1);
    index_add(index, 21, 1); /* the same slot at first */
    cr_assert(index_remove(index, 21, 1));
    cr_assert_not(index_remove(index, 21, 1));
    cr_assert_eq(times_found(index, 5, 1), 1);
    cr_assert_eq(times_found(index, 21, 1), 0);
    cr_assert_eq(index_count(index), 1);
    index_destroy(&index);
}

/* Hashes spread over all of 32 bits, the ends of the slots included. */
static uint32_t hash_of(uint32_t id) {
    return id % MODEL_HASHES * (UINT32_MAX / (MODEL_HASHES - 1));
}

Test(index, agrees_with_a_model) {
    static bool there[MODEL_IDS + 1];
    index_t *index = index_new(seed);
    size_t count = 0;
    srand(20);
    for (int step = 0; step < MODEL_STEPS; step++) {
        uint32_t id = 1 + (uint32_t)rand() % MODEL_IDS;
        if (there[id]) {
            cr_assert(index_remove(index, hash_of(id), id));
        } else {
            cr_assert_not(index_remove(index, hash_of(id), id));
            index_add(index, hash_of(id), id);
        }
        there[id] = !there[id];
        count = there[id] ? count + 1 : count - 1;
        cr_assert_eq(index_count(index), count);
        uint32_t other = 1 + (uint32_t)rand() % MODEL_IDS;
        cr_assert_eq(times_found(index, hash_of(other), other), there[other] ? 1 : 0);
    }
    for (uint32_t id = 1; id <= MODEL_IDS; id++) {
        cr_assert_eq(times_found(index, hash_of(id), id), there[id] ? 1 : 0);
    }
    index_destroy(&index);
}

Test(index, hashes_by_key_and_seed) {
    const uint8_t other[16] = {16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1};
    index_t *a = index_new(seed);
    index_t *b = index_new(other);
    cr_assert_eq(index_hash(a, "tom", 3), index_hash(a, "tom", 3));
    cr_assert_neq(index_hash(a, "tom", 3), index_hash(a, "tim", 3));
    cr_assert_neq(index_hash(a, "tom", 3), index_hash(a, "tom", 2));
    cr_assert_neq(index_hash(a, "tom", 3), index_hash(b, "tom", 3));
    index_destroy(&a);
    index_destroy(&b);
}
