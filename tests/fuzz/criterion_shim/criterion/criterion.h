/*
 * What tests/support needs of criterion where there is no test runner: a check that does not hold
 * aborts the process, which is what a fuzzer calls a finding.
 */
#ifndef REALMGATE_TESTS_CRITERION_SHIM_H
#define REALMGATE_TESTS_CRITERION_SHIM_H

#include "base/assert.h"

/* The message behind the condition is dropped: the condition says enough. */
#define cr_assert(condition, ...)       ASSERT(condition)
#define cr_assert_eq(left, right, ...)  ASSERT((left) == (right))
#define cr_assert_gt(left, right, ...)  ASSERT((left) > (right))
#define cr_assert_leq(left, right, ...) ASSERT((left) <= (right))
#define cr_assert_fail(...)             assert_fail("cannot be", __FILE__, __LINE__)

#endif
