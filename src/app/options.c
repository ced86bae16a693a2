/*
 * Options from the command line, the environment, the file and the defaults. Must never start
 * anything, nor guess: what is not understood is refused by its name.
 */
#include "app/options.h"

#include "app/config_file.h"
#include "app/config_table.h"
#include "base/crypto.h"
#include "base/memory.h"
#include "base/text.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* What getopt_long gives back, all beyond the letters of short options. */
enum { GIVEN_HELP = 256, GIVEN_OPERATOR, GIVEN_CHECK, GIVEN_ROW };

static options_result_t getopt_wrong(int given, char **argv, problem_t *problem) {
    if (given == '?' && optopt > 0 && optopt < GIVEN_HELP) {
        problem_set(problem, "unknown option -%c", optopt);
    } else {
        /* getopt has moved on to the next argument; what it could not use is the one before. */
        const char *word = argv[optind - 1];
        problem_set(problem, given == ':' ? "option %s needs a value" : "unknown option %s", word);
    }
    return OPTIONS_WRONG;
}

/* What the command line says, in its order. */
typedef struct given {
    option_id_t option;
    const char *text;
} given_t;

/* Names the place of a value that is wrong. */
static void say_wrong(const serve_options_t *options, option_id_t id, const option_value_t *value,
                      const char *wrong, problem_t *problem) {
    const option_row_t *row = config_row(id);
    switch (value->source) {
    case SOURCE_FILE:
        problem_set(problem, "%.200s:%u: %s: \"%.128s\" %s", options->config, value->line,
                    row->word, value->text, wrong);
        break;
    case SOURCE_ENVIRONMENT:
        problem_set(problem, "%s: \"%.128s\" %s", row->variable, value->text, wrong);
        break;
    case SOURCE_NONE:
    case SOURCE_DEFAULT:
    case SOURCE_COMMAND_LINE:
        problem_set(problem, "--%s: \"%.128s\" %s", row->word, value->text, wrong);
        break;
    }
}

/* Takes a value over what a weaker source said. */
static bool apply(serve_options_t *options, option_id_t id, option_value_t value,
                  problem_t *problem) {
    const option_row_t *row = config_row(id);
    if (id == OPTION_TRUST && options->values[id].source != value.source) {
        options->trust_count = 0;
    }
    options->values[id] = value;
    const char *wrong = row->parse((char *)options + row->offset, value.text);
    if (wrong != NULL) {
        say_wrong(options, id, &value, wrong, problem);
    }
    return wrong == NULL;
}

static bool apply_defaults(serve_options_t *options, problem_t *problem) {
    bool good = true;
    for (option_id_t id = 0; id < OPTION_COUNT && good; id++) {
        const option_value_t value = {.text = config_row(id)->fallback, .source = SOURCE_DEFAULT};
        good = value.text == NULL || apply(options, id, value, problem);
    }
    return good;
}

/* One option, or all for OPTION_COUNT, and so the two below. */
static bool apply_environment(serve_options_t *options, option_id_t only, problem_t *problem) {
    bool good = true;
    for (option_id_t id = 0; id < OPTION_COUNT && good; id++) {
        const option_value_t value = {.text = getenv(config_row(id)->variable),
                                      .source = SOURCE_ENVIRONMENT};
        bool skipped = value.text == NULL || (only != OPTION_COUNT && id != only);
        good = skipped || apply(options, id, value, problem);
    }
    return good;
}

static bool apply_command_line(serve_options_t *options, const given_t *given, size_t count,
                               option_id_t only, problem_t *problem) {
    bool good = true;
    for (size_t i = 0; i < count && good; i++) {
        const option_value_t value = {.text = given[i].text, .source = SOURCE_COMMAND_LINE};
        bool skipped = only != OPTION_COUNT && given[i].option != only;
        good = skipped || apply(options, given[i].option, value, problem);
    }
    return good;
}

static bool apply_entry(serve_options_t *options, const config_entry_t *entry, problem_t *problem) {
    const option_value_t value = {.text = entry->text, .source = SOURCE_FILE, .line = entry->line};
    /* Elsewhere a space would begin the next realm; here each has a line. */
    if (entry->option == OPTION_TRUST && strchr(entry->text, ' ') != NULL) {
        say_wrong(options, OPTION_TRUST, &value, "must be one realm and its key", problem);
        return false;
    }
    return apply(options, entry->option, value, problem);
}

static bool apply_file(serve_options_t *options, problem_t *problem) {
    if (options->config == NULL) {
        return true;
    }
    options->file = config_file_read(options->config, problem);
    bool good = options->file != NULL;
    for (size_t i = 0; good && i < options->file->count; i++) {
        good = apply_entry(options, &options->file->entries[i], problem);
    }
    return good;
}

/* The weakest first, so that each overrides those before it and all are looked at. */
static bool apply_all(serve_options_t *options, const given_t *given, size_t count,
                      problem_t *problem) {
    return apply_defaults(options, problem) && apply_environment(options, OPTION_CONFIG, problem) &&
           apply_command_line(options, given, count, OPTION_CONFIG, problem) &&
           apply_file(options, problem) && apply_environment(options, OPTION_COUNT, problem) &&
           apply_command_line(options, given, count, OPTION_COUNT, problem);
}

/* Takes the words of the command line, without looking at the values yet. */
static options_result_t read_command_line(serve_options_t *options, given_t *given, size_t *count,
                                          problem_t *problem) {
    struct option words[OPTION_COUNT + 3] = {{"help", no_argument, NULL, GIVEN_HELP},
                                             {"check", no_argument, NULL, GIVEN_CHECK}};
    for (option_id_t id = 0; id < OPTION_COUNT; id++) {
        words[id + 2] =
            (struct option){config_row(id)->word, required_argument, NULL, GIVEN_ROW + (int)id};
    }
    int found;
    optind = 0; /* glibc: start anew */
    while ((found = getopt_long(options->argc, options->argv, ":h", words, NULL)) != -1) {
        if (found == GIVEN_HELP || found == 'h') {
            return OPTIONS_HELP;
        }
        if (found == GIVEN_CHECK) {
            options->check_only = true;
        } else if (found < GIVEN_ROW) {
            return getopt_wrong(found, options->argv, problem);
        } else {
            given[(*count)++] = (given_t){(option_id_t)(found - GIVEN_ROW), optarg};
        }
    }
    if (optind < options->argc) {
        problem_set(problem, "unexpected argument %s", options->argv[optind]);
        return OPTIONS_WRONG;
    }
    return OPTIONS_OK;
}

options_result_t options_serve(serve_options_t *options, int argc, char **argv,
                               problem_t *problem) {
    /* No option of the command line is shorter than a word of it. */
    given_t *given = memory_alloc(((size_t)argc + 1) * sizeof *given);
    size_t count = 0;
    *options = (serve_options_t){.argc = argc, .argv = argv};
    options_result_t result = read_command_line(options, given, &count, problem);
    if (result == OPTIONS_OK && !apply_all(options, given, count, problem)) {
        result = OPTIONS_WRONG;
    }
    if (result == OPTIONS_OK && options->name.length == 0) {
        problem_set(problem, "--name is required: the realm's name (or REALMGATE_NAME, or name = "
                             "in the configuration file)");
        result = OPTIONS_WRONG;
    }
    memory_free(given);
    return result;
}

void options_serve_deinit(serve_options_t *options) {
    memory_free(options->trusts);
    config_file_destroy(&options->file);
    *options = (serve_options_t){0};
}

void options_serve_environment_clear(void) {
    for (option_id_t id = 0; id < OPTION_COUNT; id++) {
        (void)unsetenv(config_row(id)->variable);
    }
}

/* Takes --data, --name and --operator from the command line. */
static options_result_t read_command_words(command_options_t *options, int argc, char **argv,
                                           bool takes_operator, const char **name,
                                           problem_t *problem) {
    const struct option words[] = {
        {"help", no_argument, NULL, GIVEN_HELP},
        {"data", required_argument, NULL, GIVEN_ROW},
        {"name", required_argument, NULL, GIVEN_ROW + 1},
        {takes_operator ? "operator" : NULL, no_argument, NULL, GIVEN_OPERATOR},
        {NULL, 0, NULL, 0},
    };
    optind = 0;
    int found;
    while ((found = getopt_long(argc, argv, ":h", words, NULL)) != -1) {
        switch (found) {
        case GIVEN_HELP:
        case 'h':
            return OPTIONS_HELP;
        case GIVEN_ROW:
            options->data = optarg;
            break;
        case GIVEN_ROW + 1:
            *name = optarg;
            break;
        case GIVEN_OPERATOR:
            options->is_operator = true;
            break;
        default:
            return getopt_wrong(found, argv, problem);
        }
    }
    options->argument_count = argc - optind;
    options->arguments = argv + optind;
    return OPTIONS_OK;
}

/* Fills in what the command line did not say, and checks. */
static options_result_t check_command(command_options_t *options, const char *name,
                                      int arguments_min, int arguments_max, problem_t *problem) {
    const char *source = name != NULL ? "--name" : "REALMGATE_NAME";
    name = name != NULL ? name : getenv("REALMGATE_NAME");
    if (name != NULL && !name_parse(&options->name, span_of(name))) {
        problem_set(problem, "%s: \"%.128s\" is no realm name", source, name);
        return OPTIONS_WRONG;
    }
    if (options->data == NULL) {
        const char *data = getenv("REALMGATE_DATA");
        options->data = data != NULL ? data : "./realmgate-data";
    }
    if (options->argument_count < arguments_min) {
        problem_set(problem, "an argument is missing");
        return OPTIONS_WRONG;
    }
    if (options->argument_count > arguments_max) {
        problem_set(problem, "unexpected argument %s", options->arguments[arguments_max]);
        return OPTIONS_WRONG;
    }
    return OPTIONS_OK;
}

/* One key in 64 begins with a dash, which must not make an option of it. Where an argument is such
 * a key it is moved to the end of argv, its place in all commands, and true returned. */
static bool dashed_key_move(int argc, char **argv) {
    uint8_t key[KEY_BYTES];
    for (int i = 1; i < argc; i++) {
        char *word = argv[i];
        if (word[0] == '-' && crypto_key_parse(key, word, strlen(word))) {
            memmove(&argv[i], &argv[i + 1], (size_t)(argc - i - 1) * sizeof *argv);
            argv[argc - 1] = word;
            return true;
        }
    }
    return false;
}

options_result_t options_command(command_options_t *options, int argc, char **argv,
                                 int arguments_min, int arguments_max, bool takes_operator,
                                 problem_t *problem) {
    const char *name = NULL;
    *options = (command_options_t){0};
    int moved = dashed_key_move(argc, argv) ? 1 : 0;
    options_result_t result =
        read_command_words(options, argc - moved, argv, takes_operator, &name, problem);
    options->argument_count += moved;
    return result == OPTIONS_OK
               ? check_command(options, name, arguments_min, arguments_max, problem)
               : result;
}
