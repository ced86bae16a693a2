/* links: base wire core store app; sources: support/desk.c support/paper_store.c support/puppet.c
 */
/*
 * Both directions of a stream against a peer that is played by hand: the window, silence, what is
 * taken on top of which mark, verdicts, pulls; and a peer that says what no realm would.
 */
#include "../support/paper_store.h"
#include "../support/puppet.h"
#include "base/crypto.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static desk_t *desk;
static puppet_t b;
static mailbox_t from_realm, group_realm, inbox;

static void prepare(void) {
    from_realm = mailbox_of(MAILBOX_REALM, 1, 1);
    group_realm = mailbox_of(MAILBOX_GROUP_REALM, 1, 1);
    inbox = mailbox_of(MAILBOX_PRIVATE, 1, 0);
    desk = desk_new("a");
    desk_start(desk);
    desk_user(desk, 1, "alice");
    puppet_init(&b, desk, "b");
    puppet_link(&b);
}

static void clean_up(void) {
    desk_destroy(&desk);
}

TestSuite(core_stream, .init = prepare, .fini = clean_up);

static const char *const DELIVERED = "{*\"delivery\":\"delivered\"}";
static const char *const QUEUED = "{*\"delivery\":\"queued\"}";

/* Incoming. */

enum { EPOCH = 0x1001, SECOND = 0x2003, THIRD = 0x3005 };

static peer_record_t records[PEER_RECORDS_MAX];

/* Records w<first> to w<last> for alice, on top of a mark. */
static peer_message_t records_of(stream_mark_t base, uint64_t epoch, uint32_t first,
                                 uint32_t last) {
    peer_message_t message = puppet_message(&b, PEER_RECORDS);
    message.records.base = base;
    message.records.first = (stream_mark_t){epoch, first};
    message.records.record_count = (uint16_t)(last + 1 - first);
    message.records.records = records;
    for (uint32_t seq = first; seq <= last; seq++) {
        peer_record_t *record = &records[seq - first];
        *record = (peer_record_t){.kind = PEER_SENDREALM, .number = 100 + seq, .time_ms = 5};
        record->from = span_of("bob");
        record->to = span_of("alice");
        record->body = span_of(desk_text(desk, "w%u", seq));
    }
    return message;
}

/* Says it and expects our mark in the ack. */
static void push(const peer_message_t *message, uint64_t epoch, uint32_t seq) {
    puppet_call(&b, message);
    const peer_standing_t *standing = &puppet_hears(&b, PEER_ACK)->ack.standing;
    cr_assert_eq(standing->mark_count > 0 ? standing->marks[0].epoch : 0, epoch);
    cr_assert_eq(standing->mark_count > 0 ? standing->marks[0].seq : 0, seq);
}

static void push_run(stream_mark_t base, uint64_t epoch, uint32_t first, uint32_t last,
                     uint64_t epoch_then, uint32_t seq_then) {
    peer_message_t message = records_of(base, epoch, first, last);
    push(&message, epoch_then, seq_then);
}

#define MARK(epoch, seq) ((stream_mark_t){(epoch), (seq)})

Test(core_stream, records_are_taken_on_top_of_the_mark) {
    push_run(MARK(0, 0), EPOCH, 1, 3, EPOCH, 3);
    push_run(MARK(EPOCH, 3), EPOCH, 4, 5, EPOCH, 5);
    desk_expect_texts(desk, from_realm, "w1..5");
    const message_t *message = paper_store_message(desk->store, from_realm, 2);
    cr_assert_eq(message->number, 102);
    cr_assert_eq(message->time_ms, 5);
    cr_assert(span_equal(message->origin, span_of("b")), "who speaks, not what it says");
}

Test(core_stream, duplicates_fall_to_the_mark) {
    push_run(MARK(0, 0), EPOCH, 1, 3, EPOCH, 3);
    push_run(MARK(0, 0), EPOCH, 1, 3, EPOCH, 3);
    push_run(MARK(EPOCH, 1), EPOCH, 2, 3, EPOCH, 3);
    desk_expect_texts(desk, from_realm, "w1..3");
    uint64_t writes = paper_store_writes(desk->store);
    push_run(MARK(0, 0), EPOCH, 1, 3, EPOCH, 3);
    cr_assert_eq(paper_store_writes(desk->store), writes);
}

Test(core_stream, overlap_gives_what_is_new) {
    push_run(MARK(0, 0), EPOCH, 1, 3, EPOCH, 3);
    push_run(MARK(EPOCH, 1), EPOCH, 2, 6, EPOCH, 6);
    push_run(MARK(0, 0), EPOCH, 1, 7, EPOCH, 7);
    desk_expect_texts(desk, from_realm, "w1..7");
}

Test(core_stream, what_does_not_fit_on_the_mark_is_not_taken) {
    push_run(MARK(EPOCH, 1), EPOCH, 2, 3, 0, 0);
    push_run(MARK(0, 0), EPOCH, 1, 3, EPOCH, 3);
    push_run(MARK(EPOCH, 4), EPOCH, 5, 6, EPOCH, 3);
    push_run(MARK(SECOND, 3), SECOND, 4, 6, EPOCH, 3);
    push_run(MARK(EPOCH, 2), SECOND, 4, 6, EPOCH, 3);
    push_run(MARK(0, 0), SECOND, 1, 6, EPOCH, 3);
    desk_expect_texts(desk, from_realm, "w1..3");
}

Test(core_stream, gap_is_taken_if_the_sender_says_so) {
    push_run(MARK(0, 0), EPOCH, 1, 3, EPOCH, 3);
    push_run(MARK(EPOCH, 3), EPOCH, 7, 8, EPOCH, 8);
    desk_expect_texts(desk, from_realm, "w1..3 w7..8");
}

Test(core_stream, new_segment_on_top_of_the_old_mark) {
    push_run(MARK(0, 0), EPOCH, 1, 3, EPOCH, 3);
    push_run(MARK(EPOCH, 3), SECOND, 2, 4, SECOND, 4);
    push_run(MARK(EPOCH, 3), EPOCH, 4, 5, SECOND, 4);
    desk_expect_texts(desk, from_realm, "w1..3 w2..4");
    peer_message_t ping = puppet_message(&b, PEER_PING);
    puppet_call(&b, &ping);
    const peer_standing_t *standing = &puppet_hears(&b, PEER_PONG)->ping.standing;
    cr_assert_eq(standing->mark_count, 2);
    cr_assert(standing->marks[1].epoch == EPOCH && standing->marks[1].seq == 3);
}

Test(core_stream, only_so_many_marks_are_remembered) {
    stream_mark_t mark = {0, 0};
    for (uint32_t i = 0; i < 2 * STREAM_MARKS_MAX; i++) {
        push_run(mark, EPOCH + i, i + 1, i + 1, EPOCH + i, i + 1);
        mark = MARK(EPOCH + i, i + 1);
    }
    desk_restart(desk);
    peer_message_t ping = puppet_message(&b, PEER_PING);
    puppet_call(&b, &ping);
    const peer_standing_t *standing = &puppet_hears(&b, PEER_PONG)->ping.standing;
    cr_assert_eq(standing->mark_count, STREAM_MARKS_MAX);
    cr_assert_eq(standing->marks[STREAM_MARKS_MAX - 1].seq, STREAM_MARKS_MAX + 1);
}

Test(core_stream, epoch_zero_is_none) {
    push_run(MARK(0, 0), 0, 1, 3, 0, 0);
    peer_message_t message = records_of(MARK(0, 0), EPOCH, 1, 1);
    message.records.first.seq = 0;
    push(&message, 0, 0);
    cr_assert_eq(paper_store_head(desk->store, from_realm), 0);
}

Test(core_stream, seqs_at_the_end_of_their_range) {
    peer_message_t message = records_of(MARK(0, 0), EPOCH, 1, 2);
    message.records.first.seq = UINT32_MAX - 2;
    push(&message, EPOCH, UINT32_MAX - 1);
    desk_expect_texts(desk, from_realm, "w1..2");
}

Test(core_stream, empty_frame_is_acknowledged) {
    peer_message_t message = puppet_message(&b, PEER_RECORDS);
    push(&message, 0, 0);
    message.records.base = MARK(EPOCH, 9);
    message.records.first = MARK(SECOND, 10);
    push(&message, 0, 0);
}

static void expect_rejections(const peer_standing_t *standing, unsigned count) {
    cr_assert_eq(standing->rejection_count, count, "%u refusals", standing->rejection_count);
    cr_assert_eq(paper_store_rows(desk->store, RECORD_REJECTION), count);
}

Test(core_stream, verdict_on_each_record) {
    static const struct {
        const char *from, *to, *body;
        code_t code;
    } samples[] = {
        {"bob", "nobody", "x", CODE_NO_USER},
        {"bob", "_", "x", CODE_BAD_NAME},
        {"bob smith", "alice", "x", CODE_BAD_NAME},
        {"", "alice", "x", CODE_BAD_NAME},
        {"bob", "alice", "", CODE_TOO_LONG},
        {"bob", "alice", "\xff", CODE_BAD_TEXT},
        {"bob", "alice", "w1", CODE_OK},
        {"bob", "realm", "x", CODE_NO_USER},
    };
    const uint16_t count = sizeof(samples) / sizeof(samples[0]);
    peer_message_t message = records_of(MARK(0, 0), EPOCH, 1, count);
    for (uint16_t i = 0; i < count; i++) {
        records[i].from = span_of(samples[i].from);
        records[i].to = span_of(samples[i].to);
        records[i].body = span_of(samples[i].body);
    }
    push(&message, EPOCH, count);
    const peer_standing_t *standing = &b.heard.ack.standing;
    expect_rejections(standing, count - 1U);
    for (uint16_t i = 0, k = 0; i < count; i++) {
        if (samples[i].code == CODE_OK)
            continue;
        cr_assert_eq(standing->rejections[k].seq, i + 1U);
        cr_assert_eq(standing->rejections[k].code, samples[i].code, "record %u", i + 1U);
        k += 1;
    }
    desk_expect_texts(desk, from_realm, "w1");
}

Test(core_stream, longest_body_is_taken_and_no_longer_one) {
    static char body[TEXT_BYTES_MAX + 1];
    memset(body, 'x', sizeof(body));
    peer_message_t message = records_of(MARK(0, 0), EPOCH, 1, 2);
    records[0].body = (span_t){body, TEXT_BYTES_MAX};
    records[1].body = (span_t){body, TEXT_BYTES_MAX + 1};
    push(&message, EPOCH, 2);
    expect_rejections(&b.heard.ack.standing, 1);
    cr_assert_eq(b.heard.ack.standing.rejections[0].code, CODE_TOO_LONG);
}

Test(core_stream, refusals_are_kept_until_the_sender_has_settled_them) {
    peer_message_t message = records_of(MARK(0, 0), EPOCH, 1, 5);
    records[1].to = records[3].to = span_of("nobody");
    push(&message, EPOCH, 5);
    expect_rejections(&b.heard.ack.standing, 2);
    desk_restart(desk);
    message = records_of(MARK(EPOCH, 5), EPOCH, 6, 6);
    message.records.done = 3;
    push(&message, EPOCH, 6);
    expect_rejections(&b.heard.ack.standing, 1);
    cr_assert_eq(b.heard.ack.standing.rejections[0].seq, 4);
    peer_message_t ping = puppet_message(&b, PEER_PING);
    ping.ping.done = 4;
    puppet_call(&b, &ping);
    expect_rejections(&puppet_hears(&b, PEER_PONG)->ping.standing, 0);
}

Test(core_stream, forged_group_messages_are_refused) {
    desk_group(desk, 1, "tim");
    peer_message_t message = records_of(MARK(0, 0), EPOCH, 1, 3);
    static uint8_t sealed[SEAL_OVERHEAD_BYTES + 4];
    static const uint8_t key[KEY_BYTES] = "not the key", nonce[SEAL_NONCE_BYTES] = "nonce";
    crypto_seal(sealed, key, nonce, "halo", 4, "", 0);
    for (unsigned i = 0; i < 3; i++) {
        records[i].kind = PEER_RECVGROUPREALM;
        records[i].to = span_of("tim");
    }
    records[0].body = span_of("plain");
    records[1].body = (span_t){(const char *)sealed, sizeof(sealed)};
    records[2].body = (span_t){(const char *)sealed, SEAL_OVERHEAD_BYTES};
    push(&message, EPOCH, 3);
    expect_rejections(&b.heard.ack.standing, 3);
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(b.heard.ack.standing.rejections[i].code, CODE_GROUP_MISMATCH);
    cr_assert_eq(paper_store_head(desk->store, group_realm), 0);
}

Test(core_stream, receiver_that_remembers_too_many_refusals_takes_no_more) {
    stream_mark_t mark = {0, 0};
    for (uint32_t first = 1; first < PEER_REJECTIONS_MAX; first += PEER_RECORDS_MAX) {
        peer_message_t message = records_of(mark, EPOCH, first, first + PEER_RECORDS_MAX - 1);
        for (unsigned i = 0; i < PEER_RECORDS_MAX; i++)
            records[i].to = span_of("nobody");
        mark = MARK(EPOCH, first + PEER_RECORDS_MAX - 1);
        push(&message, mark.epoch, mark.seq);
    }
    expect_rejections(&b.heard.ack.standing, PEER_REJECTIONS_MAX);
    push_run(mark, EPOCH, mark.seq + 1, mark.seq + 3, mark.epoch, mark.seq);
    desk_restart(desk);
    push_run(mark, EPOCH, mark.seq + 1, mark.seq + 3, mark.epoch, mark.seq);
    peer_message_t message = records_of(mark, EPOCH, mark.seq + 1, mark.seq + 3);
    message.records.done = 1;
    push(&message, EPOCH, mark.seq + 3);
}

/* Outgoing. */

/* Alice says m<first> to m<last>, all in one commit. Returns the first slot. */
static uint32_t say(unsigned first, unsigned last) {
    uint32_t slot = 0;
    desk->batching = true;
    for (unsigned i = first; i <= last; i++) {
        uint32_t each = desk_say(desk, 1, desk_text(desk, "SENDREALM b bob m%u", i));
        slot = slot == 0 ? each : slot;
    }
    desk_turn_end(desk);
    desk->batching = false;
    return slot;
}

/* The puppet takes all records that were sent to it, and says nothing. Returns how many. */
static unsigned take_all(void) {
    unsigned count = 0;
    while (desk_take_frame(desk, &b.heard, NULL)) {
        if (b.heard.kind != PEER_RECORDS || b.heard.records.record_count == 0)
            continue;
        cr_assert(b.heard.records.base.epoch == b.mark.epoch &&
                      b.heard.records.base.seq == b.mark.seq,
                  "each frame stands on the one before");
        b.mark = b.heard.records.first;
        b.mark.seq += b.heard.records.record_count - 1U;
        count += b.heard.records.record_count;
    }
    return count;
}

static void acknowledge(uint32_t seq) {
    peer_message_t ack = puppet_message(&b, PEER_ACK);
    ack.ack.standing.mark_count = 1;
    ack.ack.standing.marks[0] = MARK(b.mark.epoch, seq);
    puppet_answer(&b, &ack);
}

static void refuse(uint32_t mark, const peer_rejection_t *rejections, uint16_t count) {
    peer_message_t ack = puppet_message(&b, PEER_ACK);
    ack.ack.standing.mark_count = 1;
    ack.ack.standing.marks[0] = MARK(b.mark.epoch, mark);
    ack.ack.standing.rejections = rejections;
    ack.ack.standing.rejection_count = count;
    puppet_answer(&b, &ack);
}

Test(core_stream, ack_answers_the_sender) {
    uint32_t slot = say(1, 3);
    cr_assert_eq(take_all(), 3);
    acknowledge(2);
    desk_expect_reply(desk, 1, slot, DELIVERED);
    desk_expect_reply(desk, 1, slot + 1, DELIVERED);
    cr_assert(desk_reply(desk, 1, slot + 2) == NULL);
    acknowledge(1);
    acknowledge(3);
    desk_expect_reply(desk, 1, slot + 2, DELIVERED);
    acknowledge(3);
}

Test(core_stream, refusal_answers_the_sender) {
    const peer_rejection_t rejections[] = {{2, CODE_NO_USER}};
    uint32_t slot = say(1, 3);
    (void)take_all();
    refuse(3, rejections, 1);
    desk_expect_reply(desk, 1, slot, DELIVERED);
    desk_expect_reply(desk, 1, slot + 1, "{*\"code\":\"NO_USER\"}");
    desk_expect_reply(desk, 1, slot + 2, DELIVERED);
    cr_assert_eq(paper_store_head(desk->store, inbox), 0);
}

Test(core_stream, refusal_ahead_of_the_mark_waits) {
    const peer_rejection_t rejections[] = {{2, CODE_NO_USER}};
    uint32_t slot = say(1, 3);
    (void)take_all();
    refuse(1, rejections, 1);
    desk_expect_reply(desk, 1, slot, DELIVERED);
    cr_assert(desk_reply(desk, 1, slot + 1) == NULL);
    refuse(3, rejections, 1);
    desk_expect_reply(desk, 1, slot + 1, "{*\"code\":\"NO_USER\"}");
}

Test(core_stream, frames_are_bounded_in_number_and_bytes) {
    (void)say(1, PEER_RECORDS_MAX + 10);
    cr_assert_eq(puppet_hears(&b, PEER_RECORDS)->records.record_count, PEER_RECORDS_MAX);
    cr_assert_eq(puppet_hears(&b, PEER_RECORDS)->records.record_count, 10);
    char line[LINE_BYTES_MAX] = "SENDREALM b bob ";
    memset(line + 16, 'x', TEXT_BYTES_MAX);
    desk->batching = true;
    for (unsigned i = 0; i < 40; i++)
        (void)desk_say(desk, 1, line);
    desk_turn_end(desk);
    unsigned frames = 0;
    unsigned count = 0;
    while (desk_take_frame(desk, &b.heard, NULL)) {
        frames += 1;
        count += b.heard.records.record_count;
    }
    cr_assert_eq(count, 40);
    cr_assert_geq(frames, 3);
}

Test(core_stream, window_bounds_what_is_on_its_way) {
    const unsigned count = STREAM_WINDOW_RECORDS + 1000;
    (void)say(1, count);
    cr_assert_eq(take_all(), STREAM_WINDOW_RECORDS);
    acknowledge(100);
    cr_assert_eq(take_all(), 100);
    acknowledge(STREAM_WINDOW_RECORDS);
    cr_assert_eq(take_all(), 900);
    acknowledge(count);
    cr_assert_eq(take_all(), 0);
}

Test(core_stream, silence_is_answered_by_sending_again_from_the_last_ack) {
    (void)say(1, 10);
    (void)take_all();
    acknowledge(4);
    b.mark.seq = 4;
    desk_forget_frames(desk);
    desk_wait_ms(desk, RESEND_MS - 1);
    cr_assert_eq(take_all(), 0);
    desk_wait_ms(desk, 1);
    cr_assert_eq(take_all(), 6);
    acknowledge(10);
    desk_wait_ms(desk, 900);
    cr_assert_eq(take_all(), 0);
}

Test(core_stream, new_process_begins_a_segment) {
    (void)say(1, 3);
    (void)take_all();
    acknowledge(3);
    uint64_t epoch = b.mark.epoch;
    desk_restart(desk);
    desk_user(desk, 1, "alice");
    cr_assert(puppet_dialled(&b));
    puppet_welcomes(&b);
    (void)say(4, 5);
    cr_assert_eq(take_all(), 2);
    cr_assert_neq(b.mark.epoch, epoch);
    cr_assert_eq(b.mark.seq, 5);
}

Test(core_stream, lost_link_answers_queued_and_sends_again_from_the_peers_mark) {
    uint32_t slot = say(1, 5);
    (void)take_all();
    desk_dial_lost(desk, b.dial.number, DIAL_BROKEN);
    for (unsigned i = 0; i < 5; i++)
        desk_expect_reply(desk, 1, slot + i, QUEUED);
    desk_wait_ms(desk, RECONNECT_MS_MIN);
    cr_assert(puppet_dialled(&b));
    b.mark.seq = 2;
    puppet_welcomes(&b);
    cr_assert_eq(take_all(), 3);
}

Test(core_stream, record_limit_of_an_outbox) {
    record_t head = {.kind = RECORD_HEAD};
    head.head.mailbox = mailbox_of(MAILBOX_OUTBOX, 0, 1);
    head.head.head.seq = DEFAULT_OUTBOX_RECORDS_MAX;
    for (unsigned level = 0; level < HEAD_LEVELS; level++)
        head.head.head.positions[level][2] = (uint8_t)(100 - level);
    cr_assert(state_load(desk->state, &head));
    uint64_t writes = paper_store_writes(desk->store);
    desk_expect(desk, 1, "SENDREALM b bob halo",
                "{\"status\":\"ERROR\",\"data\":\"antrian realm penuh\",\"code\":\"QUEUE_FULL\"}");
    cr_assert_eq(paper_store_writes(desk->store), writes);
}

Test(core_stream, byte_limit_of_an_outbox) {
    record_t stream = {.kind = RECORD_STREAM,
                       .stream = {.realm = 1, .bytes = DEFAULT_OUTBOX_BYTES_MAX - 4}};
    desk_group(desk, 1, "tim");
    cr_assert(state_load(desk->state, &stream));
    desk_expect(desk, 1, "SENDREALM b bob halo!", "{*\"code\":\"QUEUE_FULL\"}");
    desk_expect(desk, 1, "SENDGROUPREALM b tim x", "{*\"code\":\"QUEUE_FULL\"}");
    uint32_t slot = desk_say(desk, 1, "SENDREALM b bob halo");
    cr_assert(desk_reply(desk, 1, slot) == NULL);
    desk_expect(desk, 1, "SENDREALM b bob x", "{*\"code\":\"QUEUE_FULL\"}");
    (void)take_all();
    acknowledge(1);
    desk_expect_reply(desk, 1, slot, DELIVERED);
    slot = desk_say(desk, 1, "SENDREALM b bob x");
    cr_assert(desk_reply(desk, 1, slot) == NULL);
}

/* Sweeps, while their answers are on their way. */

static void hold_a_refusal(void) {
    const peer_rejection_t rejections[] = {{2, CODE_NO_USER}};
    (void)say(1, 4);
    (void)take_all();
    desk_wait_ms(desk, VERDICT_MS);
    desk->hold_errands = true;
    refuse(3, rejections, 1);
    cr_assert_eq(desk->errand_count, 1, "the refused record is read, to bounce it");
}

Test(core_stream, acks_go_on_while_a_refused_record_is_read) {
    const peer_rejection_t rejections[] = {{2, CODE_NO_USER}};
    hold_a_refusal();
    desk_expect(desk, 1, "PING", "{*PONG*}");
    refuse(4, rejections, 1);
    cr_assert_eq(desk->errand_count, 1);
    desk_errands_run(desk);
    cr_assert_eq(paper_store_head(desk->store, inbox), 1);
    for (unsigned i = 1; i <= 4; i++)
        desk_expect(desk, 1, desk_text(desk, "CHECKMESSAGE a:%u", i),
                    i == 2 ? "{*\"rejected\"*}" : "{*\"delivered\"*}");
}

Test(core_stream, link_lost_while_a_refused_record_is_read) {
    hold_a_refusal();
    desk_dial_lost(desk, b.dial.number, DIAL_BROKEN);
    desk_errands_run(desk);
    cr_assert_eq(paper_store_head(desk->store, inbox), 1);
}

Test(core_stream, link_ended_while_a_refused_record_is_read) {
    hold_a_refusal();
    desk_expect(desk, DESK_ADMIN, "DELREALM b", "{*berhasil*}");
    desk_expect(desk, 1, "SENDREALM b bob halo", "{*\"code\":\"NO_REALM\"}");
    desk_expect(desk, DESK_ADMIN, desk_text(desk, "TRUSTREALM b %s", key_text_of(desk, "b")),
                "{*\"code\":\"BUSY\"}");
    desk_expect(desk, DESK_ADMIN, "ADDREALM b 127.0.0.1 9102", "{*\"code\":\"REALM_KEY\"}");
    peer_message_t hello = puppet_message(&b, PEER_ACKREALM);
    puppet_call(&b, &hello);
    cr_assert_eq(puppet_hears(&b, PEER_WELCOME)->welcome.refusal, REFUSAL_KEY);
    desk_errands_run(desk);
    cr_assert_eq(paper_store_head(desk->store, inbox), 2, "the second refused, the fourth bounced");
    puppet_link(&b);
}

Test(core_stream, link_up_while_the_queue_is_looked_through_for_expired) {
    desk_dial_lost(desk, b.dial.number, DIAL_REFUSED);
    (void)say(1, 3);
    desk->skew_ms = DEFAULT_QUEUE_EXPIRY_MS;
    (void)say(4, 4);
    desk->hold_errands = true;
    while (desk->errand_count == 0) {
        desk_wait_ms(desk, 1000);
        if (puppet_dialled(&b))
            desk_dial_lost(desk, b.dial.number, DIAL_REFUSED);
    }
    while (!puppet_dialled(&b))
        desk_wait_ms(desk, 100);
    puppet_welcomes(&b);
    (void)take_all();
    acknowledge(2);
    desk_errands_run(desk);
    acknowledge(4);
    desk_expect(desk, 1, "CHECKMESSAGE a:2", "{*\"delivered\"*}");
    desk_expect(desk, 1, "CHECKMESSAGE a:4", "{*\"delivered\"*}");
}

/* Pulls, both ways. */

static void pull(peer_kind_t kind) {
    peer_message_t message = puppet_message(&b, kind);
    message.correlation = 42;
    puppet_call(&b, &message);
    const peer_message_t *answer = puppet_hears(&b, PEER_RECORDS);
    cr_assert_eq(answer->correlation, 42);
    cr_assert(answer->records.pulled);
}

Test(core_stream, pull_with_nothing_pending) {
    pull(PEER_REMOTEINBOXREALM);
    cr_assert(b.heard.records.record_count == 0 && !b.heard.records.more);
    pull(PEER_REMOTEINBOXGROUPREALM);
    cr_assert(b.heard.records.record_count == 0 && !b.heard.records.more);
}

Test(core_stream, pull_in_pieces) {
    peer_message_t hello = puppet_message(&b, PEER_ACKREALM);
    desk_dial_lost(desk, b.dial.number, DIAL_REFUSED);
    uint32_t slot = say(1, PEER_RECORDS_MAX + 10);
    desk_expect_reply(desk, 1, slot, QUEUED);
    puppet_call(&b, &hello);
    pull(PEER_REMOTEINBOXREALM);
    cr_assert_eq(b.heard.records.record_count, PEER_RECORDS_MAX);
    cr_assert(b.heard.records.more);
    b.mark = MARK(b.heard.records.first.epoch, PEER_RECORDS_MAX);
    pull(PEER_REMOTEINBOXGROUPREALM);
    cr_assert_eq(b.heard.records.record_count, 10);
    cr_assert_eq(b.heard.records.first.seq, PEER_RECORDS_MAX + 1);
    cr_assert(!b.heard.records.more);
    b.mark.seq += 10;
    pull(PEER_REMOTEINBOXREALM);
    cr_assert_eq(b.heard.records.record_count, 0);
    desk_expect(desk, 1, "CHECKMESSAGE a:1", "{*\"delivered\"*}");
}

Test(core_stream, pull_behind_a_gap_of_retention) {
    peer_message_t hello = puppet_message(&b, PEER_ACKREALM);
    desk_dial_lost(desk, b.dial.number, DIAL_REFUSED);
    (void)say(1, 20);
    paper_store_retain(desk->store, 7);
    puppet_call(&b, &hello);
    pull(PEER_REMOTEINBOXREALM);
    cr_assert_eq(b.heard.records.first.seq, 8);
    cr_assert_eq(b.heard.records.base.epoch, 0);
    cr_assert_eq(b.heard.records.record_count, 13);
}

Test(core_stream, pull_under_another_name) {
    peer_message_t message = puppet_message(&b, PEER_REMOTEINBOXREALM);
    message.pull.realm = name_of("c");
    puppet_call(&b, &message);
    cr_assert_eq(puppet_hears(&b, PEER_ERROR)->error.refusal, REFUSAL_NAME);
}

static peer_message_t pulled(uint64_t correlation, bool more) {
    peer_message_t message = puppet_message(&b, PEER_RECORDS);
    message.correlation = correlation;
    message.records.pulled = true;
    message.records.more = more;
    return message;
}

Test(core_stream, page_waits_for_all_that_is_pending) {
    uint32_t slot = desk_say(desk, 1, "INBOXREALM b");
    const peer_message_t *asked = puppet_hears(&b, PEER_REMOTEINBOXREALM);
    cr_assert_str_eq(asked->pull.name.text, "alice");
    cr_assert_str_eq(asked->pull.realm.text, "a");
    uint64_t correlation = asked->correlation;
    peer_message_t answer = records_of(MARK(0, 0), EPOCH, 1, 2);
    answer.correlation = correlation;
    answer.records.pulled = answer.records.more = true;
    puppet_answer(&b, &answer);
    cr_assert(desk_reply(desk, 1, slot) == NULL);
    cr_assert_eq(puppet_hears(&b, PEER_REMOTEINBOXREALM)->correlation, correlation);
    cr_assert_eq(b.heard.pull.standing.marks[0].seq, 2);
    answer = pulled(correlation, false);
    puppet_answer(&b, &answer);
    desk_expect_reply(desk, 1, slot, "{*\"w1\"*\"w2\"}]}");
    puppet_answer(&b, &answer);
}

Test(core_stream, answer_to_a_pull_over_the_wrong_way_counts_for_nothing) {
    uint32_t slot = desk_say(desk, 1, "INBOXREALM b");
    peer_message_t answer = pulled(puppet_hears(&b, PEER_REMOTEINBOXREALM)->correlation, false);
    puppet_call(&b, &answer);
    answer.correlation += 1;
    puppet_answer(&b, &answer);
    answer.correlation = 0;
    puppet_answer(&b, &answer);
    cr_assert(desk_reply(desk, 1, slot) == NULL);
    desk_wait_ms(desk, PULL_MS);
    desk_expect_reply(desk, 1, slot, "{*\"stale\":true}");
}

Test(core_stream, page_does_not_wait_for_ever_for_more) {
    uint32_t slot = desk_say(desk, 1, "INBOXREALM b");
    peer_message_t answer = pulled(puppet_hears(&b, PEER_REMOTEINBOXREALM)->correlation, true);
    for (unsigned i = 0; i < 20; i++) {
        puppet_answer(&b, &answer);
        desk_wait_ms(desk, PULL_MS / 20);
    }
    desk_expect_reply(desk, 1, slot, "{*\"stale\":true}");
}

static void pong_with_pending(uint32_t pending) {
    peer_message_t answer = puppet_message(&b, PEER_PONG);
    answer.correlation = puppet_hears(&b, PEER_PING)->correlation;
    answer.ping.pending = pending;
    puppet_answer(&b, &answer);
}

Test(core_stream, what_the_peer_cannot_push_is_pulled) {
    desk_wait_ms(desk, 1);
    pong_with_pending(3);
    peer_message_t answer = records_of(MARK(0, 0), EPOCH, 1, 3);
    answer.correlation = puppet_hears(&b, PEER_REMOTEINBOXREALM)->correlation;
    answer.records.pulled = true;
    puppet_answer(&b, &answer);
    desk_expect_texts(desk, from_realm, "w1..3");
    (void)puppet_hears(&b, PEER_ACK);
    desk_wait_ms(desk, HEARTBEAT_MS);
    pong_with_pending(0);
    cr_assert(!puppet_would_hear(&b, PEER_REMOTEINBOXREALM));
}

Test(core_stream, pull_that_gets_no_answer_is_made_again) {
    desk_wait_ms(desk, 1);
    pong_with_pending(3);
    (void)puppet_hears(&b, PEER_REMOTEINBOXREALM);
    for (unsigned i = 0; i < 3; i++) {
        desk_wait_ms(desk, HEARTBEAT_MS);
        pong_with_pending(3);
    }
    cr_assert(puppet_would_hear(&b, PEER_REMOTEINBOXREALM));
}

/* A peer that says what no realm would. Nothing of it may end the process. */

static void hostile_standing(peer_standing_t *standing, uint32_t draw) {
    static const uint32_t seqs[] = {0, 1, 2, 3, 4, 5, 6, 7, 1000, UINT32_MAX - 1, UINT32_MAX};
    static peer_rejection_t rejections[4];
    standing->mark_count = (uint8_t)(draw % 3);
    for (unsigned i = 0; i < standing->mark_count; i++) {
        standing->marks[i].epoch = (draw >> 3 & 1) != 0 ? b.mark.epoch : EPOCH + (draw >> 4) % 3;
        standing->marks[i].seq = seqs[(draw >> 6) % 11];
    }
    standing->rejection_count = (uint16_t)((draw >> 10) % 5);
    standing->rejections = rejections;
    for (unsigned i = 0; i < standing->rejection_count; i++)
        rejections[i] = (peer_rejection_t){seqs[(draw >> (12 + 2 * i)) % 11], CODE_NO_USER};
}

static uint32_t drawn;
static uint32_t draw(void) {
    drawn = drawn * 1664525 + 1013904223;
    return drawn >> 4;
}

static peer_message_t hostile_message(void) {
    peer_kind_t kind = (peer_kind_t)(1 + draw() % (PEER_KIND_COUNT - 1));
    peer_message_t message = puppet_message(&b, kind);
    message.correlation = draw() % 30;
    if (kind == PEER_ACKREALM)
        hostile_standing(&message.ackrealm.standing, draw());
    else if (kind == PEER_WELCOME)
        hostile_standing(&message.welcome.standing, draw());
    else if (kind == PEER_ACK)
        hostile_standing(&message.ack.standing, draw());
    else if (kind == PEER_PING || kind == PEER_PONG)
        hostile_standing(&message.ping.standing, draw());
    else if (kind == PEER_REMOTEINBOXREALM || kind == PEER_REMOTEINBOXGROUPREALM)
        hostile_standing(&message.pull.standing, draw());
    else if (kind == PEER_ERROR)
        message.error.refusal = (peer_refusal_t)(1 + draw() % (REFUSAL_COUNT - 1));
    if (kind == PEER_RECORDS) {
        uint32_t first = draw() % 12;
        message = records_of(MARK(EPOCH + draw() % 3, draw() % 12), EPOCH + draw() % 3, first,
                             first + draw() % 4);
        message.records.done = draw() % 20;
        message.records.pulled = draw() % 2 != 0;
        message.records.more = draw() % 4 == 0;
        records[0].to = draw() % 3 == 0 ? span_of("nobody") : records[0].to;
    }
    if (kind == PEER_PONG || kind == PEER_PING)
        message.ping.pending = draw() % 2;
    return message;
}

static void hostile_turn(void) {
    static const char *const lines[] = {"SENDREALM b bob halo", "SENDREALM b bob hai",
                                        "INBOXREALM b", "CHECKREALM"};
    uint32_t what = draw() % 40;
    if (what == 0) {
        desk_restart(desk);
        desk_user(desk, 1, "alice");
    } else if (what == 1) {
        (void)desk_ask(desk, DESK_ADMIN, "DELREALM b");
        (void)desk_ask(desk, DESK_ADMIN,
                       desk_text(desk, "TRUSTREALM b %s", key_text_of(desk, "b")));
    } else if (what < 4) {
        desk_dial_lost(desk, b.dial.number, DIAL_BROKEN);
    } else if (what < 14) {
        (void)desk_say(desk, 1, lines[what % 4]);
    } else {
        peer_message_t message = hostile_message();
        if (draw() % 2 == 0)
            puppet_call(&b, &message);
        else
            puppet_answer(&b, &message);
    }
    if (puppet_dialled(&b) && draw() % 4 != 0)
        desk_dialled(desk, b.dial.number);
    if (puppet_would_hear(&b, PEER_RECORDS) && b.heard.kind == PEER_RECORDS)
        b.mark = b.heard.records.first;
    desk_wait_ms(desk, draw() % 300);
}

Test(core_stream, hostile_peer_ends_nothing) {
    for (drawn = 1; drawn < 40; drawn++) {
        uint32_t seed = drawn;
        for (unsigned i = 0; i < 150; i++)
            hostile_turn();
        drawn = seed;
    }
    desk_expect(desk, DESK_ADMIN + 1, "PING", "{*PONG*}");
}
