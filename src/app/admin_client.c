/*
 * An administrator's requests by whichever way is open. Must never work on a store that a running
 * realm owns: the lock decides.
 */
#include "app/admin_client.h"

#include "app/data_dir.h"
#include "app/offline.h"
#include "base/memory.h"
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

/* Open is the one or the other. */
struct admin_session {
    client_t *client;
    data_dir_t dir; /* with its lock, while `offline` works in it */
    offline_t *offline;
};

static exit_code_t read_answer(const buffer_t *frame, json_reply_t **answer, problem_t *problem) {
    *answer = json_reply_parse((span_t){frame->bytes, frame->length});
    if (*answer == NULL) {
        problem_set(problem, "the realm's answer cannot be read");
        return EXIT_RUNTIME;
    }
    return EXIT_CLEAN;
}

/* Returns NULL if no realm listens at the admin socket. */
static client_t *client_open(const char *data, problem_t *problem) {
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/admin.sock", data);
    client_t *client = client_new(path);
    if (client == NULL) {
        problem_set(problem, "no realm runs on %s (%s: %s)", data, path, strerror(errno));
    }
    return client;
}

/* The directory is open. Tries the socket, then the lock, until one of them works. */
static exit_code_t open_either(admin_session_t *session, const command_options_t *options,
                               problem_t *problem) {
    lock_result_t lock = LOCK_HELD;
    for (int i = 0; i < LOCK_TRIES && lock == LOCK_HELD; i++) {
        session->client = client_open(options->data, problem);
        if (session->client != NULL) {
            return EXIT_CLEAN;
        }
        lock = data_dir_lock(&session->dir, problem);
        if (lock == LOCK_HELD) {
            const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
            (void)nanosleep(&pause, NULL);
        }
    }
    if (lock != LOCK_TAKEN) {
        return EXIT_RUNTIME;
    }
    return offline_open(&session->offline, &session->dir, &options->name, problem);
}

static exit_code_t open_way(admin_session_t *session, const command_options_t *options,
                            admin_way_t way, problem_t *problem) {
    if (way == ADMIN_RUNNING) {
        session->client = client_open(options->data, problem);
        return session->client != NULL ? EXIT_CLEAN : EXIT_RUNTIME;
    }
    log_start(LEVEL_WARN, false, options->name.text);
    random_start();
    /* Only a realm whose name is given may come into being here: a wrong --data must not leave a
     * new directory behind. */
    exit_code_t code =
        data_dir_open(&session->dir, options->data, options->name.length > 0, problem);
    return code == EXIT_CLEAN ? open_either(session, options, problem) : code;
}

exit_code_t admin_open(admin_session_t **opened, const command_options_t *options, admin_way_t way,
                       problem_t *problem) {
    admin_session_t *session = memory_alloc(sizeof *session);
    session->dir = (data_dir_t){.directory = -1, .lock = -1};
    exit_code_t code = open_way(session, options, way, problem);
    if (code != EXIT_CLEAN) {
        admin_close(&session);
    }
    *opened = session;
    return code;
}

void admin_close(admin_session_t **session) {
    if (*session != NULL) {
        client_destroy(&(*session)->client);
        offline_close(&(*session)->offline);
        data_dir_close(&(*session)->dir);
        memory_free(*session);
        *session = NULL;
    }
}

static exit_code_t converse(admin_session_t *session, const char *line, buffer_t *frame,
                            problem_t *problem) {
    if (session->offline != NULL) {
        return offline_ask(session->offline, line, frame, problem);
    }
    if (client_send(session->client, line) && client_receive(session->client, frame, ANSWER_MS)) {
        return EXIT_CLEAN;
    }
    problem_set(problem, "the realm did not answer");
    return EXIT_RUNTIME;
}

exit_code_t admin_ask(admin_session_t *session, const char *line, json_reply_t **answer,
                      problem_t *problem) {
    buffer_t frame;
    buffer_init(&frame);
    *answer = NULL;
    exit_code_t code = converse(session, line, &frame, problem);
    if (code == EXIT_CLEAN) {
        code = read_answer(&frame, answer, problem);
    }
    buffer_deinit(&frame);
    return code;
}

exit_code_t admin_request(const command_options_t *options, admin_way_t way, const char *line,
                          json_reply_t **answer, problem_t *problem) {
    admin_session_t *session;
    *answer = NULL;
    exit_code_t code = admin_open(&session, options, way, problem);
    if (code == EXIT_CLEAN) {
        code = admin_ask(session, line, answer, problem);
    }
    admin_close(&session);
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
