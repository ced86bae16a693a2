/* links: base wire core store net app */
/*
 * Options: precedence, and complaints that name what is wrong.
 */
#include "app/config_table.h"
#include "app/options.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define KEY_B "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA"

static options_result_t serve(serve_options_t *options, problem_t *problem, const char *line) {
    static char copy[1024];
    char *arguments[32] = {NULL};
    int count = 0;
    (void)snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " ")) {
        arguments[count++] = word;
    }
    problem->text[0] = '\0';
    return options_serve(options, count, arguments, problem);
}

static void assert_wrong(const char *line, const char *named) {
    serve_options_t options;
    problem_t problem;
    cr_assert_eq(serve(&options, &problem, line), OPTIONS_WRONG, "%s", line);
    cr_assert(strstr(problem.text, named) != NULL, "%s: %s", line, problem.text);
    options_serve_deinit(&options);
}

static void setup(void) {
    options_serve_environment_clear();
}

TestSuite(options, .init = setup);

Test(options, defaults) {
    serve_options_t options;
    problem_t problem;
    cr_assert_eq(serve(&options, &problem, "serve --name a"), OPTIONS_OK);
    cr_assert_str_eq(options.name.text, "a");
    cr_assert_str_eq(options.data, "./realmgate-data");
    cr_assert_str_eq(options.clients, "127.0.0.1:9000");
    cr_assert_str_eq(options.federation, "127.0.0.1:9100");
    cr_assert_eq(options.advertise.length, 0);
    cr_assert_not(options.registration_open);
    cr_assert_not(options.accept_any);
    cr_assert_eq(options.trust_count, 0);
    cr_assert_eq(options.log, LEVEL_INFO);
    cr_assert_not(options.log_json);
    cr_assert_not(options.check_only);
    cr_assert_null(options.config);
    options_serve_deinit(&options);
}

/* The table says the defaults as text, limits.h as numbers: both mean the same. */
Test(options, default_limits) {
    serve_options_t options;
    problem_t problem;
    cr_assert_eq(serve(&options, &problem, "serve --name a"), OPTIONS_OK);
    const front_limits_t front = FRONT_LIMITS_DEFAULT;
    const front_limits_t *limits = &options.front_limits;
    const rate_t attempts = REALM_LIMITS_DEFAULT.auth_rate;
    cr_assert_eq(options.realm_limits.auth_rate.per_minute, attempts.per_minute);
    cr_assert_eq(options.realm_limits.auth_rate.burst, attempts.burst);
    cr_assert_eq(limits->request_rate.per_minute, 0);
    cr_assert_eq(limits->request_rate_connection.per_minute, 0);
    cr_assert_eq(limits->connection_rate.per_minute, 0);
    cr_assert_eq(limits->connections_max, front.connections_max);
    cr_assert_eq(limits->connections_per_address_max, front.connections_per_address_max);
    cr_assert_eq(limits->login_timeout_ms, front.login_timeout_ms);
    const realm_limits_t realm = REALM_LIMITS_DEFAULT;
    cr_assert_eq(options.realm_limits.users_max, realm.users_max);
    cr_assert_eq(options.realm_limits.groups_max, realm.groups_max);
    cr_assert_eq(options.realm_limits.members_max, realm.members_max);
    cr_assert_eq(options.realm_limits.mailboxes_max, realm.mailboxes_max);
    cr_assert_eq(options.realm_limits.outbox_records_max, realm.outbox_records_max);
    cr_assert_eq(options.realm_limits.outbox_bytes_max, realm.outbox_bytes_max);
    cr_assert_eq(options.realm_limits.queue_expiry_ms, realm.queue_expiry_ms);
    cr_assert_eq(options.realm_limits.retention_ms, realm.retention_ms);
    options_serve_deinit(&options);
}

/* The variable is the word in capitals: nobody has to look it up. */
Test(options, variables_are_named_like_words) {
    for (option_id_t id = 0; id < OPTION_COUNT; id++) {
        char name[64] = "REALMGATE_";
        const char *word = config_row(id)->word;
        for (size_t i = 0; i <= strlen(word); i++) {
            name[10 + i] = (char)(word[i] == '-' ? '_' : toupper(word[i]));
        }
        cr_assert_str_eq(config_row(id)->variable, name);
    }
}

typedef struct conf {
    char path[64];
    char line[512];
} conf_t;

/* A configuration file, and a command line that names it. */
static void conf_write(conf_t *conf, const char *text, const char *options) {
    (void)strcpy(conf->path, "/tmp/realmgate-unit-XXXXXX");
    int file = mkstemp(conf->path);
    cr_assert_geq(file, 0);
    cr_assert_eq(write(file, text, strlen(text)), (ssize_t)strlen(text));
    cr_assert_eq(close(file), 0);
    (void)snprintf(conf->line, sizeof conf->line, "serve --config %s %s", conf->path, options);
}

Test(options, environment_wins_over_file_wins_over_default) {
    serve_options_t options;
    problem_t problem;
    conf_t conf;
    conf_write(&conf,
               "name = fromfile\nlog = error\nclients = 127.0.0.1:1\nretention = 30d\n"
               "auth-rate = 5/m:7\ntrust\n    x = " KEY_A "\n    y = " KEY_B "\n",
               "--log debug");
    setenv("REALMGATE_CLIENTS", "127.0.0.1:2", 1);
    setenv("REALMGATE_LOG", "warn", 1);
    cr_assert_eq(serve(&options, &problem, conf.line), OPTIONS_OK, "%s", problem.text);
    cr_assert_str_eq(options.config, conf.path);
    cr_assert_str_eq(options.name.text, "fromfile");
    cr_assert_str_eq(options.clients, "127.0.0.1:2");
    cr_assert_eq(options.log, LEVEL_DEBUG);
    cr_assert_eq(options.realm_limits.retention_ms, 30LL * 24 * 3600 * 1000);
    cr_assert_eq(options.realm_limits.auth_rate.per_minute, 5);
    cr_assert_eq(options.realm_limits.auth_rate.burst, 7);
    cr_assert_eq(options.trust_count, 2);
    cr_assert_eq(options.values[OPTION_NAME].source, SOURCE_FILE);
    cr_assert_eq(options.values[OPTION_NAME].line, 1);
    cr_assert_eq(options.values[OPTION_CLIENTS].source, SOURCE_ENVIRONMENT);
    cr_assert_eq(options.values[OPTION_LOG].source, SOURCE_COMMAND_LINE);
    cr_assert_eq(options.values[OPTION_ACCEPT].source, SOURCE_DEFAULT);
    cr_assert_eq(options.values[OPTION_ADVERTISE].source, SOURCE_NONE);
    options_serve_deinit(&options);
    cr_assert_eq(unlink(conf.path), 0);
}

/* A stronger list of realms takes the place of a weaker one, as with any other option. */
Test(options, trust_is_overridden_as_a_whole) {
    serve_options_t options;
    problem_t problem;
    conf_t conf;
    conf_write(&conf, "name = a\ntrust\n    x = " KEY_A "\n",
               "--trust z=" KEY_A " --trust=y=" KEY_B);
    setenv("REALMGATE_TRUST", "u=" KEY_A " v=" KEY_B, 1);
    cr_assert_eq(serve(&options, &problem, conf.line), OPTIONS_OK, "%s", problem.text);
    cr_assert_eq(options.trust_count, 2);
    cr_assert_str_eq(options.trusts[0].name.text, "z");
    cr_assert_str_eq(options.trusts[1].name.text, "y");
    options_serve_deinit(&options);
    cr_assert_eq(unlink(conf.path), 0);
}

Test(options, the_environment_may_name_the_file) {
    serve_options_t options;
    problem_t problem;
    conf_t conf;
    conf_write(&conf, "name = a\n", "");
    setenv("REALMGATE_CONFIG", conf.path, 1);
    cr_assert_eq(serve(&options, &problem, "serve --check"), OPTIONS_OK, "%s", problem.text);
    cr_assert_str_eq(options.name.text, "a");
    cr_assert(options.check_only);
    options_serve_deinit(&options);
    setenv("REALMGATE_CONFIG", "/nowhere.conf", 1);
    assert_wrong("serve --name a", "/nowhere.conf");
    cr_assert_eq(serve(&options, &problem, conf.line), OPTIONS_OK, "%s", problem.text);
    options_serve_deinit(&options);
    cr_assert_eq(unlink(conf.path), 0);
}

static void assert_conf_wrong(const char *text, const char *options, const char *sentence) {
    conf_t conf;
    char expected[512];
    conf_write(&conf, text, options);
    (void)snprintf(expected, sizeof expected, "%s%s", conf.path, sentence);
    assert_wrong(conf.line, expected);
    cr_assert_eq(unlink(conf.path), 0);
}

Test(options, complaints_name_file_line_and_key) {
    assert_conf_wrong("name = a\n\nretention = soon\n", "", ":3: retention: \"soon\" must be ");
    assert_conf_wrong("name = a\nregistratoin = open\n", "",
                      ":2: registratoin: there is no such key");
    assert_conf_wrong("name = a\ndata =\n", "", ":2: data: \"\" is empty");
    assert_conf_wrong("trust\n    b = short\n", "--name a", ":2: trust: \"b=short\" must be ");
    assert_conf_wrong("trust\n    b = " KEY_A " c=" KEY_B "\n", "--name a",
                      ":2: trust: \"b=" KEY_A " c=" KEY_B "\" must be one realm and its key");
}

/* What is overridden today is used tomorrow: it has to be sound today. */
Test(options, what_is_overridden_is_checked_too) {
    assert_conf_wrong("log = loud\n", "--name a --log info", ":1: log: \"loud\" must be ");
    setenv("REALMGATE_LOG", "loud", 1);
    assert_wrong("serve --name a --log info", "REALMGATE_LOG: \"loud\" must be ");
}

Test(options, command_line_wins_over_environment_wins_over_default) {
    serve_options_t options;
    problem_t problem;
    setenv("REALMGATE_NAME", "fromenv", 1);
    setenv("REALMGATE_CLIENTS", "[::1]:7000", 1);
    setenv("REALMGATE_LOG", "debug", 1);
    setenv("REALMGATE_REGISTRATION", "open", 1);
    setenv("REALMGATE_TRUST", "x=" KEY_A "  y=" KEY_B, 1);
    cr_assert_eq(serve(&options, &problem, "serve --log warn --registration=closed"), OPTIONS_OK);
    cr_assert_str_eq(options.name.text, "fromenv");
    cr_assert_str_eq(options.clients, "[::1]:7000");
    cr_assert_eq(options.log, LEVEL_WARN);
    cr_assert_not(options.registration_open);
    cr_assert_eq(options.trust_count, 2);
    cr_assert_str_eq(options.trusts[1].name.text, "y");
    options_serve_deinit(&options);

    cr_assert_eq(serve(&options, &problem, "serve --trust z=" KEY_A " --trust w=" KEY_B),
                 OPTIONS_OK);
    cr_assert_eq(options.trust_count, 2);
    cr_assert_str_eq(options.trusts[0].name.text, "z");
    cr_assert_str_eq(options.trusts[1].name.text, "w");
    options_serve_deinit(&options);
}

Test(options, everything_can_be_set) {
    serve_options_t options;
    problem_t problem;
    cr_assert_eq(serve(&options, &problem,
                       "serve --name B --data d --clients 0.0.0.0:1 --federation [::]:0 "
                       "--advertise b.example:9102 --registration open --accept any "
                       "--log error --log-format json"),
                 OPTIONS_OK, "%s", problem.text);
    cr_assert_str_eq(options.name.text, "b");
    cr_assert_str_eq(options.advertise.text, "b.example");
    cr_assert_eq(options.advertise.length, strlen("b.example"));
    cr_assert_eq(options.advertise.port, 9102);
    cr_assert(options.registration_open);
    cr_assert(options.accept_any);
    cr_assert_eq(options.log, LEVEL_ERROR);
    cr_assert(options.log_json);
    options_serve_deinit(&options);
}

Test(options, complaints_name_the_option) {
    assert_wrong("serve", "--name");
    assert_wrong("serve --name .a", "--name");
    assert_wrong("serve --name a --clients 9000", "--clients");
    assert_wrong("serve --name a --federation host:70000", "--federation");
    assert_wrong("serve --name a --advertise host:0", "--advertise");
    assert_wrong("serve --name a --registration maybe", "--registration");
    assert_wrong("serve --name a --accept all", "--accept");
    assert_wrong("serve --name a --trust b", "--trust");
    assert_wrong("serve --name a --trust b=short", "--trust");
    assert_wrong("serve --name a --trust B!=" KEY_A, "--trust");
    assert_wrong("serve --name a --log loud", "--log");
    assert_wrong("serve --name a --log-format xml", "--log-format");
    assert_wrong("serve --name a --retention 30", "--retention");
    assert_wrong("serve --name a --auth-rate 20", "--auth-rate");
    assert_wrong("serve --name a --users-max 0", "--users-max");
    assert_wrong("serve --name a --outbox-bytes 1T", "--outbox-bytes");
    assert_wrong("serve --name a --login-timeout 1", "--login-timeout");
    assert_wrong("serve --name a --check=yes", "--check");
    assert_wrong("serve --name a --nonsense", "--nonsense");
    assert_wrong("serve --name a -x", "-x");
    assert_wrong("serve --name", "--name needs a value");
    assert_wrong("serve --name a extra", "extra");
}

Test(options, complaints_name_the_variable) {
    setenv("REALMGATE_ACCEPT", "all", 1);
    assert_wrong("serve --name a", "REALMGATE_ACCEPT");
    setenv("REALMGATE_ACCEPT", "any", 1);
    setenv("REALMGATE_TRUST", "b=" KEY_A " c", 1);
    assert_wrong("serve --name a", "REALMGATE_TRUST");
}

Test(options, help_wins) {
    serve_options_t options;
    problem_t problem;
    cr_assert_eq(serve(&options, &problem, "serve --help"), OPTIONS_HELP);
    options_serve_deinit(&options);
}

Test(options, small_commands) {
    command_options_t options;
    problem_t problem;
    char words[][16] = {"add", "alice", "--operator", "--data", "d", "--name", "A"};
    char *arguments[8] = {NULL};
    for (size_t i = 0; i < 7; i++) {
        arguments[i] = words[i];
    }
    cr_assert_eq(options_command(&options, 7, arguments, 1, 1, true, &problem), OPTIONS_OK);
    cr_assert_str_eq(options.data, "d");
    cr_assert_str_eq(options.name.text, "a");
    cr_assert(options.is_operator);
    cr_assert_eq(options.argument_count, 1);
    cr_assert_str_eq(options.arguments[0], "alice");
    cr_assert_eq(options_command(&options, 7, arguments, 1, 1, false, &problem), OPTIONS_WRONG);
    cr_assert(strstr(problem.text, "--operator") != NULL, "%s", problem.text);
}

Test(options, small_commands_count_their_arguments) {
    command_options_t options;
    problem_t problem;
    char words[][16] = {"trust", "b", "key", "extra"};
    char *arguments[] = {words[0], words[1], words[2], words[3], NULL};
    setenv("REALMGATE_DATA", "e", 1);
    cr_assert_eq(options_command(&options, 3, arguments, 2, 2, false, &problem), OPTIONS_OK);
    cr_assert_str_eq(options.data, "e");
    cr_assert_eq(options_command(&options, 2, arguments, 2, 2, false, &problem), OPTIONS_WRONG);
    cr_assert_eq(options_command(&options, 4, arguments, 2, 2, false, &problem), OPTIONS_WRONG);
    cr_assert(strstr(problem.text, "extra") != NULL);
}

/* A key may begin with a dash, or two. */
Test(options, small_commands_take_dashed_keys) {
    command_options_t options;
    problem_t problem;
    char words[][64] = {"trust", "b", "--" KEY_A, "--data", "d"};
    char *arguments[] = {words[0], words[1], words[2], words[3], words[4], NULL};
    words[2][KEY_TEXT_BYTES] = '\0';
    words[2][KEY_TEXT_BYTES - 1] = 'A';
    cr_assert_eq(options_command(&options, 5, arguments, 2, 2, false, &problem), OPTIONS_OK, "%s",
                 problem.text);
    cr_assert_str_eq(options.data, "d");
    cr_assert_eq(options.argument_count, 2);
    cr_assert_str_eq(options.arguments[0], "b");
    cr_assert_str_eq(options.arguments[1], words[2]);
}

Test(options, small_commands_name_an_unknown_letter) {
    command_options_t options;
    problem_t problem;
    char words[][8] = {"trust", "b", "-xyz"};
    char *arguments[] = {words[0], words[1], words[2], NULL};
    cr_assert_eq(options_command(&options, 3, arguments, 2, 2, false, &problem), OPTIONS_WRONG);
    cr_assert(strstr(problem.text, "-x") != NULL, "%s", problem.text);
}
