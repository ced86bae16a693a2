/*
 * The rules of app/options.h and types/settings.h, read anew.
 */
#include "options_check.h"

#include "base/assert.h"
#include "base/text.h"

#include <string.h>

void check_name(const name_t *name) {
    name_t again;
    ASSERT(name_parse(&again, name_span(name)) && name_equal(&again, name));
}

static void check_address(const char *text) {
    address_t address;
    ASSERT(options_address(&address, text));
    ASSERT(address.length > 0 && address.length <= ADDRESS_BYTES_MAX);
    ASSERT(strlen(address.text) == address.length);
}

static void check_rate(const rate_t *rate) {
    ASSERT(rate->per_minute <= RATE_PER_MINUTE_MAX && rate->burst <= RATE_BURST_MAX);
    ASSERT((rate->per_minute == 0) == (rate->burst == 0));
}

static void check_front_limits(const front_limits_t *limits) {
    check_rate(&limits->request_rate);
    check_rate(&limits->request_rate_connection);
    check_rate(&limits->connection_rate);
    ASSERT(limits->connections_max > 0);
    ASSERT(limits->login_timeout_ms >= 0 && limits->login_timeout_ms <= SETTING_MS_MAX);
}

static void check_realm_limits(const realm_limits_t *limits) {
    check_rate(&limits->auth_rate);
    ASSERT(limits->users_max > 0 && limits->groups_max > 0 && limits->members_max > 0);
    ASSERT(limits->mailboxes_max > 0);
    ASSERT(limits->outbox_records_max > 0 && limits->outbox_bytes_max > 0);
    ASSERT(limits->queue_expiry_ms > 0 && limits->queue_expiry_ms <= SETTING_MS_MAX);
    ASSERT(limits->retention_ms >= 0 && limits->retention_ms <= SETTING_MS_MAX);
}

/* Where a value is said to stand. */
static void check_value(const serve_options_t *options, option_id_t id) {
    const option_value_t *value = &options->values[id];
    ASSERT((value->source == SOURCE_NONE) == (value->text == NULL));
    ASSERT((value->source == SOURCE_FILE) == (value->line > 0));
    ASSERT(value->source != SOURCE_FILE || options->file != NULL);
}

void check_serve_options(const serve_options_t *options) {
    check_name(&options->name);
    check_address(options->clients);
    check_address(options->federation);
    check_front_limits(&options->front_limits);
    check_realm_limits(&options->realm_limits);
    ASSERT(options->data != NULL && options->data[0] != '\0');
    ASSERT(options->trust_count <= LINKS_MAX && options->log <= LEVEL_DEBUG);
    for (size_t i = 0; i < options->trust_count; i++)
        check_name(&options->trusts[i].name);
    for (option_id_t id = 0; id < OPTION_COUNT; id++)
        check_value(options, id);
}
