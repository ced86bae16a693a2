/*
 * realmgate status: what CHECKSERVER and CHECKREALM say, for people.
 */
#include "app/commands.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Columns of the table of links, as CHECKREALM names them. */
static const char *const COLUMNS[] = {"realm",    "state",   "rtt_ms", "queued",
                                      "oldest_s", "address", "port",   "error"};
enum { COLUMN_COUNT = sizeof COLUMNS / sizeof COLUMNS[0], FIELD_BYTES = 320, LABEL_WIDTH = 26 };

static void print_uptime(uint64_t seconds) {
    (void)printf("%" PRIu64 " d %02u:%02u:%02u\n", seconds / 86400, (unsigned)(seconds / 3600 % 24),
                 (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
}

/* What is printed line by line: members of an object in `data` stand under its name, and the three
 * figures of a limit on one line. */
typedef struct listing {
    char section[LABEL_WIDTH];
    char current[FIELD_BYTES], maximum[FIELD_BYTES];
} listing_t;

/* "peer_errors" is shown as "peer errors". */
static void print_label(const char *indent, const char *name, size_t length) {
    char label[FIELD_BYTES];
    (void)snprintf(label, sizeof label, "%s%.*s", indent, (int)length, name);
    for (char *at = label; *at != '\0'; at++) {
        *at = *at == '_' ? ' ' : *at;
    }
    (void)printf("%-*s ", LABEL_WIDTH, label);
}

static void enter_section(listing_t *listing, const char *path, size_t length) {
    if (strncmp(listing->section, path, length) != 0 || listing->section[length] != '\0') {
        (void)snprintf(listing->section, sizeof listing->section, "%.*s", (int)length, path);
        (void)printf("\n%s\n", listing->section);
    }
}

/* "<limit>.current", ".maximum" and ".refused", in that order. */
static void print_limit(listing_t *listing, const char *path, const char *dot, const char *text) {
    if (strcmp(dot, ".current") == 0) {
        (void)snprintf(listing->current, sizeof listing->current, "%s", text);
    } else if (strcmp(dot, ".maximum") == 0) {
        (void)snprintf(listing->maximum, sizeof listing->maximum, "%s", text);
    } else {
        print_label("  ", path, (size_t)(dot - path));
        (void)printf("%s of %s, %s refused\n", listing->current, listing->maximum, text);
    }
}

static void print_member(void *context, const char *path, const char *text) {
    listing_t *listing = context;
    uint64_t uptime_ms;
    const char *dot = strchr(path, '.');
    if (strcmp(path, "uptime_ms") == 0 && text_number(span_of(text), UINT64_MAX, &uptime_ms)) {
        print_label("", "uptime", 6);
        print_uptime(uptime_ms / 1000);
        return;
    }
    if (dot == NULL) {
        print_label("", path, strlen(path));
        (void)printf("%s\n", text);
        return;
    }
    enter_section(listing, path, (size_t)(dot - path));
    const char *inner = strchr(dot + 1, '.');
    if (inner != NULL) {
        print_limit(listing, dot + 1, inner, text);
    } else {
        print_label("  ", dot + 1, strlen(dot + 1));
        (void)printf("%s\n", text);
    }
}

static void column_widths(const json_reply_t *links, size_t widths[COLUMN_COUNT]) {
    for (size_t column = 0; column < COLUMN_COUNT; column++) {
        widths[column] = strlen(COLUMNS[column]);
        for (size_t row = 0; row < json_reply_rows(links); row++) {
            char field[FIELD_BYTES];
            json_reply_field(links, row, COLUMNS[column], field, sizeof field);
            widths[column] = strlen(field) > widths[column] ? strlen(field) : widths[column];
        }
    }
}

static void print_cell(size_t column, const char *text, const size_t widths[COLUMN_COUNT]) {
    bool last = column == COLUMN_COUNT - 1;
    (void)printf("%-*s%s", last ? 0 : (int)widths[column], text, last ? "\n" : "  ");
}

static void print_links(const json_reply_t *links) {
    size_t widths[COLUMN_COUNT];
    if (json_reply_rows(links) == 0) {
        (void)printf("\nno links\n");
        return;
    }
    column_widths(links, widths);
    (void)printf("\n");
    for (size_t column = 0; column < COLUMN_COUNT; column++) {
        print_cell(column, COLUMNS[column], widths);
    }
    for (size_t row = 0; row < json_reply_rows(links); row++) {
        for (size_t column = 0; column < COLUMN_COUNT; column++) {
            char field[FIELD_BYTES];
            json_reply_field(links, row, COLUMNS[column], field, sizeof field);
            print_cell(column, field, widths);
        }
    }
}

static exit_code_t ask_good(admin_session_t *session, const char *line, json_reply_t **answer,
                            problem_t *problem) {
    exit_code_t code = admin_ask(session, line, answer, problem);
    if (code == EXIT_CLEAN && !json_reply_ok(*answer)) {
        const char *word = json_reply_text(*answer, "code");
        problem_set(problem, "the realm refused %s: %s", line, word != NULL ? word : "?");
        code = EXIT_RUNTIME;
    }
    return code;
}

static exit_code_t print_status(admin_session_t *session, problem_t *problem) {
    json_reply_t *server = NULL;
    json_reply_t *links = NULL;
    exit_code_t code = ask_good(session, "CHECKSERVER", &server, problem);
    if (code == EXIT_CLEAN) {
        code = ask_good(session, "CHECKREALM", &links, problem);
    }
    if (code == EXIT_CLEAN) {
        listing_t listing = {.section = ""};
        json_reply_members(server, print_member, &listing);
        print_links(links);
    }
    json_reply_destroy(&server);
    json_reply_destroy(&links);
    return code;
}

static exit_code_t status(const command_options_t *options, problem_t *problem) {
    admin_session_t *session;
    exit_code_t code = admin_open(&session, options, ADMIN_RUNNING, problem);
    if (code == EXIT_CLEAN) {
        code = print_status(session, problem);
    }
    admin_close(&session);
    return code;
}

exit_code_t command_status(int argc, char **argv) {
    return subcommand_one("status", 0, argc, argv, status);
}
