/*
 * Argon2id and the threads that compute it. Must never log a password, nor leave one in memory that
 * it owns once the job is done.
 */
#include "app/passwords.h"

#include "app/fair_queue.h"
#include "app/password_process.h"
#include "base/assert.h"
#include "base/crypto.h"
#include "base/memory.h"
#include "base/random.h"
#include "net/handoff.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <zmq.h>

#define ANSWERS_ENDPOINT "inproc://password-answers"

/* A worker has the next job in its socket while it is at one, so that it never idles for a turn of
 * the actor; and no more, so that it can be stopped soon. */
enum { WORKER_JOBS_MAX = 2, WORKER_NICENESS = 5 };

/* A job as it crosses to a worker, password behind the struct's fields. An empty message = stop. */
typedef struct job_message {
    uint64_t job;
    password_job_kind_t kind;
    password_hash_t expected;
    name_t name;
    size_t password_bytes;
    char password[];
} job_message_t;

typedef struct answer_message {
    size_t worker;
    password_answer_t answer;
} answer_message_t;

/* What a worker's thread needs; read-only once it runs. */
typedef struct worker {
    void *context;
    const char *program; /* NULL: no process helps */
    size_t index;
    char endpoint[64];
    pthread_t thread;
} worker_t;

struct password_pool {
    worker_t workers[PASSWORD_WORKERS];
    void *jobs[PASSWORD_WORKERS]; /* PUSH, one a worker */
    size_t worker_count;          /* started */
    size_t busy[PASSWORD_WORKERS];
    void *answers;       /* PULL */
    fair_queue_t *queue; /* of those that wait: sources take turns */
    zmq_msg_t *waiting;  /* PASSWORD_JOBS_MAX, by their numbers in the queue */
    size_t outstanding;
};

static bool password_hash(password_hash_t *hash, uint8_t out[KEY_BYTES], span_t password) {
    return crypto_pwhash(out, KEY_BYTES, password.bytes, password.length, hash->salt, hash->passes,
                         hash->memory_bytes, crypto_pwhash_ALG_ARGON2ID13) == 0;
}

/* The same salt in both realms that a group spans: it comes from the group's name alone. */
static void group_salt(uint8_t salt[SALT_BYTES], const name_t *name) {
    static const uint8_t zeros[KEY_BYTES];
    static const char prefix[] = "realmgate group ";
    char text[sizeof prefix + NAME_BYTES_MAX];
    uint8_t digest[DIGEST_BYTES];
    int length = snprintf(text, sizeof text, "%s%s", prefix, name->text);
    crypto_digest(digest, zeros, text, (size_t)length);
    memcpy(salt, digest, SALT_BYTES);
}

void password_work(const password_job_t *job, password_answer_t *answer) {
    _Static_assert(SALT_BYTES == crypto_pwhash_SALTBYTES, "the salt is libsodium's");
    uint8_t computed[KEY_BYTES];
    *answer = (password_answer_t){.job = job->job};
    password_hash_t hash = {.passes = PASSWORD_HASH_PASSES,
                            .memory_bytes = PASSWORD_HASH_MEMORY_BYTES};
    switch (job->kind) {
    case PASSWORD_VERIFY:
        hash = job->expected;
        answer->ok = password_hash(&hash, computed, job->password) &&
                     crypto_equal(computed, job->expected.hash, KEY_BYTES);
        break;
    case PASSWORD_HASH:
        random_bytes(hash.salt, sizeof hash.salt);
        answer->ok = password_hash(&hash, hash.hash, job->password);
        answer->hash = hash;
        break;
    case PASSWORD_KEY:
        group_salt(hash.salt, &job->name);
        answer->ok = password_hash(&hash, answer->key, job->password);
        break;
    }
    crypto_wipe(computed, sizeof computed);
}

void password_event(const password_answer_t *answer, event_t *event) {
    *event = (event_t){.kind = EVENT_PASSWORD};
    event->password.job = answer->job;
    event->password.ok = answer->ok;
    event->password.hash = answer->hash;
    memcpy(event->password.key, answer->key, KEY_BYTES);
}

/* zmq calls that signals may cut short; anything else is a bug of ours. */
static void message_send(zmq_msg_t *message, void *socket) {
    int sent;
    handoff_release(zmq_msg_data(message));
    do {
        sent = zmq_msg_send(message, socket, 0);
    } while (sent < 0 && errno == EINTR);
    ASSERT(sent >= 0);
}

static void message_receive(zmq_msg_t *message, void *socket) {
    int got;
    do {
        got = zmq_msg_recv(message, socket, 0);
    } while (got < 0 && errno == EINTR);
    ASSERT(got >= 0);
    handoff_acquire(zmq_msg_data(message));
}

static void *socket_new(void *context, int type, const char *endpoint, bool binds) {
    /* Both ends are bounded by the pool's own count, so that no send can block. */
    const int unlimited = 0;
    const int linger_ms = 0;
    void *socket = zmq_socket(context, type);
    ASSERT(socket != NULL);
    ASSERT(zmq_setsockopt(socket, ZMQ_SNDHWM, &unlimited, sizeof unlimited) == 0);
    ASSERT(zmq_setsockopt(socket, ZMQ_RCVHWM, &unlimited, sizeof unlimited) == 0);
    ASSERT(zmq_setsockopt(socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms) == 0);
    ASSERT((binds ? zmq_bind(socket, endpoint) : zmq_connect(socket, endpoint)) == 0);
    return socket;
}

static void worker_do(size_t index, password_process_t *process, zmq_msg_t *message,
                      void *answers) {
    job_message_t *carried = zmq_msg_data(message);
    password_job_t job = {.job = carried->job,
                          .kind = carried->kind,
                          .password = {carried->password, carried->password_bytes},
                          .expected = carried->expected,
                          .name = carried->name};
    zmq_msg_t answered;
    ASSERT(zmq_msg_init_size(&answered, sizeof(answer_message_t)) == 0);
    answer_message_t *answer = zmq_msg_data(&answered);
    answer->worker = index;
    if (process == NULL || !password_process_work(process, &job, &answer->answer)) {
        password_work(&job, &answer->answer);
    }
    crypto_wipe(carried, zmq_msg_size(message));
    message_send(&answered, answers);
}

static void *worker_run(void *argument) {
    worker_t *worker = argument;
    /* Logins must not slow down those who are in: a process does them in idle time, and where there
     * is none the worker itself. Its niceness is, on Linux, the thread's own. */
    (void)setpriority(PRIO_PROCESS, 0, WORKER_NICENESS);
    void *jobs = socket_new(worker->context, ZMQ_PULL, worker->endpoint, false);
    void *answers = socket_new(worker->context, ZMQ_PUSH, ANSWERS_ENDPOINT, false);
    password_process_t *process =
        worker->program == NULL ? NULL : password_process_new(worker->program);
    bool working = true;
    while (working) {
        zmq_msg_t message;
        (void)zmq_msg_init(&message);
        message_receive(&message, jobs);
        working = zmq_msg_size(&message) > 0;
        if (working) {
            worker_do(worker->index, process, &message, answers);
        }
        (void)zmq_msg_close(&message);
    }
    password_process_destroy(&process);
    (void)zmq_close(jobs);
    (void)zmq_close(answers);
    return NULL;
}

/* False if the system gives no more threads. */
static bool worker_start(password_pool_t *pool, void *context, const char *program) {
    size_t index = pool->worker_count;
    worker_t *worker = &pool->workers[index];
    worker->context = context;
    worker->program = program;
    worker->index = index;
    (void)snprintf(worker->endpoint, sizeof worker->endpoint, "inproc://password-jobs-%zu", index);
    pool->jobs[index] = socket_new(context, ZMQ_PUSH, worker->endpoint, true);
    if (pthread_create(&worker->thread, NULL, worker_run, worker) != 0) {
        (void)zmq_close(pool->jobs[index]);
        return false;
    }
    pool->worker_count++;
    return true;
}

password_pool_t *password_pool_new(void *context, const char *program) {
    password_pool_t *pool = memory_alloc(sizeof *pool);
    pool->queue = fair_queue_new(PASSWORD_JOBS_MAX);
    pool->waiting = memory_alloc(PASSWORD_JOBS_MAX * sizeof *pool->waiting);
    pool->answers = socket_new(context, ZMQ_PULL, ANSWERS_ENDPOINT, true);
    while (pool->worker_count < PASSWORD_WORKERS) {
        if (!worker_start(pool, context, program)) {
            password_pool_destroy(&pool);
            return NULL;
        }
    }
    return pool;
}

/* The one whose turn it is leaves the queue into *message. */
static void waiting_take(password_pool_t *pool, zmq_msg_t *message) {
    zmq_msg_t *waiting = &pool->waiting[fair_queue_take(pool->queue)];
    (void)zmq_msg_init(message);
    ASSERT(zmq_msg_move(message, waiting) == 0);
    (void)zmq_msg_close(waiting);
}

void password_pool_destroy(password_pool_t **pool) {
    password_pool_t *gone = *pool;
    if (gone == NULL) {
        return;
    }
    while (fair_queue_count(gone->queue) > 0) {
        zmq_msg_t message;
        waiting_take(gone, &message);
        crypto_wipe(zmq_msg_data(&message), zmq_msg_size(&message));
        (void)zmq_msg_close(&message);
    }
    for (size_t i = 0; i < gone->worker_count; i++) {
        zmq_msg_t stop;
        (void)zmq_msg_init(&stop);
        message_send(&stop, gone->jobs[i]);
    }
    for (size_t i = 0; i < gone->worker_count; i++) {
        ASSERT(pthread_join(gone->workers[i].thread, NULL) == 0);
        (void)zmq_close(gone->jobs[i]);
    }
    (void)zmq_close(gone->answers);
    memory_free(gone->waiting);
    fair_queue_destroy(&gone->queue);
    memory_free(gone);
    *pool = NULL;
}

/* Gives each worker what it may have at once, the idle ones first. */
static void pool_feed(password_pool_t *pool) {
    for (size_t turn = 0; turn < WORKER_JOBS_MAX * PASSWORD_WORKERS; turn++) {
        size_t worker = turn % PASSWORD_WORKERS;
        size_t allowed = turn / PASSWORD_WORKERS + 1;
        if (fair_queue_count(pool->queue) > 0 && pool->busy[worker] < allowed) {
            zmq_msg_t message;
            waiting_take(pool, &message);
            message_send(&message, pool->jobs[worker]);
            pool->busy[worker]++;
        }
    }
}

bool password_pool_add(password_pool_t *pool, const password_job_t *job) {
    if (pool->outstanding >= PASSWORD_JOBS_MAX) {
        return false;
    }
    zmq_msg_t *message = &pool->waiting[fair_queue_put(pool->queue, job->source)];
    ASSERT(zmq_msg_init_size(message, sizeof(job_message_t) + job->password.length) == 0);
    job_message_t *carried = zmq_msg_data(message);
    *carried = (job_message_t){.job = job->job,
                               .kind = job->kind,
                               .expected = job->expected,
                               .name = job->name,
                               .password_bytes = job->password.length};
    memcpy(carried->password, job->password.bytes, job->password.length);
    pool->outstanding++;
    pool_feed(pool);
    return true;
}

bool password_pool_take(password_pool_t *pool, password_answer_t *answer) {
    zmq_msg_t message;
    (void)zmq_msg_init(&message);
    bool got = zmq_msg_recv(&message, pool->answers, ZMQ_DONTWAIT) == sizeof(answer_message_t);
    if (got) {
        handoff_acquire(zmq_msg_data(&message));
        answer_message_t *carried = zmq_msg_data(&message);
        *answer = carried->answer;
        ASSERT(carried->worker < PASSWORD_WORKERS && pool->busy[carried->worker] > 0);
        pool->busy[carried->worker]--;
        pool->outstanding--;
        crypto_wipe(carried, sizeof *carried);
        pool_feed(pool);
    }
    (void)zmq_msg_close(&message);
    return got;
}

void *password_pool_socket(password_pool_t *pool) {
    return pool->answers;
}
