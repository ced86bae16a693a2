/*
 * A short list, oldest first. Must never grow beyond its limit, nor outlive the lag.
 */
#include "lag.h"

#include "base/assert.h"
#include "base/memory.h"

#include <string.h>

typedef struct lagging {
    mailbox_t mailbox;
    uint64_t end; /* of its frame, on the count of `sent` */
} lagging_t;

struct lag {
    uint64_t sent; /* bytes since the first mailbox came in */
    lagging_t *mailboxes;
    size_t count;
    size_t room;
};

void lag_destroy(lag_t **lag) {
    if (*lag != NULL) {
        memory_free((*lag)->mailboxes);
        memory_free(*lag);
        *lag = NULL;
    }
}

bool lag_holds(const lag_t *lag, mailbox_t mailbox) {
    for (size_t i = 0; lag != NULL && i < lag->count; i++) {
        if (lag->mailboxes[i].mailbox == mailbox) {
            return true;
        }
    }
    return false;
}

bool lag_add(lag_t **pointer, mailbox_t mailbox, size_t output_bytes) {
    ASSERT(output_bytes > 0 && !lag_holds(*pointer, mailbox));
    if (*pointer == NULL) {
        *pointer = memory_alloc(sizeof(**pointer));
    }
    lag_t *lag = *pointer;
    if (lag->count == LAGGED_MAILBOXES_MAX) {
        return false;
    }
    lag->mailboxes =
        memory_grow(lag->mailboxes, &lag->room, lag->count + 1, sizeof(*lag->mailboxes));
    lag->mailboxes[lag->count++] = (lagging_t){.mailbox = mailbox, .end = lag->sent + output_bytes};
    return true;
}

void lag_sent(lag_t **pointer, size_t bytes) {
    lag_t *lag = *pointer;
    size_t done = 0;
    if (lag == NULL) {
        return;
    }
    lag->sent += bytes;
    while (done < lag->count && lag->mailboxes[done].end <= lag->sent) {
        done++;
    }
    if (done == lag->count) {
        lag_destroy(pointer);
        return;
    }
    lag->count -= done;
    memmove(lag->mailboxes, lag->mailboxes + done, lag->count * sizeof(*lag->mailboxes));
}
