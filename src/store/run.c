/*
 * The frames of a run in memory. Must never be used by two threads at once: while a run is folded
 * its owner only reads.
 */
#include "run.h"
#include "changes.h"
#include "record_codec.h"

#include "base/assert.h"
#include "base/limits.h"

#include <string.h>

void run_init(run_t *run) {
    *run = (run_t){.journal.file = -1};
    buffer_init(&run->frames);
}

void run_deinit(run_t *run) {
    journal_close(&run->journal);
    buffer_deinit(&run->frames);
    recent_deinit(&run->recent);
}

void run_restart(run_t *run, uint64_t salt, uint32_t number) {
    journal_restart(&run->journal, salt, number);
    buffer_reset(&run->frames);
    recent_reset(&run->recent);
}

void run_shrink(run_t *run) {
    ASSERT(run_is_empty(run));
    if (run->frames.room > RUN_BYTES_KEPT) {
        buffer_deinit(&run->frames);
        recent_deinit(&run->recent);
    }
}

static uint64_t number_at(const char *bytes) {
    uint64_t number;
    memcpy(&number, bytes, sizeof number);
    return number;
}

static void note_put(recent_t *recent, const change_t *change) {
    span_t value = {change->value, change->value_bytes};
    static const char cut[] = LMDB_META_CUT;
    if (change->table == TABLE_VERDICTS) {
        code_t code;
        ASSERT(verdict_row_decode(&code, value));
        recent_add_verdict(recent, number_at(change->key), code);
    } else if (change->table == TABLE_META && change->key_bytes == sizeof cut - 1 &&
               memcmp(change->key, cut, sizeof cut - 1) == 0) {
        ASSERT(checkpoint_row_decode(&recent->cut, value));
    }
}

static void note_change(run_t *run, const change_t *change) {
    switch (change->operation) {
    case OPERATION_APPEND:
        recent_add_row(&run->recent, number_at(change->key),
                       (size_t)(change->value - run->frames.bytes), change->value_bytes);
        break;
    case OPERATION_DELETE_RANGE:
        if (change->table == TABLE_LOG) {
            recent_add_gap(&run->recent, number_at(change->key), number_at(change->value));
        }
        break;
    case OPERATION_PUT:
        note_put(&run->recent, change);
        break;
    default:
        break; /* nobody reads the other rows while the realm runs */
    }
}

void run_note(run_t *run, size_t offset) {
    span_t changes = {run->frames.bytes + offset + JOURNAL_HEAD_BYTES,
                      run->frames.length - offset - JOURNAL_HEAD_BYTES};
    while (changes.length > 0) {
        change_t change;
        ASSERT(changes_next(&changes, &change)); /* our own encoder wrote them */
        note_change(run, &change);
    }
}

bool run_next(const run_t *run, size_t *offset, span_t *payload) {
    if (*offset == run->frames.length) {
        return false;
    }
    size_t bytes = journal_frame_bytes(run->frames.bytes + *offset);
    ASSERT(bytes <= run->frames.length - *offset);
    *payload =
        (span_t){run->frames.bytes + *offset + JOURNAL_HEAD_BYTES, bytes - JOURNAL_HEAD_BYTES};
    *offset += bytes;
    return true;
}

span_t run_row(const run_t *run, const recent_row_t *row) {
    return (span_t){run->frames.bytes + row->offset, row->bytes};
}
