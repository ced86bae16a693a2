/*
 * Sockets. Must never wait for one: what a socket does not take is kept until it can.
 */
#include "connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_SOURCE 0x7F000101U /* 127.0.1.1 */
#define SPARE_FILES  32

static bool allow_files(rlim_t count) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return false;
    if (limit.rlim_cur >= count)
        return true;
    limit.rlim_cur = count;
    if (limit.rlim_max < count)
        limit.rlim_max = count;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

bool load_init(load_t *load, const options_t *options) {
    *load = (load_t){.options = options, .connection_count = (uint32_t)options->connections};
    load->dice.state = (uint64_t)options->seed;
    if (!allow_files((rlim_t)load->connection_count + SPARE_FILES)) {
        perror("bench_load: so many connections");
        return false;
    }
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (load->epoll < 0) {
        perror("bench_load: epoll");
        return false;
    }
    load->input = bytes_zeroed(1, LOAD_INPUT_BYTES);
    load->connections = bytes_zeroed(load->connection_count, sizeof(connection_t));
    return true;
}

static void connection_free(connection_t *connection) {
    waiting_deinit(&connection->waiting);
    bytes_clear(&connection->unsent);
    bytes_clear(&connection->reply);
    bytes_clear(&connection->captured);
}

void load_deinit(load_t *load) {
    for (uint32_t i = 0; i < load->connection_count; i++) {
        connection_t *connection = &load->connections[i];
        if (connection->state != CONNECTION_NONE && connection->state != CONNECTION_DEAD)
            (void)close(connection->fd);
        connection_free(connection);
    }
    free(load->connections);
    free(load->input);
    bytes_clear(&load->room);
    (void)close(load->epoll);
}

connection_t *load_connection(load_t *load, const struct epoll_event *event) {
    return &load->connections[event->data.u32];
}

static uint32_t number_of(const load_t *load, const connection_t *connection) {
    return (uint32_t)(connection - load->connections);
}

/* Changes what it wants to know about. */
static void watch(load_t *load, connection_t *connection, int operation, bool writes) {
    struct epoll_event event = {.events = EPOLLIN | (writes ? (uint32_t)EPOLLOUT : 0),
                                .data.u32 = number_of(load, connection)};
    connection->writes = writes;
    (void)epoll_ctl(load->epoll, operation, connection->fd, &event);
}

/* Many connections to one port need more than one address to come from. */
static bool take_source(const load_t *load, const connection_t *connection) {
    uint32_t addresses = (uint32_t)load->options->addresses;
    if (addresses == 0)
        return true;
    int on = 1;
    struct sockaddr_in source = {.sin_family = AF_INET};
    source.sin_addr.s_addr = htonl(FIRST_SOURCE + number_of(load, connection) % addresses);
    (void)setsockopt(connection->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    return bind(connection->fd, (const struct sockaddr *)&source, sizeof(source)) == 0;
}

static bool begin_to_connect(const load_t *load, const connection_t *connection) {
    const options_t *options = load->options;
    bool other = options->other_port > 0 && (number_of(load, connection) & 1) != 0;
    struct sockaddr_in target = {.sin_family = AF_INET, .sin_addr = options->address};
    target.sin_port = htons((uint16_t)(other ? options->other_port : options->port));
    int done = connect(connection->fd, (const struct sockaddr *)&target, sizeof(target));
    return done == 0 || errno == EINPROGRESS;
}

bool connection_open(load_t *load, connection_t *connection) {
    int on = 1;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0) {
        connection->state = CONNECTION_DEAD;
        load->dead++;
        return false;
    }
    (void)setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    connection->state = CONNECTION_CONNECTING;
    if (!take_source(load, connection) || !begin_to_connect(load, connection)) {
        connection_close(load, connection);
        return false;
    }
    watch(load, connection, EPOLL_CTL_ADD, true);
    return true;
}

void connection_close(load_t *load, connection_t *connection) {
    if (connection->state == CONNECTION_DEAD)
        return;
    int reason = errno;
    (void)close(connection->fd);
    connection->state = CONNECTION_DEAD;
    load->dead++;
    errno = reason;
}

/* Sends what the socket takes; negative: it is dead now. */
static ssize_t send_some(load_t *load, connection_t *connection, const char *data, size_t length) {
    ssize_t sent = send(connection->fd, data, length, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (sent < 0)
        connection_close(load, connection);
    else
        load->bytes_out += (uint64_t)sent;
    return sent;
}

bool connection_send(load_t *load, connection_t *connection, const char *data, size_t length) {
    ssize_t sent = 0;
    if (connection->unsent.length == 0)
        sent = send_some(load, connection, data, length);
    if (sent < 0)
        return false;
    if ((size_t)sent == length)
        return true;
    bytes_add(&connection->unsent, data + sent, length - (size_t)sent);
    if (!connection->writes)
        watch(load, connection, EPOLL_CTL_MOD, true);
    return true;
}

bool connection_flush(load_t *load, connection_t *connection) {
    bytes_t *unsent = &connection->unsent;
    if (unsent->length > 0) {
        ssize_t sent = send_some(load, connection, unsent->data, unsent->length);
        if (sent < 0)
            return false;
        bytes_drop(unsent, (size_t)sent);
    }
    if (unsent->length == 0 && connection->writes)
        watch(load, connection, EPOLL_CTL_MOD, false);
    return true;
}

ssize_t connection_read(load_t *load, connection_t *connection) {
    ssize_t got = recv(connection->fd, load->input, LOAD_INPUT_BYTES, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (got <= 0) {
        connection_close(load, connection);
        return -1;
    }
    if (load->options->quick_ack) {
        int on = 1;
        (void)setsockopt(connection->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
    }
    return got;
}

bool connection_request(load_t *load, connection_t *connection, const template_t *template,
                        uint64_t request, size_t count) {
    template_values_t values = {.connection = number_of(load, connection),
                                .connection_count = load->connection_count,
                                .request = request,
                                .own = connection->own,
                                .captured = &connection->captured,
                                .dice = &load->dice};
    size_t length = 0;
    const char *data = template_fill(template, &values, count, &load->room, &length);
    return connection_send(load, connection, data, length);
}
