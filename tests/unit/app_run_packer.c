/* links: base wire core store net app */
/*
 * Runs of an outbox as frames: decoded again and compared with what the store held.
 */
#include "app/run_packer.h"
#include "base/mailbox_address.h"
#include "base/memory.h"
#include "base/text.h"
#include "net/federation.h"
#include "wire/peer_codec.h"

#include <criterion/criterion.h>
#include <string.h>

enum { EPOCH = 77, SEQS_MAX = 1200 };

/* A store that holds some seqs of one outbox and can do nothing but page. */
typedef struct fake {
    store_t store;
    bool present[SEQS_MAX + 1];
    code_t verdict[SEQS_MAX + 1];
    const char *text;
    size_t text_bytes;
    store_error_t error;
    uint32_t shown; /* messages that were read from it */
} fake_t;

static store_error_t fake_page(store_t *store, const page_query_t *query, store_page_fn *visit,
                               void *context, bool *more) {
    fake_t *fake = (fake_t *)store;
    uint32_t last = query->before != 0 ? query->before - 1 : query->newest_seq;
    uint32_t count = 0;
    *more = false;
    for (uint32_t seq = query->after + 1; seq <= last; seq++) {
        message_t message = {.seq = seq,
                             .number = 1000 + seq,
                             .time_ms = 5000 + seq,
                             .group = seq % 2 == 0,
                             .from = span_of("alice"),
                             .to = span_of("bob"),
                             .verdict = query->verdicts ? fake->verdict[seq] : CODE_OK,
                             .text = {fake->text, fake->text_bytes}};
        if (!fake->present[seq]) {
            continue;
        }
        if (count++ == query->limit) {
            *more = true;
            break;
        }
        fake->shown++;
        if (!visit(context, &message)) {
            break;
        }
    }
    return fake->error;
}

static const store_ops_t FAKE_OPS = {.page = fake_page};

static fake_t *fake_new(uint32_t count, size_t text_bytes) {
    char *text = memory_alloc(text_bytes);
    memset(text, 'x', text_bytes);
    fake_t *fake = memory_alloc(sizeof *fake);
    fake->store.ops = &FAKE_OPS;
    fake->text = text;
    fake->text_bytes = text_bytes;
    for (uint32_t seq = 1; seq <= count; seq++) {
        fake->present[seq] = true;
    }
    return fake;
}

static peer_send_t run_of(uint32_t after, uint32_t newest, uint32_t limit, bool pulled) {
    peer_send_t send = {.is_run = true};
    send.channel.dialled = true;
    send.channel.number = 5;
    send.message.kind = PEER_RECORDS;
    send.message.correlation = 99;
    send.message.records.base = (stream_mark_t){EPOCH - 1, after};
    send.message.records.first = (stream_mark_t){EPOCH, after + 1};
    send.message.records.done = 3;
    send.message.records.pulled = pulled;
    send.run = (page_query_t){.mailbox = mailbox_address(MAILBOX_OUTBOX, 0, 1),
                              .newest_position = newest,
                              .newest_seq = newest,
                              .after = after,
                              .limit = limit,
                              .oldest_first = true};
    return send;
}

typedef struct frames {
    arena_t arena;
    batch_t batch;
    peer_message_t messages[64];
    size_t count;
} frames_t;

static void pack_with(frames_t *frames, fake_t *fake, const fresh_t *fresh,
                      const peer_send_t *send) {
    *frames = (frames_t){.count = 0};
    arena_init(&frames->arena);
    batch_init(&frames->batch);
    cr_assert_eq(run_pack(&fake->store, fresh, send, &frames->batch), fake->error);
    const batch_entry_t *entry = NULL;
    while ((entry = batch_next(frames->batch.bytes, frames->batch.length, entry)) != NULL) {
        peer_message_t *message = &frames->messages[frames->count++];
        cr_assert_eq(entry->kind, FED_SEND);
        cr_assert_eq(entry->subject, 5);
        cr_assert_eq(entry->detail, 1);
        span_t frame = {batch_payload(entry), entry->payload_bytes};
        cr_assert_eq(peer_decode(message, &frames->arena, frame), REFUSAL_NONE);
        cr_assert_eq(message->kind, PEER_RECORDS);
        cr_assert_eq(message->correlation, 99);
        cr_assert_eq(message->records.done, 3);
        cr_assert_eq(message->records.first.epoch, EPOCH);
    }
}

static void pack(frames_t *frames, fake_t *fake, const peer_send_t *send) {
    pack_with(frames, fake, NULL, send);
}

static void frames_free(frames_t *frames) {
    arena_deinit(&frames->arena);
    batch_deinit(&frames->batch);
}

static void fake_free(fake_t *fake) {
    union {
        const char *bytes;
        void *memory;
    } text = {fake->text};
    memory_free(text.memory);
    memory_free(fake);
}

/* Each frame stands on the last record of the one before. */
static uint32_t assert_chain(const frames_t *frames, uint64_t epoch, uint32_t seq) {
    uint32_t records = 0;
    for (size_t i = 0; i < frames->count; i++) {
        const peer_message_t *message = &frames->messages[i];
        cr_assert_eq(message->records.base.epoch, epoch);
        cr_assert_eq(message->records.base.seq, seq);
        cr_assert_gt(message->records.record_count, 0);
        epoch = EPOCH;
        seq = message->records.first.seq + message->records.record_count - 1;
        records += message->records.record_count;
    }
    return records;
}

Test(run_packer, small_run_is_one_frame) {
    frames_t frames;
    fake_t *fake = fake_new(10, 20);
    peer_send_t send = run_of(4, 10, 100, false);
    pack(&frames, fake, &send);
    cr_assert_eq(frames.count, 1);
    cr_assert_eq(assert_chain(&frames, EPOCH - 1, 4), 6);
    const peer_record_t *record = &frames.messages[0].records.records[0];
    cr_assert_eq(record->kind, PEER_SENDREALM);
    cr_assert_eq(record->number, 1005);
    cr_assert_eq(record->time_ms, 5005);
    cr_assert(span_equal(record->from, span_of("alice")));
    cr_assert_eq(record->body.length, 20);
    cr_assert_eq(frames.messages[0].records.records[1].kind, PEER_RECVGROUPREALM);
    frames_free(&frames);
    fake_free(fake);
}

Test(run_packer, large_run_is_split_by_count_and_by_size) {
    frames_t frames;
    fake_t *fake = fake_new(SEQS_MAX, 4);
    peer_send_t send = run_of(0, SEQS_MAX, SEQS_MAX, false);
    pack(&frames, fake, &send);
    cr_assert_eq(frames.count, (SEQS_MAX + PEER_RECORDS_MAX - 1) / PEER_RECORDS_MAX);
    cr_assert_eq(assert_chain(&frames, EPOCH - 1, 0), SEQS_MAX);
    frames_free(&frames);
    fake_free(fake);

    fake = fake_new(100, TEXT_BYTES_MAX);
    send = run_of(0, 100, 100, false);
    pack(&frames, fake, &send);
    cr_assert_gt(frames.count, 5);
    cr_assert_eq(assert_chain(&frames, EPOCH - 1, 0), 100);
    frames_free(&frames);
    fake_free(fake);
}

Test(run_packer, gap_starts_a_new_frame_on_top_of_what_was_sent) {
    frames_t frames;
    fake_t *fake = fake_new(10, 4);
    peer_send_t send = run_of(2, 10, 100, false);
    fake->present[3] = false;
    fake->present[6] = false;
    fake->present[7] = false;
    pack(&frames, fake, &send);
    cr_assert_eq(frames.count, 2);
    cr_assert_eq(frames.messages[0].records.first.seq, 4);
    cr_assert_eq(frames.messages[1].records.first.seq, 8);
    cr_assert_eq(assert_chain(&frames, EPOCH - 1, 2), 5);
    frames_free(&frames);
    fake_free(fake);
}

/* A frame without records that moves the mark from `base` to behind `seq`. */
static void assert_step(const peer_message_t *message, uint32_t base, uint32_t seq) {
    cr_assert_eq(message->records.record_count, 0);
    cr_assert_eq(message->records.base.seq, base);
    cr_assert_eq(message->records.first.seq, seq + 1);
}

Test(run_packer, nothing_left_of_a_pushed_run_is_stepped_over) {
    frames_t frames;
    fake_t *fake = fake_new(0, 4);
    peer_send_t send = run_of(2, 10, 100, false);
    pack(&frames, fake, &send);
    cr_assert_eq(frames.count, 1);
    assert_step(&frames.messages[0], 2, 10);
    frames_free(&frames);
    fake_free(fake);
}

Test(run_packer, gap_at_the_end_is_stepped_over) {
    frames_t frames;
    fake_t *fake = fake_new(10, 4);
    peer_send_t send = run_of(2, 10, 6, false);
    send.run.before = 9;
    fake->present[7] = fake->present[8] = false;
    pack(&frames, fake, &send);
    cr_assert_eq(frames.count, 2);
    cr_assert_eq(frames.messages[0].records.record_count, 4);
    assert_step(&frames.messages[1], 6, 8);
    cr_assert_eq(frames.messages[1].records.base.epoch, EPOCH);
    frames_free(&frames);
    fake_free(fake);
}

Test(run_packer, what_has_a_verdict_is_stepped_over) {
    frames_t frames;
    fake_t *fake = fake_new(10, 4);
    peer_send_t send = run_of(0, 10, 10, false);
    send.run.verdicts = true;
    fake->verdict[1] = fake->verdict[5] = fake->verdict[10] = CODE_NO_USER;
    pack(&frames, fake, &send);
    cr_assert_eq(frames.count, 3);
    cr_assert_eq(frames.messages[0].records.first.seq, 2);
    cr_assert_eq(frames.messages[0].records.record_count, 3);
    cr_assert_eq(frames.messages[1].records.first.seq, 6);
    cr_assert_eq(frames.messages[1].records.record_count, 4);
    assert_step(&frames.messages[2], 9, 10);
    frames_free(&frames);
    fake_free(fake);
}

Test(run_packer, pulled_run_steps_over_gaps_one_frame_at_a_time) {
    frames_t frames;
    fake_t *fake = fake_new(10, 4);
    peer_send_t send = run_of(4, 10, 4, true);
    send.run.before = 9;
    fake->present[7] = fake->present[8] = false;
    pack(&frames, fake, &send);
    cr_assert_eq(frames.count, 1);
    cr_assert_eq(frames.messages[0].records.record_count, 2);
    cr_assert(frames.messages[0].records.more, "the gap is still to be stepped over");
    frames_free(&frames);
    send = run_of(6, 10, 2, true);
    send.run.before = 9;
    pack(&frames, fake, &send);
    cr_assert_eq(frames.count, 1);
    assert_step(&frames.messages[0], 6, 8);
    frames_free(&frames);
    fake_free(fake);
}

Test(run_packer, pulled_run_is_one_frame_that_says_what_is_left) {
    frames_t frames;
    fake_t *fake = fake_new(SEQS_MAX, 4);
    peer_send_t send = run_of(0, SEQS_MAX, SEQS_MAX, true);
    pack(&frames, fake, &send);
    cr_assert_eq(frames.count, 1);
    cr_assert_eq(frames.messages[0].records.record_count, PEER_RECORDS_MAX);
    cr_assert(frames.messages[0].records.pulled);
    cr_assert(frames.messages[0].records.more);
    frames_free(&frames);

    send = run_of(SEQS_MAX - 5, SEQS_MAX, 3, true);
    pack(&frames, fake, &send);
    cr_assert_eq(frames.messages[0].records.record_count, 3);
    cr_assert(frames.messages[0].records.more, "the limit left two behind");
    frames_free(&frames);

    send = run_of(SEQS_MAX - 5, SEQS_MAX, 5, true);
    pack(&frames, fake, &send);
    cr_assert_eq(frames.messages[0].records.record_count, 5);
    cr_assert_not(frames.messages[0].records.more);
    frames_free(&frames);
    fake_free(fake);
}

Test(run_packer, pulled_run_stops_at_a_gap) {
    frames_t frames;
    fake_t *fake = fake_new(10, 4);
    peer_send_t send = run_of(0, 10, 100, true);
    fake->present[5] = false;
    pack(&frames, fake, &send);
    cr_assert_eq(frames.count, 1);
    cr_assert_eq(frames.messages[0].records.record_count, 4);
    cr_assert(frames.messages[0].records.more);
    frames_free(&frames);
    fake_free(fake);
}

Test(run_packer, empty_pulled_run_is_an_empty_frame) {
    frames_t frames;
    fake_t *fake = fake_new(0, 4);
    peer_send_t send = run_of(7, 7, 100, true);
    pack(&frames, fake, &send);
    cr_assert_eq(frames.count, 1);
    cr_assert_eq(frames.messages[0].records.record_count, 0);
    cr_assert_eq(frames.messages[0].records.base.seq, 7);
    cr_assert_not(frames.messages[0].records.more);
    frames_free(&frames);
    fake_free(fake);
}

Test(run_packer, unreadable_store_is_told) {
    frames_t frames;
    fake_t *fake = fake_new(0, 4);
    peer_send_t send = run_of(0, 10, 100, true);
    fake->error = STORE_IO;
    pack(&frames, fake, &send);
    cr_assert_eq(frames.count, 0);
    frames_free(&frames);
    fake_free(fake);
}

/* What a turn has appended: `count` records to the outbox of realm 1, the first with `first_seq`,
 * between records of other kinds and another realm's. */
enum { KINDS = 4 };

static record_t *turn_of(uint32_t first_seq, uint32_t count) {
    record_t *records = memory_alloc(KINDS * count * sizeof *records);
    for (uint32_t i = 0; i < KINDS * count; i++) {
        message_t *message = &records[i].message;
        if (i % KINDS == 0) {
            records[i].kind = RECORD_STREAM;
            continue;
        }
        records[i].kind = RECORD_MESSAGE;
        *message = (message_t){.seq = first_seq + i / KINDS, .from = span_of("alice")};
        message->mailbox = i % KINDS == 1   ? mailbox_address(MAILBOX_PRIVATE, 1, 0)
                           : i % KINDS == 2 ? mailbox_address(MAILBOX_OUTBOX, 0, 2)
                                            : mailbox_address(MAILBOX_OUTBOX, 0, 1);
        message->number = i % KINDS == 3 ? 1000 + message->seq : 0;
        message->to = span_of("bob");
        message->text = span_of("fresh");
    }
    return records;
}

/* Packs a run with `count` fresh records from `first_seq` on. */
static void pack_fresh(frames_t *frames, fake_t *fake, const peer_send_t *send, uint32_t first_seq,
                       uint32_t count) {
    fresh_t fresh;
    record_t *records = turn_of(first_seq, count);
    fresh_init(&fresh, records, KINDS * (size_t)count);
    pack_with(frames, fake, &fresh, send);
    fresh_deinit(&fresh);
    memory_free(records);
}

static void assert_numbers(const frames_t *frames, uint32_t seq) {
    for (size_t i = 0; i < frames->count; i++) {
        const peer_message_t *message = &frames->messages[i];
        for (size_t j = 0; j < message->records.record_count; j++, seq++) {
            cr_assert_eq(message->records.records[j].seq, seq);
            cr_assert_eq(message->records.records[j].number, 1000 + seq);
        }
    }
}

Test(run_packer, fresh_run_is_not_read_back) {
    frames_t frames;
    fake_t *fake = fake_new(0, 4);
    peer_send_t send = run_of(4, 10, 100, false);
    pack_fresh(&frames, fake, &send, 5, 6);
    cr_assert_eq(frames.count, 1);
    cr_assert_eq(assert_chain(&frames, EPOCH - 1, 4), 6);
    assert_numbers(&frames, 5);
    frames_free(&frames);
    cr_assert_eq(fake->shown, 0);
    fake_free(fake);
}

Test(run_packer, run_goes_on_from_the_store_with_what_is_fresh) {
    frames_t frames;
    fake_t *fake = fake_new(SEQS_MAX, 4);
    peer_send_t send = run_of(2, SEQS_MAX, SEQS_MAX, false);
    pack_fresh(&frames, fake, &send, 601, SEQS_MAX - 600);
    cr_assert_eq(assert_chain(&frames, EPOCH - 1, 2), SEQS_MAX - 2);
    assert_numbers(&frames, 3);
    frames_free(&frames);
    cr_assert_eq(fake->shown, 598);
    fake_free(fake);
}

Test(run_packer, run_ends_where_it_is_to_end_among_what_is_fresh) {
    frames_t frames;
    fake_t *fake = fake_new(10, 4);
    peer_send_t send = run_of(6, 10, 2, false);
    pack_fresh(&frames, fake, &send, 5, 6);
    cr_assert_eq(assert_chain(&frames, EPOCH - 1, 6), 2);
    assert_numbers(&frames, 7);
    frames_free(&frames);
    send = run_of(1, 10, 2, false);
    pack_fresh(&frames, fake, &send, 5, 6);
    cr_assert_eq(assert_chain(&frames, EPOCH - 1, 1), 2);
    assert_numbers(&frames, 2);
    frames_free(&frames);
    fake_free(fake);
}

Test(run_packer, gap_in_front_of_what_is_fresh_is_stepped_over) {
    frames_t frames;
    fake_t *fake = fake_new(10, 4);
    peer_send_t send = run_of(0, 10, 10, false);
    fake->present[2] = fake->present[3] = fake->present[4] = false;
    pack_fresh(&frames, fake, &send, 5, 6);
    cr_assert_eq(frames.count, 2);
    cr_assert_eq(frames.messages[1].records.first.seq, 5);
    cr_assert_eq(assert_chain(&frames, EPOCH - 1, 0), 7);
    frames_free(&frames);
    fake_free(fake);
}

Test(run_packer, what_may_have_a_verdict_and_what_is_pulled_is_read) {
    frames_t frames;
    fake_t *fake = fake_new(10, 4);
    peer_send_t send = run_of(4, 10, 10, false);
    send.run.verdicts = true;
    fake->verdict[7] = CODE_NO_USER;
    pack_fresh(&frames, fake, &send, 5, 6);
    cr_assert_eq(assert_chain(&frames, EPOCH - 1, 4), 5);
    frames_free(&frames);
    send = run_of(4, 10, 10, true);
    pack_fresh(&frames, fake, &send, 5, 6);
    cr_assert_eq(frames.messages[0].records.record_count, 6);
    cr_assert_eq(frames.messages[0].records.records[0].body.length, 4);
    frames_free(&frames);
    fake_free(fake);
}
