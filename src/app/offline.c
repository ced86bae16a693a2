/*
 * A request on a realm that does not run. Must never touch the network, nor work without the lock.
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

typedef struct offline {
    engine_t engine;
    buffer_t *reply;
    bool replied;
} offline_t;

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

static store_error_t ask(offline_t *offline, const char *line) {
    event_t start = {.kind = EVENT_START};
    engine_clock(&offline->engine);
    engine_step(&offline->engine, &start);
    store_error_t error = settle(offline);
    if (error != STORE_OK) {
        return error;
    }
    request_t request;
    request_parse(&request, span_of(line));
    request.admin = true;
    event_t event = {.kind = EVENT_REQUEST};
    event.request.ticket.connection = OFFLINE_CONNECTION;
    event.request.request = &request;
    event.request.line = line;
    engine_step(&offline->engine, &event);
    return settle(offline);
}

exit_code_t offline_request(const data_dir_t *dir, const name_t *wanted, const char *line,
                            buffer_t *reply, problem_t *problem) {
    offline_t offline = {.reply = reply};
    state_options_t options = {.version = REALMGATE_VERSION};
    keys_t keys;
    exit_code_t code = data_dir_name(dir, wanted, &options.realm, problem);
    if (code == EXIT_CLEAN) {
        code = keys_open(&keys, dir, problem);
    }
    if (code == EXIT_CLEAN) {
        memcpy(options.key, keys.public_key, KEY_BYTES);
        keys_wipe(&keys);
        code = engine_open(&offline.engine, dir->path, &options, problem);
    }
    if (code != EXIT_CLEAN) {
        return code;
    }
    store_error_t error = ask(&offline, line);
    engine_close(&offline.engine);
    if (error == STORE_OK && offline.replied) {
        return EXIT_CLEAN;
    }
    problem_set(problem, "%s",
                error != STORE_OK ? store_error_text(error) : "only a running realm can do this");
    return EXIT_RUNTIME;
}
