/* links: base wire net */
/*
 * The federation thread against real peers: libzmq sockets with CURVE in a context of their own,
 * over TCP on loopback. Every wait is for an event and has a bound.
 */
#include "base/batch.h"
#include "base/crypto.h"
#include "base/random.h"
#include "net/federation.h"
#include "net/handoff.h"
#include "types/event.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <czmq.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define WAIT_MS      15000
#define TO_ACTOR     "inproc://test-to-actor"
#define FROM_ACTOR   "inproc://test-from-actor"
#define ZAP_ENDPOINT "inproc://zeromq.zap.01"

typedef struct key_pair {
    uint8_t public_key[KEY_BYTES];
    uint8_t secret_key[KEY_BYTES];
} key_pair_t;

/* What the actor sees of a federation. */
typedef struct realm {
    federation_t *federation;
    key_pair_t keys;
    void *pull;
    void *push;
    batch_t batch;
    zmq_msg_t message;
    bool has_message;
    const batch_entry_t *entry;
    void *peers; /* the context of the other realms */
} realm_t;

/* A peer's socket and its monitor. */
typedef struct peer {
    void *socket;
    void *monitor;
    char endpoint[96];
    uint16_t port;
} peer_t;

static key_pair_t key_pair_make(void) {
    char public_text[41];
    char secret_text[41];
    key_pair_t keys;
    cr_assert_eq(zmq_curve_keypair(public_text, secret_text), 0);
    cr_assert_not_null(zmq_z85_decode(keys.public_key, public_text));
    cr_assert_not_null(zmq_z85_decode(keys.secret_key, secret_text));
    return keys;
}

static void socket_set(void *socket, int option, int value) {
    cr_assert_eq(zmq_setsockopt(socket, option, &value, sizeof value), 0);
}

/* ---- the realm ---- */

static federation_options_t realm_options(const realm_t *realm, const char *address) {
    federation_options_t options = {
        .address = address, .to_actor = TO_ACTOR, .from_actor = FROM_ACTOR};
    memcpy(options.public_key, realm->keys.public_key, KEY_BYTES);
    memcpy(options.secret_key, realm->keys.secret_key, KEY_BYTES);
    return options;
}

static void realm_open(realm_t *realm, bool accept_any, const char *address) {
    *realm = (realm_t){.keys = key_pair_make()};
    random_start();
    cr_assert_not_null(federation_context());
    realm->pull = zsys_socket(ZMQ_PULL, NULL, 0);
    realm->push = zsys_socket(ZMQ_PUSH, NULL, 0);
    socket_set(realm->pull, ZMQ_RCVHWM, 1);
    socket_set(realm->pull, ZMQ_RCVTIMEO, WAIT_MS);
    cr_assert_eq(zmq_bind(realm->pull, TO_ACTOR), 0);
    federation_options_t options = realm_options(realm, address);
    options.accept_any = accept_any;
    const char *reason = NULL;
    realm->federation = federation_new(&options, &reason);
    cr_assert_not_null(realm->federation, "%s", reason);
    cr_assert_null(reason);
    cr_assert_eq(zmq_connect(realm->push, FROM_ACTOR), 0);
    realm->peers = zmq_ctx_new();
    batch_init(&realm->batch);
}

static realm_t realm_start(void) {
    realm_t realm;
    realm_open(&realm, false, "127.0.0.1:0");
    return realm;
}

static void batch_free(void *bytes, void *hint) {
    (void)hint;
    free(bytes);
}

static void realm_flush(realm_t *realm) {
    size_t length = 0;
    char *bytes = batch_take(&realm->batch, &length);
    handoff_release(bytes);
    zmq_msg_t message;
    cr_assert_eq(zmq_msg_init_data(&message, bytes, length, batch_free, NULL), 0);
    cr_assert_geq(zmq_msg_send(&message, realm->push, 0), 0);
}

static void realm_add(realm_t *realm, uint32_t kind, uint64_t subject, uint64_t detail,
                      const void *payload, size_t bytes) {
    void *room = batch_append(&realm->batch, kind, subject, detail, bytes);
    if (bytes > 0)
        memcpy(room, payload, bytes);
}

static void realm_tell(realm_t *realm, uint32_t kind, uint64_t subject, uint64_t detail,
                       const void *payload, size_t bytes) {
    realm_add(realm, kind, subject, detail, payload, bytes);
    realm_flush(realm);
}

static void realm_add_dial(realm_t *realm, uint64_t id, const key_pair_t *keys, const char *host,
                           uint16_t port) {
    federation_dial_t dial = {.address = {.length = (uint8_t)strlen(host), .port = port}};
    memcpy(dial.key, keys->public_key, KEY_BYTES);
    memcpy(dial.address.text, host, strlen(host));
    realm_add(realm, FED_DIAL, id, 0, &dial, sizeof dial);
}

static void realm_dial(realm_t *realm, uint64_t id, const key_pair_t *keys, uint16_t port) {
    realm_add_dial(realm, id, keys, "127.0.0.1", port);
    realm_flush(realm);
}

static void realm_allow(realm_t *realm, const key_pair_t *keys) {
    realm_tell(realm, FED_ALLOW, 0, 0, keys->public_key, KEY_BYTES);
}

/* The next thing that the federation says. Valid until the next call. */
static const batch_entry_t *realm_hear(realm_t *realm) {
    for (;;) {
        if (realm->has_message) {
            realm->entry = batch_next(zmq_msg_data(&realm->message), zmq_msg_size(&realm->message),
                                      realm->entry);
            if (realm->entry != NULL)
                return realm->entry;
            (void)zmq_msg_close(&realm->message);
            realm->has_message = false;
        }
        (void)zmq_msg_init(&realm->message);
        cr_assert_geq(zmq_msg_recv(&realm->message, realm->pull, 0), 0, "nothing was said");
        handoff_acquire(zmq_msg_data(&realm->message));
        realm->has_message = true;
    }
}

static const batch_entry_t *realm_expect(realm_t *realm, uint32_t kind, uint64_t subject) {
    const batch_entry_t *entry = realm_hear(realm);
    cr_assert_eq(entry->kind, kind, "kind %u, not %u", entry->kind, kind);
    cr_assert_eq(entry->subject, subject);
    return entry;
}

static void realm_expect_lost(realm_t *realm, uint64_t id, dial_error_t error) {
    const batch_entry_t *entry = realm_expect(realm, FED_DIAL_LOST, id);
    cr_assert_eq(entry->detail, error, "error %d, not %d", (int)entry->detail, (int)error);
}

/* A frame over the ROUTER; returns its route. */
static uint64_t realm_expect_frame(realm_t *realm, const key_pair_t *from, const char *text) {
    const batch_entry_t *entry = realm_hear(realm);
    const char *payload = batch_payload(entry);
    cr_assert_eq(entry->kind, FED_FRAME);
    cr_assert_eq(entry->detail, 0);
    cr_assert_eq(entry->payload_bytes, KEY_BYTES + strlen(text));
    cr_assert_arr_eq(payload, from->public_key, KEY_BYTES);
    cr_assert_arr_eq(payload + KEY_BYTES, text, strlen(text));
    return entry->subject;
}

static void realm_stop(realm_t *realm) {
    if (realm->has_message)
        (void)zmq_msg_close(&realm->message);
    federation_destroy(&realm->federation);
    cr_assert_null(realm->federation);
    (void)zsys_close(realm->pull, NULL, 0);
    (void)zsys_close(realm->push, NULL, 0);
    batch_deinit(&realm->batch);
    cr_assert_eq(zmq_ctx_term(realm->peers), 0);
}

static void realm_end(realm_t *realm) {
    realm_tell(realm, FED_STOP, 0, 0, NULL, 0);
    (void)realm_expect(realm, FED_STOPPED, 0);
    realm_stop(realm);
}

/* ---- peers ---- */

static void peer_monitor(peer_t *peer, void *context) {
    char endpoint[64];
    (void)snprintf(endpoint, sizeof endpoint, "inproc://monitor-%p", peer->socket);
    cr_assert_eq(zmq_socket_monitor(peer->socket, endpoint, ZMQ_EVENT_ALL), 0);
    peer->monitor = zmq_socket(context, ZMQ_PAIR);
    cr_assert_eq(zmq_connect(peer->monitor, endpoint), 0);
    socket_set(peer->monitor, ZMQ_RCVTIMEO, WAIT_MS);
}

static peer_t peer_new(const realm_t *realm, int type) {
    peer_t peer = {.socket = zmq_socket(realm->peers, type)};
    socket_set(peer.socket, ZMQ_LINGER, 0);
    socket_set(peer.socket, ZMQ_RCVTIMEO, WAIT_MS);
    socket_set(peer.socket, ZMQ_SNDTIMEO, WAIT_MS);
    peer_monitor(&peer, realm->peers);
    return peer;
}

static void peer_keys(peer_t *peer, const key_pair_t *keys) {
    cr_assert_eq(zmq_setsockopt(peer->socket, ZMQ_CURVE_PUBLICKEY, keys->public_key, KEY_BYTES), 0);
    cr_assert_eq(zmq_setsockopt(peer->socket, ZMQ_CURVE_SECRETKEY, keys->secret_key, KEY_BYTES), 0);
}

static void peer_connect(peer_t *peer, const realm_t *realm) {
    char endpoint[128];
    (void)snprintf(endpoint, sizeof endpoint, "tcp://%s", federation_address(realm->federation));
    cr_assert_eq(zmq_connect(peer->socket, endpoint), 0);
}

static peer_t peer_client_bare(const realm_t *realm, const key_pair_t *keys) {
    peer_t peer = peer_new(realm, ZMQ_DEALER);
    peer_keys(&peer, keys);
    cr_assert_eq(
        zmq_setsockopt(peer.socket, ZMQ_CURVE_SERVERKEY, realm->keys.public_key, KEY_BYTES), 0);
    return peer;
}

/* A peer's DEALER, dialling our ROUTER. */
static peer_t peer_client(const realm_t *realm, const key_pair_t *keys) {
    peer_t peer = peer_client_bare(realm, keys);
    peer_connect(&peer, realm);
    return peer;
}

static void peer_bind(peer_t *peer, const char *endpoint) {
    size_t length = sizeof peer->endpoint;
    cr_assert_eq(zmq_bind(peer->socket, endpoint), 0);
    cr_assert_eq(zmq_getsockopt(peer->socket, ZMQ_LAST_ENDPOINT, peer->endpoint, &length), 0);
    peer->port = (uint16_t)atoi(strrchr(peer->endpoint, ':') + 1);
}

/* A peer's ROUTER, for our dials. */
static peer_t peer_server(const realm_t *realm, const key_pair_t *keys, const char *endpoint) {
    peer_t peer = peer_new(realm, ZMQ_ROUTER);
    peer_keys(&peer, keys);
    socket_set(peer.socket, ZMQ_CURVE_SERVER, 1);
    socket_set(peer.socket, ZMQ_IPV6, 1);
    peer_bind(&peer, endpoint);
    return peer;
}

static void peer_close(peer_t *peer) {
    (void)zmq_socket_monitor(peer->socket, NULL, 0);
    (void)zmq_close(peer->socket);
    (void)zmq_close(peer->monitor);
}

static void peer_say(peer_t *peer, const char *text) {
    cr_assert_geq(zmq_send(peer->socket, text, strlen(text), 0), 0);
}

static void peer_expect(peer_t *peer, const char *text) {
    char frame[64];
    int length = zmq_recv(peer->socket, frame, sizeof frame, 0);
    cr_assert_eq(length, (int)strlen(text));
    cr_assert_arr_eq(frame, text, strlen(text));
}

/* Waits for one of these events of the peer's socket. */
static void peer_await(peer_t *peer, int events) {
    uint16_t event = 0;
    while ((event & events) == 0) {
        char head[6];
        char endpoint[128];
        cr_assert_eq(zmq_recv(peer->monitor, head, sizeof head, 0), (int)sizeof head);
        memcpy(&event, head, sizeof event);
        cr_assert_geq(zmq_recv(peer->monitor, endpoint, sizeof endpoint, 0), 0);
    }
}

/* A socket that listens and never says a word; its port in *port. */
static int mute_listen(uint16_t *port) {
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    cr_assert_eq(bind(descriptor, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(descriptor, 64), 0);
    cr_assert_eq(getsockname(descriptor, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return descriptor;
}

static uint16_t dead_port(void) {
    uint16_t port = 0;
    (void)close(mute_listen(&port));
    return port;
}

/* ---- the log ---- */

/* From here on standard error goes into a pipe; returns the end to read. */
static int log_capture(void) {
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    cr_assert_geq(dup2(ends[1], STDERR_FILENO), 0);
    (void)close(ends[1]);
    return ends[0];
}

/* Waits until the log has said this. */
static void log_await(int log, const char *words) {
    static char text[16384];
    size_t length = 0;
    int64_t end_ms = zclock_mono() + WAIT_MS;
    while (strstr(text, words) == NULL) {
        struct pollfd item = {.fd = log, .events = POLLIN};
        cr_assert_lt(zclock_mono(), end_ms, "not in the log: %s", words);
        if (poll(&item, 1, 100) == 1) {
            ssize_t bytes = read(log, text + length, sizeof text - 1 - length);
            cr_assert_gt(bytes, 0);
            length += (size_t)bytes;
        }
    }
}

/* ---- peers that dial us ---- */

Test(federation, allowed_key_is_heard_and_answered) {
    realm_t realm = realm_start();
    key_pair_t keys = key_pair_make();
    realm_allow(&realm, &keys);
    peer_t peer = peer_client(&realm, &keys);
    peer_say(&peer, "hello");
    uint64_t route = realm_expect_frame(&realm, &keys, "hello");
    realm_tell(&realm, FED_SEND, route, 0, "welcome", 7);
    peer_expect(&peer, "welcome");
    peer_close(&peer);
    realm_end(&realm);
}

Test(federation, key_is_refused_until_it_is_allowed) {
    realm_t realm = realm_start();
    key_pair_t keys = key_pair_make();
    peer_t peer = peer_client(&realm, &keys);
    peer_say(&peer, "never heard");
    peer_await(&peer, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
    peer_close(&peer);
    realm_allow(&realm, &keys);
    peer = peer_client(&realm, &keys);
    peer_say(&peer, "heard");
    (void)realm_expect_frame(&realm, &keys, "heard");
    peer_close(&peer);
    realm_end(&realm);
}

Test(federation, denied_key_keeps_its_session_but_gets_no_new_one) {
    realm_t realm = realm_start();
    key_pair_t keys = key_pair_make();
    realm_allow(&realm, &keys);
    peer_t old = peer_client(&realm, &keys);
    peer_say(&old, "before");
    (void)realm_expect_frame(&realm, &keys, "before");
    realm_tell(&realm, FED_DENY, 0, 0, keys.public_key, KEY_BYTES);
    /* The answer proves that the denial, which is older, has been taken. */
    key_pair_t other = key_pair_make();
    realm_allow(&realm, &other);
    peer_t witness = peer_client(&realm, &other);
    peer_say(&witness, "witness");
    (void)realm_expect_frame(&realm, &other, "witness");
    peer_t new = peer_client(&realm, &keys);
    peer_await(&new, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
    peer_say(&old, "after");
    (void)realm_expect_frame(&realm, &keys, "after");
    peer_close(&witness);
    peer_close(&new);
    peer_close(&old);
    realm_end(&realm);
}

Test(federation, accept_any_takes_every_key_that_is_proved) {
    realm_t realm;
    realm_open(&realm, true, "127.0.0.1:0");
    key_pair_t keys = key_pair_make();
    peer_t peer = peer_client(&realm, &keys);
    peer_say(&peer, "unknown");
    (void)realm_expect_frame(&realm, &keys, "unknown");
    peer_close(&peer);
    realm_end(&realm);
}

Test(federation, plain_socket_gets_nowhere) {
    realm_t realm;
    realm_open(&realm, true, "127.0.0.1:0");
    peer_t peer = peer_new(&realm, ZMQ_DEALER);
    peer_connect(&peer, &realm);
    peer_say(&peer, "in the clear");
    peer_await(&peer, ZMQ_EVENT_DISCONNECTED);
    peer_close(&peer);
    realm_end(&realm);
}

Test(federation, wrong_server_key_gets_nowhere) {
    realm_t realm;
    realm_open(&realm, true, "127.0.0.1:0");
    key_pair_t keys = key_pair_make();
    key_pair_t wrong = key_pair_make();
    peer_t peer = peer_client_bare(&realm, &keys);
    (void)zmq_setsockopt(peer.socket, ZMQ_CURVE_SERVERKEY, wrong.public_key, KEY_BYTES);
    peer_connect(&peer, &realm);
    peer_say(&peer, "to another");
    peer_await(&peer, ZMQ_EVENT_DISCONNECTED);
    peer_close(&peer);
    realm_end(&realm);
}

Test(federation, routing_id_of_own_choice_is_dropped_and_counted) {
    realm_t realm = realm_start();
    int log = log_capture();
    key_pair_t keys = key_pair_make();
    realm_allow(&realm, &keys);
    peer_t peer = peer_client_bare(&realm, &keys);
    cr_assert_eq(zmq_setsockopt(peer.socket, ZMQ_ROUTING_ID, "myself", 6), 0);
    peer_connect(&peer, &realm);
    peer_say(&peer, "from myself");
    log_await(log, "stranger=1");
    peer_close(&peer);
    realm_end(&realm);
}

Test(federation, message_of_two_frames_is_dropped_and_counted) {
    realm_t realm = realm_start();
    int log = log_capture();
    key_pair_t keys = key_pair_make();
    realm_allow(&realm, &keys);
    peer_t peer = peer_client(&realm, &keys);
    cr_assert_geq(zmq_send(peer.socket, "one", 3, ZMQ_SNDMORE), 0);
    cr_assert_geq(zmq_send(peer.socket, "two", 3, ZMQ_SNDMORE), 0);
    peer_say(&peer, "three");
    log_await(log, "multipart=1");
    peer_say(&peer, "whole");
    (void)realm_expect_frame(&realm, &keys, "whole");
    peer_close(&peer);
    realm_end(&realm);
}

Test(federation, largest_frame_passes_and_a_larger_one_ends_the_session) {
    realm_t realm = realm_start();
    key_pair_t keys = key_pair_make();
    realm_allow(&realm, &keys);
    peer_t peer = peer_client(&realm, &keys);
    char *frame = calloc(1, PEER_FRAME_BYTES_MAX + 1);
    frame[PEER_FRAME_BYTES_MAX - 1] = 'x';
    cr_assert_geq(zmq_send(peer.socket, frame, PEER_FRAME_BYTES_MAX, 0), 0);
    const batch_entry_t *entry = realm_hear(&realm);
    cr_assert_eq(entry->payload_bytes, KEY_BYTES + PEER_FRAME_BYTES_MAX);
    cr_assert_arr_eq((const char *)batch_payload(entry) + KEY_BYTES, frame, PEER_FRAME_BYTES_MAX);
    uint64_t route = entry->subject;
    realm_tell(&realm, FED_SEND, route, 0, frame, PEER_FRAME_BYTES_MAX);
    cr_assert_eq(zmq_recv(peer.socket, frame, PEER_FRAME_BYTES_MAX, 0), PEER_FRAME_BYTES_MAX);
    cr_assert_geq(zmq_send(peer.socket, frame, PEER_FRAME_BYTES_MAX + 1, 0), 0);
    peer_await(&peer, ZMQ_EVENT_DISCONNECTED);
    free(frame);
    peer_close(&peer);
    realm_end(&realm);
}

Test(federation, frame_for_a_route_that_is_gone_is_counted) {
    realm_t realm = realm_start();
    int log = log_capture();
    realm_tell(&realm, FED_SEND, 77, 0, "nobody", 6);
    log_await(log, "gone=1");
    realm_end(&realm);
}

Test(federation, frames_of_one_peer_stay_in_order_while_the_actor_is_behind) {
    enum { FRAMES = 30000, FRAME_BYTES = 1024 };
    realm_t realm = realm_start();
    key_pair_t keys = key_pair_make();
    realm_allow(&realm, &keys);
    peer_t peer = peer_client(&realm, &keys);
    char frame[FRAME_BYTES] = {0};
    uint32_t sent = 0;
    /* Nobody takes anything until the peer's queue stays full. */
    socket_set(peer.socket, ZMQ_SNDTIMEO, 500);
    for (memcpy(frame, &sent, sizeof sent); sent < FRAMES; memcpy(frame, &sent, sizeof sent)) {
        if (zmq_send(peer.socket, frame, sizeof frame, 0) < 0)
            break;
        sent++;
    }
    cr_assert_lt(sent, FRAMES, "the federation buffers without bound");
    for (uint32_t i = 0; i < sent; i++) {
        const batch_entry_t *entry = realm_hear(&realm);
        cr_assert_eq(entry->kind, FED_FRAME);
        cr_assert_arr_eq((const char *)batch_payload(entry) + KEY_BYTES, &i, sizeof i);
    }
    peer_close(&peer);
    realm_end(&realm);
}

/* ---- our dials ---- */

Test(federation, dial_reaches_the_key_and_frames_go_both_ways) {
    realm_t realm = realm_start();
    key_pair_t keys = key_pair_make();
    peer_t peer = peer_server(&realm, &keys, "tcp://127.0.0.1:*");
    realm_dial(&realm, 7, &keys, peer.port);
    (void)realm_expect(&realm, FED_DIALLED, 7);
    realm_tell(&realm, FED_SEND, 7, 1, "ping", 4);
    char route[64];
    int length = zmq_recv(peer.socket, route, sizeof route, 0);
    cr_assert_gt(length, 0);
    peer_expect(&peer, "ping");
    cr_assert_geq(zmq_send(peer.socket, route, (size_t)length, ZMQ_SNDMORE), 0);
    peer_say(&peer, "pong");
    const batch_entry_t *entry = realm_expect(&realm, FED_FRAME, 7);
    cr_assert_eq(entry->detail, 1);
    cr_assert_eq(entry->payload_bytes, KEY_BYTES + 4);
    cr_assert_arr_eq(batch_payload(entry), keys.public_key, KEY_BYTES);
    cr_assert_arr_eq((const char *)batch_payload(entry) + KEY_BYTES, "pong", 4);
    peer_close(&peer);
    realm_expect_lost(&realm, 7, DIAL_BROKEN);
    realm_end(&realm);
}

Test(federation, dial_by_name) {
    realm_t realm = realm_start();
    key_pair_t keys = key_pair_make();
    peer_t peer = peer_server(&realm, &keys, "tcp://127.0.0.1:*");
    realm_add_dial(&realm, 1, &keys, "localhost", peer.port);
    realm_add(&realm, FED_SEND, 1, 1, "early", 5);
    realm_flush(&realm);
    (void)realm_expect(&realm, FED_DIALLED, 1);
    char route[64];
    cr_assert_gt(zmq_recv(peer.socket, route, sizeof route, 0), 0);
    peer_expect(&peer, "early");
    peer_close(&peer);
    realm_expect_lost(&realm, 1, DIAL_BROKEN);
    realm_end(&realm);
}

static bool has_ipv6(void) {
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    int descriptor = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool bound = bind(descriptor, (struct sockaddr *)&address, sizeof address) == 0;
    (void)close(descriptor);
    return bound;
}

Test(federation, ipv6_both_ways) {
    if (!has_ipv6())
        return;
    realm_t realm;
    realm_open(&realm, true, "[::1]:0");
    cr_assert_eq(strncmp(federation_address(realm.federation), "[::1]:", 6), 0);
    key_pair_t keys = key_pair_make();
    peer_t client = peer_client_bare(&realm, &keys);
    socket_set(client.socket, ZMQ_IPV6, 1);
    peer_connect(&client, &realm);
    peer_say(&client, "six");
    (void)realm_expect_frame(&realm, &keys, "six");
    peer_t server = peer_server(&realm, &keys, "tcp://[::1]:*");
    realm_add_dial(&realm, 1, &keys, "::1", server.port);
    realm_flush(&realm);
    (void)realm_expect(&realm, FED_DIALLED, 1);
    peer_close(&client);
    peer_close(&server);
    realm_expect_lost(&realm, 1, DIAL_BROKEN);
    realm_end(&realm);
}

Test(federation, dial_to_a_dead_port_is_refused_at_once) {
    realm_t realm = realm_start();
    key_pair_t keys = key_pair_make();
    int64_t start_ms = zclock_mono();
    realm_dial(&realm, 3, &keys, dead_port());
    realm_expect_lost(&realm, 3, DIAL_REFUSED);
    cr_assert_lt(zclock_mono() - start_ms, HANDSHAKE_MS / 2);
    realm_end(&realm);
}

Test(federation, dial_to_a_mute_port_times_out) {
    realm_t realm = realm_start();
    key_pair_t keys = key_pair_make();
    uint16_t port = 0;
    int mute = mute_listen(&port);
    int64_t start_ms = zclock_mono();
    realm_dial(&realm, 4, &keys, port);
    realm_expect_lost(&realm, 4, DIAL_TIMEOUT);
    int64_t took_ms = zclock_mono() - start_ms;
    cr_assert_geq(took_ms, HANDSHAKE_MS);
    cr_assert_lt(took_ms, HANDSHAKE_MS + 1000);
    (void)close(mute);
    realm_end(&realm);
}

Test(federation, dial_to_another_key_is_told_apart) {
    realm_t realm = realm_start();
    key_pair_t keys = key_pair_make();
    key_pair_t expected = key_pair_make();
    peer_t peer = peer_server(&realm, &keys, "tcp://127.0.0.1:*");
    realm_dial(&realm, 5, &expected, peer.port);
    realm_expect_lost(&realm, 5, DIAL_WRONG_KEY);
    peer_close(&peer);
    realm_end(&realm);
}

Test(federation, dial_to_a_plain_socket_is_a_wrong_key) {
    realm_t realm = realm_start();
    key_pair_t expected = key_pair_make();
    peer_t peer = peer_new(&realm, ZMQ_ROUTER);
    peer_bind(&peer, "tcp://127.0.0.1:*");
    realm_dial(&realm, 5, &expected, peer.port);
    realm_expect_lost(&realm, 5, DIAL_WRONG_KEY);
    peer_close(&peer);
    realm_end(&realm);
}

/* Refuses one key in the name of a peer. */
static void zap_refuse(void *zap) {
    char parts[7][256];
    int lengths[7];
    for (int i = 0; i < 7; i++) {
        lengths[i] = zmq_recv(zap, parts[i], sizeof parts[i], 0);
        cr_assert_geq(lengths[i], 0);
    }
    cr_assert_geq(zmq_send(zap, "1.0", 3, ZMQ_SNDMORE), 0);
    cr_assert_geq(zmq_send(zap, parts[1], (size_t)lengths[1], ZMQ_SNDMORE), 0);
    cr_assert_geq(zmq_send(zap, "400", 3, ZMQ_SNDMORE), 0);
    cr_assert_geq(zmq_send(zap, "no", 2, ZMQ_SNDMORE), 0);
    cr_assert_geq(zmq_send(zap, "", 0, ZMQ_SNDMORE), 0);
    cr_assert_geq(zmq_send(zap, "", 0, 0), 0);
}

Test(federation, dial_that_the_peer_refuses_is_rejected_every_time) {
    enum { TIMES = 20 };
    realm_t realm = realm_start();
    key_pair_t keys = key_pair_make();
    void *zap = zmq_socket(realm.peers, ZMQ_REP);
    socket_set(zap, ZMQ_RCVTIMEO, WAIT_MS);
    cr_assert_eq(zmq_bind(zap, ZAP_ENDPOINT), 0);
    peer_t peer = peer_server(&realm, &keys, "tcp://127.0.0.1:*");
    for (uint64_t id = 1; id <= TIMES; id++) {
        realm_dial(&realm, id, &keys, peer.port);
        zap_refuse(zap);
        realm_expect_lost(&realm, id, DIAL_REJECTED);
    }
    peer_close(&peer);
    (void)zmq_close(zap);
    realm_end(&realm);
}

Test(federation, dial_to_ourselves_is_rejected_unless_our_key_is_allowed) {
    realm_t realm = realm_start();
    const char *address = federation_address(realm.federation);
    uint16_t port = (uint16_t)atoi(strrchr(address, ':') + 1);
    realm_dial(&realm, 1, &realm.keys, port);
    realm_expect_lost(&realm, 1, DIAL_REJECTED);
    realm_allow(&realm, &realm.keys);
    realm_dial(&realm, 2, &realm.keys, port);
    (void)realm_expect(&realm, FED_DIALLED, 2);
    realm_end(&realm);
}

Test(federation, host_that_does_not_resolve_is_told_apart) {
    realm_t realm = realm_start();
    key_pair_t keys = key_pair_make();
    /* No name service is asked for a label of 64 letters or a space. */
    realm_add_dial(&realm, 1, &keys,
                   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test", 9100);
    realm_flush(&realm);
    realm_expect_lost(&realm, 1, DIAL_UNRESOLVED);
    realm_add_dial(&realm, 2, &keys, "", 9100);
    realm_flush(&realm);
    realm_expect_lost(&realm, 2, DIAL_UNRESOLVED);
    realm_end(&realm);
}

#define FILES_MAX 256

/* Takes every descriptor that the process may still have; returns how many. */
static size_t files_take(int taken[FILES_MAX]) {
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = FILES_MAX;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    size_t count = 0;
    while ((taken[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        count++;
    cr_assert_eq(errno, EMFILE);
    return count;
}

Test(federation, dial_without_a_descriptor_left_fails_and_the_rest_goes_on) {
    realm_t realm = realm_start();
    key_pair_t keys = key_pair_make();
    realm_allow(&realm, &keys);
    peer_t peer = peer_client(&realm, &keys);
    peer_say(&peer, "before");
    (void)realm_expect_frame(&realm, &keys, "before");
    int taken[FILES_MAX];
    size_t count = files_take(taken);
    realm_dial(&realm, 1, &keys, 9);
    realm_expect_lost(&realm, 1, DIAL_UNRESOLVED);
    realm_add_dial(&realm, 2, &keys, "localhost", 9);
    realm_flush(&realm);
    realm_expect_lost(&realm, 2, DIAL_TIMEOUT);
    peer_say(&peer, "after");
    (void)realm_expect_frame(&realm, &keys, "after");
    while (count > 0)
        (void)close(taken[--count]);
    peer_close(&peer);
    realm_end(&realm);
}

Test(federation, hang_up_closes_and_says_nothing) {
    realm_t realm = realm_start();
    key_pair_t keys = key_pair_make();
    peer_t peer = peer_server(&realm, &keys, "tcp://127.0.0.1:*");
    realm_dial(&realm, 6, &keys, peer.port);
    (void)realm_expect(&realm, FED_DIALLED, 6);
    realm_add(&realm, FED_SEND, 6, 1, "bye", 3);
    realm_add(&realm, FED_HANG_UP, 6, 0, NULL, 0);
    realm_add(&realm, FED_HANG_UP, 6, 0, NULL, 0);
    realm_flush(&realm);
    char route[64];
    cr_assert_gt(zmq_recv(peer.socket, route, sizeof route, 0), 0);
    peer_expect(&peer, "bye");
    peer_await(&peer, ZMQ_EVENT_DISCONNECTED);
    peer_close(&peer);
    realm_end(&realm);
}

Test(federation, hundred_dials_at_once_each_find_their_own_end) {
    enum { DIALS = 100 };
    realm_t realm = realm_start();
    key_pair_t keys = key_pair_make();
    key_pair_t other = key_pair_make();
    peer_t peer = peer_server(&realm, &keys, "tcp://127.0.0.1:*");
    uint16_t dead = dead_port();
    for (uint64_t id = 0; id < DIALS; id++)
        realm_add_dial(&realm, id, id % 4 == 1 ? &other : &keys, "127.0.0.1",
                       id % 4 == 2 ? dead : peer.port);
    realm_flush(&realm);
    for (int i = 0; i < DIALS; i++) {
        const batch_entry_t *entry = realm_hear(&realm);
        uint64_t end = entry->subject % 4;
        cr_assert_eq(entry->kind, end == 1 || end == 2 ? FED_DIAL_LOST : FED_DIALLED);
        cr_assert_eq(entry->detail, end == 1 ? DIAL_WRONG_KEY : end == 2 ? DIAL_REFUSED : 0);
        if (entry->kind == FED_DIALLED)
            realm_tell(&realm, FED_SEND, entry->subject, 1, "hi", 2);
    }
    for (int i = 0; i < DIALS / 2; i++) {
        char route[64];
        int length = zmq_recv(peer.socket, route, sizeof route, 0);
        cr_assert_gt(length, 0);
        peer_expect(&peer, "hi");
        cr_assert_geq(zmq_send(peer.socket, route, (size_t)length, ZMQ_SNDMORE), 0);
        peer_say(&peer, "you");
    }
    bool heard[DIALS] = {false};
    for (int i = 0; i < DIALS / 2; i++) {
        const batch_entry_t *entry = realm_hear(&realm);
        cr_assert_eq(entry->kind, FED_FRAME);
        cr_assert_not(heard[entry->subject]);
        heard[entry->subject] = true;
    }
    peer_close(&peer);
    for (int i = 0; i < DIALS / 2; i++) {
        const batch_entry_t *entry = realm_hear(&realm);
        cr_assert_eq(entry->kind, FED_DIAL_LOST);
        cr_assert_eq(entry->detail, DIAL_BROKEN);
    }
    realm_end(&realm);
}

/* A peer's ROUTER with so many of our dials, numbered from 0, all of them up. The routes that the
 * peer knows them by go into `routes`. */
enum { ROUTE_BYTES = 5 };

static peer_t peer_of_dials(realm_t *realm, const key_pair_t *keys, uint64_t count,
                            char routes[][ROUTE_BYTES]) {
    peer_t peer = peer_server(realm, keys, "tcp://127.0.0.1:*");
    for (uint64_t id = 0; id < count; id++)
        realm_add_dial(realm, id, keys, "127.0.0.1", peer.port);
    realm_flush(realm);
    for (uint64_t id = 0; id < count; id++) {
        uint64_t dialled = realm_hear(realm)->subject;
        realm_tell(realm, FED_SEND, dialled, 1, &dialled, sizeof dialled);
    }
    for (uint64_t i = 0; i < count; i++) {
        char route[ROUTE_BYTES];
        uint64_t id = 0;
        cr_assert_eq(zmq_recv(peer.socket, route, sizeof route, 0), ROUTE_BYTES);
        cr_assert_eq(zmq_recv(peer.socket, &id, sizeof id, 0), (int)sizeof id);
        cr_assert_lt(id, count);
        memcpy(routes[id], route, sizeof route);
    }
    return peer;
}

static void peer_answer(peer_t *peer, const char *route, const void *frame, size_t bytes) {
    cr_assert_eq(zmq_send(peer->socket, route, ROUTE_BYTES, ZMQ_SNDMORE), ROUTE_BYTES);
    cr_assert_eq(zmq_send(peer->socket, frame, bytes, 0), (int)bytes);
}

/* What comes while something else goes out over the same socket wakes nobody by itself. */
Test(federation, dials_that_send_and_hear_at_once_miss_nothing) {
    enum { DIALS = 50, ROUNDS = 100, ANSWERS = 2, AHEAD = 3 };
    realm_t realm = realm_start();
    key_pair_t keys = key_pair_make();
    char routes[DIALS][ROUTE_BYTES];
    peer_t peer = peer_of_dials(&realm, &keys, DIALS, routes);
    uint32_t heard[DIALS] = {0};
    for (int round = 0; round < ROUNDS + AHEAD; round++) {
        for (uint64_t id = 0; round < ROUNDS && id < DIALS; id++)
            realm_tell(&realm, FED_SEND, id, 1, &id, sizeof id);
        for (int i = 0; round < ROUNDS && i < DIALS; i++) {
            char route[ROUTE_BYTES];
            uint64_t id = 0;
            cr_assert_eq(zmq_recv(peer.socket, route, sizeof route, 0), ROUTE_BYTES);
            cr_assert_eq(zmq_recv(peer.socket, &id, sizeof id, 0), (int)sizeof id);
            for (int j = 0; j < ANSWERS; j++)
                peer_answer(&peer, route, &id, sizeof id);
        }
        for (int i = 0; round >= AHEAD && i < DIALS * ANSWERS; i++) {
            const batch_entry_t *entry = realm_hear(&realm);
            cr_assert_eq(entry->kind, FED_FRAME);
            heard[entry->subject]++;
        }
    }
    for (int id = 0; id < DIALS; id++)
        cr_assert_eq(heard[id], ROUNDS * ANSWERS);
    peer_close(&peer);
    for (int i = 0; i < DIALS; i++)
        cr_assert_eq(realm_hear(&realm)->kind, FED_DIAL_LOST);
    realm_end(&realm);
}

Test(federation, dials_are_heard_in_order_once_the_actor_is_no_longer_behind) {
    enum { DIALS = 4, FRAMES = 800, FRAME_BYTES = 16 * 1024 };
    realm_t realm = realm_start();
    key_pair_t keys = key_pair_make();
    char routes[DIALS][ROUTE_BYTES];
    peer_t peer = peer_of_dials(&realm, &keys, DIALS, routes);
    char *frame = calloc(1, FRAME_BYTES);
    for (uint32_t number = 0; number < FRAMES; number++) {
        memcpy(frame, &number, sizeof number);
        for (int id = 0; id < DIALS; id++)
            peer_answer(&peer, routes[id], frame, FRAME_BYTES);
    }
    free(frame);
    uint32_t heard[DIALS] = {0};
    for (int i = 0; i < DIALS * FRAMES; i++) {
        const batch_entry_t *entry = realm_hear(&realm);
        cr_assert_eq(entry->kind, FED_FRAME);
        cr_assert_arr_eq((const char *)batch_payload(entry) + KEY_BYTES, &heard[entry->subject],
                         sizeof heard[0]);
        heard[entry->subject]++;
    }
    peer_close(&peer);
    for (int i = 0; i < DIALS; i++)
        cr_assert_eq(realm_hear(&realm)->kind, FED_DIAL_LOST);
    realm_end(&realm);
}

Test(federation, dials_that_wait_for_a_name_end_in_time_however_many) {
    enum { DIALS = 100 };
    realm_t realm = realm_start();
    key_pair_t keys = key_pair_make();
    peer_t peer = peer_server(&realm, &keys, "tcp://127.0.0.1:*");
    for (uint64_t id = 0; id < DIALS; id++)
        realm_add_dial(&realm, id, &keys, id % 2 == 0 ? "localhost" : "", peer.port);
    realm_flush(&realm);
    for (int i = 0; i < DIALS; i++) {
        const batch_entry_t *entry = realm_hear(&realm);
        cr_assert_eq(entry->kind, entry->subject % 2 == 0 ? FED_DIALLED : FED_DIAL_LOST);
        cr_assert_eq(entry->detail, entry->subject % 2 == 0 ? 0 : DIAL_UNRESOLVED);
    }
    peer_close(&peer);
    for (int i = 0; i < DIALS / 2; i++)
        cr_assert_eq(realm_hear(&realm)->kind, FED_DIAL_LOST);
    realm_end(&realm);
}

/* ---- birth and death ---- */

Test(federation, stop_lets_what_was_handed_over_go_out) {
    enum { FRAMES = 20, FRAME_BYTES = 64 * 1024 };
    realm_t realm = realm_start();
    key_pair_t keys = key_pair_make();
    peer_t peer = peer_server(&realm, &keys, "tcp://127.0.0.1:*");
    realm_dial(&realm, 1, &keys, peer.port);
    (void)realm_expect(&realm, FED_DIALLED, 1);
    char *frame = calloc(1, FRAME_BYTES);
    for (int i = 0; i < FRAMES; i++)
        realm_add(&realm, FED_SEND, 1, 1, frame, FRAME_BYTES);
    realm_add(&realm, FED_STOP, 0, 0, NULL, 0);
    realm_flush(&realm);
    (void)realm_expect(&realm, FED_STOPPED, 0);
    for (int i = 0; i < FRAMES; i++) {
        char route[64];
        cr_assert_gt(zmq_recv(peer.socket, route, sizeof route, 0), 0);
        cr_assert_eq(zmq_recv(peer.socket, frame, FRAME_BYTES, 0), FRAME_BYTES);
    }
    free(frame);
    peer_close(&peer);
    realm_stop(&realm);
}

Test(federation, stop_does_not_wait_for_dials_or_for_the_actor) {
    realm_t realm = realm_start();
    key_pair_t keys = key_pair_make();
    uint16_t port = 0;
    int mute = mute_listen(&port);
    realm_add_dial(&realm, 1, &keys, "127.0.0.1", port);
    realm_add_dial(&realm, 2, &keys, "host.invalid", port);
    realm_add(&realm, FED_STOP, 0, 0, NULL, 0);
    int64_t start_ms = zclock_mono();
    realm_flush(&realm);
    realm_stop(&realm);
    cr_assert_lt(zclock_mono() - start_ms, 3000);
    (void)close(mute);
}

Test(federation, can_be_made_again_after_it_was_stopped) {
    for (int i = 0; i < 3; i++) {
        realm_t realm = realm_start();
        key_pair_t keys = key_pair_make();
        realm_allow(&realm, &keys);
        peer_t peer = peer_client(&realm, &keys);
        peer_say(&peer, "again");
        (void)realm_expect_frame(&realm, &keys, "again");
        peer_close(&peer);
        realm_tell(&realm, FED_STOP, 0, 0, NULL, 0);
        (void)realm_expect(&realm, FED_STOPPED, 0);
        (void)zmq_unbind(realm.pull, TO_ACTOR);
        realm_stop(&realm);
    }
}

static void expect_no_federation(const realm_t *realm, const char *address, const char *why) {
    const char *reason = NULL;
    federation_options_t options = realm_options(realm, address);
    options.from_actor = "inproc://test-another";
    cr_assert_null(federation_new(&options, &reason));
    cr_assert_str_eq(reason, why);
}

Test(federation, says_why_it_cannot_start) {
    realm_t realm = {.keys = key_pair_make()};
    random_start();
    uint16_t port = 0;
    int taken = mute_listen(&port);
    char address[32];
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", port);
    (void)federation_context();
    realm.pull = zsys_socket(ZMQ_PULL, NULL, 0);
    cr_assert_eq(zmq_bind(realm.pull, TO_ACTOR), 0);
    expect_no_federation(&realm, address, "the federation address is in use");
    expect_no_federation(&realm, "192.0.2.1:0",
                         "the federation address is not one of this machine");
    expect_no_federation(&realm, "127.0.0.1", "the federation address is not HOST:PORT");
    (void)zsys_close(realm.pull, NULL, 0);
    (void)close(taken);
}

Test(federation, second_one_in_a_process_is_refused) {
    realm_t realm = realm_start();
    expect_no_federation(&realm, "127.0.0.1:0", "there is already a federation in this process");
    realm_end(&realm);
}

Test(federation, leaves_signals_alone) {
    realm_t realm = realm_start();
    struct sigaction action;
    cr_assert_eq(sigaction(SIGTERM, NULL, &action), 0);
    cr_assert_eq(action.sa_handler, SIG_DFL);
    sigset_t blocked;
    cr_assert_eq(pthread_sigmask(SIG_BLOCK, NULL, &blocked), 0);
    cr_assert_eq(sigismember(&blocked, SIGTERM), 0);
    realm_end(&realm);
}
