/*
 * Two linked realms in a temporary directory. Must never leave a process or a file behind.
 */
#include "app/demo.h"

#include "app/admin_client.h"
#include "app/demo_realm.h"
#include "base/assert.h"
#include "base/random.h"
#include "net/client.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEMO_PASSWORD "rahasia"

enum { REALM_A, REALM_B, REALM_COUNT };

/* SENDREALM waits VERDICT_MS at most, AUTH for a password worker. */
enum { REPLY_MS = 15000, FRAME_END_BYTES = 4 };

typedef struct demo {
    char directory[64];
    demo_realm_t realms[REALM_COUNT];
    sigset_t signals;
} demo_t;

static const char *port_of(const char *address) {
    return strrchr(address, ':') + 1;
}

/* Sends a line as a user would and prints both sides of the conversation. */
static bool say(client_t *client, const char *line, const char *speaker) {
    buffer_t frame;
    buffer_init(&frame);
    bool answered = client_send(client, line) && client_receive(client, &frame, REPLY_MS);
    if (answered) {
        int shown = (int)frame.length - FRAME_END_BYTES;
        (void)printf("  %s> %s\n    %.*s\n", speaker, line, shown, frame.bytes);
    }
    buffer_deinit(&frame);
    return answered;
}

/* Signs a realm's user in and sends the lines, ended by NULL. */
static exit_code_t talk(const demo_realm_t *realm, const char *const *lines, problem_t *problem) {
    char line[128];
    bool spoken = true;
    client_t *client = client_new(realm->clients);
    (void)snprintf(line, sizeof line, "AUTH %s " DEMO_PASSWORD, realm->user);
    spoken = client != NULL && say(client, line, realm->user);
    for (size_t i = 0; spoken && lines[i] != NULL; i++) {
        spoken = say(client, lines[i], realm->user);
    }
    client_destroy(&client);
    if (!spoken) {
        problem_set(problem, "realm %s does not answer on %s", realm->name, realm->clients);
        return EXIT_RUNTIME;
    }
    return EXIT_CLEAN;
}

static exit_code_t link_realms(const demo_realm_t *from, const demo_realm_t *to,
                               problem_t *problem) {
    char line[512];
    json_reply_t *reply = NULL;
    (void)snprintf(line, sizeof line, "ADDREALM %s 127.0.0.1 %s", to->name,
                   port_of(to->federation));
    const command_options_t options = {.data = from->data};
    exit_code_t code = admin_request(&options, ADMIN_RUNNING, line, &reply, problem);
    if (code != EXIT_CLEAN) {
        return code;
    }
    const char *text = json_reply_text(reply, "data");
    (void)printf("  %s> %s\n    %s\n", from->name, line, text != NULL ? text : "");
    if (!json_reply_ok(reply)) {
        problem_set(problem, "realm %s cannot link to %s: %s", from->name, to->name,
                    text != NULL ? text : "refused");
        code = EXIT_RUNTIME;
    }
    json_reply_destroy(&reply);
    return code;
}

static exit_code_t first_messages(const demo_t *demo, problem_t *problem) {
    static const char *const from_alice[] = {"SENDREALM b bob halo dari realm a", NULL};
    static const char *const from_bob[] = {"INBOXREALM a", "SENDREALM a alice halo juga", NULL};
    static const char *const to_alice[] = {"INBOXREALM b", NULL};
    const demo_realm_t *a = &demo->realms[REALM_A];
    const demo_realm_t *b = &demo->realms[REALM_B];
    exit_code_t code = talk(a, from_alice, problem);
    if (code == EXIT_CLEAN) {
        code = talk(b, from_bob, problem);
    }
    return code == EXIT_CLEAN ? talk(a, to_alice, problem) : code;
}

static void say_what_to_try(const demo_t *demo) {
    const char *a = port_of(demo->realms[REALM_A].clients);
    const char *b = port_of(demo->realms[REALM_B].clients);
    (void)printf("\nTry it in another terminal (user alice on realm a, bob on realm b, "
                 "password " DEMO_PASSWORD "):\n\n"
                 "  printf 'AUTH alice rahasia\\nSENDREALM b bob halo\\n' | nc -N 127.0.0.1 %s\n"
                 "  printf 'AUTH bob rahasia\\nINBOXREALM a\\n' | nc -N 127.0.0.1 %s\n"
                 "  printf 'AUTH alice rahasia\\nCHECKREALM\\n' | nc -N 127.0.0.1 %s\n"
                 "  nc 127.0.0.1 %s        and then type: HELP\n\n"
                 "Ctrl-C ends both realms and removes everything.\n",
                 a, b, a, a);
    (void)fflush(stdout);
}

static exit_code_t start_realms(demo_t *demo, problem_t *problem) {
    demo_realm_t *a = &demo->realms[REALM_A];
    demo_realm_t *b = &demo->realms[REALM_B];
    exit_code_t code = EXIT_CLEAN;
    for (size_t i = 0; i < REALM_COUNT && code == EXIT_CLEAN; i++) {
        code = demo_realm_make(&demo->realms[i], DEMO_PASSWORD, problem);
    }
    code = code == EXIT_CLEAN ? demo_realm_trust(a, b, problem) : code;
    code = code == EXIT_CLEAN ? demo_realm_trust(b, a, problem) : code;
    for (size_t i = 0; i < REALM_COUNT && code == EXIT_CLEAN; i++) {
        demo_realm_t *realm = &demo->realms[i];
        code = demo_realm_start(realm, problem);
        if (code == EXIT_CLEAN) {
            (void)printf("realm %s: clients %s, federation %s, key %s\n", realm->name,
                         realm->clients, realm->federation, realm->key);
        }
    }
    return code;
}

/* Until a signal asks for the end, or a child brings it. */
static exit_code_t wait_for_end(demo_t *demo, problem_t *problem) {
    int signal = 0;
    while (signal != SIGINT && signal != SIGTERM && signal != SIGHUP) {
        for (size_t i = 0; i < REALM_COUNT; i++) {
            if (demo_realm_died(&demo->realms[i])) {
                problem_set(problem, "realm %s ended by itself", demo->realms[i].name);
                return EXIT_RUNTIME;
            }
        }
        signal = sigwaitinfo(&demo->signals, NULL);
    }
    return EXIT_CLEAN;
}

static exit_code_t demonstrate(demo_t *demo, problem_t *problem) {
    exit_code_t code = start_realms(demo, problem);
    if (code == EXIT_CLEAN) {
        (void)printf("\n");
        code = link_realms(&demo->realms[REALM_A], &demo->realms[REALM_B], problem);
    }
    if (code == EXIT_CLEAN) {
        code = first_messages(demo, problem);
    }
    if (code == EXIT_CLEAN) {
        say_what_to_try(demo);
        code = wait_for_end(demo, problem);
    }
    return code;
}

/* Signals are only taken where they are waited for, so that none can keep the end from cleaning
 * up. */
static void signals_block(sigset_t *signals) {
    ASSERT(sigemptyset(signals) == 0);
    ASSERT(sigaddset(signals, SIGINT) == 0);
    ASSERT(sigaddset(signals, SIGTERM) == 0);
    ASSERT(sigaddset(signals, SIGHUP) == 0);
    ASSERT(sigaddset(signals, SIGCHLD) == 0);
    ASSERT(sigprocmask(SIG_BLOCK, signals, NULL) == 0);
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *walk) {
    (void)status;
    (void)flag;
    (void)walk;
    return remove(path);
}

static bool prepare(demo_t *demo, problem_t *problem) {
    const char *parent = getenv("TMPDIR");
    static const demo_realm_t realms[REALM_COUNT] = {
        {.name = "a", .user = "alice", .clients_port = 9001, .federation_port = 9101},
        {.name = "b", .user = "bob", .clients_port = 9002, .federation_port = 9102},
    };
    memcpy(demo->realms, realms, sizeof realms);
    /* A socket file's path is short by nature: a long TMPDIR would not do. */
    parent = parent != NULL && parent[0] == '/' && strlen(parent) < 32 ? parent : "/tmp";
    (void)snprintf(demo->directory, sizeof demo->directory, "%s/realmgate-demo-XXXXXX", parent);
    if (mkdtemp(demo->directory) == NULL) {
        problem_set(problem, "cannot make %s: %s", demo->directory, strerror(errno));
        return false;
    }
    for (size_t i = 0; i < REALM_COUNT; i++) {
        demo_realm_t *realm = &demo->realms[i];
        (void)snprintf(realm->data, sizeof realm->data, "%s/%s", demo->directory, realm->name);
        (void)snprintf(realm->log, sizeof realm->log, "%s/%s.log", demo->directory, realm->name);
    }
    return true;
}

exit_code_t demo_run(problem_t *problem) {
    enum { OPEN_DIRECTORIES_MAX = 8 };
    demo_t demo;
    memset(&demo, 0, sizeof demo);
    log_start(LEVEL_WARN, false, "demo");
    random_start();
    signals_block(&demo.signals);
    if (!prepare(&demo, problem)) {
        return EXIT_RUNTIME;
    }
    exit_code_t code = demonstrate(&demo, problem);
    for (size_t i = 0; i < REALM_COUNT; i++) {
        demo_realm_stop(&demo.realms[i]);
    }
    if (nftw(demo.directory, remove_one, OPEN_DIRECTORIES_MAX, FTW_DEPTH | FTW_PHYS) != 0) {
        problem_set(problem, "cannot remove %s: %s", demo.directory, strerror(errno));
        code = EXIT_RUNTIME;
    }
    return code;
}
