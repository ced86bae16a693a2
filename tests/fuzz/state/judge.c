/*
 * The rules behind judge.h. Must never change the world that they look at.
 */
#include "judge.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "base/mailbox_address.h"
#include "base/text.h"
#include "model.h"
#include "puppet.h"
#include "wire/peer_codec.h"

#include <string.h>

/* The linked realm at the other end, NULL if there is none: nothing is taken then. */
static const realm_t *realm_of(const state_t *state, const peer_channel_t *channel) {
    if (!channel->dialled) {
        const realm_t *keyed = realm_keyed(state, channel->key);
        return keyed != NULL && keyed->record.linked ? keyed : NULL;
    }
    const uint32_t *id = map_get(state->dials, &channel->number);
    const realm_t *dialled = id == NULL ? NULL : realm_find(state, *id);
    return dialled != NULL && dialled->dial == channel->number ? dialled : NULL;
}

static stream_mark_t mark_of(const realm_t *realm) {
    return realm->stream.mark_count == 0 ? (stream_mark_t){0} : realm->stream.marks[0];
}

static bool marks_equal(const stream_mark_t *a, const stream_mark_t *b, unsigned count) {
    bool equal = true;
    for (unsigned i = 0; i < count; i++)
        equal = equal && mark_equal(a[i], b[i]);
    return equal;
}

void judge_begin(judge_t *judge, const world_t *world, const event_t *event) {
    const realm_t *realm =
        event->kind == EVENT_PEER ? realm_of(world->state, &event->peer.channel) : NULL;
    *judge = (judge_t){.record_count = world->effects.record_count,
                       .reply_count = world->effects.reply_count};
    if (realm != NULL) {
        judge->realm = realm->record.id;
        judge->mark = mark_of(realm);
    }
}

/* A message goes to the mailbox of whom it is for; what is another realm's came over that realm's
 * channel; what leaves for a group is sealed. */
static void judge_message(const judge_t *judge, const world_t *world, const message_t *message) {
    const state_t *state = world->state;
    uint32_t owner = mailbox_owner(message->mailbox);
    uint32_t realm = mailbox_realm(message->mailbox);
    mailbox_kind_t kind = mailbox_kind(message->mailbox);
    if (kind == MAILBOX_PRIVATE || kind == MAILBOX_REALM)
        ASSERT(span_equal(message->to, name_span(&user_row(state, owner)->record.name)));
    else if (kind != MAILBOX_OUTBOX)
        ASSERT(span_equal(message->to, name_span(&state->groups[owner - 1].record.name)));
    else
        ASSERT(message->origin.length == 0 && message->sealed == message->group);
    if (message->origin.length == 0)
        return;
    ASSERT(judge->realm != 0 && realm == judge->realm);
    ASSERT(span_equal(message->origin, name_span(&state->realms[realm - 1].record.name)));
}

/* A refusal is forgotten when the sender says that it has settled it, or begins its seqs anew. */
static void judge_forgotten(const event_t *event, uint32_t seq) {
    const peer_message_t *message = event->peer.message;
    if (event->kind != EVENT_PEER)
        return; /* the link ended */
    if (message->kind == PEER_PING)
        ASSERT(seq <= message->ping.done);
    else if (message->kind == PEER_RECORDS)
        ASSERT(seq <= message->records.done || seq >= message->records.first.seq);
}

/* The seq behind which what a run brings is new; false if it brings nothing. It has to lie on top
 * of exactly the mark, or to begin within what was taken under its epoch. What lies between its
 * base and its first record is not sent. */
static bool new_behind(stream_mark_t mark, const peer_message_t *message, uint32_t *seq) {
    stream_mark_t first = message->records.first;
    uint32_t count = message->records.record_count;
    bool goes_on = mark.epoch == first.epoch;
    if (first.epoch == 0 || first.seq == 0 || first.seq > UINT32_MAX - count)
        return false;
    *seq = first.seq - 1;
    if (mark_equal(mark, message->records.base) && (!goes_on || first.seq > mark.seq))
        return true;
    *seq = mark.seq;
    return goes_on && mark.seq >= first.seq && mark.seq < first.seq + count;
}

/* A run is taken to its end, and each of its records is there or refused, once. The table of
 * refusals never fills up in so short a life. */
static void judge_taken(const judge_t *judge, const realm_t *realm, const peer_message_t *message,
                        uint32_t there) {
    stream_mark_t mark = mark_of(realm);
    uint32_t behind;
    if (!new_behind(judge->mark, message, &behind)) {
        ASSERT(mark_equal(mark, judge->mark) && there == 0);
        return;
    }
    ASSERT(mark.epoch == message->records.first.epoch);
    ASSERT(mark.seq == message->records.first.seq + message->records.record_count - 1);
    ASSERT(there == mark.seq - behind);
}

/* Who was told ERROR or a bounce is told once; while nobody was removed, everybody is told. */
static void judge_bounces(const world_t *world, const event_t *event, uint32_t verdicts,
                          uint32_t bounces) {
    bool removed = false;
    for (uint32_t id = 1; id <= world->state->user_count; id++)
        removed = removed || user_row(world->state, id)->record.gone;
    ASSERT(bounces <= verdicts);
    ASSERT(event->kind != EVENT_SWEPT || removed || bounces == verdicts);
}

static void judge_replies(const judge_t *judge, const world_t *world, const event_t *event) {
    for (size_t i = judge->reply_count; i < world->effects.reply_count; i++) {
        const reply_t *reply = &world->effects.replies[i];
        if (reply->kind == REPLY_TEXT && reply->ref.length == 0 && event->kind == EVENT_TICK)
            ASSERT(reply->text.delivery != DELIVERY_DELIVERED);
    }
}

void judge_end(const judge_t *judge, const world_t *world, const event_t *event) {
    uint32_t there = 0, verdicts = 0, bounces = 0;
    for (size_t i = judge->record_count; i < world->effects.record_count; i++) {
        const record_t *record = &world->effects.records[i];
        if (record->kind == RECORD_MESSAGE) {
            judge_message(judge, world, &record->message);
            there += record->message.origin.length > 0;
            bounces += mailbox_kind(record->message.mailbox) == MAILBOX_PRIVATE &&
                       span_equal(record->message.from, span_of("realm"));
        }
        there += record->kind == RECORD_REJECTION;
        verdicts += record->kind == RECORD_VERDICT;
        if (record->kind == RECORD_REJECTION_GONE)
            judge_forgotten(event, record->rejection.seq);
    }
    const realm_t *realm = judge->realm == 0 ? NULL : realm_find(world->state, judge->realm);
    if (realm != NULL && event->peer.message->kind == PEER_RECORDS)
        judge_taken(judge, realm, event->peer.message, there);
    else
        ASSERT(there == 0);
    judge_bounces(world, event, verdicts, bounces);
    judge_replies(judge, world, event);
}

/* One digest of a record, by who is sent it and its place in the stream. */
static void judge_record(world_t *world, const peer_channel_t *channel, uint64_t epoch,
                         const peer_record_t *record) {
    static const uint8_t no_key[KEY_BYTES];
    uint8_t digest[DIGEST_BYTES], *known;
    buffer_t story;
    buffer_init(&story);
    sent_key_t key = {.epoch = epoch, .seq = record->seq};
    memcpy(key.peer, channel->key, KEY_BYTES);
    buffer_append(&story, &record->number, sizeof(record->number));
    buffer_append(&story, &record->time_ms, sizeof(record->time_ms));
    buffer_append(&story, record->from.bytes, record->from.length);
    buffer_append(&story, record->to.bytes, record->to.length);
    buffer_append(&story, record->body.bytes, record->body.length);
    crypto_digest(digest, no_key, story.bytes, story.length);
    buffer_deinit(&story);
    known = map_get(world->sent, &key);
    ASSERT(known == NULL || memcmp(known, digest, DIGEST_BYTES) == 0);
    if (known == NULL)
        memcpy(map_put(world->sent, &key), digest, DIGEST_BYTES);
}

/* The peer hears all that it has to know: our marks, and what we refused. */
static void judge_standing(const realm_t *realm, const peer_standing_t *standing) {
    ASSERT(standing->mark_count == realm->stream.mark_count);
    ASSERT(marks_equal(standing->marks, realm->stream.marks, standing->mark_count));
    ASSERT(standing->rejection_count == realm->rejection_count);
    for (unsigned i = 0; i < standing->rejection_count; i++)
        ASSERT(standing->rejections[i].seq == realm->rejections[i].seq &&
               standing->rejections[i].code == realm->rejections[i].code);
}

void judge_frame(world_t *world, const peer_channel_t *channel, span_t frame) {
    peer_channel_t whom = *channel;
    peer_message_t message;
    arena_t arena;
    if (channel->dialled)
        memcpy(whom.key, world_dial(world, channel->number)->key, KEY_BYTES);
    arena_init(&arena);
    ASSERT(peer_decode(&message, &arena, frame) == REFUSAL_NONE);
    const realm_t *realm = realm_keyed(world->state, whom.key);
    const peer_standing_t *standing = puppet_standing(&message);
    if (standing != NULL && realm != NULL && world->turn_steps == 1)
        judge_standing(realm, standing);
    for (unsigned i = 0; message.kind == PEER_RECORDS && i < message.records.record_count; i++)
        judge_record(world, &whom, message.records.first.epoch, &message.records.records[i]);
    arena_deinit(&arena);
}

static void same_head(const mailbox_head_t *a, const mailbox_head_t *b) {
    ASSERT(memcmp(a, b, sizeof(*a)) == 0);
}

static void same_users(const state_t *a, const state_t *b) {
    ASSERT(a->user_count == b->user_count);
    for (uint32_t id = 1; id <= a->user_count; id++) {
        const user_t *left = user_row(a, id), *right = user_row(b, id);
        same_head(&left->mailbox.head, &right->mailbox.head);
        ASSERT(name_equal(&left->record.name, &right->record.name));
        ASSERT(left->record.gone == right->record.gone);
        ASSERT(left->record.is_operator == right->record.is_operator);
        ASSERT(left->record.since == right->record.since);
        ASSERT(memcmp(&left->record.password, &right->record.password, sizeof(password_hash_t)) ==
               0);
        ASSERT(left->token_count == right->token_count);
        ASSERT(user_group_count(left) == user_group_count(right));
        for (size_t k = 0; k < left->token_count; k++)
            ASSERT(map_get(b->tokens, left->tokens[k].digest) != NULL);
        for (size_t k = 0; k < user_group_count(left); k++)
            ASSERT(model_is_member(b, left->groups->ids[k], left->record.id));
    }
}

static void same_groups(const state_t *a, const state_t *b) {
    ASSERT(a->group_count == b->group_count);
    for (size_t i = 0; i < a->group_count; i++) {
        const group_t *left = &a->groups[i], *right = &b->groups[i];
        ASSERT(name_equal(&left->record.name, &right->record.name));
        ASSERT(left->record.gone == right->record.gone);
        ASSERT(memcmp(left->record.key, right->record.key, KEY_BYTES) == 0);
        ASSERT(left->member_count == right->member_count);
        same_head(&left->mailbox.head, &right->mailbox.head);
    }
}

static void same_stream(const stream_record_t *a, const stream_record_t *b) {
    ASSERT(a->done == b->done && a->judged == b->judged && a->settled == b->settled);
    ASSERT(a->bytes == b->bytes && mark_equal(a->peer, b->peer));
    ASSERT(a->segment_count == b->segment_count && a->mark_count == b->mark_count);
    ASSERT(marks_equal(a->segments, b->segments, a->segment_count));
    ASSERT(marks_equal(a->marks, b->marks, a->mark_count));
}

static void same_realms(const state_t *a, const state_t *b) {
    ASSERT(a->realm_count == b->realm_count);
    for (size_t i = 0; i < a->realm_count; i++) {
        const realm_t *left = &a->realms[i], *right = &b->realms[i];
        ASSERT(name_equal(&left->record.name, &right->record.name));
        ASSERT(left->record.gone == right->record.gone);
        ASSERT(left->record.leaving == right->record.leaving);
        same_stream(&left->stream, &right->stream);
        same_head(&left->outbox.head, &right->outbox.head);
        ASSERT(left->rejection_count == right->rejection_count);
        for (size_t k = 0; k < left->rejection_count; k++)
            ASSERT(left->rejections[k].seq == right->rejections[k].seq &&
                   left->rejections[k].code == right->rejections[k].code);
    }
}

static void same_refs(const state_t *a, const state_t *b) {
    size_t cursor = 0;
    const void *digest;
    void *value;
    while (map_next(a->refs, &cursor, &digest, &value)) {
        const ref_t *left = value, *right = map_get(b->refs, digest);
        if (!left->under_way && left->stored)
            ASSERT(right != NULL && right->success == left->success && right->code == left->code);
    }
}

void judge_same(const state_t *a, const state_t *b) {
    size_t cursor = 0;
    const void *mailbox;
    void *row;
    same_users(a, b);
    same_groups(a, b);
    same_realms(a, b);
    same_refs(a, b);
    ASSERT(a->mailbox_count == b->mailbox_count && a->next_position == b->next_position);
    while (map_next(a->mailboxes, &cursor, &mailbox, &row)) {
        const mailbox_row_t *other = map_get(b->mailboxes, mailbox);
        ASSERT(other != NULL);
        same_head(&((const mailbox_row_t *)row)->head, &other->head);
    }
}
