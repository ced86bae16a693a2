/*
 * The table of addresses. Must never forget an address while it has connections or owes anything,
 * nor grow with addresses that do not.
 */
#include "guard.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "base/memory.h"
#include "base/random.h"

#include <netinet/in.h>
#include <string.h>

/* Each arrival looks at so many, so that more can go than come. */
enum { LOOKS_AT_ARRIVAL = 2 };

void guard_init(guard_t *guard) {
    uint8_t seed[16];
    *guard = (guard_t){.free_first = NO_VISITOR};
    random_bytes(seed, sizeof seed);
    random_bytes(guard->secret, sizeof guard->secret);
    guard->indexes = map_new(sizeof(address_key_t), sizeof(uint32_t), seed);
}

void guard_deinit(guard_t *guard) {
    map_destroy(&guard->indexes);
    memory_free(guard->visitors);
    guard->visitors = NULL;
}

address_key_t guard_key(const struct sockaddr_storage *address) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    address_key_t key = {.bytes = {0}};
    if (address->ss_family == AF_INET6) {
        struct sockaddr_in6 six;
        memcpy(&six, address, sizeof six);
        bool is_mapped = memcmp(six.sin6_addr.s6_addr, mapped, sizeof mapped) == 0;
        memcpy(key.bytes, six.sin6_addr.s6_addr, is_mapped ? sizeof key.bytes : 8);
    } else if (address->ss_family == AF_INET) {
        struct sockaddr_in four;
        memcpy(&four, address, sizeof four);
        memcpy(key.bytes, mapped, sizeof mapped);
        memcpy(key.bytes + sizeof mapped, &four.sin_addr, 4);
    }
    return key;
}

/* Under a secret of this process: nobody can choose addresses that meet in one id. */
static uint64_t id_of(const guard_t *guard, const address_key_t *address) {
    uint8_t digest[DIGEST_BYTES];
    uint64_t id;
    crypto_digest(digest, guard->secret, address->bytes, sizeof address->bytes);
    memcpy(&id, digest, sizeof id);
    return id | 1;
}

static void forget(guard_t *guard, uint32_t index) {
    visitor_t *visitor = &guard->visitors[index];
    bool known = map_remove(guard->indexes, &visitor->address);
    ASSERT(known);
    visitor->taken = false;
    visitor->next_free = guard->free_first;
    guard->free_first = index;
}

static void forget_some(guard_t *guard, int64_t now_us) {
    for (int i = 0; i < LOOKS_AT_ARRIVAL && guard->used > 0; i++) {
        guard->looked_at = (guard->looked_at + 1) % guard->used;
        const visitor_t *visitor = &guard->visitors[guard->looked_at];
        if (visitor->taken && visitor->connections == 0 &&
            bucket_is_full(&visitor->arrivals, now_us) &&
            bucket_is_full(&visitor->requests, now_us)) {
            forget(guard, guard->looked_at);
        }
    }
}

static uint32_t place_of(guard_t *guard) {
    uint32_t index = guard->free_first;
    if (index != NO_VISITOR) {
        guard->free_first = guard->visitors[index].next_free;
        return index;
    }
    guard->visitors = memory_grow(guard->visitors, &guard->room, (size_t)guard->used + 1,
                                  sizeof *guard->visitors);
    return guard->used++;
}

static uint32_t meet(guard_t *guard, const address_key_t *address) {
    const uint32_t *known = map_get(guard->indexes, address);
    if (known != NULL) {
        return *known;
    }
    uint32_t index = place_of(guard);
    guard->visitors[index] =
        (visitor_t){.address = *address, .id = id_of(guard, address), .taken = true};
    *(uint32_t *)map_put(guard->indexes, address) = index;
    return index;
}

admission_t guard_admit(guard_t *guard, const front_limits_t *limits, const address_key_t *address,
                        int64_t now_us, uint32_t *visitor) {
    forget_some(guard, now_us);
    *visitor = meet(guard, address);
    visitor_t *met = &guard->visitors[*visitor];
    if (limits->connections_per_address_max > 0 &&
        met->connections >= limits->connections_per_address_max) {
        return REFUSED_TOO_MANY;
    }
    if (!bucket_take(&met->arrivals, &limits->connection_rate, now_us)) {
        return REFUSED_TOO_FAST;
    }
    met->connections++;
    return ADMITTED;
}

void guard_leave(guard_t *guard, uint32_t visitor) {
    if (visitor == NO_VISITOR) {
        return;
    }
    ASSERT(visitor < guard->used && guard->visitors[visitor].connections > 0);
    guard->visitors[visitor].connections--;
}

bool guard_request(guard_t *guard, const front_limits_t *limits, uint32_t visitor, int64_t now_us) {
    return visitor == NO_VISITOR ||
           bucket_take(&guard->visitors[visitor].requests, &limits->request_rate, now_us);
}

uint64_t guard_id(const guard_t *guard, uint32_t visitor) {
    return visitor == NO_VISITOR ? 0 : guard->visitors[visitor].id;
}
