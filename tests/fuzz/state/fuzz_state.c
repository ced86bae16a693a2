/*
 * The realm under any sequence of events: the input is a program of one-byte operations, each with
 * its choices behind it. All assertions of the core are on, every effect is checked, and at the end
 * every request has its one reply and the committed records are the same realm again.
 */
#include "operations.h"
#include "support/paper_store.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    world_t *world = world_new((span_t){(const char *)data, size}, paper_store_new(), false);
    operations_run(world);
    world_close(world);
    world_destroy(&world);
    return 0;
}
