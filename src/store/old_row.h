/*
 * A message as a row of schema versions 1 to 3: only read, to be written anew.
 */
#ifndef REALMGATE_STORE_OLD_ROW_H
#define REALMGATE_STORE_OLD_ROW_H

#include "types/message.h"

#include <stdbool.h>

/* Reads the row found at `position`; the spans of *message point into the row. False if damaged. */
bool old_row_decode(message_t *message, uint64_t position, span_t row);

#endif
