/*
 * News of a message to all connections that listen for it. Must never wait for one of them, nor let
 * what one does not take grow beyond EVENT_BACKLOG_MAX.
 */
#include "front_loop.h"

#include "base/assert.h"
#include "net/front_end.h"

/* Takes a part of the payload off. */
static const char *news_take(const char **at, size_t *left, size_t bytes) {
    const char *part = *at;
    ASSERT(bytes <= *left);
    *at += bytes;
    *left -= bytes;
    return part;
}

/* A burst fills the output faster than a turn would send it: only what the socket does not take
 * makes a connection lag. False if it is broken. */
static bool news_make_room(front_loop_t *loop, connection_t *connection) {
    while (connection_is_full(connection) && !connection->blocked) {
        size_t before = connection_unsent(connection);
        if (!connection_send(connection)) {
            return false;
        }
        if (connection->list[CHAIN_OUTPUT] == LIST_STALLED &&
            connection_unsent(connection) < before) {
            list_touch(&loop->table, &loop->stalled, connection, loop->now_ms);
        }
    }
    return true;
}

static void news_tell(front_loop_t *loop, uint64_t handle, const connection_news_t *news) {
    connection_t *connection = table_find(&loop->table, handle);
    if (connection == NULL || connection->state != CONNECTION_OPEN) {
        return;
    }
    if (!news_make_room(loop, connection)) {
        front_close(loop, connection);
        return;
    }
    telling_t telling = connection_tell(connection, news);
    if (telling == TELLING_LAG) {
        front_guard_count(loop, &loop->counters.lagged);
    }
    if (telling == TELLING_FAILED) {
        front_guard_count(loop, &loop->counters.deaf);
        front_close(loop, connection);
    } else if (!connection->blocked || connection->list[CHAIN_OUTPUT] == LIST_NONE) {
        front_write_later(loop, connection);
    }
}

void front_apply_news(front_loop_t *loop, const batch_entry_t *entry) {
    const char *at = batch_payload(entry);
    size_t left = entry->payload_bytes;
    const front_news_t *head = (const void *)news_take(&at, &left, sizeof(*head));
    if (head->connection_count > 0) {
        size_t bytes = head->connection_count * sizeof(uint64_t);
        loop->listeners = (const void *)news_take(&at, &left, bytes);
        loop->listener_count = head->connection_count;
    }
    connection_news_t news = {.mailbox = head->mailbox, .seq = head->seq};
    news.name = (span_t){news_take(&at, &left, head->name_bytes), head->name_bytes};
    news.frame = (span_t){at, left};
    ASSERT(loop->listener_count > 0 && left > 0);
    for (uint32_t i = 0; i < loop->listener_count; i++) {
        news_tell(loop, loop->listeners[i], &news);
    }
}
