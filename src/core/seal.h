/*
 * Group messages between realms travel sealed with the group's key, with their addressing as
 * associated data: a realm whose group has another password can neither read nor forge them, and a
 * sealed text cannot be passed off as another sender's, another group's or another message's.
 */
#ifndef REALMGATE_CORE_SEAL_H
#define REALMGATE_CORE_SEAL_H

#include "model.h"

/* What a sealed text is bound to. Each span is at most NAME_BYTES_MAX bytes. */
typedef struct seal_address {
    span_t origin; /* realm of the sender */
    span_t realm;  /* realm of the receiver */
    span_t from;
    span_t group;
    uint64_t number;
    int64_t time_ms;
} seal_address_t;

/* The associated data: every part with its length, so that no two addresses look alike. Returns its
 * size. */
#define SEAL_CONTEXT_BYTES_MAX (4 * (NAME_BYTES_MAX + 1) + 16)
size_t seal_context(uint8_t out[SEAL_CONTEXT_BYTES_MAX], const seal_address_t *address);

/* The address of an outbox message of ours. */
seal_address_t seal_address_of(const state_t *state, const message_t *message);

/* Seals a text under a fresh nonce; the result lies in the effects. */
span_t seal_text(turn_t *turn, const seal_address_t *address, const group_t *group, span_t text);

/* Opens a sealed body into the effects. False if it was not sealed with this group's key for this
 * address. */
bool seal_open(turn_t *turn, const seal_address_t *address, const group_t *group, span_t body,
               span_t *text);

#endif
