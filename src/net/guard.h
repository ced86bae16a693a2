/*
 * Who connects, by address: how many connections each address has, and how fast its connections and
 * requests come. An IPv4 address is one; of an IPv6 address it is the first 64 bits, which is what
 * one customer gets at least (RFC 6177).
 */
#ifndef REALMGATE_NET_GUARD_H
#define REALMGATE_NET_GUARD_H

#include "base/bucket.h"
#include "base/map.h"

#include <sys/socket.h>

#define ADDRESS_KEY_BYTES 16
#define NO_VISITOR        UINT32_MAX

typedef struct address_key {
    uint8_t bytes[ADDRESS_KEY_BYTES];
} address_key_t;

/* An address that has connections, or had some lately. */
typedef struct visitor {
    address_key_t address;
    uint64_t id; /* never 0; what the actor knows the address by */
    uint32_t connections;
    bool taken;
    uint32_t next_free;
    bucket_t arrivals;
    bucket_t requests;
} visitor_t;

typedef struct guard {
    map_t *indexes; /* address_key_t -> uint32_t */
    uint8_t secret[KEY_BYTES];
    visitor_t *visitors;
    size_t room;
    uint32_t used;
    uint32_t free_first; /* NO_VISITOR: none */
    uint32_t looked_at;  /* where the search for those that may be forgotten goes on */
} guard_t;

typedef enum admission { ADMITTED, REFUSED_TOO_MANY, REFUSED_TOO_FAST } admission_t;

void guard_init(guard_t *guard);
void guard_deinit(guard_t *guard);

/* The key of a peer's address. */
address_key_t guard_key(const struct sockaddr_storage *address);

/* A new connection from that address: ADMITTED, with the visitor that it counts for, or why not.
 * `now_us` never goes back. */
admission_t guard_admit(guard_t *guard, const front_limits_t *limits, const address_key_t *address,
                        int64_t now_us, uint32_t *visitor);

/* The connection is gone. Nothing to do for NO_VISITOR. */
void guard_leave(guard_t *guard, uint32_t visitor);

/* Whether one more request of the address is within the rate; it is counted then. */
bool guard_request(guard_t *guard, const front_limits_t *limits, uint32_t visitor, int64_t now_us);

/* The id of a visitor, 0 for NO_VISITOR. */
uint64_t guard_id(const guard_t *guard, uint32_t visitor);

#endif
