/*
 * Reads the command line. Must never let a number through that the measuring would stumble over.
 */
#include "options.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage_text[] =
    "usage: bench_load --port N [options] TEMPLATE\n"
    "  --host A --other-port N --addresses N --burst N --timeout S --quick-ack\n"
    "  --connections N --pipeline N --requests N --seconds S --warm-up S --rate R --seed N\n"
    "  --init TEXT [--init-ends TEXT] [--init-count N] [--capture KEY] --settle S --hold S\n"
    "  --reply-ends TEXT --replies N --error TEXT --name TEXT\n";

typedef enum option_kind {
    OPTION_TEXT,
    OPTION_WHOLE, /* a number without a fraction */
    OPTION_NUMBER,
    OPTION_FLAG,
    OPTION_INIT,
    OPTION_INIT_ENDS,
    OPTION_INIT_COUNT,
    OPTION_CAPTURE,
} option_kind_t;

typedef struct option_row {
    const char *name;
    option_kind_t kind;
    size_t place; /* in options_t */
    double least, most;
} option_row_t;

#define PLACE(member) offsetof(options_t, member)

static const option_row_t rows[] = {
    {"name", OPTION_TEXT, PLACE(name), 0, 0},
    {"host", OPTION_TEXT, PLACE(host), 0, 0},
    {"reply-ends", OPTION_TEXT, PLACE(reply_ends), 0, 0},
    {"error", OPTION_TEXT, PLACE(error), 0, 0},
    {"port", OPTION_WHOLE, PLACE(port), 1, 65535},
    {"other-port", OPTION_WHOLE, PLACE(other_port), 0, 65535},
    {"connections", OPTION_WHOLE, PLACE(connections), 1, CONNECTIONS_MAX},
    {"pipeline", OPTION_WHOLE, PLACE(pipeline), 1, PIPELINE_MAX},
    {"replies", OPTION_WHOLE, PLACE(replies), 1, 1000000},
    {"requests", OPTION_WHOLE, PLACE(requests), 0, 1e15},
    {"seconds", OPTION_NUMBER, PLACE(seconds), 0, 1e6},
    {"warm-up", OPTION_NUMBER, PLACE(warm_up), 0, 1e6},
    {"settle", OPTION_NUMBER, PLACE(settle), 0, 1e6},
    {"hold", OPTION_NUMBER, PLACE(hold), 0, 1e6},
    {"timeout", OPTION_NUMBER, PLACE(timeout), 0.001, 1e6},
    {"rate", OPTION_NUMBER, PLACE(rate), 0, 1e9},
    {"seed", OPTION_WHOLE, PLACE(seed), 0, 1e15},
    {"burst", OPTION_WHOLE, PLACE(burst), 1, CONNECTIONS_MAX},
    {"addresses", OPTION_WHOLE, PLACE(addresses), 0, 60000},
    {"quick-ack", OPTION_FLAG, PLACE(quick_ack), 0, 0},
    {"init", OPTION_INIT, 0, 0, 0},
    {"init-ends", OPTION_INIT_ENDS, 0, 0, 0},
    {"init-count", OPTION_INIT_COUNT, 0, 0, 1e6},
    {"capture", OPTION_CAPTURE, 0, 0, 0},
};
enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static bool refuse(const char *what, const char *value) {
    (void)fprintf(stderr, "bench_load: %s%s\n%s", what, value, usage_text);
    return false;
}

static bool read_number(const option_row_t *row, const char *text, double *number) {
    char *end = NULL;
    *number = strtod(text, &end);
    bool whole = row->kind == OPTION_NUMBER || floor(*number) == *number;
    return end != text && *end == '\0' && whole && *number >= row->least && *number <= row->most;
}

/* The newest step, which an option speaks of. */
static bool read_step(options_t *options, const option_row_t *row, const char *value) {
    if (row->kind == OPTION_INIT) {
        if (options->step_count == INIT_STEPS_MAX)
            return false;
        options->steps[options->step_count++] = (init_step_t){.text = value, .count = 1};
        return true;
    }
    if (options->step_count == 0)
        return false;
    init_step_t *step = &options->steps[options->step_count - 1];
    if (row->kind == OPTION_INIT_COUNT)
        return read_number(row, value, &step->count);
    step->ends = value;
    return true;
}

/* Of the newest step; before any, of the first reply that has it. */
static bool read_capture(options_t *options, const char *key) {
    size_t steps = options->step_count;
    *(steps > 0 ? &options->steps[steps - 1].capture : &options->capture) = key;
    return *key != '\0' && strlen(key) <= CAPTURE_KEY_MAX;
}

static bool read_option(options_t *options, const option_row_t *row, const char *value) {
    void *place = (char *)options + row->place;
    switch (row->kind) {
    case OPTION_TEXT:
        memcpy(place, &value, sizeof(value));
        return true;
    case OPTION_WHOLE:
    case OPTION_NUMBER:
        return read_number(row, value, place);
    case OPTION_FLAG:
        *(bool *)place = true;
        return true;
    case OPTION_CAPTURE:
        return read_capture(options, value);
    default:
        return read_step(options, row, value);
    }
}

static bool read_words(options_t *options, int count, char **words) {
    struct option known[ROW_COUNT + 1] = {{0}};
    for (size_t i = 0; i < ROW_COUNT; i++) {
        known[i].name = rows[i].name;
        known[i].has_arg = rows[i].kind == OPTION_FLAG ? no_argument : required_argument;
    }
    int found = -1;
    int letter;
    while ((letter = getopt_long(count, words, "", known, &found)) != -1) {
        if (letter != 0)
            return refuse("an option was not understood", "");
        if (!read_option(options, &rows[found], optarg))
            return refuse("cannot use --", rows[found].name);
    }
    if (optind < count)
        options->text = words[optind++];
    return optind == count || refuse("more than one template: ", words[optind]);
}

static bool prepare_steps(options_t *options) {
    for (size_t i = 0; i < options->step_count; i++) {
        init_step_t *step = &options->steps[i];
        const char *ends = step->ends != NULL ? step->ends : options->reply_ends;
        if (!template_init(&step->template, step->text, 0))
            return refuse("cannot read --init ", step->text);
        if (!needle_init(&step->needle, ends))
            return refuse("cannot look for ", ends);
    }
    return true;
}

/* Only requests that are all counted make so many; and only a time that was asked for ends them. */
static void prepare_times(options_t *options) {
    bool counted = options->requests > 0;
    if (options->warm_up < 0)
        options->warm_up = counted ? 0 : 0.2;
    if (options->seconds < 0)
        options->seconds = counted ? 1e6 : 2;
}

static bool prepare(options_t *options) {
    bool holds = options->hold > 0;
    if (options->port < 1 || (options->text == NULL && !holds))
        return refuse("a port and a template are needed", "");
    if (inet_pton(AF_INET, options->host, &options->address) != 1)
        return refuse("not an IPv4 address: ", options->host);
    if (strpbrk(options->name, "\"\\\n") != NULL)
        return refuse("cannot print the name ", options->name);
    if (!needle_init(&options->reply_needle, options->reply_ends))
        return refuse("cannot look for ", options->reply_ends);
    if (options->error != NULL && !needle_init(&options->error_needle, options->error))
        return refuse("cannot look for ", options->error);
    size_t copies = holds ? 0 : (size_t)options->pipeline;
    const char *text = options->text != NULL ? options->text : "";
    if (!template_init(&options->request, text, copies))
        return refuse("cannot read the template ", text);
    prepare_times(options);
    return prepare_steps(options);
}

bool options_read(options_t *options, int count, char **words) {
    *options = (options_t){
        .name = "",
        .host = "127.0.0.1",
        .reply_ends = "\\r\\n\\r\\n",
        .connections = 50,
        .pipeline = 1,
        .replies = 1,
        .seconds = -1,
        .warm_up = -1,
        .timeout = 60,
        .burst = 256,
    };
    return read_words(options, count, words) && prepare(options);
}

void options_deinit(options_t *options) {
    template_deinit(&options->request);
    for (size_t i = 0; i < options->step_count; i++)
        template_deinit(&options->steps[i].template);
}
