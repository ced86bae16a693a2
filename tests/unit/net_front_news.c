/* links: base wire net */
/*
 * Events over real sockets: who gets them, and what becomes of those who do not take them. The test
 * itself is the actor at the other end of the inproc sockets.
 */
#include "base/batch.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"
#include "net/front_end.h"
#include "net/handoff.h"
#include "types/counters.h"
#include "types/request.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#define TO_ACTOR   "inproc://to-actor"
#define FROM_ACTOR "inproc://from-actor"
#define WAIT_MS    30000
#define FRAME_END  "\r\n\r\n"

enum { CLIENTS_MAX = 101 };

typedef struct client {
    int fd;
    uint64_t handle;
    uint32_t slot; /* of its newest request */
    buffer_t input;
    size_t taken; /* of the input */
} client_t;

static void *context, *pull, *push;
static front_end_t *front_end;
static batch_t batch;
static char admin_path[64];
static client_t clients[CLIENTS_MAX];
static size_t client_count;
static size_t closed_count;       /* FRONT_CLOSED that came */
static front_counters_t counters; /* as the front end told them last */

static void *socket_new(int type, const char *endpoint, bool binds) {
    int zero = 0;
    void *socket = zmq_socket(context, type);
    cr_assert(socket != NULL);
    cr_assert_eq(zmq_setsockopt(socket, ZMQ_SNDHWM, &zero, sizeof(zero)), 0);
    cr_assert_eq(zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof(zero)), 0);
    cr_assert_eq(binds ? zmq_bind(socket, endpoint) : zmq_connect(socket, endpoint), 0);
    return socket;
}

static void prepare(void) {
    context = zmq_ctx_new();
    pull = socket_new(ZMQ_PULL, TO_ACTOR, true);
    (void)snprintf(admin_path, sizeof(admin_path), "/tmp/front-news-%d.sock", (int)getpid());
    front_end_options_t options = {.context = context,
                                   .clients = "127.0.0.1:0",
                                   .admin_path = admin_path,
                                   .to_actor = TO_ACTOR,
                                   .from_actor = FROM_ACTOR};
    const char *reason = NULL;
    front_end = front_end_new(&options, &reason);
    cr_assert(front_end != NULL, "%s", reason);
    push = socket_new(ZMQ_PUSH, FROM_ACTOR, false);
    batch_init(&batch);
}

static void batch_release(void *bytes, void *hint) {
    (void)hint;
    memory_free(bytes);
}

static void hand_over(void) {
    size_t length = 0;
    char *bytes = batch_take(&batch, &length);
    zmq_msg_t message;
    handoff_release(bytes);
    cr_assert_eq(zmq_msg_init_data(&message, bytes, length, batch_release, NULL), 0);
    cr_assert_geq(zmq_msg_send(&message, push, 0), 0);
}

static void clean_up(void) {
    (void)batch_append(&batch, FRONT_STOP, 0, 0, 0);
    hand_over();
    front_end_destroy(&front_end);
    for (size_t i = 0; i < client_count; i++) {
        (void)close(clients[i].fd);
        buffer_deinit(&clients[i].input);
    }
    cr_assert_eq(zmq_close(pull), 0);
    cr_assert_eq(zmq_close(push), 0);
    cr_assert_eq(zmq_ctx_term(context), 0);
    batch_deinit(&batch);
}

TestSuite(front_news, .init = prepare, .fini = clean_up);

/* Takes one batch of the front end; notes who asked and who is gone. */
static void take_batch(client_t *asker) {
    zmq_pollitem_t item = {.socket = pull, .events = ZMQ_POLLIN};
    zmq_msg_t message;
    const batch_entry_t *entry = NULL;
    cr_assert_eq(zmq_poll(&item, 1, WAIT_MS), 1, "the front end says nothing");
    cr_assert_eq(zmq_msg_init(&message), 0);
    cr_assert_geq(zmq_msg_recv(&message, pull, 0), 0);
    handoff_acquire(zmq_msg_data(&message));
    while ((entry = batch_next(zmq_msg_data(&message), zmq_msg_size(&message), entry)) != NULL) {
        if (entry->kind == FRONT_CLOSED) {
            closed_count++;
            continue;
        }
        if (entry->kind == FRONT_COUNTERS) {
            memcpy(&counters, batch_payload(entry), sizeof(counters));
            continue;
        }
        cr_assert(entry->kind == FRONT_REQUEST && asker != NULL);
        asker->handle = entry->subject;
        asker->slot = (uint32_t)entry->detail;
    }
    cr_assert_eq(zmq_msg_close(&message), 0);
}

static void client_ask(client_t *client) {
    cr_assert_eq(send(client->fd, "PING\n", 5, MSG_NOSIGNAL), 5);
    take_batch(client);
}

static void put_reply(const client_t *client, const char *text, bool close_behind) {
    uint64_t detail = client->slot | (close_behind ? FRONT_CLOSE_BIT : 0);
    size_t length = strlen(text);
    char *payload = batch_append(&batch, FRONT_REPLY, client->handle, detail, length + 4);
    memcpy(payload, text, length);
    memcpy(payload + length, FRAME_END, 4);
}

/* A client whose handle is known because it has asked something; the reply is still owed. */
static client_t *client_connected(int fd, const struct sockaddr *address, socklen_t length) {
    client_t *client = &clients[client_count++];
    *client = (client_t){.fd = fd};
    cr_assert_eq(connect(fd, address, length), 0);
    client_ask(client);
    return client;
}

static client_t *client_new(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[64];
    uint16_t port = 0;
    cr_assert(text_host_port(span_of(front_end_address(front_end)), host, sizeof(host), &port));
    address.sin_port = htons(port);
    cr_assert_eq(inet_pton(AF_INET, host, &address.sin_addr), 1);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return client_connected(fd, (struct sockaddr *)&address, sizeof(address));
}

/* One for whom the kernel keeps little of what it does not read, and always as much: TCP would take
 * megabytes, and now and then a little more. */
static client_t *client_slow(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, admin_path, strlen(admin_path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return client_connected(fd, (struct sockaddr *)&address, sizeof(address));
}

/* The next frame without its ending, NULL at the end of the connection. Valid until the next call.
 */
static const char *client_frame(client_t *client) {
    buffer_t *input = &client->input;
    for (;;) {
        char *start = input->bytes + client->taken;
        size_t left = input->length - client->taken;
        char *end = left == 0 ? NULL : memmem(start, left, FRAME_END, 4);
        if (end != NULL) {
            *end = '\0';
            client->taken += (size_t)(end - start) + 4;
            return start;
        }
        if (left > 0)
            memmove(input->bytes, start, left);
        input->length = left;
        client->taken = 0;
        struct pollfd item = {.fd = client->fd, .events = POLLIN};
        cr_assert_eq(poll(&item, 1, WAIT_MS), 1, "nothing came");
        ssize_t got = recv(client->fd, buffer_reserve(input, 65536), 65536, 0);
        cr_assert(got >= 0 || errno == ECONNRESET);
        if (got <= 0)
            return NULL;
        input->length += (size_t)got;
    }
}

static void expect_frame(client_t *client, const char *text) {
    const char *frame = client_frame(client);
    cr_assert(frame != NULL && strcmp(frame, text) == 0, "'%s' for '%s'", frame, text);
}

/* News of `seq` in a mailbox to some clients; a frame says both, then filling. count 0: to those of
 * the news before. */
static void put_news(unsigned mailbox, uint32_t seq, client_t *const *to, uint32_t count,
                     size_t frame_bytes) {
    char name[32], text[64];
    int name_bytes = snprintf(name, sizeof(name), "INBOXREALM r%u", mailbox);
    int text_bytes = snprintf(text, sizeof(text), "%u/%u ", mailbox, seq);
    size_t length = (size_t)text_bytes + frame_bytes + 4;
    front_news_t head = {.mailbox = mailbox,
                         .seq = seq,
                         .connection_count = count,
                         .name_bytes = (uint32_t)name_bytes};
    size_t head_bytes = sizeof(head) + count * sizeof(uint64_t) + head.name_bytes;
    char *at = batch_append(&batch, FRONT_NEWS, 0, 0, head_bytes + length);
    memcpy(at, &head, sizeof(head));
    at += sizeof(head);
    for (uint32_t i = 0; i < count; i++, at += sizeof(uint64_t)) {
        memcpy(at, &to[i]->handle, sizeof(uint64_t));
    }
    memcpy(at, name, head.name_bytes);
    at += head.name_bytes;
    memcpy(at, text, (size_t)text_bytes);
    memset(at + text_bytes, 'e', frame_bytes);
    memcpy(at + length - 4, FRAME_END, 4);
}

/* The next frame is an event of that mailbox; returns its seq. 0: it is another frame. */
static uint32_t event_seq(const char *frame, unsigned mailbox) {
    unsigned which = 0;
    uint32_t seq = 0;
    return sscanf(frame, "%u/%u e", &which, &seq) == 2 && which == mailbox ? seq : 0;
}

static void expect_event(client_t *client, unsigned mailbox, uint32_t seq) {
    const char *frame = client_frame(client);
    cr_assert(frame != NULL && event_seq(frame, mailbox) == seq, "'%.60s' for %u/%u", frame,
              mailbox, seq);
}

/* Reads events from `first` on, then the notice that they are missed, and returns the seq that it
 * says. */
static uint32_t expect_lag(client_t *client, unsigned mailbox, uint32_t first) {
    char wanted[128];
    for (uint32_t seq = first;; seq++) {
        const char *frame = client_frame(client);
        cr_assert(frame != NULL);
        if (event_seq(frame, mailbox) == seq)
            continue;
        (void)snprintf(wanted, sizeof(wanted),
                       "{\"event\":\"lagged\",\"mailbox\":\"INBOXREALM r%u\",\"seq\":%u}", mailbox,
                       seq);
        cr_assert_str_eq(frame, wanted);
        return seq;
    }
}

Test(front_news, all_that_are_named_are_told) {
    client_t *all[3] = {client_new(), client_new(), client_new()};
    put_news(1, 1, all, 3, 10);
    put_news(2, 1, all + 1, 1, 10);
    put_news(2, 2, NULL, 0, 10); /* to the same one */
    for (unsigned i = 0; i < 3; i++) {
        put_reply(all[i], "reply", false);
    }
    hand_over();
    for (unsigned i = 0; i < 3; i++) {
        expect_event(all[i], 1, 1);
    }
    expect_event(all[1], 2, 1);
    expect_event(all[1], 2, 2);
    for (unsigned i = 0; i < 3; i++) {
        expect_frame(all[i], "reply");
    }
}

Test(front_news, events_keep_their_place_between_replies) {
    client_t *client = client_new();
    put_reply(client, "satu", false);
    put_news(1, 1, &client, 1, 10);
    hand_over();
    client_ask(client);
    put_news(1, 2, &client, 1, 10);
    put_reply(client, "dua", false);
    put_news(1, 3, &client, 1, 10);
    hand_over();
    expect_frame(client, "satu");
    expect_event(client, 1, 1);
    expect_event(client, 1, 2);
    expect_frame(client, "dua");
    expect_event(client, 1, 3);
}

Test(front_news, news_to_closed_connections_are_dropped) {
    client_t *all[3] = {client_new(), client_new(), client_new()};
    put_reply(all[0], "bye", true);
    hand_over();
    expect_frame(all[0], "bye");
    put_news(1, 1, all, 3, 10); /* it lingers */
    hand_over();
    cr_assert(client_frame(all[0]) == NULL);
    expect_event(all[1], 1, 1);
    expect_event(all[2], 1, 1);
    cr_assert_eq(shutdown(all[0]->fd, SHUT_WR), 0);
    take_batch(NULL);
    cr_assert_eq(closed_count, 1);
    put_news(1, 2, all, 3, 10); /* it is gone */
    hand_over();
    expect_event(all[1], 1, 2);
    expect_event(all[2], 1, 2);
}

Test(front_news, who_has_ended_its_side_gets_its_replies_and_no_events) {
    client_t *client = client_new();
    client_t *other = client_new();
    client_t *both[2] = {client, other};
    cr_assert_eq(shutdown(client->fd, SHUT_WR), 0);
    /* A round trip of another one: the end has been read by now or is read in the same turn. */
    put_reply(other, "ok", false);
    hand_over();
    expect_frame(other, "ok");
    client_ask(other);
    put_news(1, 1, both, 2, 10);
    put_reply(client, "reply", false);
    hand_over();
    expect_event(other, 1, 1);
    expect_frame(client, "reply");
    cr_assert(client_frame(client) == NULL);
}

/* Hands over, and waits until the front end has told everybody. The other one owes a reply again.
 */
static void hand_over_and_wait(client_t *other) {
    put_reply(other, "ok", false);
    hand_over();
    expect_frame(other, "ok");
    client_ask(other);
}

/* So many events of 2000 bytes that no kernel takes them for a slow client. */
enum { FLOOD_EVENTS = 2000, FLOOD_BYTES = 2000 };

Test(front_news, who_falls_behind_is_told_once_for_each_mailbox_then_events_go_on) {
    client_t *client = client_slow();
    client_t *other = client_new();
    put_reply(client, "ok", false);
    for (uint32_t seq = 1; seq <= FLOOD_EVENTS; seq++) {
        put_news(1, seq, &client, 1, FLOOD_BYTES);
        if (seq % 500 == 0)
            hand_over();
    }
    for (uint32_t seq = 1; seq <= 100; seq++) {
        put_news(2, seq, &client, 1, FLOOD_BYTES);
    }
    hand_over_and_wait(other);
    expect_frame(client, "ok");
    uint32_t missed = expect_lag(client, 1, 1);
    cr_assert(missed > 1 && missed < FLOOD_EVENTS);
    cr_assert_eq(expect_lag(client, 2, 1), 1);
    cr_assert_eq(counters.lagged, 2);
    put_news(1, FLOOD_EVENTS + 1, &client, 1, FLOOD_BYTES);
    put_news(2, 101, &client, 1, FLOOD_BYTES);
    hand_over();
    expect_event(client, 1, FLOOD_EVENTS + 1);
    expect_event(client, 2, 101);
}

Test(front_news, who_falls_behind_again_is_told_again) {
    client_t *client = client_slow();
    client_t *other = client_new();
    put_reply(client, "ok", false);
    hand_over();
    expect_frame(client, "ok");
    uint32_t seq = 1;
    for (unsigned round = 0; round < 3; round++) {
        uint32_t first = seq;
        for (unsigned i = 0; i < FLOOD_EVENTS; i++, seq++) {
            put_news(1, seq, &client, 1, FLOOD_BYTES);
        }
        hand_over_and_wait(other);
        uint32_t missed = expect_lag(client, 1, first);
        cr_assert(missed > first && missed < seq);
    }
}

/* What waits for a listener stays within the limit, so its requests are read all the while. */
Test(front_news, requests_of_a_listener_are_read_while_events_wait) {
    client_t *client = client_slow();
    client_t *other = client_new();
    put_reply(client, "satu", false);
    for (uint32_t seq = 1; seq <= FLOOD_EVENTS; seq++) {
        put_news(1, seq, &client, 1, FLOOD_BYTES);
    }
    hand_over_and_wait(other);
    client_ask(client);
    put_reply(client, "dua", false);
    hand_over();
    expect_frame(client, "satu");
    (void)expect_lag(client, 1, 1);
    expect_frame(client, "dua");
}

Test(front_news, deaf_listener_harms_nobody) {
    client_t *all[CLIENTS_MAX];
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        all[i] = i == 0 ? client_slow() : client_new();
        put_reply(all[i], "ok", false);
    }
    hand_over();
    for (unsigned i = 1; i < CLIENTS_MAX; i++) {
        expect_frame(all[i], "ok");
    }
    /* The live ones read as they go; the first one never does. */
    uint32_t seq = 1;
    for (unsigned round = 0; round < 10; round++) {
        put_news(1, seq, all, CLIENTS_MAX, FLOOD_BYTES);
        for (unsigned i = 1; i < 100; i++) {
            put_news(1, seq + i, NULL, 0, FLOOD_BYTES);
        }
        hand_over();
        for (unsigned i = 1; i < CLIENTS_MAX; i++) {
            for (unsigned j = 0; j < 100; j++) {
                expect_event(all[i], 1, seq + j);
            }
        }
        seq += 100;
    }
    expect_frame(all[0], "ok");
    cr_assert_lt(expect_lag(all[0], 1, 1), seq);
    put_news(1, seq, all, CLIENTS_MAX, 10);
    hand_over();
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        expect_event(all[i], 1, seq);
    }
}

Test(front_news, who_lags_in_too_many_mailboxes_is_cut) {
    client_t *client = client_slow();
    client_t *other = client_new();
    client_t *both[2] = {client, other};
    for (uint32_t seq = 1; seq <= FLOOD_EVENTS; seq++) {
        put_news(1, seq, &client, 1, FLOOD_BYTES);
    }
    for (unsigned mailbox = 2; mailbox <= LAGGED_MAILBOXES_MAX; mailbox++) {
        put_news(mailbox, 1, &client, 1, 10);
        put_news(mailbox, 2, &client, 1, 10);
    }
    hand_over_and_wait(other);
    cr_assert_eq(closed_count, 0);
    put_news(LAGGED_MAILBOXES_MAX + 1, 1, both, 2, 10);
    hand_over();
    take_batch(NULL);
    cr_assert_eq(closed_count, 1);
    expect_event(other, LAGGED_MAILBOXES_MAX + 1, 1);
    hand_over_and_wait(other);
    cr_assert(counters.deaf == 1 && counters.lagged == LAGGED_MAILBOXES_MAX);
}
