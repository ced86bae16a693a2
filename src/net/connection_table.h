/*
 * All connections, by index and by handle, and the lists of those that wait for a moment.
 */
#ifndef REALMGATE_NET_CONNECTION_TABLE_H
#define REALMGATE_NET_CONNECTION_TABLE_H

#include "connection.h"

#define NO_CONNECTION UINT32_MAX

/* Of a handle; above them stands the generation. */
#define HANDLE_INDEX_BITS 32

typedef struct connection_table {
    connection_t *places;
    size_t room;
    uint32_t used;       /* places that were ever taken */
    uint32_t free_first; /* NO_CONNECTION: none */
    uint32_t count;
} connection_table_t;

/* Connections in the order in which they came in or moved last: the oldest is the first. */
typedef struct connection_list {
    connection_list_id_t id;
    connection_chain_t chain;
    uint32_t first;
    uint32_t last;
} connection_list_t;

void table_init(connection_table_t *table);

/* Closes every connection that is left. */
void table_deinit(connection_table_t *table);

/* A new connection for `fd`. Pointers to others are void behind it. */
connection_t *table_add(connection_table_t *table, int fd, bool admin);

/* Closes and forgets one that is in no list. Its handle never comes again. */
void table_remove(connection_table_t *table, connection_t *connection);

/* The connection of a handle, or NULL if it is closed. */
connection_t *table_find(const connection_table_t *table, uint64_t handle);

/* The connection in place `index`, or NULL if that place is free. */
connection_t *table_at(const connection_table_t *table, uint32_t index);

static inline uint32_t table_index(const connection_table_t *table,
                                   const connection_t *connection) {
    return (uint32_t)(connection - table->places);
}

static inline uint64_t table_handle(const connection_table_t *table,
                                    const connection_t *connection) {
    return (uint64_t)connection->generation << HANDLE_INDEX_BITS | table_index(table, connection);
}

void list_init(connection_list_t *list, connection_list_id_t id, connection_chain_t chain);

/* Makes it the youngest of this list, whether it was in it or in none. */
void list_touch(connection_table_t *table, connection_list_t *list, connection_t *connection,
                int64_t now_ms);

/* Takes it out of this list if it is in it. */
void list_leave(connection_table_t *table, connection_list_t *list, connection_t *connection);

/* The oldest, or NULL. */
connection_t *list_first(const connection_table_t *table, const connection_list_t *list);

/* When the oldest has waited for so long; INT64_MAX if there is none. */
int64_t list_due_ms(const connection_table_t *table, const connection_list_t *list,
                    int64_t wait_ms);

#endif
