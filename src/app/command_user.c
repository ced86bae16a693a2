/*
 * realmgate user: the realm's users. Must never take a password from the command line, where every
 * process can read it.
 */
#include "app/commands.h"
#include "app/password_input.h"
#include "base/crypto.h"
#include "base/text.h"

#include <stdio.h>

/* The longest line here: a word, a name, a password, a flag. */
enum { USER_LINE_BYTES = 32 + NAME_BYTES_MAX + PASSWORD_BYTES_MAX };

static exit_code_t user_name(const command_options_t *options, const char *topic, name_t *name) {
    problem_t problem;
    if (name_parse(name, span_of(options->arguments[0]))) {
        return EXIT_CLEAN;
    }
    problem_set(&problem,
                "\"%.128s\" is no user name: 1 to 64 of a-z 0-9 . _ -, the first a letter or digit",
                options->arguments[0]);
    return subcommand_fail(topic, EXIT_USAGE, &problem);
}

/* "<word> <user> <password>[ operator]" */
static exit_code_t request_with_password(const command_options_t *options, const char *topic,
                                         const char *word) {
    name_t name;
    problem_t problem;
    char password[PASSWORD_BYTES_MAX + 1];
    char line[USER_LINE_BYTES];
    exit_code_t code = user_name(options, topic, &name);
    if (code != EXIT_CLEAN) {
        return code;
    }
    if (!password_input(password, &problem)) {
        return subcommand_fail(topic, EXIT_USAGE, &problem);
    }
    (void)snprintf(line, sizeof line, "%s %s %s%s", word, name.text, password,
                   options->is_operator ? " operator" : "");
    code = subcommand_request(options, topic, ADMIN_EITHER, line);
    crypto_wipe(password, sizeof password);
    crypto_wipe(line, sizeof line);
    return code;
}

static exit_code_t user_add(const command_options_t *options, const char *topic) {
    return request_with_password(options, topic, "ADDUSER");
}

static exit_code_t user_password(const command_options_t *options, const char *topic) {
    return request_with_password(options, topic, "PASSWORD");
}

static exit_code_t user_remove(const command_options_t *options, const char *topic) {
    name_t name;
    char line[USER_LINE_BYTES];
    exit_code_t code = user_name(options, topic, &name);
    if (code != EXIT_CLEAN) {
        return code;
    }
    (void)snprintf(line, sizeof line, "DELUSER %s", name.text);
    return subcommand_request(options, topic, ADMIN_EITHER, line);
}

static exit_code_t user_list(const command_options_t *options, const char *topic) {
    static const char *const columns[] = {"user", "operator"};
    return subcommand_table(options, topic, "LISTUSER", columns, 2);
}

exit_code_t command_user(int argc, char **argv) {
    static const subcommand_t rows[] = {
        {"add", "user add", 1, 1, true, user_add},
        {"list", "user list", 0, 0, false, user_list},
        {"remove", "user remove", 1, 1, false, user_remove},
        {"password", "user password", 1, 1, false, user_password},
    };
    return subcommand_dispatch("user", rows, sizeof rows / sizeof rows[0], argc, argv);
}
