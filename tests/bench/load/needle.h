/*
 * Counting a text, such as the end of a reply, in a stream that comes in pieces.
 */
#ifndef REALMGATE_BENCH_NEEDLE_H
#define REALMGATE_BENCH_NEEDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NEEDLE_BYTES_MAX 64

typedef struct needle {
    char bytes[NEEDLE_BYTES_MAX];
    uint8_t fallback[NEEDLE_BYTES_MAX]; /* how much still matches when the byte behind does not */
    size_t length;                      /* 0: nothing is looked for */
    size_t anchor;                      /* the place of the byte that is looked for first */
} needle_t;

/* Reads the text with its C escapes. False if it is empty or longer than it may be. */
bool needle_init(needle_t *needle, const char *text);

/* How often the text ends in the next piece of a stream. `matched` is the stream's own: 0 at its
 * beginning, then how much of the text the last piece ended with. */
size_t needle_count(const needle_t *needle, uint8_t *matched, const char *piece, size_t length);

#endif
