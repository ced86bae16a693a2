/*
 * Rows by position in memory. Must never read the rows themselves, nor own them.
 */
#include "recent.h"

#include "base/assert.h"
#include "base/memory.h"

#include <string.h>

void recent_reset(recent_t *recent) {
    map_destroy(&recent->verdicts);
    recent->row_count = 0;
    recent->gap_count = 0;
    recent->cut = 0;
}

void recent_deinit(recent_t *recent) {
    map_destroy(&recent->verdicts);
    memory_free(recent->rows);
    memory_free(recent->gaps);
    *recent = (recent_t){0};
}

void recent_add_row(recent_t *recent, uint64_t position, size_t offset, size_t bytes) {
    ASSERT(recent->row_count == 0 || recent->rows[recent->row_count - 1].position < position);
    ASSERT(offset <= UINT32_MAX && bytes <= UINT32_MAX);
    recent->rows =
        memory_grow(recent->rows, &recent->row_room, recent->row_count + 1, sizeof *recent->rows);
    recent->rows[recent->row_count++] =
        (recent_row_t){.position = position, .offset = (uint32_t)offset, .bytes = (uint32_t)bytes};
}

void recent_merge(recent_t *recent, const recent_t *later, size_t offset) {
    for (size_t i = 0; i < later->row_count; i++) {
        const recent_row_t *row = &later->rows[i];
        recent_add_row(recent, row->position, offset + row->offset, row->bytes);
    }
    for (size_t i = 0; i < later->gap_count; i++) {
        recent_add_gap(recent, later->gaps[i].first, later->gaps[i].last);
    }
    size_t cursor = 0;
    const void *position;
    void *code;
    while (later->verdicts != NULL && map_next(later->verdicts, &cursor, &position, &code)) {
        uint64_t at;
        memcpy(&at, position, sizeof at);
        recent_add_verdict(recent, at, *(const code_t *)code);
    }
    recent->cut = later->cut != 0 ? later->cut : recent->cut;
}

/* Retention goes forward: most often the next part follows on the last one. */
void recent_add_gap(recent_t *recent, uint64_t first, uint64_t last) {
    recent_gap_t *newest = recent->gap_count > 0 ? &recent->gaps[recent->gap_count - 1] : NULL;
    if (newest != NULL && newest->last < UINT64_MAX && newest->last + 1 == first) {
        newest->last = last;
        return;
    }
    recent->gaps =
        memory_grow(recent->gaps, &recent->gap_room, recent->gap_count + 1, sizeof *recent->gaps);
    recent->gaps[recent->gap_count++] = (recent_gap_t){first, last};
}

void recent_add_verdict(recent_t *recent, uint64_t position, code_t code) {
    static const uint8_t seed[16]; /* nobody chooses positions */
    if (recent->verdicts == NULL) {
        recent->verdicts = map_new_of_ids(sizeof position, sizeof code, seed);
    }
    *(code_t *)map_put(recent->verdicts, &position) = code;
}

size_t recent_behind(const recent_t *recent, uint64_t position) {
    size_t low = 0;
    size_t high = recent->row_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (recent->rows[middle].position <= position) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Positions are seldom left out: where the first one is tells where this one is. */
const recent_row_t *recent_row(const recent_t *recent, uint64_t position) {
    if (recent->row_count == 0 || position < recent->rows[0].position) {
        return NULL;
    }
    uint64_t guess = position - recent->rows[0].position;
    if (guess < recent->row_count && recent->rows[guess].position == position) {
        return &recent->rows[guess];
    }
    size_t behind = recent_behind(recent, position);
    return recent->rows[behind - 1].position == position ? &recent->rows[behind - 1] : NULL;
}

bool recent_is_gone(const recent_t *recent, uint64_t position) {
    for (size_t i = 0; i < recent->gap_count; i++) {
        if (position >= recent->gaps[i].first && position <= recent->gaps[i].last) {
            return true;
        }
    }
    return false;
}

const code_t *recent_verdict(const recent_t *recent, uint64_t position) {
    return recent->verdicts == NULL ? NULL : map_get(recent->verdicts, &position);
}
