/*
 * The simulator's store. Rows lie in arrays, messages in a log by position. Must never keep a part
 * of a commit, nor give back anything that was not committed.
 */
#include "memory_store.h"

#include "base/arena.h"
#include "base/memory.h"

#include <string.h>

typedef struct table {
    char *rows;
    size_t count, room, row_bytes;
} table_t;

enum {
    TABLE_USERS,
    TABLE_TOKENS,
    TABLE_GROUPS,
    TABLE_MEMBERS,
    TABLE_REALMS,
    TABLE_STREAMS,
    TABLE_REJECTIONS,
    TABLE_REFS,
    TABLE_SEGMENTS,
    TABLE_MARKS,
    TABLE_HEADS,
    TABLE_VERDICTS,
    TABLE_GONE, /* by place in the log: did retention take it? */
    TABLE_COUNT
};

/* Everything but the log; the log only grows, so that a copy of these and a length is a backup. */
typedef struct rows {
    table_t tables[TABLE_COUNT];
    uint64_t checkpoint, cut;
    floor_record_t floor;
    size_t message_count;
} rows_t;

struct memory_store {
    store_t base;
    rows_t rows, backup;
    bool has_backup, failing;
    message_t *log;
    size_t log_room;
    arena_t bytes; /* what the log's spans point to */
    const message_t **walk;
    size_t walk_room;
};

static const size_t row_bytes[TABLE_COUNT] = {
    sizeof(user_record_t),
    sizeof(token_record_t),
    sizeof(group_record_t),
    sizeof(member_record_t),
    sizeof(realm_record_t),
    sizeof(stream_record_t),
    sizeof(rejection_record_t),
    sizeof(ref_record_t),
    sizeof(mark_record_t),
    sizeof(mark_record_t),
    sizeof(head_record_t),
    sizeof(verdict_record_t),
    sizeof(uint8_t),
};

static void *row_at(const table_t *table, size_t index) {
    return table->rows + index * table->row_bytes;
}

static void *row_add(table_t *table) {
    table->rows = memory_grow(table->rows, &table->room, table->count + 1, table->row_bytes);
    return row_at(table, table->count++);
}

/* Newest first: what is touched often was touched lately. */
static void *row_find(const table_t *table, const void *key, size_t key_bytes) {
    for (size_t i = table->count; i > 0; i--) {
        char *row = row_at(table, i - 1);
        if (memcmp(row, key, key_bytes) == 0)
            return row;
    }
    return NULL;
}

/* The key is the first bytes of the row. */
static void row_put(table_t *table, const void *row, size_t key_bytes) {
    void *place = row_find(table, row, key_bytes);
    memcpy(place != NULL ? place : row_add(table), row, table->row_bytes);
}

static void row_drop(table_t *table, const void *key, size_t key_bytes) {
    char *row = row_find(table, key, key_bytes);
    if (row == NULL)
        return;
    table->count -= 1;
    size_t index = (size_t)(row - table->rows) / table->row_bytes;
    memmove(row, row + table->row_bytes, (table->count - index) * table->row_bytes);
}

static span_t keep(memory_store_t *store, span_t bytes) {
    if (bytes.length == 0)
        return (span_t){"", 0};
    char *copy = arena_alloc(&store->bytes, bytes.length);
    memcpy(copy, bytes.bytes, bytes.length);
    return (span_t){copy, bytes.length};
}

static store_error_t put_message(memory_store_t *store, const message_t *message) {
    rows_t *rows = &store->rows;
    if (rows->message_count > 0 &&
        store->log[rows->message_count - 1].position >= message->position)
        return STORE_CORRUPT;
    store->log =
        memory_grow(store->log, &store->log_room, rows->message_count + 1, sizeof(*store->log));
    *(uint8_t *)row_add(&rows->tables[TABLE_GONE]) = false;
    message_t *copy = &store->log[rows->message_count++];
    *copy = *message;
    copy->origin = keep(store, message->origin);
    copy->from = keep(store, message->from);
    copy->realm = keep(store, message->realm);
    copy->to = keep(store, message->to);
    copy->text = keep(store, message->text);
    return STORE_OK;
}

/* Rows of refs are loaded in the order of their numbers, whatever order they came in. */
static void put_ref(memory_store_t *store, const ref_record_t *record) {
    table_t *table = &store->rows.tables[TABLE_REFS];
    ref_record_t *ref = row_find(table, &record->number, sizeof(record->number));
    if (ref == NULL) {
        size_t index = table->count;
        ref = row_add(table);
        for (; index > 0 && ref[-1].number > record->number; index--, ref--)
            ref[0] = ref[-1];
    }
    *ref = *record;
    ref->realms = keep(store, record->realms);
}

static bool is_gone(const memory_store_t *store, size_t place) {
    return *(const uint8_t *)row_at(&store->rows.tables[TABLE_GONE], place) != 0;
}

static store_error_t forget(memory_store_t *store, const messages_gone_record_t *gone) {
    if (gone->last > store->rows.checkpoint)
        return STORE_CORRUPT;
    for (size_t i = 0; i < store->rows.message_count; i++) {
        uint64_t position = store->log[i].position;
        if (position < gone->first || position > gone->last)
            continue;
        *(uint8_t *)row_at(&store->rows.tables[TABLE_GONE], i) = true;
        row_drop(&store->rows.tables[TABLE_VERDICTS], &position, sizeof(position));
    }
    return STORE_OK;
}

static store_error_t put_record(memory_store_t *store, const record_t *record) {
    table_t *tables = store->rows.tables;
    switch (record->kind) {
    case RECORD_USER:
        row_put(&tables[TABLE_USERS], &record->user, sizeof(uint32_t));
        break;
    case RECORD_TOKEN:
        row_put(&tables[TABLE_TOKENS], &record->token, DIGEST_BYTES);
        break;
    case RECORD_TOKEN_GONE:
        row_drop(&tables[TABLE_TOKENS], &record->token, DIGEST_BYTES);
        break;
    case RECORD_GROUP:
        row_put(&tables[TABLE_GROUPS], &record->group, sizeof(uint32_t));
        break;
    case RECORD_MEMBER:
        row_put(&tables[TABLE_MEMBERS], &record->member, sizeof(record->member));
        break;
    case RECORD_MEMBER_GONE:
        row_drop(&tables[TABLE_MEMBERS], &record->member, sizeof(record->member));
        break;
    case RECORD_REALM:
        row_put(&tables[TABLE_REALMS], &record->realm, sizeof(uint32_t));
        break;
    case RECORD_STREAM:
        row_put(&tables[TABLE_STREAMS], &record->stream, sizeof(uint32_t));
        break;
    case RECORD_REJECTION:
        row_put(&tables[TABLE_REJECTIONS], &record->rejection, 2 * sizeof(uint32_t));
        break;
    case RECORD_REJECTION_GONE:
        row_drop(&tables[TABLE_REJECTIONS], &record->rejection, 2 * sizeof(uint32_t));
        break;
    case RECORD_REF:
        put_ref(store, &record->ref);
        break;
    case RECORD_REF_GONE:
        row_drop(&tables[TABLE_REFS], &record->ref, sizeof(uint64_t));
        break;
    case RECORD_SEGMENT:
        row_put(&tables[TABLE_SEGMENTS], &record->mark, 2 * sizeof(uint32_t));
        break;
    case RECORD_SEGMENT_GONE:
        row_drop(&tables[TABLE_SEGMENTS], &record->mark, 2 * sizeof(uint32_t));
        break;
    case RECORD_MARK:
        row_put(&tables[TABLE_MARKS], &record->mark, 2 * sizeof(uint32_t));
        break;
    case RECORD_MARK_GONE:
        row_drop(&tables[TABLE_MARKS], &record->mark, 2 * sizeof(uint32_t));
        break;
    case RECORD_VERDICT:
        row_put(&tables[TABLE_VERDICTS], &record->verdict, sizeof(uint64_t));
        break;
    case RECORD_HEAD:
        row_put(&tables[TABLE_HEADS], &record->head, sizeof(mailbox_t));
        break;
    case RECORD_CHECKPOINT:
        store->rows.checkpoint = record->checkpoint.position;
        break;
    case RECORD_MESSAGES_GONE:
        return forget(store, &record->messages_gone);
    case RECORD_FLOOR:
        store->rows.floor = record->floor;
        break;
    case RECORD_CUT:
        store->rows.cut = record->cut.position;
        break;
    case RECORD_MESSAGE:
        return put_message(store, &record->message);
    case RECORD_KIND_COUNT:
        return STORE_CORRUPT;
    }
    return STORE_OK;
}

static store_error_t commit(store_t *base, const record_t *records, size_t count) {
    memory_store_t *store = (memory_store_t *)base;
    if (store->failing)
        return STORE_FULL;
    for (size_t i = 0; i < count; i++) {
        store_error_t error = put_record(store, &records[i]);
        if (error != STORE_OK)
            return error;
    }
    return STORE_OK;
}

/* The kinds of rows in the order of the tables; verdicts are only looked up. */
static const record_kind_t table_kinds[] = {
    RECORD_USER,      RECORD_TOKEN, RECORD_GROUP,   RECORD_MEMBER, RECORD_REALM, RECORD_STREAM,
    RECORD_REJECTION, RECORD_REF,   RECORD_SEGMENT, RECORD_MARK,   RECORD_HEAD};

static store_error_t load_messages(const memory_store_t *store, store_visit_fn *visit,
                                   void *context) {
    for (size_t i = 0; i < store->rows.message_count; i++) {
        if (store->log[i].position <= store->rows.checkpoint)
            continue;
        record_t record;
        record.kind = RECORD_MESSAGE;
        record.message = store->log[i];
        if (!visit(context, &record))
            return STORE_CORRUPT;
    }
    return STORE_OK;
}

static store_error_t load(store_t *base, store_visit_fn *visit, void *context) {
    const memory_store_t *store = (const memory_store_t *)base;
    record_t record;
    memset(&record, 0, sizeof(record));
    for (size_t t = 0; t < sizeof(table_kinds) / sizeof(table_kinds[0]); t++) {
        const table_t *table = &store->rows.tables[t];
        for (size_t i = 0; i < table->count; i++) {
            record.kind = table_kinds[t];
            memcpy(&record.user, row_at(table, i), table->row_bytes);
            if (!visit(context, &record))
                return STORE_CORRUPT;
        }
    }
    if (store->rows.checkpoint > 0) {
        record.kind = RECORD_CHECKPOINT;
        record.checkpoint.position = store->rows.checkpoint;
        if (!visit(context, &record))
            return STORE_CORRUPT;
    }
    if (store->rows.cut > 0) {
        record.kind = RECORD_CUT;
        record.cut.position = store->rows.cut;
        if (!visit(context, &record))
            return STORE_CORRUPT;
    }
    if (store->rows.floor.position > 0 || store->rows.floor.copied) {
        record.kind = RECORD_FLOOR;
        record.floor = store->rows.floor;
        if (!visit(context, &record))
            return STORE_CORRUPT;
    }
    return load_messages(store, visit, context);
}

/* The place of a position, or of the first one behind it. */
static size_t place_of(const memory_store_t *store, uint64_t position) {
    size_t low = 0, high = store->rows.message_count;
    /* Positions have no gaps as long as nothing was lost; else they are searched for. */
    if (position > 0 && position <= high && store->log[position - 1].position == position)
        return position - 1;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (store->log[middle].position < position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const message_t *find_position(const memory_store_t *store, uint64_t position) {
    size_t place = place_of(store, position);
    bool found = place < store->rows.message_count && store->log[place].position == position &&
                 !is_gone(store, place);
    return found ? &store->log[place] : NULL;
}

static const message_t *step_back(const memory_store_t *store, const message_t *from,
                                  uint32_t target) {
    const message_t *jump = from->jump == 0 ? NULL : find_position(store, from->jump);
    if (jump != NULL && (jump->mailbox != from->mailbox || jump->seq >= from->seq))
        return NULL;
    if (jump != NULL && jump->seq >= target)
        return jump;
    const message_t *previous = find_position(store, from->previous);
    bool sound =
        previous != NULL && previous->mailbox == from->mailbox && previous->seq + 1 == from->seq;
    return sound ? previous : NULL;
}

typedef struct range {
    uint32_t low, high;
    bool more;
} range_t;

static range_t range_of(const page_query_t *query) {
    uint32_t low = query->after + 1;
    uint32_t high = query->newest_seq;
    if (query->before > 0 && query->before - 1 < high)
        high = query->before - 1;
    range_t range = {.low = low, .high = high};
    if (query->after == UINT32_MAX || low > high)
        return (range_t){.low = 1, .high = 0};
    if (high - low >= query->limit) {
        range.more = true;
        if (query->oldest_first)
            range.high = low + query->limit - 1;
        else
            range.low = high - query->limit + 1;
    }
    return range;
}

/* The oldest seq that retention has left in a mailbox, or the one behind its newest. */
static uint32_t oldest_left(const memory_store_t *store, const page_query_t *query) {
    for (size_t i = 0; store->rows.cut > 0 && i < store->rows.message_count; i++) {
        if (store->log[i].mailbox == query->mailbox && !is_gone(store, i))
            return store->log[i].seq;
    }
    return store->rows.cut > 0 ? query->newest_seq + 1 : 1;
}

static code_t verdict_of(const memory_store_t *store, uint64_t position) {
    const verdict_record_t *row =
        row_find(&store->rows.tables[TABLE_VERDICTS], &position, sizeof(position));
    return row == NULL ? CODE_OK : row->code;
}

static bool show(const memory_store_t *store, const page_query_t *query, store_page_fn *visit,
                 void *context, const message_t *message) {
    message_t shown = *message;
    if (query->verdicts)
        shown.verdict = verdict_of(store, message->position);
    return visit(context, &shown);
}

static store_error_t page(store_t *base, const page_query_t *query, store_page_fn *visit,
                          void *context, bool *more) {
    memory_store_t *store = (memory_store_t *)base;
    page_query_t left = *query;
    uint32_t oldest = oldest_left(store, query);
    if (left.after < oldest - 1)
        left.after = oldest - 1;
    range_t range = range_of(&left);
    *more = range.more;
    if (range.low > range.high)
        return STORE_OK;
    const message_t *at = find_position(store, query->newest_position);
    if (at == NULL || at->mailbox != query->mailbox || at->seq != query->newest_seq)
        return STORE_CORRUPT;
    while (at->seq > range.high) {
        at = step_back(store, at, range.high);
        if (at == NULL)
            return STORE_CORRUPT;
    }
    size_t count = range.high - range.low + 1;
    store->walk = memory_grow(store->walk, &store->walk_room, count, sizeof(*store->walk));
    store->walk[count - 1] = at;
    for (size_t i = count - 1; i > 0; i--) {
        store->walk[i - 1] = step_back(store, store->walk[i], store->walk[i]->seq - 1);
        if (store->walk[i - 1] == NULL)
            return STORE_CORRUPT;
    }
    for (size_t i = 0; i < count; i++) {
        if (!show(store, query, visit, context, store->walk[i]))
            break;
    }
    return STORE_OK;
}

static store_error_t lookup(store_t *base, uint64_t position, store_page_fn *visit, void *context,
                            code_t *verdict) {
    const memory_store_t *store = (const memory_store_t *)base;
    const message_t *message = find_position(store, position);
    *verdict = verdict_of(store, position);
    if (message != NULL)
        (void)visit(context, message);
    return STORE_OK;
}

static store_error_t oldest_rows(store_t *base, uint64_t after, message_age_t *rows, uint32_t limit,
                                 uint32_t *count, bool *end) {
    const memory_store_t *store = (const memory_store_t *)base;
    size_t place = place_of(store, after + 1);
    for (*count = 0; place < store->rows.message_count; place++) {
        const message_t *message = &store->log[place];
        if (is_gone(store, place))
            continue;
        if (*count == limit)
            break;
        message_age_t *row = &rows[(*count)++];
        row->position = message->position;
        row->mailbox = message->mailbox;
        row->seq = message->seq;
        row->arrived_ms = message->arrived_ms != 0 ? message->arrived_ms : message->time_ms;
    }
    *end = place == store->rows.message_count;
    return STORE_OK;
}

static void rows_free(rows_t *rows) {
    for (unsigned i = 0; i < TABLE_COUNT; i++)
        memory_free(rows->tables[i].rows);
}

static void rows_copy(rows_t *to, const rows_t *from) {
    for (unsigned i = 0; i < TABLE_COUNT; i++) {
        const table_t *source = &from->tables[i];
        table_t *table = &to->tables[i];
        table->row_bytes = source->row_bytes;
        table->count = source->count;
        table->rows = memory_grow(table->rows, &table->room, source->count, source->row_bytes);
        if (source->count > 0)
            memcpy(table->rows, source->rows, source->count * source->row_bytes);
    }
    to->checkpoint = from->checkpoint;
    to->cut = from->cut;
    to->floor = from->floor;
    to->message_count = from->message_count;
}

static void close_store(store_t *base) {
    memory_store_t *store = (memory_store_t *)base;
    rows_free(&store->rows);
    rows_free(&store->backup);
    arena_deinit(&store->bytes);
    memory_free(store->log);
    memory_free(store->walk);
    memory_free(store);
}

/* A commit is all there is. */
static store_error_t fold(store_t *base) {
    (void)base;
    return STORE_OK;
}

static bool unfolded(const store_t *base) {
    (void)base;
    return false;
}

static const store_ops_t ops = {.close = close_store,
                                .load = load,
                                .commit = commit,
                                .fold = fold,
                                .unfolded = unfolded,
                                .page = page,
                                .lookup = lookup,
                                .oldest = oldest_rows};

memory_store_t *memory_store_new(void) {
    memory_store_t *store = memory_alloc(sizeof(*store));
    store->base.ops = &ops;
    for (unsigned i = 0; i < TABLE_COUNT; i++)
        store->rows.tables[i].row_bytes = row_bytes[i];
    arena_init(&store->bytes);
    return store;
}

store_t *memory_store_base(memory_store_t *store) {
    return &store->base;
}

void memory_store_fail(memory_store_t *store, bool failing) {
    store->failing = failing;
}

void memory_store_backup(memory_store_t *store) {
    rows_copy(&store->backup, &store->rows);
    store->has_backup = true;
}

bool memory_store_restore(memory_store_t *store, bool by_hand) {
    if (!store->has_backup)
        return false;
    rows_copy(&store->rows, &store->backup);
    store->rows.floor.copied = !by_hand;
    return true;
}

const stream_record_t *memory_store_stream(const memory_store_t *store, uint32_t realm) {
    return row_find(&store->rows.tables[TABLE_STREAMS], &realm, sizeof(realm));
}

const realm_record_t *memory_store_realm(const memory_store_t *store, uint32_t realm) {
    return row_find(&store->rows.tables[TABLE_REALMS], &realm, sizeof(realm));
}

uint32_t memory_store_realm_count(const memory_store_t *store) {
    return (uint32_t)store->rows.tables[TABLE_REALMS].count;
}
