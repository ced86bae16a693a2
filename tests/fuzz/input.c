/*
 * Reads a fuzzer's input from front to back. Must never look behind its end.
 */
#include "input.h"

#include "base/assert.h"
#include "base/memory.h"

#include <string.h>

bool input_ended(const input_t *input) {
    return input->left == 0;
}

uint8_t input_u8(input_t *input) {
    if (input->left == 0)
        return 0;
    input->left -= 1;
    return *input->bytes++;
}

uint16_t input_u16(input_t *input) {
    uint16_t low = input_u8(input);
    return (uint16_t)(low | input_u8(input) << 8);
}

uint32_t input_u32(input_t *input) {
    uint32_t low = input_u16(input);
    return low | (uint32_t)input_u16(input) << 16;
}

uint64_t input_u64(input_t *input) {
    uint64_t low = input_u32(input);
    return low | (uint64_t)input_u32(input) << 32;
}

size_t input_below(input_t *input, size_t count) {
    ASSERT(count > 0 && count <= 256);
    return input_u8(input) % count;
}

span_t input_span(input_t *input, size_t length) {
    if (length > input->left)
        length = input->left;
    span_t span = {.bytes = (const char *)input->bytes, .length = length};
    input->bytes += length;
    input->left -= length;
    return span;
}

char *input_copy(span_t bytes) {
    char *copy = memory_alloc(bytes.length);
    if (bytes.length > 0)
        memcpy(copy, bytes.bytes, bytes.length);
    return copy;
}
