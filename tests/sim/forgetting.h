/*
 * The oracle's book of what retention takes: which rows a realm has committed and when, by its own
 * clock, and which of them are gone. Holds against a realm what it lets go too early, out of order,
 * or before it has reached whom it is for. Shares no code with the core.
 */
#ifndef REALMGATE_SIM_FORGETTING_H
#define REALMGATE_SIM_FORGETTING_H

#include "types/record.h"

typedef struct world world_t;

typedef enum row_role { ROW_LETTER, ROW_COPY, ROW_BOUNCE, ROW_QUEUED } row_role_t;

typedef struct forgetting_row {
    uint64_t position;
    mailbox_t mailbox;
    uint32_t seq;
    int64_t arrived_ms;
    row_role_t role;
    uint32_t letter; /* LETTER, COPY: which message; 0 = unknown */
    uint64_t number; /* BOUNCE: of which message */
    bool gone;
} forgetting_row_t;

/* Of one realm. */
typedef struct forgetting {
    forgetting_row_t *rows; /* by position */
    size_t count, room;
    forgetting_row_t *backup; /* as they were then */
    size_t backup_count, backup_room;
} forgetting_t;

void forgetting_begin(world_t *world);
void forgetting_free(world_t *world);
void forgetting_committed(world_t *world, unsigned realm, const record_t *records, size_t count);
void forgetting_backup(world_t *world, unsigned realm);
void forgetting_restored(world_t *world, unsigned realm);

/* The newest seq of a mailbox that is gone, 0 if none is. */
uint32_t forgetting_edge(const world_t *world, unsigned realm, mailbox_t mailbox);
/* Whether the message with this number of a realm's own is gone from its log. */
bool forgetting_took(const world_t *world, unsigned realm, uint64_t number);
/* Whether what told its sender that it did not arrive is gone. */
bool forgetting_took_bounce(const world_t *world, unsigned realm, uint64_t number);

#endif
