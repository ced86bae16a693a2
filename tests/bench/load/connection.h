/*
 * The connections of a load: what all of them share, and what one can do.
 */
#ifndef REALMGATE_BENCH_CONNECTION_H
#define REALMGATE_BENCH_CONNECTION_H

#include "options.h"
#include "waiting.h"

#include <sys/epoll.h>
#include <sys/types.h>

#define LOAD_INPUT_BYTES 65536
#define LOAD_EVENTS      512

typedef enum connection_state {
    CONNECTION_NONE, /* was not opened yet */
    CONNECTION_CONNECTING,
    CONNECTION_INIT,
    CONNECTION_READY,
    CONNECTION_DEAD,
} connection_state_t;

typedef struct connection {
    int fd;
    uint8_t state; /* connection_state_t */
    uint8_t step;  /* of --init, that it is at */
    uint8_t reply_matched, error_matched;
    bool writes;      /* it wants to know when it may write */
    bool listed;      /* it stands in a list of the open loop */
    uint32_t ends;    /* of a reply, or of a step, that were counted */
    uint32_t granted; /* requests of the open loop that are about to be sent */
    uint64_t own;     /* requests so far */
    waiting_t waiting;
    bytes_t unsent; /* what the socket did not take */
    bytes_t reply;  /* to the step that it is at, while something may be captured */
    bytes_t captured;
} connection_t;

typedef struct load {
    const options_t *options;
    connection_t *connections;
    uint32_t connection_count;
    uint32_t dead;
    int epoll;
    dice_t dice;
    bytes_t room;         /* for requests */
    uint64_t bytes_out;   /* that sockets took */
    uint64_t error_count; /* replies that hold the error */
    char *input;          /* LOAD_INPUT_BYTES */
    struct epoll_event events[LOAD_EVENTS];
} load_t;

/* Prepares to open as many connections as the options say, which must outlive the load. False, with
 * the reason on stderr: the system does not allow that many. */
bool load_init(load_t *load, const options_t *options);
/* Closes all connections. */
void load_deinit(load_t *load);

/* The connection that an event is of. */
connection_t *load_connection(load_t *load, const struct epoll_event *event);

/* Begins to connect. False: it is dead, and errno says why. */
bool connection_open(load_t *load, connection_t *connection);

/* Sends, and keeps what the socket does not take. False: the connection is dead now. */
bool connection_send(load_t *load, connection_t *connection, const char *data, size_t length);

/* Sends what was kept. False: the connection is dead now. */
bool connection_flush(load_t *load, connection_t *connection);

/* Reads into the load's input. 0: there was nothing; negative: the connection is dead now. */
ssize_t connection_read(load_t *load, connection_t *connection);

void connection_close(load_t *load, connection_t *connection);

/* So many requests from a template, numbered from `request` on; false: it is dead now. */
bool connection_request(load_t *load, connection_t *connection, const template_t *template,
                        uint64_t request, size_t count);

#endif
