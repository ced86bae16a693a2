/*
 * A queue that is worked through in turns. Must never drop what was added during a turn.
 */
#include "work_list.h"

#include "base/assert.h"
#include "base/memory.h"

#include <string.h>

void work_list_deinit(work_list_t *list) {
    memory_free(list->indexes);
    *list = (work_list_t){0};
}

void work_list_add(work_list_t *list, uint32_t index) {
    list->indexes =
        memory_grow(list->indexes, &list->room, list->count + 1, sizeof(*list->indexes));
    list->indexes[list->count] = index;
    list->count++;
}

void work_list_drop(work_list_t *list, size_t count) {
    ASSERT(count <= list->count);
    list->count -= count;
    if (count > 0 && list->count > 0) {
        memmove(list->indexes, list->indexes + count, list->count * sizeof(*list->indexes));
    }
}
