/* links: base */
/*
 * The map keeps what is put in, in order of insertion, whatever is removed in between.
 */
#include "base/map.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#define MODEL_KEYS  300
#define MODEL_STEPS 60000

static const uint8_t seed[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static void put(map_t *map, uint64_t key, uint64_t value) {
    memcpy(map_put(map, &key), &value, sizeof(value));
}

static uint64_t get(const map_t *map, uint64_t key) {
    uint64_t value = 0;
    const void *found = map_get(map, &key);
    cr_assert_not_null(found);
    memcpy(&value, found, sizeof(value));
    return value;
}

Test(map, is_empty_at_first) {
    map_t *map = map_new(8, 8, seed);
    uint64_t key = 7;
    size_t cursor = 0;
    cr_assert_eq(map_count(map), 0);
    cr_assert_null(map_get(map, &key));
    cr_assert_not(map_remove(map, &key));
    cr_assert_not(map_next(map, &cursor, NULL, NULL));
    map_destroy(&map);
    cr_assert_null(map);
    map_destroy(&map);
}

Test(map, makes_values_zeroed_and_keeps_them) {
    map_t *map = map_new(8, 24, seed);
    const char zeros[24] = {0};
    for (uint64_t key = 0; key < 1000; key++) {
        char *value = map_put(map, &key);
        cr_assert_arr_eq(value, zeros, sizeof(zeros));
        memset(value, 0xAA, sizeof(zeros));
        cr_assert(map_remove(map, &key));
        value = map_put(map, &key);
        cr_assert_arr_eq(value, zeros, sizeof(zeros), "a key put again starts anew");
    }
    cr_assert_eq(map_count(map), 1000);
    map_destroy(&map);
}

Test(map, aligns_values_of_odd_keys) {
    map_t *map = map_new(3, 8, seed);
    for (int i = 0; i < 100; i++) {
        char key[3] = {(char)i, 'x', 'y'};
        uint64_t *value = map_put(map, key);
        cr_assert_eq((uintptr_t)value % 8, 0);
        *value = (uint64_t)i;
    }
    for (int i = 0; i < 100; i++) {
        char key[3] = {(char)i, 'x', 'y'};
        const uint64_t *value = map_get(map, key);
        cr_assert_eq(*value, (uint64_t)i);
    }
    map_destroy(&map);
}

Test(map, iterates_in_order_of_insertion_after_removals) {
    map_t *map = map_new(8, 8, seed);
    for (uint64_t key = 0; key < 100; key++) {
        put(map, key * 7919, key);
    }
    for (uint64_t key = 0; key < 100; key += 2) {
        uint64_t gone = key * 7919;
        cr_assert(map_remove(map, &gone));
    }
    for (uint64_t key = 100; key < 300; key++) {
        put(map, key * 7919, key);
    }
    size_t cursor = 0;
    uint64_t last = 0;
    size_t count = 0;
    void *value = NULL;
    while (map_next(map, &cursor, NULL, &value)) {
        uint64_t number = 0;
        memcpy(&number, value, sizeof(number));
        cr_assert(count == 0 || number > last);
        last = number;
        count++;
    }
    cr_assert_eq(count, 250);
    cr_assert_not(map_next(map, &cursor, NULL, &value), "the end stays the end");
    map_destroy(&map);
}

Test(map, lets_any_key_go_during_an_iteration) {
    map_t *map = map_new(8, 8, seed);
    for (uint64_t key = 1; key <= 64; key++) {
        put(map, key, key);
    }
    size_t cursor = 0;
    size_t seen = 0;
    const void *key = NULL;
    while (map_next(map, &cursor, &key, NULL)) {
        uint64_t number = 0;
        memcpy(&number, key, sizeof(number));
        uint64_t other = number + 1;
        cr_assert(map_remove(map, key), "also with the entry's own key");
        cr_assert(map_remove(map, &other));
        seen++;
    }
    cr_assert_eq(seen, 32);
    cr_assert_eq(map_count(map), 0);
    map_destroy(&map);
}

Test(map, does_not_move_others_on_removal) {
    map_t *map = map_new(8, 8, seed);
    for (uint64_t key = 0; key < 50; key++) {
        put(map, key, key + 1000);
    }
    uint64_t kept = 49;
    const void *place = map_get(map, &kept);
    for (uint64_t key = 0; key < 49; key++) {
        cr_assert(map_remove(map, &key));
        cr_assert_eq(map_get(map, &kept), place);
    }
    cr_assert_eq(get(map, 49), 1049);
    map_destroy(&map);
}

Test(map, takes_a_key_that_lies_in_itself) {
    map_t *map = map_new(8, 8, seed);
    put(map, 0, 1);
    for (uint64_t key = 0; key < 1000; key++) {
        const void *value = map_get(map, &key); /* the next key */
        uint64_t next = key + 2;
        memcpy(map_put(map, value), &next, sizeof(next));
    }
    cr_assert_eq(map_count(map), 1001);
    cr_assert_eq(get(map, 999), 1000);
    map_destroy(&map);
}

Test(map, serves_as_a_queue_without_growing_old) {
    map_t *map = map_new(8, 8, seed);
    for (uint64_t key = 0; key < 100000; key++) {
        put(map, key, key);
        if (key >= 10) {
            size_t cursor = 0;
            const void *oldest = NULL;
            cr_assert(map_next(map, &cursor, &oldest, NULL));
            uint64_t number = 0;
            memcpy(&number, oldest, sizeof(number));
            cr_assert_eq(number, key - 10);
            cr_assert(map_remove(map, &number));
        }
    }
    cr_assert_eq(map_count(map), 10);
    map_destroy(&map);
}

typedef struct model {
    bool there[MODEL_KEYS];
    uint64_t value[MODEL_KEYS];
    uint64_t born[MODEL_KEYS]; /* step of insertion */
} model_t;

static void check_against_model(const map_t *map, const model_t *model) {
    size_t count = 0;
    for (uint64_t key = 0; key < MODEL_KEYS; key++) {
        const void *found = map_get(map, &key);
        cr_assert_eq(found != NULL, model->there[key]);
        if (found != NULL) {
            cr_assert_eq(get(map, key), model->value[key]);
            count++;
        }
    }
    cr_assert_eq(map_count(map), count);
    size_t cursor = 0;
    const void *key = NULL;
    uint64_t last_born = 0;
    while (map_next(map, &cursor, &key, NULL)) {
        uint64_t number = 0;
        memcpy(&number, key, sizeof(number));
        cr_assert(model->there[number]);
        cr_assert(model->born[number] > last_born);
        last_born = model->born[number];
        count--;
    }
    cr_assert_eq(count, 0);
}

/* Takes the map. Its keys are wider than 8 bytes by zeros only. */
static void live_through_random_steps(map_t *map) {
    static model_t model;
    uint64_t random = 20261122;
    memset(&model, 0, sizeof(model));
    for (uint64_t step = 1; step <= MODEL_STEPS; step++) {
        random = random * 6364136223846793005ULL + 1442695040888963407ULL;
        uint64_t key = (random >> 33) % MODEL_KEYS;
        bool removes = (random >> 60) < (step / 10000 % 2 == 0 ? 5 : 11);
        if (removes) {
            cr_assert_eq(map_remove(map, &key), model.there[key]);
            model.there[key] = false;
        } else {
            put(map, key, step);
            model.born[key] = model.there[key] ? model.born[key] : step;
            model.there[key] = true;
            model.value[key] = step;
        }
        if (step % 997 == 0) {
            check_against_model(map, &model);
        }
    }
    check_against_model(map, &model);
    map_destroy(&map);
}

Test(map, agrees_with_a_plain_array_over_many_random_steps) {
    live_through_random_steps(map_new(8, 8, seed));
}

Test(map, of_ids_agrees_with_a_plain_array_over_many_random_steps) {
    live_through_random_steps(map_new_of_ids(8, 8, seed));
}

static uint64_t pair_value(const map_t *map, uint64_t first, uint64_t second) {
    const uint64_t key[2] = {first, second};
    const uint64_t *value = map_get(map, key);
    return value == NULL ? UINT64_MAX : *value;
}

static void keep_pairs_apart(map_t *map) {
    for (uint64_t first = 0; first < 50; first++) {
        for (uint64_t second = 0; second < 50; second++) {
            const uint64_t key[2] = {first, second};
            cr_assert_null(map_get(map, key));
            *(uint64_t *)map_put(map, key) = first * 50 + second;
        }
    }
    for (uint64_t first = 0; first < 50; first++) {
        for (uint64_t second = 0; second < 50; second++) {
            cr_assert_eq(pair_value(map, first, second), first * 50 + second);
        }
    }
    cr_assert_eq(pair_value(map, 50, 0), UINT64_MAX);
    cr_assert_eq(pair_value(map, 0, 50), UINT64_MAX);
    map_destroy(&map);
}

Test(map, keeps_keys_apart_that_differ_in_either_half) {
    keep_pairs_apart(map_new(16, 8, seed));
    keep_pairs_apart(map_new_of_ids(16, 8, seed));
}

/* The zeros that end a key are not hashed; they still belong to it. */
Test(map, keeps_keys_apart_that_differ_in_how_they_end) {
    char key[67] = {0};
    map_t *map = map_new(sizeof(key), 8, seed);
    for (uint64_t length = 0; length <= sizeof(key); length++) {
        memset(key, 'x', length);
        cr_assert_null(map_get(map, key));
        *(uint64_t *)map_put(map, key) = length;
    }
    memset(key, 0, sizeof(key));
    for (uint64_t length = 0; length <= sizeof(key); length++) {
        memset(key, 'x', length);
        cr_assert_eq(*(uint64_t *)map_get(map, key), length);
    }
    map_destroy(&map);
}
