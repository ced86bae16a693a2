/*
 * A message as a row, since schema version 4. What a row says depends on the message's position,
 * which is not in it: the two before it in its mailbox are told by how far they lie back, and the
 * number of its id only where it is not the position. Numbers are varints (row.h), so that a short
 * message is mostly its text.
 *
 * A row: flags (1 byte), owner and kind of the mailbox, realm of the mailbox, seq, how far back the
 * one before it is (0 = there is none), how far before that one the jump leads and one more (0 =
 * nowhere), time, when it arrived if that is another time, the number if it is another one; lengths
 * of from and to, of origin and of realm if there is one, of the text; these bytes in the same
 * order.
 */
#ifndef REALMGATE_STORE_MESSAGE_ROW_H
#define REALMGATE_STORE_MESSAGE_ROW_H

#include "types/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VARINT_BYTES_MAX 10

/* Flags, nine numbers, the length of the text, four names with their lengths, the text. */
#define MESSAGE_ROW_BYTES_MAX                                                                      \
    (1 + 10 * VARINT_BYTES_MAX + 4 * (1 + NAME_BYTES_MAX) + BODY_BYTES_MAX)

/* What a walk along a mailbox needs of a message. */
typedef struct message_links {
    mailbox_t mailbox;
    uint32_t seq;
    uint64_t previous;
    uint64_t jump;
} message_links_t;

/* True if links can belong to a message at this position: they lead back, the jump not less far
 * than the previous one. So no walk along them is endless. */
bool message_links_lead_back(const message_links_t *links, uint64_t position);

/* Writes the row of a message whose links lead back, into MESSAGE_ROW_BYTES_MAX bytes or as many as
 * it is known to need. Returns its length. */
size_t message_row_encode(uint8_t *row, size_t room, const message_t *message);

/* Each reads the row found at `position`, as far as it says; false if that part is damaged. Spans
 * of *message point into the row. */
bool message_row_decode(message_t *message, uint64_t position, span_t row);
bool message_row_links(message_links_t *links, uint64_t position, span_t row);
bool message_row_age(message_age_t *age, uint64_t position, span_t row);

#endif
