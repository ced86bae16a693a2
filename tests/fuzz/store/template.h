/*
 * A sound store to tamper with: of realm `a`, with users, a group, a link in both directions, what
 * was refused and what is queued, a checkpoint and messages behind it. A realm made it, so it is
 * what a realm makes.
 */
#ifndef REALMGATE_TESTS_TEMPLATE_H
#define REALMGATE_TESTS_TEMPLATE_H

#include "base/buffer.h"
#include "state/world.h"

typedef struct template {
    buffer_t file; /* the bytes of store.mdb */
    char tokens[WORLD_TOKENS][KEY_TEXT_BYTES + 1];
    size_t token_count;
}
template_t;

/* The one template, made at the first call: that costs as much as a hundred runs. */
const template_t *template_get(void);

/* Opens the store of the template's realm in a directory. Asserts that an error is about what
 * stands there. */
store_error_t template_open(store_t **store, const char *directory);

#endif
