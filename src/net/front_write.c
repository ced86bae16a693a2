/*
 * From the actor's batches to sockets, and the end of connections. Must never send a reply before
 * its turn, nor wait for a socket.
 */
#include "front_loop.h"

#include "base/assert.h"
#include "net/front_end.h"

#include <string.h>
#include <sys/socket.h>

void front_write_later(front_loop_t *loop, connection_t *connection) {
    if (!connection->in_writable) {
        connection->in_writable = true;
        work_list_add(&loop->writable, table_index(&loop->table, connection));
    }
}

void front_close(front_loop_t *loop, connection_t *connection) {
    if (connection->seen) {
        uint64_t handle = table_handle(&loop->table, connection);
        (void)batch_append(&loop->batch, FRONT_CLOSED, handle, 0, 0);
    }
    list_leave(&loop->table, &loop->stalled, connection);
    list_leave(&loop->table, &loop->lingering, connection);
    list_leave(&loop->table, &loop->nobodys, connection);
    guard_leave(&loop->guard, connection->visitor);
    table_remove(&loop->table, connection);
    loop->counters.connections = loop->table.count;
    loop->counted = true;
}

static void front_apply_reply(front_loop_t *loop, const batch_entry_t *entry) {
    connection_t *connection = table_find(&loop->table, entry->subject);
    if (connection == NULL) {
        return;
    }
    reply_run_t run = {.bytes = batch_payload(entry),
                       .length = entry->payload_bytes,
                       .count = (uint32_t)(entry->detail >> FRONT_RUN_SHIFT) + 1,
                       .close = (entry->detail & FRONT_CLOSE_BIT) != 0};
    front_guard_binding(loop, connection, entry->detail);
    connection_answer(connection, (uint32_t)entry->detail, &run);
    front_write_later(loop, connection);
}

static void front_apply_limits(front_loop_t *loop, const batch_entry_t *entry) {
    ASSERT(entry->payload_bytes == sizeof loop->limits);
    memcpy(&loop->limits, batch_payload(entry), sizeof loop->limits);
}

static void front_apply_entry(front_loop_t *loop, const batch_entry_t *entry) {
    switch (entry->kind) {
    case FRONT_REPLY:
        front_apply_reply(loop, entry);
        break;
    case FRONT_NEWS:
        front_apply_news(loop, entry);
        break;
    case FRONT_DRAIN:
        front_drain_begin(loop);
        break;
    case FRONT_STOP:
        loop->stopped = true;
        break;
    case FRONT_LIMITS:
        front_apply_limits(loop, entry);
        break;
    default:
        ASSERT(!"the actor sends no other kind");
    }
}

static void front_apply(front_loop_t *loop, zmq_msg_t *message) {
    const void *bytes = zmq_msg_data(message);
    size_t length = zmq_msg_size(message);
    const batch_entry_t *entry = NULL;
    loop->listener_count = 0;
    while (!loop->stopped && (entry = batch_next(bytes, length, entry)) != NULL) {
        front_apply_entry(loop, entry);
    }
}

void front_apply_due(front_loop_t *loop) {
    for (int i = 0; i < FRONT_BATCHES_PER_TURN && loop->pipe_pending && !loop->stopped; i++) {
        zmq_msg_t message;
        pipe_result_t result = front_pipe_receive(&loop->pipe, &message);
        loop->pipe_pending = result == PIPE_BATCH;
        loop->stopped = result == PIPE_CLOSED;
        if (result == PIPE_BATCH) {
            front_apply(loop, &message);
            (void)zmq_msg_close(&message);
        }
    }
}

/* All is answered and sent. If the client may still send, our side is shut first and the rest of
 * its bytes read away: closing on unread bytes would reset the connection, and the last reply
 * could be lost with it. */
static void front_finish(front_loop_t *loop, connection_t *connection) {
    list_leave(&loop->table, &loop->stalled, connection);
    if (connection->state == CONNECTION_ENDED) {
        front_close(loop, connection);
        return;
    }
    (void)shutdown(connection->fd, SHUT_WR);
    connection->state = CONNECTION_LINGERS;
    connection->readable = true;
    list_touch(&loop->table, &loop->lingering, connection, loop->now_ms);
    front_read_later(loop, connection);
}

static void front_write(front_loop_t *loop, connection_t *connection) {
    size_t before = connection_unsent(connection);
    if (!connection_send(connection)) {
        front_close(loop, connection);
        return;
    }
    if (connection_finished(connection)) {
        front_finish(loop, connection);
        return;
    }
    bool waits = connection->output.length > 0;
    bool moved = connection_unsent(connection) < before;
    if (!waits) {
        list_leave(&loop->table, &loop->stalled, connection);
    } else if (moved || connection->list[CHAIN_OUTPUT] == LIST_NONE) {
        list_touch(&loop->table, &loop->stalled, connection, loop->now_ms);
    }
    if (waits && !connection->blocked) {
        front_write_later(loop, connection);
    }
    front_read_later(loop, connection);
}

void front_write_due(front_loop_t *loop) {
    size_t due = loop->writable.count;
    for (size_t i = 0; i < due; i++) {
        connection_t *connection = &loop->table.places[loop->writable.indexes[i]];
        connection->in_writable = false;
        if (connection->fd >= 0) {
            front_write(loop, connection);
        }
    }
    work_list_drop(&loop->writable, due);
}

void front_cut_overdue(front_loop_t *loop) {
    const connection_table_t *table = &loop->table;
    while (list_due_ms(table, &loop->stalled, CONNECTION_STALL_MS) <= loop->now_ms) {
        front_guard_count(loop, &loop->counters.stalled);
        front_close(loop, list_first(table, &loop->stalled));
    }
    while (list_due_ms(table, &loop->lingering, FRONT_LINGER_MS) <= loop->now_ms) {
        front_close(loop, list_first(table, &loop->lingering));
    }
}
