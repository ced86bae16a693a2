/*
 * Chance, all of it: SplitMix64. The same seed throws the same numbers on every machine.
 */
#ifndef REALMGATE_SIM_DICE_H
#define REALMGATE_SIM_DICE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct dice {
    uint64_t state;
} dice_t;

static inline uint64_t dice_mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static inline uint64_t dice_throw(dice_t *dice) {
    dice->state += 0x9e3779b97f4a7c15ULL;
    return dice_mix(dice->state);
}

/* 0 .. limit - 1; limit must not be 0. */
static inline uint32_t dice_below(dice_t *dice, uint32_t limit) {
    return (uint32_t)(((dice_throw(dice) >> 32) * limit) >> 32);
}

static inline int64_t dice_between(dice_t *dice, int64_t low, int64_t high) {
    return low + (int64_t)(dice_throw(dice) % (uint64_t)(high - low + 1));
}

static inline bool dice_chance(dice_t *dice, uint32_t permille) {
    return dice_below(dice, 1000) < permille;
}

#endif
