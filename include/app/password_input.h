/*
 * A password from standard input.
 */
#ifndef REALMGATE_APP_PASSWORD_INPUT_H
#define REALMGATE_APP_PASSWORD_INPUT_H

#include "app/problem.h"
#include "base/limits.h"

#include <stdbool.h>

/* Reads the first line; on a terminal it is asked for twice, without echo. False and a sentence if
 * there is none, it breaks the rule for passwords or the two differ. The caller wipes it. */
bool password_input(char password[PASSWORD_BYTES_MAX + 1], problem_t *problem);

#endif
