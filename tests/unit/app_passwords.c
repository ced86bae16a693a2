/* links: base wire core store net app */
/*
 * Password jobs: the same answers in the calling thread and from the pool, and a bound on both.
 */
#include "app/password_process.h"
#include "app/passwords.h"
#include "base/random.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

TestSuite(passwords, .init = random_start);

static password_job_t job_of(uint64_t number, password_job_kind_t kind, const char *password) {
    return (password_job_t){.job = number, .kind = kind, .password = span_of(password)};
}

Test(passwords, a_hash_verifies_its_own_password_only) {
    password_answer_t hashed;
    password_answer_t verified;
    password_job_t job = job_of(7, PASSWORD_HASH, "rahasia");
    password_work(&job, &hashed);
    cr_assert(hashed.ok);
    cr_assert_eq(hashed.job, 7);
    cr_assert_eq(hashed.hash.passes, PASSWORD_HASH_PASSES);
    cr_assert_eq(hashed.hash.memory_bytes, PASSWORD_HASH_MEMORY_BYTES);
    job = job_of(8, PASSWORD_VERIFY, "rahasia");
    job.expected = hashed.hash;
    password_work(&job, &verified);
    cr_assert(verified.ok);
    job = job_of(9, PASSWORD_VERIFY, "rahasiA");
    job.expected = hashed.hash;
    password_work(&job, &verified);
    cr_assert_not(verified.ok);
}

Test(passwords, salts_are_fresh) {
    password_answer_t one;
    password_answer_t other;
    password_job_t job = job_of(1, PASSWORD_HASH, "rahasia");
    password_work(&job, &one);
    password_work(&job, &other);
    cr_assert_neq(memcmp(one.hash.salt, other.hash.salt, SALT_BYTES), 0);
    cr_assert_neq(memcmp(one.hash.hash, other.hash.hash, KEY_BYTES), 0);
}

Test(passwords, group_keys_depend_on_name_and_password_alone) {
    password_answer_t keys[4];
    const char *const names[] = {"tim", "tim", "tam", "tim"};
    const char *const given[] = {"kunci", "kunci", "kunci", "lain"};
    for (size_t i = 0; i < 4; i++) {
        password_job_t job = job_of(i, PASSWORD_KEY, given[i]);
        cr_assert(name_parse(&job.name, span_of(names[i])));
        password_work(&job, &keys[i]);
        cr_assert(keys[i].ok);
    }
    cr_assert_arr_eq(keys[0].key, keys[1].key, KEY_BYTES);
    cr_assert_neq(memcmp(keys[0].key, keys[2].key, KEY_BYTES), 0);
    cr_assert_neq(memcmp(keys[0].key, keys[3].key, KEY_BYTES), 0);
}

/* A damaged row of the store must not stop the process. */
Test(passwords, impossible_parameters_do_not_match) {
    password_answer_t verified;
    password_job_t job = job_of(1, PASSWORD_VERIFY, "rahasia");
    password_work(&job, &verified);
    cr_assert_not(verified.ok);
}

/* The program that was built beside this test. */
static void program_path(char path[PATH_MAX]) {
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
    cr_assert(length > 0);
    path[length] = '\0';
    char *slash = strrchr(path, '/');
    cr_assert_not_null(slash);
    cr_assert_lt((size_t)(slash + sizeof "/realmgate" - path), PATH_MAX);
    (void)memcpy(slash, "/realmgate", sizeof "/realmgate");
}

/* Others on the machine may leave it no time for a while. */
static password_answer_t process_await(password_process_t *process, const password_job_t *job) {
    password_answer_t answer = {0};
    bool done = false;
    for (int tries = 0; !done && tries < 6000; tries++) {
        done = password_process_work(process, job, &answer);
        cr_assert(done || zmq_poll(NULL, 0, 5) == 0);
    }
    cr_assert(done);
    return answer;
}

Test(passwords, process_answers_as_a_worker_does) {
    char path[PATH_MAX];
    program_path(path);
    password_process_t *process = password_process_new(path);
    cr_assert_not_null(process);
    password_answer_t expected;
    password_job_t job = job_of(7, PASSWORD_KEY, "kunci");
    cr_assert(name_parse(&job.name, span_of("tim")));
    password_work(&job, &expected);
    password_answer_t answer = process_await(process, &job);
    cr_assert(answer.ok && answer.job == 7);
    cr_assert_arr_eq(answer.key, expected.key, KEY_BYTES);
    job = job_of(8, PASSWORD_HASH, "rahasia");
    answer = process_await(process, &job);
    cr_assert(answer.ok && answer.job == 8);
    job = job_of(9, PASSWORD_VERIFY, "rahasia");
    job.expected = answer.hash;
    cr_assert(process_await(process, &job).ok);
    job.password = span_of("Rahasia");
    cr_assert_not(process_await(process, &job).ok);
    password_process_destroy(&process);
    cr_assert_null(process);
}

/* What it was late with is nobody's any more, and must not pass for the answer to the next job. */
Test(passwords, process_that_stands_still_holds_nobody_up) {
    char path[PATH_MAX];
    program_path(path);
    password_process_t *process = password_process_new(path);
    cr_assert_not_null(process);
    password_job_t job = job_of(1, PASSWORD_HASH, "rahasia");
    cr_assert_eq(process_await(process, &job).job, 1);
    pid_t pid = password_process_pid(process);
    cr_assert_eq(kill(pid, SIGSTOP), 0);
    password_answer_t answer;
    job.job = 2;
    cr_assert_not(password_process_work(process, &job, &answer));
    job.job = 3;
    cr_assert_not(password_process_work(process, &job, &answer));
    cr_assert_eq(kill(pid, SIGCONT), 0);
    job.job = 4;
    cr_assert_eq(process_await(process, &job).job, 4);
    cr_assert_eq(kill(pid, SIGKILL), 0);
    job.job = 5;
    cr_assert_not(password_process_work(process, &job, &answer));
    cr_assert_not(password_process_work(process, &job, &answer));
    password_process_destroy(&process);
}

Test(passwords, process_that_is_no_program_does_nothing) {
    password_process_t *process = password_process_new("/nonexistent");
    password_answer_t answer;
    password_job_t job = job_of(1, PASSWORD_HASH, "rahasia");
    cr_assert(process == NULL || !password_process_work(process, &job, &answer));
    password_process_destroy(&process);
}

Test(passwords, pool_answers_every_job) {
    char path[PATH_MAX];
    program_path(path);
    enum { JOBS = 12 };
    bool seen[JOBS] = {false};
    char long_password[512];
    memset(long_password, 'x', sizeof long_password);
    void *context = zmq_ctx_new();
    password_pool_t *pool = password_pool_new(context, path);
    for (uint64_t i = 0; i < JOBS; i++) {
        password_job_t job = job_of(i, PASSWORD_HASH, "rahasia");
        if (i == 0) {
            job.password = (span_t){long_password, sizeof long_password};
        }
        cr_assert(password_pool_add(pool, &job));
    }
    for (size_t i = 0; i < JOBS; i++) {
        password_answer_t answer;
        zmq_pollitem_t item = {.socket = password_pool_socket(pool), .events = ZMQ_POLLIN};
        cr_assert_eq(zmq_poll(&item, 1, 30000), 1);
        cr_assert(password_pool_take(pool, &answer));
        cr_assert(answer.ok);
        cr_assert_not(seen[answer.job]);
        seen[answer.job] = true;
    }
    password_pool_destroy(&pool);
    cr_assert_eq(zmq_ctx_term(context), 0);
}

Test(passwords, pool_is_bounded_and_can_be_left_with_jobs_in_it) {
    void *context = zmq_ctx_new();
    password_pool_t *pool = password_pool_new(context, NULL);
    password_job_t job = job_of(1, PASSWORD_HASH, "rahasia");
    for (size_t i = 0; i < PASSWORD_JOBS_MAX; i++) {
        cr_assert(password_pool_add(pool, &job));
    }
    cr_assert_not(password_pool_add(pool, &job));
    password_pool_destroy(&pool);
    cr_assert_null(pool);
    cr_assert_eq(zmq_ctx_term(context), 0);
}
