/*
 * The end of service: what was received is answered and sent, nothing more is taken. Must never
 * last longer than DRAIN_MS.
 */
#include "front_loop.h"

#include "net/front_end.h"

/* What has arrived counts as received: one more read, bounded by the room of a tail. */
static bool front_drain_read(front_loop_t *loop, connection_t *connection) {
    size_t length = connection_tail_load(connection, loop->scratch);
    while (connection->state == CONNECTION_OPEN && connection->readable &&
           length < SCRATCH_BYTES_MAX) {
        if (!connection_receive(connection, loop->scratch + length, SCRATCH_BYTES_MAX - length,
                                &length)) {
            return false;
        }
    }
    connection_tail_save(connection, loop->scratch, length);
    return true;
}

static void front_drain_connection(front_loop_t *loop, connection_t *connection) {
    if (connection->state == CONNECTION_OPEN) {
        if (!front_drain_read(loop, connection)) {
            front_close(loop, connection);
            return;
        }
        if (connection->state == CONNECTION_OPEN) {
            connection->state = CONNECTION_SHUT;
        }
        connection->unfinished = true;
    }
    front_read_later(loop, connection);
    front_write_later(loop, connection);
}

/* Looks once at every connection: epoll tells a part of them at a time, oldest news first. */
static void front_drain_look(front_loop_t *loop) {
    uint32_t looks = loop->table.used / FRONT_EVENTS_MAX + 1;
    while (looks > 0 && front_collect(loop, 0) == FRONT_EVENTS_MAX) {
        looks--;
    }
}

void front_drain_begin(front_loop_t *loop) {
    if (loop->draining) {
        return;
    }
    loop->draining = true;
    loop->drain_until_ms = loop->now_ms + DRAIN_MS;
    loop->accept_at_ms = 0;
    listener_close(&loop->clients);
    listener_close(&loop->admin);
    front_drain_look(loop);
    for (uint32_t index = 0; index < loop->table.used; index++) {
        connection_t *connection = table_at(&loop->table, index);
        if (connection != NULL) {
            front_drain_connection(loop, connection);
        }
    }
}

static void front_drain_cut(front_loop_t *loop) {
    for (uint32_t index = 0; index < loop->table.used; index++) {
        connection_t *connection = table_at(&loop->table, index);
        if (connection != NULL) {
            front_close(loop, connection);
        }
    }
}

void front_drain_step(front_loop_t *loop) {
    if (!loop->draining || loop->drained) {
        return;
    }
    if (loop->now_ms >= loop->drain_until_ms) {
        front_drain_cut(loop);
    }
    if (loop->table.count == 0) {
        (void)batch_append(&loop->batch, FRONT_DRAINED, 0, 0, 0);
        loop->drained = true;
    }
}
