/*
 * Requests on a realm that does not run. Must never touch the network, nor work without the lock.
 */
#include "app/offline.h"

#include "app/engine.h"
#include "app/keys.h"
#include "app/passwords.h"
#include "base/crypto.h"
#include "base/memory.h"
#include "base/text.h"
#include "wire/reply.h"
#include "wire/request.h"

#include <string.h>

/* The only connection that there is. */
enum { OFFLINE_CONNECTION = 1 };

struct offline {
    engine_t engine;
    buffer_t *reply; /* of the line that is asked, NULL at the start */
    bool replied;
};

static void take_reply(offline_t *offline) {
    const effects_t *effects = &offline->engine.effects;
    for (size_t i = 0; i < effects->reply_count; i++) {
        const reply_t *reply = &effects->replies[i];
        if (reply->ticket.connection == OFFLINE_CONNECTION && !offline->replied) {
            engine_reply(&offline->engine, reply, offline->reply);
            offline->replied = true;
        }
    }
}

/* Works off the password jobs of this turn; the answers belong to the next one. */
static password_answer_t *do_passwords(offline_t *offline, size_t *count) {
    const effects_t *effects = &offline->engine.effects;
    password_answer_t *answers = memory_alloc(effects->password_count * sizeof *answers);
    *count = effects->password_count;
    for (size_t i = 0; i < *count; i++) {
        password_work(&effects->passwords[i], &answers[i]);
    }
    return answers;
}

static void step_answers(offline_t *offline, password_answer_t *answers, size_t count) {
    for (size_t i = 0; i < count; i++) {
        event_t event;
        password_event(&answers[i], &event);
        engine_step(&offline->engine, &event);
    }
    crypto_wipe(answers, count * sizeof *answers);
    memory_free(answers);
}

/* Ends the turn that was begun and works off what follows from it, until nothing does. */
static store_error_t settle(offline_t *offline) {
    engine_t *engine = &offline->engine;
    store_error_t error;
    size_t stepped = 1;
    do {
        size_t answered = 0;
        error = engine_commit(engine, STORE_HEADS_PER_COMMIT);
        if (error != STORE_OK) {
            return error;
        }
        take_reply(offline);
        password_answer_t *answers = do_passwords(offline, &answered);
        engine_turn_end(engine);
        engine_clock(engine);
        error = engine_follow(engine, &stepped);
        step_answers(offline, answers, answered);
        stepped += answered;
    } while (error == STORE_OK && stepped > 0);
    return error;
}

static store_error_t start(offline_t *offline) {
    event_t event = {.kind = EVENT_START};
    engine_clock(&offline->engine);
    engine_step(&offline->engine, &event);
    return settle(offline);
}

static store_error_t ask(offline_t *offline, const char *line) {
    request_t request;
    request_parse(&request, span_of(line));
    request.admin = true;
    event_t event = {.kind = EVENT_REQUEST};
    event.request.ticket.connection = OFFLINE_CONNECTION;
    event.request.request = &request;
    event.request.line = line;
    engine_clock(&offline->engine);
    engine_step(&offline->engine, &event);
    return settle(offline);
}

static exit_code_t refuse(problem_t *problem, const char *reason) {
    problem_set(problem, "%s", reason);
    return EXIT_RUNTIME;
}

/* What the realm is set to is not known here: its operator is not held to its caps, and nothing
 * goes because of its age. */
static const realm_limits_t UNLIMITED = {.users_max = UINT32_MAX,
                                         .groups_max = UINT32_MAX,
                                         .members_max = UINT32_MAX,
                                         .mailboxes_max = UINT32_MAX,
                                         .outbox_records_max = UINT32_MAX,
                                         .outbox_bytes_max = UINT64_MAX,
                                         .queue_expiry_ms = SETTING_MS_MAX};

static exit_code_t open_engine(offline_t *offline, const data_dir_t *dir, const name_t *wanted,
                               problem_t *problem) {
    state_options_t options = {.version = REALMGATE_VERSION, .limits = UNLIMITED};
    keys_t keys;
    exit_code_t code = data_dir_name(dir, wanted, &options.realm, problem);
    if (code == EXIT_CLEAN) {
        code = keys_open(&keys, dir, problem);
    }
    if (code == EXIT_CLEAN) {
        memcpy(options.key, keys.public_key, KEY_BYTES);
        keys_wipe(&keys);
        code = engine_open(&offline->engine, dir->path, &options, problem);
    }
    return code;
}

exit_code_t offline_open(offline_t **opened, const data_dir_t *dir, const name_t *wanted,
                         problem_t *problem) {
    offline_t *offline = memory_alloc(sizeof *offline);
    *opened = NULL;
    exit_code_t code = open_engine(offline, dir, wanted, problem);
    if (code != EXIT_CLEAN) {
        memory_free(offline);
        return code;
    }
    store_error_t error = start(offline);
    if (error != STORE_OK) {
        offline_close(&offline);
        return refuse(problem, store_error_text(error));
    }
    *opened = offline;
    return EXIT_CLEAN;
}

void offline_close(offline_t **offline) {
    if (*offline != NULL) {
        engine_close(&(*offline)->engine);
        memory_free(*offline);
        *offline = NULL;
    }
}

exit_code_t offline_ask(offline_t *offline, const char *line, buffer_t *reply, problem_t *problem) {
    offline->reply = reply;
    offline->replied = false;
    store_error_t error = ask(offline, line);
    if (error == STORE_OK && offline->replied) {
        return EXIT_CLEAN;
    }
    return refuse(problem,
                  error != STORE_OK ? store_error_text(error) : "only a running realm can do this");
}

exit_code_t offline_request(const data_dir_t *dir, const name_t *wanted, const char *line,
                            buffer_t *reply, problem_t *problem) {
    offline_t *offline;
    exit_code_t code = offline_open(&offline, dir, wanted, problem);
    if (code == EXIT_CLEAN) {
        code = offline_ask(offline, line, reply, problem);
    }
    offline_close(&offline);
    return code;
}
