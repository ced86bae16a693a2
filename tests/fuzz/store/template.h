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

/* Makes it in an empty directory, which is empty again afterwards. Fills in a zeroed *template. */
void template_make(template_t *template, const char *directory);

#endif
