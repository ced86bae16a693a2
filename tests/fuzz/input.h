/*
 * A fuzzer's bytes as a source of choices. Behind its end everything is zero, so that a target
 * always has something to go on with and decides by input_ended when to stop.
 */
#ifndef REALMGATE_TESTS_INPUT_H
#define REALMGATE_TESTS_INPUT_H

#include "types/name.h"

#include <stdbool.h>

typedef struct input {
    const uint8_t *bytes;
    size_t left;
} input_t;

bool input_ended(const input_t *input);
uint8_t input_u8(input_t *input);
uint16_t input_u16(input_t *input);
uint32_t input_u32(input_t *input);
uint64_t input_u64(input_t *input);

/* One byte brought below `count` (1..256). */
size_t input_below(input_t *input, size_t count);

/* The next bytes, fewer where there are not so many. Borrowed. */
span_t input_span(input_t *input, size_t length);

/* A copy of exactly that size in memory of its own, so that AddressSanitizer sees every step beside
 * it; the caller frees it with memory_free. */
char *input_copy(span_t bytes);

#endif
