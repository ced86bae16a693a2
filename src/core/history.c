/*
 * Older segments and marks. Must never let a number have a hole: what a start replays is as it was.
 */
#include "history.h"

#include "base/assert.h"
#include "base/memory.h"

#include <string.h>

static mark_record_t *put(turn_t *turn, record_kind_t kind, const realm_t *realm, uint32_t number) {
    mark_record_t *record = &effects_record(turn->effects, kind)->mark;
    record->realm = realm->record.id;
    record->number = number;
    return record;
}

static void push(history_t *history, stream_mark_t mark) {
    history->marks =
        memory_grow(history->marks, &history->room, history->count + 1, sizeof(*history->marks));
    history->marks[history->count++] = mark;
}

static void drop_oldest(history_t *history) {
    history->count -= 1;
    history->number += 1;
    memmove(&history->marks[0], &history->marks[1], history->count * sizeof(*history->marks));
}

static void add(turn_t *turn, const realm_t *realm, history_t *history, record_kind_t kind,
                stream_mark_t mark) {
    put(turn, kind, realm, history->number + (uint32_t)history->count)->mark = mark;
    push(history, mark);
}

void history_segment_out(turn_t *turn, realm_t *realm) {
    stream_record_t *stream = &realm->stream;
    history_t *older = &realm->segments;
    ASSERT(stream->segment_count > 0);
    add(turn, realm, older, RECORD_SEGMENT, stream->segments[0]);
    stream->segment_count -= 1;
    memmove(&stream->segments[0], &stream->segments[1],
            stream->segment_count * sizeof(stream->segments[0]));
    if (older->count <= STREAM_OLDER_MAX)
        return;
    older->marks[1].seq = older->marks[0].seq;
    put(turn, RECORD_SEGMENT, realm, older->number + 1)->mark = older->marks[1];
    (void)put(turn, RECORD_SEGMENT_GONE, realm, older->number);
    drop_oldest(older);
}

void history_mark_out(turn_t *turn, realm_t *realm) {
    stream_record_t *stream = &realm->stream;
    history_t *older = &realm->marks;
    ASSERT(stream->mark_count > 0);
    stream->mark_count -= 1;
    add(turn, realm, older, RECORD_MARK, stream->marks[stream->mark_count]);
    if (older->count <= STREAM_OLDER_MAX)
        return;
    (void)put(turn, RECORD_MARK_GONE, realm, older->number);
    drop_oldest(older);
}

void history_segments_end(turn_t *turn, realm_t *realm) {
    history_t *older = &realm->segments;
    for (uint32_t i = 0; i < older->count; i++)
        (void)put(turn, RECORD_SEGMENT_GONE, realm, older->number + i);
    older->number += (uint32_t)older->count;
    older->count = 0;
    realm->stream.segment_count = 0;
}

unsigned history_segment_count(const realm_t *realm) {
    return (unsigned)realm->segments.count + realm->stream.segment_count;
}

stream_mark_t history_segment(const realm_t *realm, unsigned index) {
    ASSERT(index < history_segment_count(realm));
    unsigned older = (unsigned)realm->segments.count;
    return index < older ? realm->segments.marks[index] : realm->stream.segments[index - older];
}

bool history_is_merged(const realm_t *realm) {
    return realm->segments.count == STREAM_OLDER_MAX;
}

bool history_load(state_t *state, const record_t *record) {
    realm_t *realm = realm_find(state, record->mark.realm);
    if (realm == NULL)
        return false;
    history_t *older = record->kind == RECORD_SEGMENT ? &realm->segments : &realm->marks;
    if (older->count == 0)
        older->number = record->mark.number;
    if (older->count == STREAM_OLDER_MAX || record->mark.number - older->number != older->count)
        return false;
    push(older, record->mark.mark);
    return true;
}
