/*
 * Sentences for people. Must never hold a password, a token or a secret key.
 */
#include "app/problem.h"

#include <stdarg.h>
#include <stdio.h>

void problem_set(problem_t *problem, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(problem->text, sizeof problem->text, format, arguments);
    va_end(arguments);
}
