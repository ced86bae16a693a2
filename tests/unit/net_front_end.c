/* links: base wire net */
/*
 * The front end over real sockets. An actor of the test's own stands at the other end of the inproc
 * sockets and answers each line with itself, in random order within a batch.
 */
#include "base/assert.h"
#include "base/batch.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"
#include "net/front_end.h"
#include "net/handoff.h"
#include "types/request.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#define TO_ACTOR      "inproc://to-actor"
#define FROM_ACTOR    "inproc://from-actor"
#define REPORTS       "inproc://reports"
#define WAIT_MS       30000
#define FRAME_END     "\r\n\r\n"
#define TOO_LONG_TEXT "\"code\":\"TOO_LONG\""
#define BUSY_TEXT     "\"code\":\"BUSY\""

/* What the test itself sends to its actor, beside what the front end sends. */
enum { TEST_DRAIN = 100, TEST_STOP };

/* What the actor reports to the test. */
enum { REPORT_CLOSED = 'c', REPORT_DRAINED = 'd' };

typedef struct held {
    uint64_t connection;
    uint64_t slot;
} held_t;

/* The test's actor; its thread owns it until it is joined. */
typedef struct actor {
    void *context;
    void *pull;
    void *push;
    void *reports;
    batch_t replies;
    held_t held[64]; /* requests HOLD that nobody has released */
    size_t held_count;
    size_t requests;
    size_t closed;
    unsigned seed;
    bool stopped;
} actor_t;

typedef struct fixture {
    void *context;
    void *commands; /* to the actor */
    void *reports;  /* from it */
    front_end_t *front_end;
    actor_t actor;
    pthread_t thread;
    char admin_path[64];
} fixture_t;

static void actor_reply(actor_t *actor, uint64_t connection, uint64_t slot, const char *text,
                        size_t length) {
    char *payload = batch_append(&actor->replies, FRONT_REPLY, connection, slot, length + 4);
    if (text != NULL) {
        memcpy(payload, text, length);
    } else {
        memset(payload, 'x', length);
    }
    memcpy(payload + length, FRAME_END, 4);
}

/* "<admin><tokens> <line>" */
static void actor_echo(actor_t *actor, const batch_entry_t *entry, const request_t *request,
                       const char *line) {
    char reply[LINE_BYTES_MAX + 16];
    int head = snprintf(reply, sizeof(reply), "%d%u ", request->admin, request->token_count);
    memcpy(reply + head, line, request->line_bytes);
    actor_reply(actor, entry->subject, entry->detail, reply, (size_t)head + request->line_bytes);
}

static void actor_release(actor_t *actor) {
    for (size_t i = 0; i < actor->held_count; i++) {
        actor_reply(actor, actor->held[i].connection, actor->held[i].slot, "held", 4);
    }
    actor->held_count = 0;
}

/* One entry for the replies to the requests held[first .. last). */
static void actor_run_of(actor_t *actor, size_t first, size_t last) {
    static const char held[] = "held" FRAME_END;
    const size_t bytes = sizeof(held) - 1;
    uint64_t detail = actor->held[first].slot | front_run_bits((uint32_t)(last - first));
    char *payload = batch_append(&actor->replies, FRONT_REPLY, actor->held[first].connection,
                                 detail, bytes * (last - first));
    for (size_t i = 0; i < last - first; i++) {
        memcpy(payload + i * bytes, held, bytes);
    }
}

/* Answers the held requests, which have come in their order, by three runs: the last one first. */
static void actor_release_runs(actor_t *actor) {
    size_t count = actor->held_count;
    ASSERT(count >= 3);
    actor_run_of(actor, count - count / 3, count);
    actor_run_of(actor, 0, count / 3);
    actor_run_of(actor, count / 3, count - count / 3);
    actor->held_count = 0;
}

/* More of events: net_front_news.c. */
static void actor_news(actor_t *actor, uint64_t connection) {
    front_news_t head = {.mailbox = 1, .seq = 1, .connection_count = 1, .name_bytes = 5};
    char *payload =
        batch_append(&actor->replies, FRONT_NEWS, 0, 0, sizeof(head) + sizeof(connection) + 14);
    memcpy(payload, &head, sizeof(head));
    memcpy(payload + sizeof(head), &connection, sizeof(connection));
    memcpy(payload + sizeof(head) + sizeof(connection),
           "INBOX"
           "event" FRAME_END,
           14);
}

static void actor_request(actor_t *actor, const batch_entry_t *entry) {
    const request_t *request = batch_payload(entry);
    const char *line = (const char *)(request + 1);
    span_t span = {line, request->line_bytes};
    ASSERT(entry->payload_bytes == sizeof(*request) + request->line_bytes);
    actor->requests++;
    if (span_equal(span, span_of("HOLD"))) {
        ASSERT(actor->held_count < 64);
        actor->held[actor->held_count++] = (held_t){entry->subject, entry->detail};
        return;
    }
    if (span_equal(span, span_of("COUNT"))) {
        char number[24];
        int length = snprintf(number, sizeof(number), "%zu", actor->requests);
        actor_reply(actor, entry->subject, entry->detail, number, (size_t)length);
        return;
    }
    if (span_equal(span, span_of("RELEASE"))) {
        actor_release(actor);
    } else if (span_equal(span, span_of("RUNS"))) {
        actor_release_runs(actor);
    } else if (span_equal(span, span_of("EVENT"))) {
        actor_news(actor, entry->subject);
    } else if (span_equal(span, span_of("BIG"))) {
        actor_reply(actor, entry->subject, entry->detail, NULL, (size_t)1024 * 1024);
        return;
    } else if (span_equal(span, span_of("QUIT"))) {
        actor_reply(actor, entry->subject, entry->detail | FRONT_CLOSE_BIT, "bye", 3);
        return;
    }
    actor_echo(actor, entry, request, line);
}

static void actor_report(actor_t *actor, char what) {
    ASSERT(zmq_send(actor->reports, &what, 1, 0) == 1);
}

/* A reply to a connection that is gone must never reach whoever has its place now. */
static void actor_closed(actor_t *actor, const batch_entry_t *entry) {
    actor->closed++;
    actor_reply(actor, entry->subject, 0, "stale", 5);
    actor_reply(actor, entry->subject, 1, "stale", 5);
    actor_report(actor, REPORT_CLOSED);
}

static void actor_entry(actor_t *actor, const batch_entry_t *entry) {
    switch (entry->kind) {
    case FRONT_REQUEST:
        actor_request(actor, entry);
        break;
    case FRONT_CLOSED:
        actor_closed(actor, entry);
        break;
    case FRONT_COUNTERS:
        break;
    case FRONT_DRAINED:
        actor_report(actor, REPORT_DRAINED);
        break;
    case TEST_DRAIN:
        (void)batch_append(&actor->replies, FRONT_DRAIN, 0, 0, 0);
        break;
    case TEST_STOP:
        (void)batch_append(&actor->replies, FRONT_STOP, 0, 0, 0);
        actor->stopped = true;
        break;
    default:
        ASSERT(!"no such kind");
    }
}

/* Goes through the batch's entries in random order. */
static void actor_batch(actor_t *actor, const void *bytes, size_t length) {
    const batch_entry_t **entries = NULL;
    size_t room = 0;
    size_t count = 0;
    const batch_entry_t *entry = NULL;
    while ((entry = batch_next(bytes, length, entry)) != NULL) {
        entries = memory_grow(entries, &room, count + 1, sizeof(const batch_entry_t *));
        entries[count++] = entry;
    }
    for (; count > 0; count--) {
        size_t chosen = (size_t)rand_r(&actor->seed) % count;
        actor_entry(actor, entries[chosen]);
        entries[chosen] = entries[count - 1];
    }
    memory_free(entries);
}

static void batch_release(void *bytes, void *hint) {
    (void)hint;
    memory_free(bytes);
}

static void batch_send(void *socket, batch_t *batch) {
    size_t length = 0;
    char *bytes = batch_take(batch, &length);
    zmq_msg_t message;
    handoff_release(bytes);
    ASSERT(zmq_msg_init_data(&message, bytes, length, batch_release, NULL) == 0);
    ASSERT(zmq_msg_send(&message, socket, 0) >= 0);
}

static void *actor_run(void *argument) {
    actor_t *actor = argument;
    while (!actor->stopped) {
        zmq_msg_t message;
        ASSERT(zmq_msg_init(&message) == 0);
        ASSERT(zmq_msg_recv(&message, actor->pull, 0) >= 0);
        handoff_acquire(zmq_msg_data(&message));
        actor_batch(actor, zmq_msg_data(&message), zmq_msg_size(&message));
        ASSERT(zmq_msg_close(&message) == 0);
        if (actor->replies.length > 0) {
            batch_send(actor->push, &actor->replies);
        }
    }
    return NULL;
}

static void *socket_new(void *context, int type, const char *endpoint, bool binds) {
    int zero = 0;
    void *socket = zmq_socket(context, type);
    cr_assert(socket != NULL);
    cr_assert_eq(zmq_setsockopt(socket, ZMQ_SNDHWM, &zero, sizeof(zero)), 0);
    cr_assert_eq(zmq_setsockopt(socket, ZMQ_RCVHWM, &zero, sizeof(zero)), 0);
    cr_assert_eq(zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof(zero)), 0);
    cr_assert_eq(binds ? zmq_bind(socket, endpoint) : zmq_connect(socket, endpoint), 0);
    return socket;
}

static void fixture_start(fixture_t *fixture, const char *address) {
    *fixture = (fixture_t){.context = zmq_ctx_new()};
    (void)snprintf(fixture->admin_path, sizeof(fixture->admin_path), "/tmp/front-end-%d.sock",
                   (int)getpid());
    actor_t *actor = &fixture->actor;
    actor->pull = socket_new(fixture->context, ZMQ_PULL, TO_ACTOR, true);
    fixture->commands = socket_new(fixture->context, ZMQ_PUSH, TO_ACTOR, false);
    fixture->reports = socket_new(fixture->context, ZMQ_PULL, REPORTS, true);
    actor->reports = socket_new(fixture->context, ZMQ_PUSH, REPORTS, false);
    front_end_options_t options = {fixture->context, address,    fixture->admin_path,
                                   TO_ACTOR,         FROM_ACTOR, NULL};
    const char *reason = NULL;
    fixture->front_end = front_end_new(&options, &reason);
    cr_assert(fixture->front_end != NULL, "%s", reason);
    actor->push = socket_new(fixture->context, ZMQ_PUSH, FROM_ACTOR, false);
    cr_assert_eq(pthread_create(&fixture->thread, NULL, actor_run, actor), 0);
}

static void fixture_command(fixture_t *fixture, uint32_t kind) {
    batch_t batch;
    batch_init(&batch);
    (void)batch_append(&batch, kind, 0, 0, 0);
    batch_send(fixture->commands, &batch);
}

static void fixture_await(fixture_t *fixture, char wanted) {
    char what = 0;
    zmq_pollitem_t item = {.socket = fixture->reports, .events = ZMQ_POLLIN};
    while (what != wanted) {
        cr_assert_eq(zmq_poll(&item, 1, WAIT_MS), 1, "no report '%c'", wanted);
        cr_assert_eq(zmq_recv(fixture->reports, &what, 1, 0), 1);
    }
}

static void fixture_end(fixture_t *fixture) {
    fixture_command(fixture, TEST_STOP);
    cr_assert_eq(pthread_join(fixture->thread, NULL), 0);
    front_end_destroy(&fixture->front_end);
    cr_assert(fixture->front_end == NULL);
    cr_assert_neq(access(fixture->admin_path, F_OK), 0);
    void *sockets[] = {fixture->actor.pull, fixture->actor.push, fixture->actor.reports,
                       fixture->commands, fixture->reports};
    for (size_t i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++) {
        cr_assert_eq(zmq_close(sockets[i]), 0);
    }
    cr_assert_eq(zmq_ctx_term(fixture->context), 0);
    batch_deinit(&fixture->actor.replies);
}

/* The address as bytes; true for IPv6. */
static bool fixture_address(const fixture_t *fixture, struct sockaddr_in *v4,
                            struct sockaddr_in6 *v6) {
    char host[64];
    uint16_t port = 0;
    const char *address = front_end_address(fixture->front_end);
    cr_assert(text_host_port(span_of(address), host, sizeof(host), &port));
    *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    *v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        return false;
    }
    cr_assert_eq(inet_pton(AF_INET6, host, &v6->sin6_addr), 1);
    return true;
}

static int client_socket(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(fd, 0);
    return fd;
}

static void client_connect(const fixture_t *fixture, int fd) {
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    cr_assert_not(fixture_address(fixture, &v4, &v6));
    cr_assert_eq(connect(fd, (struct sockaddr *)&v4, sizeof(v4)), 0);
}

static int client_new(const fixture_t *fixture) {
    int fd = client_socket();
    client_connect(fixture, fd);
    return fd;
}

static void client_write(int fd, const void *bytes, size_t length) {
    const char *at = bytes;
    while (length > 0) {
        ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
        cr_assert_gt(sent, 0);
        at += sent;
        length -= (size_t)sent;
    }
}

static void client_say(int fd, const char *text) {
    client_write(fd, text, strlen(text));
}

/* Waits for bytes; returns 0 at the end, or when the connection was reset. */
static size_t client_read(int fd, char *bytes, size_t room) {
    struct pollfd item = {.fd = fd, .events = POLLIN};
    cr_assert_eq(poll(&item, 1, WAIT_MS), 1, "nothing came");
    ssize_t received = recv(fd, bytes, room, 0);
    cr_assert(received >= 0 || errno == ECONNRESET);
    return received > 0 ? (size_t)received : 0;
}

/* Reads exactly this text. */
static void client_expect(int fd, const char *text) {
    char got[4096];
    size_t length = strlen(text);
    size_t have = 0;
    cr_assert_lt(length, sizeof(got));
    while (have < length) {
        size_t more = client_read(fd, got + have, length - have);
        cr_assert_gt(more, 0, "ended after '%.*s'", (int)have, got);
        have += more;
    }
    cr_assert_eq(memcmp(got, text, length), 0, "'%.*s' for '%s'", (int)have, got, text);
}

/* Reads one frame, which has this text in it. */
static void client_expect_frame_with(int fd, const char *text) {
    char got[4096] = {0};
    size_t have = 0;
    while (have < 4 || memcmp(got + have - 4, FRAME_END, 4) != 0) {
        cr_assert_lt(have, sizeof(got) - 1);
        cr_assert_eq(client_read(fd, got + have, 1), 1, "ended after '%s'", got);
        have++;
    }
    cr_assert(strstr(got, text) != NULL, "'%s'", got);
}

/* Reads one frame that is a number. */
static unsigned long client_number(int fd) {
    char got[32] = {0};
    size_t have = 0;
    while (have < 4 || memcmp(got + have - 4, FRAME_END, 4) != 0) {
        cr_assert_lt(have, sizeof(got) - 1);
        cr_assert_eq(client_read(fd, got + have, 1), 1);
        have++;
    }
    return strtoul(got, NULL, 10);
}

static void client_expect_end(int fd) {
    char got[64];
    size_t more = client_read(fd, got, sizeof(got));
    cr_assert_eq(more, 0, "'%.*s' instead of the end", (int)more, got);
    cr_assert_eq(close(fd), 0);
}

/* Sends and reads at the same time, until as many bytes have come. */
static char *client_exchange(int fd, const char *bytes, size_t length, size_t wanted) {
    char *got = memory_resize(NULL, wanted);
    size_t have = 0;
    while (have < wanted) {
        struct pollfd item = {.fd = fd, .events = (short)(length > 0 ? POLLIN | POLLOUT : POLLIN)};
        cr_assert_eq(poll(&item, 1, WAIT_MS), 1, "%zu of %zu bytes came", have, wanted);
        if ((item.revents & POLLOUT) != 0) {
            ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
            cr_assert(sent > 0 || errno == EAGAIN);
            bytes += sent > 0 ? sent : 0;
            length -= sent > 0 ? (size_t)sent : 0;
        }
        if ((item.revents & (POLLIN | POLLHUP)) != 0) {
            ssize_t received = recv(fd, got + have, wanted - have, MSG_DONTWAIT);
            cr_assert_gt(received, 0);
            have += (size_t)received;
        }
    }
    return got;
}

/* `count` lines "PING <number>" and their replies. */
static void pings_make(buffer_t *lines, buffer_t *replies, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "PING %zu\n", i);
        buffer_text(lines, text);
        (void)snprintf(text, sizeof(text), "02 PING %zu" FRAME_END, i);
        buffer_text(replies, text);
    }
}

static void pings_exchange(int fd, const buffer_t *lines, const buffer_t *replies) {
    char *got = client_exchange(fd, lines->bytes, lines->length, replies->length);
    cr_assert_eq(memcmp(got, replies->bytes, replies->length), 0);
    memory_free(got);
}

Test(front_end, pipelined_replies_keep_their_order) {
    fixture_t fixture;
    fixture_start(&fixture, "127.0.0.1:0");
    buffer_t lines = {0};
    buffer_t replies = {0};
    pings_make(&lines, &replies, 10000);
    int fd = client_new(&fixture);
    pings_exchange(fd, &lines, &replies);
    pings_exchange(fd, &lines, &replies);
    cr_assert_eq(close(fd), 0);
    fixture_await(&fixture, REPORT_CLOSED);
    fixture_end(&fixture);
    cr_assert_eq(fixture.actor.requests, 20000);
    cr_assert_eq(fixture.actor.closed, 1);
    buffer_deinit(&lines);
    buffer_deinit(&replies);
}

Test(front_end, a_line_may_come_byte_by_byte) {
    fixture_t fixture;
    fixture_start(&fixture, "127.0.0.1:0");
    int fd = client_new(&fixture);
    int other = client_new(&fixture);
    const char *text = "SEND bob  halo dunia\r\n";
    for (const char *at = text; *at != '\0'; at++) {
        client_write(fd, at, 1);
        client_say(other, "PING\n");
        client_expect(other, "01 PING" FRAME_END);
    }
    client_expect(fd, "04 SEND bob  halo dunia" FRAME_END);
    cr_assert_eq(close(fd), 0);
    cr_assert_eq(close(other), 0);
    fixture_end(&fixture);
}

Test(front_end, empty_lines_are_ignored_and_rubbish_is_a_line) {
    fixture_t fixture;
    fixture_start(&fixture, "127.0.0.1:0");
    int fd = client_new(&fixture);
    client_say(fd, "\n\r\n\r\n\nPING\r\n\r\n");
    client_expect(fd, "01 PING" FRAME_END);
    client_write(fd, "a\0\xff\x80 b\n", 7);
    char *got = client_exchange(fd, NULL, 0, 13);
    cr_assert_eq(memcmp(got, "02 a\0\xff\x80 b" FRAME_END, 13), 0);
    memory_free(got);
    cr_assert_eq(close(fd), 0);
    fixture_end(&fixture);
    cr_assert_eq(fixture.actor.requests, 2);
}

Test(front_end, half_close_is_answered_to_the_end) {
    fixture_t fixture;
    fixture_start(&fixture, "127.0.0.1:0");
    int fd = client_new(&fixture);
    client_say(fd, "AUTH alice rahasia\nSEND bob halo");
    cr_assert_eq(shutdown(fd, SHUT_WR), 0);
    client_expect(fd, "03 AUTH alice rahasia" FRAME_END "03 SEND bob halo" FRAME_END);
    client_expect_end(fd);
    fixture_await(&fixture, REPORT_CLOSED);
    fixture_end(&fixture);
}

Test(front_end, half_close_waits_for_late_replies) {
    fixture_t fixture;
    fixture_start(&fixture, "127.0.0.1:0");
    buffer_t lines = {0};
    buffer_t replies = {0};
    buffer_text(&lines, "HOLD\n");
    buffer_text(&replies, "held" FRAME_END);
    pings_make(&lines, &replies, 3000);
    int fd = client_new(&fixture);
    int other = client_new(&fixture);
    client_write(fd, lines.bytes, lines.length);
    cr_assert_eq(shutdown(fd, SHUT_WR), 0);
    client_say(other, "PING\n");
    client_expect(other, "01 PING" FRAME_END);
    client_say(other, "RELEASE\n");
    char *got = client_exchange(fd, NULL, 0, replies.length);
    cr_assert_eq(memcmp(got, replies.bytes, replies.length), 0);
    memory_free(got);
    client_expect_end(fd);
    cr_assert_eq(close(other), 0);
    fixture_end(&fixture);
    buffer_deinit(&lines);
    buffer_deinit(&replies);
}

Test(front_end, replies_that_come_in_one_entry_keep_their_places) {
    fixture_t fixture;
    fixture_start(&fixture, "127.0.0.1:0");
    int fd = client_new(&fixture);
    int other = client_new(&fixture);
    int one = 1; /* else the requests would wait for each other and come together */
    cr_assert_eq(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
    for (int i = 0; i < 50; i++) { /* small replies: so many may be unanswered from now on */
        client_say(fd, "PING\n");
        client_expect(fd, "01 PING" FRAME_END);
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 50; i++) {
            client_say(fd, "HOLD\n");
            client_say(other, "PING\n");
            client_expect(other, "01 PING" FRAME_END);
        }
        client_say(fd, "behind\n");
        client_say(other, "RUNS\n");
        client_expect(other, "01 RUNS" FRAME_END);
        for (int i = 0; i < 50; i++) {
            client_expect(fd, "held" FRAME_END);
        }
        client_expect(fd, "01 behind" FRAME_END);
    }
    cr_assert_eq(close(fd), 0);
    cr_assert_eq(close(other), 0);
    fixture_end(&fixture);
}

Test(front_end, an_over_long_line_is_refused_once) {
    fixture_t fixture;
    fixture_start(&fixture, "127.0.0.1:0");
    size_t length = (size_t)300 * 1024;
    char *line = memory_alloc(length + 1);
    memset(line, 'y', length);
    int fd = client_new(&fixture);
    client_say(fd, "PING 1\n");
    line[length] = '\n';
    client_write(fd, line, length + 1);
    client_say(fd, "PING 2\n");
    client_expect(fd, "02 PING 1" FRAME_END);
    client_expect_frame_with(fd, TOO_LONG_TEXT);
    client_expect(fd, "02 PING 2" FRAME_END);
    client_write(fd, line, LINE_BYTES_MAX);
    client_say(fd, "\r\n");
    char *got = client_exchange(fd, NULL, 0, LINE_BYTES_MAX + 7);
    cr_assert_eq(memcmp(got + 3, line, LINE_BYTES_MAX), 0);
    memory_free(got);
    client_write(fd, line + length - LINE_BYTES_MAX - 1, LINE_BYTES_MAX + 2);
    client_expect_frame_with(fd, TOO_LONG_TEXT);
    cr_assert_eq(close(fd), 0);
    fixture_end(&fixture);
    memory_free(line);
}

Test(front_end, a_slow_reader_holds_up_nobody) {
    fixture_t fixture;
    fixture_start(&fixture, "127.0.0.1:0");
    size_t count = 64;
    int slow = client_new(&fixture);
    int other = client_new(&fixture);
    for (size_t i = 0; i < count; i++) {
        client_say(slow, "BIG\n");
    }
    for (int i = 0; i < 200; i++) {
        client_say(other, "PING\n");
        client_expect(other, "01 PING" FRAME_END);
    }
    size_t frame = (size_t)1024 * 1024 + 4;
    char *got = client_exchange(slow, "PING\n", 5, count * frame + 11);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(memcmp(got + (i + 1) * frame - 5, "x" FRAME_END, 5), 0);
    }
    cr_assert_eq(memcmp(got + count * frame, "01 PING" FRAME_END, 11), 0);
    memory_free(got);
    cr_assert_eq(close(slow), 0);
    cr_assert_eq(close(other), 0);
    fixture_end(&fixture);
}

Test(front_end, requests_wait_while_too_many_are_unanswered) {
    fixture_t fixture;
    fixture_start(&fixture, "127.0.0.1:0");
    buffer_t lines = {0};
    buffer_t replies = {0};
    pings_make(&lines, &replies, 1000);
    int fd = client_new(&fixture);
    pings_exchange(fd, &lines, &replies); /* it has earned its share: small replies */
    int other = client_new(&fixture);
    buffer_reset(&lines);
    buffer_reset(&replies);
    buffer_text(&lines, "HOLD\n");
    buffer_text(&replies, "held" FRAME_END);
    pings_make(&lines, &replies, 20000);
    client_write(fd, lines.bytes, lines.length);
    client_say(other, "PING\n");
    client_expect(other, "01 PING" FRAME_END);
    client_say(other, "COUNT\n");
    cr_assert_leq(client_number(other), 1000 + CONNECTION_REQUESTS_MAX + 2);
    client_say(other, "RELEASE\n");
    client_expect(other, "01 RELEASE" FRAME_END);
    char *got = client_exchange(fd, NULL, 0, replies.length);
    cr_assert_eq(memcmp(got, replies.bytes, replies.length), 0);
    memory_free(got);
    cr_assert_eq(close(fd), 0);
    cr_assert_eq(close(other), 0);
    fixture_end(&fixture);
    buffer_deinit(&lines);
    buffer_deinit(&replies);
}

Test(front_end, nothing_is_asked_or_answered_behind_a_closing_reply) {
    fixture_t fixture;
    fixture_start(&fixture, "127.0.0.1:0");
    int fd = client_new(&fixture);
    client_say(fd, "PING 1\nQUIT\nPING 2\nPING 3\n");
    client_expect(fd, "02 PING 1" FRAME_END "bye" FRAME_END);
    client_expect_end(fd);
    fixture_await(&fixture, REPORT_CLOSED);
    fd = client_new(&fixture);
    client_say(fd, "QUIT\n");
    client_expect(fd, "bye" FRAME_END);
    client_expect_end(fd);
    fixture_end(&fixture);
}

Test(front_end, events_stand_between_replies) {
    fixture_t fixture;
    fixture_start(&fixture, "127.0.0.1:0");
    int fd = client_new(&fixture);
    client_say(fd, "EVENT\n");
    client_expect(fd, "event" FRAME_END "01 EVENT" FRAME_END);
    cr_assert_eq(close(fd), 0);
    fixture_end(&fixture);
}

Test(front_end, replies_to_a_closed_connection_are_dropped) {
    fixture_t fixture;
    fixture_start(&fixture, "127.0.0.1:0");
    for (int i = 0; i < 20; i++) {
        int fd = client_new(&fixture);
        client_say(fd, "PING\n");
        client_expect(fd, "01 PING" FRAME_END);
        cr_assert_eq(close(fd), 0);
        fixture_await(&fixture, REPORT_CLOSED);
    }
    fixture_end(&fixture);
    cr_assert_eq(fixture.actor.closed, 20);
}

Test(front_end, a_reset_ends_one_connection_only) {
    fixture_t fixture;
    fixture_start(&fixture, "127.0.0.1:0");
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    int fd = client_new(&fixture);
    int other = client_new(&fixture);
    client_say(fd, "HOLD\n");
    client_say(fd, "PING\n");
    client_say(other, "PING\n");
    client_expect(other, "01 PING" FRAME_END);
    cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    cr_assert_eq(close(fd), 0);
    client_say(other, "PING\n");
    client_expect(other, "01 PING" FRAME_END);
    cr_assert_eq(close(other), 0);
    fixture_end(&fixture);
}

/* The test says RELEASE to the actor itself, when no client can any more. */
static void fixture_release(fixture_t *fixture) {
    batch_t release;
    batch_init(&release);
    request_t request = {.line_bytes = 7};
    char *payload = batch_append(&release, FRONT_REQUEST, 0, 0, sizeof(request) + 7);
    memcpy(payload, &request, sizeof(request));
    memcpy(payload + sizeof(request), "RELEASE", 7);
    batch_send(fixture->commands, &release);
}

static void fixture_refuses(const fixture_t *fixture) {
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    int late = client_socket();
    cr_assert_not(fixture_address(fixture, &v4, &v6));
    cr_assert_eq(connect(late, (struct sockaddr *)&v4, sizeof(v4)), -1);
    cr_assert_eq(errno, ECONNREFUSED);
    cr_assert_eq(close(late), 0);
}

Test(front_end, draining_answers_what_was_received) {
    fixture_t fixture;
    fixture_start(&fixture, "127.0.0.1:0");
    buffer_t lines = {0};
    buffer_t replies = {0};
    buffer_text(&lines, "HOLD\n");
    buffer_text(&replies, "held" FRAME_END);
    pings_make(&lines, &replies, 3000);
    buffer_text(&lines, "never finished");
    int idle = client_new(&fixture);
    int busy = client_new(&fixture);
    int helper = client_new(&fixture);
    client_write(busy, lines.bytes, lines.length);
    client_say(helper, "PING\n");
    client_expect(helper, "01 PING" FRAME_END);
    fixture_command(&fixture, TEST_DRAIN);
    client_expect_end(helper);
    client_expect_end(idle);
    fixture_refuses(&fixture);
    fixture_release(&fixture);
    char *got = client_exchange(busy, NULL, 0, replies.length);
    cr_assert_eq(memcmp(got, replies.bytes, replies.length), 0);
    memory_free(got);
    client_expect_end(busy);
    fixture_await(&fixture, REPORT_DRAINED);
    fixture_end(&fixture);
    buffer_deinit(&lines);
    buffer_deinit(&replies);
}

Test(front_end, draining_cuts_who_does_not_read) {
    fixture_t fixture;
    fixture_start(&fixture, "127.0.0.1:0");
    int fd = client_new(&fixture);
    for (int i = 0; i < 16; i++) {
        client_say(fd, "BIG\n");
    }
    char first[64];
    cr_assert_gt(client_read(fd, first, sizeof(first)), 0);
    fixture_command(&fixture, TEST_DRAIN);
    fixture_await(&fixture, REPORT_DRAINED);
    cr_assert_eq(close(fd), 0);
    fixture_end(&fixture);
}

Test(front_end, ipv6) {
    fixture_t fixture;
    fixture_start(&fixture, "[::1]:0");
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    cr_assert_eq(strncmp(front_end_address(fixture.front_end), "[::1]:", 6), 0);
    cr_assert(fixture_address(&fixture, &v4, &v6));
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&v6, sizeof(v6)), 0);
    client_say(fd, "PING\n");
    client_expect(fd, "01 PING" FRAME_END);
    cr_assert_eq(close(fd), 0);
    fixture_end(&fixture);
}

static int admin_connect(const fixture_t *fixture) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, fixture->admin_path, strlen(fixture->admin_path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

Test(front_end, requests_of_the_admin_socket_say_so) {
    fixture_t fixture;
    (void)umask(0);
    fixture_start(&fixture, "127.0.0.1:0");
    struct stat status;
    cr_assert_eq(stat(fixture.admin_path, &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0600);
    int admin = admin_connect(&fixture);
    int client = client_new(&fixture);
    client_say(admin, "PING\nPING");
    client_say(client, "PING\n");
    cr_assert_eq(shutdown(admin, SHUT_WR), 0);
    client_expect(admin, "11 PING" FRAME_END "11 PING" FRAME_END);
    client_expect_end(admin);
    client_expect(client, "01 PING" FRAME_END);
    cr_assert_eq(close(client), 0);
    fixture_end(&fixture);
}

Test(front_end, addresses_that_cannot_be_bound_have_a_reason) {
    fixture_t fixture;
    fixture_start(&fixture, "127.0.0.1:0");
    front_end_options_t options = {fixture.context,
                                   front_end_address(fixture.front_end),
                                   NULL,
                                   TO_ACTOR,
                                   "inproc://other",
                                   NULL};
    const char *reason = NULL;
    cr_assert(front_end_new(&options, &reason) == NULL);
    cr_assert_str_eq(reason, "the client address is in use already");
    options.clients = "127.0.0.1";
    cr_assert(front_end_new(&options, &reason) == NULL);
    cr_assert_str_eq(reason, "the client address is not of the form host:port");
    options.clients = "127.0.0.1:0";
    options.admin_path = "/dev/null";
    cr_assert(front_end_new(&options, &reason) == NULL);
    cr_assert_str_eq(reason, "the admin socket cannot be made");
    cr_assert_eq(access("/dev/null", F_OK), 0);
    options.admin_path = NULL;
    options.from_actor = FROM_ACTOR;
    cr_assert(front_end_new(&options, &reason) == NULL);
    cr_assert(reason != NULL);
    fixture_end(&fixture);
}

Test(front_end, a_thousand_connections) {
    enum { COUNT = 1000 };
    static int fds[COUNT];
    fixture_t fixture;
    struct rlimit limit = {0};
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    fixture_start(&fixture, "127.0.0.1:0");
    for (int i = 0; i < COUNT; i++) {
        fds[i] = client_new(&fixture);
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            client_say(fds[i], "PING\n");
        }
        for (int i = 0; i < COUNT; i++) {
            client_expect(fds[i], "01 PING" FRAME_END);
        }
    }
    for (int i = 0; i < COUNT; i++) {
        cr_assert_eq(close(fds[i]), 0);
    }
    for (int i = 0; i < COUNT; i++) {
        fixture_await(&fixture, REPORT_CLOSED);
    }
    fixture_end(&fixture);
}

/* The sockets of the clients are made before the limit: only accepting needs descriptors. */
Test(front_end, who_finds_no_descriptor_hears_busy) {
    enum { COUNT = 40, LEFT = 10 };
    int fds[COUNT];
    fixture_t fixture;
    fixture_start(&fixture, "127.0.0.1:0");
    /* Threads that start up open a file or two for a moment: they must be through with it. */
    int first = client_new(&fixture);
    client_say(first, "PING\n");
    client_expect(first, "01 PING" FRAME_END);
    for (int i = 0; i < COUNT; i++) {
        fds[i] = client_socket();
    }
    struct rlimit before = {0};
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit limit = {(rlim_t)fds[COUNT - 1] + 1 + LEFT, before.rlim_max};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int i = 0; i < COUNT - 1; i++) {
        client_connect(&fixture, fds[i]);
    }
    for (int i = LEFT; i < COUNT - 1; i++) {
        client_expect_frame_with(fds[i], BUSY_TEXT);
    }
    for (int i = LEFT; i < COUNT - 1; i++) {
        client_expect_end(fds[i]);
    }
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    client_connect(&fixture, fds[COUNT - 1]);
    fds[LEFT] = fds[COUNT - 1];
    for (int i = 0; i <= LEFT; i++) {
        client_say(fds[i], "PING\n");
        client_expect(fds[i], "01 PING" FRAME_END);
        cr_assert_eq(close(fds[i]), 0);
    }
    cr_assert_eq(close(first), 0);
    fixture_end(&fixture);
}
