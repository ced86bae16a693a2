/*
 * The subcommands. Each gets its own argv (argv[0] is its last word), prints what it has to say and
 * returns the program's exit code.
 */
#ifndef REALMGATE_APP_COMMANDS_H
#define REALMGATE_APP_COMMANDS_H

#include "app/admin_client.h"
#include "app/exit_code.h"
#include "app/options.h"

exit_code_t command_serve(int argc, char **argv);
exit_code_t command_demo(int argc, char **argv);
exit_code_t command_key(int argc, char **argv);
exit_code_t command_user(int argc, char **argv);
exit_code_t command_realm(int argc, char **argv);
exit_code_t command_status(int argc, char **argv);
exit_code_t command_backup(int argc, char **argv);
exit_code_t command_restore(int argc, char **argv);
exit_code_t command_export(int argc, char **argv);
exit_code_t command_import(int argc, char **argv);

/* One word of a command that has words of its own ("user add"). */
typedef struct subcommand {
    const char *word;
    const char *topic; /* "user add", for help and complaints */
    int arguments_min, arguments_max;
    bool takes_operator;
    exit_code_t (*run)(const command_options_t *options, const char *topic);
} subcommand_t;

/* Finds the subcommand that argv[1] names and runs it on its options. */
exit_code_t subcommand_dispatch(const char *command, const subcommand_t *rows, size_t count,
                                int argc, char **argv);

/* What a command without words of its own does. */
typedef exit_code_t command_work_fn(const command_options_t *options, problem_t *problem);

/* Reads the options of such a command, which takes exactly `arguments`, and runs it; prints the
 * help, or what went wrong. */
exit_code_t subcommand_one(const char *topic, int arguments, int argc, char **argv,
                           command_work_fn *work);

/* Prints "realmgate <topic>: <text>" and, for EXIT_USAGE, where help is; returns `code`. */
exit_code_t subcommand_fail(const char *topic, exit_code_t code, const problem_t *problem);

/* Sends a line and prints the answer's text. The usual end of a subcommand. */
exit_code_t subcommand_request(const command_options_t *options, const char *topic, admin_way_t way,
                               const char *line);

/* Sends a line and prints the rows of the answer, the named fields as columns. */
exit_code_t subcommand_table(const command_options_t *options, const char *topic, const char *line,
                             const char *const *columns, size_t count);

#endif
