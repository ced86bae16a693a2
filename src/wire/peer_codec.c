/*
 * The bytes of the federation protocol. Must never trust a length, a count or a number that comes
 * from a peer, and never assert on one.
 */
#include "wire/peer_codec.h"

#include "base/assert.h"
#include "base/text.h"

#include <endian.h>
#include <string.h>

/* Sizes and places of fixed fields: see the layout in the header. */
#define MARK_BYTES          12
#define REJECTION_BYTES     6
#define RECORD_BYTES_MIN    23
#define RECORDS_FLAGS       38
#define RECORDS_COUNT       39
#define RECORDS_HEAD_BYTES  41
#define RECORDS_FLAG_PULLED 1
#define RECORDS_FLAG_MORE   2

/* Reading. Every read fails for good once one has failed: the caller asks `ok` at the end, and
 * whatever failed reads returned in between is zero. */

typedef struct reader {
    span_t rest;
    bool ok;
    arena_t *arena;
} reader_t;

static inline const char *read_bytes(reader_t *reader, size_t length) {
    if (!reader->ok || length > reader->rest.length) {
        reader->ok = false;
        return NULL;
    }
    const char *bytes = reader->rest.bytes;
    reader->rest.bytes += length;
    reader->rest.length -= length;
    return bytes;
}

/* An unsigned integer of 1..8 bytes; where the length is a constant, a single load. */
static inline uint64_t load_integer(const char *bytes, size_t length) {
    uint64_t little = 0;
    memcpy(&little, bytes, length);
    return le64toh(little);
}

static inline uint64_t read_integer(reader_t *reader, size_t length) {
    const char *bytes = read_bytes(reader, length);
    return bytes == NULL ? 0 : load_integer(bytes, length);
}

static uint8_t read_u8(reader_t *reader) {
    return (uint8_t)read_integer(reader, 1);
}

static uint16_t read_u16(reader_t *reader) {
    return (uint16_t)read_integer(reader, 2);
}

static uint32_t read_u32(reader_t *reader) {
    return (uint32_t)read_integer(reader, 4);
}

static uint64_t read_u64(reader_t *reader) {
    return read_integer(reader, 8);
}

/* A number that is to be in lowest..highest; gives lowest when it is not. */
static inline unsigned read_bounded(reader_t *reader, size_t length, unsigned lowest,
                                    unsigned highest) {
    uint64_t value = read_integer(reader, length);
    if (value < lowest || value > highest) {
        reader->ok = false;
        return lowest;
    }
    return (unsigned)value;
}

static peer_refusal_t read_refusal(reader_t *reader, peer_refusal_t lowest) {
    return (peer_refusal_t)read_bounded(reader, 1, lowest, REFUSAL_COUNT - 1);
}

/* A count of things of which each takes at least `bytes_each`: so a count is never believed before
 * the bytes for it are there. */
static size_t read_count(reader_t *reader, size_t length, unsigned limit, size_t bytes_each) {
    size_t count = read_bounded(reader, length, 0, limit);
    if (count * bytes_each > reader->rest.length) {
        reader->ok = false;
        return 0;
    }
    return count;
}

static span_t read_string(reader_t *reader, size_t limit) {
    size_t length = read_u16(reader);
    if (length > limit) {
        reader->ok = false;
    }
    const char *bytes = read_bytes(reader, length);
    return bytes == NULL ? (span_t){0} : (span_t){.bytes = bytes, .length = length};
}

/* Only folded names go over the wire: one that name_parse would change is not one of ours. */
static void read_name(reader_t *reader, name_t *name, bool may_be_empty) {
    span_t text = read_string(reader, NAME_BYTES_MAX);
    if (text.length == 0 && may_be_empty) {
        *name = (name_t){0};
        return;
    }
    if (!name_parse(name, text) || !span_equal(name_span(name), text)) {
        reader->ok = false;
    }
}

static void read_address(reader_t *reader, address_t *address) {
    span_t host = read_string(reader, ADDRESS_BYTES_MAX);
    *address = (address_t){.port = read_u16(reader)};
    for (size_t i = 0; i < host.length; i++) {
        if (host.bytes[i] <= ' ' || host.bytes[i] > '~') {
            reader->ok = false;
            return;
        }
        address->text[i] = host.bytes[i];
    }
    address->length = (uint8_t)host.length;
}

static stream_mark_t read_mark(reader_t *reader) {
    stream_mark_t mark = {.epoch = read_u64(reader)};
    mark.seq = read_u32(reader);
    return mark;
}

static void read_standing(reader_t *reader, peer_standing_t *standing) {
    standing->mark_count = (uint8_t)read_bounded(reader, 1, 0, STREAM_MARKS_MAX);
    for (size_t i = 0; i < standing->mark_count; i++) {
        standing->marks[i] = read_mark(reader);
    }
    size_t count = read_count(reader, 2, PEER_REJECTIONS_MAX, REJECTION_BYTES);
    if (!reader->ok || count == 0) {
        return;
    }
    peer_rejection_t *rejections = arena_alloc(reader->arena, count * sizeof(*rejections));
    for (size_t i = 0; i < count; i++) {
        rejections[i].seq = read_u32(reader);
        rejections[i].code = (code_t)read_bounded(reader, 2, CODE_OK + 1, CODE_COUNT - 1);
    }
    standing->rejections = rejections;
    standing->rejection_count = (uint16_t)count;
}

static void read_older(reader_t *reader, peer_standing_t *standing) {
    size_t count = read_count(reader, 2, STREAM_OLDER_MAX, MARK_BYTES);
    if (!reader->ok || count == 0) {
        return;
    }
    stream_mark_t *older = arena_alloc(reader->arena, count * sizeof(*older));
    for (size_t i = 0; i < count; i++) {
        older[i] = read_mark(reader);
    }
    standing->older = older;
    standing->older_count = (uint16_t)count;
}

static void read_record(reader_t *reader, peer_record_t *record) {
    record->kind = (peer_record_kind_t)read_bounded(reader, 1, PEER_SENDREALM, PEER_RECVGROUPREALM);
    record->number = read_u64(reader);
    record->time_ms = (int64_t)read_u64(reader);
    record->from = read_string(reader, NAME_BYTES_MAX);
    record->to = read_string(reader, NAME_BYTES_MAX);
    record->body = read_string(reader, BODY_BYTES_MAX);
}

static void read_records(reader_t *reader, peer_message_t *message) {
    message->records.base = read_mark(reader);
    message->records.first = read_mark(reader);
    message->records.done = read_u32(reader);
    unsigned flags = read_bounded(reader, 1, 0, RECORDS_FLAG_PULLED | RECORDS_FLAG_MORE);
    message->records.pulled = (flags & RECORDS_FLAG_PULLED) != 0;
    message->records.more = (flags & RECORDS_FLAG_MORE) != 0;
    size_t count = read_count(reader, 2, PEER_RECORDS_MAX, RECORD_BYTES_MIN);
    uint32_t first_seq = message->records.first.seq;
    if (count > 0 && first_seq > UINT32_MAX - (uint32_t)(count - 1)) {
        reader->ok = false;
    }
    if (!reader->ok || count == 0) {
        return;
    }
    peer_record_t *records = arena_alloc(reader->arena, count * sizeof(*records));
    for (size_t i = 0; i < count; i++) {
        records[i].seq = first_seq + (uint32_t)i;
        read_record(reader, &records[i]);
    }
    message->records.records = records;
    message->records.record_count = (uint16_t)count;
}

static void read_body(reader_t *reader, peer_message_t *message) {
    switch (message->kind) {
    case PEER_ACKREALM:
        read_name(reader, &message->ackrealm.realm, false);
        read_name(reader, &message->ackrealm.from, false);
        read_address(reader, &message->ackrealm.address);
        read_address(reader, &message->ackrealm.source);
        read_standing(reader, &message->ackrealm.standing);
        read_older(reader, &message->ackrealm.standing);
        break;
    case PEER_WELCOME:
        message->welcome.refusal = read_refusal(reader, REFUSAL_NONE);
        read_name(reader, &message->welcome.from, true);
        read_standing(reader, &message->welcome.standing);
        read_older(reader, &message->welcome.standing);
        break;
    case PEER_RECORDS:
        read_records(reader, message);
        break;
    case PEER_ACK:
        read_standing(reader, &message->ack.standing);
        break;
    case PEER_REMOTEINBOXREALM:
    case PEER_REMOTEINBOXGROUPREALM:
        read_name(reader, &message->pull.name, false);
        read_name(reader, &message->pull.realm, false);
        read_standing(reader, &message->pull.standing);
        break;
    case PEER_PING:
    case PEER_PONG:
        message->ping.stamp = read_u64(reader);
        message->ping.done = read_u32(reader);
        message->ping.pending = read_u32(reader);
        read_standing(reader, &message->ping.standing);
        break;
    case PEER_ERROR:
        message->error.refusal = read_refusal(reader, REFUSAL_NAME);
        break;
    case PEER_KIND_COUNT:
        reader->ok = false;
        break;
    }
}

peer_refusal_t peer_decode(peer_message_t *message, arena_t *arena, span_t frame) {
    reader_t reader = {.rest = frame, .ok = true, .arena = arena};
    memset(message, 0, sizeof(*message));
    uint8_t version = read_u8(&reader);
    uint8_t kind = read_u8(&reader);
    message->correlation = read_u64(&reader);
    if (frame.length > 0 && version != PEER_PROTOCOL_VERSION) {
        return REFUSAL_VERSION;
    }
    bool is_known = kind >= PEER_ACKREALM && kind < PEER_KIND_COUNT;
    if (reader.ok && is_known && frame.length <= PEER_FRAME_BYTES_MAX) {
        message->kind = (peer_kind_t)kind;
        read_body(&reader, message);
        if (reader.ok && reader.rest.length == 0) {
            return REFUSAL_NONE;
        }
    }
    uint64_t correlation = message->correlation;
    memset(message, 0, sizeof(*message));
    message->correlation = correlation;
    return REFUSAL_MALFORMED;
}

/* Writing. What is written here is our own: its limits are our invariants. */

/* Stores an unsigned integer of 1..8 bytes. */
static inline void store_integer(char *bytes, uint64_t value, size_t length) {
    uint64_t little = htole64(value);
    memcpy(bytes, &little, length);
}

static inline void write_integer(buffer_t *out, uint64_t value, size_t length) {
    store_integer(buffer_reserve(out, length), value, length);
    out->length += length;
}

static void write_string(buffer_t *out, span_t text, size_t limit) {
    ASSERT(text.length <= limit);
    write_integer(out, text.length, 2);
    buffer_append(out, text.bytes, text.length);
}

static void write_name(buffer_t *out, const name_t *name) {
    write_string(out, name_span(name), NAME_BYTES_MAX);
}

static void write_address(buffer_t *out, const address_t *address) {
    span_t host = {.bytes = address->text, .length = address->length};
    write_string(out, host, ADDRESS_BYTES_MAX);
    write_integer(out, address->port, 2);
}

static void write_mark(buffer_t *out, stream_mark_t mark) {
    write_integer(out, mark.epoch, 8);
    write_integer(out, mark.seq, 4);
}

static void write_standing(buffer_t *out, const peer_standing_t *standing) {
    ASSERT(standing->mark_count <= STREAM_MARKS_MAX);
    ASSERT(standing->rejection_count <= PEER_REJECTIONS_MAX);
    write_integer(out, standing->mark_count, 1);
    for (size_t i = 0; i < standing->mark_count; i++) {
        write_mark(out, standing->marks[i]);
    }
    write_integer(out, standing->rejection_count, 2);
    for (size_t i = 0; i < standing->rejection_count; i++) {
        write_integer(out, standing->rejections[i].seq, 4);
        write_integer(out, standing->rejections[i].code, 2);
    }
}

static void write_older(buffer_t *out, const peer_standing_t *standing) {
    ASSERT(standing->older_count <= STREAM_OLDER_MAX);
    write_integer(out, standing->older_count, 2);
    for (size_t i = 0; i < standing->older_count; i++) {
        write_mark(out, standing->older[i]);
    }
}

static void write_head(buffer_t *out, const peer_message_t *message) {
    write_integer(out, PEER_PROTOCOL_VERSION, 1);
    write_integer(out, message->kind, 1);
    write_integer(out, message->correlation, 8);
}

static size_t record_bytes(const peer_record_t *record) {
    return RECORD_BYTES_MIN + record->from.length + record->to.length + record->body.length;
}

/* Appends a record to the RECORDS frame that begins at `start`, and counts it there. */
static void write_record(buffer_t *out, size_t start, const peer_record_t *record) {
    char *count = out->bytes + start + RECORDS_COUNT;
    store_integer(count, load_integer(count, 2) + 1, 2);
    write_integer(out, record->kind, 1);
    write_integer(out, record->number, 8);
    write_integer(out, (uint64_t)record->time_ms, 8);
    write_string(out, record->from, NAME_BYTES_MAX);
    write_string(out, record->to, NAME_BYTES_MAX);
    write_string(out, record->body, BODY_BYTES_MAX);
}

static void write_records(buffer_t *out, const peer_message_t *message) {
    ASSERT(message->records.record_count <= PEER_RECORDS_MAX);
    size_t start = peer_records_begin(out, message);
    for (size_t i = 0; i < message->records.record_count; i++) {
        write_record(out, start, &message->records.records[i]);
    }
    peer_records_end(out, start, message->records.more);
}

static void write_body(buffer_t *out, const peer_message_t *message) {
    switch (message->kind) {
    case PEER_ACKREALM:
        write_name(out, &message->ackrealm.realm);
        write_name(out, &message->ackrealm.from);
        write_address(out, &message->ackrealm.address);
        write_address(out, &message->ackrealm.source);
        write_standing(out, &message->ackrealm.standing);
        write_older(out, &message->ackrealm.standing);
        break;
    case PEER_WELCOME:
        write_integer(out, message->welcome.refusal, 1);
        write_name(out, &message->welcome.from);
        write_standing(out, &message->welcome.standing);
        write_older(out, &message->welcome.standing);
        break;
    case PEER_ACK:
        write_standing(out, &message->ack.standing);
        break;
    case PEER_REMOTEINBOXREALM:
    case PEER_REMOTEINBOXGROUPREALM:
        write_name(out, &message->pull.name);
        write_name(out, &message->pull.realm);
        write_standing(out, &message->pull.standing);
        break;
    case PEER_PING:
    case PEER_PONG:
        write_integer(out, message->ping.stamp, 8);
        write_integer(out, message->ping.done, 4);
        write_integer(out, message->ping.pending, 4);
        write_standing(out, &message->ping.standing);
        break;
    case PEER_ERROR:
        write_integer(out, message->error.refusal, 1);
        break;
    case PEER_RECORDS:
    case PEER_KIND_COUNT:
        ASSERT(false);
    }
}

void peer_encode(buffer_t *out, const peer_message_t *message) {
    size_t start = out->length;
    if (message->kind == PEER_RECORDS) {
        write_records(out, message);
    } else {
        write_head(out, message);
        write_body(out, message);
    }
    ASSERT(out->length - start <= PEER_FRAME_BYTES_MAX);
}

size_t peer_records_begin(buffer_t *out, const peer_message_t *message) {
    ASSERT(message->kind == PEER_RECORDS);
    size_t start = out->length;
    write_head(out, message);
    write_mark(out, message->records.base);
    write_mark(out, message->records.first);
    write_integer(out, message->records.done, 4);
    write_integer(out, message->records.pulled ? RECORDS_FLAG_PULLED : 0, 1);
    write_integer(out, 0, 2);
    ASSERT(out->length - start == RECORDS_HEAD_BYTES);
    return start;
}

bool peer_records_add(buffer_t *out, size_t start, const peer_record_t *record) {
    ASSERT(out->length - start >= RECORDS_HEAD_BYTES);
    uint64_t count = load_integer(out->bytes + start + RECORDS_COUNT, 2);
    size_t frame_bytes = out->length - start + record_bytes(record);
    if (count >= PEER_RECORDS_MAX || (count > 0 && frame_bytes > PEER_RECORDS_BYTES_MAX)) {
        return false;
    }
    write_record(out, start, record);
    return true;
}

void peer_records_end(buffer_t *out, size_t start, bool more) {
    ASSERT(out->length - start >= RECORDS_HEAD_BYTES);
    if (more) {
        out->bytes[start + RECORDS_FLAGS] |= RECORDS_FLAG_MORE;
    }
}
