/*
 * bench_curve: what CURVE alone can do. One DEALER sends to one ROUTER over TCP on loopback, one
 * way; the ROUTER's messages are counted, and one line of JSON is printed. Must never leave
 * encryption out: there is no link between realms without it.
 */
#include "load/clock.h"

#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define HIGH_WATER_MARK 10000
#define WARM_UP_S       0.2
#define PATIENCE_MS     10000
#define FRAMES_A_LOOK   16 /* at the clock */
#define BYTES_MAX       1000000
#define PACK_MAX        10000
#define ENDPOINT_BYTES  64

typedef struct settings {
    double seconds;
    size_t bytes; /* of a message */
    size_t pack;  /* messages in a frame */
    bool apart;   /* a context, and so a thread for input and output, for each end */
} settings_t;

typedef struct ends {
    void *to_context, *from_context; /* the same, unless they are apart */
    void *router, *dealer;
    size_t frame_bytes;
} ends_t;

typedef struct count {
    uint64_t frames;
    double seconds;
} count_t;

static bool fail(const char *what) {
    (void)fprintf(stderr, "bench_curve: %s: %s\n", what, zmq_strerror(zmq_errno()));
    return false;
}

static bool set_int(void *socket, int option, int value) {
    return zmq_setsockopt(socket, option, &value, sizeof(value)) == 0;
}

static bool set_key(void *socket, int option, const char *key) {
    return zmq_setsockopt(socket, option, key, strlen(key) + 1) == 0;
}

static bool set_keys(const ends_t *ends) {
    char router_public[41];
    char router_secret[41];
    char dealer_public[41];
    char dealer_secret[41];
    return zmq_curve_keypair(router_public, router_secret) == 0 &&
           zmq_curve_keypair(dealer_public, dealer_secret) == 0 &&
           set_int(ends->router, ZMQ_CURVE_SERVER, 1) &&
           set_key(ends->router, ZMQ_CURVE_SECRETKEY, router_secret) &&
           set_key(ends->dealer, ZMQ_CURVE_SERVERKEY, router_public) &&
           set_key(ends->dealer, ZMQ_CURVE_PUBLICKEY, dealer_public) &&
           set_key(ends->dealer, ZMQ_CURVE_SECRETKEY, dealer_secret);
}

static bool set_limits(const ends_t *ends) {
    return set_int(ends->dealer, ZMQ_SNDHWM, HIGH_WATER_MARK) &&
           set_int(ends->router, ZMQ_RCVHWM, HIGH_WATER_MARK) &&
           set_int(ends->router, ZMQ_RCVTIMEO, PATIENCE_MS) &&
           set_int(ends->dealer, ZMQ_LINGER, 0) && set_int(ends->router, ZMQ_LINGER, 0);
}

static bool ends_open(ends_t *ends, const settings_t *settings) {
    char endpoint[ENDPOINT_BYTES];
    size_t endpoint_bytes = sizeof(endpoint);
    *ends = (ends_t){.to_context = zmq_ctx_new(), .frame_bytes = settings->bytes * settings->pack};
    ends->from_context = settings->apart ? zmq_ctx_new() : ends->to_context;
    ends->router = zmq_socket(ends->to_context, ZMQ_ROUTER);
    ends->dealer = zmq_socket(ends->from_context, ZMQ_DEALER);
    if (ends->router == NULL || ends->dealer == NULL)
        return fail("sockets");
    if (!set_keys(ends) || !set_limits(ends))
        return fail("options");
    if (zmq_bind(ends->router, "tcp://127.0.0.1:*") != 0 ||
        zmq_getsockopt(ends->router, ZMQ_LAST_ENDPOINT, endpoint, &endpoint_bytes) != 0 ||
        zmq_connect(ends->dealer, endpoint) != 0)
        return fail("connecting");
    return true;
}

/* Sends until its context is shut down. */
static void *send_all(void *data) {
    const ends_t *ends = data;
    for (;;) {
        zmq_msg_t message;
        if (zmq_msg_init_size(&message, ends->frame_bytes) != 0)
            return NULL;
        memset(zmq_msg_data(&message), 'x', ends->frame_bytes);
        if (zmq_msg_send(&message, ends->dealer, 0) < 0) {
            (void)zmq_msg_close(&message);
            return NULL;
        }
    }
}

/* A message comes as the sender's identity and its frame. */
static bool hear(const ends_t *ends, zmq_msg_t *message) {
    return zmq_msg_recv(message, ends->router, 0) >= 0 &&
           zmq_msg_recv(message, ends->router, 0) == (int)ends->frame_bytes;
}

static bool count_frames(const ends_t *ends, const settings_t *settings, count_t *count) {
    zmq_msg_t message;
    (void)zmq_msg_init(&message);
    bool heard = hear(ends, &message);
    uint64_t start_ns = clock_now_ns() + clock_ns_of(WARM_UP_S);
    uint64_t end_ns = start_ns + clock_ns_of(settings->seconds);
    uint64_t now_ns = 0;
    while (heard && (now_ns = clock_now_ns()) < end_ns) {
        for (unsigned i = 0; i < FRAMES_A_LOOK && heard; i++)
            heard = hear(ends, &message);
        count->frames += now_ns >= start_ns ? FRAMES_A_LOOK : 0;
    }
    count->seconds = (double)(now_ns - start_ns) / (double)CLOCK_NS_PER_S;
    (void)zmq_msg_close(&message);
    return heard || fail("receiving");
}

static bool measure(ends_t *ends, const settings_t *settings, count_t *count) {
    pthread_t sender;
    if (pthread_create(&sender, NULL, send_all, ends) != 0)
        return fail("thread");
    bool counted = count_frames(ends, settings, count);
    (void)zmq_ctx_shutdown(ends->from_context);
    (void)pthread_join(sender, NULL);
    (void)zmq_close(ends->dealer);
    (void)zmq_close(ends->router);
    (void)zmq_ctx_term(ends->to_context);
    if (settings->apart)
        (void)zmq_ctx_term(ends->from_context);
    return counted;
}

static void print(const settings_t *settings, const count_t *count) {
    uint64_t messages = count->frames * settings->pack;
    (void)printf("{\"name\":\"curve\",\"bytes\":%zu,\"pack\":%zu,\"contexts\":%d,"
                 "\"messages\":%" PRIu64 ",\"frames\":%" PRIu64 ",\"seconds\":%.6f,"
                 "\"per_s\":%.1f,\"frames_per_s\":%.1f}\n",
                 settings->bytes, settings->pack, settings->apart ? 2 : 1, messages, count->frames,
                 count->seconds, (double)messages / count->seconds,
                 (double)count->frames / count->seconds);
}

static bool read_words(settings_t *settings, int count, char **words) {
    static const struct option known[] = {{"seconds", required_argument, NULL, 's'},
                                          {"bytes", required_argument, NULL, 'b'},
                                          {"pack", required_argument, NULL, 'p'},
                                          {"apart", no_argument, NULL, 'a'},
                                          {NULL, 0, NULL, 0}};
    int letter;
    while ((letter = getopt_long(count, words, "", known, NULL)) != -1) {
        if (letter == 's')
            settings->seconds = strtod(optarg, NULL);
        else if (letter == 'b')
            settings->bytes = strtoul(optarg, NULL, 10);
        else if (letter == 'p')
            settings->pack = strtoul(optarg, NULL, 10);
        else if (letter == 'a')
            settings->apart = true;
        else
            return false;
    }
    return optind == count && settings->seconds > 0 && settings->bytes > 0 &&
           settings->bytes <= BYTES_MAX && settings->pack > 0 && settings->pack <= PACK_MAX;
}

int main(int count, char **words) {
    settings_t settings = {.seconds = 2, .bytes = 160, .pack = 1};
    if (!read_words(&settings, count, words)) {
        (void)fprintf(stderr,
                      "usage: bench_curve [--seconds S] [--bytes N] [--pack N] [--apart]\n");
        return 2;
    }
    ends_t ends;
    count_t counted = {0};
    if (!ends_open(&ends, &settings) || !measure(&ends, &settings, &counted))
        return EXIT_FAILURE;
    print(&settings, &counted);
    return EXIT_SUCCESS;
}
