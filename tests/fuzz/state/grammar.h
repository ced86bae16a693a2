/*
 * Request lines out of the command table: words and arguments as the usage of each row names them,
 * mostly such as make sense.
 */
#ifndef REALMGATE_TESTS_GRAMMAR_H
#define REALMGATE_TESTS_GRAMMAR_H

#include "world.h"

/* Appends a line that the input chooses. */
void grammar_line(world_t *world, buffer_t *line);

#endif
