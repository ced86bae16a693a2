/*
 * The ring of waiting requests. Must never hold more runs than requests fit into it.
 */
#include "waiting.h"

#include "bytes.h"

#include <stdlib.h>

void waiting_init(waiting_t *waiting, uint32_t capacity) {
    *waiting = (waiting_t){.capacity = capacity};
    waiting->runs = bytes_zeroed(capacity, sizeof(waiting_run_t));
}

void waiting_deinit(waiting_t *waiting) {
    free(waiting->runs);
    *waiting = (waiting_t){0};
}

void waiting_add(waiting_t *waiting, uint64_t since_ns, uint32_t count) {
    if (count == 0)
        return;
    uint32_t place = waiting->first + waiting->used;
    if (place >= waiting->capacity)
        place -= waiting->capacity;
    waiting->runs[place] = (waiting_run_t){since_ns, count};
    waiting->used++;
    waiting->requests += count;
}

uint32_t waiting_take(waiting_t *waiting, uint32_t most, uint64_t *since_ns) {
    if (waiting->used == 0)
        return 0;
    waiting_run_t *run = &waiting->runs[waiting->first];
    uint32_t taken = run->count < most ? run->count : most;
    *since_ns = run->since_ns;
    run->count -= taken;
    waiting->requests -= taken;
    if (run->count == 0) {
        waiting->used--;
        waiting->first = waiting->first + 1 == waiting->capacity ? 0 : waiting->first + 1;
    }
    return taken;
}
