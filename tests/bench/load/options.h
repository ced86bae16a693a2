/*
 * The command line of bench_load.
 */
#ifndef REALMGATE_BENCH_OPTIONS_H
#define REALMGATE_BENCH_OPTIONS_H

#include "needle.h"
#include "template.h"

#include <netinet/in.h>

#define INIT_STEPS_MAX  8
#define CAPTURE_KEY_MAX 40
#define CONNECTIONS_MAX 1000000
#define PIPELINE_MAX    100000

/* What a connection says before any request, and what it waits for then. */
typedef struct init_step {
    const char *text;
    const char *ends;    /* NULL: as --reply-ends says */
    const char *capture; /* the key of what %t stands for; NULL: as was said before any step */
    double count;        /* ends that it waits for */
    template_t template;
    needle_t needle;
} init_step_t;

/* Numbers are as they are given: whole ones too. */
typedef struct options {
    const char *name, *host, *text, *reply_ends, *error, *capture;
    double port, other_port;
    double connections, pipeline, replies;
    double requests;                       /* 0: until `seconds` */
    double seconds, warm_up, settle, hold; /* seconds and warm_up: negative while not given */
    double timeout;                        /* seconds */
    double rate;                           /* 0: closed loop */
    double seed, burst, addresses;
    bool quick_ack;
    init_step_t steps[INIT_STEPS_MAX];
    size_t step_count;

    /* Read from the above. */
    struct in_addr address;
    template_t request;
    needle_t reply_needle, error_needle; /* the latter is empty where nothing is an error */
} options_t;

/* Reads the command line, and what stands in it. False: it was refused, and why is on stderr.
 * `words` must outlive the options, which options_deinit() gives back. */
bool options_read(options_t *options, int count, char **words);
void options_deinit(options_t *options);

#endif
