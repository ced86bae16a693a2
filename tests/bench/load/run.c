/*
 * One loop over all connections. Must never leave a slow request out: all that began to wait in the
 * measured time is counted, if need be as one that got no reply.
 */
#include "run.h"

#include "clock.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define TURN_NS    (CLOCK_NS_PER_S / 20) /* so often the time is looked at, when nothing comes */
#define SPIN_NS    20000ULL /* a sleep is not that exact: what is due sooner is waited for awake */
#define SILENCE_NS (5 * CLOCK_NS_PER_S)

/* Connections with room in their pipeline, each once: the next request goes to the first. */
typedef struct roomy {
    connection_t **ring;
    uint32_t capacity, first, used;
} roomy_t;

typedef struct run {
    load_t *load;
    run_result_t *result;
    uint32_t pipeline, replies;
    uint64_t start_ns, measured_ns, end_ns;
    uint64_t now_ns;
    uint64_t stirred_ns; /* the last reply, or the first request after silence */
    uint64_t counted_ns; /* the last that counts */
    uint64_t total;      /* requests, at most */
    uint64_t sent;       /* or given to a connection to be sent */
    uint64_t waiting;    /* of those, without a reply so far */
    uint64_t out_before; /* bytes, before the measured time */
    bool open, ended;
    roomy_t roomy;
    connection_t **granted; /* that have requests to send at the end of the turn */
    uint32_t granted_count;
} run_t;

static void note_time(run_t *run) {
    bool before = run->now_ns < run->measured_ns;
    run->now_ns = clock_now_ns();
    if (before)
        run->out_before = run->load->bytes_out;
}

/* Requests that waited since then were answered, or never will be. */
static void count_waited(run_t *run, uint64_t since_ns, uint64_t count, bool answered) {
    if (since_ns < run->measured_ns)
        return;
    histogram_add(&run->result->histogram, run->now_ns - since_ns, count);
    if (answered) {
        run->result->requests += count;
        run->counted_ns = run->now_ns;
    } else {
        run->result->errors += count;
    }
}

static void count_replies(run_t *run, connection_t *connection, uint32_t count, bool answered) {
    uint64_t since_ns = 0;
    uint32_t taken = 0;
    while ((taken = waiting_take(&connection->waiting, count, &since_ns)) > 0) {
        count_waited(run, since_ns, taken, answered);
        run->waiting -= taken;
        count -= taken;
    }
}

/* A connection has these requests from now on. */
static void count_asked(run_t *run, connection_t *connection, uint64_t since_ns, uint32_t count) {
    if (run->waiting == 0)
        run->stirred_ns = run->now_ns;
    waiting_add(&connection->waiting, since_ns, count);
    run->sent += count;
    run->waiting += count;
}

static void give_up(run_t *run, connection_t *connection) {
    count_replies(run, connection, connection->waiting.requests, false);
}

/* Closed loop: fills the pipeline, if half of it is free. */
static void refill(run_t *run, connection_t *connection) {
    uint32_t waiting = connection->waiting.requests;
    if (run->ended || waiting > run->pipeline / 2)
        return;
    uint64_t count = run->pipeline - waiting;
    if (count > run->total - run->sent)
        count = run->total - run->sent;
    if (count == 0)
        return;
    uint64_t first = run->sent;
    count_asked(run, connection, run->now_ns, (uint32_t)count);
    if (!connection_request(run->load, connection, &run->load->options->request, first, count))
        give_up(run, connection);
    connection->own += count;
}

static void roomy_add(roomy_t *roomy, connection_t *connection) {
    uint32_t place = roomy->first + roomy->used;
    roomy->ring[place < roomy->capacity ? place : place - roomy->capacity] = connection;
    roomy->used++;
    connection->listed = true;
}

static connection_t *roomy_take(roomy_t *roomy) {
    connection_t *connection = roomy->ring[roomy->first];
    roomy->first = roomy->first + 1 == roomy->capacity ? 0 : roomy->first + 1;
    roomy->used--;
    connection->listed = false;
    return connection;
}

/* Open loop: it has room again. */
static void offer_room(run_t *run, connection_t *connection) {
    bool has_room = connection->waiting.requests < run->pipeline;
    if (has_room && !connection->listed && connection->state == CONNECTION_READY)
        roomy_add(&run->roomy, connection);
}

static uint64_t due_ns(const run_t *run, uint64_t request) {
    return run->start_ns + clock_ns_of((double)request / run->load->options->rate);
}

static void grant(run_t *run, connection_t *connection) {
    count_asked(run, connection, due_ns(run, run->sent), 1);
    if (connection->granted++ == 0)
        run->granted[run->granted_count++] = connection;
    offer_room(run, connection);
}

/* Gives what is due to connections with room, the next due one first, then sends: one send a
 * connection, however many became due together. */
static void send_due(run_t *run) {
    uint64_t first = run->sent;
    while (run->sent < run->total && due_ns(run, run->sent) <= run->now_ns && run->roomy.used > 0) {
        connection_t *connection = roomy_take(&run->roomy);
        if (connection->state == CONNECTION_READY)
            grant(run, connection);
    }
    for (uint32_t i = 0; i < run->granted_count; i++) {
        connection_t *connection = run->granted[i];
        uint32_t count = connection->granted;
        connection->granted = 0;
        if (!connection_request(run->load, connection, &run->load->options->request, first, count))
            give_up(run, connection);
        connection->own += count;
        first += count;
    }
    run->granted_count = 0;
}

/* Replies to nothing that was asked are passed over. */
static void hear(run_t *run, connection_t *connection) {
    load_t *load = run->load;
    ssize_t got = connection_read(load, connection);
    if (got <= 0) {
        if (got < 0)
            give_up(run, connection);
        return;
    }
    note_time(run);
    if (run->now_ns >= run->measured_ns)
        run->result->bytes_in += (uint64_t)got;
    run->result->errors += needle_count(&load->options->error_needle, &connection->error_matched,
                                        load->input, (size_t)got);
    connection->ends += (uint32_t)needle_count(
        &load->options->reply_needle, &connection->reply_matched, load->input, (size_t)got);
    uint32_t replies = connection->ends / run->replies;
    connection->ends -= replies * run->replies;
    if (replies == 0)
        return;
    run->stirred_ns = run->now_ns;
    count_replies(run, connection, replies, true);
    if (run->open)
        offer_room(run, connection);
    else
        refill(run, connection);
}

static void handle(run_t *run, const struct epoll_event *event) {
    connection_t *connection = load_connection(run->load, event);
    if (connection->state == CONNECTION_DEAD)
        return;
    if ((event->events & EPOLLOUT) != 0 && !connection_flush(run->load, connection)) {
        give_up(run, connection);
        return;
    }
    if ((event->events & ~(uint32_t)EPOLLOUT) != 0)
        hear(run, connection);
}

/* How long the next turn may wait for replies. */
static uint64_t turn_ns(const run_t *run) {
    bool no_room = run->roomy.used == 0;
    if (!run->open || no_room || run->sent == run->total)
        return TURN_NS;
    uint64_t due = due_ns(run, run->sent);
    uint64_t left = due > run->now_ns ? due - run->now_ns : 0;
    if (left < SPIN_NS)
        return 0;
    return left < TURN_NS ? left - SPIN_NS / 2 : TURN_NS;
}

static void take_turn(run_t *run) {
    load_t *load = run->load;
    uint64_t wait_ns = turn_ns(run);
    struct timespec wait = {.tv_nsec = (long)wait_ns};
    int count = epoll_pwait2(load->epoll, load->events, LOAD_EVENTS, &wait, NULL);
    note_time(run);
    for (int i = 0; i < count; i++)
        handle(run, &load->events[i]);
    if (run->open)
        send_due(run);
}

/* In the open loop it is the number of requests that ends it: what was due is asked, if late. */
static bool is_over(run_t *run) {
    if (run->sent == run->total || (!run->open && run->now_ns >= run->end_ns))
        run->ended = true;
    if (run->load->dead == run->load->connection_count || (run->ended && run->waiting == 0))
        return true;
    uint64_t silence_ns = clock_ns_of(run->load->options->timeout);
    if (silence_ns > SILENCE_NS && run->ended)
        silence_ns = SILENCE_NS;
    bool asked = run->waiting > 0;
    return asked && run->now_ns > run->stirred_ns + silence_ns;
}

static void start(run_t *run) {
    const options_t *options = run->load->options;
    run->now_ns = run->start_ns = run->stirred_ns = clock_now_ns();
    run->measured_ns = run->counted_ns = run->start_ns + clock_ns_of(options->warm_up);
    run->end_ns = run->measured_ns + clock_ns_of(options->seconds);
    run->total = options->requests > 0 ? (uint64_t)options->requests : UINT64_MAX;
    double due = options->rate * (options->warm_up + options->seconds);
    if (run->open && due < (double)run->total)
        run->total = due < 1 ? 1 : (uint64_t)due;
    run->load->bytes_out = 0;
    for (uint32_t i = 0; i < run->load->connection_count; i++) {
        connection_t *connection = &run->load->connections[i];
        if (connection->state != CONNECTION_READY)
            continue;
        waiting_init(&connection->waiting, run->pipeline);
        if (run->open)
            offer_room(run, connection);
        else
            refill(run, connection);
    }
}

/* What was asked, or was due, and got no reply. */
static void count_unanswered(run_t *run) {
    for (uint32_t i = 0; i < run->load->connection_count; i++)
        give_up(run, &run->load->connections[i]);
    if (!run->open)
        return;
    for (; run->sent < run->total && due_ns(run, run->sent) <= run->now_ns; run->sent++)
        count_waited(run, due_ns(run, run->sent), 1, false);
}

void run_load(load_t *load, run_result_t *result) {
    memset(result, 0, sizeof(*result));
    run_t run = {.load = load, .result = result, .open = load->options->rate > 0};
    run.pipeline = (uint32_t)load->options->pipeline;
    run.replies = (uint32_t)load->options->replies;
    run.roomy.capacity = load->connection_count;
    run.roomy.ring = bytes_zeroed(load->connection_count, sizeof(connection_t *));
    run.granted = bytes_zeroed(load->connection_count, sizeof(connection_t *));
    (void)prctl(PR_SET_TIMERSLACK, 1);
    start(&run);
    while (!is_over(&run))
        take_turn(&run);
    count_unanswered(&run);
    result->seconds = (double)(run.counted_ns - run.measured_ns) / (double)CLOCK_NS_PER_S;
    result->bytes_out = load->bytes_out - run.out_before;
    free(run.roomy.ring);
    free(run.granted);
}
