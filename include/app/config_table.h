/*
 * What there is to say about each option of `serve`, once: the command line, the environment, the
 * file, the help and `--check` all read it here. A new option is an id in app/options.h and a row
 * in config_table.c; a test compares the rows with the README, the sample file and what
 * `realmgate serve --help` says.
 */
#ifndef REALMGATE_APP_CONFIG_TABLE_H
#define REALMGATE_APP_CONFIG_TABLE_H

#include "app/options.h"

/* Reads the text into the field; returns NULL, or what is wrong with it (static; completes the
 * sentence `"<text>" ...`). */
typedef const char *option_parse_fn(void *field, const char *text);

typedef struct option_row {
    const char *word;     /* --word on the command line, `word = ...` in the file */
    const char *variable; /* of the environment */
    const char *fallback; /* the default as text, NULL = none */
    const char *unset;    /* for people: what holds without a default; NULL if there is one */
    const char *value;    /* for people: what to write behind the word */
    const char *help;     /* one line for people */
    option_parse_fn *parse;
    size_t offset;   /* of the field in serve_options_t */
    bool reloadable; /* SIGHUP takes a new value; else it needs a restart */
} option_row_t;

const option_row_t *config_row(option_id_t id);

/* The option that a key of the file names, OPTION_COUNT if none does. `config` is no such key. */
option_id_t config_key(span_t key);

#endif
