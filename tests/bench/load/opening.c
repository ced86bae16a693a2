/*
 * Opens connections a few at a time, for servers with a short queue. Must never send a request: the
 * steps of --init are all that a connection says here.
 */
#include "opening.h"

#include "clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define REASONS_MAX       3
#define TURN_MS           100
#define CAPTURE_BYTES_MAX 65536

typedef struct opening {
    load_t *load;
    uint32_t opened;
    uint32_t pending; /* opened, and not yet ready or dead */
    unsigned reasons; /* that were told */
} opening_t;

static void tell(opening_t *opening, const connection_t *connection, const char *reason) {
    if (opening->reasons++ < REASONS_MAX)
        (void)fprintf(stderr, "bench_load: connection %td, init step %u: %s\n",
                      connection - opening->load->connections, connection->step, reason);
}

static void open_more(opening_t *opening) {
    load_t *load = opening->load;
    uint32_t burst = (uint32_t)load->options->burst;
    while (opening->opened < load->connection_count && opening->pending < burst) {
        connection_t *connection = &load->connections[opening->opened++];
        if (connection_open(load, connection))
            opening->pending++;
        else
            tell(opening, connection, strerror(errno));
    }
}

/* One that was being opened is dead, or shall be. */
static void lose(opening_t *opening, connection_t *connection, const char *reason) {
    tell(opening, connection, reason);
    connection_close(opening->load, connection);
    opening->pending--;
}

/* The key of what is captured from the reply to a step; NULL: nothing. */
static const char *wanted_key(const opening_t *opening, const connection_t *connection) {
    const options_t *options = opening->load->options;
    const init_step_t *step = &options->steps[connection->step];
    if (step->capture != NULL)
        return step->capture;
    return connection->captured.length == 0 ? options->capture : NULL;
}

/* Takes the text of "KEY":"TEXT" from the reply. Escapes stay as they are. */
static void capture(connection_t *connection, const char *wanted) {
    char key[CAPTURE_KEY_MAX + 4];
    int key_bytes = snprintf(key, sizeof(key), "\"%s\":", wanted);
    const bytes_t *reply = &connection->reply;
    const char *end = reply->data + reply->length;
    const char *found = memmem(reply->data, reply->length, key, (size_t)key_bytes);
    if (found == NULL)
        return;
    found += key_bytes;
    while (found < end && *found == ' ')
        found++;
    if (found == end || *found != '"')
        return;
    found++;
    const char *closing = memchr(found, '"', (size_t)(end - found));
    if (closing == NULL)
        return;
    connection->captured.length = 0;
    bytes_add(&connection->captured, found, (size_t)(closing - found));
}

static void become_ready(opening_t *opening, connection_t *connection) {
    connection->state = CONNECTION_READY;
    connection->ends = 0;
    connection->reply_matched = 0;
    bytes_clear(&connection->reply);
    opening->pending--;
}

/* Says the step that it is at, and goes on past those that wait for nothing. */
static void say_steps(opening_t *opening, connection_t *connection) {
    const options_t *options = opening->load->options;
    connection->ends = 0;
    connection->reply_matched = 0;
    connection->reply.length = 0;
    while (connection->step < options->step_count) {
        const init_step_t *step = &options->steps[connection->step];
        if (!connection_request(opening->load, connection, &step->template, 0, 1)) {
            lose(opening, connection, "lost while it was greeted");
            return;
        }
        if (step->count > 0)
            return;
        connection->step++;
    }
    become_ready(opening, connection);
}

static void is_connected(opening_t *opening, connection_t *connection) {
    int reason = 0;
    socklen_t length = sizeof(reason);
    (void)getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &reason, &length);
    if (reason != 0 || !connection_flush(opening->load, connection)) {
        lose(opening, connection, strerror(reason));
        return;
    }
    connection->state = CONNECTION_INIT;
    say_steps(opening, connection);
}

static void hear(opening_t *opening, connection_t *connection) {
    load_t *load = opening->load;
    bool pending = connection->state == CONNECTION_INIT;
    ssize_t got = connection_read(load, connection);
    if (got < 0 && pending)
        lose(opening, connection, "closed by the server");
    if (got <= 0 || !pending)
        return;
    const init_step_t *step = &load->options->steps[connection->step];
    const char *wanted = wanted_key(opening, connection);
    if (wanted != NULL && connection->reply.length < CAPTURE_BYTES_MAX)
        bytes_add(&connection->reply, load->input, (size_t)got);
    connection->ends +=
        (uint32_t)needle_count(&step->needle, &connection->reply_matched, load->input, (size_t)got);
    if ((double)connection->ends < step->count)
        return;
    if (wanted != NULL)
        capture(connection, wanted);
    connection->step++;
    say_steps(opening, connection);
}

static void handle(opening_t *opening, const struct epoll_event *event) {
    load_t *load = opening->load;
    connection_t *connection = load_connection(load, event);
    if (connection->state == CONNECTION_CONNECTING) {
        is_connected(opening, connection);
        return;
    }
    bool pending = connection->state == CONNECTION_INIT;
    if ((event->events & EPOLLOUT) != 0 && connection->state != CONNECTION_DEAD &&
        !connection_flush(load, connection) && pending)
        lose(opening, connection, "lost while it was greeted");
    if ((event->events & ~(uint32_t)EPOLLOUT) != 0 && connection->state != CONNECTION_DEAD)
        hear(opening, connection);
}

static void give_up_rest(opening_t *opening) {
    load_t *load = opening->load;
    for (uint32_t i = 0; i < load->connection_count; i++) {
        connection_t *connection = &load->connections[i];
        if (connection->state == CONNECTION_NONE) {
            connection->state = CONNECTION_DEAD;
            load->dead++;
        } else if (connection->state != CONNECTION_READY && connection->state != CONNECTION_DEAD) {
            lose(opening, connection, "not ready in time");
        }
    }
}

uint32_t opening_run(load_t *load) {
    opening_t opening = {.load = load};
    uint64_t deadline_ns = clock_now_ns() + clock_ns_of(load->options->timeout);
    while (opening.opened < load->connection_count || opening.pending > 0) {
        open_more(&opening);
        int count = epoll_wait(load->epoll, load->events, LOAD_EVENTS, TURN_MS);
        for (int i = 0; i < count; i++)
            handle(&opening, &load->events[i]);
        if (clock_now_ns() > deadline_ns)
            break;
    }
    give_up_rest(&opening);
    return load->connection_count - load->dead;
}

void opening_settle(load_t *load, double seconds) {
    uint64_t deadline_ns = clock_now_ns() + clock_ns_of(seconds);
    uint64_t now_ns = 0;
    while ((now_ns = clock_now_ns()) < deadline_ns) {
        int left_ms = (int)((deadline_ns - now_ns) / 1000000) + 1;
        int count = epoll_wait(load->epoll, load->events, LOAD_EVENTS,
                               left_ms < TURN_MS ? left_ms : TURN_MS);
        for (int i = 0; i < count; i++) {
            connection_t *connection = load_connection(load, &load->events[i]);
            if (connection->state != CONNECTION_DEAD && connection_flush(load, connection))
                (void)connection_read(load, connection);
        }
    }
}
