/*
 * From sockets to the batch for the actor. Must never put more into a batch than BATCH_BYTES_MAX,
 * nor read for one connection while others wait.
 */
#include "front_loop.h"

#include "base/assert.h"
#include "base/text.h"
#include "net/front_end.h"
#include "wire/reply.h"

#include <string.h>

static bool front_batch_is_full(const front_loop_t *loop) {
    const size_t request_bytes_max = 2 * sizeof(batch_entry_t) + sizeof(front_counters_t) +
                                     sizeof(request_t) + LINE_BYTES_MAX + sizeof(uint64_t);
    return loop->batch.length + request_bytes_max > BATCH_BYTES_MAX;
}

void front_read_later(front_loop_t *loop, connection_t *connection) {
    if (connection->in_readable) {
        return;
    }
    bool due = connection->state == CONNECTION_LINGERS
                   ? connection->readable
                   : connection_has_input(connection) && !connection_paused(connection);
    if (due) {
        connection->in_readable = true;
        work_list_add(&loop->readable, table_index(&loop->table, connection));
    }
}

/* The front end's own answer to a request: no request word has been looked at, but its ref. */
static void front_refuse(front_loop_t *loop, connection_t *connection, span_t line) {
    reply_t reply = {.kind = REPLY_ERROR};
    request_t request;
    request_parse(&request, line);
    span_t first = {line.bytes + request.token_offset[0], request.token_bytes[0]};
    static const name_t no_realm;
    buffer_t frame;
    reply.error.code = CODE_BUSY;
    if (request.token_count == 0 || !text_ref(first, &reply.ref)) {
        reply.ref = (span_t){0};
    }
    buffer_init(&frame);
    reply_write(&frame, &reply, &no_realm, NULL);
    connection_refuse(connection, &frame, false);
    buffer_deinit(&frame);
    front_write_later(loop, connection);
}

static void front_ask(front_loop_t *loop, connection_t *connection, span_t line) {
    ASSERT(line.length <= LINE_BYTES_MAX);
    if (front_guard_limits(loop) && !front_guard_request(loop, connection)) {
        front_refuse(loop, connection, line);
        return;
    }
    front_guard_tell(loop);
    request_t *request =
        batch_append(&loop->batch, FRONT_REQUEST, table_handle(&loop->table, connection),
                     connection->slot_next, sizeof(*request) + line.length);
    request_parse(request, line);
    request->admin = connection->admin;
    request->source = guard_id(&loop->guard, connection->visitor);
    memcpy(request + 1, line.bytes, line.length);
    connection->slot_next++;
    connection->seen = true;
}

static void front_refuse_line(front_loop_t *loop, connection_t *connection) {
    connection_refuse(connection, &loop->too_long, false);
    front_write_later(loop, connection);
}

static void front_take_line(front_loop_t *loop, connection_t *connection, framing_t framing,
                            span_t line) {
    if (framing == FRAMING_TOO_LONG) {
        front_refuse_line(loop, connection);
    } else if (framing == FRAMING_LINE && line.length > 0) {
        front_ask(loop, connection, line);
    }
}

/* Frames until no whole line is left or a limit is reached; returns what is dealt with. */
static size_t front_take_lines(front_loop_t *loop, connection_t *connection, const char *bytes,
                               size_t length) {
    size_t consumed = 0;
    framing_t framing = FRAMING_LINE;
    connection->unfinished = false;
    while (framing != FRAMING_NEEDS) {
        if (front_batch_is_full(loop) || connection_paused(connection)) {
            connection->unfinished = consumed < length;
            return consumed;
        }
        span_t line = {0};
        framing = framing_next(&connection->framer, bytes, length, &consumed, &line);
        front_take_line(loop, connection, framing, line);
    }
    return consumed;
}

/* Behind the last whole line: once the client has ended its side the rest is a line too; once we
 * have, it is none. */
static size_t front_take_rest(front_loop_t *loop, connection_t *connection, const char *bytes,
                              size_t length, size_t consumed) {
    if (connection->unfinished || connection->state == CONNECTION_OPEN) {
        return consumed;
    }
    if (connection->state == CONNECTION_ENDED) {
        span_t line = {0};
        framing_t framing = framing_end(&connection->framer, bytes, length, &consumed, &line);
        front_take_line(loop, connection, framing, line);
    }
    return length;
}

/* Whatever still comes after the last reply is thrown away, until the client ends its side too. */
static void front_discard(front_loop_t *loop, connection_t *connection) {
    size_t length = 0;
    bool alive = connection_receive(connection, loop->scratch, READ_BYTES_MAX, &length);
    bool waits = connection->state == CONNECTION_LINGERS && (length > 0 || !loop->draining);
    if (!alive || !waits) {
        front_close(loop, connection);
        return;
    }
    front_read_later(loop, connection);
}

static void front_read(front_loop_t *loop, connection_t *connection) {
    if (connection->state == CONNECTION_LINGERS) {
        front_discard(loop, connection);
        return;
    }
    if (!connection_has_input(connection) || connection_paused(connection)) {
        return;
    }
    size_t length = connection_tail_load(connection, loop->scratch);
    if (connection->state == CONNECTION_OPEN && connection->readable && length <= READ_BYTES_MAX &&
        !connection_receive(connection, loop->scratch + length, READ_BYTES_MAX, &length)) {
        front_close(loop, connection);
        return;
    }
    size_t consumed = front_take_lines(loop, connection, loop->scratch, length);
    consumed = front_take_rest(loop, connection, loop->scratch, length, consumed);
    connection_tail_save(connection, loop->scratch + consumed, length - consumed);
    front_read_later(loop, connection);
    if (connection->state != CONNECTION_OPEN) {
        front_write_later(loop, connection);
    }
}

void front_read_due(front_loop_t *loop) {
    size_t due = loop->readable.count;
    size_t done = 0;
    while (done < due && !front_batch_is_full(loop)) {
        connection_t *connection = &loop->table.places[loop->readable.indexes[done]];
        done++;
        connection->in_readable = false;
        if (connection->fd >= 0) {
            front_read(loop, connection);
        }
    }
    work_list_drop(&loop->readable, done);
}
