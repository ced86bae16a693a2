/*
 * From a host and a port to ZeroMQ endpoints with numbers in them. libzmq would resolve a name in
 * its I/O thread, where every connection waits for it, and would not say that it failed; so names
 * are resolved here, each on a thread of its own that answers by a datagram.
 */
#ifndef REALMGATE_NET_RESOLVE_H
#define REALMGATE_NET_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#define RESOLVED_ENDPOINTS_MAX 4
#define ENDPOINT_BYTES         96

typedef struct resolved {
    uint64_t subject;                                       /* as given to resolve_start */
    uint32_t count;                                         /* 0: cannot be resolved */
    char endpoints[RESOLVED_ENDPOINTS_MAX][ENDPOINT_BYTES]; /* "tcp://[::1]:9100" */
} resolved_t;

/* Fills *resolved (but its subject) if the host is a numeric IPv4 or IPv6 address; returns whether
 * it is. Does not block. */
bool resolve_number(resolved_t *resolved, const char *host, uint16_t port);

/* The same for names too. Blocks as long as the name service takes: for the start of the process.
 * Returns false if there is no such host. */
bool resolve_name(resolved_t *resolved, const char *host, uint16_t port);

/* Starts a thread that resolves and then sends one resolved_t over the socket `reply` (it holds
 * its own duplicate, so `reply` may be closed meanwhile). Does not block. False if there is no
 * thread or descriptor left. */
bool resolve_start(int reply, uint64_t subject, const char *host, uint16_t port);

#endif
