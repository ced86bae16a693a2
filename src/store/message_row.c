/*
 * Messages as rows of bytes and back. Pure: no LMDB, no allocation. Must never assert anything
 * about bytes that come from the disk, and never read a row that it would write otherwise.
 */
#include "message_row.h"

#include "base/assert.h"
#include "base/mailbox_address.h"
#include "base/text.h"
#include "row.h"

enum message_flags {
    MESSAGE_GROUP = 1,
    MESSAGE_SEALED = 2,
    MESSAGE_BROADCAST = 4,
    MESSAGE_ARRIVED = 8, /* at another time than it was accepted */
    MESSAGE_NUMBER = 16, /* another one than its position */
    MESSAGE_ORIGIN = 32, /* another realm than this one */
    MESSAGE_REALM = 64,  /* the same of the receiver's */
    MESSAGE_FLAGS = 127,
};

static uint8_t flag(bool set, uint8_t bit) {
    return set ? bit : 0;
}

static uint8_t flags_of(const message_t *message) {
    return flag(message->group, MESSAGE_GROUP) | flag(message->sealed, MESSAGE_SEALED) |
           flag(message->broadcast, MESSAGE_BROADCAST) |
           flag(message->arrived_ms != 0, MESSAGE_ARRIVED) |
           flag(message->number != message->position, MESSAGE_NUMBER) |
           flag(message->origin.length > 0, MESSAGE_ORIGIN) |
           flag(message->realm.length > 0, MESSAGE_REALM);
}

bool message_links_lead_back(const message_links_t *links, uint64_t position) {
    return links->seq > 0 && links->previous < position && links->jump <= links->previous;
}

static void put_links(row_writer_t *writer, const message_t *message) {
    uint64_t previous = message->previous;
    row_put_varint(writer, (uint64_t)mailbox_owner(message->mailbox) << MAILBOX_KIND_BITS |
                               mailbox_kind(message->mailbox));
    row_put_varint(writer, mailbox_realm(message->mailbox));
    row_put_varint(writer, message->seq);
    row_put_varint(writer, previous == 0 ? 0 : message->position - previous);
    row_put_varint(writer, message->jump == 0 ? 0 : previous - message->jump + 1);
}

static void put_name_length(row_writer_t *writer, span_t name) {
    ASSERT(name.length <= NAME_BYTES_MAX);
    row_put_u8(writer, (uint8_t)name.length);
}

static void put_lengths(row_writer_t *writer, const message_t *message) {
    put_name_length(writer, message->from);
    put_name_length(writer, message->to);
    if (message->origin.length > 0) {
        put_name_length(writer, message->origin);
    }
    if (message->realm.length > 0) {
        put_name_length(writer, message->realm);
    }
    ASSERT(message->text.length <= BODY_BYTES_MAX);
    row_put_varint(writer, message->text.length);
}

size_t message_row_encode(uint8_t *row, size_t room, const message_t *message) {
    row_writer_t writer = {.at = row, .end = row + room};
    ASSERT(message->previous < message->position && message->jump <= message->previous);
    row_put_u8(&writer, flags_of(message));
    put_links(&writer, message);
    row_put_varint(&writer, (uint64_t)message->time_ms);
    if (message->arrived_ms != 0) {
        row_put_varint(&writer, (uint64_t)message->arrived_ms);
    }
    if (message->number != message->position) {
        row_put_varint(&writer, message->number);
    }
    put_lengths(&writer, message);
    row_put_bytes(&writer, message->from.bytes, message->from.length);
    row_put_bytes(&writer, message->to.bytes, message->to.length);
    row_put_bytes(&writer, message->origin.bytes, message->origin.length);
    row_put_bytes(&writer, message->realm.bytes, message->realm.length);
    row_put_bytes(&writer, message->text.bytes, message->text.length);
    return (size_t)(writer.at - row);
}

/* A number that says more than the limit allows is damage. */
static uint64_t take_number(row_reader_t *reader, uint64_t most) {
    uint64_t number = row_varint(reader);
    if (number > most) {
        reader->damaged = true;
        return 0;
    }
    return number;
}

static mailbox_t take_mailbox(row_reader_t *reader) {
    const uint64_t ids = 1ULL << MAILBOX_ID_BITS;
    const uint64_t kinds = 1ULL << MAILBOX_KIND_BITS;
    uint64_t owner = take_number(reader, ids * kinds - 1);
    uint64_t realm = take_number(reader, ids - 1);
    return mailbox_address((mailbox_kind_t)(owner % kinds), (uint32_t)(owner / kinds),
                           (uint32_t)realm);
}

/* Everything up to the time. */
static void take_links(row_reader_t *reader, uint64_t position, message_links_t *links) {
    links->mailbox = take_mailbox(reader);
    links->seq = (uint32_t)take_number(reader, UINT32_MAX);
    uint64_t back = take_number(reader, position == 0 ? 0 : position - 1);
    links->previous = back == 0 ? 0 : position - back;
    uint64_t farther = take_number(reader, links->previous);
    links->jump = farther == 0 ? 0 : links->previous - (farther - 1);
    if (!message_links_lead_back(links, position)) {
        reader->damaged = true;
    }
}

/* 0 is never written. */
static int64_t take_arrived(row_reader_t *reader, uint8_t flags) {
    if ((flags & MESSAGE_ARRIVED) == 0) {
        return 0;
    }
    int64_t arrived_ms = (int64_t)row_varint(reader);
    if (arrived_ms == 0) {
        reader->damaged = true;
    }
    return arrived_ms;
}

/* Nor the position. */
static uint64_t take_id(row_reader_t *reader, uint8_t flags, uint64_t position) {
    if ((flags & MESSAGE_NUMBER) == 0) {
        return position;
    }
    uint64_t number = row_varint(reader);
    if (number == position) {
        reader->damaged = true;
    }
    return number;
}

bool message_row_links(message_links_t *links, uint64_t position, span_t row) {
    row_reader_t reader = {.at = row.bytes, .left = row.length};
    (void)row_flags(&reader, MESSAGE_FLAGS);
    take_links(&reader, position, links);
    return !reader.damaged;
}

bool message_row_age(message_age_t *age, uint64_t position, span_t row) {
    row_reader_t reader = {.at = row.bytes, .left = row.length};
    message_links_t links;
    uint8_t flags = row_flags(&reader, MESSAGE_FLAGS);
    take_links(&reader, position, &links);
    int64_t time_ms = (int64_t)row_varint(&reader);
    int64_t arrived_ms = take_arrived(&reader, flags);
    *age = (message_age_t){.position = position,
                           .mailbox = links.mailbox,
                           .seq = links.seq,
                           .arrived_ms = arrived_ms == 0 ? time_ms : arrived_ms};
    return !reader.damaged;
}

/* A name that is told to be there has a length. */
static void take_realm_length(row_reader_t *reader, bool there, span_t *name) {
    name->length = there ? take_number(reader, NAME_BYTES_MAX) : 0;
    if (there && name->length == 0) {
        reader->damaged = true;
    }
}

static void take_name(row_reader_t *reader, span_t *name) {
    name->bytes = row_borrow(reader, name->length);
    if (name->length > 0 && !reader->damaged && !name_is_folded(*name)) {
        reader->damaged = true;
    }
}

static void take_spans(row_reader_t *reader, message_t *message, uint8_t flags) {
    message->from.length = take_number(reader, NAME_BYTES_MAX);
    message->to.length = take_number(reader, NAME_BYTES_MAX);
    take_realm_length(reader, (flags & MESSAGE_ORIGIN) != 0, &message->origin);
    take_realm_length(reader, (flags & MESSAGE_REALM) != 0, &message->realm);
    message->text.length = take_number(reader, BODY_BYTES_MAX);
    take_name(reader, &message->from);
    take_name(reader, &message->to);
    take_name(reader, &message->origin);
    take_name(reader, &message->realm);
    message->text.bytes = row_borrow(reader, message->text.length);
}

bool message_row_decode(message_t *message, uint64_t position, span_t row) {
    row_reader_t reader = {.at = row.bytes, .left = row.length};
    message_links_t links;
    uint8_t flags = row_flags(&reader, MESSAGE_FLAGS);
    take_links(&reader, position, &links);
    message->position = position;
    message->mailbox = links.mailbox;
    message->seq = links.seq;
    message->previous = links.previous;
    message->jump = links.jump;
    message->time_ms = (int64_t)row_varint(&reader);
    message->arrived_ms = take_arrived(&reader, flags);
    message->number = take_id(&reader, flags, position);
    message->group = (flags & MESSAGE_GROUP) != 0;
    message->sealed = (flags & MESSAGE_SEALED) != 0;
    message->broadcast = (flags & MESSAGE_BROADCAST) != 0;
    message->verdict = CODE_OK;
    take_spans(&reader, message, flags);
    return row_complete(&reader);
}
