/*
 * The seam between the program and an engine: passes each call on to the engine's functions. Must
 * never know which engine it is.
 */
#include "store/store.h"

#include "base/assert.h"

void store_close(store_t **store) {
    if (*store != NULL) {
        (*store)->ops->close(*store);
        *store = NULL;
    }
}

store_error_t store_load(store_t *store, store_visit_fn *visit, void *context) {
    ASSERT(visit != NULL);
    return store->ops->load(store, visit, context);
}

store_error_t store_commit(store_t *store, const record_t *records, size_t count) {
    ASSERT(records != NULL || count == 0);
    return store->ops->commit(store, records, count);
}

store_error_t store_fold(store_t *store) {
    return store->ops->fold(store);
}

store_error_t store_fold_begin(store_t *store) {
    return store->ops->fold_begin(store);
}

bool store_unfolded(const store_t *store) {
    return store->ops->unfolded(store);
}

store_error_t store_page(store_t *store, const page_query_t *query, store_page_fn *visit,
                         void *context, bool *more) {
    ASSERT(query->limit >= 1 && query->limit <= PAGE_MESSAGES_MAX);
    ASSERT(visit != NULL && more != NULL);
    return store->ops->page(store, query, visit, context, more);
}

store_error_t store_lookup(store_t *store, uint64_t position, store_page_fn *visit, void *context,
                           code_t *verdict) {
    ASSERT(visit != NULL && verdict != NULL);
    return store->ops->lookup(store, position, visit, context, verdict);
}

store_error_t store_oldest(store_t *store, uint64_t after, message_age_t *rows, uint32_t limit,
                           uint32_t *count, bool *end) {
    ASSERT(rows != NULL && limit >= 1);
    return store->ops->oldest(store, after, rows, limit, count, end);
}

store_error_t store_backup(store_t *store, const char *file, span_t note) {
    ASSERT(file != NULL && note.length <= STORE_NOTE_BYTES_MAX);
    return store->ops->backup(store, file, note);
}

store_error_t store_note(store_t *store, char note[STORE_NOTE_BYTES_MAX], size_t *length) {
    return store->ops->note(store, note, length);
}

store_error_t store_dump(store_t *store, store_visit_fn *visit, void *context) {
    ASSERT(visit != NULL);
    return store->ops->dump(store, visit, context);
}

const char *store_error_text(store_error_t error) {
    static const char *const texts[] = {
        [STORE_OK] = "no error",
        [STORE_FULL] = "no space left on the store's disk",
        [STORE_IO] = "the store's disk or file system failed",
        [STORE_CORRUPT] = "the store's contents are damaged",
        [STORE_NEWER] = "the store was written by a newer version of this program",
        [STORE_OTHER] = "the store belongs to a realm of another name",
        [STORE_BUSY] = "the store is open in another process",
        [STORE_UNFOLDED] = "the store's last process was ended and left something to take in",
    };
    size_t index = (size_t)error;
    return index < sizeof texts / sizeof *texts ? texts[index] : "unknown error of the store";
}
