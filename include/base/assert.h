/*
 * Assertions that are on in every build. They hold our own invariants only: what comes from a
 * client, a peer, a file or a disk is refused with a code, never asserted.
 */
#ifndef REALMGATE_BASE_ASSERT_H
#define REALMGATE_BASE_ASSERT_H

/* Prints file, line and condition to standard error and aborts. */
_Noreturn void assert_fail(const char *condition, const char *file, int line);

#define ASSERT(condition) ((condition) ? (void)0 : assert_fail(#condition, __FILE__, __LINE__))

#endif
