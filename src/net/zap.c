/*
 * Judges CURVE keys for libzmq. It must never let in anything that is not CURVE, not of our
 * domain, or malformed: whatever is not understood is refused.
 */
#include "zap.h"

#include "peer_socket.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/random.h"

#include <czmq.h>

#define ZAP_ENDPOINT "inproc://zeromq.zap.01"
#define ZAP_VERSION  "1.0"

struct zap {
    void *socket;
    map_t *allowed; /* key -> uint8_t */
    bool accept_any;
    zmsg_t *question; /* taken, not yet answered */
};

zap_t *zap_new(bool accept_any) {
    void *socket = inner_socket_new(ZMQ_REP);
    if (socket == NULL) {
        return NULL;
    }
    if (zmq_bind(socket, ZAP_ENDPOINT) != 0) {
        peer_socket_close(&socket, 0);
        return NULL;
    }
    uint8_t seed[16];
    random_bytes(seed, sizeof seed);
    zap_t *zap = memory_alloc(sizeof *zap);
    zap->socket = socket;
    zap->allowed = map_new(KEY_BYTES, sizeof(uint8_t), seed);
    zap->accept_any = accept_any;
    return zap;
}

void zap_destroy(zap_t **zap) {
    ASSERT(zap != NULL);
    if (*zap == NULL) {
        return;
    }
    /* A close frees the endpoint some time later, an unbind at once. */
    (void)zmq_unbind((*zap)->socket, ZAP_ENDPOINT);
    zmsg_destroy(&(*zap)->question);
    peer_socket_close(&(*zap)->socket, 0);
    map_destroy(&(*zap)->allowed);
    memory_free(*zap);
    *zap = NULL;
}

void *zap_socket(const zap_t *zap) {
    return zap->socket;
}

void zap_allow(zap_t *zap, const uint8_t key[KEY_BYTES]) {
    uint8_t *allowed = map_put(zap->allowed, key);
    *allowed = 1;
}

void zap_deny(zap_t *zap, const uint8_t key[KEY_BYTES]) {
    (void)map_remove(zap->allowed, key);
}

void zap_accept(zap_t *zap, bool any) {
    zap->accept_any = any;
}

/* The key in a question, or NULL if it is not to be let in. The question is version, request id,
 * domain, address, routing id, mechanism, key. */
static const uint8_t *zap_judge(const zap_t *zap, zmsg_t *question) {
    if (zmsg_size(question) != 7) {
        return NULL;
    }
    zframe_t *version = zmsg_first(question);
    (void)zmsg_next(question);
    zframe_t *domain = zmsg_next(question);
    (void)zmsg_next(question);
    (void)zmsg_next(question);
    zframe_t *mechanism = zmsg_next(question);
    zframe_t *key = zmsg_next(question);
    if (!zframe_streq(version, ZAP_VERSION) || !zframe_streq(domain, ZAP_DOMAIN) ||
        !zframe_streq(mechanism, "CURVE") || zframe_size(key) != KEY_BYTES) {
        return NULL;
    }
    const uint8_t *bytes = zframe_data(key);
    return zap->accept_any || map_get(zap->allowed, bytes) != NULL ? bytes : NULL;
}

/* The answer is version, request id, status, text, User-Id, metadata. */
static zmsg_t *zap_verdict(zmsg_t *question, const uint8_t *key) {
    char user[KEY_TEXT_BYTES + 1] = "";
    if (key != NULL) {
        crypto_key_text(user, key);
    }
    (void)zmsg_first(question);
    zframe_t *request = zmsg_next(question);
    zmsg_t *answer = zmsg_new();
    int rc = zmsg_addstr(answer, ZAP_VERSION);
    rc |= zmsg_addmem(answer, request != NULL ? zframe_data(request) : NULL,
                      request != NULL ? zframe_size(request) : 0);
    rc |= zmsg_addstr(answer, key != NULL ? "200" : "400");
    rc |= zmsg_addstr(answer, key != NULL ? "OK" : "unknown key");
    rc |= zmsg_addstr(answer, user);
    rc |= zmsg_addmem(answer, NULL, 0);
    ASSERT(rc == 0);
    return answer;
}

bool zap_ask(zap_t *zap) {
    ASSERT(zap->question == NULL);
    if ((zsock_events(zap->socket) & ZMQ_POLLIN) != 0) {
        zap->question = zmsg_recv(zap->socket);
    }
    return zap->question != NULL;
}

bool zap_answer(zap_t *zap) {
    ASSERT(zap->question != NULL);
    const uint8_t *key = zap_judge(zap, zap->question);
    zmsg_t *answer = zap_verdict(zap->question, key);
    zmsg_destroy(&zap->question);
    if (zmsg_send(&answer, zap->socket) != 0) {
        /* The session has gone meanwhile. */
        zmsg_destroy(&answer);
    }
    return key != NULL;
}
