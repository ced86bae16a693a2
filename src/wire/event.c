/*
 * Events as a listener sees them. Must never show a message otherwise than a page of its mailbox
 * does.
 */
#include "wire/event.h"

#include "wire/reply.h"

void event_write_message(buffer_t *out, span_t mailbox, const message_t *message,
                         const name_t *realm) {
    buffer_text(out, "{\"event\":\"message\",\"mailbox\":");
    json_write_string(out, mailbox);
    buffer_text(out, ",\"data\":");
    reply_page_message(out, message, realm, true);
    buffer_text(out, "}\r\n\r\n");
}

void event_write_lagged(buffer_t *out, span_t mailbox, uint32_t seq) {
    buffer_text(out, "{\"event\":\"lagged\",\"mailbox\":");
    json_write_string(out, mailbox);
    buffer_text(out, ",\"seq\":");
    json_write_number(out, seq);
    buffer_text(out, "}\r\n\r\n");
}
