/*
 * The bytes of the federation protocol: one ZeroMQ frame a message. All integers little endian.
 *
 *     message  = version:u8 kind:u8 correlation:u64 body
 *     string   = length:u16 bytes
 *     address  = string(host) port:u16
 *     mark     = epoch:u64 seq:u32
 *     standing = count:u8 mark* count:u16 rejection*
 *     rejection = seq:u32 code:u16
 *     older    = count:u16 mark*
 *     record   = kind:u8 number:u64 time:i64 string(from) string(to) string(body)
 *
 *     kind                    body
 *     ACKREALM                string(realm) string(from) address address standing older
 *     WELCOME                 refusal:u8 string(from) standing older
 *     RECORDS                 mark(base) mark(first) done:u32 flags:u8 count:u16 record*
 *     ACK                     standing
 *     REMOTEINBOXREALM        string(user) string(realm) standing
 *     REMOTEINBOXGROUPREALM   string(group) string(realm) standing
 *     PING, PONG              stamp:u64 done:u32 pending:u32 standing
 *     ERROR                   refusal:u8
 *
 * RECORDS moves a mark that is `base` to (epoch of `first`, seq of `first` - 1 + count): seqs
 * between `base` and `first` are not sent, because they are gone or must not arrive; without
 * records the frame only steps over them, and it does nothing where `first` does not lie above the
 * mark.
 *
 * The flags of RECORDS: 1 = pulled, 2 = more. The name of WELCOME may be empty, the host of an
 * address too.
 *
 * Every read is bounds-checked; a field over its limit, a name outside the rule (or not folded)
 * where a name_t is read, a host that is not printable ASCII, a number outside its enum, seqs that
 * would wrap, or bytes left over refuse the whole message. from/to/body of records are only checked
 * against their sizes here: the core judges each record, so that one bad one does not hold up the
 * stream.
 */
#ifndef REALMGATE_WIRE_PEER_CODEC_H
#define REALMGATE_WIRE_PEER_CODEC_H

#include "base/arena.h"
#include "base/buffer.h"
#include "types/peer_message.h"

/* Decodes a frame. Spans point into `frame`, arrays into `arena`. Returns REFUSAL_NONE, or
 * REFUSAL_VERSION / REFUSAL_MALFORMED (then only message->correlation is meaningful: the frame's if
 * it was long enough to hold one, else 0). */
peer_refusal_t peer_decode(peer_message_t *message, arena_t *arena, span_t frame);

/* Appends the frame of a message, records included. */
void peer_encode(buffer_t *out, const peer_message_t *message);

/* PEER_RECORDS in pieces, for records that come one by one from the store: begin with
 * message->records.* (record_count and records are ignored), add each, end. peer_records_add
 * returns false and adds nothing if the frame is full (PEER_RECORDS_MAX records, or over
 * PEER_RECORDS_BYTES_MAX bytes with at least one record in it). `start` is out->length at begin. */
size_t peer_records_begin(buffer_t *out, const peer_message_t *message);
bool peer_records_add(buffer_t *out, size_t start, const peer_record_t *record);
void peer_records_end(buffer_t *out, size_t start, bool more);

#endif
