/*
 * Runs criterion's tests in builds with sanitizers, one after another, each in a forked child.
 *
 * Criterion's own runner cannot start under ThreadSanitizer (what it shares with its workers lies
 * where the sanitizer keeps its shadow) and does not count what LeakSanitizer finds when a worker
 * ends. This one takes criterion's place at link time: main, and the few functions that tests call
 * back. It knows plain tests and suites with init, fini, signal, exit_code and disabled; a test
 * that asks for more is refused, never passed over. Time limits are left to ctest, since sanitizers
 * are slow.
 */
#include <criterion/criterion.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct criterion_test_extra_data extra_t;

/* The linker's bounds of the sections in which criterion's macros register. */
extern struct criterion_test *__start_cr_tst[], *__stop_cr_tst[];
extern struct criterion_suite *__start_cr_sts[] __attribute__((weak));
extern struct criterion_suite *__stop_cr_sts[] __attribute__((weak));

/* Of the child: criterion's callbacks take no context. */
static struct {
    const struct criterion_test *test;
    const extra_t *suite;
    jmp_buf after_body;
    bool failed;
} child;

void criterion_send_assert(struct criterion_assert_stats *stats) {
    if (!stats->passed)
        (void)fprintf(stderr, "%s:%u: %s\n", stats->file, stats->line, stats->message);
}

void criterion_abort_test(void) {
    child.failed = true;
    longjmp(child.after_body, 1);
}

void criterion_continue_test(void) {
    child.failed = true;
}

void cri_asserts_passed_incr(void) {
}

void criterion_internal_test_setup(void) {
    if (child.suite != NULL && child.suite->init != NULL)
        child.suite->init();
    if (child.test->data->init != NULL)
        child.test->data->init();
}

void criterion_internal_test_main(void (*body)(void)) {
    if (setjmp(child.after_body) == 0)
        body();
}

void criterion_internal_test_teardown(void) {
    if (child.test->data->fini != NULL)
        child.test->data->fini();
    if (child.suite != NULL && child.suite->fini != NULL)
        child.suite->fini();
}

static const extra_t *suite_of(const struct criterion_test *test) {
    for (struct criterion_suite **suite = __start_cr_sts; suite < __stop_cr_sts; suite++) {
        if (*suite != NULL && strcmp((*suite)->name, test->category) == 0)
            return (*suite)->data;
    }
    return NULL;
}

static bool is_disabled(const struct criterion_test *test) {
    const extra_t *suite = suite_of(test);
    return test->data->disabled || (suite != NULL && suite->disabled);
}

/* A failed test ends without the sanitizer's look for leaks: it was cut short. */
static _Noreturn void run_child(const struct criterion_test *test) {
    child.test = test;
    child.suite = suite_of(test);
    test->test();
    (void)fflush(NULL);
    if (child.failed)
        _exit(1);
    exit(0);
}

/* Whether the test ended as it says it must. */
static bool run_test(const struct criterion_test *test) {
    const extra_t *suite = suite_of(test);
    int exit_code = test->data->exit_code;
    int signal = test->data->signal;
    if (suite != NULL) {
        exit_code = exit_code != 0 ? exit_code : suite->exit_code;
        signal = signal != 0 ? signal : suite->signal;
    }
    if (test->data->kind_ != CR_TEST_NORMAL) {
        (void)fprintf(stderr, "this runner knows no parameterized tests\n");
        return false;
    }
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        run_child(test);
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return false;
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == signal;
    return signal == 0 && WEXITSTATUS(status) == exit_code;
}

/* With an argument only the tests whose suite/name contains it are run. */
int main(int argc, char **argv) {
    unsigned run = 0;
    unsigned failed = 0;
    for (struct criterion_test **each = __start_cr_tst; each < __stop_cr_tst; each++) {
        const struct criterion_test *test = *each;
        if (test == NULL || is_disabled(test))
            continue;
        if (argc > 1 && strstr(test->data->identifier_, argv[1]) == NULL)
            continue;
        run += 1;
        if (!run_test(test)) {
            failed += 1;
            (void)fprintf(stderr, "[FAIL] %s\n", test->data->identifier_);
        }
    }
    (void)fprintf(stderr, "Tested: %u | Failing: %u\n", run, failed);
    return run == 0 || failed != 0 ? 1 : 0;
}
