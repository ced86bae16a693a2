/*
 * Options from the command line, the environment and the defaults. Must never start anything, nor
 * guess: what is not understood is refused by its name.
 */
#include "app/options.h"

#include "base/crypto.h"
#include "base/memory.h"
#include "base/text.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* Sets one option from its text; returns NULL, or what is wrong with it. */
typedef const char *option_set_fn(serve_options_t *options, const char *value);

typedef struct option_row {
    const char *word;
    const char *environment;
    const char *fallback; /* NULL = none */
    option_set_fn *set;
} option_row_t;

bool options_address(address_t *address, const char *text) {
    memset(address, 0, sizeof *address);
    if (!text_host_port(span_of(text), address->text, sizeof address->text, &address->port)) {
        return false;
    }
    address->length = (uint8_t)strlen(address->text);
    return address->length > 0;
}

static const char *set_name(serve_options_t *options, const char *value) {
    return name_parse(&options->name, span_of(value))
               ? NULL
               : "is no realm name: 1 to 64 of a-z 0-9 . _ -, the first a letter or digit";
}

static const char *set_data(serve_options_t *options, const char *value) {
    options->data = value;
    return value[0] != '\0' ? NULL : "is empty";
}

static const char *const ADDRESS_WRONG = "is no address: host:port, or [host]:port for IPv6";

static const char *set_clients(serve_options_t *options, const char *value) {
    address_t address;
    options->clients = value;
    return options_address(&address, value) ? NULL : ADDRESS_WRONG;
}

static const char *set_federation(serve_options_t *options, const char *value) {
    address_t address;
    options->federation = value;
    return options_address(&address, value) ? NULL : ADDRESS_WRONG;
}

static const char *set_advertise(serve_options_t *options, const char *value) {
    bool good = options_address(&options->advertise, value) && options->advertise.port != 0;
    return good ? NULL : "is no address that a peer can dial: host:port, or [host]:port for IPv6";
}

static const char *set_registration(serve_options_t *options, const char *value) {
    options->registration_open = strcmp(value, "open") == 0;
    return options->registration_open || strcmp(value, "closed") == 0 ? NULL
                                                                      : "must be open or closed";
}

static const char *set_accept(serve_options_t *options, const char *value) {
    options->accept_any = strcmp(value, "any") == 0;
    return options->accept_any || strcmp(value, "known") == 0 ? NULL : "must be known or any";
}

static const char *trust_add(serve_options_t *options, span_t value) {
    trust_t trust = {0};
    const char *equals = memchr(value.bytes, '=', value.length);
    size_t name_bytes = equals == NULL ? 0 : (size_t)(equals - value.bytes);
    if (equals == NULL || !name_parse(&trust.name, (span_t){value.bytes, name_bytes}) ||
        !crypto_key_parse(trust.key, equals + 1, value.length - name_bytes - 1)) {
        return "must be NAME=KEY, the key as `realmgate key` prints it";
    }
    if (options->trust_count >= LINKS_MAX) {
        return "names too many realms";
    }
    options->trusts = memory_grow(options->trusts, &options->trust_room, options->trust_count + 1,
                                  sizeof *options->trusts);
    options->trusts[options->trust_count++] = trust;
    return NULL;
}

/* One NAME=KEY, or several with spaces between them. */
static const char *set_trust(serve_options_t *options, const char *value) {
    const char *wrong = NULL;
    const char *rest = value + strspn(value, " ");
    while (*rest != '\0' && wrong == NULL) {
        size_t length = strcspn(rest, " ");
        wrong = trust_add(options, (span_t){rest, length});
        rest += length;
        rest += strspn(rest, " ");
    }
    return wrong;
}

static const char *set_log(serve_options_t *options, const char *value) {
    static const char *const words[] = {[LEVEL_ERROR] = "error",
                                        [LEVEL_WARN] = "warn",
                                        [LEVEL_INFO] = "info",
                                        [LEVEL_DEBUG] = "debug"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(value, words[i]) == 0) {
            options->log = (log_level_t)i;
            return NULL;
        }
    }
    return "must be error, warn, info or debug";
}

static const char *set_log_format(serve_options_t *options, const char *value) {
    options->log_json = strcmp(value, "json") == 0;
    return options->log_json || strcmp(value, "text") == 0 ? NULL : "must be text or json";
}

static const option_row_t ROWS[] = {
    {"name", "REALMGATE_NAME", NULL, set_name},
    {"data", "REALMGATE_DATA", "./realmgate-data", set_data},
    {"clients", "REALMGATE_CLIENTS", "127.0.0.1:9000", set_clients},
    {"federation", "REALMGATE_FEDERATION", "127.0.0.1:9100", set_federation},
    {"advertise", "REALMGATE_ADVERTISE", NULL, set_advertise},
    {"registration", "REALMGATE_REGISTRATION", "closed", set_registration},
    {"accept", "REALMGATE_ACCEPT", "known", set_accept},
    {"trust", "REALMGATE_TRUST", NULL, set_trust},
    {"log", "REALMGATE_LOG", "info", set_log},
    {"log-format", "REALMGATE_LOG_FORMAT", "text", set_log_format},
};
enum { ROW_COUNT = sizeof ROWS / sizeof ROWS[0] };

/* What getopt_long gives back, all beyond the letters of short options. */
enum { GIVEN_HELP = 256, GIVEN_OPERATOR, GIVEN_ROW };

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

static options_result_t row_set(serve_options_t *options, const option_row_t *row,
                                const char *value, bool from_environment, problem_t *problem) {
    const char *wrong = row->set(options, value);
    if (wrong == NULL) {
        return OPTIONS_OK;
    }
    if (from_environment) {
        problem_set(problem, "%s: \"%.128s\" %s", row->environment, value, wrong);
    } else {
        problem_set(problem, "--%s: \"%.128s\" %s", row->word, value, wrong);
    }
    return OPTIONS_WRONG;
}

/* The command line; marks in `given` which rows it named. */
static options_result_t read_command_line(serve_options_t *options, int argc, char **argv,
                                          bool given[ROW_COUNT], problem_t *problem) {
    struct option words[ROW_COUNT + 2] = {{"help", no_argument, NULL, GIVEN_HELP}};
    for (int i = 0; i < ROW_COUNT; i++) {
        words[i + 1] = (struct option){ROWS[i].word, required_argument, NULL, GIVEN_ROW + i};
    }
    options_result_t result = OPTIONS_OK;
    optind = 0; /* glibc: start anew */
    int found;
    while (result == OPTIONS_OK && (found = getopt_long(argc, argv, ":h", words, NULL)) != -1) {
        if (found == GIVEN_HELP || found == 'h') {
            return OPTIONS_HELP;
        }
        if (found < GIVEN_ROW) {
            return getopt_wrong(found, argv, problem);
        }
        given[found - GIVEN_ROW] = true;
        result = row_set(options, &ROWS[found - GIVEN_ROW], optarg, false, problem);
    }
    if (result == OPTIONS_OK && optind < argc) {
        problem_set(problem, "unexpected argument %s", argv[optind]);
        return OPTIONS_WRONG;
    }
    return result;
}

/* What the command line did not say: the environment, else the default. */
static options_result_t read_rest(serve_options_t *options, const bool given[ROW_COUNT],
                                  problem_t *problem) {
    options_result_t result = OPTIONS_OK;
    for (size_t i = 0; i < ROW_COUNT && result == OPTIONS_OK; i++) {
        const char *value = getenv(ROWS[i].environment);
        if (given[i] || (value == NULL && ROWS[i].fallback == NULL)) {
            continue;
        }
        result = row_set(options, &ROWS[i], value != NULL ? value : ROWS[i].fallback, value != NULL,
                         problem);
    }
    return result;
}

options_result_t options_serve(serve_options_t *options, int argc, char **argv,
                               problem_t *problem) {
    bool given[ROW_COUNT] = {false};
    *options = (serve_options_t){0};
    options_result_t result = read_command_line(options, argc, argv, given, problem);
    if (result == OPTIONS_OK) {
        result = read_rest(options, given, problem);
    }
    if (result == OPTIONS_OK && options->name.length == 0) {
        problem_set(problem, "--name is required: the realm's name (or REALMGATE_NAME)");
        result = OPTIONS_WRONG;
    }
    return result;
}

void options_serve_deinit(serve_options_t *options) {
    memory_free(options->trusts);
    *options = (serve_options_t){0};
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
