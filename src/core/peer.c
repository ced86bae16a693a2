/*
 * What peers ask of us and answer us. Nothing that a peer sends is asserted or believed: the
 * channel's key decides which realm speaks, and a realm without a link is told to introduce itself.
 */
#include "peer.h"

#include "base/assert.h"
#include "base/text.h"
#include "candidate.h"
#include "link.h"
#include "remote.h"
#include "stream.h"

#include <string.h>

typedef void peer_handler_t(turn_t *turn, realm_t *realm, const peer_channel_t *channel,
                            const peer_message_t *message);

static void send_error(turn_t *turn, const peer_channel_t *channel, uint64_t correlation,
                       peer_refusal_t refusal) {
    turn->state->peer_errors += 1;
    peer_message_t *answer = &effects_send(turn->effects, channel)->message;
    answer->kind = PEER_ERROR;
    answer->correlation = correlation;
    answer->error.refusal = refusal;
}

static void send_ack(turn_t *turn, const realm_t *realm, const peer_channel_t *channel) {
    peer_message_t *answer = &effects_send(turn->effects, channel)->message;
    answer->kind = PEER_ACK;
    stream_standing(turn, realm, &answer->ack.standing);
}

static peer_message_t *send_welcome(turn_t *turn, const peer_channel_t *channel,
                                    const peer_message_t *message, peer_refusal_t refusal) {
    peer_message_t *answer = &effects_send(turn->effects, channel)->message;
    answer->kind = PEER_WELCOME;
    answer->correlation = message->correlation;
    answer->welcome.refusal = refusal;
    if (refusal != REFUSAL_NAME)
        answer->welcome.from = turn->state->options.realm;
    return answer;
}

/* The realm that may introduce itself by this message: pinned to the channel's key, or pinned now
 * (trust on first use). NULL and a refusal otherwise. */
static realm_t *introduced(turn_t *turn, const peer_channel_t *channel,
                           const peer_message_t *message, peer_refusal_t *refusal) {
    state_t *state = turn->state;
    *refusal = REFUSAL_NAME;
    if (!name_equal(&message->ackrealm.realm, &state->options.realm))
        return NULL;
    *refusal = REFUSAL_KEY;
    realm_t *realm = realm_keyed(state, channel->key);
    if (realm != NULL)
        return name_equal(&realm->record.name, &message->ackrealm.from) ? realm : NULL;
    if (!state->options.accept_any)
        return NULL;
    code_t code = link_pin(state, turn->effects, &message->ackrealm.from, channel->key);
    if (code == CODE_OK)
        return realm_keyed(state, channel->key);
    *refusal = code == CODE_BUSY ? REFUSAL_FULL : REFUSAL_KEY;
    return NULL;
}

static void on_ackrealm(turn_t *turn, const peer_channel_t *channel,
                        const peer_message_t *message) {
    peer_refusal_t refusal;
    realm_t *realm = introduced(turn, channel, message, &refusal);
    if (realm == NULL) {
        turn->state->peer_errors += 1;
        (void)send_welcome(turn, channel, message, refusal);
        return;
    }
    link_store(turn, realm, &message->ackrealm.source);
    link_sign_of_life(turn, realm);
    link_dial(turn, realm);
    stream_heard(turn, realm, &message->ackrealm.standing, realm->phase != LINK_UP);
    peer_message_t *answer = send_welcome(turn, channel, message, REFUSAL_NONE);
    stream_standing_all(turn, realm, &answer->welcome.standing);
}

static void on_welcome(turn_t *turn, realm_t *realm, const peer_channel_t *channel,
                       const peer_message_t *message) {
    if (!channel->dialled || realm->phase != LINK_GREETING)
        return;
    if (message->welcome.refusal == REFUSAL_NONE)
        link_up(turn, realm, channel->number, realm->greeted_us, &message->welcome.standing);
    else
        link_down(turn, realm, link_refusal_reason(message->welcome.refusal), true);
}

static void on_records(turn_t *turn, realm_t *realm, const peer_channel_t *channel,
                       const peer_message_t *message) {
    stream_take(turn, realm, message);
    send_ack(turn, realm, channel);
    if (message->records.pulled && channel->dialled)
        remote_pulled(turn, realm, message->correlation, message->records.more);
}

static void on_ack(turn_t *turn, realm_t *realm, const peer_channel_t *channel,
                   const peer_message_t *message) {
    (void)channel;
    stream_heard(turn, realm, &message->ack.standing, false);
}

static void on_pull(turn_t *turn, realm_t *realm, const peer_channel_t *channel,
                    const peer_message_t *message) {
    if (!name_equal(&message->pull.realm, &realm->record.name)) {
        send_error(turn, channel, message->correlation, REFUSAL_NAME);
        return;
    }
    stream_heard(turn, realm, &message->pull.standing, false);
    stream_answer_pull(turn, realm, channel, message->correlation);
}

static void on_ping(turn_t *turn, realm_t *realm, const peer_channel_t *channel,
                    const peer_message_t *message) {
    stream_forget(turn, realm, message->ping.done);
    stream_heard(turn, realm, &message->ping.standing, false);
    peer_message_t *answer = &effects_send(turn->effects, channel)->message;
    answer->kind = PEER_PONG;
    answer->correlation = message->correlation;
    answer->ping.stamp = message->ping.stamp;
    /* What we cannot push for lack of a way to the peer, it may come and get. */
    answer->ping.pending = realm->phase == LINK_UP ? 0 : stream_queued(turn->state, realm);
    stream_standing(turn, realm, &answer->ping.standing);
}

static void on_pong(turn_t *turn, realm_t *realm, const peer_channel_t *channel,
                    const peer_message_t *message) {
    if (!channel->dialled || realm->phase != LINK_UP)
        return;
    link_pong(turn, realm, message->correlation, message->ping.stamp);
    stream_heard(turn, realm, &message->ping.standing, false);
    if (message->ping.pending > 0)
        remote_pull_quietly(turn, realm);
}

/* It ended the link or lost it: introduce ourselves anew, after a while. */
static void on_error(turn_t *turn, realm_t *realm, const peer_channel_t *channel,
                     const peer_message_t *message) {
    bool open = realm->phase == LINK_UP || realm->phase == LINK_GREETING;
    if (channel->dialled && channel->number == realm->dial && open)
        link_down(turn, realm, link_refusal_reason(message->error.refusal), true);
}

static peer_handler_t *const handlers[PEER_KIND_COUNT] = {
    [PEER_WELCOME] = on_welcome,
    [PEER_RECORDS] = on_records,
    [PEER_ACK] = on_ack,
    [PEER_REMOTEINBOXREALM] = on_pull,
    [PEER_REMOTEINBOXGROUPREALM] = on_pull,
    [PEER_PING] = on_ping,
    [PEER_PONG] = on_pong,
    [PEER_ERROR] = on_error,
};

/* The linked realm at the other end of a channel, NULL if there is none. */
static realm_t *speaker(const state_t *state, const peer_channel_t *channel) {
    if (!channel->dialled) {
        realm_t *realm = realm_keyed(state, channel->key);
        return realm != NULL && realm->record.linked ? realm : NULL;
    }
    const uint32_t *id = map_get(state->dials, &channel->number);
    realm_t *realm = id == NULL ? NULL : realm_find(state, *id);
    return realm != NULL && realm->dial == channel->number ? realm : NULL;
}

void peer_run(turn_t *turn, const peer_channel_t *channel, const peer_message_t *message) {
    state_t *state = turn->state;
    state->peer_messages += 1;
    ASSERT(message->kind > 0 && message->kind < PEER_KIND_COUNT);
    if (message->kind == PEER_ACKREALM) {
        if (!channel->dialled)
            on_ackrealm(turn, channel, message);
        return;
    }
    realm_t *realm = speaker(state, channel);
    if (realm != NULL) {
        link_sign_of_life(turn, realm);
        handlers[message->kind](turn, realm, channel, message);
    } else if (channel->dialled && message->kind == PEER_WELCOME) {
        candidate_welcome(turn, channel->number, message);
    } else if (channel->dialled && message->kind == PEER_ERROR) {
        candidate_failed(turn, channel->number, link_refusal_reason(message->error.refusal), true);
    } else if (!channel->dialled && message->kind != PEER_ERROR) {
        send_error(turn, channel, message->correlation, REFUSAL_UNLINKED);
    }
}

void peer_garbage(turn_t *turn, const peer_channel_t *channel, peer_refusal_t refusal) {
    turn->state->peer_messages += 1;
    /* Only what came to our ROUTER is a request that expects an answer. */
    if (!channel->dialled)
        send_error(turn, channel, 0, refusal);
    else
        turn->state->peer_errors += 1;
}
