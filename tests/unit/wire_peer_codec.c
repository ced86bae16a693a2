/* links: base wire */
/*
 * Peer messages survive the wire unchanged; whatever else arrives is refused and touches nothing
 * outside its bytes. Each frame is decoded from a block of exactly its size, so that an address
 * sanitizer sees every read past its end.
 */
#include "base/text.h"
#include "wire/peer_codec.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES   16
#define MUTATIONS 20000

static arena_t arena;
static buffer_t out;

static void prepare(void) {
    arena_init(&arena);
    buffer_init(&out);
}

static void clean_up(void) {
    arena_deinit(&arena);
    buffer_deinit(&out);
}

TestSuite(codec, .init = prepare, .fini = clean_up);

static name_t named(const char *text) {
    name_t name;
    cr_assert(name_parse(&name, span_of(text)));
    return name;
}

static const peer_rejection_t rejections[3] = {
    {1, CODE_NO_USER}, {0xFFFFFFFF, CODE_EXPIRED}, {77, CODE_GROUP_MISMATCH}};

static peer_standing_t full_standing(void) {
    peer_standing_t standing = {
        .mark_count = STREAM_MARKS_MAX, .rejection_count = 3, .rejections = rejections};
    for (uint32_t i = 0; i < STREAM_MARKS_MAX; i++) {
        standing.marks[i] = (stream_mark_t){0xFEDCBA9876543210ULL + i, 0x89ABCDEF - i};
    }
    return standing;
}

static const peer_record_t records[3] = {
    {PEER_SENDREALM, 41, 7, 1795341600123, {"alice", 5}, {"bob", 3}, {"halo", 4}},
    {PEER_RECVGROUPREALM, 42, UINT64_MAX, -1, {"a", 1}, {"tim", 3}, {"\0\xFF\x01", 3}},
    {PEER_SENDREALM, 43, 0, INT64_MIN, {"", 0}, {"", 0}, {"", 0}},
};

static peer_message_t empty_message(peer_kind_t kind) {
    peer_message_t message;
    memset(&message, 0, sizeof(message));
    message.kind = kind;
    message.correlation = 0x0123456789ABCDEFULL;
    return message;
}

static peer_message_t ackrealm(void) {
    peer_message_t message = empty_message(PEER_ACKREALM);
    message.ackrealm.realm = named("b");
    message.ackrealm.from = named("realm-a.example_1");
    message.ackrealm.address = (address_t){.length = 9, .text = "127.0.0.1", .port = 9102};
    message.ackrealm.source = (address_t){.length = 3, .text = "::1", .port = 65535};
    message.ackrealm.standing = full_standing();
    return message;
}

static peer_message_t records_message(uint16_t count) {
    peer_message_t message = empty_message(PEER_RECORDS);
    message.records.base = (stream_mark_t){5, 40};
    message.records.first = (stream_mark_t){6, 41};
    message.records.done = 39;
    message.records.pulled = count > 1;
    message.records.more = count != 1;
    message.records.record_count = count;
    message.records.records = records;
    return message;
}

static peer_message_t ping(peer_kind_t kind) {
    peer_message_t message = empty_message(kind);
    message.ping.stamp = 0x8877665544332211ULL;
    message.ping.done = 0xA0B0C0D0;
    message.ping.pending = 3;
    message.ping.standing = full_standing();
    return message;
}

static peer_message_t pull(peer_kind_t kind) {
    peer_message_t message = empty_message(kind);
    message.pull.name = named("bob");
    message.pull.realm = named("a");
    message.pull.standing = full_standing();
    return message;
}

/* Every kind, full and as empty as it may be. */
static void make_samples(peer_message_t samples[SAMPLES]) {
    samples[0] = ackrealm();
    samples[1] = empty_message(PEER_ACKREALM);
    samples[1].ackrealm.realm = named("b");
    samples[1].ackrealm.from = named("a");
    samples[2] = empty_message(PEER_WELCOME);
    samples[3] = empty_message(PEER_WELCOME);
    samples[3].welcome.refusal = REFUSAL_FULL;
    samples[3].welcome.from = named("b");
    samples[3].welcome.standing = full_standing();
    samples[4] = records_message(0);
    samples[5] = records_message(1);
    samples[6] = records_message(3);
    samples[7] = empty_message(PEER_ACK);
    samples[8] = empty_message(PEER_ACK);
    samples[8].ack.standing = full_standing();
    samples[9] = pull(PEER_REMOTEINBOXREALM);
    samples[10] = pull(PEER_REMOTEINBOXGROUPREALM);
    samples[11] = ping(PEER_PING);
    samples[12] = ping(PEER_PONG);
    samples[13] = empty_message(PEER_PING);
    samples[14] = empty_message(PEER_ERROR);
    samples[14].error.refusal = REFUSAL_UNLINKED;
    samples[15] = empty_message(PEER_ERROR);
    samples[15].error.refusal = REFUSAL_MALFORMED;
}

static void check_older(const peer_standing_t *a, const peer_standing_t *b) {
    cr_assert_eq(a->older_count, b->older_count);
    for (size_t i = 0; i < a->older_count; i++) {
        cr_assert_eq(a->older[i].epoch, b->older[i].epoch);
        cr_assert_eq(a->older[i].seq, b->older[i].seq);
    }
}

static void check_standing(const peer_standing_t *a, const peer_standing_t *b) {
    check_older(a, b);
    cr_assert_eq(a->mark_count, b->mark_count);
    for (size_t i = 0; i < a->mark_count; i++) {
        cr_assert_eq(a->marks[i].epoch, b->marks[i].epoch);
        cr_assert_eq(a->marks[i].seq, b->marks[i].seq);
    }
    cr_assert_eq(a->rejection_count, b->rejection_count);
    for (size_t i = 0; i < a->rejection_count; i++) {
        cr_assert_eq(a->rejections[i].seq, b->rejections[i].seq);
        cr_assert_eq(a->rejections[i].code, b->rejections[i].code);
    }
}

static void check_address(const address_t *a, const address_t *b) {
    cr_assert_eq(a->length, b->length);
    cr_assert_str_eq(a->text, b->text);
    cr_assert_eq(a->port, b->port);
}

static void check_records(const peer_message_t *a, const peer_message_t *b) {
    cr_assert_eq(a->records.base.epoch, b->records.base.epoch);
    cr_assert_eq(a->records.base.seq, b->records.base.seq);
    cr_assert_eq(a->records.first.epoch, b->records.first.epoch);
    cr_assert_eq(a->records.first.seq, b->records.first.seq);
    cr_assert_eq(a->records.done, b->records.done);
    cr_assert_eq(a->records.pulled, b->records.pulled);
    cr_assert_eq(a->records.more, b->records.more);
    cr_assert_eq(a->records.record_count, b->records.record_count);
    for (size_t i = 0; i < a->records.record_count; i++) {
        const peer_record_t *x = &a->records.records[i];
        const peer_record_t *y = &b->records.records[i];
        cr_assert_eq(x->kind, y->kind);
        cr_assert_eq(x->seq, y->seq);
        cr_assert_eq(x->number, y->number);
        cr_assert_eq(x->time_ms, y->time_ms);
        cr_assert(span_equal(x->from, y->from));
        cr_assert(span_equal(x->to, y->to));
        cr_assert(span_equal(x->body, y->body));
    }
}

static void check_message(const peer_message_t *a, const peer_message_t *b) {
    cr_assert_eq(a->kind, b->kind);
    cr_assert_eq(a->correlation, b->correlation);
    switch (a->kind) {
    case PEER_ACKREALM:
        cr_assert(name_equal(&a->ackrealm.realm, &b->ackrealm.realm));
        cr_assert(name_equal(&a->ackrealm.from, &b->ackrealm.from));
        check_address(&a->ackrealm.address, &b->ackrealm.address);
        check_address(&a->ackrealm.source, &b->ackrealm.source);
        check_standing(&a->ackrealm.standing, &b->ackrealm.standing);
        break;
    case PEER_WELCOME:
        cr_assert_eq(a->welcome.refusal, b->welcome.refusal);
        cr_assert(name_equal(&a->welcome.from, &b->welcome.from));
        check_standing(&a->welcome.standing, &b->welcome.standing);
        break;
    case PEER_RECORDS:
        check_records(a, b);
        break;
    case PEER_ACK:
        check_standing(&a->ack.standing, &b->ack.standing);
        break;
    case PEER_REMOTEINBOXREALM:
    case PEER_REMOTEINBOXGROUPREALM:
        cr_assert(name_equal(&a->pull.name, &b->pull.name));
        cr_assert(name_equal(&a->pull.realm, &b->pull.realm));
        check_standing(&a->pull.standing, &b->pull.standing);
        break;
    case PEER_PING:
    case PEER_PONG:
        cr_assert_eq(a->ping.stamp, b->ping.stamp);
        cr_assert_eq(a->ping.done, b->ping.done);
        cr_assert_eq(a->ping.pending, b->ping.pending);
        check_standing(&a->ping.standing, &b->ping.standing);
        break;
    case PEER_ERROR:
        cr_assert_eq(a->error.refusal, b->error.refusal);
        break;
    case PEER_KIND_COUNT:
        cr_assert_fail("no such kind");
    }
}

/* Decodes from a block of exactly `length` bytes; the caller frees *block when it has looked. */
static peer_refusal_t decode(peer_message_t *message, const char *bytes, size_t length,
                             char **block) {
    *block = malloc(length > 0 ? length : 1);
    cr_assert_not_null(*block);
    memcpy(*block, bytes, length);
    memset(message, 0xEE, sizeof(*message));
    arena_reset(&arena);
    return peer_decode(message, &arena, (span_t){*block, length});
}

static peer_refusal_t refusal_of(const char *bytes, size_t length) {
    peer_message_t message;
    char *block = NULL;
    peer_refusal_t refusal = decode(&message, bytes, length, &block);
    free(block);
    return refusal;
}

static const char *encode(const peer_message_t *message) {
    buffer_reset(&out);
    peer_encode(&out, message);
    return out.bytes;
}

Test(codec, carries_every_kind_unchanged) {
    static peer_message_t samples[SAMPLES];
    make_samples(samples);
    for (size_t i = 0; i < SAMPLES; i++) {
        peer_message_t message;
        char *block = NULL;
        (void)encode(&samples[i]);
        cr_assert_eq(decode(&message, out.bytes, out.length, &block), REFUSAL_NONE, "%zu", i);
        check_message(&message, &samples[i]);
        free(block);
    }
}

/* The layout is a promise to other realms: these are its bytes. */
Test(codec, has_the_layout_that_is_written_down) {
    peer_message_t message = empty_message(PEER_PONG);
    message.ping.stamp = 0x0807060504030201ULL;
    message.ping.done = 9;
    message.ping.pending = 0x0D0C0B0A;
    message.ping.standing.mark_count = 1;
    message.ping.standing.marks[0] = (stream_mark_t){2, 3};
    message.ping.standing.rejection_count = 1;
    message.ping.standing.rejections = &rejections[2];
    static const char pong[] = "\x01\x08\xEF\xCD\xAB\x89\x67\x45\x23\x01"
                               "\x01\x02\x03\x04\x05\x06\x07\x08\x09\0\0\0\x0A\x0B\x0C\x0D"
                               "\x01\x02\0\0\0\0\0\0\0\x03\0\0\0"
                               "\x01\0\x4D\0\0\0\x13\0";
    (void)encode(&message);
    cr_assert_eq(out.length, sizeof(pong) - 1);
    cr_assert_arr_eq(out.bytes, pong, sizeof(pong) - 1);
    message = records_message(1);
    static const char one_record[] = "\x01\x03\xEF\xCD\xAB\x89\x67\x45\x23\x01"
                                     "\x05\0\0\0\0\0\0\0\x28\0\0\0\x06\0\0\0\0\0\0\0\x29\0\0\0"
                                     "\x27\0\0\0\0\x01\0"
                                     "\x01\x07\0\0\0\0\0\0\0\x7B\xC5\xB2\x02\xA2\x01\0\0"
                                     "\x05\0alice\x03\0bob\x04\0halo";
    (void)encode(&message);
    cr_assert_eq(out.length, sizeof(one_record) - 1);
    cr_assert_arr_eq(out.bytes, one_record, sizeof(one_record) - 1);
}

Test(codec, refuses_every_truncation_and_leftovers) {
    static peer_message_t samples[SAMPLES];
    make_samples(samples);
    for (size_t i = 0; i < SAMPLES; i++) {
        const char *bytes = encode(&samples[i]);
        size_t whole = out.length;
        for (size_t length = 0; length < whole; length++) {
            peer_message_t message;
            char *block = NULL;
            cr_assert_eq(decode(&message, bytes, length, &block), REFUSAL_MALFORMED,
                         "sample %zu cut to %zu", i, length);
            cr_assert_eq(message.correlation, length < 10 ? 0 : samples[i].correlation);
            free(block);
        }
        buffer_append(&out, "", 1);
        cr_assert_eq(refusal_of(out.bytes, out.length), REFUSAL_MALFORMED);
    }
}

Test(codec, refuses_other_versions_as_such) {
    peer_message_t message = empty_message(PEER_ERROR);
    message.error.refusal = REFUSAL_NAME;
    (void)encode(&message);
    for (unsigned version = 0; version < 256; version++) {
        peer_message_t decoded;
        char *block = NULL;
        out.bytes[0] = (char)version;
        peer_refusal_t refusal = decode(&decoded, out.bytes, out.length, &block);
        cr_assert_eq(refusal, version == PEER_PROTOCOL_VERSION ? REFUSAL_NONE : REFUSAL_VERSION);
        cr_assert_eq(decoded.correlation, message.correlation);
        free(block);
    }
    cr_assert_eq(refusal_of("\x02", 1), REFUSAL_VERSION);
    cr_assert_eq(refusal_of("", 0), REFUSAL_MALFORMED);
}

Test(codec, refuses_unknown_kinds) {
    peer_message_t message = empty_message(PEER_ERROR);
    message.error.refusal = REFUSAL_NAME;
    (void)encode(&message);
    for (unsigned kind = 0; kind < 256; kind++) {
        if (kind == PEER_ERROR) {
            continue;
        }
        out.bytes[1] = (char)kind;
        cr_assert_eq(refusal_of(out.bytes, out.length), REFUSAL_MALFORMED);
    }
}

/* Encodes `message` with one byte set to `value`, and gives the refusal. */
static peer_refusal_t with_byte(const peer_message_t *message, size_t at, unsigned value) {
    (void)encode(message);
    cr_assert_lt(at, out.length);
    out.bytes[at] = (char)value;
    return refusal_of(out.bytes, out.length);
}

Test(codec, refuses_numbers_outside_their_enum) {
    peer_message_t error = empty_message(PEER_ERROR);
    error.error.refusal = REFUSAL_NAME;
    cr_assert_eq(with_byte(&error, 10, REFUSAL_COUNT - 1), REFUSAL_NONE);
    cr_assert_eq(with_byte(&error, 10, REFUSAL_COUNT), REFUSAL_MALFORMED);
    cr_assert_eq(with_byte(&error, 10, REFUSAL_NONE), REFUSAL_MALFORMED, "no error is no error");
    peer_message_t welcome = empty_message(PEER_WELCOME);
    cr_assert_eq(with_byte(&welcome, 10, REFUSAL_COUNT), REFUSAL_MALFORMED);
    peer_message_t run = records_message(1);
    cr_assert_eq(with_byte(&run, 38, 3), REFUSAL_NONE);
    cr_assert_eq(with_byte(&run, 38, 4), REFUSAL_MALFORMED);
    cr_assert_eq(with_byte(&run, 41, 0), REFUSAL_MALFORMED);
    cr_assert_eq(with_byte(&run, 41, 2), REFUSAL_NONE);
    cr_assert_eq(with_byte(&run, 41, 3), REFUSAL_MALFORMED);
    peer_message_t ack = empty_message(PEER_ACK);
    ack.ack.standing.rejection_count = 1;
    ack.ack.standing.rejections = rejections;
    cr_assert_eq(with_byte(&ack, 17, CODE_COUNT - 1), REFUSAL_NONE);
    cr_assert_eq(with_byte(&ack, 17, CODE_COUNT), REFUSAL_MALFORMED);
    cr_assert_eq(with_byte(&ack, 17, CODE_OK), REFUSAL_MALFORMED);
    cr_assert_eq(with_byte(&ack, 18, 1), REFUSAL_MALFORMED);
}

Test(codec, refuses_names_outside_the_rule_or_not_folded) {
    peer_message_t message = ackrealm();
    cr_assert_eq(with_byte(&message, 12, 'c'), REFUSAL_NONE);
    cr_assert_eq(with_byte(&message, 12, 'B'), REFUSAL_MALFORMED);
    cr_assert_eq(with_byte(&message, 12, ' '), REFUSAL_MALFORMED);
    cr_assert_eq(with_byte(&message, 12, 0), REFUSAL_MALFORMED);
    message.ackrealm.realm = (name_t){0};
    (void)encode(&message);
    cr_assert_eq(refusal_of(out.bytes, out.length), REFUSAL_MALFORMED, "only WELCOME may lack it");
    peer_message_t asked = pull(PEER_REMOTEINBOXREALM);
    asked.pull.realm = (name_t){0};
    (void)encode(&asked);
    cr_assert_eq(refusal_of(out.bytes, out.length), REFUSAL_MALFORMED);
}

Test(codec, refuses_hosts_that_are_not_printable) {
    peer_message_t message = ackrealm();
    size_t host = 10 + 2 + 1 + 2 + message.ackrealm.from.length + 2;
    cr_assert_eq(with_byte(&message, host, '2'), REFUSAL_NONE);
    cr_assert_eq(with_byte(&message, host, '\n'), REFUSAL_MALFORMED);
    cr_assert_eq(with_byte(&message, host, ' '), REFUSAL_MALFORMED);
    cr_assert_eq(with_byte(&message, host, 0xFF), REFUSAL_MALFORMED);
}

/* A message whose last field is a count, set to `count`, with `extra` zero bytes behind it. */
static peer_refusal_t with_count(const peer_message_t *message, size_t at, unsigned count,
                                 size_t extra) {
    (void)encode(message);
    out.bytes[at] = (char)(count & 0xFF);
    out.bytes[at + 1] = (char)(count >> 8);
    memset(buffer_reserve(&out, extra), 0x01, extra);
    out.length += extra;
    return refusal_of(out.bytes, out.length);
}

Test(codec, believes_no_count_beyond_its_bytes_or_limits) {
    peer_message_t ack = empty_message(PEER_ACK);
    cr_assert_eq(with_count(&ack, 11, 0xFFFF, 0), REFUSAL_MALFORMED);
    cr_assert_eq(with_count(&ack, 11, PEER_REJECTIONS_MAX + 1, 6 * (PEER_REJECTIONS_MAX + 1)),
                 REFUSAL_MALFORMED);
    peer_message_t run = records_message(0);
    cr_assert_eq(with_count(&run, 39, 0xFFFF, 0), REFUSAL_MALFORMED);
    cr_assert_eq(with_count(&run, 39, 1, 22), REFUSAL_MALFORMED);
    (void)encode(&ack);
    out.bytes[10] = STREAM_MARKS_MAX + 1;
    size_t extra = 12 * (STREAM_MARKS_MAX + 1);
    memset(buffer_reserve(&out, extra), 0, extra);
    out.length += extra;
    cr_assert_eq(refusal_of(out.bytes, out.length), REFUSAL_MALFORMED);
}

Test(codec, carries_older_marks_in_a_handshake) {
    static stream_mark_t older[STREAM_OLDER_MAX + 1];
    peer_message_t message;
    char *block = NULL;
    for (uint32_t i = 0; i < STREAM_OLDER_MAX; i++) {
        older[i] = (stream_mark_t){UINT64_MAX - i, i};
    }
    peer_message_t welcome = empty_message(PEER_WELCOME);
    welcome.welcome.standing.older = older;
    welcome.welcome.standing.older_count = STREAM_OLDER_MAX;
    (void)encode(&welcome);
    cr_assert_eq(decode(&message, out.bytes, out.length, &block), REFUSAL_NONE);
    check_message(&message, &welcome);
    free(block);
    size_t count = out.length - 12 * STREAM_OLDER_MAX - 2;
    out.bytes[count] = (char)(STREAM_OLDER_MAX + 1);
    out.bytes[count + 1] = (char)((STREAM_OLDER_MAX + 1) >> 8);
    memset(buffer_reserve(&out, 12), 0, 12);
    cr_assert_eq(refusal_of(out.bytes, out.length), REFUSAL_MALFORMED);
    cr_assert_eq(refusal_of(out.bytes, out.length + 12), REFUSAL_MALFORMED, "too many");
}

Test(codec, carries_counts_up_to_their_limits) {
    static peer_rejection_t many[PEER_REJECTIONS_MAX];
    static peer_record_t most[PEER_RECORDS_MAX];
    static char body[BODY_BYTES_MAX];
    static char name[NAME_BYTES_MAX];
    peer_message_t message;
    char *block = NULL;
    for (uint32_t i = 0; i < PEER_REJECTIONS_MAX; i++) {
        many[i] = (peer_rejection_t){i, CODE_NO_GROUP};
    }
    peer_message_t ack = empty_message(PEER_ACK);
    ack.ack.standing.rejection_count = PEER_REJECTIONS_MAX;
    ack.ack.standing.rejections = many;
    (void)encode(&ack);
    cr_assert_eq(decode(&message, out.bytes, out.length, &block), REFUSAL_NONE);
    check_message(&message, &ack);
    free(block);
    for (uint32_t i = 0; i < PEER_RECORDS_MAX; i++) {
        most[i] = records[0];
        most[i].seq = UINT32_MAX - (PEER_RECORDS_MAX - 1) + i;
    }
    most[0].body = (span_t){body, sizeof(body)};
    most[0].from = (span_t){name, sizeof(name)};
    peer_message_t run = records_message(PEER_RECORDS_MAX);
    run.records.records = most;
    run.records.first.seq = most[0].seq;
    (void)encode(&run);
    cr_assert_eq(decode(&message, out.bytes, out.length, &block), REFUSAL_NONE);
    check_message(&message, &run);
    free(block);
    cr_assert_eq(with_byte(&run, 39, 1), REFUSAL_MALFORMED, "513 records");
    run.records.first.seq++;
    (void)encode(&run);
    cr_assert_eq(refusal_of(out.bytes, out.length), REFUSAL_MALFORMED, "seqs would wrap");
}

/* A RECORDS frame of one record whose strings have these sizes. */
static peer_refusal_t with_sizes(size_t from, size_t to, size_t body) {
    static const char zeros[BODY_BYTES_MAX + 1];
    const size_t sizes[3] = {from, to, body};
    peer_message_t run = records_message(1);
    (void)encode(&run);
    out.length = 41 + 17;
    for (size_t i = 0; i < 3; i++) {
        char length[2] = {(char)(sizes[i] & 0xFF), (char)(sizes[i] >> 8)};
        buffer_append(&out, length, 2);
        buffer_append(&out, zeros, sizes[i]);
    }
    return refusal_of(out.bytes, out.length);
}

Test(codec, checks_the_strings_of_records_for_their_sizes_only) {
    cr_assert_eq(with_sizes(0, 0, 0), REFUSAL_NONE);
    cr_assert_eq(with_sizes(NAME_BYTES_MAX, NAME_BYTES_MAX, BODY_BYTES_MAX), REFUSAL_NONE);
    cr_assert_eq(with_sizes(NAME_BYTES_MAX + 1, 1, 1), REFUSAL_MALFORMED);
    cr_assert_eq(with_sizes(1, NAME_BYTES_MAX + 1, 1), REFUSAL_MALFORMED);
    cr_assert_eq(with_sizes(1, 1, BODY_BYTES_MAX + 1), REFUSAL_MALFORMED);
}

Test(codec, puts_records_into_a_frame_one_by_one) {
    peer_message_t expected = records_message(3);
    peer_message_t message;
    char *block = NULL;
    buffer_text(&out, "something before");
    size_t start = peer_records_begin(&out, &expected);
    cr_assert_eq(start, 16);
    for (size_t i = 0; i < 3; i++) {
        cr_assert(peer_records_add(&out, start, &records[i]));
    }
    peer_records_end(&out, start, true);
    cr_assert_eq(decode(&message, out.bytes + start, out.length - start, &block), REFUSAL_NONE);
    check_message(&message, &expected);
    free(block);
}

Test(codec, stops_when_a_frame_is_full) {
    static char body[BODY_BYTES_MAX];
    peer_message_t frame = records_message(0);
    peer_record_t record = records[0];
    size_t count = 0;
    size_t start = peer_records_begin(&out, &frame);
    while (peer_records_add(&out, start, &record)) {
        count++;
    }
    cr_assert_eq(count, PEER_RECORDS_MAX);
    record.body = (span_t){body, sizeof(body)};
    buffer_reset(&out);
    start = peer_records_begin(&out, &frame);
    count = 0;
    while (peer_records_add(&out, start, &record)) {
        count++;
    }
    size_t length = out.length;
    cr_assert_eq(count, (PEER_RECORDS_BYTES_MAX - 41) / (23 + 8 + BODY_BYTES_MAX));
    cr_assert_leq(length, PEER_RECORDS_BYTES_MAX);
    peer_records_end(&out, start, false);
    cr_assert_eq(out.length, length);
    peer_message_t message;
    char *block = NULL;
    cr_assert_eq(decode(&message, out.bytes, out.length, &block), REFUSAL_NONE);
    cr_assert_eq(message.records.record_count, count);
    cr_assert_not(message.records.more);
    free(block);
}

Test(codec, refuses_a_frame_over_its_limit) {
    (void)buffer_reserve(&out, PEER_FRAME_BYTES_MAX + 1);
    memset(out.bytes, 1, PEER_FRAME_BYTES_MAX + 1);
    cr_assert_eq(refusal_of(out.bytes, PEER_FRAME_BYTES_MAX + 1), REFUSAL_MALFORMED);
}

static uint32_t next_random(uint64_t *random) {
    *random = *random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(*random >> 33);
}

/* Whatever bytes arrive: they are refused, or they are a message that comes out the same when it
 * is encoded again. */
static void check_any_bytes(const char *bytes, size_t length) {
    peer_message_t message;
    char *block = NULL;
    if (decode(&message, bytes, length, &block) == REFUSAL_NONE) {
        buffer_t again;
        buffer_init(&again);
        peer_encode(&again, &message);
        cr_assert_eq(again.length, length);
        cr_assert_arr_eq(again.bytes, block, length);
        buffer_deinit(&again);
    }
    free(block);
}

Test(codec, survives_any_mutation) {
    static peer_message_t samples[SAMPLES];
    make_samples(samples);
    uint64_t random = 20261122;
    for (size_t i = 0; i < MUTATIONS; i++) {
        (void)encode(&samples[next_random(&random) % SAMPLES]);
        size_t changes = 1 + next_random(&random) % 4;
        for (size_t change = 0; change < changes; change++) {
            size_t at = next_random(&random) % out.length;
            out.bytes[at] = (char)next_random(&random);
        }
        size_t cut = next_random(&random) % 8 == 0 ? next_random(&random) % out.length : 0;
        check_any_bytes(out.bytes, out.length - cut);
    }
}

Test(codec, survives_random_bytes_behind_a_valid_head) {
    uint64_t random = 7;
    for (size_t i = 0; i < MUTATIONS; i++) {
        char bytes[200];
        size_t length = next_random(&random) % sizeof(bytes);
        for (size_t at = 0; at < length; at++) {
            bytes[at] = (char)(next_random(&random) % 4 == 0 ? next_random(&random) : 0);
        }
        if (length > 1) {
            bytes[0] = PEER_PROTOCOL_VERSION;
            bytes[1] = (char)(1 + next_random(&random) % PEER_ERROR);
        }
        check_any_bytes(bytes, length);
    }
}
