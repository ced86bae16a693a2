/*
 * The options of the subcommands, from the command line, the environment and the defaults, in that
 * order of precedence.
 */
#ifndef REALMGATE_APP_OPTIONS_H
#define REALMGATE_APP_OPTIONS_H

#include "app/problem.h"
#include "base/log.h"
#include "types/record.h"

#include <stdbool.h>
#include <stddef.h>

/* A pinned peer, --trust NAME=KEY. */
typedef struct trust {
    name_t name;
    uint8_t key[KEY_BYTES];
} trust_t;

typedef struct serve_options {
    name_t name;
    const char *data;       /* borrowed from argv, the environment or static, as all strings here */
    const char *clients;    /* "127.0.0.1:9000" */
    const char *federation; /* "127.0.0.1:9100" */
    address_t advertise;    /* length 0 = the real federation address */
    bool registration_open;
    bool accept_any;
    trust_t *trusts; /* owned */
    size_t trust_count, trust_room;
    log_level_t log;
    bool log_json;
} serve_options_t;

typedef enum options_result {
    OPTIONS_OK,
    OPTIONS_HELP,  /* --help was given: print the help, exit 0 */
    OPTIONS_WRONG, /* *problem names the option or variable: print it, exit 2 */
} options_result_t;

/* Reads argv[1..] and the environment. Call options_serve_deinit whatever the result is. Uses
 * getopt: one thread at a time. */
options_result_t options_serve(serve_options_t *options, int argc, char **argv, problem_t *problem);
void options_serve_deinit(serve_options_t *options);

/* Options of the small commands: --data, --name and, where it makes sense, --operator. */
typedef struct command_options {
    const char *data;
    name_t name; /* length 0 = not given */
    bool is_operator;
    int argument_count; /* what is left, in order */
    char **arguments;   /* borrowed from argv */
} command_options_t;

/* Reads argv[1..] and the environment (REALMGATE_DATA, REALMGATE_NAME). More or fewer arguments
 * than arguments_min..arguments_max are OPTIONS_WRONG. */
options_result_t options_command(command_options_t *options, int argc, char **argv,
                                 int arguments_min, int arguments_max, bool takes_operator,
                                 problem_t *problem);

/* Reads "host:port" or "[v6]:port" into an address; false if it is malformed. */
bool options_address(address_t *address, const char *text);

#endif
