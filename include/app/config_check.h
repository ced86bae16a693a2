/*
 * What `realmgate serve --check` says about a configuration that is sound.
 */
#ifndef REALMGATE_APP_CONFIG_CHECK_H
#define REALMGATE_APP_CONFIG_CHECK_H

#include "app/options.h"

/* Prints to standard output a line an option: its name, what would be used, and where that is
 * said: the default, the file and line, the variable, the command line. */
void config_check_print(const serve_options_t *options);

/* Writes where a value is said: "default", "FILE:12", "REALMGATE_LOG", "--log". What is too long
 * is cut. */
void config_check_source(const serve_options_t *options, option_id_t id, char *text, size_t room);

#endif
