/*
 * The limits that connections are held to, one by one and by address, and the counts of what they
 * have refused. Must never hold the admin socket to any.
 */
#include "front_loop.h"

#include "net/front_end.h"

#include <string.h>

static int64_t front_now_us(const front_loop_t *loop) {
    return loop->now_ms * 1000;
}

void front_guard_count(front_loop_t *loop, uint64_t *counter) {
    (*counter)++;
    loop->counted = true;
}

bool front_guard_admit(front_loop_t *loop, const struct sockaddr_storage *address,
                       uint32_t *visitor) {
    address_key_t key = guard_key(address);
    admission_t admission =
        guard_admit(&loop->guard, &loop->limits, &key, front_now_us(loop), visitor);
    if (admission == REFUSED_TOO_MANY) {
        front_guard_count(loop, &loop->counters.refused_address);
    } else if (admission == REFUSED_TOO_FAST) {
        front_guard_count(loop, &loop->counters.connections_limited);
    }
    return admission == ADMITTED;
}

bool front_guard_request(front_loop_t *loop, connection_t *connection) {
    int64_t now_us = front_now_us(loop);
    const front_limits_t *limits = &loop->limits;
    if (connection->admin) {
        return true;
    }
    if (bucket_take(&connection->requests, &limits->request_rate_connection, now_us) &&
        guard_request(&loop->guard, limits, connection->visitor, now_us)) {
        return true;
    }
    front_guard_count(loop, &loop->counters.requests_limited);
    return false;
}

void front_guard_binding(front_loop_t *loop, connection_t *connection, uint64_t flags) {
    if ((flags & FRONT_USER_BIT) != 0) {
        list_leave(&loop->table, &loop->nobodys, connection);
    } else if ((flags & FRONT_NOBODY_BIT) != 0 && !connection->admin) {
        connection->waited = false;
        list_touch(&loop->table, &loop->nobodys, connection, loop->now_ms);
    }
}

/* The replies that are due still go out in front of the notice. */
static void front_guard_close(front_loop_t *loop, connection_t *connection) {
    list_leave(&loop->table, &loop->nobodys, connection);
    front_guard_count(loop, &loop->counters.login_timeouts);
    if (connection->state != CONNECTION_OPEN) {
        return;
    }
    connection->state = CONNECTION_SHUT;
    connection_refuse(connection, &loop->login_late, true);
    front_write_later(loop, connection);
}

void front_guard_overdue(front_loop_t *loop) {
    const connection_table_t *table = &loop->table;
    int64_t timeout_ms = loop->limits.login_timeout_ms;
    while (timeout_ms > 0 && list_due_ms(table, &loop->nobodys, timeout_ms) <= loop->now_ms) {
        connection_t *connection = list_first(table, &loop->nobodys);
        if (connection_unanswered(connection) > 0 && !connection->waited) {
            connection->waited = true;
            list_touch(&loop->table, &loop->nobodys, connection, loop->now_ms);
        } else {
            front_guard_close(loop, connection);
        }
    }
}

void front_guard_tell(front_loop_t *loop) {
    if (!loop->counted) {
        return;
    }
    loop->counted = false;
    loop->counters.connections_max = loop->limits.connections_max;
    void *payload = batch_append(&loop->batch, FRONT_COUNTERS, 0, 0, sizeof loop->counters);
    memcpy(payload, &loop->counters, sizeof loop->counters);
}
