/*
 * SENDGROUPREALM *: one group message to every linked realm, one record, one own copy and one
 * verdict for each, one reply with all of them.
 */
#ifndef REALMGATE_CORE_BROADCAST_H
#define REALMGATE_CORE_BROADCAST_H

#include "command.h"

#define BROADCAST_TEXT "Pesan grup realm terkirim"

/* The caller, a member, sends a text to the group in all linked realms. Answers NO_REALM if there
 * are none, QUEUE_FULL or BUSY if none has room; where some have none, the reply says so for them.
 */
void broadcast_send(call_t *call, const group_t *group, span_t text);

/* The verdict on one of its records, or that it is still queued (CODE_OK). The last one answers. */
void broadcast_verdict(turn_t *turn, const parked_t *parked, delivery_t delivery, code_t code);

/* Answers with rows, which lie in the effects' arena. */
void broadcast_answer(turn_t *turn, ticket_t ticket, const broadcast_status_t *rows,
                      uint32_t count);

void broadcast_free_all(state_t *state);

#endif
