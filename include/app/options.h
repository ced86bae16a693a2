/*
 * The options of the subcommands. Those of `serve` come from the command line, the environment, the
 * configuration file and the defaults, in that order of precedence (app/config_table.h describes
 * them, app/config_file.h reads the file); those of the small commands from the first two.
 */
#ifndef REALMGATE_APP_OPTIONS_H
#define REALMGATE_APP_OPTIONS_H

#include "app/problem.h"
#include "base/log.h"
#include "types/record.h"
#include "types/settings.h"

#include <stdbool.h>
#include <stddef.h>

/* A pinned peer, --trust NAME=KEY. */
typedef struct trust {
    name_t name;
    uint8_t key[KEY_BYTES];
} trust_t;

/* The options of `serve` that have a value, in the order of the help. */
typedef enum option_id {
    OPTION_CONFIG,
    OPTION_NAME,
    OPTION_DATA,
    OPTION_CLIENTS,
    OPTION_FEDERATION,
    OPTION_ADVERTISE,
    OPTION_REGISTRATION,
    OPTION_ACCEPT,
    OPTION_TRUST,
    OPTION_RETENTION,
    OPTION_QUEUE_EXPIRY,
    OPTION_AUTH_RATE,
    OPTION_REQUEST_RATE,
    OPTION_REQUEST_RATE_CONNECTION,
    OPTION_CONNECTION_RATE,
    OPTION_LOGIN_TIMEOUT,
    OPTION_CONNECTIONS_MAX,
    OPTION_CONNECTIONS_PER_ADDRESS,
    OPTION_USERS_MAX,
    OPTION_GROUPS_MAX,
    OPTION_MEMBERS_MAX,
    OPTION_MAILBOXES_MAX,
    OPTION_OUTBOX_RECORDS,
    OPTION_OUTBOX_BYTES,
    OPTION_LOG,
    OPTION_LOG_FORMAT,
    OPTION_COUNT,
} option_id_t;

typedef enum option_source {
    SOURCE_NONE, /* it has no default either */
    SOURCE_DEFAULT,
    SOURCE_FILE,
    SOURCE_ENVIRONMENT,
    SOURCE_COMMAND_LINE,
} option_source_t;

/* What holds for an option, as it was written, and where. */
typedef struct option_value {
    const char *text; /* NULL with SOURCE_NONE; of a repeated option the last one */
    option_source_t source;
    unsigned line; /* of the file, from 1; 0 elsewhere */
} option_value_t;

struct config_file;

/* Strings are borrowed from argv, the environment, the table of options or `file`. */
typedef struct serve_options {
    name_t name;
    const char *config; /* NULL = no file */
    const char *data;
    const char *clients;    /* "127.0.0.1:9000" */
    const char *federation; /* "127.0.0.1:9100" */
    address_t advertise;    /* length 0 = the real federation address */
    bool registration_open;
    bool accept_any;
    trust_t *trusts; /* owned */
    size_t trust_count, trust_room;
    front_limits_t front_limits;
    realm_limits_t realm_limits;
    log_level_t log;
    bool log_json;
    bool check_only; /* --check: say what would be used, and nothing more */
    option_value_t values[OPTION_COUNT];
    struct config_file *file; /* owned, NULL if there is none */
    int argc;                 /* what this was read from, to read it again */
    char **argv;
} serve_options_t;

typedef enum options_result {
    OPTIONS_OK,
    OPTIONS_HELP,  /* --help was given: print the help, exit 0 */
    OPTIONS_WRONG, /* *problem names the option, the variable, or file, line and key: exit 2 */
} options_result_t;

/* Reads argv[1..], the environment and the file that they name. Whatever is written anywhere is
 * checked, even where something else overrides it. Reads the disk; touches nothing. Call
 * options_serve_deinit whatever the result is. Uses getopt: one thread at a time. */
options_result_t options_serve(serve_options_t *options, int argc, char **argv, problem_t *problem);
void options_serve_deinit(serve_options_t *options);

/* Removes every variable that options_serve looks at: for a child that is told all it needs. */
void options_serve_environment_clear(void);

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
