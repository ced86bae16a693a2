/*
 * One realm from start to end. Must never open the client port before the realm is whole, nor
 * return before what was acknowledged is on the disk.
 */
#include "app/serve.h"

#include "app/actor.h"
#include "app/data_dir.h"
#include "app/keys.h"
#include "app/notify.h"
#include "base/assert.h"
#include "base/crypto.h"
#include "base/random.h"
#include "net/federation.h"
#include "net/front_end.h"

#include <czmq.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

typedef struct serve {
    const serve_options_t *options;
    data_dir_t dir;
    keys_t keys;
    engine_t engine;
    federation_t *federation;
    front_end_t *front_end;
    actor_t actor;
    reload_t reload;
    int signals;
    char admin_path[PATH_MAX];
} serve_t;

/* All threads are started with these signals blocked: they come through the signalfd alone. */
static int signals_open(void) {
    sigset_t signals;
    ASSERT(sigemptyset(&signals) == 0);
    ASSERT(sigaddset(&signals, SIGINT) == 0);
    ASSERT(sigaddset(&signals, SIGTERM) == 0);
    ASSERT(sigaddset(&signals, SIGHUP) == 0);
    ASSERT(sigprocmask(SIG_BLOCK, &signals, NULL) == 0);
    ASSERT(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    /* A file size limit is a full disk: an error of the write, not the end of the process. */
    ASSERT(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    int opened = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    ASSERT(opened >= 0);
    return opened;
}

/* A connection is a descriptor: take as many as the system gives. */
static void descriptors_raise(void) {
    struct rlimit limit;
    ASSERT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        log_event(LEVEL_WARN, "descriptor-limit", "reason", strerror(errno), NULL);
    }
}

static exit_code_t prepare(serve_t *serve, problem_t *problem) {
    name_t name;
    exit_code_t code = data_dir_open(&serve->dir, serve->options->data, true, problem);
    if (code != EXIT_CLEAN) {
        return code;
    }
    if (data_dir_lock(&serve->dir, problem) != LOCK_TAKEN) {
        return EXIT_RUNTIME;
    }
    code = data_dir_name(&serve->dir, &serve->options->name, &name, problem);
    if (code != EXIT_CLEAN) {
        return code;
    }
    (void)snprintf(serve->admin_path, sizeof serve->admin_path, "%s/admin.sock",
                   serve->options->data);
    return keys_open(&serve->keys, &serve->dir, problem);
}

static exit_code_t start_federation(serve_t *serve, problem_t *problem) {
    const char *reason = NULL;
    federation_options_t options = {.address = serve->options->federation,
                                    .accept_any = serve->options->accept_any,
                                    .to_actor = ACTOR_FROM_FEDERATION,
                                    .from_actor = ACTOR_TO_FEDERATION};
    memcpy(options.public_key, serve->keys.public_key, KEY_BYTES);
    memcpy(options.secret_key, serve->keys.secret_key, KEY_BYTES);
    serve->federation = federation_new(&options, &reason);
    crypto_wipe(&options, sizeof options);
    if (serve->federation == NULL) {
        problem_set(problem, "--federation %s: %s", serve->options->federation, reason);
        return EXIT_RUNTIME;
    }
    return EXIT_CLEAN;
}

static exit_code_t start_engine(serve_t *serve, problem_t *problem) {
    state_options_t options = {.realm = serve->options->name,
                               .advertise = serve->options->advertise,
                               .registration_open = serve->options->registration_open,
                               .accept_any = serve->options->accept_any,
                               .limits = serve->options->realm_limits,
                               .version = REALMGATE_VERSION};
    memcpy(options.key, serve->keys.public_key, KEY_BYTES);
    if (options.advertise.length == 0) {
        ASSERT(options_address(&options.advertise, federation_address(serve->federation)));
    }
    exit_code_t code = engine_open(&serve->engine, serve->options->data, &options, problem);
    crypto_wipe(options.secret, sizeof options.secret);
    return code;
}

static exit_code_t start_front_end(serve_t *serve, problem_t *problem) {
    const char *reason = NULL;
    front_end_options_t options = {.context = federation_context(),
                                   .clients = serve->options->clients,
                                   .admin_path = serve->admin_path,
                                   .to_actor = ACTOR_FROM_FRONT,
                                   .from_actor = ACTOR_TO_FRONT,
                                   .limits = &serve->options->front_limits};
    serve->front_end = front_end_new(&options, &reason);
    if (serve->front_end == NULL) {
        problem_set(problem, "--clients %s: %s", serve->options->clients, reason);
        return EXIT_RUNTIME;
    }
    return EXIT_CLEAN;
}

static void say_ready(const serve_t *serve) {
    char key[KEY_TEXT_BYTES + 1];
    crypto_key_text(key, serve->keys.public_key);
    /* Nobody may be listening; the realm serves all the same. */
    (void)printf("realm %s ready clients=%s federation=%s key=%s\n", serve->options->name.text,
                 front_end_address(serve->front_end), federation_address(serve->federation), key);
    (void)fflush(stdout);
    char status[256];
    (void)snprintf(status, sizeof status, "realm %s serves clients on %s and realms on %s",
                   serve->options->name.text, front_end_address(serve->front_end),
                   federation_address(serve->federation));
    notify_ready(status);
}

/* With the store open: replay, settle, open the client port, serve. */
static exit_code_t serve_clients(serve_t *serve, problem_t *problem) {
    exit_code_t code =
        engine_trust(&serve->engine, serve->options->trusts, serve->options->trust_count, problem);
    if (code == EXIT_CLEAN) {
        code = actor_begin(&serve->actor, &serve->engine, problem);
    }
    if (code == EXIT_CLEAN) {
        code = start_front_end(serve, problem);
    }
    if (code == EXIT_CLEAN) {
        say_ready(serve);
        code = actor_run(&serve->actor);
        front_end_destroy(&serve->front_end);
    }
    return code;
}

/* With the actor's sockets bound: the federation comes first, because its real port is what peers
 * are told. */
static exit_code_t serve_peers(serve_t *serve, problem_t *problem) {
    exit_code_t code = start_federation(serve, problem);
    if (code != EXIT_CLEAN) {
        return code;
    }
    code = start_engine(serve, problem);
    bool opened = code == EXIT_CLEAN;
    if (opened) {
        code = serve_clients(serve, problem);
    }
    actor_stop_federation(&serve->actor);
    federation_destroy(&serve->federation);
    if (opened) {
        engine_close(&serve->engine);
    }
    return code;
}

/* A line of czmq's, with its line feed. */
static ssize_t czmq_line(void *cookie, const char *bytes, size_t length) {
    char line[512];
    (void)cookie;
    (void)snprintf(line, sizeof line, "%.*s", (int)strnlen(bytes, length), bytes);
    line[strcspn(line, "\n")] = '\0';
    log_event(LEVEL_WARN, "czmq", "text", line, NULL);
    return (ssize_t)length;
}

/* What czmq has to say becomes lines of the log: standard output is the ready line's. */
static FILE *czmq_log(void) {
    FILE *stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = czmq_line});
    ASSERT(stream != NULL);
    ASSERT(setvbuf(stream, NULL, _IOLBF, BUFSIZ) == 0);
    return stream;
}

static exit_code_t serve_threads(serve_t *serve, problem_t *problem) {
    void *context = federation_context();
    exit_code_t code = EXIT_RUNTIME;
    FILE *log = czmq_log();
    zsys_set_logstream(log);
    if (actor_init(&serve->actor, context, serve->signals)) {
        serve->actor.reload = &serve->reload;
        code = serve_peers(serve, problem);
    } else {
        problem_set(problem, "cannot start the password workers: no more threads");
    }
    actor_deinit(&serve->actor);
    zsys_set_logstream(stderr);
    (void)fclose(log);
    return code;
}

exit_code_t serve_run(const serve_options_t *options) {
    problem_t problem = {""};
    serve_t serve = {.options = options, .dir = {.directory = -1, .lock = -1}};
    log_start(options->log, options->log_json, options->name.text);
    reload_init(&serve.reload, options);
    random_start();
    serve.signals = signals_open();
    descriptors_raise();
    exit_code_t code = prepare(&serve, &problem);
    if (code == EXIT_CLEAN) {
        code = serve_threads(&serve, &problem);
    }
    if (code != EXIT_CLEAN && problem.text[0] != '\0') {
        (void)fprintf(stderr, "realmgate serve: %s\n", problem.text);
    }
    reload_deinit(&serve.reload);
    keys_wipe(&serve.keys);
    data_dir_close(&serve.dir);
    (void)close(serve.signals);
    return code;
}
