/*
 * The `data` of replies that are lists or objects: rare ones, put together by jansson.
 */
#ifndef REALMGATE_WIRE_REPLY_LIST_H
#define REALMGATE_WIRE_REPLY_LIST_H

#include "base/buffer.h"
#include "types/reply.h"

/* Appends the JSON value of `data` of any reply but REPLY_TEXT, REPLY_ERROR and REPLY_PAGE. `realm`
 * and `oldest_s` are as for reply_write (wire/reply.h). */
void reply_list_write(buffer_t *out, const reply_t *reply, const name_t *realm,
                      const int64_t *oldest_s);

#endif
