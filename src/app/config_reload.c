/*
 * What a new reading of the configuration changes. Must never take half of it: the caller has a
 * sound reading in hand before anything here is called.
 */
#include "app/config_reload.h"

#include "app/config_file.h"
#include "app/config_table.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

void reload_init(reload_t *reload, const serve_options_t *started) {
    *reload = (reload_t){.started = started};
}

void reload_deinit(reload_t *reload) {
    if (reload->reloaded) {
        options_serve_deinit(&reload->taken);
    }
    *reload = (reload_t){0};
}

bool reload_read(const reload_t *reload, serve_options_t *fresh, problem_t *problem) {
    options_result_t result =
        options_serve(fresh, reload->started->argc, reload->started->argv, problem);
    if (result != OPTIONS_OK) {
        options_serve_deinit(fresh);
    }
    return result == OPTIONS_OK;
}

/* What was read last. */
static const serve_options_t *last_read(const reload_t *reload) {
    return reload->reloaded ? &reload->taken : reload->started;
}

/* Where the value stands that the running realm uses. */
static const serve_options_t *used(const reload_t *reload, option_id_t id) {
    return config_row(id)->reloadable ? last_read(reload) : reload->started;
}

static const char *shown(const serve_options_t *options, option_id_t id) {
    const char *text = options->values[id].text;
    return text != NULL ? text : config_row(id)->unset;
}

/* The text that the file has for an option, NULL if it has none. */
static const char *in_file(const serve_options_t *options, option_id_t id) {
    for (size_t i = 0; options->file != NULL && i < options->file->count; i++) {
        if (options->file->entries[i].option == id) {
            return options->file->entries[i].text;
        }
    }
    return NULL;
}

static bool differ(const char *a, const char *b) {
    return (a == NULL) != (b == NULL) || (a != NULL && strcmp(a, b) != 0);
}

/* The file has a new value, but something stronger holds. */
static bool say_overridden(const reload_t *reload, const serve_options_t *fresh, option_id_t id) {
    const option_value_t *value = &fresh->values[id];
    bool by_environment = value->source == SOURCE_ENVIRONMENT;
    if ((!by_environment && value->source != SOURCE_COMMAND_LINE) ||
        !differ(in_file(last_read(reload), id), in_file(fresh, id))) {
        return false;
    }
    log_event(LEVEL_WARN, "config-kept", "key", config_row(id)->word, "value", value->text,
              "reason",
              by_environment ? "the environment says otherwise" : "the command line says otherwise",
              NULL);
    return true;
}

typedef struct count {
    unsigned taken, kept;
} count_t;

static void say(const reload_t *reload, const serve_options_t *fresh, option_id_t id,
                count_t *count) {
    const option_row_t *row = config_row(id);
    const char *from = shown(used(reload, id), id);
    const char *to = shown(fresh, id);
    if (strcmp(from, to) == 0) {
        count->kept += say_overridden(reload, fresh, id) ? 1 : 0;
    } else if (row->reloadable) {
        log_event(LEVEL_INFO, "config-reloaded", "key", row->word, "from", from, "to", to, NULL);
        count->taken++;
    } else {
        log_event(LEVEL_WARN, "config-kept", "key", row->word, "value", from, "reason",
                  "restart-needed", NULL);
        count->kept++;
    }
}

static bool has_trust(const serve_options_t *options, const name_t *name) {
    for (size_t i = 0; i < options->trust_count; i++) {
        if (name_equal(&options->trusts[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* Pins are added by the caller and logged by the core; none goes because a line went. */
static void say_trusts(const serve_options_t *old, const serve_options_t *fresh, count_t *count) {
    for (size_t i = 0; i < old->trust_count; i++) {
        const name_t *name = &old->trusts[i].name;
        if (!has_trust(fresh, name)) {
            log_event(LEVEL_WARN, "config-kept", "key", "trust", "name", name->text, "reason",
                      "a pinned key goes with DELREALM", NULL);
            count->kept++;
        }
    }
}

void reload_take(reload_t *reload, serve_options_t *fresh) {
    count_t count = {0};
    char taken[12];
    char kept[12];
    log_change(fresh->log, fresh->log_json);
    for (option_id_t id = 0; id < OPTION_COUNT; id++) {
        if (id == OPTION_TRUST) {
            say_trusts(last_read(reload), fresh, &count);
        } else {
            say(reload, fresh, id, &count);
        }
    }
    (void)snprintf(taken, sizeof taken, "%u", count.taken);
    (void)snprintf(kept, sizeof kept, "%u", count.kept);
    log_event(LEVEL_INFO, "config-reread", "file", fresh->config, "taken", taken, "kept", kept,
              NULL);
    if (reload->reloaded) {
        options_serve_deinit(&reload->taken);
    }
    reload->taken = *fresh;
    reload->reloaded = true;
    *fresh = (serve_options_t){0};
}
