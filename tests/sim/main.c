/*
 * The command: runs seeds, each twice, and tells what broke.
 */
#include "shrink.h"
#include "world.h"

#include "base/random.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SIM_COMMIT
#define SIM_COMMIT "unknown"
#endif

enum { EXIT_KEPT = 0, EXIT_BROKEN = 1, EXIT_USAGE = 2 };

typedef struct options {
    uint64_t first, last;
    unsigned events; /* per seed, roughly */
    unsigned jobs;
    double seconds; /* 0: no limit */
    bool trace, verbose, expect_violation;
    const char *replay; /* a file of seeds */
} options_t;

typedef struct tally {
    uint64_t seeds, events;
    double cpu_s;
    bool broken;
} tally_t;

static double now_s(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double cpu_s(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int usage(void) {
    (void)fprintf(stderr,
                  "usage: sim --seeds FROM..TO [--events N] [--jobs N] [--seconds N] [--verbose]\n"
                  "                            [--expect-violation]\n"
                  "       sim --seed N [--events N] [--trace]\n"
                  "       sim --replay FILE\n");
    return EXIT_USAGE;
}

static bool parse_number(const char *text, uint64_t *number) {
    char *end = NULL;
    *number = strtoull(text, &end, 10);
    return end != text && *end == '\0';
}

static bool parse_range(char *text, options_t *options) {
    char *dots = strstr(text, "..");
    if (dots == NULL)
        return false;
    *dots = '\0';
    return parse_number(text, &options->first) && parse_number(dots + 2, &options->last);
}

static bool parse(int count, char **words, options_t *options) {
    static const struct option known[] = {
        {"seeds", required_argument, NULL, 's'},   {"seed", required_argument, NULL, 'o'},
        {"events", required_argument, NULL, 'e'},  {"jobs", required_argument, NULL, 'j'},
        {"seconds", required_argument, NULL, 't'}, {"trace", no_argument, NULL, 'x'},
        {"verbose", no_argument, NULL, 'v'},       {"expect-violation", no_argument, NULL, 'b'},
        {"replay", required_argument, NULL, 'r'},  {NULL, 0, NULL, 0}};
    *options = (options_t){.first = 1, .last = 0, .events = 2000, .jobs = 1};
    uint64_t number = 0;
    int letter;
    while ((letter = getopt_long(count, words, "", known, NULL)) != -1) {
        if (letter == 's' && !parse_range(optarg, options))
            return false;
        if (strchr("oejt", letter) != NULL && !parse_number(optarg, &number))
            return false;
        if (letter == 'o')
            options->first = options->last = number;
        else if (letter == 'e')
            options->events = (unsigned)number;
        else if (letter == 'j')
            options->jobs = (unsigned)number;
        else if (letter == 't')
            options->seconds = (double)number;
        else if (letter == 'x')
            options->trace = true;
        else if (letter == 'v')
            options->verbose = true;
        else if (letter == 'r')
            options->replay = optarg;
        else if (letter == 'b')
            options->expect_violation = true;
        else if (letter != 's')
            return false;
    }
    bool named = options->replay != NULL || options->last >= options->first;
    return optind == count && named && options->jobs > 0;
}

/* How many operations make about so many events. */
static unsigned plan_size(const options_t *options) {
    return options->events / 4 + 1;
}

/* Runs a seed twice. False: a promise was broken, or the two runs differ. */
static bool run_seed(world_t *world, plan_t *plan, const options_t *options, uint64_t seed,
                     tally_t *tally) {
    plan_init(plan, seed, plan_size(options));
    bool kept = world_run(world, plan);
    uint64_t trace = world->trace;
    tally->events += world->events;
    tally->seeds += 1;
    if (!kept)
        return false;
    kept = world_run(world, plan);
    tally->events += world->events;
    if (kept && world->trace == trace)
        return true;
    (void)snprintf(world->rule, sizeof(world->rule), "not-deterministic");
    (void)snprintf(world->words, sizeof(world->words), "two runs of one plan differ");
    return false;
}

static void report(world_t *world, plan_t *plan, uint64_t seed) {
    (void)printf("seed %" PRIu64 " (commit %s): %s: %s\n", seed, SIM_COMMIT, world->rule,
                 world->words);
    (void)fflush(stdout);
    if (strcmp(world->rule, "not-deterministic") == 0)
        return;
    shrink(world, plan);
    (void)printf("the shortest plan with the same violation: %s: %s\n", world->rule, world->words);
    for (size_t i = 0; i < plan->op_count; i++)
        plan_print(stdout, &plan->ops[i]);
}

/* Runs a seed and says what is to be said. False: a promise was broken. */
static bool run_and_tell(world_t *world, plan_t *plan, const options_t *options, uint64_t seed,
                         tally_t *tally) {
    if (run_seed(world, plan, options, seed, tally)) {
        if (options->verbose)
            (void)printf("seed %" PRIu64 ": %" PRIu64 " events, trace %016" PRIx64 "\n", seed,
                         world->events, world->trace);
        return true;
    }
    tally->broken = true;
    if (!options->expect_violation)
        report(world, plan, seed);
    else
        (void)printf("found after %" PRIu64 " seeds: seed %" PRIu64 ": %s: %s\n", tally->seeds,
                     seed, world->rule, world->words);
    return false;
}

/* The number that each line of a file begins with. */
static void run_file(world_t *world, plan_t *plan, const options_t *options, tally_t *tally) {
    char line[512];
    FILE *file = fopen(options->replay, "r");
    if (file == NULL) {
        perror(options->replay);
        exit(EXIT_USAGE);
    }
    while (fgets(line, sizeof(line), file) != NULL && !tally->broken) {
        char *end = NULL;
        uint64_t seed = strtoull(line, &end, 10);
        if (end != line)
            (void)run_and_tell(world, plan, options, seed, tally);
    }
    (void)fclose(file);
}

/* Every `jobs`th seed from `first` on. */
static void run_stretch(world_t *world, plan_t *plan, const options_t *options, unsigned job,
                        tally_t *tally) {
    double end_s = options->seconds > 0 ? now_s() + options->seconds : 0;
    for (uint64_t seed = options->first + job; seed <= options->last; seed += options->jobs) {
        if (options->seconds > 0 && now_s() >= end_s)
            break;
        if (!run_and_tell(world, plan, options, seed, tally))
            break;
    }
}

static tally_t run_share(const options_t *options, unsigned job) {
    tally_t tally = {0};
    double began_s = cpu_s();
    world_t *world = malloc(sizeof(*world));
    plan_t plan = {0};
    world_init(world);
    if (options->replay != NULL)
        run_file(world, &plan, options, &tally);
    else
        run_stretch(world, &plan, options, job, &tally);
    plan_deinit(&plan);
    world_deinit(world);
    free(world);
    tally.cpu_s = cpu_s() - began_s;
    return tally;
}

/* Each job is a process: they share nothing. */
static tally_t run_jobs(const options_t *options) {
    tally_t sum = {0};
    int ends[2];
    if (pipe(ends) != 0)
        exit(EXIT_USAGE);
    (void)fflush(stdout);
    for (unsigned job = 0; job < options->jobs; job++) {
        if (fork() == 0) {
            tally_t tally = run_share(options, job);
            (void)fflush(stdout);
            _exit(write(ends[1], &tally, sizeof(tally)) == (ssize_t)sizeof(tally) ? 0 : 1);
        }
    }
    (void)close(ends[1]);
    tally_t tally;
    unsigned reports = 0;
    while (read(ends[0], &tally, sizeof(tally)) == (ssize_t)sizeof(tally)) {
        sum.seeds += tally.seeds;
        sum.events += tally.events;
        sum.cpu_s += tally.cpu_s;
        sum.broken = sum.broken || tally.broken;
        reports += 1;
    }
    for (unsigned job = 0; job < options->jobs; job++)
        (void)wait(NULL);
    sum.broken = sum.broken || reports < options->jobs;
    return sum;
}

/* Shows a run; of a seed that breaks a promise, that of the shortest plan that does. */
static int trace_one(const options_t *options) {
    world_t *world = malloc(sizeof(*world));
    plan_t plan = {0};
    world_init(world);
    plan_init(&plan, options->first, plan_size(options));
    if (!world_run(world, &plan))
        shrink(world, &plan);
    world->verbose = true;
    bool kept = world_run(world, &plan);
    (void)printf("seed %" PRIu64 ": %" PRIu64 " events, trace %016" PRIx64 "%s%s%s%s\n",
                 options->first, world->events, world->trace, kept ? "" : ": ", world->rule,
                 kept ? "" : ": ", world->words);
    plan_deinit(&plan);
    world_deinit(world);
    free(world);
    return kept ? EXIT_KEPT : EXIT_BROKEN;
}

int main(int count, char **words) {
    options_t options;
    if (!parse(count, words, &options))
        return usage();
    random_start();
    if (options.trace)
        return trace_one(&options);
    double began_s = now_s();
    tally_t tally = options.jobs == 1 ? run_share(&options, 0) : run_jobs(&options);
    double took_s = now_s() - began_s;
    (void)printf("%" PRIu64 " seeds, each twice, %" PRIu64
                 " events in %.1f s: %.0f a second of one core; %s\n",
                 tally.seeds, tally.events, took_s, (double)tally.events / tally.cpu_s,
                 tally.broken ? "a promise was broken" : "all promises were kept");
    return tally.broken == options.expect_violation ? EXIT_KEPT : EXIT_BROKEN;
}
