/*
 * Listening sockets: addresses, the admin socket's file, one accepted connection at a time.
 */
#ifndef REALMGATE_NET_LISTENER_H
#define REALMGATE_NET_LISTENER_H

#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* "[" host "]:" port and a NUL. */
#define LISTENER_ADDRESS_BYTES (ADDRESS_BYTES_MAX + 9)

typedef struct listener {
    int fd; /* negative: closed */
    bool admin;
} listener_t;

typedef enum accepted {
    ACCEPTED,           /* *fd is a new connection */
    ACCEPT_NONE,        /* nobody waits */
    ACCEPT_GONE,        /* this one went away again; try the next */
    ACCEPT_DESCRIPTORS, /* no descriptor is left for it */
    ACCEPT_FAILED,      /* the system has no memory for it now */
} accepted_t;

/* Binds "host:port" and listens; writes the real address. False and a sentence if it cannot. */
bool listener_open_tcp(listener_t *listener, const char *address, char real[LISTENER_ADDRESS_BYTES],
                       const char **reason);

/* Binds the admin socket, mode 0600; a socket that is left at that path is replaced. */
bool listener_open_admin(listener_t *listener, const char *path, const char **reason);

void listener_close(listener_t *listener);

/* Takes one connection off the queue, non-blocking and without delay, and says where it is from. */
accepted_t listener_accept(const listener_t *listener, int *fd, struct sockaddr_storage *address);

/* Sends a last frame as far as it goes at once, and closes. */
void listener_refuse(int fd, const char *frame, size_t length);

#endif
