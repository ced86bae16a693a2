/*
 * What a realm may forget. Must never ask a realm for the age of anything: the book says when each
 * row was committed.
 */
#include "forgetting.h"

#include "base/memory.h"
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int64_t clock_ms(const world_t *world, unsigned realm) {
    return WORLD_EPOCH_MS + world->now_us / 1000 + world->realms[realm].skew_ms;
}

void forgetting_begin(world_t *world) {
    for (unsigned i = 0; i < REALMS_MAX; i++) {
        world->oracle.forgetting[i].count = 0;
        world->oracle.forgetting[i].backup_count = 0;
    }
}

void forgetting_free(world_t *world) {
    for (unsigned i = 0; i < REALMS_MAX; i++) {
        memory_free(world->oracle.forgetting[i].rows);
        memory_free(world->oracle.forgetting[i].backup);
    }
}

static forgetting_row_t *row_at(forgetting_t *book, uint64_t position) {
    for (size_t i = book->count; i > 0; i--) {
        if (book->rows[i - 1].position == position)
            return &book->rows[i - 1];
    }
    return NULL;
}

/* "Pesan a:17 ...": the 17. */
static uint64_t bounced_number(span_t text) {
    char copy[64] = "";
    uint64_t number = 0;
    size_t length = text.length < sizeof(copy) ? text.length : sizeof(copy) - 1;
    memcpy(copy, text.bytes, length);
    return sscanf(copy, "Pesan %*[^:]:%" SCNu64, &number) == 1 ? number : 0;
}

static void note_row(world_t *world, unsigned realm, const message_t *message) {
    forgetting_t *book = &world->oracle.forgetting[realm];
    mailbox_kind_t kind = (mailbox_kind_t)(message->mailbox >> 60);
    book->rows = memory_grow(book->rows, &book->room, book->count + 1, sizeof(*book->rows));
    forgetting_row_t *row = &book->rows[book->count++];
    *row = (forgetting_row_t){.position = message->position,
                              .mailbox = message->mailbox,
                              .seq = message->seq,
                              .arrived_ms = clock_ms(world, realm),
                              .letter = oracle_letter(world, message->text)};
    if (kind == MAILBOX_OUTBOX)
        row->role = ROW_QUEUED;
    else if (kind == MAILBOX_GROUP_REALM && message->origin.length == 0)
        row->role = ROW_COPY;
    else if (row->letter == 0)
        row->role = ROW_BOUNCE;
    if (row->role == ROW_BOUNCE)
        row->number = bounced_number(message->text);
}

/* The newest row of a realm that is old enough by its clock. What stands before it is older. */
static uint64_t newest_old(const world_t *world, unsigned realm) {
    const forgetting_t *book = &world->oracle.forgetting[realm];
    int64_t retention_ms = world->plan->retention_ms[realm];
    for (size_t i = book->count; i > 0; i--) {
        if (clock_ms(world, realm) - book->rows[i - 1].arrived_ms >= retention_ms)
            return book->rows[i - 1].position;
    }
    return 0;
}

static _Noreturn void forgets_wrongly(world_t *world, unsigned realm, const forgetting_row_t *row,
                                      const char *words) {
    world_violation(world, "forgotten",
                    "%s forgets position %" PRIu64 ", seq %" PRIu32 " of mailbox %" PRIx64 ": %s",
                    realm_text(realm), row->position, row->seq, row->mailbox, words);
}

static bool follows_what_is_gone(const forgetting_t *book, const forgetting_row_t *row) {
    for (const forgetting_row_t *before = row; before > book->rows;) {
        before -= 1;
        if (before->mailbox == row->mailbox)
            return before->gone && before->seq + 1 == row->seq;
    }
    return row->seq == 1;
}

/* Whether a record has had its verdict: what the realm's own disk says of it. */
static bool is_judged(const world_t *world, unsigned realm, const forgetting_row_t *row) {
    uint32_t id = (uint32_t)(row->mailbox & ((1U << 30) - 1));
    const stream_record_t *stream = memory_store_stream(world->realms[realm].store, id);
    return stream != NULL && row->seq <= stream->judged;
}

static void excuse(world_t *world, const forgetting_row_t *row) {
    oracle_t *oracle = &world->oracle;
    if (row->role == ROW_LETTER)
        oracle->letters[row->letter].forgotten = true;
    else if (row->role == ROW_COPY && row->letter != 0)
        oracle->letters[row->letter].copy_forgotten = true;
}

static void forget(world_t *world, unsigned realm, forgetting_row_t *row, uint64_t old) {
    const forgetting_t *book = &world->oracle.forgetting[realm];
    if (row->position > old)
        forgets_wrongly(world, realm, row, "it is younger than the retention");
    if (!follows_what_is_gone(book, row))
        forgets_wrongly(world, realm, row, "an older one of that mailbox is still there");
    if (row->role == ROW_QUEUED && !is_judged(world, realm, row))
        forgets_wrongly(world, realm, row, "it still waits for its realm");
    row->gone = true;
    excuse(world, row);
}

static void forget_run(world_t *world, unsigned realm, const messages_gone_record_t *gone) {
    forgetting_t *book = &world->oracle.forgetting[realm];
    uint64_t old = newest_old(world, realm);
    if (world->plan->retention_ms[realm] == 0)
        world_violation(world, "forgotten", "%s forgets without retention", realm_text(realm));
    for (size_t i = 0; i < book->count; i++) {
        forgetting_row_t *row = &book->rows[i];
        if (row->position >= gone->first && row->position <= gone->last && !row->gone)
            forget(world, realm, row, old);
    }
}

void forgetting_committed(world_t *world, unsigned realm, const record_t *records, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (records[i].kind == RECORD_MESSAGE)
            note_row(world, realm, &records[i].message);
        else if (records[i].kind == RECORD_MESSAGES_GONE)
            forget_run(world, realm, &records[i].messages_gone);
    }
}

static void copy_rows(forgetting_row_t **to, size_t *room, const forgetting_row_t *from,
                      size_t count) {
    *to = memory_grow(*to, room, count, sizeof(**to));
    if (count > 0)
        memcpy(*to, from, count * sizeof(*from));
}

void forgetting_backup(world_t *world, unsigned realm) {
    forgetting_t *book = &world->oracle.forgetting[realm];
    copy_rows(&book->backup, &book->backup_room, book->rows, book->count);
    book->backup_count = book->count;
}

void forgetting_restored(world_t *world, unsigned realm) {
    forgetting_t *book = &world->oracle.forgetting[realm];
    copy_rows(&book->rows, &book->room, book->backup, book->backup_count);
    book->count = book->backup_count;
}

uint32_t forgetting_edge(const world_t *world, unsigned realm, mailbox_t mailbox) {
    const forgetting_t *book = &world->oracle.forgetting[realm];
    for (size_t i = book->count; i > 0; i--) {
        if (book->rows[i - 1].mailbox == mailbox && book->rows[i - 1].gone)
            return book->rows[i - 1].seq;
    }
    return 0;
}

bool forgetting_took(const world_t *world, unsigned realm, uint64_t number) {
    forgetting_t book = world->oracle.forgetting[realm];
    const forgetting_row_t *row = row_at(&book, number);
    return row != NULL && row->gone;
}

bool forgetting_took_bounce(const world_t *world, unsigned realm, uint64_t number) {
    const forgetting_t *book = &world->oracle.forgetting[realm];
    for (size_t i = 0; i < book->count; i++) {
        const forgetting_row_t *row = &book->rows[i];
        if (row->role == ROW_BOUNCE && row->number == number && row->gone)
            return true;
    }
    return false;
}
