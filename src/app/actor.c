/*
 * The actor's loop: a turn takes what is there, steps it, commits once, then lets the effects out.
 * Must never block on a client or a peer, and never let anything out before the commit.
 */
#include "app/actor.h"

#include "app/notify.h"
#include "base/assert.h"
#include "net/federation.h"
#include "net/front_end.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

/* How long the federation may take to give away what it was handed, at the end. */
enum { FEDERATION_STOP_MS = 500 };

/* Batches of peers' frames that may wait for the actor; behind them the federation stops reading.
 */
enum { FEDERATION_BATCHES_MAX = 16 };

/* hwm 0 = no high-water mark. */
static void *socket_bind(void *context, const char *endpoint, int hwm) {
    void *socket = zmq_socket(context, ZMQ_PULL);
    ASSERT(socket != NULL);
    ASSERT(zmq_setsockopt(socket, ZMQ_RCVHWM, &hwm, sizeof hwm) == 0);
    ASSERT(zmq_bind(socket, endpoint) == 0);
    return socket;
}

/* What came in before its descriptor is watched gives no edge: it is looked at once in any case. */
static inlet_t inlet_of(void *socket) {
    inlet_t inlet = {.socket = socket, .fd = -1, .pending = true};
    size_t fd_bytes = sizeof inlet.fd;
    ASSERT(zmq_getsockopt(socket, ZMQ_FD, &inlet.fd, &fd_bytes) == 0);
    return inlet;
}

static void *socket_connect(void *context, const char *endpoint) {
    /* The actor must not wait for the other thread, which may be waiting for the actor. */
    const int unlimited = 0;
    void *socket = zmq_socket(context, ZMQ_PUSH);
    ASSERT(socket != NULL);
    ASSERT(zmq_setsockopt(socket, ZMQ_SNDHWM, &unlimited, sizeof unlimited) == 0);
    ASSERT(zmq_connect(socket, endpoint) == 0);
    return socket;
}

bool actor_init(actor_t *actor, void *context, int signals) {
    *actor = (actor_t){.phase = ACTOR_SERVING, .signals = signals, .alive_ms = notify_alive_ms()};
    /* Clients are bounded by CONNECTION_REQUESTS_MAX, peers only by this mark. */
    actor->from_front = inlet_of(socket_bind(context, ACTOR_FROM_FRONT, 0));
    actor->from_federation =
        inlet_of(socket_bind(context, ACTOR_FROM_FEDERATION, FEDERATION_BATCHES_MAX));
    actor->to_front = socket_connect(context, ACTOR_TO_FRONT);
    actor->to_federation = socket_connect(context, ACTOR_TO_FEDERATION);
    actor->pool = password_pool_new(context, "/proc/self/exe");
    batch_init(&actor->replies);
    batch_init(&actor->sends);
    buffer_init(&actor->answers.frames);
    buffer_init(&actor->frame);
    arena_init(&actor->arena);
    if (actor->pool == NULL) {
        return false;
    }
    actor->from_pool = inlet_of(password_pool_socket(actor->pool));
    return true;
}

static void socket_close(void **socket) {
    const int linger_ms = 0;
    ASSERT(zmq_setsockopt(*socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms) == 0);
    (void)zmq_close(*socket);
    *socket = NULL;
}

void actor_deinit(actor_t *actor) {
    password_pool_destroy(&actor->pool);
    socket_close(&actor->from_front.socket);
    socket_close(&actor->from_federation.socket);
    socket_close(&actor->to_front);
    socket_close(&actor->to_federation);
    batch_deinit(&actor->replies);
    batch_deinit(&actor->sends);
    buffer_deinit(&actor->answers.frames);
    buffer_deinit(&actor->frame);
    arena_deinit(&actor->arena);
}

static void put_passwords(actor_t *actor) {
    const effects_t *effects = &actor->engine->effects;
    for (size_t i = 0; i < effects->password_count; i++) {
        if (!password_pool_add(actor->pool, &effects->passwords[i])) {
            engine_busy(actor->engine, effects->passwords[i].job);
        }
    }
}

/* The next answer, if there is one. */
static bool pool_take(actor_t *actor, password_answer_t *answer) {
    inlet_t *inlet = &actor->from_pool;
    inlet->pending = inlet->pending && password_pool_take(actor->pool, answer);
    return inlet->pending;
}

static size_t take_passwords(actor_t *actor) {
    size_t taken = 0;
    password_answer_t answer;
    while (pool_take(actor, &answer)) {
        event_t event;
        password_event(&answer, &event);
        engine_step(actor->engine, &event);
        taken++;
    }
    return taken;
}

/* Everything that was promised in this turn is on the disk: let it out. */
static void turn_release(actor_t *actor) {
    /* Who is told that a key is trusted may use it at once, so the federation hears of it first. */
    actor_put_keys(actor);
    actor_send_sends(actor);
    actor_put_replies(actor);
    actor_send_replies(actor);
    actor_put_sends(actor);
    actor_put_dials(actor);
    actor_send_sends(actor);
    put_passwords(actor);
    engine_log(actor->engine);
}

/* Asks the front end, once, to answer what it has read and to close. */
static void drain(actor_t *actor) {
    if (actor->phase == ACTOR_SERVING) {
        actor->phase = ACTOR_DRAINING;
        actor->deadline_us = actor->engine->uptime_us + DRAIN_MS * 1000LL;
        actor_tell_front(actor, FRONT_DRAIN);
    }
}

/* The store failed: what this turn promised did not happen, and memory is ahead of the disk. From
 * here on nothing is stepped; who asks is told, and a restart loads the last commit. */
static void turn_fail(actor_t *actor, store_error_t error) {
    log_event(LEVEL_ERROR, "store-failed", "reason", store_error_text(error), NULL);
    actor_refuse_replies(actor);
    actor_send_replies(actor);
    drain(actor);
    actor->phase = ACTOR_FAILED;
}

static void turn_finish(actor_t *actor, store_error_t error, size_t heads_max) {
    if (error == STORE_OK) {
        error = engine_commit(actor->engine, heads_max);
    }
    if (error == STORE_OK) {
        turn_release(actor);
    } else {
        turn_fail(actor, error);
    }
    engine_turn_end(actor->engine);
}

static void turn(actor_t *actor) {
    size_t stepped = 0;
    store_error_t error = engine_follow(actor->engine, &stepped);
    if (error == STORE_OK) {
        stepped += actor_take_requests(actor);
        stepped += actor_take_frames(actor);
        stepped += take_passwords(actor);
        stepped += actor_take_reload(actor);
        stepped += engine_tick(actor->engine) ? 1 : 0;
    }
    if (stepped > 0) {
        turn_finish(actor, error, STORE_HEADS_PER_COMMIT);
    }
}

/* Between turns: nothing waits to be let out. */
static void fold(actor_t *actor) {
    if (actor->phase == ACTOR_FAILED || actor->engine->uptime_us < actor->engine->fold_due_us) {
        return;
    }
    store_error_t error = engine_fold(actor->engine);
    if (error != STORE_OK) {
        turn_fail(actor, error);
    }
}

/* The store has failed: requests are refused, all else is thrown away. */
static void turn_failed(actor_t *actor) {
    password_answer_t answer;
    (void)actor_take_requests(actor);
    (void)actor_take_frames(actor);
    while (pool_take(actor, &answer)) {
        continue;
    }
    actor_send_replies(actor);
}

static int64_t until_ms(const actor_t *actor, int64_t due_us) {
    int64_t left_us = due_us - actor->engine->uptime_us;
    return left_us <= 0 ? 0 : left_us / 1000 + 1;
}

/* How long the next turn may wait for input; -1 for ever. */
static int wait_ms(const actor_t *actor) {
    const int64_t longest_ms = 3600 * 1000;
    bool failed = actor->phase == ACTOR_FAILED;
    int64_t tick_us = failed ? INT64_MAX : state_next_tick_us(actor->engine->state);
    int64_t wait = longest_ms;
    if (!failed && engine_follows(actor->engine)) {
        return 0;
    }
    if (tick_us != INT64_MAX && until_ms(actor, tick_us) < wait) {
        wait = until_ms(actor, tick_us);
    }
    if (!failed && actor->engine->fold_due_us != INT64_MAX &&
        until_ms(actor, actor->engine->fold_due_us) < wait) {
        wait = until_ms(actor, actor->engine->fold_due_us);
    }
    if (actor->phase != ACTOR_SERVING && until_ms(actor, actor->deadline_us) < wait) {
        wait = until_ms(actor, actor->deadline_us);
    }
    if (actor->alive_ms > 0 && until_ms(actor, actor->alive_due_us) < wait) {
        wait = until_ms(actor, actor->alive_due_us);
    }
    return (int)wait;
}

/* Asks the descriptors and not the sockets: each socket that is asked costs system calls of its
 * own, and most turns are about one of them. */
static void wait_for_input(actor_t *actor, int timeout_ms) {
    inlet_t *inlets[] = {&actor->from_front, &actor->from_federation, &actor->from_pool};
    enum { INLETS = sizeof inlets / sizeof inlets[0] };
    struct pollfd items[INLETS + 1] = {[INLETS] = {.fd = actor->signals, .events = POLLIN}};
    for (size_t i = 0; i < INLETS; i++) {
        items[i] = (struct pollfd){.fd = inlets[i]->fd, .events = POLLIN};
        timeout_ms = inlets[i]->pending ? 0 : timeout_ms;
    }
    /* An interrupted poll is a turn without input. */
    int ready = poll(items, INLETS + 1, timeout_ms);
    ASSERT(ready >= 0 || errno == EINTR);
    for (size_t i = 0; i < INLETS && ready > 0; i++) {
        inlets[i]->pending = inlets[i]->pending || items[i].revents != 0;
    }
    actor->signalled = ready > 0 && items[INLETS].revents != 0;
}

/* A turn that never ends says nothing here, and the service manager sees it. */
static void say_alive(actor_t *actor) {
    if (actor->alive_ms > 0 && actor->engine->uptime_us >= actor->alive_due_us) {
        actor->alive_due_us = actor->engine->uptime_us + actor->alive_ms * 1000;
        notify_alive();
    }
}

/* The second request to stop does not wait: what was acknowledged is on the disk already. */
static void stop_asked(actor_t *actor) {
    actor->stop_count++;
    if (actor->stop_count > 1) {
        log_event(LEVEL_INFO, "stopped-at-once", NULL);
        _exit(EXIT_CLEAN);
    }
    log_event(LEVEL_INFO, "stopping", NULL);
    notify_stopping();
    drain(actor);
}

static void take_signals(actor_t *actor) {
    struct signalfd_siginfo signal;
    while (actor->signalled && read(actor->signals, &signal, sizeof signal) == sizeof signal) {
        if (signal.ssi_signo == SIGHUP) {
            actor->reload_asked = true;
        } else {
            stop_asked(actor);
        }
    }
}

exit_code_t actor_begin(actor_t *actor, engine_t *engine, problem_t *problem) {
    actor->engine = engine;
    event_t start = {.kind = EVENT_START};
    engine_clock(engine);
    engine_step(engine, &start);
    turn_finish(actor, STORE_OK, STORE_HEADS_PER_COMMIT);
    while (actor->phase != ACTOR_FAILED && engine_follows(engine)) {
        size_t stepped = 0;
        engine_clock(engine);
        store_error_t error = engine_follow(engine, &stepped);
        turn_finish(actor, error, STORE_HEADS_PER_COMMIT);
    }
    if (actor->phase == ACTOR_FAILED) {
        problem_set(problem, "the store failed at the start");
        return EXIT_RUNTIME;
    }
    return EXIT_CLEAN;
}

/* The last commit: the whole checkpoint, so that the next start need not read the log. */
static exit_code_t finish(actor_t *actor) {
    exit_code_t code = EXIT_RUNTIME;
    if (actor->phase != ACTOR_FAILED) {
        store_error_t error = engine_commit(actor->engine, SIZE_MAX);
        code = error == STORE_OK ? EXIT_CLEAN : EXIT_RUNTIME;
        if (error != STORE_OK) {
            log_event(LEVEL_ERROR, "store-failed", "reason", store_error_text(error), NULL);
        }
        engine_turn_end(actor->engine);
    }
    actor->phase = ACTOR_ENDED;
    actor_tell_front(actor, FRONT_STOP);
    return code;
}

exit_code_t actor_run(actor_t *actor) {
    bool running = true;
    while (running) {
        wait_for_input(actor, wait_ms(actor));
        engine_clock(actor->engine);
        say_alive(actor);
        take_signals(actor);
        if (actor->phase == ACTOR_FAILED) {
            turn_failed(actor);
        } else {
            turn(actor);
            fold(actor);
        }
        bool late = actor->phase != ACTOR_SERVING && actor->engine->uptime_us >= actor->deadline_us;
        running = !actor->front_drained && !late;
    }
    return finish(actor);
}

void actor_stop_federation(actor_t *actor) {
    actor->phase = ACTOR_ENDED;
    (void)batch_append(&actor->sends, FED_STOP, 0, 0, 0);
    actor_send_sends(actor);
    zmq_pollitem_t item = {.socket = actor->from_federation.socket, .events = ZMQ_POLLIN};
    while (!actor->federation_stopped && zmq_poll(&item, 1, FEDERATION_STOP_MS) > 0) {
        actor->from_federation.pending = true;
        (void)actor_take_frames(actor);
    }
}
