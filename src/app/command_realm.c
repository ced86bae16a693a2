/*
 * realmgate realm: the realms that this one knows.
 */
#include "app/commands.h"
#include "base/crypto.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* The longest line here: a word, a name, an address, a port, a key. */
enum { REALM_LINE_BYTES = 32 + NAME_BYTES_MAX + ADDRESS_BYTES_MAX + KEY_TEXT_BYTES };

static exit_code_t wrong(const char *topic, const char *what, const char *given) {
    problem_t problem;
    problem_set(&problem, "\"%.256s\" is no %s", given, what);
    return subcommand_fail(topic, EXIT_USAGE, &problem);
}

static bool key_good(const char *text) {
    uint8_t key[KEY_BYTES];
    return crypto_key_parse(key, text, strlen(text));
}

static exit_code_t realm_trust(const command_options_t *options, const char *topic) {
    name_t name;
    char line[REALM_LINE_BYTES];
    if (!name_parse(&name, span_of(options->arguments[0]))) {
        return wrong(topic, "realm name", options->arguments[0]);
    }
    if (!key_good(options->arguments[1])) {
        return wrong(topic, "key: give it as `realmgate key` prints it", options->arguments[1]);
    }
    (void)snprintf(line, sizeof line, "TRUSTREALM %s %s", name.text, options->arguments[1]);
    return subcommand_request(options, topic, ADMIN_EITHER, line);
}

static exit_code_t realm_add(const command_options_t *options, const char *topic) {
    name_t name;
    uint64_t port;
    char line[REALM_LINE_BYTES];
    const char *host = options->arguments[1];
    const char *key = options->argument_count > 3 ? options->arguments[3] : "";
    if (!name_parse(&name, span_of(options->arguments[0]))) {
        return wrong(topic, "realm name", options->arguments[0]);
    }
    if (host[0] == '\0' || strlen(host) > ADDRESS_BYTES_MAX || strpbrk(host, " \r\n") != NULL) {
        return wrong(topic, "address", host);
    }
    if (!text_number(span_of(options->arguments[2]), UINT16_MAX, &port) || port == 0) {
        return wrong(topic, "port", options->arguments[2]);
    }
    if (key[0] != '\0' && !key_good(key)) {
        return wrong(topic, "key: give it as `realmgate key` prints it", key);
    }
    (void)snprintf(line, sizeof line, "ADDREALM %s %s %u%s%s", name.text, host, (unsigned)port,
                   key[0] != '\0' ? " " : "", key);
    return subcommand_request(options, topic, ADMIN_RUNNING, line);
}

static exit_code_t realm_remove(const command_options_t *options, const char *topic) {
    name_t name;
    char line[REALM_LINE_BYTES];
    if (!name_parse(&name, span_of(options->arguments[0]))) {
        return wrong(topic, "realm name", options->arguments[0]);
    }
    (void)snprintf(line, sizeof line, "DELREALM %s", name.text);
    return subcommand_request(options, topic, ADMIN_EITHER, line);
}

static exit_code_t realm_list(const command_options_t *options, const char *topic) {
    static const char *const columns[] = {"realm", "address", "port", "state", "queued", "key"};
    return subcommand_table(options, topic, "LISTREALM", columns,
                            sizeof columns / sizeof columns[0]);
}

exit_code_t command_realm(int argc, char **argv) {
    static const subcommand_t rows[] = {
        {"trust", "realm trust", 2, 2, false, realm_trust},
        {"list", "realm list", 0, 0, false, realm_list},
        {"add", "realm add", 3, 4, false, realm_add},
        {"remove", "realm remove", 1, 1, false, realm_remove},
    };
    return subcommand_dispatch("realm", rows, sizeof rows / sizeof rows[0], argc, argv);
}
