/*
 * Request lines out of the command table: words and arguments as the usage of each row names them,
 * mostly such as make sense.
 */
#ifndef REALMGATE_TESTS_GRAMMAR_H
#define REALMGATE_TESTS_GRAMMAR_H

#include "world.h"

/* Appends a line that the input chooses. */
void grammar_line(world_t *world, buffer_t *line);
/* What may stand in front of it: a ref out of few, so that they come again. */
void grammar_ref(world_t *world, buffer_t *line);

#endif
