/*
 * The frames of a run in memory. Must never be used by two threads at once: while a run is folded
 * its owner only reads.
 */
#include "run.h"

#include "base/assert.h"
#include "base/limits.h"

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
