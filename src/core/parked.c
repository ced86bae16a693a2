/*
 * The queue of requests that wait for a verdict. A group message gets its copy in our own mailbox
 * here, in the order of the stream, once it is certain that its sender will not be told ERROR.
 */
#include "parked.h"

#include "answer.h"
#include "base/assert.h"
#include "base/memory.h"
#include "base/text.h"
#include "broadcast.h"
#include "link.h"
#include "listen.h"
#include "mailbox.h"
#include "session.h"
#include "stream.h"

#include <string.h>

static parked_t *front(const realm_t *realm) {
    return realm->parked_first == realm->parked_count ? NULL : &realm->parked[realm->parked_first];
}

static void drop_front(realm_t *realm) {
    memory_free(front(realm)->text);
    realm->parked_first += 1;
    if (realm->parked_first == realm->parked_count)
        realm->parked_first = realm->parked_count = 0;
}

/* Moves the live ones to the start of the array when it would have to grow. */
static void make_room(realm_t *realm) {
    if (realm->parked_count == realm->parked_room &&
        realm->parked_first > realm->parked_count / 2) {
        realm->parked_count -= realm->parked_first;
        memmove(realm->parked, &realm->parked[realm->parked_first],
                realm->parked_count * sizeof(*realm->parked));
        realm->parked_first = 0;
    }
    realm->parked = memory_grow(realm->parked, &realm->parked_room, realm->parked_count + 1,
                                sizeof(*realm->parked));
}

void stream_copy_group(turn_t *turn, const realm_t *realm, const message_t *like) {
    name_t name;
    if (!name_parse(&name, like->to))
        return;
    const group_t *group = group_named(turn->state, &name);
    if (group == NULL)
        return;
    message_t *copy = mailbox_append(
        turn, mailbox_address(MAILBOX_GROUP_REALM, group->record.id, realm->record.id));
    copy->group = true;
    copy->number = like->number;
    mailbox_date(turn, copy, like->time_ms);
    copy->from = effects_copy(turn->effects, like->from);
    copy->to = effects_copy(turn->effects, like->to);
    copy->text = effects_copy(turn->effects, like->text);
    listen_notify(turn, copy);
}

/* The record has its local consequences from now on. */
static void settle(turn_t *turn, realm_t *realm, const parked_t *parked) {
    const group_t *group = group_find(turn->state, parked->group);
    ASSERT(parked->seq > realm->stream.settled);
    realm->stream.settled = parked->seq;
    realm_touch(turn->state, realm);
    if (group == NULL)
        return;
    /* The user's row outlives the user: its name is still that of the sender. */
    message_t like = {.number = parked->number, .time_ms = parked->time_ms};
    like.from = name_span(&user_row(turn->state, parked->user)->record.name);
    like.to = name_span(&group->record.name);
    like.text = (span_t){.bytes = parked->text, .length = parked->text_bytes};
    stream_copy_group(turn, realm, &like);
}

static const char *success_text(const parked_t *parked) {
    return parked->group == 0 ? "Pesan realm dikirim" : BROADCAST_TEXT;
}

/* The record was committed in an earlier turn: if this one's commit fails it is queued all the
 * same. */
static void note_queued(turn_t *turn, const parked_t *parked) {
    ASSERT(turn->effects->reply_count > 0);
    reply_t *reply = &turn->effects->replies[turn->effects->reply_count - 1];
    if (parked->number <= turn->state->handed_over) {
        reply->queued = parked->number;
        reply->queued_text = success_text(parked);
    }
}

static void answer(turn_t *turn, realm_t *realm, const parked_t *parked, delivery_t delivery) {
    settle(turn, realm, parked);
    if (parked->broadcast != 0) {
        broadcast_verdict(turn, parked, delivery, CODE_OK);
        return;
    }
    answer_sent(turn, parked->ticket, success_text(parked), parked->number, delivery);
    note_queued(turn, parked);
    session_unpark(turn, parked->ticket.connection);
}

static void answer_refused(turn_t *turn, const parked_t *parked, code_t code) {
    if (parked->broadcast != 0) {
        broadcast_verdict(turn, parked, DELIVERY_NONE, code);
        return;
    }
    answer_error(turn, parked->ticket, code);
    note_queued(turn, parked);
    session_unpark(turn, parked->ticket.connection);
}

void stream_park(turn_t *turn, realm_t *realm, const parked_t *parked, span_t text) {
    make_room(realm);
    parked_t *entry = &realm->parked[realm->parked_count++];
    if (parked->broadcast == 0)
        session_park(turn, parked->ticket.connection);
    *entry = *parked;
    entry->deadline_us = turn->now_us + VERDICT_MS * 1000LL;
    entry->text = NULL;
    entry->text_bytes = 0;
    if (parked->group != 0) {
        entry->text = memory_alloc(text.length);
        entry->text_bytes = text.length;
        memcpy(entry->text, text.bytes, text.length);
    }
    if (realm->phase != LINK_UP)
        stream_unpark_all(turn, realm);
    link_note_due(turn->state, realm);
}

void stream_unpark_all(turn_t *turn, realm_t *realm) {
    for (parked_t *parked; (parked = front(realm)) != NULL; drop_front(realm))
        answer(turn, realm, parked, DELIVERY_QUEUED);
}

void parked_accepted(turn_t *turn, realm_t *realm, uint32_t seq) {
    for (parked_t *parked; (parked = front(realm)) != NULL && parked->seq <= seq; drop_front(realm))
        answer(turn, realm, parked, DELIVERY_DELIVERED);
}

bool parked_refused(turn_t *turn, realm_t *realm, const peer_rejection_t *refusal) {
    const parked_t *parked = front(realm);
    if (parked == NULL || parked->seq != refusal->seq)
        return false;
    verdict_record_t *verdict = &effects_record(turn->effects, RECORD_VERDICT)->verdict;
    verdict->position = parked->number;
    verdict->code = refusal->code;
    realm->stream.settled = parked->seq;
    answer_refused(turn, parked, refusal->code);
    drop_front(realm);
    return true;
}

void parked_expire(turn_t *turn, realm_t *realm) {
    for (parked_t *parked; (parked = front(realm)) != NULL && parked->deadline_us <= turn->now_us;
         drop_front(realm))
        answer(turn, realm, parked, DELIVERY_QUEUED);
}

int64_t parked_due_us(const realm_t *realm) {
    const parked_t *parked = front(realm);
    return parked == NULL ? INT64_MAX : parked->deadline_us;
}
