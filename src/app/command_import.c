/*
 * realmgate import: users from a CSV file. Must never add anybody of a file with an error in it,
 * nor show a password or a hash.
 */
#include "app/commands.h"
#include "app/csv.h"
#include "app/password_input.h"
#include "base/crypto.h"
#include "base/memory.h"
#include "base/phc.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A million users with hashes fit. */
#define IMPORT_BYTES_MAX (256L * 1024 * 1024)

/* The longest line here: a word, a name, a password or a hash, a flag. */
enum { IMPORT_LINE_BYTES = 64 + NAME_BYTES_MAX + PASSWORD_BYTES_MAX + PHC_BYTES_MAX };

typedef enum column { COLUMN_NONE, COLUMN_USER, COLUMN_HASH, COLUMN_OPERATOR } column_t;

typedef struct import_row {
    name_t user;
    span_t hash; /* length 0: a password is asked for */
    bool is_operator;
} import_row_t;

typedef struct import {
    const char *file;
    char *bytes;
    size_t length;
    csv_t csv;
    size_t column_count;
    column_t columns[CSV_FIELDS_MAX];
    unsigned added, refused;
} import_t;

static exit_code_t wrong(const import_t *import, problem_t *problem, const char *what) {
    problem_set(problem, "%s:%u: %s", import->file, import->csv.line, what);
    return EXIT_USAGE;
}

static column_t column_of(span_t title) {
    static const char *const titles[] = {
        [COLUMN_USER] = "user", [COLUMN_HASH] = "hash", [COLUMN_OPERATOR] = "operator"};
    for (unsigned i = COLUMN_USER; i <= COLUMN_OPERATOR; i++) {
        if (span_equal(title, span_of(titles[i]))) {
            return (column_t)i;
        }
    }
    return COLUMN_NONE;
}

static exit_code_t read_titles(import_t *import, problem_t *problem) {
    bool seen[COLUMN_OPERATOR + 1] = {false};
    csv_open(&import->csv, import->bytes, import->length);
    if (!csv_next(&import->csv)) {
        const char *what = import->csv.wrong;
        return wrong(import, problem, what != NULL ? what : "the file is empty");
    }
    import->column_count = import->csv.field_count;
    for (size_t i = 0; i < import->column_count; i++) {
        column_t column = column_of(import->csv.fields[i]);
        if (column == COLUMN_NONE || seen[column]) {
            return wrong(import, problem,
                         "the first line names the columns: user, hash, operator, each once");
        }
        seen[column] = true;
        import->columns[i] = column;
    }
    return seen[COLUMN_USER] ? EXIT_CLEAN : wrong(import, problem, "there is no column user");
}

/* NULL, or what is wrong with the field. */
static const char *read_field(import_row_t *row, column_t column, span_t field) {
    password_hash_t hash;
    switch (column) {
    case COLUMN_USER:
        return name_parse(&row->user, field) ? NULL : "that is no user name";
    case COLUMN_HASH:
        row->hash = field;
        return field.length == 0 || phc_parse(&hash, field)
                   ? NULL
                   : "that is no Argon2id hash (see --help)";
    case COLUMN_OPERATOR:
        row->is_operator = span_equal(field, span_of("yes"));
        return row->is_operator || field.length == 0 || span_equal(field, span_of("no"))
                   ? NULL
                   : "operator is yes or no";
    case COLUMN_NONE:
        break;
    }
    return NULL;
}

/* The next row. EXIT_CLEAN and *end at the end of the file. */
static exit_code_t read_row(import_t *import, import_row_t *row, bool *end, problem_t *problem) {
    *row = (import_row_t){.is_operator = false};
    *end = !csv_next(&import->csv);
    if (*end) {
        return import->csv.wrong == NULL ? EXIT_CLEAN : wrong(import, problem, import->csv.wrong);
    }
    if (import->csv.field_count != import->column_count) {
        return wrong(import, problem, "another number of fields than in the first line");
    }
    for (size_t i = 0; i < import->column_count; i++) {
        const char *what = read_field(row, import->columns[i], import->csv.fields[i]);
        if (what != NULL) {
            return wrong(import, problem, what);
        }
    }
    return EXIT_CLEAN;
}

static exit_code_t each_row(import_t *import, problem_t *problem,
                            exit_code_t (*work)(import_t *, admin_session_t *, const import_row_t *,
                                                problem_t *),
                            admin_session_t *session) {
    import_row_t row;
    bool end = false;
    exit_code_t code = read_titles(import, problem);
    while (code == EXIT_CLEAN && !end) {
        code = read_row(import, &row, &end, problem);
        if (code == EXIT_CLEAN && !end) {
            code = work(import, session, &row, problem);
        }
    }
    return code;
}

static exit_code_t only_read(import_t *import, admin_session_t *session, const import_row_t *row,
                             problem_t *problem) {
    (void)import, (void)session, (void)row, (void)problem;
    return EXIT_CLEAN;
}

/* "IMPORTUSER <user> <hash>[ operator]", or ADDUSER with a password from standard input. */
static exit_code_t row_line(const import_t *import, const import_row_t *row,
                            char line[IMPORT_LINE_BYTES], problem_t *problem) {
    char password[PASSWORD_BYTES_MAX + 1] = "";
    if (row->hash.length == 0) {
        problem_t reason;
        if (isatty(STDIN_FILENO) != 0) {
            (void)fprintf(stderr, "%s\n", row->user.text);
        }
        if (!password_input(password, &reason)) {
            problem_set(problem, "%s:%u: the password of %s: %.200s", import->file,
                        import->csv.line, row->user.text, reason.text);
            return EXIT_USAGE;
        }
    }
    (void)snprintf(line, IMPORT_LINE_BYTES, "%s %s %.*s%s%s",
                   row->hash.length == 0 ? "ADDUSER" : "IMPORTUSER", row->user.text,
                   (int)row->hash.length, row->hash.length == 0 ? "" : row->hash.bytes, password,
                   row->is_operator ? " operator" : "");
    crypto_wipe(password, sizeof password);
    return EXIT_CLEAN;
}

static exit_code_t add_user(import_t *import, admin_session_t *session, const import_row_t *row,
                            problem_t *problem) {
    char line[IMPORT_LINE_BYTES];
    json_reply_t *answer = NULL;
    exit_code_t code = row_line(import, row, line, problem);
    if (code == EXIT_CLEAN) {
        code = admin_ask(session, line, &answer, problem);
    }
    crypto_wipe(line, sizeof line);
    if (code != EXIT_CLEAN) {
        return code;
    }
    if (json_reply_ok(answer)) {
        import->added++;
    } else {
        import->refused++;
        (void)fprintf(stderr, "%s:%u: %s: ", import->file, import->csv.line, row->user.text);
        admin_complain("import", answer);
    }
    json_reply_destroy(&answer);
    return EXIT_CLEAN;
}

/* Reads the whole file: csv_next changes what it has read, and there are two rounds. */
static exit_code_t load(import_t *import, problem_t *problem) {
    struct stat status;
    int file = open(import->file, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) != 0) {
        problem_set(problem, "cannot open %s: %s", import->file, strerror(errno));
        if (file >= 0) {
            (void)close(file);
        }
        return EXIT_USAGE;
    }
    bool fits = S_ISREG(status.st_mode) && status.st_size <= IMPORT_BYTES_MAX;
    import->bytes = memory_resize(import->bytes, fits ? (size_t)status.st_size + 1 : 1);
    ssize_t got = fits ? read(file, import->bytes, (size_t)status.st_size) : -1;
    (void)close(file);
    if (got < 0 || got != status.st_size) {
        problem_set(problem, "cannot read %s%s", import->file, fits ? "" : ": it is too large");
        return EXIT_USAGE;
    }
    import->length = (size_t)got;
    return EXIT_CLEAN;
}

static exit_code_t add_users(import_t *import, const command_options_t *options,
                             problem_t *problem) {
    admin_session_t *session;
    exit_code_t code = admin_open(&session, options, ADMIN_EITHER, problem);
    if (code == EXIT_CLEAN) {
        code = each_row(import, problem, add_user, session);
    }
    admin_close(&session);
    (void)printf("%u added, %u refused\n", import->added, import->refused);
    if (code == EXIT_CLEAN && import->refused > 0) {
        problem_set(problem, "not all users were added");
        code = EXIT_RUNTIME;
    }
    return code;
}

static exit_code_t import_users(const command_options_t *options, problem_t *problem) {
    import_t import = {.file = options->arguments[0]};
    exit_code_t code = load(&import, problem);
    if (code == EXIT_CLEAN) {
        code = each_row(&import, problem, only_read, NULL);
    }
    if (code == EXIT_CLEAN) {
        code = load(&import, problem);
    }
    if (code == EXIT_CLEAN) {
        code = add_users(&import, options, problem);
    }
    memory_free(import.bytes);
    return code;
}

exit_code_t command_import(int argc, char **argv) {
    return subcommand_one("import", 1, argc, argv, import_users);
}
