/*
 * Counts what the federation drops, and says so in the log at most once a second.
 */
#ifndef REALMGATE_NET_DROPS_H
#define REALMGATE_NET_DROPS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum drop_reason {
    DROP_GONE,      /* to send: the dial or route is gone */
    DROP_FULL,      /* to send: its queue is full */
    DROP_STRANGER,  /* received: a session without a key, or with a routing id of its own choice */
    DROP_MULTIPART, /* received: more than one payload frame */
    DROP_SIZE,      /* received: over PEER_FRAME_BYTES_MAX */
    DROP_KEY,       /* a handshake refused: the key is not let in */
    DROP_REASON_COUNT
} drop_reason_t;

typedef struct drops {
    uint64_t counts[DROP_REASON_COUNT]; /* since the last line in the log */
    bool any;
    int64_t logged_ms;
} drops_t;

void drops_count(drops_t *drops, drop_reason_t reason, uint64_t count);

/* Logs what was counted, if a second has passed since the last line. */
void drops_log(drops_t *drops, int64_t now_ms);

/* When drops_log next has something to say, or INT64_MAX. */
int64_t drops_due_ms(const drops_t *drops);

#endif
