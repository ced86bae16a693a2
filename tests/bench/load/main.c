/*
 * bench_load: puts load on any server with a protocol of lines, and prints one line of JSON.
 * Must never print a figure of a run that did not take place.
 */
#include "clock.h"
#include "opening.h"
#include "run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static double us(uint64_t ns) {
    return (double)ns / 1000;
}

static void print_result(const load_t *load, const run_result_t *result) {
    const options_t *options = load->options;
    const histogram_t *histogram = &result->histogram;
    double per_s = result->seconds > 0 ? (double)result->requests / result->seconds : 0;
    (void)printf("{\"name\":\"%s\",\"mode\":\"%s\",\"connections\":%" PRIu32 ",\"pipeline\":%.0f,"
                 "\"requests\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"dead\":%" PRIu32 ","
                 "\"seconds\":%.6f,\"per_s\":%.1f,"
                 "\"bytes_in\":%" PRIu64 ",\"bytes_out\":%" PRIu64 ",",
                 options->name, options->rate > 0 ? "open" : "closed", load->connection_count,
                 options->pipeline, result->requests, result->errors, load->dead, result->seconds,
                 per_s, result->bytes_in, result->bytes_out);
    (void)printf("\"p50_us\":%.3f,\"p90_us\":%.3f,\"p99_us\":%.3f,\"p999_us\":%.3f,"
                 "\"max_us\":%.3f,\"mean_us\":%.3f}\n",
                 us(histogram_percentile(histogram, 50)), us(histogram_percentile(histogram, 90)),
                 us(histogram_percentile(histogram, 99)), us(histogram_percentile(histogram, 99.9)),
                 us(histogram_max(histogram)), histogram_mean(histogram) / 1000);
}

/* Says that they are there, and keeps them for a while. */
static int hold(load_t *load, uint32_t ready, double opening_s) {
    (void)printf("{\"name\":\"%s\",\"mode\":\"hold\",\"connections\":%" PRIu32 ",\"held\":%" PRIu32
                 ",\"dead\":%" PRIu32 ",\"seconds\":%.6f}\n",
                 load->options->name, load->connection_count, ready, load->dead, opening_s);
    (void)fflush(stdout);
    opening_settle(load, load->options->hold);
    return ready > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int measure(load_t *load) {
    run_result_t *result = bytes_zeroed(1, sizeof(run_result_t));
    run_load(load, result);
    print_result(load, result);
    bool answered = result->requests > 0;
    free(result);
    return answered ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int count, char **words) {
    options_t options;
    load_t load;
    if (!options_read(&options, count, words) || !load_init(&load, &options))
        return 2;
    uint64_t start_ns = clock_now_ns();
    uint32_t ready = opening_run(&load);
    double opening_s = (double)(clock_now_ns() - start_ns) / (double)CLOCK_NS_PER_S;
    opening_settle(&load, options.settle);
    int code = options.hold > 0 ? hold(&load, ready, opening_s) : measure(&load);
    load_deinit(&load);
    options_deinit(&options);
    return code;
}
