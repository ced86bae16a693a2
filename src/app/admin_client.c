/*
 * An administrator's request by whichever way is open. Must never work on a store that a running
 * realm owns: the lock decides.
 */
#include "app/admin_client.h"

#include "app/offline.h"
#include "base/random.h"
#include "base/text.h"
#include "net/client.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ADDREALM takes HANDSHAKE_MS at most; a commit on a slow disk comes on top. */
enum { ANSWER_MS = HANDSHAKE_MS + 10000 };

/* A realm that is starting or stopping holds the lock and has no admin socket: wait for either. */
enum { LOCK_TRIES = 50, LOCK_PAUSE_MS = 100 };

static exit_code_t read_answer(const buffer_t *frame, json_reply_t **answer, problem_t *problem) {
    *answer = json_reply_parse((span_t){frame->bytes, frame->length});
    if (*answer == NULL) {
        problem_set(problem, "the realm's answer cannot be read");
        return EXIT_RUNTIME;
    }
    return EXIT_CLEAN;
}

/* One request over an open connection. */
static exit_code_t converse(client_t *client, const char *line, json_reply_t **answer,
                            problem_t *problem) {
    buffer_t frame;
    buffer_init(&frame);
    exit_code_t code = EXIT_RUNTIME;
    if (client_send(client, line) && client_receive(client, &frame, ANSWER_MS)) {
        code = read_answer(&frame, answer, problem);
    } else {
        problem_set(problem, "the realm did not answer");
    }
    buffer_deinit(&frame);
    return code;
}

/* Returns NULL if no realm listens at the admin socket. */
static client_t *admin_open(const char *data, problem_t *problem) {
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/admin.sock", data);
    client_t *client = client_new(path);
    if (client == NULL) {
        problem_set(problem, "no realm runs on %s (%s: %s)", data, path, strerror(errno));
    }
    return client;
}

exit_code_t admin_ask(const char *data, const char *line, json_reply_t **answer,
                      problem_t *problem) {
    *answer = NULL;
    client_t *client = admin_open(data, problem);
    if (client == NULL) {
        return EXIT_RUNTIME;
    }
    exit_code_t code = converse(client, line, answer, problem);
    client_destroy(&client);
    return code;
}

static exit_code_t ask_store(const data_dir_t *dir, const command_options_t *options,
                             const char *line, json_reply_t **answer, problem_t *problem) {
    buffer_t frame;
    buffer_init(&frame);
    exit_code_t code = offline_request(dir, &options->name, line, &frame, problem);
    if (code == EXIT_CLEAN) {
        code = read_answer(&frame, answer, problem);
    }
    buffer_deinit(&frame);
    return code;
}

/* The directory is open. Tries the socket, then the lock, until one of them works. */
static exit_code_t ask_either(data_dir_t *dir, const command_options_t *options, const char *line,
                              json_reply_t **answer, problem_t *problem) {
    lock_result_t lock = LOCK_HELD;
    for (int i = 0; i < LOCK_TRIES && lock == LOCK_HELD; i++) {
        client_t *client = admin_open(options->data, problem);
        if (client != NULL) {
            exit_code_t code = converse(client, line, answer, problem);
            client_destroy(&client);
            return code;
        }
        lock = data_dir_lock(dir, problem);
        if (lock == LOCK_HELD) {
            const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
            (void)nanosleep(&pause, NULL);
        }
    }
    if (lock != LOCK_TAKEN) {
        return EXIT_RUNTIME;
    }
    return ask_store(dir, options, line, answer, problem);
}

exit_code_t admin_request(const command_options_t *options, admin_way_t way, const char *line,
                          json_reply_t **answer, problem_t *problem) {
    *answer = NULL;
    if (way == ADMIN_RUNNING) {
        return admin_ask(options->data, line, answer, problem);
    }
    data_dir_t dir;
    log_start(LEVEL_WARN, false, options->name.text);
    random_start();
    /* Only a realm whose name is given may come into being here: a wrong --data must not leave a
     * new directory behind. */
    exit_code_t code = data_dir_open(&dir, options->data, options->name.length > 0, problem);
    if (code == EXIT_CLEAN) {
        code = ask_either(&dir, options, line, answer, problem);
    }
    data_dir_close(&dir);
    return code;
}

void admin_complain(const char *command, const json_reply_t *answer) {
    const char *text = json_reply_text(answer, "data");
    const char *word = json_reply_text(answer, "code");
    const char *reason = json_reply_text(answer, "reason");
    (void)fprintf(stderr, "realmgate %s: %s (%s)%s%s\n", command, text != NULL ? text : "refused",
                  word != NULL ? word : "?", reason != NULL ? ": " : "",
                  reason != NULL ? reason : "");
}
