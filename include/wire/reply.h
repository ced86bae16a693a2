/*
 * Replies as the bytes a client sees: one JSON object, then CR LF CR LF. Hot replies are put
 * together by hand, lists of realms and the like by jansson.
 */
#ifndef REALMGATE_WIRE_REPLY_H
#define REALMGATE_WIRE_REPLY_H

#include "base/buffer.h"
#include "types/reply.h"
#include "wire/json.h"

/* Appends the whole frame of any reply but REPLY_PAGE. `realm` is this realm's name, for ids. Rows
 * of REPLY_REALMS carry oldest_s in oldest_s[i] (NULL if no row has one queued). */
void reply_write(buffer_t *out, const reply_t *reply, const name_t *realm, const int64_t *oldest_s);

/* Appends the frame of an error without usage or reason; the front end's own refusals. */
void reply_write_error(buffer_t *out, code_t code);

/* A page is written in pieces: begin, each message oldest first, end. */
void reply_page_begin(buffer_t *out);
void reply_page_message(buffer_t *out, const message_t *message, const name_t *realm, bool first);
void reply_page_end(buffer_t *out, bool more, bool stale, span_t ref);

#endif
