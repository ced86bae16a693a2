/*
 * From the bytes of a connection to request lines, and from a line to tokens.
 */
#ifndef REALMGATE_WIRE_REQUEST_H
#define REALMGATE_WIRE_REQUEST_H

#include "types/request.h"

#include <stdbool.h>
#include <string.h>

typedef enum framing {
    FRAMING_LINE,     /* *line is a request line, without CR and LF; may be empty (ignore it) */
    FRAMING_TOO_LONG, /* a line just passed LINE_BYTES_MAX: answer TOO_LONG once */
    FRAMING_NEEDS,    /* no whole line yet; everything up to *consumed is dealt with */
} framing_t;

/* What has to be remembered between reads of a connection: whether the rest of an over-long line
 * is being thrown away. Zero at the start. */
typedef struct framer {
    bool discarding;
} framer_t;

/* What framing_next does where there is no whole line of the usual size. */
framing_t framing_rare(framer_t *framer, const char *bytes, size_t length, size_t *consumed,
                       span_t *line);

/* Takes the next line from bytes[*consumed .. length): call until FRAMING_NEEDS. Bytes before
 * *consumed are done with; the caller keeps the rest and calls again with more behind it. A line
 * of more than LINE_BYTES_MAX bytes (its LF, and one CR before it, not counted) gives
 * FRAMING_TOO_LONG exactly once, as soon as it is known to be too long; the rest of it is skipped.
 */
static inline framing_t framing_next(framer_t *framer, const char *bytes, size_t length,
                                     size_t *consumed, span_t *line) {
    const char *start = bytes + *consumed;
    size_t left = length - *consumed;
    const char *feed = left > 0 && !framer->discarding ? memchr(start, '\n', left) : NULL;
    if (feed == NULL || feed - start > LINE_BYTES_MAX) {
        return framing_rare(framer, bytes, length, consumed, line);
    }
    size_t found = (size_t)(feed - start);
    *consumed += found + 1;
    *line = (span_t){start, found > 0 && start[found - 1] == '\r' ? found - 1 : found};
    return FRAMING_LINE;
}

/* At end of input: the unterminated rest counts as a line. */
framing_t framing_end(framer_t *framer, const char *bytes, size_t length, size_t *consumed,
                      span_t *line);

/* Cuts a line of 1..LINE_BYTES_MAX bytes at runs of spaces. Leading and trailing spaces make no
 * token. */
void request_parse(request_t *request, span_t line);

#endif
