/*
 * Bytes of a connection: the same lines come out however the network cuts them, and the tokens of
 * a line are the runs between its spaces, no more and no less.
 */
#include "base/assert.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "input.h"
#include "target.h"
#include "wire/request.h"

#include <string.h>

/* All that a framer said, as bytes: 'L', length and line, or 'T' for one that was too long. */
static void note(buffer_t *story, framing_t framing, span_t line) {
    buffer_append(story, framing == FRAMING_LINE ? "L" : "T", 1);
    if (framing != FRAMING_LINE)
        return;
    buffer_append(story, &line.length, sizeof(line.length));
    buffer_append(story, line.bytes, line.length);
}

static void check_token(const request_t *request, span_t line, unsigned index) {
    size_t offset = request->token_offset[index];
    size_t length = request->token_bytes[index];
    ASSERT(length > 0 && offset + length <= line.length);
    ASSERT(memchr(line.bytes + offset, ' ', length) == NULL);
    ASSERT(offset == 0 || line.bytes[offset - 1] == ' ');
    ASSERT(offset + length == line.length || line.bytes[offset + length] == ' ');
}

/* Between two tokens, before the first and (if all fit) behind the last there are only spaces. */
static void check_gaps(const request_t *request, span_t line) {
    size_t end = 0;
    unsigned fit =
        request->token_count > REQUEST_TOKENS_MAX ? REQUEST_TOKENS_MAX : request->token_count;
    for (unsigned i = 0; i < fit; i++) {
        check_token(request, line, i);
        ASSERT(request->token_offset[i] >= end);
        for (; end < request->token_offset[i]; end++)
            ASSERT(line.bytes[end] == ' ');
        end += request->token_bytes[i];
    }
    bool rest = false;
    for (; end < line.length; end++)
        rest = rest || line.bytes[end] != ' ';
    ASSERT(rest == (request->token_count > REQUEST_TOKENS_MAX));
}

static void check_line(span_t line) {
    request_t request;
    ASSERT(line.length <= LINE_BYTES_MAX);
    ASSERT(line.length == 0 || memchr(line.bytes, '\n', line.length) == NULL);
    request_parse(&request, line);
    ASSERT(request.line_bytes == line.length);
    ASSERT(request.token_count <= REQUEST_TOKENS_MAX + 1);
    check_gaps(&request, line);
}

/* Everything that is whole in `kept`; returns how much of it is done with. */
static size_t take_lines(framer_t *framer, span_t kept, buffer_t *story) {
    size_t consumed = 0;
    for (;;) {
        span_t line = {0};
        size_t before = consumed;
        framing_t framing = framing_next(framer, kept.bytes, kept.length, &consumed, &line);
        ASSERT(consumed >= before && consumed <= kept.length);
        if (framing == FRAMING_NEEDS)
            return consumed;
        ASSERT(consumed > before);
        if (framing == FRAMING_LINE)
            check_line(line);
        note(story, framing, line);
    }
}

/* Small pieces mostly, sometimes such as a socket gives; larger ones where there is much to cut. */
static size_t piece_bytes(uint8_t cut, size_t whole) {
    size_t piece = cut < 192 ? 1U + cut : (cut - 191U) * 150U;
    return piece + whole / 512;
}

/* Frames `bytes` in pieces as `cuts` says; without any, all of it at once. */
static void frame_all(span_t bytes, span_t cuts, buffer_t *story) {
    framer_t framer = {0};
    size_t start = 0;
    size_t seen = 0;
    size_t consumed = 0;
    if (bytes.length == 0)
        return;
    for (size_t cut = 0; seen < bytes.length; cut++) {
        size_t step = cuts.length == 0
                          ? bytes.length
                          : piece_bytes((uint8_t)cuts.bytes[cut % cuts.length], bytes.length);
        seen = bytes.length - seen < step ? bytes.length : seen + step;
        span_t kept = {.bytes = bytes.bytes + start, .length = seen - start};
        char *copy = input_copy(kept);
        start += take_lines(&framer, (span_t){copy, kept.length}, story);
        memory_free(copy);
        ASSERT(seen - start <= LINE_BYTES_MAX + 1);
    }
    span_t line = {0};
    framing_t framing = framing_end(&framer, bytes.bytes + start, seen - start, &consumed, &line);
    ASSERT(consumed == seen - start);
    if (framing == FRAMING_LINE)
        check_line(line);
    if (framing != FRAMING_NEEDS)
        note(story, framing, line);
}

/* Repeats a part of the input so that lines reach their limit without as long an input. */
static span_t stretch(input_t *input, buffer_t *room) {
    size_t length = (size_t)input_u8(input) * 72;
    span_t part = input_span(input, 1U + input_u8(input) % 8);
    while (part.length > 0 && room->length + part.length <= length)
        buffer_append(room, part.bytes, part.length);
    buffer_append(room, input->bytes, input->left);
    return (span_t){room->bytes, room->length};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    input_t input = {data, size};
    buffer_t room, whole, pieces;
    buffer_init(&room);
    buffer_init(&whole);
    buffer_init(&pieces);
    span_t cuts = input_span(&input, 1U + input_u8(&input) % 16);
    if (!input_ended(&input) && cuts.length > 0) {
        span_t bytes = stretch(&input, &room);
        frame_all(bytes, (span_t){0}, &whole);
        frame_all(bytes, cuts, &pieces);
        ASSERT(whole.length == pieces.length);
        ASSERT(whole.length == 0 || memcmp(whole.bytes, pieces.bytes, whole.length) == 0);
    }
    buffer_deinit(&room);
    buffer_deinit(&whole);
    buffer_deinit(&pieces);
    return 0;
}
