/*
 * The ROUTER socket. A route is the number that libzmq gave a session; a peer that chose its own
 * routing id must never be heard, for it could choose another's.
 */
#include "router.h"

#include "zap.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "base/text.h"

#include <czmq.h>
#include <string.h>

/* Zero and a number, most significant byte first. */
#define ROUTE_ID_BYTES 5

#define ENDPOINT_SCHEME "tcp://"

static const char *bind_reason(void) {
    switch (zmq_errno()) {
    case EADDRINUSE:
        return "the federation address is in use";
    case EADDRNOTAVAIL:
    case ENODEV:
        return "the federation address is not one of this machine";
    case EACCES:
        return "no permission to bind the federation address";
    default:
        return "the federation address cannot be bound";
    }
}

static const char *router_bind(void *router, const char *wanted, char address[ENDPOINT_BYTES]) {
    char host[ADDRESS_BYTES_MAX + 1];
    uint16_t port = 0;
    resolved_t resolved;
    if (!text_host_port(span_of(wanted), host, sizeof host, &port)) {
        return "the federation address is not HOST:PORT";
    }
    if (!resolve_name(&resolved, host, port)) {
        return "the federation address cannot be resolved";
    }
    const char *endpoint = resolved.endpoints[0];
    peer_socket_set(router, ZMQ_IPV6, endpoint[strlen(ENDPOINT_SCHEME)] == '[' ? 1 : 0);
    if (zmq_bind(router, endpoint) != 0) {
        return bind_reason();
    }
    char bound[ENDPOINT_BYTES];
    size_t length = sizeof bound;
    int rc = zmq_getsockopt(router, ZMQ_LAST_ENDPOINT, bound, &length);
    ASSERT(rc == 0 && length > strlen(ENDPOINT_SCHEME));
    memcpy(address, bound + strlen(ENDPOINT_SCHEME), length - strlen(ENDPOINT_SCHEME));
    return NULL;
}

void *router_open(const federation_options_t *options, char address[ENDPOINT_BYTES],
                  const char **reason) {
    void *router = peer_socket_new(ZMQ_ROUTER);
    if (router == NULL) {
        *reason = "no socket left for the federation";
        return NULL;
    }
    peer_socket_set(router, ZMQ_ROUTER_MANDATORY, 1);
    peer_socket_set(router, ZMQ_CURVE_SERVER, 1);
    peer_socket_set_keys(router, options->public_key, options->secret_key);
    int rc = zmq_setsockopt(router, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN, strlen(ZAP_DOMAIN));
    ASSERT(rc == 0);
    *reason = router_bind(router, options->address, address);
    if (*reason != NULL) {
        peer_socket_close(&router, 0);
    }
    return router;
}

static bool route_parse(zmq_msg_t *id, uint64_t *route) {
    const uint8_t *bytes = zmq_msg_data(id);
    if (zmq_msg_size(id) != ROUTE_ID_BYTES || bytes[0] != 0) {
        return false;
    }
    *route = (uint64_t)bytes[1] << 24 | (uint64_t)bytes[2] << 16 | (uint64_t)bytes[3] << 8 |
             (uint64_t)bytes[4];
    return true;
}

/* libzmq lets everybody in while there is no ZAP handler, but only a handler gives a User-Id: what
 * comes without one was never judged. */
static bool user_parse(zmq_msg_t *frame, uint8_t key[KEY_BYTES]) {
    const char *user = zmq_msg_gets(frame, "User-Id");
    return user != NULL && crypto_key_parse(key, user, strlen(user));
}

router_verdict_t router_receive(void *router, zmq_msg_t *frame, uint64_t *route,
                                uint8_t key[KEY_BYTES]) {
    zmq_msg_t id;
    if (!part_receive(router, &id)) {
        return ROUTER_EMPTY;
    }
    bool is_route = route_parse(&id, route);
    bool is_whole = zmq_msg_more(&id) != 0 && part_receive(router, frame);
    (void)zmq_msg_close(&id);
    if (!is_whole) {
        return ROUTER_MULTIPART;
    }
    router_verdict_t verdict = ROUTER_FRAME;
    if (part_drop_rest(router, frame)) {
        verdict = ROUTER_MULTIPART;
    } else if (!is_route || !user_parse(frame, key)) {
        verdict = ROUTER_STRANGER;
    }
    if (verdict != ROUTER_FRAME) {
        (void)zmq_msg_close(frame);
    }
    return verdict;
}

peer_sent_t router_send(void *router, uint64_t route, const void *frame, size_t length) {
    ASSERT(route <= UINT32_MAX);
    const uint8_t id[ROUTE_ID_BYTES] = {0, (uint8_t)(route >> 24), (uint8_t)(route >> 16),
                                        (uint8_t)(route >> 8), (uint8_t)route};
    peer_sent_t sent = part_send(router, id, sizeof id, ZMQ_SNDMORE);
    return sent == PEER_SENT ? part_send(router, frame, length, 0) : sent;
}
