/*
 * A client's request line, cut into tokens. The line's bytes lie behind the struct's user: in the
 * batch entry's payload, or wherever `line` points. Built by wire/request.h.
 */
#ifndef REALMGATE_TYPES_REQUEST_H
#define REALMGATE_TYPES_REQUEST_H

#include "types/name.h"

#include <stdbool.h>

/* Tokens are the runs of bytes between spaces; token 0 is the request word. */
typedef struct request {
    uint16_t line_bytes;
    uint8_t token_count; /* REQUEST_TOKENS_MAX + 1 if there are more than fit */
    bool admin;          /* came through the admin socket: operator without AUTH */
    uint64_t source;     /* stands for the client's address; 0 = none that is counted */
    uint16_t token_offset[REQUEST_TOKENS_MAX];
    uint16_t token_bytes[REQUEST_TOKENS_MAX];
} request_t;

#endif
