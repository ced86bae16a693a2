/*
 * The configuration file: ZPL (rfc.zeromq.org/spec/4), a line a key. The keys are the options' long
 * names; `trust` is a section, a realm's name and key a line:
 *
 *     clients = 127.0.0.1:9001        # a comment
 *     retention = 30d
 *     trust
 *         b = u7mhX9HwYR5oJywk3wtCI9_63HQJlECGgjQhKREYXRs
 *
 * czmq reads the values. It neither tells lines nor minds a key that nobody knows or that stands
 * there twice, so the lines are looked through here first, and more strictly than ZPL asks for.
 */
#ifndef REALMGATE_APP_CONFIG_FILE_H
#define REALMGATE_APP_CONFIG_FILE_H

#include "app/options.h"

typedef struct config_entry {
    option_id_t option;
    unsigned line;
    char *text; /* owned by the file; of `trust` NAME=KEY */
} config_entry_t;

typedef struct config_file {
    config_entry_t *entries; /* in the order of the file */
    size_t count, room;
} config_file_t;

/* Reads the file. NULL and a sentence that names file, line and key if it cannot be read, is not a
 * plain file, is larger than SETTINGS_FILE_BYTES_MAX, or a line is wrong. What the values mean is
 * not looked at. The caller destroys it. */
config_file_t *config_file_read(const char *path, problem_t *problem);
void config_file_destroy(config_file_t **file);

/* The same with the bytes in hand; `path` is only for the sentence. */
config_file_t *config_file_parse(const char *path, span_t bytes, problem_t *problem);

#endif
