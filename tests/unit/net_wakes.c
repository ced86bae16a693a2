/* links: base net */
/*
 * Queues through the things that wait, and the set of sockets that wake: what one says is told
 * once, and never lost.
 */
#include "../../src/net/queue.h"
#include "../../src/net/wakes.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

enum { WAIT_MS = 10000, KIND = 7 };

typedef struct thing {
    int number;
    queue_place_t place;
} thing_t;

static int first_number(const queue_t *queue) {
    const thing_t *thing = queue_first(queue);
    return thing == NULL ? -1 : thing->number;
}

Test(queue, is_left_from_the_front_the_middle_and_the_end) {
    thing_t things[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    queue_t queue = {0};
    cr_assert_eq(first_number(&queue), -1);
    for (int i = 0; i < 4; i++) {
        queue_add(&queue, &things[i].place, &things[i]);
    }
    queue_add(&queue, &things[0].place, &things[0]);
    cr_assert_eq(first_number(&queue), 0, "who waits already keeps the place");
    queue_drop(&things[1].place);
    queue_drop(&things[3].place);
    queue_drop(&things[0].place);
    queue_drop(&things[0].place);
    cr_assert_eq(first_number(&queue), 2);
    queue_add(&queue, &things[3].place, &things[3]);
    queue_drop(&things[2].place);
    cr_assert_eq(first_number(&queue), 3);
    queue_drop(&things[3].place);
    cr_assert_eq(first_number(&queue), -1);
    cr_assert_null(queue.last);
}

/* Two sockets that talk to each other inside the process; only `in` is watched. */
typedef struct pair {
    void *context;
    void *in;
    void *out;
    wakes_t wakes;
    wake_t wake;
} pair_t;

static void pair_open(pair_t *pair) {
    *pair = (pair_t){.context = zmq_ctx_new()};
    pair->in = zmq_socket(pair->context, ZMQ_PAIR);
    pair->out = zmq_socket(pair->context, ZMQ_PAIR);
    cr_assert_eq(zmq_bind(pair->in, "inproc://pair"), 0);
    cr_assert_eq(zmq_connect(pair->out, "inproc://pair"), 0);
    cr_assert(wakes_init(&pair->wakes));
    cr_assert(wakes_add(&pair->wakes, &pair->wake, pair->in, KIND, pair));
}

static void pair_close(pair_t *pair) {
    wakes_remove(&pair->wakes, &pair->wake);
    wakes_deinit(&pair->wakes);
    (void)zmq_close(pair->in);
    (void)zmq_close(pair->out);
    cr_assert_eq(zmq_ctx_term(pair->context), 0);
}

static void say(void *socket) {
    cr_assert_eq(zmq_send(socket, "x", 1, 0), 1);
}

static bool hear(void *socket) {
    char byte;
    return zmq_recv(socket, &byte, 1, ZMQ_DONTWAIT) == 1;
}

static void expect_nothing(pair_t *pair) {
    wakes_wait(&pair->wakes, 0);
    cr_assert_null(wakes_next(&pair->wakes));
}

static void expect_wake(pair_t *pair) {
    wakes_wait(&pair->wakes, WAIT_MS);
    cr_assert_eq(wakes_next(&pair->wakes), &pair->wake);
    cr_assert_null(wakes_next(&pair->wakes));
    cr_assert_eq(pair->wake.kind, KIND);
    cr_assert_eq(pair->wake.owner, pair);
}

/* Looks until it has nothing more to say. */
static void silence(pair_t *pair) {
    for (wake_t *wake; wakes_wait(&pair->wakes, 0), (wake = wakes_next(&pair->wakes)) != NULL;) {
        (void)wake_events(wake);
    }
}

Test(wakes, new_one_is_looked_at_at_once) {
    pair_t pair;
    pair_open(&pair);
    expect_wake(&pair);
    pair_close(&pair);
}

Test(wakes, message_wakes_until_it_is_looked_at) {
    pair_t pair;
    pair_open(&pair);
    silence(&pair);
    expect_nothing(&pair);
    say(pair.out);
    expect_wake(&pair);
    expect_wake(&pair);
    cr_assert_neq(wake_events(&pair.wake) & ZMQ_POLLIN, 0);
    expect_nothing(&pair);
    cr_assert(hear(pair.in));
    cr_assert_not(hear(pair.in));
    say(pair.out);
    expect_wake(&pair);
    pair_close(&pair);
}

Test(wakes, wake_that_a_send_took_is_found_by_touching) {
    pair_t pair;
    pair_open(&pair);
    silence(&pair);
    say(pair.out);
    /* Sends look for commands only now and then: until one has taken them. */
    for (int i = 0; i < 1000000; i++) {
        cr_assert(zmq_send(pair.in, "x", 1, ZMQ_DONTWAIT) == 1 || zmq_errno() == EAGAIN);
        (void)hear(pair.out);
        wakes_wait(&pair.wakes, 0);
        if (wakes_next(&pair.wakes) == NULL) {
            break;
        }
    }
    expect_nothing(&pair);
    wakes_touch(&pair.wakes, &pair.wake);
    expect_wake(&pair);
    cr_assert_neq(wake_events(&pair.wake) & ZMQ_POLLIN, 0);
    pair_close(&pair);
}

Test(wakes, removed_one_is_never_told_even_if_it_was_due) {
    pair_t pair;
    pair_open(&pair);
    say(pair.out);
    wakes_wait(&pair.wakes, 0);
    queue_t readable = {0};
    queue_add(&readable, &pair.wake.readable, &pair.wake);
    wakes_remove(&pair.wakes, &pair.wake);
    cr_assert_null(queue_first(&readable));
    wakes_touch(&pair.wakes, &pair.wake);
    expect_nothing(&pair);
    pair_close(&pair);
}

Test(wakes, many_at_once_are_all_told) {
    enum { COUNT = 300 };
    wake_t *wakes_of = calloc(COUNT, sizeof *wakes_of);
    int ends[COUNT][2];
    wakes_t wakes;
    cr_assert(wakes_init(&wakes));
    for (int i = 0; i < COUNT; i++) {
        cr_assert_eq(pipe(ends[i]), 0);
        cr_assert(wakes_add_descriptor(&wakes, &wakes_of[i], ends[i][0], i));
        cr_assert_eq(wakes_next(&wakes), &wakes_of[i]);
        cr_assert_eq(write(ends[i][1], "x", 1), 1);
    }
    for (int told = 0; told < COUNT;) {
        wakes_wait(&wakes, WAIT_MS);
        for (const wake_t *wake; (wake = wakes_next(&wakes)) != NULL; told++) {
            char byte;
            cr_assert_eq(read(wake->descriptor, &byte, 1), 1);
        }
    }
    for (int i = 0; i < COUNT; i++) {
        wakes_remove(&wakes, &wakes_of[i]);
        (void)close(ends[i][0]);
        (void)close(ends[i][1]);
    }
    wakes_deinit(&wakes);
    free(wakes_of);
}
