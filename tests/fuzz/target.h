/*
 * A fuzz target: libFuzzer calls it with inputs of its making, replay.c with those that were kept.
 * What must not be fails an assertion.
 */
#ifndef REALMGATE_TESTS_TARGET_H
#define REALMGATE_TESTS_TARGET_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
