/*
 * The two directions of a link: durable, numbered streams (federation.md's rules).
 *
 * Outgoing. The outbox is a mailbox; its seq is the number in the stream. The stream is cut into
 * segments, each under a random epoch of its own: a process begins a new segment with the first
 * record that it appends. So records that were appended after a store went back in time can never
 * be taken for those that an earlier life of the store had already sent under the same seqs.
 * Records go out as "these, on top of exactly that mark", a compare-and-swap on the receiver's
 * mark.
 *
 *     settled   local consequences done (own copy of a group message)     <= head
 *     done      the peer took or refused it, or it expired                <= head
 *     judged    its sender has its verdict; above `done` while a peer that was restored from a
 *               backup is sent again what it lost. What has a bad verdict is stepped over then <=
 * head taken     what the peer's mark says in our seqs; sent: handed to the dial, sent >= taken
 *
 * Incoming. Taken only on top of the mark; the record's effect and the mark move in one commit;
 * what is refused is remembered until the sender says that it has settled it.
 */
#ifndef REALMGATE_CORE_STREAM_H
#define REALMGATE_CORE_STREAM_H

#include "model.h"

uint32_t stream_head(const state_t *state, const realm_t *realm);
uint32_t stream_queued(const state_t *state, const realm_t *realm);

/* Whether a body of this size may still be queued. */
bool stream_has_room(const state_t *state, const realm_t *realm, size_t body_bytes);

/* Appends a record to the outbox; the caller fills in the message. */
message_t *stream_append(turn_t *turn, realm_t *realm, size_t body_bytes);

/* A request waits for the verdict on the newest record; or is answered "queued" at once if the link
 * is down. `text` (group messages) is copied. */
void stream_park(turn_t *turn, realm_t *realm, const parked_t *parked, span_t text);
/* Answers "queued" to all that still wait. */
void stream_unpark_all(turn_t *turn, realm_t *realm);

/* The peer told where it stands. In a handshake its mark may have gone back (restored from a
 * backup); otherwise an older standing than the newest known is ignored. */
void stream_heard(turn_t *turn, realm_t *realm, const peer_standing_t *standing, bool handshake);

/* Hands what the window allows to the dial, if the link is up. */
void stream_pump(turn_t *turn, realm_t *realm);

/* Answers a pull over its channel with one frame of what is pending. */
void stream_answer_pull(turn_t *turn, realm_t *realm, const peer_channel_t *channel,
                        uint64_t correlation);

/* Starts the sweep that a fresh start owes; later the ones for expiry and for a link that ends. */
void stream_sweep_start(turn_t *turn, realm_t *realm);
void stream_sweep_expired(turn_t *turn, realm_t *realm);
void stream_sweep_leave(turn_t *turn, realm_t *realm);
void stream_swept(turn_t *turn, realm_t *realm, const event_t *event);

/* Deadlines of parked requests and of silence; stream_due_us is when to call it next. */
void stream_tick(turn_t *turn, realm_t *realm);
int64_t stream_due_us(const realm_t *realm);

/* Incoming: takes what is new of PEER_RECORDS; forgets refusals up to `done`. */
void stream_take(turn_t *turn, realm_t *realm, const peer_message_t *message);
void stream_forget(turn_t *turn, realm_t *realm, uint32_t done);
/* Incoming: our standing, for any message to the peer. Copied into the effects. */
void stream_standing(turn_t *turn, const realm_t *realm, peer_standing_t *standing);
/* For a handshake: with all marks that we remember. */
void stream_standing_all(turn_t *turn, const realm_t *realm, peer_standing_t *standing);

/* Our own copy of a group message that went (or waits to go) to a realm. */
void stream_copy_group(turn_t *turn, const realm_t *realm, const message_t *like);

#endif
