/*
 * One client connection: what it has sent and not yet asked, what it was answered and has not yet
 * taken, and the order between the two. Knows nothing of other connections or of the actor.
 */
#ifndef REALMGATE_NET_CONNECTION_H
#define REALMGATE_NET_CONNECTION_H

#include "base/bucket.h"
#include "base/buffer.h"
#include "base/limits.h"
#include "lag.h"
#include "reply_order.h"
#include "wire/request.h"

/* A connection's share of a turn. */
#define READ_BYTES_MAX ((size_t)64 * 1024)
#define SEND_BYTES_MAX ((size_t)256 * 1024)

/* What one read may leave unasked, and so the room that takes it back in front of the next read:
 * no more is read while a whole READ_BYTES_MAX still waits. */
#define TAIL_BYTES_MAX    (2 * READ_BYTES_MAX)
#define SCRATCH_BYTES_MAX TAIL_BYTES_MAX

typedef enum connection_state {
    CONNECTION_OPEN = 1,
    CONNECTION_ENDED,   /* the client has ended its side: the rest of the tail counts as a line */
    CONNECTION_SHUT,    /* we read no more (drain): the whole lines of the tail are answered */
    CONNECTION_CLOSING, /* a reply closes it: nothing of it is asked any more */
    CONNECTION_LINGERS, /* all is sent and our side is shut: waits for the client's end */
} connection_state_t;

/* A connection is in at most one of the loop's lists that share a chain. */
typedef enum connection_list_id {
    LIST_NONE,
    LIST_STALLED,
    LIST_LINGERING,
    LIST_NOBODYS
} connection_list_id_t;

/* What a list chains a connection with. */
typedef enum connection_chain { CHAIN_OUTPUT, CHAIN_LOGIN, CHAIN_COUNT } connection_chain_t;

typedef struct connection {
    int fd; /* negative: a free place */
    uint32_t generation;
    uint32_t slot_next; /* for the next request */
    uint32_t slot_due;  /* of the next reply to go out */
    uint32_t tail_bytes;
    uint32_t reply_bytes_mean;  /* moving mean of its replies' sizes */
    uint32_t visitor;           /* the address it counts for, see guard.h */
    uint32_t next[CHAIN_COUNT]; /* in the list; the first of them also of free places */
    uint32_t previous[CHAIN_COUNT];
    uint8_t state;             /* connection_state_t */
    uint8_t list[CHAIN_COUNT]; /* connection_list_id_t */
    framer_t framer;
    bool admin;
    bool seen;        /* the actor knows of it */
    bool readable;    /* the kernel may have bytes or an end for us */
    bool hung_up;     /* an end or an error waits behind the bytes: read until it comes */
    bool unfinished;  /* framing stopped at a limit: the tail may hold whole lines */
    bool paused;      /* over a limit: neither read nor framed until well below it */
    bool blocked;     /* the socket takes no more until epoll says so */
    bool in_readable; /* waits in the loop's work list */
    bool in_writable;
    bool waited;                   /* its time to log in was over once, while an answer was due */
    int64_t since_ms[CHAIN_COUNT]; /* when it came into its list, or last moved there */
    bucket_t requests;
    char *tail; /* what was read and not framed */
    buffer_t output;
    size_t output_sent;
    reply_order_t *early; /* replies before their turn, NULL while there are none */
    lag_t *lag;           /* mailboxes whose events it misses, NULL while there are none */
} connection_t;

_Static_assert(sizeof(connection_t) <= 160, "an idle connection is a small struct");

/* A new message that a connection listens for. All spans are borrowed. */
typedef struct connection_news {
    mailbox_t mailbox;
    uint32_t seq;
    span_t name;  /* of the mailbox, for people */
    span_t frame; /* the event */
} connection_news_t;

/* Starts with `fd`; keeps the generation and the places in work lists. */
void connection_init(connection_t *connection, int fd, bool admin);

/* Closes the socket and frees what it owns. */
void connection_deinit(connection_t *connection);

/* Requests that have a slot and whose reply has not gone into the output. */
static inline uint32_t connection_unanswered(const connection_t *connection) {
    return connection->slot_next - connection->slot_due;
}

/* Bytes of replies that wait here, in turn or before it. */
static inline size_t connection_unsent(const connection_t *connection) {
    size_t early = connection->early != NULL ? reply_order_bytes(connection->early) : 0;
    return connection->output.length - connection->output_sent + early;
}

/* Whether it must not be read or framed now: too many requests unanswered, too much output unsent,
 * or as much to be expected from the unanswered ones. Once paused it stays so until half of that
 * is gone. */
static inline bool connection_paused(connection_t *connection) {
    uint32_t unanswered = connection_unanswered(connection);
    uint64_t expected = (uint64_t)unanswered * connection->reply_bytes_mean;
    size_t unsent = connection_unsent(connection);
    uint32_t part = connection->paused ? 2 : 1;
    connection->paused = unsent > CONNECTION_OUTPUT_MAX / part ||
                         (unanswered > 0 && (unanswered >= CONNECTION_REQUESTS_MAX / part ||
                                             expected >= CONNECTION_OUTPUT_MAX / part));
    return connection->paused;
}

/* Whether there is something to read or to frame, paused or not. */
bool connection_has_input(const connection_t *connection);

/* Moves the tail to the front of `scratch` and returns its size. */
size_t connection_tail_load(connection_t *connection, char *scratch);

/* Keeps the unframed rest, or frees the tail if there is none. */
void connection_tail_save(connection_t *connection, const char *rest, size_t length);

/* Receives at most `room` bytes; adds to *length. False if the connection is broken. */
bool connection_receive(connection_t *connection, char *bytes, size_t room, size_t *length);

/* Takes the replies to `slot` and behind. They go to the output when all before them have; what
 * comes behind a closing one is dropped. */
void connection_answer(connection_t *connection, uint32_t slot, const reply_run_t *run);

/* The front end's own answer to the request that would have the next slot. */
void connection_refuse(connection_t *connection, const buffer_t *frame, bool close);

/* Whether so much output is unsent that it gets no more events. */
bool connection_is_full(const connection_t *connection);

typedef enum telling {
    TELLING_EVENT,   /* the event stands behind the output */
    TELLING_LAG,     /* the output is full: a notice that this mailbox is missed from here on */
    TELLING_NOTHING, /* that was said and has not been sent yet */
    TELLING_FAILED,  /* it lags in too many mailboxes: it has to be cut */
} telling_t;

/* Tells it of a new message, as far as it takes it. */
telling_t connection_tell(connection_t *connection, const connection_news_t *news);

/* Sends a turn's share of the output. False if the connection is broken. */
bool connection_send(connection_t *connection);

/* Whether everything that it asked for is answered and sent, and nothing more can come. */
bool connection_finished(const connection_t *connection);

#endif
