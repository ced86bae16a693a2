/*
 * A peer's frame: whatever its bytes are, it is refused or understood; and what was understood
 * gives the same bytes when it is said again, so that there is one way to say a thing.
 */
#include "base/assert.h"
#include "base/memory.h"
#include "input.h"
#include "target.h"
#include "wire/peer_codec.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    peer_message_t message;
    arena_t arena;
    arena_init(&arena);
    char *copy = input_copy((span_t){(const char *)data, size});
    peer_refusal_t refusal = peer_decode(&message, &arena, (span_t){copy, size});
    ASSERT(refusal == REFUSAL_NONE || refusal == REFUSAL_VERSION || refusal == REFUSAL_MALFORMED);
    if (refusal == REFUSAL_NONE) {
        buffer_t out;
        buffer_init(&out);
        peer_encode(&out, &message);
        ASSERT(out.length == size && memcmp(out.bytes, data, size) == 0);
        buffer_deinit(&out);
    } else {
        ASSERT(message.kind == 0);
    }
    memory_free(copy);
    arena_deinit(&arena);
    return 0;
}
