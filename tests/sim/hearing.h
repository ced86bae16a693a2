/*
 * What listeners were promised: from `Listen aktif` until they stop or their connection ends, every
 * message of every mailbox that they may read comes once, in order of seq, without a hole, and
 * never before it is on the disk. And nothing else comes.
 *
 * Replies and events of a turn come in the order in which the realm made them, so that what was
 * told last is true at that moment.
 */
#ifndef REALMGATE_SIM_HEARING_H
#define REALMGATE_SIM_HEARING_H

#include "plan.h"
#include "types/effect.h"

#include <stdbool.h>

typedef struct world world_t;

enum { VIEWS_PER_REALM = (USERS_MAX + GROUPS_MAX) * (1 + REALMS_MAX) };

/* What one seat has heard on its connection. */
typedef struct hearing {
    bool listens;
    uint32_t next[VIEWS_PER_REALM]; /* seq of the next event, 0 = not known yet */
} hearing_t;

/* What is on a realm's disk, by who reads it, and who is in its groups. */
typedef struct hearings {
    hearing_t seats[SEATS_MAX];
    unsigned listening; /* how many of them do */
    bool moved;         /* since the last turn's end something of this changed */
    uint32_t head[VIEWS_PER_REALM];
    uint64_t commit;                                      /* counts them */
    uint64_t added_by[VIEWS_PER_REALM];                   /* the newest commit that did */
    uint32_t low[VIEWS_PER_REALM], high[VIEWS_PER_REALM]; /* it added (low, high] */
    bool blind[VIEWS_PER_REALM]; /* set back in time: the head is not known */
    uint8_t members[GROUPS_MAX][USERS_MAX];
} hearings_t;

struct asked;

/* A realm has committed records. */
void hearing_committed(world_t *world, unsigned realm, const record_t *records, size_t count);

/* An event comes to a seat. */
void hearing_event(world_t *world, unsigned realm, unsigned seat, const news_t *news);

/* A request was answered (OK or not), or never will be. */
void hearing_told(world_t *world, const struct asked *asked, bool ok);
void hearing_silence(world_t *world, const struct asked *asked);

/* The seat's connection is gone. */
void hearing_hung_up(world_t *world, unsigned realm, unsigned seat);

/* All that a turn had to tell was told: now nothing may be missing. */
void hearing_turn_end(world_t *world, unsigned realm);

void hearing_restored(world_t *world, unsigned realm);

#endif
