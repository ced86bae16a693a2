/*
 * One realm in the foreground: start-up in order, the ready line, and the way down.
 */
#ifndef REALMGATE_APP_SERVE_H
#define REALMGATE_APP_SERVE_H

#include "app/exit_code.h"
#include "app/options.h"

/* Runs until SIGTERM or SIGINT, or until the store fails. Call from the main thread before any
 * other thread is started; once in a process. */
exit_code_t serve_run(const serve_options_t *options);

#endif
