/*
 * The incoming direction: takes a peer's records on top of the mark, judges each, remembers what it
 * refused. Nothing that a peer sends is asserted.
 */
#include "base/memory.h"
#include "base/text.h"
#include "history.h"
#include "listen.h"
#include "mailbox.h"
#include "quota.h"
#include "seal.h"
#include "stream.h"

#include <string.h>

static stream_mark_t current_mark(const realm_t *realm) {
    return realm->stream.mark_count == 0 ? (stream_mark_t){0} : realm->stream.marks[0];
}

static code_t check_text(span_t text) {
    if (text.length == 0 || text.length > TEXT_BYTES_MAX)
        return CODE_TOO_LONG;
    return text_is_utf8(text) ? CODE_OK : CODE_BAD_TEXT;
}

/* A message of the peer's into one of our mailboxes. The origin is who the peer is, not what it
 * says. */
static void deliver(turn_t *turn, const realm_t *realm, mailbox_t mailbox,
                    const peer_record_t *record, const name_t *from, const name_t *to,
                    span_t text) {
    message_t *message = mailbox_append(turn, mailbox);
    message->group = record->kind == PEER_RECVGROUPREALM;
    message->number = record->number;
    mailbox_date(turn, message, record->time_ms);
    message->origin = effects_copy(turn->effects, name_span(&realm->record.name));
    message->from = effects_copy(turn->effects, name_span(from));
    message->to = effects_copy(turn->effects, name_span(to));
    message->text = text;
    listen_notify(turn, message);
}

static code_t take_private(turn_t *turn, const realm_t *realm, const peer_record_t *record,
                           const name_t *from, const name_t *to) {
    const user_t *user = user_named(turn->state, to);
    if (user == NULL)
        return CODE_NO_USER;
    code_t code = check_text(record->body);
    if (code != CODE_OK)
        return code;
    mailbox_t mailbox = mailbox_address(MAILBOX_REALM, user->record.id, realm->record.id);
    if (!quota_allows_mailbox(turn, mailbox))
        return CODE_BUSY;
    deliver(turn, realm, mailbox, record, from, to, effects_copy(turn->effects, record->body));
    return CODE_OK;
}

static code_t take_group(turn_t *turn, const realm_t *realm, const peer_record_t *record,
                         const name_t *from, const name_t *to) {
    const group_t *group = group_named(turn->state, to);
    if (group == NULL)
        return CODE_GROUP_MISMATCH;
    seal_address_t address = {.origin = name_span(&realm->record.name),
                              .realm = name_span(&turn->state->options.realm),
                              .from = name_span(from),
                              .group = name_span(to),
                              .number = record->number,
                              .time_ms = record->time_ms};
    span_t opened;
    if (!seal_open(turn, &address, group, record->body, &opened))
        return CODE_GROUP_MISMATCH;
    code_t code = check_text(opened);
    if (code != CODE_OK)
        return code;
    mailbox_t mailbox = mailbox_address(MAILBOX_GROUP_REALM, group->record.id, realm->record.id);
    if (!quota_allows_mailbox(turn, mailbox))
        return CODE_BUSY;
    deliver(turn, realm, mailbox, record, from, to, opened);
    return CODE_OK;
}

static code_t take_one(turn_t *turn, const realm_t *realm, const peer_record_t *record) {
    name_t from, to;
    if (!name_parse(&from, record->from) || !name_parse(&to, record->to))
        return CODE_BAD_NAME;
    if (record->kind == PEER_SENDREALM)
        return take_private(turn, realm, record, &from, &to);
    return take_group(turn, realm, record, &from, &to);
}

static void refuse(turn_t *turn, realm_t *realm, uint32_t seq, code_t code) {
    rejection_record_t *record = &effects_record(turn->effects, RECORD_REJECTION)->rejection;
    record->realm = realm->record.id;
    record->seq = seq;
    record->code = code;
    realm->rejections = memory_grow(realm->rejections, &realm->rejection_room,
                                    realm->rejection_count + 1, sizeof(*realm->rejections));
    realm->rejections[realm->rejection_count++] = (peer_rejection_t){.seq = seq, .code = code};
}

/* Forgets the refusals of seqs first..last. */
static void forget(turn_t *turn, realm_t *realm, uint32_t first, uint32_t last) {
    size_t kept = 0;
    for (size_t i = 0; i < realm->rejection_count; i++) {
        peer_rejection_t rejection = realm->rejections[i];
        if (rejection.seq < first || rejection.seq > last) {
            realm->rejections[kept++] = rejection;
            continue;
        }
        record_t *gone = effects_record(turn->effects, RECORD_REJECTION_GONE);
        gone->rejection.realm = realm->record.id;
        gone->rejection.seq = rejection.seq;
    }
    realm->rejection_count = kept;
}

void stream_forget(turn_t *turn, realm_t *realm, uint32_t done) {
    if (realm->rejection_count > 0)
        forget(turn, realm, 0, done);
}

/* The sender began a new segment: its marks become history, newest first. */
static void mark_begin(turn_t *turn, realm_t *realm, stream_mark_t first) {
    stream_record_t *stream = &realm->stream;
    /* If the seqs went back, what was refused under them belongs to an earlier life of the store.
     */
    forget(turn, realm, first.seq, UINT32_MAX);
    if (stream->mark_count == STREAM_MARKS_MAX)
        history_mark_out(turn, realm);
    stream->mark_count += 1;
    memmove(&stream->marks[1], &stream->marks[0],
            (stream->mark_count - 1U) * sizeof(stream->marks[0]));
    stream->marks[0] = (stream_mark_t){.epoch = first.epoch, .seq = first.seq - 1};
}

/* Whether there is anything new in the message, and how many of its records are known already. What
 * lies between its base and its first record is not sent: the mark moves over it. */
static bool fits(stream_mark_t mark, const peer_message_t *message, uint32_t *known) {
    stream_mark_t first = message->records.first;
    uint32_t count = message->records.record_count;
    *known = 0;
    if (first.epoch == 0 || first.seq == 0 || count > UINT32_MAX - first.seq)
        return false;
    if (mark_equal(mark, message->records.base) &&
        (mark.epoch != first.epoch || first.seq > mark.seq))
        return true;
    if (mark.epoch != first.epoch || mark.seq < first.seq || mark.seq - first.seq >= count)
        return false;
    *known = mark.seq - first.seq + 1;
    return *known < count;
}

void stream_take(turn_t *turn, realm_t *realm, const peer_message_t *message) {
    stream_forget(turn, realm, message->records.done);
    stream_mark_t first = message->records.first;
    uint32_t count = message->records.record_count;
    uint32_t known;
    if (!fits(current_mark(realm), message, &known))
        return;
    if (current_mark(realm).epoch != first.epoch)
        mark_begin(turn, realm, first);
    else if (known == 0)
        realm->stream.marks[0].seq = first.seq - 1;
    for (uint32_t i = known; i < count && realm->rejection_count < PEER_REJECTIONS_MAX; i++) {
        code_t code = take_one(turn, realm, &message->records.records[i]);
        if (code != CODE_OK)
            refuse(turn, realm, first.seq + i, code);
        realm->stream.marks[0].seq = first.seq + i;
    }
    realm_touch(turn->state, realm);
}

void stream_standing(turn_t *turn, const realm_t *realm, peer_standing_t *standing) {
    standing->older_count = 0;
    size_t bytes = realm->rejection_count * sizeof(*realm->rejections);
    standing->mark_count = realm->stream.mark_count;
    memcpy(standing->marks, realm->stream.marks, sizeof(standing->marks));
    standing->rejection_count = (uint16_t)realm->rejection_count;
    peer_rejection_t *copy = arena_alloc(&turn->effects->arena, bytes);
    if (bytes > 0)
        memcpy(copy, realm->rejections, bytes);
    standing->rejections = copy;
}

void stream_standing_all(turn_t *turn, const realm_t *realm, peer_standing_t *standing) {
    size_t count = realm->marks.count;
    stream_standing(turn, realm, standing);
    stream_mark_t *older = arena_alloc(&turn->effects->arena, count * sizeof(*older));
    for (size_t i = 0; i < count; i++)
        older[i] = realm->marks.marks[count - 1 - i];
    standing->older = older;
    standing->older_count = (uint16_t)count;
}
