/*
 * Events as the bytes a listener sees: a frame like a reply's, with "event" instead of "status".
 */
#ifndef REALMGATE_WIRE_EVENT_H
#define REALMGATE_WIRE_EVENT_H

#include "base/buffer.h"
#include "types/message.h"

/* Appends the frame of a new message in a mailbox; `mailbox` is the request that reads it, `realm`
 * this realm's name, for ids. */
void event_write_message(buffer_t *out, span_t mailbox, const message_t *message,
                         const name_t *realm);

/* Appends the frame for a listener that has fallen behind: `seq` is the first that it was not
 * sent. */
void event_write_lagged(buffer_t *out, span_t mailbox, uint32_t seq);

#endif
