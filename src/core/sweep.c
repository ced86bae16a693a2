/*
 * Runs of outbox records read back, and bounces. The only place in the core that sees bodies of
 * records that are in the store already.
 */
#include "sweep.h"

#include "account.h"
#include "base/assert.h"
#include "base/code.h"
#include "base/text.h"
#include "link.h"
#include "listen.h"
#include "mailbox.h"
#include "seal.h"
#include "stream.h"

#include <stdio.h>

/* Asks for at most OUTBOX_SWEEP_RECORDS records from `first` on; false if there are none. */
static bool ask(turn_t *turn, realm_t *realm, sweep_purpose_t purpose, uint32_t first) {
    ASSERT(realm->sweep == SWEEP_NONE);
    uint32_t head = stream_head(turn->state, realm);
    if (first > head)
        return false;
    uint32_t last = head - first < OUTBOX_SWEEP_RECORDS ? head : first + OUTBOX_SWEEP_RECORDS - 1;
    if (purpose == SWEEP_REJECT)
        last = first;
    realm->sweep = purpose;
    realm->swept = last;
    turn->state->settling += purpose == SWEEP_SETTLE;
    sweep_t *sweep = effects_sweep(turn->effects);
    sweep->realm = realm->record.id;
    sweep->query =
        mailbox_run(turn->state, mailbox_address(MAILBOX_OUTBOX, 0, realm->record.id), first, last);
    return true;
}

void sweep_refused(turn_t *turn, realm_t *realm, uint32_t seq) {
    bool asked = ask(turn, realm, SWEEP_REJECT, seq);
    ASSERT(asked);
}

void stream_sweep_start(turn_t *turn, realm_t *realm) {
    if (realm->record.leaving)
        stream_sweep_leave(turn, realm);
    else
        (void)ask(turn, realm, SWEEP_SETTLE, realm->stream.settled + 1);
}

/* What had its verdict and is only sent again, to a peer that was restored from a backup, does not
 * expire: its sender was told that it arrived. What is queued behind it does. */
void stream_sweep_expired(turn_t *turn, realm_t *realm) {
    if (realm->sweep == SWEEP_NONE)
        (void)ask(turn, realm, SWEEP_EXPIRE, realm->stream.judged + 1);
}

void stream_sweep_leave(turn_t *turn, realm_t *realm) {
    /* One that is under way goes first and comes back here. */
    if (realm->sweep == SWEEP_NONE && !ask(turn, realm, SWEEP_LEAVE, realm->stream.done + 1))
        link_gone(turn, realm);
}

/* Tells the sender in its INBOX, and whoever asks CHECKMESSAGE, that a message did not arrive. */
static void bounce(turn_t *turn, const realm_t *realm, const message_t *message, code_t code) {
    verdict_record_t *verdict = &effects_record(turn->effects, RECORD_VERDICT)->verdict;
    verdict->position = message->position;
    verdict->code = code;
    /* It was for the realms that have the group: who has not is not meant, and nobody need know. */
    if (message->broadcast && code == CODE_GROUP_MISMATCH)
        return;
    const user_t *user = user_sender(turn->state, message);
    if (user == NULL)
        return;
    char text[512];
    int length = snprintf(text, sizeof(text), "Pesan %s:%llu untuk %.*s@%s tidak terkirim: %s",
                          turn->state->options.realm.text, (unsigned long long)message->number,
                          (int)message->to.length, message->to.bytes, realm->record.name.text,
                          code_text(code));
    ASSERT(length > 0 && (size_t)length < sizeof(text));
    message_t *told = mailbox_append(turn, mailbox_address(MAILBOX_PRIVATE, user->record.id, 0));
    told->from = span_of(ACCOUNT_RESERVED);
    told->to = effects_copy(turn->effects, name_span(&user->record.name));
    told->text = effects_copy(turn->effects, span_of(text));
    listen_notify(turn, told);
}

/* The copy that our own group mailbox was still owed. */
static void settle_one(turn_t *turn, realm_t *realm, const message_t *message) {
    if (message->seq <= realm->stream.settled)
        return;
    realm->stream.settled = message->seq;
    name_t name;
    const group_t *group =
        message->group && name_parse(&name, message->to) ? group_named(turn->state, &name) : NULL;
    if (group == NULL)
        return;
    seal_address_t address = seal_address_of(turn->state, message);
    message_t like = *message;
    if (seal_open(turn, &address, group, message->text, &like.text))
        stream_copy_group(turn, realm, &like);
}

static void swept_settle(turn_t *turn, realm_t *realm, const event_t *event) {
    for (uint32_t i = 0; i < event->sweep.count; i++)
        settle_one(turn, realm, &event->sweep.messages[i]);
    if (realm->stream.settled < realm->swept)
        realm->stream.settled = realm->swept; /* retention took the others */
    realm_touch(turn->state, realm);
    if (!ask(turn, realm, SWEEP_SETTLE, realm->stream.settled + 1))
        stream_settle(turn, realm);
}

static void swept_reject(turn_t *turn, realm_t *realm, const event_t *event) {
    uint32_t seq = realm->stream.done + 1;
    const peer_rejection_t *refusal = stream_refusal(realm, realm->stream.done);
    bool still = refusal != NULL && refusal->seq == seq && seq <= realm->taken;
    if (still) {
        if (event->sweep.count == 1 && event->sweep.messages[0].seq == seq)
            bounce(turn, realm, &event->sweep.messages[0], refusal->code);
        stream_done_move(turn, realm, seq);
    }
    stream_settle(turn, realm);
}

/* While the link is up nothing expires: it is on its way, and a request may wait for its verdict.
 */
static bool has_expired(const turn_t *turn, const realm_t *realm, const message_t *message) {
    int64_t expiry_ms = turn->state->options.limits.queue_expiry_ms;
    return turn->now_ms - message->time_ms >= expiry_ms && realm->phase != LINK_UP &&
           message->seq > realm->taken;
}

/* The record behind `judged` is gone for good. If others are still to be sent again before it,
 * `done` stays with them; the peer will be told to step over this one. */
static void give_up(turn_t *turn, realm_t *realm, uint32_t seq) {
    if (realm->stream.done == realm->stream.judged)
        stream_done_move(turn, realm, seq);
    else
        stream_judged_move(turn, realm, seq);
}

static void swept_expire(turn_t *turn, realm_t *realm, const event_t *event) {
    bool all = realm->phase != LINK_UP;
    for (uint32_t i = 0; all && i < event->sweep.count; i++) {
        const message_t *message = &event->sweep.messages[i];
        if (message->seq <= realm->stream.judged)
            continue;
        all = has_expired(turn, realm, message);
        if (!all)
            break;
        bounce(turn, realm, message, CODE_EXPIRED);
        give_up(turn, realm, message->seq);
    }
    if (all && realm->stream.judged < realm->swept)
        give_up(turn, realm, realm->swept); /* retention took the others */
    if (!all || !ask(turn, realm, SWEEP_EXPIRE, realm->stream.judged + 1))
        stream_settle(turn, realm);
}

static void swept_leave(turn_t *turn, realm_t *realm, const event_t *event) {
    for (uint32_t i = 0; i < event->sweep.count; i++) {
        const message_t *message = &event->sweep.messages[i];
        if (message->seq <= realm->stream.done)
            continue;
        if (message->seq > realm->stream.judged)
            bounce(turn, realm, message, CODE_NO_REALM);
        stream_done_move(turn, realm, message->seq);
    }
    if (realm->stream.done < realm->swept)
        stream_done_move(turn, realm, realm->swept); /* retention took the others */
}

void stream_swept(turn_t *turn, realm_t *realm, const event_t *event) {
    sweep_purpose_t purpose = realm->sweep;
    ASSERT(purpose != SWEEP_NONE);
    realm->sweep = SWEEP_NONE;
    turn->state->settling -= purpose == SWEEP_SETTLE;
    if (purpose == SWEEP_SETTLE)
        swept_settle(turn, realm, event);
    else if (purpose == SWEEP_REJECT)
        swept_reject(turn, realm, event);
    else if (purpose == SWEEP_EXPIRE)
        swept_expire(turn, realm, event);
    else
        swept_leave(turn, realm, event);
    if (realm->record.leaving)
        stream_sweep_leave(turn, realm);
}
