/*
 * Password jobs in idle time. Must never let an answer pass for that of another job, nor leave a
 * password in the memory of the process once its job is done.
 */
#include "app/password_process.h"

#include "app/exit_code.h"
#include "base/assert.h"
#include "base/crypto.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct password_process {
    pid_t pid;
    int socket;
    bool late; /* owes an answer that nobody waits for */
};

/* A job as it crosses, in one packet. */
typedef struct packet {
    uint64_t job;
    password_job_kind_t kind;
    password_hash_t expected;
    name_t name;
} packet_t;

static void packet_do(const packet_t *packet, span_t password, password_answer_t *answer) {
    const password_job_t job = {.job = packet->job,
                                .kind = packet->kind,
                                .password = password,
                                .expected = packet->expected,
                                .name = packet->name};
    password_work(&job, answer);
}

/* False at the end. */
static bool packet_serve(int socket) {
    packet_t packet;
    char password[LINE_BYTES_MAX];
    struct iovec parts[] = {{&packet, sizeof packet}, {password, sizeof password}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t bytes = recvmsg(socket, &message, 0);
    if (bytes < (ssize_t)sizeof packet) {
        return bytes < 0 && errno == EINTR;
    }
    password_answer_t answer;
    packet_do(&packet, (span_t){password, (size_t)bytes - sizeof packet}, &answer);
    crypto_wipe(password, sizeof password);
    bool sent = send(socket, &answer, sizeof answer, MSG_NOSIGNAL) == sizeof answer;
    crypto_wipe(&answer, sizeof answer);
    return sent;
}

int password_process_main(void) {
    const struct sched_param none = {0};
    if (sched_setscheduler(0, SCHED_IDLE, &none) != 0) {
        return EXIT_RUNTIME;
    }
    random_start();
    while (packet_serve(STDIN_FILENO)) {
        continue;
    }
    return EXIT_CLEAN;
}

/* It keeps no descriptor of ours: the files must be free when we are gone, whatever it is at. */
static bool actions_fill(posix_spawn_file_actions_t *actions, int socket) {
    return posix_spawn_file_actions_adddup2(actions, socket, STDIN_FILENO) == 0 &&
           posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) ==
               0 &&
           posix_spawn_file_actions_adddup2(actions, STDOUT_FILENO, STDERR_FILENO) == 0 &&
           posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1) == 0;
}

/* Signals that we wait for are blocked in our threads, and would be in it. */
static bool attributes_fill(posix_spawnattr_t *attributes) {
    sigset_t none;
    (void)sigemptyset(&none);
    return posix_spawnattr_setsigmask(attributes, &none) == 0 &&
           posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK) == 0;
}

static bool process_start(password_process_t *process, const char *program, int socket) {
    char name[] = PASSWORD_PROCESS_NAME;
    char *words[] = {name, NULL};
    char *environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    ASSERT(posix_spawn_file_actions_init(&actions) == 0);
    ASSERT(posix_spawnattr_init(&attributes) == 0);
    bool started =
        actions_fill(&actions, socket) && attributes_fill(&attributes) &&
        posix_spawn(&process->pid, program, &actions, &attributes, words, environment) == 0;
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    return started;
}

password_process_t *password_process_new(const char *program) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return NULL;
    }
    password_process_t *process = memory_alloc(sizeof *process);
    process->socket = ends[0];
    bool started = process_start(process, program, ends[1]);
    (void)close(ends[1]);
    if (!started) {
        (void)close(process->socket);
        memory_free(process);
        return NULL;
    }
    return process;
}

pid_t password_process_pid(const password_process_t *process) {
    return process->pid;
}

void password_process_destroy(password_process_t **process) {
    password_process_t *gone = *process;
    if (gone == NULL) {
        return;
    }
    (void)kill(gone->pid, SIGKILL);
    (void)close(gone->socket);
    while (waitpid(gone->pid, NULL, 0) < 0 && errno == EINTR) {
        continue;
    }
    memory_free(gone);
    *process = NULL;
}

static bool job_send(const password_process_t *process, const password_job_t *job) {
    packet_t packet;
    memset(&packet, 0, sizeof packet); /* its padding, too */
    packet.job = job->job;
    packet.kind = job->kind;
    packet.expected = job->expected;
    packet.name = job->name;
    char password[LINE_BYTES_MAX];
    if (job->password.length > sizeof password) {
        return false;
    }
    memcpy(password, job->password.bytes, job->password.length);
    struct iovec parts[] = {{&packet, sizeof packet}, {password, job->password.length}};
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t sent = sendmsg(process->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    crypto_wipe(password, sizeof password);
    return sent == (ssize_t)(sizeof packet + job->password.length);
}

/* False if none came in time. */
static bool answer_take(const password_process_t *process, int timeout_ms,
                        password_answer_t *answer) {
    struct pollfd item = {.fd = process->socket, .events = POLLIN};
    int ready;
    do {
        ready = poll(&item, 1, timeout_ms);
    } while (ready < 0 && errno == EINTR);
    return ready > 0 &&
           recv(process->socket, answer, sizeof *answer, MSG_DONTWAIT) == (ssize_t)sizeof *answer;
}

/* All owners stand still at the same times: one that goes on could leave no time to any process. */
static int grace_left_ms(void) {
    struct timespec now;
    ASSERT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    int64_t at_ms = (now.tv_sec * 1000 + now.tv_nsec / 1000000) % PASSWORD_GRACE_EVERY_MS;
    return at_ms < PASSWORD_GRACE_MS ? (int)(PASSWORD_GRACE_MS - at_ms) : 0;
}

bool password_process_work(password_process_t *process, const password_job_t *job,
                           password_answer_t *answer) {
    if (process->late) {
        process->late = !answer_take(process, grace_left_ms(), answer);
    }
    if (process->late || !job_send(process, job)) {
        return false;
    }
    process->late = !answer_take(process, PASSWORD_PATIENCE_MS, answer);
    return !process->late && answer->job == job->job;
}
