/*
 * The other end of a client connection: for the program's own subcommands, which talk to a running
 * realm. Every function blocks, with a bound.
 */
#ifndef REALMGATE_NET_CLIENT_H
#define REALMGATE_NET_CLIENT_H

#include "base/buffer.h"

#include <stdbool.h>

typedef struct client client_t;

/* Connects to a socket file ("/…/admin.sock": anything with a slash) or to an address
 * ("127.0.0.1:9000", "[::1]:9000"). NULL, errno says why, if nobody listens there. The caller
 * destroys it. */
client_t *client_new(const char *address);
void client_destroy(client_t **client);

/* Sends a request line; the line feed is added here. False if the connection broke. */
bool client_send(client_t *client, const char *line);

/* Appends the next reply frame, with its CR LF CR LF. False if none came in timeout_ms or the
 * connection ended. */
bool client_receive(client_t *client, buffer_t *frame, int timeout_ms);

#endif
