/*
 * People who insist: some of their messages go out under a ref, and are said again under it when
 * no answer came, when the answer was to try again, and now and then although they were answered.
 */
#ifndef REALMGATE_SIM_INSISTING_H
#define REALMGATE_SIM_INSISTING_H

#include "plan.h"
#include "types/reply.h"

typedef struct world world_t;
typedef struct seat seat_t;

/* Whether an operation is a message that is said under a ref. */
bool insisting_has_ref(const op_t *op);

/* Whether what a realm answers to a message is its last word on it. */
bool insisting_is_final(const reply_t *reply);

/* A message was said: perhaps it is to be said again at once (returned) or by the same user's other
 * connection. */
bool insisting_said(world_t *world, const op_t *op, unsigned seat);
/* No answer will come to a request of a seat. */
void insisting_silence(world_t *world, seat_t *seat, uint32_t request);
void insisting_told(world_t *world, seat_t *seat, uint32_t request, const reply_t *reply);

/* What a seat still has to say again, one by one; NULL: nothing. */
const op_t *insisting_next(world_t *world, unsigned realm, unsigned seat);

#endif
