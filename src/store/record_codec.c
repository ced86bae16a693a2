/*
 * Records as rows of bytes and back. Pure: no LMDB, no allocation. Must never assert anything about
 * bytes that come from the disk.
 */
#include "record_codec.h"

#include "base/assert.h"
#include "base/text.h"
#include "row.h"

#include <string.h>

enum user_flags { USER_GONE = 1, USER_OPERATOR = 2 };
enum group_flags { GROUP_GONE = 1 };
enum realm_flags { REALM_GONE = 1, REALM_LINKED = 2, REALM_LEAVING = 4 };
enum floor_flags { FLOOR_COPIED = 1 };

static uint8_t flag(bool set, uint8_t bit) {
    return set ? bit : 0;
}

static void put_name(row_writer_t *writer, const name_t *name) {
    ASSERT(name->length <= NAME_BYTES_MAX);
    row_put_u8(writer, name->length);
    row_put_bytes(writer, name->text, name->length);
}

static void take_name(row_reader_t *reader, name_t *name) {
    uint8_t length = row_u8(reader);
    if (length > NAME_BYTES_MAX) {
        reader->damaged = true;
        return;
    }
    memset(name, 0, sizeof *name);
    name->length = length;
    row_bytes(reader, name->text, length);
    if (!name_is_folded(name_span(name))) {
        reader->damaged = true;
    }
}

static code_t take_code(row_reader_t *reader) {
    uint16_t code = row_u16(reader);
    if (code >= CODE_COUNT) {
        reader->damaged = true;
        return CODE_OK;
    }
    return (code_t)code;
}

static void put_user(row_writer_t *writer, const user_record_t *user) {
    row_put_u8(writer, flag(user->gone, USER_GONE) | flag(user->is_operator, USER_OPERATOR));
    row_put_u32(writer, user->password.passes);
    row_put_u32(writer, user->password.memory_bytes);
    row_put_bytes(writer, user->password.salt, SALT_BYTES);
    row_put_bytes(writer, user->password.hash, KEY_BYTES);
    row_put_u64(writer, user->since);
    put_name(writer, &user->name);
}

static void take_user(row_reader_t *reader, user_record_t *user) {
    uint8_t flags = row_flags(reader, USER_GONE | USER_OPERATOR);
    user->gone = (flags & USER_GONE) != 0;
    user->is_operator = (flags & USER_OPERATOR) != 0;
    user->password.passes = row_u32(reader);
    user->password.memory_bytes = row_u32(reader);
    row_bytes(reader, user->password.salt, SALT_BYTES);
    row_bytes(reader, user->password.hash, KEY_BYTES);
    user->since = row_u64(reader);
    take_name(reader, &user->name);
}

static void put_group(row_writer_t *writer, const group_record_t *group) {
    row_put_u8(writer, flag(group->gone, GROUP_GONE));
    row_put_bytes(writer, group->key, KEY_BYTES);
    put_name(writer, &group->name);
}

static void take_group(row_reader_t *reader, group_record_t *group) {
    group->gone = (row_flags(reader, GROUP_GONE) & GROUP_GONE) != 0;
    row_bytes(reader, group->key, KEY_BYTES);
    take_name(reader, &group->name);
}

static void put_realm(row_writer_t *writer, const realm_record_t *realm) {
    row_put_u8(writer, flag(realm->gone, REALM_GONE) | flag(realm->linked, REALM_LINKED) |
                           flag(realm->leaving, REALM_LEAVING));
    row_put_bytes(writer, realm->key, KEY_BYTES);
    put_name(writer, &realm->name);
    row_put_u16(writer, realm->address.port);
    row_put_u8(writer, realm->address.length);
    row_put_bytes(writer, realm->address.text, realm->address.length);
}

/* A host: visible ASCII. */
static void take_address(row_reader_t *reader, address_t *address) {
    address->port = row_u16(reader);
    address->length = row_u8(reader);
    row_bytes(reader, address->text, address->length);
    for (size_t i = 0; i < address->length; i++) {
        if (address->text[i] <= ' ' || address->text[i] > '~') {
            reader->damaged = true;
        }
    }
}

static void take_realm(row_reader_t *reader, realm_record_t *realm) {
    uint8_t flags = row_flags(reader, REALM_GONE | REALM_LINKED | REALM_LEAVING);
    realm->gone = (flags & REALM_GONE) != 0;
    realm->linked = (flags & REALM_LINKED) != 0;
    realm->leaving = (flags & REALM_LEAVING) != 0;
    row_bytes(reader, realm->key, KEY_BYTES);
    take_name(reader, &realm->name);
    take_address(reader, &realm->address);
}

static void put_marks(row_writer_t *writer, const stream_mark_t *marks, size_t count) {
    for (size_t i = 0; i < count; i++) {
        row_put_u64(writer, marks[i].epoch);
        row_put_u32(writer, marks[i].seq);
    }
}

static void take_marks(row_reader_t *reader, stream_mark_t *marks, size_t count) {
    for (size_t i = 0; i < count; i++) {
        marks[i].epoch = row_u64(reader);
        marks[i].seq = row_u32(reader);
    }
}

static void put_stream(row_writer_t *writer, const stream_record_t *stream) {
    ASSERT(stream->segment_count <= STREAM_SEGMENTS_MAX);
    ASSERT(stream->mark_count <= STREAM_MARKS_MAX);
    row_put_u32(writer, stream->done);
    row_put_u32(writer, stream->judged);
    row_put_u32(writer, stream->settled);
    put_marks(writer, &stream->peer, 1);
    row_put_u64(writer, stream->bytes);
    row_put_u8(writer, stream->segment_count);
    row_put_u8(writer, stream->mark_count);
    put_marks(writer, stream->segments, stream->segment_count);
    put_marks(writer, stream->marks, stream->mark_count);
}

static void take_stream(row_reader_t *reader, stream_record_t *stream) {
    stream->done = row_u32(reader);
    stream->judged = row_u32(reader);
    stream->settled = row_u32(reader);
    take_marks(reader, &stream->peer, 1);
    stream->bytes = row_u64(reader);
    stream->segment_count = row_u8(reader);
    stream->mark_count = row_u8(reader);
    if (stream->segment_count > STREAM_SEGMENTS_MAX || stream->mark_count > STREAM_MARKS_MAX) {
        reader->damaged = true;
        return;
    }
    take_marks(reader, stream->segments, stream->segment_count);
    take_marks(reader, stream->marks, stream->mark_count);
}

static void put_ref(row_writer_t *writer, const ref_record_t *ref) {
    ASSERT(ref->realms.length <= LINKS_MAX * REF_REALM_BYTES);
    row_put_bytes(writer, ref->digest, REF_DIGEST_BYTES);
    row_put_u32(writer, ref->user);
    row_put_u64(writer, (uint64_t)ref->time_ms);
    row_put_u8(writer, ref->success);
    row_put_u16(writer, (uint16_t)ref->code);
    row_put_u8(writer, (uint8_t)ref->delivery);
    row_put_u64(writer, ref->message);
    row_put_u16(writer, (uint16_t)ref->realms.length);
    row_put_bytes(writer, ref->realms.bytes, ref->realms.length);
}

static delivery_t take_delivery(row_reader_t *reader) {
    uint8_t delivery = row_u8(reader);
    if (delivery > DELIVERY_QUEUED) {
        reader->damaged = true;
        return DELIVERY_NONE;
    }
    return (delivery_t)delivery;
}

static void take_ref(row_reader_t *reader, ref_record_t *ref) {
    row_bytes(reader, ref->digest, REF_DIGEST_BYTES);
    ref->user = row_u32(reader);
    ref->time_ms = (int64_t)row_u64(reader);
    ref->success = row_u8(reader);
    ref->code = take_code(reader);
    ref->delivery = take_delivery(reader);
    ref->message = row_u64(reader);
    ref->realms.length = row_u16(reader);
    if (ref->realms.length > LINKS_MAX * REF_REALM_BYTES) {
        reader->damaged = true;
        ref->realms.length = 0;
    }
    ref->realms.bytes = row_borrow(reader, ref->realms.length);
}

bool record_kind_is_row(record_kind_t kind) {
    bool founding = kind >= RECORD_USER && kind <= RECORD_REJECTION;
    bool later = kind == RECORD_REF || kind == RECORD_SEGMENT || kind == RECORD_MARK;
    return (founding || later) && record_kind_deleted(kind) == 0;
}

record_kind_t record_kind_deleted(record_kind_t kind) {
    switch (kind) {
    case RECORD_TOKEN_GONE:
        return RECORD_TOKEN;
    case RECORD_MEMBER_GONE:
        return RECORD_MEMBER;
    case RECORD_REJECTION_GONE:
        return RECORD_REJECTION;
    case RECORD_REF_GONE:
        return RECORD_REF;
    case RECORD_SEGMENT_GONE:
        return RECORD_SEGMENT;
    case RECORD_MARK_GONE:
        return RECORD_MARK;
    default:
        return (record_kind_t)0;
    }
}

static void put_key(row_writer_t *writer, record_kind_t kind, const record_t *record) {
    switch (kind) {
    case RECORD_USER:
        row_put_u32_big_endian(writer, record->user.id);
        break;
    case RECORD_TOKEN:
        row_put_bytes(writer, record->token.digest, DIGEST_BYTES);
        break;
    case RECORD_GROUP:
        row_put_u32_big_endian(writer, record->group.id);
        break;
    case RECORD_MEMBER:
        row_put_u32_big_endian(writer, record->member.group);
        row_put_u32_big_endian(writer, record->member.user);
        break;
    case RECORD_REALM:
        row_put_u32_big_endian(writer, record->realm.id);
        break;
    case RECORD_STREAM:
        row_put_u32_big_endian(writer, record->stream.realm);
        break;
    case RECORD_REJECTION:
        row_put_u32_big_endian(writer, record->rejection.realm);
        row_put_u32_big_endian(writer, record->rejection.seq);
        break;
    case RECORD_SEGMENT:
    case RECORD_MARK:
        row_put_u32_big_endian(writer, record->mark.realm);
        row_put_u32_big_endian(writer, record->mark.number);
        break;
    case RECORD_REF:
        row_put_u64_big_endian(writer, record->ref.number);
        break;
    default:
        ASSERT(record_kind_is_row(kind));
    }
}

size_t record_key_encode(uint8_t key[RECORD_KEY_BYTES_MAX], record_kind_t kind,
                         const record_t *record) {
    row_writer_t writer = {.at = key, .end = key + RECORD_KEY_BYTES_MAX};
    row_put_u8(&writer, (uint8_t)kind);
    put_key(&writer, kind, record);
    return (size_t)(writer.at - key);
}

size_t record_row_encode(uint8_t row[RECORD_ROW_BYTES_MAX], const record_t *record) {
    row_writer_t writer = {.at = row, .end = row + RECORD_ROW_BYTES_MAX};
    switch (record->kind) {
    case RECORD_USER:
        put_user(&writer, &record->user);
        break;
    case RECORD_TOKEN:
        row_put_u32(&writer, record->token.user);
        row_put_u64(&writer, (uint64_t)record->token.time_ms);
        break;
    case RECORD_GROUP:
        put_group(&writer, &record->group);
        break;
    case RECORD_MEMBER:
        break; /* its key says it all */
    case RECORD_REALM:
        put_realm(&writer, &record->realm);
        break;
    case RECORD_STREAM:
        put_stream(&writer, &record->stream);
        break;
    case RECORD_REJECTION:
        row_put_u16(&writer, (uint16_t)record->rejection.code);
        break;
    case RECORD_SEGMENT:
    case RECORD_MARK:
        put_marks(&writer, &record->mark.mark, 1);
        break;
    case RECORD_REF:
        put_ref(&writer, &record->ref);
        break;
    default:
        ASSERT(record_kind_is_row(record->kind));
    }
    return (size_t)(writer.at - row);
}

static void take_key(row_reader_t *reader, record_t *record) {
    record->kind = (record_kind_t)row_u8(reader);
    switch (record->kind) {
    case RECORD_USER:
        record->user.id = row_u32_big_endian(reader);
        break;
    case RECORD_TOKEN:
        row_bytes(reader, record->token.digest, DIGEST_BYTES);
        break;
    case RECORD_GROUP:
        record->group.id = row_u32_big_endian(reader);
        break;
    case RECORD_MEMBER:
        record->member.group = row_u32_big_endian(reader);
        record->member.user = row_u32_big_endian(reader);
        break;
    case RECORD_REALM:
        record->realm.id = row_u32_big_endian(reader);
        break;
    case RECORD_STREAM:
        record->stream.realm = row_u32_big_endian(reader);
        break;
    case RECORD_REJECTION:
        record->rejection.realm = row_u32_big_endian(reader);
        record->rejection.seq = row_u32_big_endian(reader);
        break;
    case RECORD_SEGMENT:
    case RECORD_MARK:
        record->mark.realm = row_u32_big_endian(reader);
        record->mark.number = row_u32_big_endian(reader);
        break;
    case RECORD_REF:
        record->ref.number = row_u64_big_endian(reader);
        break;
    default:
        reader->damaged = true;
    }
}

static void take_row(row_reader_t *reader, record_t *record) {
    switch (record->kind) {
    case RECORD_USER:
        take_user(reader, &record->user);
        break;
    case RECORD_TOKEN:
        record->token.user = row_u32(reader);
        record->token.time_ms = (int64_t)row_u64(reader);
        break;
    case RECORD_GROUP:
        take_group(reader, &record->group);
        break;
    case RECORD_REALM:
        take_realm(reader, &record->realm);
        break;
    case RECORD_STREAM:
        take_stream(reader, &record->stream);
        break;
    case RECORD_REJECTION:
        record->rejection.code = take_code(reader);
        break;
    case RECORD_SEGMENT:
    case RECORD_MARK:
        take_marks(reader, &record->mark.mark, 1);
        break;
    case RECORD_REF:
        take_ref(reader, &record->ref);
        break;
    default:
        break; /* a member's row is empty */
    }
}

bool record_decode(record_t *record, span_t key, span_t row) {
    memset(record, 0, sizeof *record);
    row_reader_t key_reader = {.at = key.bytes, .left = key.length};
    take_key(&key_reader, record);
    if (!row_complete(&key_reader)) {
        return false;
    }
    row_reader_t row_reader = {.at = row.bytes, .left = row.length};
    take_row(&row_reader, record);
    return row_complete(&row_reader);
}

void head_row_encode(uint8_t row[HEAD_ROW_BYTES], const mailbox_head_t *head) {
    row_writer_t writer = {.at = row, .end = row + HEAD_ROW_BYTES};
    row_put_u32(&writer, head->seq);
    row_put_bytes(&writer, head->positions, sizeof head->positions);
    ASSERT(writer.at == writer.end);
}

bool head_row_decode(mailbox_head_t *head, span_t row) {
    row_reader_t reader = {.at = row.bytes, .left = row.length};
    head->seq = row_u32(&reader);
    row_bytes(&reader, head->positions, sizeof head->positions);
    return row_complete(&reader);
}

void verdict_row_encode(uint8_t row[VERDICT_ROW_BYTES], code_t code) {
    row_writer_t writer = {.at = row, .end = row + VERDICT_ROW_BYTES};
    row_put_u16(&writer, (uint16_t)code);
}

bool verdict_row_decode(code_t *code, span_t row) {
    row_reader_t reader = {.at = row.bytes, .left = row.length};
    *code = take_code(&reader);
    return row_complete(&reader);
}

void checkpoint_row_encode(uint8_t row[CHECKPOINT_ROW_BYTES], uint64_t position) {
    row_writer_t writer = {.at = row, .end = row + CHECKPOINT_ROW_BYTES};
    row_put_u64(&writer, position);
}

bool checkpoint_row_decode(uint64_t *position, span_t row) {
    row_reader_t reader = {.at = row.bytes, .left = row.length};
    *position = row_u64(&reader);
    return row_complete(&reader);
}

void floor_row_encode(uint8_t row[FLOOR_ROW_BYTES], const floor_record_t *floor) {
    row_writer_t writer = {.at = row, .end = row + FLOOR_ROW_BYTES};
    row_put_u64(&writer, floor->position);
    row_put_u64(&writer, floor->skipped);
    row_put_u8(&writer, flag(floor->copied, FLOOR_COPIED));
    ASSERT(writer.at == writer.end);
}

bool floor_row_decode(floor_record_t *floor, span_t row) {
    row_reader_t reader = {.at = row.bytes, .left = row.length};
    floor->position = row_u64(&reader);
    floor->skipped = row_u64(&reader);
    floor->copied = (row_flags(&reader, FLOOR_COPIED) & FLOOR_COPIED) != 0;
    return row_complete(&reader);
}
