/* links: base wire core store net app */
/*
 * Options: precedence, and complaints that name what is wrong.
 */
#include "app/options.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    static const char *const names[] = {"REALMGATE_NAME",         "REALMGATE_DATA",
                                        "REALMGATE_CLIENTS",      "REALMGATE_FEDERATION",
                                        "REALMGATE_ADVERTISE",    "REALMGATE_ACCEPT",
                                        "REALMGATE_TRUST",        "REALMGATE_LOG",
                                        "REALMGATE_REGISTRATION", "REALMGATE_LOG_FORMAT"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)unsetenv(names[i]);
    }
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
    options_serve_deinit(&options);
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
