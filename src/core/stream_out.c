/*
 * The outgoing direction: append, push, hear, settle. Decides only from marks; never reads a body.
 */
#include "answer.h"
#include "base/assert.h"
#include "base/memory.h"
#include "base/text.h"
#include "history.h"
#include "mailbox.h"
#include "parked.h"
#include "position.h"
#include "stream.h"
#include "sweep.h"

#include <string.h>

static mailbox_t outbox(const realm_t *realm) {
    return mailbox_address(MAILBOX_OUTBOX, 0, realm->record.id);
}

uint32_t stream_head(const state_t *state, const realm_t *realm) {
    return mailbox_head(state, outbox(realm));
}

uint32_t stream_queued(const state_t *state, const realm_t *realm) {
    uint32_t head = stream_head(state, realm);
    ASSERT(realm->stream.done <= head);
    return head - realm->stream.done;
}

/* What need not be sent any more: taken by the peer, or settled without it. */
static uint32_t acked(const realm_t *realm) {
    return realm->taken > realm->stream.done ? realm->taken : realm->stream.done;
}

/* What is only sent again, to a peer that was restored, takes no room from what is new. */
static uint32_t unjudged(const state_t *state, const realm_t *realm) {
    uint32_t head = stream_head(state, realm);
    ASSERT(realm->stream.done <= realm->stream.judged && realm->stream.judged <= head);
    return head - realm->stream.judged;
}

bool stream_has_room(const state_t *state, const realm_t *realm, size_t body_bytes) {
    const realm_limits_t *limits = &state->options.limits;
    return unjudged(state, realm) < limits->outbox_records_max &&
           realm->stream.bytes + body_bytes <= limits->outbox_bytes_max;
}

/* Begins a segment at seq `first`. */
static void segment_begin(turn_t *turn, realm_t *realm, uint32_t first) {
    stream_record_t *stream = &realm->stream;
    if (stream->segment_count == STREAM_SEGMENTS_MAX)
        history_segment_out(turn, realm);
    stream_mark_t *segment = &stream->segments[stream->segment_count++];
    model_draw(turn->state, &segment->epoch, sizeof(segment->epoch));
    segment->epoch |= 1; /* 0 means none */
    segment->seq = first;
    realm->segment_open = true;
}

static uint32_t segment_last(const state_t *state, const realm_t *realm, unsigned index) {
    if (index + 1U < history_segment_count(realm))
        return history_segment(realm, index + 1).seq - 1;
    return stream_head(state, realm);
}

/* The segment that holds a seq. */
static unsigned segment_of(const realm_t *realm, uint32_t seq) {
    unsigned index = history_segment_count(realm);
    while (index > 0 && history_segment(realm, index - 1).seq > seq)
        index -= 1;
    ASSERT(index > 0);
    return index - 1;
}

/* The segment of an epoch, newest first; false if it is none of ours. */
static bool segment_with(const realm_t *realm, uint64_t epoch, unsigned *index) {
    for (*index = history_segment_count(realm); *index > 0;) {
        *index -= 1;
        if (history_segment(realm, *index).epoch == epoch)
            return true;
    }
    return false;
}

message_t *stream_append(turn_t *turn, realm_t *realm, size_t body_bytes) {
    state_t *state = turn->state;
    ASSERT(stream_has_room(state, realm, body_bytes));
    if (!realm->segment_open)
        segment_begin(turn, realm, stream_head(state, realm) + 1);
    realm->stream.bytes += body_bytes;
    realm_touch(state, realm);
    message_t *message = mailbox_append(turn, outbox(realm));
    message->realm = effects_copy(turn->effects, name_span(&realm->record.name));
    return message;
}

/* Where the stream of this link begins: what an earlier link under the name had bounced stays so.
 */
static uint32_t stream_floor(const state_t *state, const realm_t *realm) {
    if (history_segment_count(realm) == 0)
        return stream_head(state, realm);
    return history_segment(realm, 0).seq - 1;
}

/* What a mark means in our seqs; false if its epoch is none of ours. One that lies outside of its
 * segment is brought back into it: a peer may say anything. */
static bool resolve_mark(const state_t *state, const realm_t *realm, stream_mark_t mark,
                         uint32_t *seq) {
    unsigned index;
    if (!segment_with(realm, mark.epoch, &index))
        return false;
    uint32_t last = segment_last(state, realm, index);
    uint32_t before = history_segment(realm, index).seq - 1;
    *seq = mark.seq < last ? mark.seq : last;
    if (*seq < before)
        *seq = before;
    return true;
}

/* The newest of the peer's marks that we know; false if it is none. */
static bool resolve_known(const state_t *state, const realm_t *realm,
                          const peer_standing_t *standing, uint32_t *seq) {
    for (unsigned i = 0; i < standing->mark_count; i++) {
        if (resolve_mark(state, realm, standing->marks[i], seq))
            return true;
    }
    for (unsigned i = 0; i < standing->older_count; i++) {
        if (resolve_mark(state, realm, standing->older[i], seq))
            return true;
    }
    return false;
}

/* The newest record of ours that the peer has for sure. Its marks tell of all that it ever took. If
 * they know none of ours it has nothing of ours: it or we were set back to before the other's
 * memory of it. But some may be forgotten, see history.h: then a seq in the range of merged
 * segments is taken for one of them, and a peer that may have forgotten our marks has at least what
 * we know that it has. */
static uint32_t resolve(const state_t *state, const realm_t *realm,
                        const peer_standing_t *standing) {
    uint32_t floor = stream_floor(state, realm);
    uint32_t seq;
    if (resolve_known(state, realm, standing, &seq))
        return seq;
    seq = standing->mark_count > 0 ? standing->marks[0].seq : 0;
    if (history_is_merged(realm) && seq >= floor && seq < history_segment(realm, 1).seq)
        return seq;
    return standing->older_count == STREAM_OLDER_MAX ? realm->stream.done : floor;
}

/* Body sizes of single records are not kept: what is judged takes its share of the bytes. */
void stream_judged_move(turn_t *turn, realm_t *realm, uint32_t judged) {
    stream_record_t *stream = &realm->stream;
    uint32_t waiting = unjudged(turn->state, realm);
    ASSERT(judged > stream->judged && judged - stream->judged <= waiting);
    stream->bytes -= stream->bytes * (judged - stream->judged) / waiting;
    stream->judged = judged;
    if (judged > stream->settled)
        stream->settled = judged;
    realm_touch(turn->state, realm);
}

void stream_done_move(turn_t *turn, realm_t *realm, uint32_t done) {
    stream_record_t *stream = &realm->stream;
    ASSERT(done > stream->done && done <= stream_head(turn->state, realm));
    if (done > stream->judged)
        stream_judged_move(turn, realm, done);
    stream->done = done;
    if (realm->sent < done)
        realm->sent = done;
    realm_touch(turn->state, realm);
}

const peer_rejection_t *stream_refusal(const realm_t *realm, uint32_t after) {
    for (size_t i = 0; i < realm->refused_count; i++) {
        if (realm->refused[i].seq > after)
            return &realm->refused[i];
    }
    return NULL;
}

/* The record behind `done` was refused. Returns false if it must be read first. */
static bool settle_refused(turn_t *turn, realm_t *realm, const peer_rejection_t *refusal) {
    ASSERT(refusal->seq == realm->stream.done + 1);
    if (refusal->seq > realm->stream.judged && !parked_refused(turn, realm, refusal)) {
        sweep_refused(turn, realm, refusal->seq);
        return false;
    }
    stream_done_move(turn, realm, refusal->seq);
    return true;
}

void stream_settle(turn_t *turn, realm_t *realm) {
    while (realm->sweep == SWEEP_NONE && realm->stream.done < realm->taken) {
        const peer_rejection_t *refusal = stream_refusal(realm, realm->stream.done);
        bool refused = refusal != NULL && refusal->seq <= realm->taken;
        uint32_t accepted = refused ? refusal->seq - 1 : realm->taken;
        if (accepted > realm->stream.done) {
            parked_accepted(turn, realm, accepted);
            stream_done_move(turn, realm, accepted);
        } else if (!settle_refused(turn, realm, refusal)) {
            return;
        }
    }
}

/* Keeps the refusals that matter; a peer that does not send them ascending is cut short. */
static void note_refusals(realm_t *realm, const peer_standing_t *standing) {
    uint32_t newest = realm->stream.done;
    realm->refused_count = 0;
    realm->refused = memory_grow(realm->refused, &realm->refused_room,
                                 (size_t)standing->rejection_count + 1, sizeof(*realm->refused));
    for (unsigned i = 0; i < standing->rejection_count; i++) {
        peer_rejection_t rejection = standing->rejections[i];
        if (rejection.seq <= realm->stream.done)
            continue;
        if (rejection.seq <= newest || rejection.code <= CODE_OK || rejection.code >= CODE_COUNT)
            return;
        newest = rejection.seq;
        realm->refused[realm->refused_count++] = rejection;
    }
}

/* Whether a mark that is news to us is one of records that we never sent, so that another life of
 * this store must have sent them. Where there is no segment but an outbox, a link was ended, and
 * the mark is of that one. */
static bool tells_of_another_life(const state_t *state, const realm_t *realm, stream_mark_t mark) {
    unsigned index;
    if (mark.epoch == 0 || mark_equal(mark, realm->stream.peer))
        return false;
    if (segment_with(realm, mark.epoch, &index))
        return mark.seq > segment_last(state, realm, index);
    return history_segment_count(realm) > 0 || stream_head(state, realm) == 0;
}

/* A handshake starts the sending side anew from where the peer really stands. */
static void greet(turn_t *turn, realm_t *realm, uint32_t taken, stream_mark_t mark) {
    stream_record_t *stream = &realm->stream;
    if (tells_of_another_life(turn->state, realm, mark))
        position_skip(turn);
    bool told = stream->peer.epoch != 0;
    bool same = mark_equal(stream->peer, mark);
    uint32_t before = stream->done;
    (void)resolve_mark(turn->state, realm, stream->peer, &before);
    if (told && !same && taken < before && taken < stream->done)
        stream->done = taken; /* Restored from a backup: it is sent again what it lost. */
    realm->taken = taken;
    realm->sent = acked(realm);
    realm->edge = mark;
    unsigned newest = stream->segment_count;
    if (newest > 0 && stream->segments[newest - 1].epoch == mark.epoch &&
        mark.seq > stream_head(turn->state, realm))
        realm->segment_open = false; /* A mark ahead of us: never number under that epoch again. */
}

/* Whether a standing outside of a handshake, with the newest marks only, is as new as the newest
 * known; then sets *taken. One that says nothing of ours says nothing new, unless it is what the
 * peer said in the handshake. */
static bool is_news(const state_t *state, const realm_t *realm, const peer_standing_t *standing,
                    uint32_t *taken) {
    stream_mark_t mark = standing->mark_count > 0 ? standing->marks[0] : (stream_mark_t){0};
    if (!realm->knows_peer)
        return false;
    if (mark_equal(mark, realm->stream.peer))
        return true;
    return resolve_mark(state, realm, mark, taken) && *taken >= realm->taken;
}

void stream_heard(turn_t *turn, realm_t *realm, const peer_standing_t *standing, bool handshake) {
    state_t *state = turn->state;
    stream_mark_t mark = {0};
    if (standing->mark_count > 0)
        mark = standing->marks[0];
    uint32_t taken = realm->taken;
    if (handshake) {
        taken = resolve(state, realm, standing);
        greet(turn, realm, taken, mark);
    } else if (!is_news(state, realm, standing, &taken)) {
        return;
    }
    if (taken > realm->taken || handshake)
        realm->resend_us = turn->now_us + RESEND_MS * 1000LL;
    realm->knows_peer = true;
    realm->taken = taken;
    if (realm->sent <= taken) {
        realm->sent = taken;
        realm->edge = mark;
    }
    if (!mark_equal(realm->stream.peer, mark)) {
        realm->stream.peer = mark;
        realm_touch(state, realm);
    }
    note_refusals(realm, standing);
    stream_settle(turn, realm);
    if (stream_head(state, realm) > realm->sent)
        realm_touch(state, realm); /* The window moved: pump at the end of the batch. */
}

/* A run of the stream from `first` on, at most `count` records of one segment. */
static uint32_t send_run(turn_t *turn, const realm_t *realm, const peer_channel_t *channel,
                         stream_mark_t base, uint32_t first, uint32_t count, stream_mark_t *last) {
    unsigned segment = segment_of(realm, first);
    uint32_t end = segment_last(turn->state, realm, segment);
    if (end - first >= count)
        end = first + count - 1;
    last->epoch = history_segment(realm, segment).epoch;
    last->seq = end;
    peer_send_t *send = effects_send(turn->effects, channel);
    send->is_run = true;
    send->run = mailbox_run(turn->state, outbox(realm), first, end);
    /* Sent again: whose sender was told that it did not arrive must not arrive now. */
    send->run.verdicts = first <= realm->stream.judged;
    send->message.kind = PEER_RECORDS;
    send->message.records.base = base;
    send->message.records.first = (stream_mark_t){.epoch = last->epoch, .seq = first};
    send->message.records.done = realm->stream.done;
    return end;
}

void stream_pump(turn_t *turn, realm_t *realm) {
    if (realm->phase != LINK_UP || realm->sweep == SWEEP_SETTLE)
        return;
    peer_channel_t channel = {.dialled = true, .number = realm->dial};
    uint32_t head = stream_head(turn->state, realm);
    uint32_t floor = acked(realm);
    ASSERT(realm->sent >= floor);
    while (realm->sent < head && realm->sent - floor < STREAM_WINDOW_RECORDS) {
        if (realm->sent == floor)
            realm->resend_us = turn->now_us + RESEND_MS * 1000LL;
        uint32_t room = STREAM_WINDOW_RECORDS - (realm->sent - floor);
        if (room > head - realm->sent)
            room = head - realm->sent;
        realm->sent =
            send_run(turn, realm, &channel, realm->edge, realm->sent + 1, room, &realm->edge);
    }
}

/* A frame without records tells the puller that nothing is pending. */
static void send_nothing(turn_t *turn, const realm_t *realm, const peer_channel_t *channel) {
    peer_send_t *send = effects_send(turn->effects, channel);
    send->message.kind = PEER_RECORDS;
    send->message.records.base = send->message.records.first = realm->stream.peer;
    send->message.records.done = realm->stream.done;
}

void stream_answer_pull(turn_t *turn, realm_t *realm, const peer_channel_t *channel,
                        uint64_t correlation) {
    uint32_t head = stream_head(turn->state, realm);
    uint32_t floor = acked(realm);
    if (floor < head && realm->sweep != SWEEP_SETTLE) {
        stream_mark_t last;
        uint32_t end =
            send_run(turn, realm, channel, realm->stream.peer, floor + 1, PEER_RECORDS_MAX, &last);
        peer_send_t *send = &turn->effects->sends[turn->effects->send_count - 1];
        send->message.records.more = end < head;
    } else {
        send_nothing(turn, realm, channel);
    }
    peer_send_t *send = &turn->effects->sends[turn->effects->send_count - 1];
    send->message.records.pulled = true;
    send->message.correlation = correlation;
}

void stream_tick(turn_t *turn, realm_t *realm) {
    parked_expire(turn, realm);
    uint32_t floor = acked(realm);
    if (realm->phase == LINK_UP && realm->sent > floor && turn->now_us >= realm->resend_us) {
        realm->sent = floor;
        realm->edge = realm->stream.peer;
        realm_touch(turn->state, realm);
        realm->resend_us = turn->now_us + RESEND_MS * 1000LL;
    }
}

int64_t stream_due_us(const realm_t *realm) {
    int64_t due = parked_due_us(realm);
    uint32_t floor = acked(realm);
    if (realm->phase == LINK_UP && realm->sent > floor && realm->resend_us < due)
        due = realm->resend_us;
    return due;
}
