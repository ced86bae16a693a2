/*
 * SIGHUP: the configuration is read again, as at the start, and what can be changed in a running
 * realm is taken. The rest keeps its value until a restart, and the log says so.
 */
#ifndef REALMGATE_APP_CONFIG_RELOAD_H
#define REALMGATE_APP_CONFIG_RELOAD_H

#include "app/options.h"

typedef struct reload {
    const serve_options_t *started; /* borrowed: what the process was started with */
    serve_options_t taken;          /* owned: what the last reload read */
    bool reloaded;                  /* there is a `taken` */
} reload_t;

void reload_init(reload_t *reload, const serve_options_t *started);
void reload_deinit(reload_t *reload);

/* Reads everything again. False and a sentence with file, line and key: nothing has changed.
 * Blocks on the disk. The caller passes what was read to reload_take, or destroys it. */
bool reload_read(const reload_t *reload, serve_options_t *fresh, problem_t *problem);

/* The log's new level and format hold from here on; every other difference is logged, a line each:
 * `config-reloaded key= from= to=` if the caller has taken it, `config-kept key= reason=` if it
 * holds only after a restart, or not at all because something stronger says otherwise, and a last
 * one, `config-reread`, counts them. Needs a configuration file. Takes what `fresh` owns and leaves
 * it empty. */
void reload_take(reload_t *reload, serve_options_t *fresh);

#endif
