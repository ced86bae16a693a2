/* links: base store */
/*
 * The row encodings: what goes in comes out, and damaged bytes are refused, never followed.
 */
#include "../../src/store/message_row.h"
#include "../../src/store/record_codec.h"

#include <criterion/criterion.h>
#include <string.h>

/* A field that the codec does not know would be lost without a word: whoever adds one finds this
 * line, and a new schema version to think about. */
_Static_assert(sizeof(user_record_t) == 136, "user_record_t changed: so must its row");
_Static_assert(sizeof(group_record_t) == 104, "group_record_t changed: so must its row");
_Static_assert(offsetof(realm_record_t, address) == 106, "realm_record_t changed: so must its row");
_Static_assert(offsetof(stream_record_t, segments) == 48,
               "stream_record_t changed: so must its row");
_Static_assert(sizeof(message_t) == 9 * 8 + 5 * sizeof(span_t),
               "message_t changed: so must its row");

static uint64_t random_next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void fill(void *bytes, size_t length, uint64_t *random) {
    uint8_t *at = bytes;
    for (size_t i = 0; i < length; i++) {
        at[i] = (uint8_t)random_next(random);
    }
}

static name_t name_of_length(size_t length, uint64_t *random) {
    name_t name = {.length = (uint8_t)length};
    for (size_t i = 0; i < length; i++) {
        name.text[i] = (char)('a' + random_next(random) % 26);
    }
    return name;
}

static stream_record_t stream_any(uint64_t *random, size_t segments, size_t marks) {
    stream_record_t stream;
    memset(&stream, 0, sizeof stream);
    stream.realm = (uint32_t)random_next(random);
    stream.done = (uint32_t)random_next(random);
    stream.judged = (uint32_t)random_next(random);
    stream.settled = (uint32_t)random_next(random);
    stream.peer.epoch = random_next(random);
    stream.peer.seq = (uint32_t)random_next(random);
    stream.bytes = random_next(random);
    stream.segment_count = (uint8_t)segments;
    stream.mark_count = (uint8_t)marks;
    for (size_t i = 0; i < segments; i++) {
        stream.segments[i].epoch = random_next(random);
        stream.segments[i].seq = (uint32_t)random_next(random);
    }
    for (size_t i = 0; i < marks; i++) {
        stream.marks[i].epoch = random_next(random);
        stream.marks[i].seq = (uint32_t)random_next(random);
    }
    return stream;
}

static user_record_t user_any(uint64_t *random) {
    user_record_t user;
    memset(&user, 0, sizeof user);
    user.id = (uint32_t)random_next(random);
    user.gone = random_next(random) % 2 == 0;
    user.is_operator = random_next(random) % 2 == 0;
    user.name = name_of_length(1 + random_next(random) % NAME_BYTES_MAX, random);
    user.password.passes = (uint32_t)random_next(random);
    user.password.memory_bytes = (uint32_t)random_next(random);
    fill(user.password.salt, SALT_BYTES, random);
    fill(user.password.hash, KEY_BYTES, random);
    user.since = random_next(random);
    return user;
}

static realm_record_t realm_any(uint64_t *random) {
    realm_record_t realm;
    memset(&realm, 0, sizeof realm);
    realm.id = (uint32_t)random_next(random);
    realm.gone = random_next(random) % 2 == 0;
    realm.linked = random_next(random) % 2 == 0;
    realm.leaving = random_next(random) % 2 == 0;
    realm.name = name_of_length(1 + random_next(random) % NAME_BYTES_MAX, random);
    fill(realm.key, KEY_BYTES, random);
    realm.address.length = (uint8_t)random_next(random);
    for (size_t i = 0; i < realm.address.length; i++)
        realm.address.text[i] = (char)('!' + random_next(random) % ('~' - '!' + 1));
    realm.address.port = (uint16_t)random_next(random);
    return realm;
}

static ref_record_t ref_any(uint64_t *random) {
    static uint8_t realms[LINKS_MAX * REF_REALM_BYTES];
    ref_record_t ref;
    memset(&ref, 0, sizeof ref);
    fill(realms, sizeof realms, random);
    fill(ref.digest, REF_DIGEST_BYTES, random);
    ref.number = random_next(random);
    ref.user = (uint32_t)random_next(random);
    ref.time_ms = (int64_t)random_next(random);
    ref.success = (uint8_t)random_next(random);
    ref.code = (code_t)(random_next(random) % CODE_COUNT);
    ref.delivery = (delivery_t)(random_next(random) % (DELIVERY_QUEUED + 1));
    ref.message = random_next(random);
    ref.realms.bytes = (const char *)realms;
    ref.realms.length = random_next(random) % 64;
    return ref;
}

static record_t record_any(record_kind_t kind, uint64_t *random) {
    record_t record;
    memset(&record, 0, sizeof record);
    record.kind = kind;
    switch (kind) {
    case RECORD_USER:
        record.user = user_any(random);
        break;
    case RECORD_TOKEN:
        fill(record.token.digest, DIGEST_BYTES, random);
        record.token.user = (uint32_t)random_next(random);
        record.token.time_ms = (int64_t)random_next(random);
        break;
    case RECORD_GROUP:
        record.group.id = (uint32_t)random_next(random);
        record.group.gone = random_next(random) % 2 == 0;
        record.group.name = name_of_length(1 + random_next(random) % NAME_BYTES_MAX, random);
        fill(record.group.key, KEY_BYTES, random);
        break;
    case RECORD_MEMBER:
        record.member.group = (uint32_t)random_next(random);
        record.member.user = (uint32_t)random_next(random);
        break;
    case RECORD_REALM:
        record.realm = realm_any(random);
        break;
    case RECORD_STREAM:
        record.stream = stream_any(random, random_next(random) % (STREAM_SEGMENTS_MAX + 1),
                                   random_next(random) % (STREAM_MARKS_MAX + 1));
        break;
    case RECORD_REF:
        record.ref = ref_any(random);
        break;
    case RECORD_SEGMENT:
    case RECORD_MARK:
        record.mark.realm = (uint32_t)random_next(random);
        record.mark.number = (uint32_t)random_next(random);
        record.mark.mark.epoch = random_next(random);
        record.mark.mark.seq = (uint32_t)random_next(random);
        break;
    default:
        record.rejection.realm = (uint32_t)random_next(random);
        record.rejection.seq = (uint32_t)random_next(random);
        record.rejection.code = (code_t)(random_next(random) % CODE_COUNT);
    }
    return record;
}

static const record_kind_t row_kinds[] = {
    RECORD_USER,   RECORD_TOKEN,     RECORD_GROUP, RECORD_MEMBER,  RECORD_REALM,
    RECORD_STREAM, RECORD_REJECTION, RECORD_REF,   RECORD_SEGMENT, RECORD_MARK};
#define ROW_KINDS (sizeof row_kinds / sizeof *row_kinds)

typedef struct encoded {
    uint8_t key[RECORD_KEY_BYTES_MAX];
    uint8_t row[RECORD_ROW_BYTES_MAX];
    size_t key_bytes;
    size_t row_bytes;
} encoded_t;

static encoded_t encode(const record_t *record) {
    encoded_t encoded;
    encoded.key_bytes = record_key_encode(encoded.key, record->kind, record);
    encoded.row_bytes = record_row_encode(encoded.row, record);
    return encoded;
}

static span_t span(const void *bytes, size_t length) {
    return (span_t){.bytes = bytes, .length = length};
}

static void expect_same_span(span_t got, span_t want) {
    cr_assert_eq(got.length, want.length);
    cr_assert_eq(memcmp(got.bytes, want.bytes, want.length), 0);
}

Test(store_codec, small_rows_round_trip) {
    uint64_t random = 1;
    for (size_t round = 0; round < 2000; round++) {
        record_t record = record_any(row_kinds[round % ROW_KINDS], &random);
        encoded_t encoded = encode(&record);
        record_t decoded;
        cr_assert(record_decode(&decoded, span(encoded.key, encoded.key_bytes),
                                span(encoded.row, encoded.row_bytes)));
        if (record.kind == RECORD_REF) {
            expect_same_span(decoded.ref.realms, record.ref.realms);
            decoded.ref.realms = record.ref.realms;
        }
        cr_assert_arr_eq(&decoded, &record, sizeof record, "kind %d", (int)record.kind);
    }
}

Test(store_codec, the_longest_ref_fits) {
    uint64_t random = 10;
    record_t record = record_any(RECORD_REF, &random);
    record.ref.realms.length = LINKS_MAX * REF_REALM_BYTES;
    encoded_t encoded = encode(&record);
    span_t key = span(encoded.key, encoded.key_bytes);
    record_t decoded;
    cr_assert(record_decode(&decoded, key, span(encoded.row, encoded.row_bytes)));
    expect_same_span(decoded.ref.realms, record.ref.realms);
    /* One byte more than the limit, and the row as long as it says. */
    encoded.row[encoded.row_bytes - record.ref.realms.length - 2] += 1;
    encoded.row[encoded.row_bytes] = 0;
    cr_assert_not(record_decode(&decoded, key, span(encoded.row, encoded.row_bytes + 1)));
}

Test(store_codec, the_longest_stream_fits) {
    uint64_t random = 2;
    record_t record = {.kind = RECORD_STREAM};
    record.stream = stream_any(&random, STREAM_SEGMENTS_MAX, STREAM_MARKS_MAX);
    encoded_t encoded = encode(&record);
    record_t decoded;
    cr_assert(record_decode(&decoded, span(encoded.key, encoded.key_bytes),
                            span(encoded.row, encoded.row_bytes)));
    cr_assert_arr_eq(&decoded.stream, &record.stream, sizeof record.stream);
}

Test(store_codec, rows_cut_short_or_too_long_are_refused) {
    uint64_t random = 3;
    for (size_t round = 0; round < 200; round++) {
        record_t record = record_any(row_kinds[round % ROW_KINDS], &random);
        encoded_t encoded = encode(&record);
        encoded.key[encoded.key_bytes] = 0;
        encoded.row[encoded.row_bytes] = 0;
        span_t key = span(encoded.key, encoded.key_bytes);
        span_t row = span(encoded.row, encoded.row_bytes);
        record_t decoded;
        for (size_t cut = 0; cut < key.length; cut++) {
            cr_assert_not(record_decode(&decoded, span(key.bytes, cut), row));
        }
        for (size_t cut = 0; cut < row.length; cut++) {
            cr_assert_not(record_decode(&decoded, key, span(row.bytes, cut)));
        }
        cr_assert_not(record_decode(&decoded, span(key.bytes, key.length + 1), row));
        cr_assert_not(record_decode(&decoded, key, span(row.bytes, row.length + 1)));
    }
}

/* Damaged bytes are either refused or are a record that encodes to just these bytes. */
Test(store_codec, damaged_small_rows_are_refused_or_canonical) {
    uint64_t random = 4;
    size_t refused = 0;
    for (size_t round = 0; round < 20000; round++) {
        record_t record = record_any(row_kinds[round % ROW_KINDS], &random);
        encoded_t encoded = encode(&record);
        size_t all = encoded.key_bytes + encoded.row_bytes;
        size_t at = random_next(&random) % all;
        uint8_t *byte =
            at < encoded.key_bytes ? &encoded.key[at] : &encoded.row[at - encoded.key_bytes];
        *byte = (uint8_t)random_next(&random);
        record_t decoded;
        if (!record_decode(&decoded, span(encoded.key, encoded.key_bytes),
                           span(encoded.row, encoded.row_bytes))) {
            refused++;
            continue;
        }
        encoded_t again = encode(&decoded);
        cr_assert_eq(again.key_bytes, encoded.key_bytes);
        cr_assert_eq(again.row_bytes, encoded.row_bytes);
        cr_assert_eq(memcmp(again.key, encoded.key, again.key_bytes), 0);
        cr_assert_eq(memcmp(again.row, encoded.row, again.row_bytes), 0);
    }
    cr_assert_gt(refused, 500);
}

Test(store_codec, keys_sort_by_kind_then_number) {
    uint64_t random = 5;
    encoded_t last = {.key_bytes = 0};
    for (uint32_t id = 1; id < 70000; id += 250) {
        record_t record = record_any(RECORD_REALM, &random);
        record.realm.id = id;
        encoded_t encoded = encode(&record);
        cr_assert_lt(memcmp(last.key, encoded.key, last.key_bytes), last.key_bytes == 0 ? 1 : 0);
        last = encoded;
    }
    record_t rejection = {.kind = RECORD_REJECTION};
    encoded_t encoded = encode(&rejection);
    cr_assert_lt(memcmp(last.key, encoded.key, last.key_bytes), 0);
    last = encoded;
    for (uint64_t number = 1; number < UINT64_MAX / 3; number *= 3) {
        record_t ref = {.kind = RECORD_REF, .ref = {.number = number}};
        encoded = encode(&ref);
        cr_assert_lt(memcmp(last.key, encoded.key, last.key_bytes), 0);
        last = encoded;
    }
}

Test(store_codec, gone_kinds_name_the_row_they_delete) {
    cr_assert_eq(record_kind_deleted(RECORD_TOKEN_GONE), RECORD_TOKEN);
    cr_assert_eq(record_kind_deleted(RECORD_MEMBER_GONE), RECORD_MEMBER);
    cr_assert_eq(record_kind_deleted(RECORD_REJECTION_GONE), RECORD_REJECTION);
    cr_assert_eq(record_kind_deleted(RECORD_REF_GONE), RECORD_REF);
    cr_assert_eq((int)record_kind_deleted(RECORD_USER), 0);
    for (int kind = 0; kind <= RECORD_KIND_COUNT; kind++) {
        bool expected = false;
        for (size_t i = 0; i < ROW_KINDS; i++) {
            expected = expected || (int)row_kinds[i] == kind;
        }
        cr_assert_eq(record_kind_is_row((record_kind_t)kind), expected, "kind %d", kind);
    }
}

static char letters[BODY_BYTES_MAX + 1];

static message_t message_any(uint64_t *random) {
    memset(letters, 'x', sizeof letters);
    message_t message;
    memset(&message, 0, sizeof message);
    message.position = 1000 + random_next(random) % 1000000;
    message.mailbox = random_next(random);
    message.seq = 1 + (uint32_t)(random_next(random) % 1000);
    message.previous = random_next(random) % message.position;
    message.jump = random_next(random) % (message.previous + 1);
    message.time_ms = (int64_t)random_next(random);
    message.arrived_ms = random_next(random) % 2 == 0 ? 0 : (int64_t)random_next(random);
    message.number = random_next(random) % 2 == 0 ? message.position : random_next(random);
    message.group = random_next(random) % 2 == 0;
    message.sealed = random_next(random) % 2 == 0;
    message.broadcast = random_next(random) % 2 == 0;
    message.origin = span(letters, random_next(random) % (NAME_BYTES_MAX + 1));
    message.from = span("alice", 5);
    message.realm = span(letters, random_next(random) % (NAME_BYTES_MAX + 1));
    message.to = span("bob", 3);
    message.text = span(letters, random_next(random) % (BODY_BYTES_MAX + 1));
    return message;
}

static void expect_same_message(const message_t *got, const message_t *want) {
    cr_assert(got->position == want->position && got->mailbox == want->mailbox);
    cr_assert(got->seq == want->seq && got->previous == want->previous);
    cr_assert(got->jump == want->jump && got->time_ms == want->time_ms);
    cr_assert(got->arrived_ms == want->arrived_ms && got->number == want->number);
    cr_assert(got->group == want->group && got->sealed == want->sealed);
    cr_assert_eq(got->broadcast, want->broadcast);
    expect_same_span(got->origin, want->origin);
    expect_same_span(got->from, want->from);
    expect_same_span(got->realm, want->realm);
    expect_same_span(got->to, want->to);
    expect_same_span(got->text, want->text);
}

Test(store_codec, messages_round_trip) {
    uint64_t random = 6;
    uint8_t row[MESSAGE_ROW_BYTES_MAX];
    for (size_t round = 0; round < 2000; round++) {
        message_t message = message_any(&random);
        size_t bytes = message_row_encode(row, sizeof row, &message);
        message_t decoded;
        cr_assert(message_row_decode(&decoded, message.position, span(row, bytes)));
        expect_same_message(&decoded, &message);
        message_links_t links;
        cr_assert(message_row_links(&links, message.position, span(row, bytes)));
        cr_assert(links.mailbox == message.mailbox && links.seq == message.seq);
        cr_assert(links.previous == message.previous && links.jump == message.jump);
        message_age_t age;
        cr_assert(message_row_age(&age, message.position, span(row, bytes)));
        cr_assert(age.mailbox == message.mailbox && age.seq == message.seq);
        cr_assert_eq(age.arrived_ms,
                     message.arrived_ms == 0 ? message.time_ms : message.arrived_ms);
    }
}

Test(store_codec, message_rows_cut_short_or_too_long_are_refused) {
    uint64_t random = 7;
    uint8_t row[MESSAGE_ROW_BYTES_MAX + 1] = {0};
    message_t message = message_any(&random);
    message.text = span("halo", 4);
    size_t bytes = message_row_encode(row, sizeof row, &message);
    message_t decoded;
    for (size_t cut = 0; cut < bytes; cut++) {
        cr_assert_not(message_row_decode(&decoded, message.position, span(row, cut)));
    }
    cr_assert_not(message_row_decode(&decoded, message.position, span(row, bytes + 1)));
}

/* Some more than stand in front of a row's names. */
#define DAMAGED_BYTES 64

Test(store_codec, damaged_message_rows_are_refused_or_canonical) {
    uint64_t random = 8;
    uint8_t row[MESSAGE_ROW_BYTES_MAX];
    uint8_t again[MESSAGE_ROW_BYTES_MAX];
    size_t refused = 0;
    for (size_t round = 0; round < 20000; round++) {
        message_t message = message_any(&random);
        size_t bytes = message_row_encode(row, sizeof row, &message);
        row[random_next(&random) % DAMAGED_BYTES] = (uint8_t)random_next(&random);
        message_t decoded;
        if (!message_row_decode(&decoded, message.position, span(row, bytes))) {
            refused++;
            continue;
        }
        cr_assert_eq(message_row_encode(again, sizeof again, &decoded), bytes);
        cr_assert_eq(memcmp(again, row, bytes), 0);
    }
    cr_assert_gt(refused, 2000);
}

Test(store_codec, links_that_do_not_lead_back_are_refused) {
    message_links_t links = {.mailbox = 1, .seq = 4, .previous = 9, .jump = 9};
    cr_assert(message_links_lead_back(&links, 10));
    cr_assert_not(message_links_lead_back(&links, 9));
    links.jump = 10;
    cr_assert_not(message_links_lead_back(&links, 20));
    links.jump = 0;
    cr_assert(message_links_lead_back(&links, 10));
    links.seq = 0;
    cr_assert_not(message_links_lead_back(&links, 10));
}

Test(store_codec, heads_verdicts_and_checkpoints_round_trip) {
    uint64_t random = 9;
    mailbox_head_t head = {.seq = 77};
    fill(head.positions, sizeof head.positions, &random);
    uint8_t bytes[HEAD_ROW_BYTES];
    head_row_encode(bytes, &head);
    mailbox_head_t head_again;
    cr_assert(head_row_decode(&head_again, span(bytes, HEAD_ROW_BYTES)));
    cr_assert_arr_eq(&head_again, &head, sizeof head);
    cr_assert_not(head_row_decode(&head_again, span(bytes, HEAD_ROW_BYTES - 1)));
    verdict_row_encode(bytes, CODE_EXPIRED);
    code_t code;
    cr_assert(verdict_row_decode(&code, span(bytes, VERDICT_ROW_BYTES)));
    cr_assert_eq(code, CODE_EXPIRED);
    bytes[0] = CODE_COUNT;
    cr_assert_not(verdict_row_decode(&code, span(bytes, VERDICT_ROW_BYTES)));
    checkpoint_row_encode(bytes, UINT64_MAX - 5);
    uint64_t position;
    cr_assert(checkpoint_row_decode(&position, span(bytes, CHECKPOINT_ROW_BYTES)));
    cr_assert_eq(position, UINT64_MAX - 5);
    cr_assert_not(checkpoint_row_decode(&position, span(bytes, CHECKPOINT_ROW_BYTES - 1)));
}
