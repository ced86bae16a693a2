/*
 * Binds addresses and accepts. Must never block, except for resolving a name at the start.
 */
#include "listener.h"

#include "base/text.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* What a refused client may have sent before it hears BUSY is read away up to this size: closing
 * on unread bytes would make the kernel reset the connection and lose the frame. */
#define REFUSED_INPUT_BYTES_MAX 4096

static const char *listener_reason(int error) {
    switch (error) {
    case EADDRINUSE:
        return "the client address is in use already";
    case EADDRNOTAVAIL:
        return "the client address is not one of this machine's";
    case EACCES:
        return "no permission to bind the client address";
    default:
        return "the client address cannot be bound";
    }
}

static int listener_bind(const struct addrinfo *info) {
    int one = 1;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (info->ai_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    }
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
        int error = errno;
        (void)close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static bool listener_real_address(int fd, char real[LISTENER_ADDRESS_BYTES]) {
    struct sockaddr_storage address = {0};
    socklen_t address_bytes = sizeof(address);
    char host[ADDRESS_BYTES_MAX + 1];
    char port[6];
    if (getsockname(fd, (struct sockaddr *)&address, &address_bytes) != 0 ||
        getnameinfo((struct sockaddr *)&address, address_bytes, host, sizeof(host), port,
                    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        return false;
    }
    int length = address.ss_family == AF_INET6
                     ? snprintf(real, LISTENER_ADDRESS_BYTES, "[%s]:%s", host, port)
                     : snprintf(real, LISTENER_ADDRESS_BYTES, "%s:%s", host, port);
    return length > 0 && length < LISTENER_ADDRESS_BYTES;
}

static struct addrinfo *listener_resolve(const char *address, const char **reason) {
    char host[ADDRESS_BYTES_MAX + 1];
    char service[6];
    uint16_t port = 0;
    if (!text_host_port(span_of(address), host, sizeof(host), &port)) {
        *reason = "the client address is not of the form host:port";
        return NULL;
    }
    (void)snprintf(service, sizeof(service), "%u", (unsigned)port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, service, &hints, &found) != 0) {
        *reason = "the client address cannot be resolved";
        return NULL;
    }
    return found;
}

bool listener_open_tcp(listener_t *listener, const char *address, char real[LISTENER_ADDRESS_BYTES],
                       const char **reason) {
    *listener = (listener_t){.fd = -1};
    struct addrinfo *found = listener_resolve(address, reason);
    if (found == NULL) {
        return false;
    }
    for (struct addrinfo *info = found; info != NULL && listener->fd < 0; info = info->ai_next) {
        listener->fd = listener_bind(info);
    }
    int error = errno;
    freeaddrinfo(found);
    if (listener->fd < 0) {
        *reason = listener_reason(error);
        return false;
    }
    if (!listener_real_address(listener->fd, real)) {
        listener_close(listener);
        *reason = "the client address cannot be read back";
        return false;
    }
    return true;
}

/* Only a socket is ever removed: a path that is mistyped must not cost a file. */
static void listener_remove_stale(const char *path) {
    struct stat status;
    if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode)) {
        (void)unlink(path);
    }
}

/* The mode is set on the descriptor before the file appears, so that nobody else can connect in
 * between, and once more behind it in case the umask took bits away. */
static bool listener_bind_file(int fd, const struct sockaddr_un *address) {
    return fchmod(fd, S_IRUSR | S_IWUSR) == 0 &&
           bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 &&
           chmod(address->sun_path, S_IRUSR | S_IWUSR) == 0 && listen(fd, LISTEN_BACKLOG) == 0;
}

bool listener_open_admin(listener_t *listener, const char *path, const char **reason) {
    *listener = (listener_t){.fd = -1, .admin = true};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof(address.sun_path)) {
        *reason = "the path of the admin socket is too long";
        return false;
    }
    memcpy(address.sun_path, path, length);
    listener_remove_stale(path);
    listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener->fd < 0 || !listener_bind_file(listener->fd, &address)) {
        listener_close(listener);
        *reason = "the admin socket cannot be made";
        return false;
    }
    return true;
}

void listener_close(listener_t *listener) {
    if (listener->fd >= 0) {
        (void)close(listener->fd);
        listener->fd = -1;
    }
}

static accepted_t listener_refusal(int error) {
    switch (error) {
    case EAGAIN:
        return ACCEPT_NONE;
    case EMFILE:
    case ENFILE:
        return ACCEPT_DESCRIPTORS;
    case ENOMEM:
    case ENOBUFS:
        return ACCEPT_FAILED;
    default: /* ECONNABORTED and the network errors that accept(2) passes on */
        return ACCEPT_GONE;
    }
}

accepted_t listener_accept(const listener_t *listener, int *fd, struct sockaddr_storage *address) {
    int one = 1;
    socklen_t length = sizeof(*address);
    *address = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
    *fd = accept4(listener->fd, (struct sockaddr *)address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (*fd < 0) {
        return listener_refusal(errno);
    }
    if (!listener->admin) {
        (void)setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }
    return ACCEPTED;
}

void listener_refuse(int fd, const char *frame, size_t length) {
    char unread[REFUSED_INPUT_BYTES_MAX];
    (void)send(fd, frame, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)shutdown(fd, SHUT_WR);
    (void)recv(fd, unread, sizeof(unread), MSG_DONTWAIT);
    (void)close(fd);
}
