/*
 * The growing array of connections. Must never give a handle twice.
 */
#include "connection_table.h"

#include "base/assert.h"
#include "base/memory.h"

void table_init(connection_table_t *table) {
    *table = (connection_table_t){.free_first = NO_CONNECTION};
}

void table_deinit(connection_table_t *table) {
    for (uint32_t index = 0; index < table->used; index++) {
        if (table->places[index].fd >= 0) {
            connection_deinit(&table->places[index]);
        }
    }
    memory_free(table->places);
    table_init(table);
}

static connection_t *table_place(connection_table_t *table) {
    if (table->free_first != NO_CONNECTION) {
        connection_t *place = &table->places[table->free_first];
        table->free_first = place->next[CHAIN_OUTPUT];
        return place;
    }
    ASSERT(table->used < NO_CONNECTION - 1);
    table->places =
        memory_grow(table->places, &table->room, (size_t)table->used + 1, sizeof(*table->places));
    connection_t *place = &table->places[table->used];
    table->used++;
    *place = (connection_t){.fd = -1};
    return place;
}

connection_t *table_add(connection_table_t *table, int fd, bool admin) {
    connection_t *connection = table_place(table);
    ASSERT(connection->fd < 0);
    connection_init(connection, fd, admin);
    connection->generation++;
    table->count++;
    return connection;
}

/* A place whose generations are used up is not given out again: a handle names one connection for
 * good. */
void table_remove(connection_table_t *table, connection_t *connection) {
    ASSERT(connection->list[CHAIN_OUTPUT] == LIST_NONE);
    ASSERT(connection->list[CHAIN_LOGIN] == LIST_NONE);
    connection_deinit(connection);
    table->count--;
    if (connection->generation < UINT32_MAX) {
        connection->next[CHAIN_OUTPUT] = table->free_first;
        table->free_first = table_index(table, connection);
    }
}

connection_t *table_at(const connection_table_t *table, uint32_t index) {
    if (index >= table->used || table->places[index].fd < 0) {
        return NULL;
    }
    return &table->places[index];
}

connection_t *table_find(const connection_table_t *table, uint64_t handle) {
    connection_t *connection = table_at(table, (uint32_t)handle);
    if (connection == NULL || connection->generation != handle >> HANDLE_INDEX_BITS) {
        return NULL;
    }
    return connection;
}

void list_init(connection_list_t *list, connection_list_id_t id, connection_chain_t chain) {
    *list = (connection_list_t){
        .id = id, .chain = chain, .first = NO_CONNECTION, .last = NO_CONNECTION};
}

void list_leave(connection_table_t *table, connection_list_t *list, connection_t *connection) {
    connection_chain_t chain = list->chain;
    if (connection->list[chain] != list->id) {
        return;
    }
    uint32_t next = connection->next[chain];
    uint32_t previous = connection->previous[chain];
    if (previous != NO_CONNECTION) {
        table->places[previous].next[chain] = next;
    } else {
        list->first = next;
    }
    if (next != NO_CONNECTION) {
        table->places[next].previous[chain] = previous;
    } else {
        list->last = previous;
    }
    connection->list[chain] = LIST_NONE;
}

void list_touch(connection_table_t *table, connection_list_t *list, connection_t *connection,
                int64_t now_ms) {
    connection_chain_t chain = list->chain;
    list_leave(table, list, connection);
    ASSERT(connection->list[chain] == LIST_NONE);
    uint32_t index = table_index(table, connection);
    connection->list[chain] = (uint8_t)list->id;
    connection->since_ms[chain] = now_ms;
    connection->next[chain] = NO_CONNECTION;
    connection->previous[chain] = list->last;
    if (list->last != NO_CONNECTION) {
        table->places[list->last].next[chain] = index;
    } else {
        list->first = index;
    }
    list->last = index;
}

connection_t *list_first(const connection_table_t *table, const connection_list_t *list) {
    return list->first != NO_CONNECTION ? &table->places[list->first] : NULL;
}

int64_t list_due_ms(const connection_table_t *table, const connection_list_t *list,
                    int64_t wait_ms) {
    const connection_t *oldest = list_first(table, list);
    return oldest == NULL ? INT64_MAX : oldest->since_ms[list->chain] + wait_ms;
}
