/*
 * From the bytes of a connection to request lines and tokens. Must never copy a line, and never
 * judge a request: that is the core's.
 */
#include "wire/request.h"

#include "base/assert.h"

#include <string.h>

#define TOKEN_BYTES_SHORT 12

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

/* Where the token at `offset` ends. Most are short: looking at each byte beats a call. */
static size_t token_end(span_t line, size_t offset) {
    size_t near =
        line.length - offset < TOKEN_BYTES_SHORT ? line.length : offset + TOKEN_BYTES_SHORT;
    while (offset < near && line.bytes[offset] != ' ') {
        offset++;
    }
    if (offset < near || near == line.length) {
        return offset;
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
