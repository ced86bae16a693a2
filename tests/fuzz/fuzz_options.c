/*
 * The configuration: command line and environment out of the input, and the small readers of text
 * that all configuration goes through. Whatever is given, the answer is options that keep their own
 * rules, or a sentence that says what is wrong.
 */
#include "app/options.h"
#include "base/assert.h"
#include "base/crypto.h"
#include "base/memory.h"
#include "base/text.h"
#include "input.h"
#include "options_check.h"
#include "target.h"

#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 24, WORD_BYTES_MAX = 400 };

static const char *const variables[] = {
    "REALMGATE_NAME",         "REALMGATE_DATA",      "REALMGATE_CLIENTS", "REALMGATE_FEDERATION",
    "REALMGATE_ADVERTISE",    "REALMGATE_ACCEPT",    "REALMGATE_TRUST",   "REALMGATE_LOG",
    "REALMGATE_REGISTRATION", "REALMGATE_LOG_FORMAT"};
enum { VARIABLE_COUNT = sizeof(variables) / sizeof(variables[0]) };

/* The bytes up to the next NUL as a C string of its own. */
static char *word_take(input_t *input) {
    const void *end = input->left == 0 ? NULL : memchr(input->bytes, '\0', input->left);
    size_t length = end == NULL ? input->left : (size_t)((const uint8_t *)end - input->bytes);
    span_t bytes = input_span(input, length < WORD_BYTES_MAX ? length : WORD_BYTES_MAX);
    (void)input_u8(input);
    char *word = memory_alloc(bytes.length + 1);
    if (bytes.length > 0)
        memcpy(word, bytes.bytes, bytes.length);
    return word;
}

static void serve(int argc, char **argv) {
    serve_options_t options;
    problem_t problem = {""};
    options_result_t result = options_serve(&options, argc, argv, &problem);
    ASSERT((result == OPTIONS_WRONG) == (problem.text[0] != '\0'));
    if (result == OPTIONS_OK)
        check_serve_options(&options);
    options_serve_deinit(&options);
}

static void command(int argc, char **argv, int most, bool takes_operator) {
    command_options_t options;
    problem_t problem = {""};
    options_result_t result =
        options_command(&options, argc, argv, most > 0 ? 1 : 0, most, takes_operator, &problem);
    ASSERT((result == OPTIONS_WRONG) == (problem.text[0] != '\0'));
    if (result != OPTIONS_OK)
        return;
    ASSERT(options.argument_count >= 0 && options.argument_count <= most);
    ASSERT(options.data != NULL && (takes_operator || !options.is_operator));
    for (int i = 0; i < options.argument_count; i++)
        ASSERT(strlen(options.arguments[i]) <= WORD_BYTES_MAX);
    if (options.name.length > 0)
        check_name(&options.name);
}

static void check_key(span_t text) {
    uint8_t key[KEY_BYTES];
    char again[KEY_TEXT_BYTES + 1];
    if (!crypto_key_parse(key, text.bytes, text.length))
        return;
    crypto_key_text(again, key);
    ASSERT(text.length == KEY_TEXT_BYTES && memcmp(again, text.bytes, KEY_TEXT_BYTES) == 0);
}

/* The readers themselves, on bytes that need not be a C string. */
static void readers(span_t text, uint64_t limit) {
    name_t name;
    char host[32];
    uint16_t port;
    uint64_t number;
    char time[TIME_TEXT_BYTES];
    char *copy = input_copy(text);
    span_t bytes = {copy, text.length};
    if (name_parse(&name, bytes))
        check_name(&name);
    if (text_host_port(bytes, host, sizeof(host), &port))
        ASSERT(strlen(host) > 0 && strlen(host) < sizeof(host));
    if (text_number(bytes, limit, &number))
        ASSERT(number <= limit);
    if (text_is_password(bytes))
        ASSERT(bytes.length <= PASSWORD_BYTES_MAX && memchr(copy, ' ', bytes.length) == NULL);
    if (text_is_utf8(bytes))
        ASSERT(bytes.length == 0 || memchr(copy, '\0', bytes.length) == NULL);
    check_key(bytes);
    text_time(time, (int64_t)limit);
    ASSERT(strlen(time) == TIME_TEXT_BYTES - 1);
    memory_free(copy);
}

/* Takes words as VARIABLE=n, or into argv; returns argc. */
static int take_words(input_t *input, char *argv[WORDS_MAX + 2]) {
    int argc = 1;
    for (int i = 0; i < WORDS_MAX && !input_ended(input); i++) {
        size_t place = input_below(input, 2 * VARIABLE_COUNT);
        char *word = word_take(input);
        if (place < VARIABLE_COUNT) {
            ASSERT(setenv(variables[place], word, 1) == 0);
            memory_free(word);
        } else {
            argv[argc++] = word;
        }
    }
    return argc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    input_t input = {data, size};
    static char program[] = "realmgate";
    char *argv[WORDS_MAX + 2] = {program};
    char *owned[WORDS_MAX + 2];
    unsigned way = input_u8(&input);
    uint64_t limit = input_u64(&input);
    readers((span_t){(const char *)input.bytes, input.left}, limit);
    int argc = take_words(&input, argv);
    memcpy(owned, argv, sizeof(owned)); /* getopt moves the words */
    if (way % 2 == 0)
        serve(argc, argv);
    else
        command(argc, argv, (int)(way / 2 % 5), way / 16 % 2 == 0);
    for (int i = 1; i < argc; i++)
        memory_free(owned[i]);
    for (size_t i = 0; i < VARIABLE_COUNT; i++)
        ASSERT(unsetenv(variables[i]) == 0);
    return 0;
}
