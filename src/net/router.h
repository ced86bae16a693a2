/*
 * The ROUTER that peers dial: a CURVE server behind the ZAP handler. Owned by the federation
 * thread once it is open; nothing here blocks but router_open.
 */
#ifndef REALMGATE_NET_ROUTER_H
#define REALMGATE_NET_ROUTER_H

#include "net/federation.h"
#include "peer_socket.h"
#include "resolve.h"

typedef enum router_verdict {
    ROUTER_EMPTY,    /* nothing there */
    ROUTER_FRAME,    /* *frame, *route and *key are filled; the caller closes the frame */
    ROUTER_STRANGER, /* dropped: no key, or a routing id of the peer's own choice */
    ROUTER_MULTIPART /* dropped: more than one payload frame */
} router_verdict_t;

/* Binds options->address and writes the real one, "127.0.0.1:9100". The ZAP handler must be there
 * already. NULL and a sentence in *reason if it cannot. */
void *router_open(const federation_options_t *options, char address[ENDPOINT_BYTES],
                  const char **reason);

router_verdict_t router_receive(void *router, zmq_msg_t *frame, uint64_t *route,
                                uint8_t key[KEY_BYTES]);

peer_sent_t router_send(void *router, uint64_t route, const void *frame, size_t length);

#endif
