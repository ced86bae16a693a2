/*
 * C escapes, so that a command line can say what a protocol's bytes are.
 */
#ifndef REALMGATE_BENCH_ESCAPE_H
#define REALMGATE_BENCH_ESCAPE_H

#include "bytes.h"

/* Adds the text to the bytes: \r \n \t \0 \xHH and, for any other character, itself. */
void escape_read(bytes_t *bytes, const char *text);

#endif
