/*
 * The program: finds the subcommand and hands over.
 */
#include "app/commands.h"
#include "app/help.h"
#include "app/password_process.h"

#include <stdio.h>
#include <string.h>

typedef struct command {
    const char *word;
    exit_code_t (*run)(int argc, char **argv);
} command_t;

static const command_t COMMANDS[] = {
    {"serve", command_serve},   {"demo", command_demo},       {"key", command_key},
    {"user", command_user},     {"realm", command_realm},     {"status", command_status},
    {"backup", command_backup}, {"restore", command_restore}, {"export", command_export},
    {"import", command_import},
};

static int hint(const char *text, const char *word) {
    (void)fprintf(stderr, "realmgate: %s%s\nTry 'realmgate --help'.\n", text, word);
    return EXIT_USAGE;
}

int main(int argc, char **argv) {
    if (argc == 1 && strcmp(argv[0], PASSWORD_PROCESS_NAME) == 0) {
        return password_process_main();
    }
    if (argc < 2) {
        return hint("a command is missing", "");
    }
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        help_print("");
        return EXIT_CLEAN;
    }
    if (strcmp(word, "--version") == 0) {
        (void)printf("realmgate " REALMGATE_VERSION "\n");
        return EXIT_CLEAN;
    }
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
        if (strcmp(COMMANDS[i].word, word) == 0) {
            return (int)COMMANDS[i].run(argc - 1, argv + 1);
        }
    }
    return hint(word[0] == '-' ? "unknown option " : "unknown command ", word);
}
