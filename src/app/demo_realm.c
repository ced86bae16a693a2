/*
 * A child process that serves a realm. Must never outlive the demonstration.
 */
#include "app/demo_realm.h"

#include "app/keys.h"
#include "app/offline.h"
#include "app/options.h"
#include "base/assert.h"
#include "base/crypto.h"
#include "base/text.h"
#include "wire/json_reply.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { READY_MS = 20000, STOP_MS = 6000, STOP_PAUSE_MS = 10, READY_BYTES = 1024 };

/* One request on the realm's store, which has to be answered OK. */
static exit_code_t request_offline(const demo_realm_t *realm, const data_dir_t *dir,
                                   const char *line, problem_t *problem) {
    name_t name;
    buffer_t frame;
    buffer_init(&frame);
    ASSERT(name_parse(&name, span_of(realm->name)));
    exit_code_t code = offline_request(dir, &name, line, &frame, problem);
    if (code == EXIT_CLEAN) {
        json_reply_t *reply = json_reply_parse((span_t){frame.bytes, frame.length});
        if (reply == NULL || !json_reply_ok(reply)) {
            problem_set(problem, "realm %s: %.*s", realm->name, (int)frame.length, frame.bytes);
            code = EXIT_RUNTIME;
        }
        json_reply_destroy(&reply);
    }
    buffer_deinit(&frame);
    return code;
}

static exit_code_t request_locked(const demo_realm_t *realm, const char *line, keys_t *keys,
                                  problem_t *problem) {
    data_dir_t dir;
    exit_code_t code = data_dir_open(&dir, realm->data, true, problem);
    if (code == EXIT_CLEAN && data_dir_lock(&dir, problem) != LOCK_TAKEN) {
        code = EXIT_RUNTIME;
    }
    if (code == EXIT_CLEAN) {
        code = request_offline(realm, &dir, line, problem);
    }
    if (code == EXIT_CLEAN) {
        code = keys_open(keys, &dir, problem);
    }
    data_dir_close(&dir);
    return code;
}

exit_code_t demo_realm_make(demo_realm_t *realm, const char *password, problem_t *problem) {
    keys_t keys;
    char line[256];
    (void)snprintf(line, sizeof line, "ADDUSER %s %s operator", realm->user, password);
    exit_code_t code = request_locked(realm, line, &keys, problem);
    if (code == EXIT_CLEAN) {
        crypto_key_text(realm->key, keys.public_key);
        keys_wipe(&keys);
    }
    return code;
}

exit_code_t demo_realm_trust(const demo_realm_t *realm, const demo_realm_t *other,
                             problem_t *problem) {
    keys_t keys;
    char line[256];
    (void)snprintf(line, sizeof line, "TRUSTREALM %s %s", other->name, other->key);
    exit_code_t code = request_locked(realm, line, &keys, problem);
    keys_wipe(&keys);
    return code;
}

/* In the child: becomes `realmgate serve`. */
static _Noreturn void child_run(const demo_realm_t *realm, unsigned clients_port,
                                unsigned federation_port, int output, int log) {
    char clients[32];
    char federation[32];
    sigset_t none;
    (void)snprintf(clients, sizeof clients, "127.0.0.1:%u", clients_port);
    (void)snprintf(federation, sizeof federation, "127.0.0.1:%u", federation_port);
    /* Ctrl-C goes to the demonstration alone, which then ends its children in peace; and without
     * it they end too. */
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (dup2(output, STDOUT_FILENO) >= 0 && dup2(log, STDERR_FILENO) >= 0) {
        (void)execl("/proc/self/exe", "realmgate", "serve", "--name", realm->name, "--data",
                    realm->data, "--clients", clients, "--federation", federation, (char *)NULL);
    }
    _exit(EXIT_RUNTIME);
}

/* Starts the child; returns the end of the pipe that its standard output comes from, or -1. */
static int child_start(demo_realm_t *realm, unsigned clients_port, unsigned federation_port) {
    int ends[2];
    int log = open(realm->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (log < 0 || pipe2(ends, O_CLOEXEC) != 0) {
        (void)close(log);
        return -1;
    }
    /* What the demonstration was started with must not reach into its realms. */
    options_serve_environment_clear();
    (void)fflush(stdout);
    realm->child = fork();
    if (realm->child == 0) {
        child_run(realm, clients_port, federation_port, ends[1], log);
    }
    (void)close(log);
    (void)close(ends[1]);
    if (realm->child < 0) {
        realm->child = 0;
        (void)close(ends[0]);
        return -1;
    }
    return ends[0];
}

/* Reads the first line of the child; false if it ended or took too long. */
static bool line_read(int output, char *line, size_t room) {
    size_t length = 0;
    struct pollfd item = {.fd = output, .events = POLLIN};
    while (length + 1 < room) {
        int ready = poll(&item, 1, READY_MS);
        ssize_t got = ready > 0 ? read(output, line + length, 1) : ready;
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        if (line[length] == '\n') {
            line[length] = '\0';
            return true;
        }
        length++;
    }
    return false;
}

/* Copies the word behind `key` out of the ready line. */
static bool line_field(const char *line, const char *key, char *out, size_t room) {
    const char *found = strstr(line, key);
    if (found == NULL) {
        return false;
    }
    found += strlen(key);
    size_t length = strcspn(found, " ");
    if (length >= room) {
        return false;
    }
    (void)snprintf(out, room, "%.*s", (int)length, found);
    return true;
}

static bool start_on(demo_realm_t *realm, unsigned clients_port, unsigned federation_port) {
    char line[READY_BYTES];
    int output = child_start(realm, clients_port, federation_port);
    if (output < 0) {
        return false;
    }
    bool ready = line_read(output, line, sizeof line) &&
                 line_field(line, " clients=", realm->clients, sizeof realm->clients) &&
                 line_field(line, " federation=", realm->federation, sizeof realm->federation);
    (void)close(output);
    if (!ready) {
        demo_realm_stop(realm);
    }
    return ready;
}

/* The end of the child's log, which says why it would not start. */
static void log_tail(const demo_realm_t *realm, char *tail, size_t room) {
    tail[0] = '\0';
    FILE *log = fopen(realm->log, "re");
    if (log == NULL) {
        return;
    }
    char line[READY_BYTES];
    while (fgets(line, sizeof line, log) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        (void)snprintf(tail, room, "%.*s", (int)room - 1, line);
    }
    (void)fclose(log);
}

exit_code_t demo_realm_start(demo_realm_t *realm, problem_t *problem) {
    if (start_on(realm, realm->clients_port, realm->federation_port) || start_on(realm, 0, 0)) {
        return EXIT_CLEAN;
    }
    char tail[256];
    log_tail(realm, tail, sizeof tail);
    problem_set(problem, "realm %s did not start: %s", realm->name, tail);
    return EXIT_RUNTIME;
}

bool demo_realm_died(demo_realm_t *realm) {
    if (realm->child == 0 || waitpid(realm->child, NULL, WNOHANG) != realm->child) {
        return false;
    }
    realm->child = 0;
    return true;
}

void demo_realm_stop(demo_realm_t *realm) {
    if (realm->child == 0) {
        return;
    }
    const struct timespec pause = {.tv_nsec = STOP_PAUSE_MS * 1000000L};
    (void)kill(realm->child, SIGTERM);
    for (int i = 0; i < STOP_MS / STOP_PAUSE_MS && !demo_realm_died(realm); i++) {
        (void)nanosleep(&pause, NULL);
    }
    if (realm->child != 0) {
        (void)kill(realm->child, SIGKILL);
        (void)waitpid(realm->child, NULL, 0);
        realm->child = 0;
    }
}
