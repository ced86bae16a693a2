/*
 * A small blocking client. Must never wait without a bound.
 */
#include "net/client.h"

#include "base/memory.h"
#include "base/text.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* To connect and to send: the other end is on this machine. */
enum { CLIENT_SEND_S = 10 };

static const char FRAME_END[] = "\r\n\r\n";

struct client {
    int socket;
    buffer_t input; /* received, not yet handed over */
};

static int connect_file(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int opened = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (opened >= 0 && connect(opened, (const struct sockaddr *)&address, sizeof address) != 0) {
        int error = errno;
        (void)close(opened);
        errno = error;
        return -1;
    }
    return opened;
}

static int connect_host(const char *text) {
    char host[ADDRESS_BYTES_MAX + 1];
    char service[8];
    uint16_t port;
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    if (!text_host_port(span_of(text), host, sizeof host, &port)) {
        errno = EINVAL;
        return -1;
    }
    (void)snprintf(service, sizeof service, "%u", (unsigned)port);
    if (getaddrinfo(host, service, &wanted, &found) != 0) {
        errno = EINVAL;
        return -1;
    }
    int opened = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (opened >= 0 && connect(opened, found->ai_addr, found->ai_addrlen) != 0) {
        int error = errno;
        (void)close(opened);
        opened = -1;
        errno = error;
    }
    freeaddrinfo(found);
    return opened;
}

client_t *client_new(const char *address) {
    const struct timeval bound = {.tv_sec = CLIENT_SEND_S};
    int opened = strchr(address, '/') != NULL ? connect_file(address) : connect_host(address);
    if (opened < 0) {
        return NULL;
    }
    (void)setsockopt(opened, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof bound);
    client_t *client = memory_alloc(sizeof *client);
    client->socket = opened;
    buffer_init(&client->input);
    return client;
}

void client_destroy(client_t **client) {
    if (*client != NULL) {
        (void)close((*client)->socket);
        buffer_deinit(&(*client)->input);
        memory_free(*client);
        *client = NULL;
    }
}

static bool send_whole(int socket, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t sent = send(socket, bytes, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0) {
            return false;
        }
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

bool client_send(client_t *client, const char *line) {
    return send_whole(client->socket, line, strlen(line)) && send_whole(client->socket, "\n", 1);
}

static int64_t now_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Hands the first whole frame of the input over, if there is one. */
static bool input_take(client_t *client, buffer_t *frame) {
    buffer_t *input = &client->input;
    if (input->length == 0) {
        return false;
    }
    const char *end = memmem(input->bytes, input->length, FRAME_END, sizeof FRAME_END - 1);
    if (end == NULL) {
        return false;
    }
    size_t length = (size_t)(end - input->bytes) + sizeof FRAME_END - 1;
    buffer_append(frame, input->bytes, length);
    memmove(input->bytes, input->bytes + length, input->length - length);
    input->length -= length;
    return true;
}

/* Waits for bytes and takes them; false at the deadline or the end of the connection. */
static bool input_read(client_t *client, int64_t deadline_ms) {
    enum { READ_BYTES = 65536 };
    struct pollfd item = {.fd = client->socket, .events = POLLIN};
    int64_t left_ms = deadline_ms - now_ms();
    if (left_ms <= 0 || poll(&item, 1, (int)left_ms) == 0) {
        return false;
    }
    char *room = buffer_reserve(&client->input, READ_BYTES);
    ssize_t got = recv(client->socket, room, READ_BYTES, MSG_DONTWAIT);
    if (got < 0) {
        return errno == EINTR || errno == EAGAIN;
    }
    client->input.length += (size_t)got;
    return got > 0;
}

bool client_receive(client_t *client, buffer_t *frame, int timeout_ms) {
    int64_t deadline_ms = now_ms() + timeout_ms;
    bool taken = input_take(client, frame);
    while (!taken && input_read(client, deadline_ms)) {
        taken = input_take(client, frame);
    }
    return taken;
}
