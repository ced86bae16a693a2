/*
 * One connection's bytes. Must never block, and must own no memory while nothing waits.
 */
#include "connection.h"

#include "base/assert.h"
#include "base/memory.h"
#include "guard.h"
#include "wire/event.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a reply is expected to weigh before the first ones came. It makes a connection start with
 * few requests at once, so that thousands of requests for whole pages cannot all be on their way
 * before the first page shows what they cost. */
#define REPLY_BYTES_EXPECTED (256U * 1024)
#define REPLY_MEAN_WEIGHT    8

void connection_init(connection_t *connection, int fd, bool admin) {
    ASSERT(fd >= 0);
    *connection = (connection_t){
        .fd = fd,
        .generation = connection->generation,
        .in_readable = connection->in_readable,
        .in_writable = connection->in_writable,
        .state = CONNECTION_OPEN,
        .admin = admin,
        .reply_bytes_mean = REPLY_BYTES_EXPECTED,
        .visitor = NO_VISITOR,
    };
}

static void connection_tail_free(connection_t *connection) {
    memory_free(connection->tail);
    connection->tail = NULL;
    connection->tail_bytes = 0;
}

static void connection_output_free(connection_t *connection) {
    buffer_deinit(&connection->output);
    connection->output_sent = 0;
}

void connection_deinit(connection_t *connection) {
    connection_tail_free(connection);
    connection_output_free(connection);
    reply_order_destroy(&connection->early);
    lag_destroy(&connection->lag);
    (void)close(connection->fd);
    connection->fd = -1;
}

static size_t connection_output_bytes(const connection_t *connection) {
    return connection->output.length - connection->output_sent;
}

bool connection_has_input(const connection_t *connection) {
    return connection->unfinished || (connection->state == CONNECTION_OPEN && connection->readable);
}

size_t connection_tail_load(connection_t *connection, char *scratch) {
    size_t length = connection->tail_bytes;
    if (length > 0) {
        memcpy(scratch, connection->tail, length);
    }
    return length;
}

void connection_tail_save(connection_t *connection, const char *rest, size_t length) {
    ASSERT(length <= TAIL_BYTES_MAX);
    if (length == 0) {
        connection_tail_free(connection);
        return;
    }
    if (length != connection->tail_bytes) {
        connection->tail = memory_resize(connection->tail, length);
        connection->tail_bytes = (uint32_t)length;
    }
    memcpy(connection->tail, rest, length);
}

/* A read that is not filled has emptied the socket; epoll tells of what comes later. If an end or
 * an error is known to wait it is read up to that. */
bool connection_receive(connection_t *connection, char *bytes, size_t room, size_t *length) {
    ASSERT(room > 0);
    ssize_t received = recv(connection->fd, bytes, room, 0);
    if (received > 0) {
        *length += (size_t)received;
        connection->readable = (size_t)received == room || connection->hung_up;
        return true;
    }
    if (received == 0) {
        connection->readable = false;
        connection->state = CONNECTION_ENDED;
        return true;
    }
    if (errno == EINTR) {
        return true;
    }
    connection->readable = false;
    return errno == EAGAIN;
}

/* Behind the closing reply nothing is asked and nothing answered. */
static void connection_stop_asking(connection_t *connection) {
    connection->state = CONNECTION_CLOSING;
    connection->unfinished = false;
    connection_tail_free(connection);
}

/* Each reply of a run counts as one of their mean size. */
static void connection_weigh(connection_t *connection, const reply_run_t *run) {
    uint32_t share = (uint32_t)(run->length / run->count / REPLY_MEAN_WEIGHT);
    uint32_t mean = connection->reply_bytes_mean;
    for (uint32_t i = 0; i < run->count; i++) {
        mean = mean - mean / REPLY_MEAN_WEIGHT + share;
    }
    connection->reply_bytes_mean = mean;
}

static void connection_deliver(connection_t *connection, const reply_run_t *run) {
    connection_weigh(connection, run);
    buffer_append(&connection->output, run->bytes, run->length);
    connection->slot_due += run->count;
    if (run->close) {
        connection->slot_due = connection->slot_next;
        reply_order_destroy(&connection->early);
    }
}

/* Sends after a reply those early ones that stand right behind it. */
static void connection_deliver_early(connection_t *connection) {
    early_reply_t reply;
    while (connection->early != NULL &&
           reply_order_take(connection->early, connection->slot_due, &reply)) {
        reply_run_t run = {reply.bytes, reply.length, reply.count, reply.close};
        if (reply_order_count(connection->early) == 0) {
            reply_order_destroy(&connection->early);
        }
        connection_deliver(connection, &run);
        memory_free(reply.bytes);
    }
}

void connection_answer(connection_t *connection, uint32_t slot, const reply_run_t *run) {
    uint32_t distance = slot - connection->slot_due;
    uint32_t unanswered = connection_unanswered(connection);
    if (distance >= unanswered) {
        ASSERT(connection->state == CONNECTION_CLOSING || connection->state == CONNECTION_LINGERS);
        return;
    }
    ASSERT(run->count > 0 && run->count <= unanswered - distance);
    if (run->close) {
        connection_stop_asking(connection);
    }
    if (distance > 0) {
        if (connection->early == NULL) {
            connection->early = reply_order_new();
        }
        reply_order_put(connection->early, connection->slot_due, slot, run);
        return;
    }
    connection_deliver(connection, run);
    connection_deliver_early(connection);
}

void connection_refuse(connection_t *connection, const buffer_t *frame, bool close) {
    reply_run_t run = {frame->bytes, frame->length, 1, close};
    uint32_t slot = connection->slot_next++;
    connection_answer(connection, slot, &run);
}

bool connection_is_full(const connection_t *connection) {
    return connection_output_bytes(connection) > EVENT_BACKLOG_MAX;
}

telling_t connection_tell(connection_t *connection, const connection_news_t *news) {
    if (lag_holds(connection->lag, news->mailbox)) {
        return TELLING_NOTHING;
    }
    if (!connection_is_full(connection)) {
        buffer_append(&connection->output, news->frame.bytes, news->frame.length);
        return TELLING_EVENT;
    }
    event_write_lagged(&connection->output, news->name, news->seq);
    bool added = lag_add(&connection->lag, news->mailbox, connection_output_bytes(connection));
    return added ? TELLING_LAG : TELLING_FAILED;
}

/* Gives the memory back when all is sent, and moves the rest to the front when it is the smaller
 * part. */
static void connection_output_trim(connection_t *connection) {
    size_t left = connection_output_bytes(connection);
    if (left == 0) {
        connection_output_free(connection);
    } else if (left <= connection->output_sent) {
        buffer_t *output = &connection->output;
        memcpy(output->bytes, output->bytes + connection->output_sent, left);
        output->length = left;
        connection->output_sent = 0;
    }
}

bool connection_send(connection_t *connection) {
    size_t left = connection_output_bytes(connection);
    if (left == 0) {
        return true;
    }
    size_t share = left < SEND_BYTES_MAX ? left : SEND_BYTES_MAX;
    ssize_t sent = send(connection->fd, connection->output.bytes + connection->output_sent, share,
                        MSG_NOSIGNAL);
    if (sent < 0) {
        connection->blocked = errno == EAGAIN;
        return errno == EAGAIN || errno == EINTR;
    }
    connection->output_sent += (size_t)sent;
    lag_sent(&connection->lag, (size_t)sent);
    connection_output_trim(connection);
    return true;
}

bool connection_finished(const connection_t *connection) {
    return connection->state != CONNECTION_OPEN && connection->state != CONNECTION_LINGERS &&
           connection->tail_bytes == 0 && connection_unanswered(connection) == 0 &&
           connection_output_bytes(connection) == 0;
}
