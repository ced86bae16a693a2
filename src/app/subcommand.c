/*
 * What the subcommands share: options in, complaints and answers out. Must never print a password.
 */
#include "app/commands.h"

#include "app/help.h"

#include <stdio.h>
#include <string.h>

exit_code_t subcommand_fail(const char *topic, exit_code_t code, const problem_t *problem) {
    (void)fprintf(stderr, "realmgate %s: %s\n", topic, problem->text);
    if (code == EXIT_USAGE) {
        (void)fprintf(stderr, "Try 'realmgate %s --help'.\n", topic);
    }
    return code;
}

/* EXIT_CLEAN and *run = false if only the help was wanted. */
static exit_code_t read_options(command_options_t *options, const subcommand_t *row, int argc,
                                char **argv, bool *run) {
    problem_t problem;
    options_result_t result = options_command(options, argc, argv, row->arguments_min,
                                              row->arguments_max, row->takes_operator, &problem);
    *run = result == OPTIONS_OK;
    if (result == OPTIONS_HELP) {
        help_print(row->topic);
        return EXIT_CLEAN;
    }
    return result == OPTIONS_OK ? EXIT_CLEAN : subcommand_fail(row->topic, EXIT_USAGE, &problem);
}

exit_code_t subcommand_one(const char *topic, int arguments, int argc, char **argv,
                           command_work_fn *work) {
    const subcommand_t row = {topic, topic, arguments, arguments, false, NULL};
    command_options_t options;
    problem_t problem;
    bool run;
    exit_code_t code = read_options(&options, &row, argc, argv, &run);
    if (run) {
        code = work(&options, &problem);
        return code == EXIT_CLEAN ? code : subcommand_fail(topic, code, &problem);
    }
    return code;
}

exit_code_t subcommand_dispatch(const char *command, const subcommand_t *rows, size_t count,
                                int argc, char **argv) {
    const char *word = argc > 1 ? argv[1] : "";
    problem_t problem;
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        help_print(command);
        return EXIT_CLEAN;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].word, word) == 0) {
            command_options_t options;
            bool run;
            exit_code_t code = read_options(&options, &rows[i], argc - 1, argv + 1, &run);
            return run ? rows[i].run(&options, rows[i].topic) : code;
        }
    }
    problem_set(&problem, word[0] != '\0' ? "unknown subcommand %s" : "a subcommand is missing%s",
                word);
    return subcommand_fail(command, EXIT_USAGE, &problem);
}

/* Sends the line; *answer is what came, if it is an OK. */
static exit_code_t request_good(const command_options_t *options, const char *topic,
                                admin_way_t way, const char *line, json_reply_t **answer) {
    problem_t problem;
    exit_code_t code = admin_request(options, way, line, answer, &problem);
    if (code != EXIT_CLEAN) {
        return subcommand_fail(topic, code, &problem);
    }
    if (!json_reply_ok(*answer)) {
        admin_complain(topic, *answer);
        json_reply_destroy(answer);
        return EXIT_RUNTIME;
    }
    return EXIT_CLEAN;
}

exit_code_t subcommand_request(const command_options_t *options, const char *topic, admin_way_t way,
                               const char *line) {
    json_reply_t *answer = NULL;
    exit_code_t code = request_good(options, topic, way, line, &answer);
    if (code == EXIT_CLEAN) {
        const char *text = json_reply_text(answer, "data");
        (void)printf("%s\n", text != NULL ? text : "OK");
        json_reply_destroy(&answer);
    }
    return code;
}

exit_code_t subcommand_table(const command_options_t *options, const char *topic, const char *line,
                             const char *const *columns, size_t count) {
    json_reply_t *answer = NULL;
    exit_code_t code = request_good(options, topic, ADMIN_EITHER, line, &answer);
    if (code != EXIT_CLEAN) {
        return code;
    }
    for (size_t row = 0; row < json_reply_rows(answer); row++) {
        for (size_t column = 0; column < count; column++) {
            char field[512];
            json_reply_field(answer, row, columns[column], field, sizeof field);
            (void)printf("%s%s", column > 0 ? "\t" : "", field);
        }
        (void)printf("\n");
    }
    json_reply_destroy(&answer);
    return EXIT_CLEAN;
}
