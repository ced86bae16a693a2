/*
 * From the bytes of a connection to request lines and tokens. Must never copy a line, and never
 * judge a request: that is the core's.
 */
#include "wire/request.h"

#include "base/assert.h"

#include <endian.h>
#include <string.h>

#define TOKEN_WORDS_SHORT 2

/* `bytes` without one CR at its end. */
static span_t without_return(span_t bytes) {
    if (bytes.length > 0 && bytes.bytes[bytes.length - 1] == '\r') {
        bytes.length--;
    }
    return bytes;
}

/* Skips the rest of an over-long line; true if its end was among the bytes. */
static bool discard_line(framer_t *framer, const char *bytes, size_t length, size_t *consumed) {
    const char *feed = memchr(bytes + *consumed, '\n', length - *consumed);
    *consumed = feed == NULL ? length : (size_t)(feed - bytes) + 1;
    framer->discarding = feed == NULL;
    return feed != NULL;
}

/* No LF among the bytes yet. The last byte may be the CR before it, which does not count. */
static framing_t unfinished(framer_t *framer, span_t rest, size_t length, size_t *consumed) {
    if (without_return(rest).length <= LINE_BYTES_MAX) {
        return FRAMING_NEEDS;
    }
    framer->discarding = true;
    *consumed = length;
    return FRAMING_TOO_LONG;
}

framing_t framing_rare(framer_t *framer, const char *bytes, size_t length, size_t *consumed,
                       span_t *line) {
    ASSERT(*consumed <= length);
    if (*consumed == length ||
        (framer->discarding && !discard_line(framer, bytes, length, consumed))) {
        return FRAMING_NEEDS;
    }
    span_t rest = {.bytes = bytes + *consumed, .length = length - *consumed};
    const char *feed = rest.length > 0 ? memchr(rest.bytes, '\n', rest.length) : NULL;
    if (feed == NULL) {
        return unfinished(framer, rest, length, consumed);
    }
    span_t found = {.bytes = rest.bytes, .length = (size_t)(feed - rest.bytes)};
    *consumed += found.length + 1;
    found = without_return(found);
    if (found.length > LINE_BYTES_MAX) {
        return FRAMING_TOO_LONG;
    }
    *line = found;
    return FRAMING_LINE;
}

framing_t framing_end(framer_t *framer, const char *bytes, size_t length, size_t *consumed,
                      span_t *line) {
    framing_t framing = framing_next(framer, bytes, length, consumed, line);
    if (framing != FRAMING_NEEDS || *consumed == length) {
        return framing;
    }
    span_t rest = {.bytes = bytes + *consumed, .length = length - *consumed};
    *consumed = length;
    *line = without_return(rest);
    ASSERT(line->length <= LINE_BYTES_MAX);
    return FRAMING_LINE;
}

/* No bit is set if none of 8 bytes is a space; else the lowest one that is set lies in the first.
 */
static uint64_t word_spaces(const char *bytes) {
    const uint64_t ones = 0x0101010101010101ULL;
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    word = le64toh(word) ^ (ones * ' ');
    return (word - ones) & ~word & (ones * 0x80);
}

/* Where the token at `offset` ends. Most are short: looking at a word or two beats a call. */
static size_t token_end(span_t line, size_t offset) {
    for (int i = 0; i < TOKEN_WORDS_SHORT && line.length - offset >= sizeof(uint64_t); i++) {
        uint64_t spaces = word_spaces(line.bytes + offset);
        if (spaces != 0) {
            return offset + (size_t)__builtin_ctzll(spaces) / 8;
        }
        offset += sizeof(uint64_t);
    }
    const char *space = memchr(line.bytes + offset, ' ', line.length - offset);
    return space == NULL ? line.length : (size_t)(space - line.bytes);
}

void request_parse(request_t *request, span_t line) {
    ASSERT(line.length <= LINE_BYTES_MAX);
    *request = (request_t){.line_bytes = (uint16_t)line.length};
    size_t offset = 0;
    while (offset < line.length) {
        if (line.bytes[offset] == ' ') {
            offset++;
            continue;
        }
        if (request->token_count == REQUEST_TOKENS_MAX) {
            request->token_count = REQUEST_TOKENS_MAX + 1;
            return;
        }
        size_t end = token_end(line, offset);
        request->token_offset[request->token_count] = (uint16_t)offset;
        request->token_bytes[request->token_count] = (uint16_t)(end - offset);
        request->token_count++;
        offset = end;
    }
}
