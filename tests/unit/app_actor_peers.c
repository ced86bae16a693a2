/* links: base wire core store net app */
/*
 * What a turn's effects become for the federation.
 */
#include "app/actor.h"
#include "net/federation.h"
#include "wire/peer_codec.h"

#include <criterion/criterion.h>

typedef struct bench {
    engine_t engine;
    actor_t actor;
} bench_t;

static void bench_open(bench_t *bench) {
    *bench = (bench_t){0};
    effects_init(&bench->engine.effects);
    batch_init(&bench->actor.sends);
    buffer_init(&bench->actor.frame);
    arena_init(&bench->actor.arena);
    bench->actor.engine = &bench->engine;
}

static void bench_close(bench_t *bench) {
    effects_deinit(&bench->engine.effects);
    batch_deinit(&bench->actor.sends);
    buffer_deinit(&bench->actor.frame);
    arena_deinit(&bench->actor.arena);
}

static peer_message_t *bench_send(bench_t *bench, uint64_t number, bool dialled) {
    peer_channel_t channel = {.number = number, .dialled = dialled};
    return &effects_send(&bench->engine.effects, &channel)->message;
}

static void bench_ack(bench_t *bench, uint64_t number, bool dialled, uint32_t seq) {
    peer_message_t *message = bench_send(bench, number, dialled);
    message->kind = PEER_ACK;
    message->ack.standing.mark_count = 1;
    message->ack.standing.marks[0] = (stream_mark_t){1, seq};
}

/* The next entry must be an acknowledgement up to `seq`. */
static const batch_entry_t *expect_ack(bench_t *bench, const batch_entry_t *entry, uint64_t number,
                                       bool dialled, uint32_t seq) {
    const batch_t *sends = &bench->actor.sends;
    peer_message_t message;
    entry = batch_next(sends->bytes, sends->length, entry);
    cr_assert_not_null(entry);
    cr_assert_eq(entry->kind, FED_SEND);
    cr_assert_eq(entry->subject, number);
    cr_assert_eq(entry->detail, dialled ? 1 : 0);
    span_t frame = {batch_payload(entry), entry->payload_bytes};
    cr_assert_eq(peer_decode(&message, &bench->actor.arena, frame), REFUSAL_NONE);
    cr_assert_eq(message.kind, PEER_ACK);
    cr_assert_eq(message.ack.standing.marks[0].seq, seq);
    return entry;
}

Test(actor_peers, only_the_newest_ack_of_a_turn_goes_over_a_channel) {
    bench_t bench;
    bench_open(&bench);
    bench_ack(&bench, 5, false, 10);
    bench_ack(&bench, 5, true, 1);
    bench_send(&bench, 5, false)->kind = PEER_PONG;
    bench_ack(&bench, 5, false, 20);
    bench_ack(&bench, 6, false, 2);
    bench_ack(&bench, 5, false, 30);
    actor_put_sends(&bench.actor);
    const batch_t *sends = &bench.actor.sends;
    const batch_entry_t *entry = expect_ack(&bench, NULL, 5, true, 1);
    entry = batch_next(sends->bytes, sends->length, entry);
    cr_assert_eq(entry->subject, 5, "the PONG");
    entry = expect_ack(&bench, entry, 6, false, 2);
    entry = expect_ack(&bench, entry, 5, false, 30);
    cr_assert_null(batch_next(sends->bytes, sends->length, entry));
    bench_close(&bench);
}

Test(actor_peers, single_ack_goes) {
    bench_t bench;
    bench_open(&bench);
    bench_ack(&bench, 5, false, 10);
    actor_put_sends(&bench.actor);
    (void)expect_ack(&bench, NULL, 5, false, 10);
    bench_close(&bench);
}
