/*
 * A configuration file: whatever its bytes are, the answer is options that keep their own rules, or
 * a sentence that says what is wrong; and the same when a running realm reads it again.
 */
#include "app/config_check.h"
#include "app/config_file.h"
#include "app/config_reload.h"
#include "base/assert.h"
#include "base/memory.h"
#include "base/text.h"
#include "input.h"
#include "options_check.h"
#include "target.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PATH_BYTES = 64 };

/* The entries as they stand in the file. */
static void parse(span_t text) {
    problem_t problem = {""};
    char *copy = input_copy(text);
    config_file_t *file = config_file_parse("x.conf", (span_t){copy, text.length}, &problem);
    ASSERT((file == NULL) == (problem.text[0] != '\0'));
    for (size_t i = 0; file != NULL && i < file->count; i++) {
        const config_entry_t *entry = &file->entries[i];
        ASSERT(entry->option < OPTION_COUNT && entry->option != OPTION_CONFIG);
        ASSERT(entry->line > (i == 0 ? 0 : file->entries[i - 1].line));
        ASSERT(text_is_utf8(span_of(entry->text)));
    }
    config_file_destroy(&file);
    memory_free(copy);
}

/* A file in memory of its own. */
static int file_make(char path[PATH_BYTES]) {
    int file = memfd_create("realmgate.conf", MFD_CLOEXEC);
    ASSERT(file >= 0);
    (void)snprintf(path, PATH_BYTES, "/proc/self/fd/%d", file);
    return file;
}

static void file_fill(int file, span_t text) {
    ASSERT(ftruncate(file, 0) == 0);
    ASSERT(pwrite(file, text.bytes, text.length, 0) == (ssize_t)text.length);
}

/* What is printed and logged of it is written, but not to be seen. */
static int hush(int shown) {
    int kept = dup(shown);
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    ASSERT(kept >= 0 && nowhere >= 0);
    ASSERT(dup2(nowhere, shown) == shown && close(nowhere) == 0);
    return kept;
}

static void unhush(int shown, int kept) {
    (void)fflush(NULL);
    ASSERT(dup2(kept, shown) == shown && close(kept) == 0);
}

/* The realm runs with `started`, and the file now says something else. */
static void read_again(const serve_options_t *started) {
    problem_t problem = {""};
    serve_options_t fresh;
    reload_t reload;
    reload_init(&reload, started);
    for (unsigned i = 0; i < 2; i++) {
        bool good = reload_read(&reload, &fresh, &problem);
        ASSERT(good == (problem.text[0] == '\0'));
        if (!good)
            break;
        check_serve_options(&fresh);
        int kept = hush(STDERR_FILENO);
        reload_take(&reload, &fresh);
        unhush(STDERR_FILENO, kept);
    }
    reload_deinit(&reload);
}

static void serve(span_t text, span_t later, bool prints) {
    static char program[] = "realmgate", config[] = "--config", name[] = "--name", a[] = "a";
    char path[PATH_BYTES];
    int file = file_make(path);
    char *argv[] = {program, config, path, name, a, NULL};
    serve_options_t options;
    problem_t problem = {""};
    file_fill(file, text);
    options_result_t result = options_serve(&options, 5, argv, &problem);
    ASSERT(result == (problem.text[0] != '\0' ? OPTIONS_WRONG : OPTIONS_OK));
    if (result == OPTIONS_OK) {
        check_serve_options(&options);
        if (prints) {
            int kept = hush(STDOUT_FILENO);
            config_check_print(&options);
            unhush(STDOUT_FILENO, kept);
        }
        file_fill(file, later);
        read_again(&options);
    }
    options_serve_deinit(&options);
    ASSERT(close(file) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    input_t input = {data, size};
    uint8_t choice = input_u8(&input);
    /* The same again, or with its last part other than at the start. */
    size_t later_bytes = choice % 4 == 0 ? input.left / 2 : 0;
    span_t text = input_span(&input, input.left - later_bytes);
    span_t later = later_bytes > 0 ? input_span(&input, later_bytes) : text;
    options_serve_environment_clear();
    parse(text);
    serve(text, later, choice / 4 % 4 == 0);
    return 0;
}
