/*
 * Fresh randomness. Must never be linked into the core: a replay would come out otherwise.
 */
#include "base/random.h"

#include "base/assert.h"

#include <sodium.h>

void random_start(void) {
    int failed = sodium_init();
    ASSERT(failed >= 0);
}

void random_bytes(void *out, size_t length) {
    randombytes_buf(out, length);
}
