/*
 * What options are like that were let through, wherever they stood.
 */
#ifndef REALMGATE_TESTS_OPTIONS_CHECK_H
#define REALMGATE_TESTS_OPTIONS_CHECK_H

#include "app/options.h"

void check_name(const name_t *name);
void check_serve_options(const serve_options_t *options);

#endif
