/* links: base wire core store net app */
/*
 * The configuration file: what it may say, and complaints that name file, line and key.
 */
#include "app/config_file.h"
#include "app/config_table.h"
#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_B "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA"
#define KEY_C "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCA"

static config_file_t *parse(const char *text, problem_t *problem) {
    problem->text[0] = '\0';
    return config_file_parse("x.conf", span_of(text), problem);
}

static void assert_entry(const config_file_t *file, size_t index, option_id_t option, unsigned line,
                         const char *text) {
    cr_assert_lt(index, file->count);
    cr_assert_eq(file->entries[index].option, option);
    cr_assert_eq(file->entries[index].line, line);
    cr_assert_str_eq(file->entries[index].text, text);
}

static void assert_wrong(const char *text, const char *sentence) {
    problem_t problem;
    config_file_t *file = parse(text, &problem);
    cr_assert_null(file, "%s", text);
    cr_assert_str_eq(problem.text, sentence);
}

Test(config_file, takes_keys_comments_quotes_and_sections) {
    problem_t problem;
    config_file_t *file = parse("# a comment\n"
                                "\n"
                                "name = a\n"
                                "  # one that is indented as it likes\n"
                                "clients=127.0.0.1:9001   # behind a value\n"
                                "data = \"a # b\"  # behind a quoted one\n"
                                "trust   # a section\n"
                                "    b = " KEY_B "\n"
                                "\n"
                                "    C = '" KEY_C "'\n"
                                "   \n"
                                "log = debug   ",
                                &problem);
    cr_assert_not_null(file, "%s", problem.text);
    cr_assert_eq(file->count, 6);
    assert_entry(file, 0, OPTION_NAME, 3, "a");
    assert_entry(file, 1, OPTION_CLIENTS, 5, "127.0.0.1:9001");
    assert_entry(file, 2, OPTION_DATA, 6, "a # b");
    assert_entry(file, 3, OPTION_TRUST, 8, "b=" KEY_B);
    assert_entry(file, 4, OPTION_TRUST, 10, "c=" KEY_C);
    assert_entry(file, 5, OPTION_LOG, 12, "debug");
    config_file_destroy(&file);
    cr_assert_null(file);
}

Test(config_file, takes_lines_of_other_systems_and_none_at_all) {
    problem_t problem;
    config_file_t *file = parse("name = a\r\nlog = warn\r\n\r\n", &problem);
    cr_assert_not_null(file, "%s", problem.text);
    assert_entry(file, 1, OPTION_LOG, 2, "warn");
    config_file_destroy(&file);
    file = parse("", &problem);
    cr_assert_not_null(file);
    cr_assert_eq(file->count, 0);
    config_file_destroy(&file);
}

/* A long line goes another way through czmq than a short one. */
Test(config_file, takes_long_lines) {
    problem_t problem;
    char text[5000] = "data = ";
    memset(text + 7, 'x', 4000);
    config_file_t *file = parse(text, &problem);
    cr_assert_not_null(file, "%s", problem.text);
    cr_assert_eq(strlen(file->entries[0].text), 4000);
    config_file_destroy(&file);
}

Test(config_file, knows_every_key_but_its_own_place) {
    for (option_id_t id = 0; id < OPTION_COUNT; id++) {
        option_id_t expected = id == OPTION_CONFIG ? OPTION_COUNT : id;
        cr_assert_eq(config_key(span_of(config_row(id)->word)), expected);
    }
    assert_wrong("config = y.conf", "x.conf:1: config: there is no such key");
}

Test(config_file, names_line_and_key_of_what_is_wrong) {
    assert_wrong("name = a\nretentoin = 3d\n", "x.conf:2: retentoin: there is no such key");
    assert_wrong("Name = a\n", "x.conf:1: Name: there is no such key");
    assert_wrong("log = info\n\nlog = info\n",
                 "x.conf:3: log: stands there twice, first on line 1");
    assert_wrong("log\n", "x.conf:1: log: its value is missing");
    assert_wrong("log info\n", "x.conf:1: log info: must be a key, an equals sign and a value");
    assert_wrong("= a\n", "x.conf:1: = a: must be a key, an equals sign and a value");
    assert_wrong("data = \"a\n", "x.conf:1: data: the quote is not closed");
    assert_wrong("data = 'a' b\n", "x.conf:1: data: something stands behind the closing quote");
    assert_wrong("#\n\tlog = info\n", "x.conf:2: log: a tab, a control character or what is not "
                                      "UTF-8 stands there");
    assert_wrong("log = \x01\n", "x.conf:1: log: a tab, a control character or what is not UTF-8 "
                                 "stands there");
    assert_wrong("data = \xFF\n", "x.conf:1: data: a tab, a control character or what is not "
                                  "UTF-8 stands there");
    assert_wrong("name = a\n    log = info\n",
                 "x.conf:2: log: only realms under trust are indented, by four spaces");
}

Test(config_file, names_line_and_key_of_what_is_wrong_with_trust) {
    assert_wrong("trust = b=" KEY_B "\n",
                 "x.conf:1: trust: has no value of its own: NAME = KEY stands on lines of their "
                 "own below it, indented by four spaces");
    assert_wrong("trust\n  b = " KEY_B "\n",
                 "x.conf:2: b: only realms under trust are indented, by four spaces");
    assert_wrong("trust\n    b = " KEY_B "\n        c = " KEY_C "\n",
                 "x.conf:3: c: only realms under trust are indented, by four spaces");
    assert_wrong("trust\nlog = info\n    b = " KEY_B "\n",
                 "x.conf:3: b: only realms under trust are indented, by four spaces");
    assert_wrong("trust\n    b\n", "x.conf:2: trust: b: its key is missing");
    assert_wrong("trust\n    b = " KEY_B "\n    B = " KEY_C "\n",
                 "x.conf:3: trust: b: stands there twice, first on line 2");
    assert_wrong("trust\n    -b = " KEY_B "\n", "x.conf:2: trust: \"-b\" is no realm name");
}

/* Neither czmq's nor our own work grows with the square of what somebody writes there. */
Test(config_file, takes_no_more_realms_than_there_can_be) {
    size_t room = 64 + (LINKS_MAX + 1) * 32;
    char *text = memory_alloc(room);
    size_t length = (size_t)snprintf(text, room, "trust\n");
    for (int i = 0; i <= LINKS_MAX; i++) {
        length += (size_t)snprintf(text + length, room - length, "    r%d = k\n", i);
    }
    assert_wrong(text, "x.conf:1026: trust: names too many realms");
    memory_free(text);
}

static void assert_unreadable(const char *path, const char *sentence) {
    problem_t problem;
    cr_assert_null(config_file_read(path, &problem));
    cr_assert_str_eq(problem.text, sentence);
}

Test(config_file, reads_plain_files_of_a_sound_size_only) {
    char directory[] = "/tmp/realmgate-unit-XXXXXX";
    char path[64];
    cr_assert_not_null(mkdtemp(directory));
    assert_unreadable("/nowhere.conf", "cannot read the configuration file /nowhere.conf: No such "
                                       "file or directory");
    assert_unreadable("/", "cannot read the configuration file /: it is not a plain file");
    assert_unreadable("/dev/zero",
                      "cannot read the configuration file /dev/zero: it is not a plain file");
    (void)snprintf(path, sizeof path, "%s/pipe", directory);
    cr_assert_eq(mkfifo(path, 0600), 0);
    problem_t problem;
    cr_assert_null(config_file_read(path, &problem));
    cr_assert_not_null(strstr(problem.text, "it is not a plain file"), "%s", problem.text);
    cr_assert_eq(unlink(path), 0);

    (void)snprintf(path, sizeof path, "%s/large", directory);
    int file = open(path, O_WRONLY | O_CREAT, 0600);
    cr_assert_eq(ftruncate(file, SETTINGS_FILE_BYTES_MAX + 1), 0);
    cr_assert_null(config_file_read(path, &problem));
    cr_assert_not_null(strstr(problem.text, "it is larger than a megabyte"), "%s", problem.text);
    cr_assert_eq(ftruncate(file, 0), 0);
    cr_assert_eq(write(file, "log = warn\n", 11), 11);
    config_file_t *read = config_file_read(path, &problem);
    cr_assert_not_null(read, "%s", problem.text);
    assert_entry(read, 0, OPTION_LOG, 1, "warn");
    config_file_destroy(&read);
    cr_assert_eq(close(file), 0);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(rmdir(directory), 0);
}
