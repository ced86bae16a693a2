/*
 * Connections with something to do, by index, in the order they came.
 */
#ifndef REALMGATE_NET_WORK_LIST_H
#define REALMGATE_NET_WORK_LIST_H

#include <stddef.h>
#include <stdint.h>

typedef struct work_list {
    uint32_t *indexes;
    size_t room;
    size_t count;
} work_list_t;

void work_list_deinit(work_list_t *list);
void work_list_add(work_list_t *list, uint32_t index);

/* Drops the first `count`. */
void work_list_drop(work_list_t *list, size_t count);

#endif
