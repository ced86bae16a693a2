/*
 * Which messages are said again and when. Must never insist where nothing is promised: a realm that
 * went back in time has forgotten what it did, and a user that was removed is another one.
 */
#include "insisting.h"

#include "base/memory.h"
#include "world.h"

enum { TRIES_MAX = 6 };

bool insisting_has_ref(const op_t *op) {
    return op->kind == OP_SAY && op->verb <= VERB_SENDGROUPREALM && op->variant % 3 == 0;
}

bool insisting_is_final(const reply_t *reply) {
    if (reply->kind != REPLY_ERROR)
        return true;
    switch (reply->error.code) {
    case CODE_NO_USER:
    case CODE_NO_GROUP:
    case CODE_NOT_MEMBER:
    case CODE_GROUP_MISMATCH:
    case CODE_NO_REALM:
        return true;
    default:
        return false;
    }
}

/* The last user is the one that operators remove. */
static bool may_insist(const world_t *world, const op_t *op, unsigned user) {
    return insisting_has_ref(op) && world->oracle.setback_count[op->realm] == 0 &&
           user + 1 < world->plan->user_count && world->oracle.letters[op->id].tries < TRIES_MAX;
}

static void push(seat_t *seat, const op_t *op) {
    seat->again =
        memory_grow(seat->again, &seat->again_room, seat->again_count + 1, sizeof(*seat->again));
    seat->again[seat->again_count++] = op;
}

bool insisting_said(world_t *world, const op_t *op, unsigned seat) {
    if (!may_insist(world, op, seat / SEATS_PER_USER) || world->oracle.letters[op->id].tries > 1)
        return false;
    if (op->variant % 12 == 6)
        push(&world->seats[op->realm][seat ^ 1U], op);
    return op->variant % 12 == 0;
}

static void again(world_t *world, seat_t *seat, uint32_t request) {
    const asked_t *asked = &world->oracle.asked[request];
    if (asked->verb > VERB_SENDGROUPREALM)
        return;
    const op_t *op = world->oracle.letters[asked->op].op;
    if (may_insist(world, op, asked->user))
        push(seat, op);
}

void insisting_silence(world_t *world, seat_t *seat, uint32_t request) {
    if (!world->oracle.asked[request].answered)
        again(world, seat, request);
}

void insisting_told(world_t *world, seat_t *seat, uint32_t request, const reply_t *reply) {
    if (!insisting_is_final(reply))
        again(world, seat, request);
}

const op_t *insisting_next(world_t *world, unsigned realm, unsigned seat_index) {
    seat_t *seat = &world->seats[realm][seat_index];
    while (seat->again_count > 0) {
        const op_t *op = seat->again[--seat->again_count];
        if (may_insist(world, op, seat_index / SEATS_PER_USER))
            return op;
    }
    return NULL;
}
