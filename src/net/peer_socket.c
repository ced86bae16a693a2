/*
 * Makes the federation's sockets. It must never abort for want of descriptors: a realm at its
 * limit goes on with what it has.
 */
#include "peer_socket.h"

#include "base/assert.h"
#include "base/limits.h"

#include <czmq.h>

enum {
    KEEPALIVE_IDLE_S = 30,
    KEEPALIVE_INTERVAL_S = 10,
    KEEPALIVE_PROBES = 3,
    HANDSHAKE_GRACE_MS = 1000 /* a dial's own deadline comes first, so that it can name the end */
};

void *inner_socket_new(int type) {
    /* Not zsock_new: it asserts that there is a descriptor left. */
    void *socket = zsys_socket(type, NULL, 0);
    if (socket != NULL) {
        peer_socket_set(socket, ZMQ_LINGER, 0);
    }
    return socket;
}

void *peer_socket_new(int type) {
    void *socket = inner_socket_new(type);
    if (socket == NULL) {
        return NULL;
    }
    int64_t frame_bytes_max = (int64_t)PEER_FRAME_BYTES_MAX + PEER_CURVE_OVERHEAD_BYTES;
    int rc = zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &frame_bytes_max, sizeof frame_bytes_max);
    ASSERT(rc == 0);
    peer_socket_set(socket, ZMQ_SNDHWM, PEER_SOCKET_HWM);
    peer_socket_set(socket, ZMQ_RCVHWM, PEER_SOCKET_HWM);
    peer_socket_set(socket, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS + HANDSHAKE_GRACE_MS);
    peer_socket_set(socket, ZMQ_TCP_KEEPALIVE, 1);
    peer_socket_set(socket, ZMQ_TCP_KEEPALIVE_IDLE, KEEPALIVE_IDLE_S);
    peer_socket_set(socket, ZMQ_TCP_KEEPALIVE_INTVL, KEEPALIVE_INTERVAL_S);
    peer_socket_set(socket, ZMQ_TCP_KEEPALIVE_CNT, KEEPALIVE_PROBES);
    return socket;
}

void peer_socket_set(void *socket, int option, int value) {
    ASSERT(socket != NULL);
    int rc = zmq_setsockopt(socket, option, &value, sizeof value);
    ASSERT(rc == 0);
}

void peer_socket_set_keys(void *socket, const void *public_key, const void *secret_key) {
    int rc = zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public_key, KEY_BYTES);
    ASSERT(rc == 0);
    rc = zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret_key, KEY_BYTES);
    ASSERT(rc == 0);
}

bool part_receive(void *socket, zmq_msg_t *part) {
    (void)zmq_msg_init(part);
    if (zmq_msg_recv(part, socket, ZMQ_DONTWAIT) >= 0) {
        return true;
    }
    (void)zmq_msg_close(part);
    return false;
}

bool part_drop_rest(void *socket, zmq_msg_t *part) {
    bool more = zmq_msg_more(part) != 0;
    bool dropped = more;
    zmq_msg_t rest;
    while (more && part_receive(socket, &rest)) {
        more = zmq_msg_more(&rest) != 0;
        (void)zmq_msg_close(&rest);
    }
    return dropped;
}

peer_sent_t part_send(void *socket, const void *bytes, size_t length, int flags) {
    if (zmq_send(socket, bytes, length, flags | ZMQ_DONTWAIT) >= 0) {
        return PEER_SENT;
    }
    return zmq_errno() == EAGAIN ? PEER_FULL : PEER_GONE;
}

void peer_socket_close(void **socket, int linger_ms) {
    ASSERT(socket != NULL);
    if (*socket == NULL) {
        return;
    }
    peer_socket_set(*socket, ZMQ_LINGER, linger_ms);
    (void)zsys_close(*socket, NULL, 0);
    *socket = NULL;
}
