/*
 * Rows by key, messages by position, mailboxes as lists of places in the log. Must never be
 * lenient: what the real store would call corrupt fails the test that wrote it.
 */
#include "paper_store.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/memory.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* A row's key as the real store orders rows: the kind, then ids big endian or a digest. */
typedef struct row_key {
    uint8_t bytes[1 + DIGEST_BYTES];
} row_key_t;

typedef struct entry {
    message_t message;
    code_t verdict;
    bool forgotten;
} entry_t;

typedef struct pile {
    uint32_t *places; /* in paper->entries, by seq - 1 */
    size_t count, room;
} pile_t;

typedef struct paper {
    store_t base;
    arena_t arena;
    map_t *rows;      /* row_key_t -> record_t */
    map_t *mailboxes; /* mailbox_t -> index in piles */
    map_t *heads;     /* mailbox_t -> mailbox_head_t */
    map_t *refs;      /* digest -> number of the row that has it */
    pile_t *piles;
    entry_t *entries;
    size_t pile_count, pile_room, entry_count, entry_room;
    uint64_t checkpoint, cut, writes;
    floor_record_t floor;
} paper_t;

static const paper_t *paper_of(const store_t *store) {
    return (const paper_t *)(const void *)store;
}

static uint8_t *put_u32(uint8_t *at, uint32_t number) {
    for (int shift = 24; shift >= 0; shift -= 8)
        *at++ = (uint8_t)(number >> shift);
    return at;
}

static row_key_t row_key(record_kind_t kind, const record_t *record) {
    row_key_t key = {{(uint8_t)kind}};
    uint8_t *at = key.bytes + 1;
    switch (kind) {
    case RECORD_USER:
        (void)put_u32(at, record->user.id);
        break;
    case RECORD_TOKEN:
        memcpy(at, record->token.digest, DIGEST_BYTES);
        break;
    case RECORD_GROUP:
        (void)put_u32(at, record->group.id);
        break;
    case RECORD_MEMBER:
        (void)put_u32(put_u32(at, record->member.group), record->member.user);
        break;
    case RECORD_REALM:
        (void)put_u32(at, record->realm.id);
        break;
    case RECORD_STREAM:
        (void)put_u32(at, record->stream.realm);
        break;
    case RECORD_REJECTION:
        (void)put_u32(put_u32(at, record->rejection.realm), record->rejection.seq);
        break;
    case RECORD_SEGMENT:
    case RECORD_MARK:
        (void)put_u32(put_u32(at, record->mark.realm), record->mark.number);
        break;
    case RECORD_REF:
        (void)put_u32(put_u32(at, (uint32_t)(record->ref.number >> 32)),
                      (uint32_t)record->ref.number);
        break;
    default:
        cr_assert_fail("no row is of kind %d", (int)kind);
    }
    return key;
}

/* The place of a position in the log, or of the first one behind it. */
static size_t place_from(const paper_t *paper, uint64_t position) {
    size_t low = 0;
    size_t high = paper->entry_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (paper->entries[middle].message.position < position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static entry_t *entry_at(const paper_t *paper, uint64_t position) {
    size_t place = place_from(paper, position);
    if (place == paper->entry_count || paper->entries[place].message.position != position)
        return NULL;
    return &paper->entries[place];
}

static const pile_t *pile_of(const paper_t *paper, mailbox_t mailbox) {
    const uint32_t *index = map_get(paper->mailboxes, &mailbox);
    return index == NULL ? NULL : &paper->piles[*index];
}

static pile_t *pile_made(paper_t *paper, mailbox_t mailbox) {
    if (map_get(paper->mailboxes, &mailbox) == NULL) {
        paper->piles = memory_grow(paper->piles, &paper->pile_room, paper->pile_count + 1,
                                   sizeof(*paper->piles));
        memset(&paper->piles[paper->pile_count], 0, sizeof(*paper->piles));
        *(uint32_t *)map_put(paper->mailboxes, &mailbox) = (uint32_t)paper->pile_count++;
    }
    return &paper->piles[*(uint32_t *)map_get(paper->mailboxes, &mailbox)];
}

static const entry_t *entry_of_seq(const paper_t *paper, const pile_t *pile, uint32_t seq) {
    return pile == NULL || seq == 0 || seq > pile->count ? NULL
                                                         : &paper->entries[pile->places[seq - 1]];
}

/* Whether a jump may lead from one seq to an older one: to the newest multiple of some power of
 * four before it; and where the seq is a multiple of four itself, of the greatest power that is in
 * it. Counted by division, so that it is not the core's own formula. */
static bool jump_may_lead(uint32_t seq, uint32_t target) {
    uint32_t length = 1;
    for (unsigned level = 0; level < HEAD_LEVELS; level++, length *= 4) {
        bool greatest = level + 1 == HEAD_LEVELS || seq % (length * 4) != 0;
        if ((seq - 1) / length * length == target && (seq % 4 != 0 || greatest))
            return true;
    }
    return false;
}

static uint64_t position_of_seq(const paper_t *paper, const pile_t *pile, uint32_t seq) {
    const entry_t *entry = entry_of_seq(paper, pile, seq);
    return entry == NULL ? 0 : entry->message.position;
}

static span_t keep(arena_t *arena, span_t bytes) {
    char *copy = arena_alloc(arena, bytes.length + 1);
    if (bytes.length > 0)
        memcpy(copy, bytes.bytes, bytes.length);
    return (span_t){.bytes = copy, .length = bytes.length};
}

static void put_message(paper_t *paper, const message_t *message, code_t verdict, bool forgotten) {
    pile_t *pile = pile_made(paper, message->mailbox);
    uint64_t newest =
        paper->entry_count == 0 ? 0 : paper->entries[paper->entry_count - 1].message.position;
    cr_assert_gt(message->position, newest, "positions ascend");
    cr_assert_eq(message->seq, pile->count + 1, "a mailbox has no holes");
    cr_assert_eq(message->previous, position_of_seq(paper, pile, message->seq - 1));
    const entry_t *target = message->jump == 0 ? NULL : entry_at(paper, message->jump);
    cr_assert(message->jump == 0 ||
              (target != NULL && target->message.mailbox == message->mailbox));
    cr_assert(jump_may_lead(message->seq, target == NULL ? 0 : target->message.seq), "seq %u",
              message->seq);
    paper->entries = memory_grow(paper->entries, &paper->entry_room, paper->entry_count + 1,
                                 sizeof(*paper->entries));
    entry_t *entry = &paper->entries[paper->entry_count];
    *entry = (entry_t){.message = *message, .verdict = verdict, .forgotten = forgotten};
    entry->message.origin = keep(&paper->arena, message->origin);
    entry->message.from = keep(&paper->arena, message->from);
    entry->message.realm = keep(&paper->arena, message->realm);
    entry->message.to = keep(&paper->arena, message->to);
    entry->message.text = keep(&paper->arena, message->text);
    pile->places = memory_grow(pile->places, &pile->room, pile->count + 1, sizeof(*pile->places));
    pile->places[pile->count++] = (uint32_t)paper->entry_count++;
}

/* A head says the positions of the newest seq of each level as they are right now. */
static void check_head(const paper_t *paper, const head_record_t *record) {
    const pile_t *pile = pile_of(paper, record->mailbox);
    cr_assert(pile != NULL && record->head.seq == pile->count, "a head is that of its mailbox");
    uint32_t length = 1;
    for (unsigned level = 0; level < HEAD_LEVELS; level++, length *= 4) {
        uint64_t position = 0;
        for (unsigned i = 6; i-- > 0;)
            position = position << 8 | record->head.positions[level][i];
        uint32_t seq = record->head.seq / length * length;
        cr_assert_eq(position, position_of_seq(paper, pile, seq), "level %u", level);
    }
}

static void drop_row(paper_t *paper, record_kind_t kind, const record_t *record) {
    row_key_t key = row_key(kind, record);
    (void)map_remove(paper->rows, &key);
}

/* A ref has one outcome: what a later row of it adds is whether, and that, it was refused. */
static void check_ref(paper_t *paper, const ref_record_t *ref, const record_t *old) {
    uint64_t *number = map_put(paper->refs, ref->digest);
    cr_assert(*number == 0 || *number == ref->number, "a ref has one row");
    *number = ref->number;
    if (old == NULL)
        return;
    cr_assert(memcmp(old->ref.digest, ref->digest, REF_DIGEST_BYTES) == 0);
    cr_assert(old->ref.user == ref->user && old->ref.time_ms == ref->time_ms);
    cr_assert(old->ref.success == ref->success && old->ref.code == CODE_OK);
    cr_assert(old->ref.message == ref->message || (ref->code != CODE_OK && ref->message == 0));
    cr_assert_eq(old->ref.realms.length, ref->realms.length);
}

static void drop_ref(paper_t *paper, const record_t *record) {
    const record_t *old = paper_store_row(
        &paper->base, &(record_t){.kind = RECORD_REF, .ref.number = record->ref.number});
    cr_assert(old != NULL, "a ref that goes was there");
    (void)map_remove(paper->refs, old->ref.digest);
    drop_row(paper, RECORD_REF, record);
}

static void put_row(paper_t *paper, const record_t *record) {
    row_key_t key = row_key(record->kind, record);
    if (record->kind == RECORD_REF)
        check_ref(paper, &record->ref, map_get(paper->rows, &key));
    record_t *row = map_put(paper->rows, &key);
    *row = *record;
    if (record->kind == RECORD_REF)
        row->ref.realms = keep(&paper->arena, record->ref.realms);
}

/* Only what a start need not replay may go, and of a mailbox only the oldest that is left. */
static void forget(paper_t *paper, const messages_gone_record_t *gone) {
    cr_assert(gone->first <= gone->last && gone->last <= paper->checkpoint);
    for (size_t i = place_from(paper, gone->first); i < paper->entry_count; i++) {
        entry_t *entry = &paper->entries[i];
        if (entry->message.position > gone->last)
            return;
        const pile_t *pile = pile_of(paper, entry->message.mailbox);
        const entry_t *before = entry_of_seq(paper, pile, entry->message.seq - 1);
        cr_assert(before == NULL || before->forgotten, "what goes leaves no hole");
        entry->forgotten = true;
        entry->verdict = CODE_OK;
    }
}

static void put_record(paper_t *paper, const record_t *record) {
    switch (record->kind) {
    case RECORD_MESSAGES_GONE:
        forget(paper, &record->messages_gone);
        break;
    case RECORD_FLOOR:
        cr_assert(record->floor.position > paper->floor.position && !record->floor.copied);
        paper->floor = record->floor;
        break;
    case RECORD_CUT:
        cr_assert(record->cut.position > paper->cut && record->cut.position <= paper->checkpoint);
        paper->cut = record->cut.position;
        break;
    case RECORD_MESSAGE:
        put_message(paper, &record->message, CODE_OK, false);
        break;
    case RECORD_VERDICT:
        cr_assert(entry_at(paper, record->verdict.position) != NULL);
        entry_at(paper, record->verdict.position)->verdict = record->verdict.code;
        break;
    case RECORD_HEAD:
        check_head(paper, &record->head);
        *(mailbox_head_t *)map_put(paper->heads, &record->head.mailbox) = record->head.head;
        break;
    case RECORD_CHECKPOINT:
        cr_assert_gt(record->checkpoint.position, paper->checkpoint, "checkpoints ascend");
        paper->checkpoint = record->checkpoint.position;
        break;
    case RECORD_TOKEN_GONE:
        drop_row(paper, RECORD_TOKEN, record);
        break;
    case RECORD_MEMBER_GONE:
        drop_row(paper, RECORD_MEMBER, record);
        break;
    case RECORD_REJECTION_GONE:
        drop_row(paper, RECORD_REJECTION, record);
        break;
    case RECORD_SEGMENT_GONE:
        drop_row(paper, RECORD_SEGMENT, record);
        break;
    case RECORD_MARK_GONE:
        drop_row(paper, RECORD_MARK, record);
        break;
    case RECORD_REF_GONE:
        drop_ref(paper, record);
        break;
    default:
        put_row(paper, record);
    }
}

static store_error_t paper_commit(store_t *store, const record_t *records, size_t count) {
    paper_t *paper = (paper_t *)(void *)store;
    for (size_t i = 0; i < count; i++)
        put_record(paper, &records[i]);
    paper->writes += count;
    return STORE_OK;
}

static int compare_rows(const void *a, const void *b) {
    const record_t *const *left = a;
    const record_t *const *right = b;
    row_key_t left_key = row_key((*left)->kind, *left);
    row_key_t right_key = row_key((*right)->kind, *right);
    return memcmp(&left_key, &right_key, sizeof(left_key));
}

static bool load_rows(const paper_t *paper, store_visit_fn *visit, void *context) {
    size_t count = 0;
    size_t cursor = 0;
    void *row;
    const record_t **rows = memory_alloc(map_count(paper->rows) * sizeof(record_t *));
    while (map_next(paper->rows, &cursor, NULL, &row))
        rows[count++] = row;
    qsort(rows, count, sizeof(record_t *), compare_rows);
    bool good = true;
    for (size_t i = 0; i < count && good; i++)
        good = visit(context, rows[i]);
    memory_free(rows);
    return good;
}

static bool load_heads(const paper_t *paper, store_visit_fn *visit, void *context) {
    size_t cursor = 0;
    const void *mailbox;
    void *head;
    while (map_next(paper->heads, &cursor, &mailbox, &head)) {
        record_t record = {.kind = RECORD_HEAD};
        memcpy(&record.head.mailbox, mailbox, sizeof(record.head.mailbox));
        record.head.head = *(mailbox_head_t *)head;
        if (!visit(context, &record))
            return false;
    }
    record_t record = {.kind = RECORD_CHECKPOINT, .checkpoint = {paper->checkpoint}};
    if (paper->checkpoint != 0 && !visit(context, &record))
        return false;
    record = (record_t){.kind = RECORD_CUT, .cut = {paper->cut}};
    if (paper->cut != 0 && !visit(context, &record))
        return false;
    record = (record_t){.kind = RECORD_FLOOR, .floor = paper->floor};
    return (paper->floor.position == 0 && !paper->floor.copied) || visit(context, &record);
}

static store_error_t paper_load(store_t *store, store_visit_fn *visit, void *context) {
    const paper_t *paper = paper_of(store);
    if (!load_rows(paper, visit, context) || !load_heads(paper, visit, context))
        return STORE_CORRUPT;
    for (size_t i = place_from(paper, paper->checkpoint + 1); i < paper->entry_count; i++) {
        record_t record = {.kind = RECORD_MESSAGE, .message = paper->entries[i].message};
        if (!paper->entries[i].forgotten && !visit(context, &record))
            return STORE_CORRUPT;
    }
    return STORE_OK;
}

/* The seqs [*first, *last] that a query wants; returns whether it leaves some of them out. */
static bool page_range(const page_query_t *query, uint64_t *first, uint64_t *last) {
    *first = (uint64_t)query->after + 1;
    *last = query->newest_seq;
    if (query->before != 0 && query->before <= *last)
        *last = query->before - 1U;
    if (*first > *last || *last - *first < query->limit)
        return false;
    if (query->oldest_first)
        *last = *first + query->limit - 1;
    else
        *first = *last - query->limit + 1;
    return true;
}

/* The oldest seq that is still there, or the one behind the newest. */
static uint32_t oldest_left(const paper_t *paper, const pile_t *pile) {
    uint32_t seq = 1;
    while (pile != NULL && seq <= pile->count && entry_of_seq(paper, pile, seq)->forgotten)
        seq += 1;
    return seq;
}

static store_error_t paper_page(store_t *store, const page_query_t *query, store_page_fn *visit,
                                void *context, bool *more) {
    const paper_t *paper = paper_of(store);
    const pile_t *pile = pile_of(paper, query->mailbox);
    uint64_t first, last;
    cr_assert(query->limit >= 1 && query->limit <= PAGE_MESSAGES_MAX);
    cr_assert_eq(query->newest_position, position_of_seq(paper, pile, query->newest_seq));
    page_query_t left = *query;
    uint32_t oldest = oldest_left(paper, pile);
    if (left.after < oldest - 1)
        left.after = oldest - 1;
    *more = page_range(&left, &first, &last);
    for (uint64_t seq = first; seq <= last; seq++) {
        const entry_t *entry = entry_of_seq(paper, pile, (uint32_t)seq);
        cr_assert(entry != NULL);
        message_t message = entry->message;
        message.verdict = query->verdicts ? entry->verdict : CODE_OK;
        if (!entry->forgotten && !visit(context, &message))
            break;
    }
    return STORE_OK;
}

static store_error_t paper_lookup(store_t *store, uint64_t position, store_page_fn *visit,
                                  void *context, code_t *verdict) {
    const entry_t *entry = entry_at(paper_of(store), position);
    *verdict = entry == NULL ? CODE_OK : entry->verdict;
    if (entry != NULL && !entry->forgotten)
        (void)visit(context, &entry->message);
    return STORE_OK;
}

static store_error_t paper_oldest(store_t *store, uint64_t after, message_age_t *rows,
                                  uint32_t limit, uint32_t *count, bool *end) {
    const paper_t *paper = paper_of(store);
    size_t place = place_from(paper, after + 1);
    for (*count = 0; place < paper->entry_count; place++) {
        const message_t *message = &paper->entries[place].message;
        if (paper->entries[place].forgotten)
            continue;
        if (*count == limit)
            break;
        rows[(*count)++] = (message_age_t){
            .position = message->position,
            .mailbox = message->mailbox,
            .seq = message->seq,
            .arrived_ms = message->arrived_ms != 0 ? message->arrived_ms : message->time_ms};
    }
    *end = place == paper->entry_count;
    return STORE_OK;
}

static store_error_t paper_backup(store_t *store, const char *file, span_t note) {
    (void)store;
    (void)file;
    (void)note;
    return STORE_IO; /* paper_store_copy is for that */
}

static void paper_close(store_t *store) {
    paper_t *paper = (paper_t *)(void *)store;
    for (size_t i = 0; i < paper->pile_count; i++)
        memory_free(paper->piles[i].places);
    memory_free(paper->piles);
    memory_free(paper->entries);
    map_destroy(&paper->rows);
    map_destroy(&paper->mailboxes);
    map_destroy(&paper->heads);
    map_destroy(&paper->refs);
    arena_deinit(&paper->arena);
    memory_free(paper);
}

/* A commit is all there is. */
static store_error_t paper_fold(store_t *base) {
    (void)base;
    return STORE_OK;
}

static bool paper_unfolded(const store_t *base) {
    (void)base;
    return false;
}

static const store_ops_t paper_ops = {
    .close = paper_close,
    .load = paper_load,
    .commit = paper_commit,
    .fold = paper_fold,
    .unfolded = paper_unfolded,
    .page = paper_page,
    .lookup = paper_lookup,
    .oldest = paper_oldest,
    .backup = paper_backup,
};

store_t *paper_store_new(void) {
    static const uint8_t seed[16] = "paper";
    paper_t *paper = memory_alloc(sizeof(*paper));
    paper->base.ops = &paper_ops;
    arena_init(&paper->arena);
    paper->rows = map_new(sizeof(row_key_t), sizeof(record_t), seed);
    paper->mailboxes = map_new(sizeof(mailbox_t), sizeof(uint32_t), seed);
    paper->heads = map_new(sizeof(mailbox_t), sizeof(mailbox_head_t), seed);
    paper->refs = map_new(REF_DIGEST_BYTES, sizeof(uint64_t), seed);
    return &paper->base;
}

store_t *paper_store_copy(const store_t *store) {
    const paper_t *from = paper_of(store);
    store_t *base = paper_store_new();
    paper_t *to = (paper_t *)(void *)base;
    size_t cursor = 0;
    const void *key;
    void *value;
    while (map_next(from->rows, &cursor, NULL, &value))
        put_row(to, value);
    cursor = 0;
    while (map_next(from->heads, &cursor, &key, &value))
        *(mailbox_head_t *)map_put(to->heads, key) = *(mailbox_head_t *)value;
    for (size_t i = 0; i < from->entry_count; i++) {
        const entry_t *entry = &from->entries[i];
        put_message(to, &entry->message, entry->verdict, entry->forgotten);
    }
    to->checkpoint = from->checkpoint;
    to->floor = from->floor;
    to->cut = from->cut;
    to->writes = from->writes;
    return base;
}

uint64_t paper_store_writes(const store_t *paper) {
    return paper_of(paper)->writes;
}

const record_t *paper_store_row(const store_t *paper, const record_t *like) {
    row_key_t key = row_key(like->kind, like);
    return map_get(paper_of(paper)->rows, &key);
}

size_t paper_store_rows(const store_t *paper, record_kind_t kind) {
    size_t cursor = 0;
    size_t count = 0;
    void *row;
    while (map_next(paper_of(paper)->rows, &cursor, NULL, &row))
        count += ((const record_t *)row)->kind == kind ? 1 : 0;
    return count;
}

uint32_t paper_store_head(const store_t *paper, mailbox_t mailbox) {
    const pile_t *pile = pile_of(paper_of(paper), mailbox);
    return pile == NULL ? 0 : (uint32_t)pile->count;
}

const message_t *paper_store_message(const store_t *paper, mailbox_t mailbox, uint32_t seq) {
    const entry_t *entry = entry_of_seq(paper_of(paper), pile_of(paper_of(paper), mailbox), seq);
    return entry == NULL || entry->forgotten ? NULL : &entry->message;
}

uint64_t paper_store_checkpoint(const store_t *paper) {
    return paper_of(paper)->checkpoint;
}

void paper_store_retain(store_t *store, uint64_t position) {
    paper_t *paper = (paper_t *)(void *)store;
    for (size_t i = 0; i < paper->entry_count; i++) {
        if (paper->entries[i].message.position <= position)
            paper->entries[i].forgotten = true;
    }
}

bool paper_store_holds(const store_t *store, const char *text) {
    const paper_t *paper = paper_of(store);
    for (size_t i = 0; i < paper->entry_count; i++) {
        span_t stored = paper->entries[i].message.text;
        if (memmem(stored.bytes, stored.length, text, strlen(text)) != NULL)
            return true;
    }
    return false;
}

void paper_store_mark_copied(store_t *paper) {
    ((paper_t *)(void *)paper)->floor.copied = true;
}
