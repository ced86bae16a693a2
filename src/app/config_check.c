/*
 * A configuration, shown. Must never open, make or lock anything.
 */
#include "app/config_check.h"

#include "app/config_table.h"
#include "base/crypto.h"

#include <stdio.h>

void config_check_source(const serve_options_t *options, option_id_t id, char *text, size_t room) {
    const option_value_t *value = &options->values[id];
    switch (value->source) {
    case SOURCE_NONE:
    case SOURCE_DEFAULT:
        (void)snprintf(text, room, "default");
        break;
    case SOURCE_FILE:
        (void)snprintf(text, room, "%s:%u", options->config, value->line);
        break;
    case SOURCE_ENVIRONMENT:
        (void)snprintf(text, room, "%s", config_row(id)->variable);
        break;
    case SOURCE_COMMAND_LINE:
        (void)snprintf(text, room, "--%s", config_row(id)->word);
        break;
    }
}

static void print_line(const char *word, const char *value, const char *source) {
    (void)printf("%-23s  %-24s  %s\n", word, value, source);
}

static void print_trusts(const serve_options_t *options, const char *source) {
    for (size_t i = 0; i < options->trust_count; i++) {
        const trust_t *trust = &options->trusts[i];
        char key[KEY_TEXT_BYTES + 1];
        char text[NAME_BYTES_MAX + KEY_TEXT_BYTES + 2];
        crypto_key_text(key, trust->key);
        (void)snprintf(text, sizeof text, "%s=%s", trust->name.text, key);
        print_line("trust", text, source);
    }
}

void config_check_print(const serve_options_t *options) {
    (void)printf("realm %s: the configuration is good; nothing was started\n", options->name.text);
    for (option_id_t id = 0; id < OPTION_COUNT; id++) {
        const option_row_t *row = config_row(id);
        const char *text = options->values[id].text;
        char source[512];
        config_check_source(options, id, source, sizeof source);
        if (id == OPTION_TRUST && options->trust_count > 0) {
            print_trusts(options, source);
        } else {
            print_line(row->word, text != NULL ? text : row->unset, source);
        }
    }
}
