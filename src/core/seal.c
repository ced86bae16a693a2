/*
 * The sealed bodies of group messages. Knows nothing of streams or of who is a member.
 */
#include "seal.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "base/text.h"

#include <string.h>

static uint8_t *put_span(uint8_t *out, span_t span) {
    ASSERT(span.length <= NAME_BYTES_MAX);
    *out++ = (uint8_t)span.length;
    memcpy(out, span.bytes, span.length);
    return out + span.length;
}

static uint8_t *put_u64(uint8_t *out, uint64_t value) {
    for (unsigned i = 0; i < 8; i++)
        *out++ = (uint8_t)(value >> (8 * i));
    return out;
}

size_t seal_context(uint8_t out[SEAL_CONTEXT_BYTES_MAX], const seal_address_t *address) {
    uint8_t *end = put_span(out, address->origin);
    end = put_span(end, address->realm);
    end = put_span(end, address->from);
    end = put_span(end, address->group);
    end = put_u64(end, address->number);
    end = put_u64(end, (uint64_t)address->time_ms);
    ASSERT((size_t)(end - out) <= SEAL_CONTEXT_BYTES_MAX);
    return (size_t)(end - out);
}

seal_address_t seal_address_of(const state_t *state, const message_t *message) {
    ASSERT(message->group && message->origin.length == 0);
    return (seal_address_t){.origin = name_span(&state->options.realm),
                            .realm = message->realm,
                            .from = message->from,
                            .group = message->to,
                            .number = message->number,
                            .time_ms = message->time_ms};
}

span_t seal_text(turn_t *turn, const seal_address_t *address, const group_t *group, span_t text) {
    uint8_t context[SEAL_CONTEXT_BYTES_MAX];
    uint8_t nonce[SEAL_NONCE_BYTES];
    size_t context_bytes = seal_context(context, address);
    size_t length = text.length + SEAL_OVERHEAD_BYTES;
    uint8_t *sealed = arena_alloc(&turn->effects->arena, length);
    model_draw(turn->state, nonce, sizeof(nonce));
    crypto_seal(sealed, group->record.key, nonce, text.bytes, text.length, context, context_bytes);
    return (span_t){.bytes = (const char *)sealed, .length = length};
}

bool seal_open(turn_t *turn, const seal_address_t *address, const group_t *group, span_t body,
               span_t *text) {
    uint8_t context[SEAL_CONTEXT_BYTES_MAX];
    if (body.length < SEAL_OVERHEAD_BYTES)
        return false;
    size_t context_bytes = seal_context(context, address);
    size_t length = body.length - SEAL_OVERHEAD_BYTES;
    uint8_t *opened = arena_alloc(&turn->effects->arena, length);
    *text = (span_t){.bytes = (const char *)opened, .length = length};
    return crypto_open(opened, group->record.key, body.bytes, body.length, context, context_bytes);
}
