/*
 * Reads what older programs wrote. Must never assert anything about those bytes.
 *
 * A row: mailbox (8 bytes), seq (4), previous (8), jump (8), time (8), number (8), flags (1),
 * lengths of origin, from, realm and to (1 each), of the text (2), when it arrived (8) if the flags
 * say so; these bytes in the same order.
 */
#include "old_row.h"
#include "message_row.h"
#include "row.h"

#include "base/text.h"

enum old_flags { OLD_GROUP = 1, OLD_SEALED = 2, OLD_BROADCAST = 4, OLD_ARRIVED = 8 };

static void take_numbers(row_reader_t *reader, message_t *message) {
    message->mailbox = row_u64(reader);
    message->seq = row_u32(reader);
    message->previous = row_u64(reader);
    message->jump = row_u64(reader);
    message->time_ms = (int64_t)row_u64(reader);
    message->number = row_u64(reader);
}

static void take_names(row_reader_t *reader, message_t *message) {
    span_t *names[] = {&message->origin, &message->from, &message->realm, &message->to};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        names[i]->bytes = row_borrow(reader, names[i]->length);
        bool sound = names[i]->length <= NAME_BYTES_MAX &&
                     (names[i]->length == 0 || reader->damaged || name_is_folded(*names[i]));
        reader->damaged = reader->damaged || !sound;
    }
}

bool old_row_decode(message_t *message, uint64_t position, span_t row) {
    row_reader_t reader = {.at = row.bytes, .left = row.length};
    *message = (message_t){.position = position};
    take_numbers(&reader, message);
    uint8_t flags = row_flags(&reader, OLD_GROUP | OLD_SEALED | OLD_BROADCAST | OLD_ARRIVED);
    message->group = (flags & OLD_GROUP) != 0;
    message->sealed = (flags & OLD_SEALED) != 0;
    message->broadcast = (flags & OLD_BROADCAST) != 0;
    message->origin.length = row_u8(&reader);
    message->from.length = row_u8(&reader);
    message->realm.length = row_u8(&reader);
    message->to.length = row_u8(&reader);
    message->text.length = row_u16(&reader);
    message->arrived_ms = (flags & OLD_ARRIVED) != 0 ? (int64_t)row_u64(&reader) : 0;
    take_names(&reader, message);
    message->text.bytes = row_borrow(&reader, message->text.length);
    message_links_t links = {.mailbox = message->mailbox,
                             .seq = message->seq,
                             .previous = message->previous,
                             .jump = message->jump};
    return row_complete(&reader) && message->text.length <= BODY_BYTES_MAX &&
           message_links_lead_back(&links, position);
}
