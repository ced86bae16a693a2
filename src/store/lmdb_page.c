/*
 * Finds a page of a mailbox by walking back along its messages, and single messages by position.
 * Must never trust a row: each one must be of the mailbox and have the seq that led to it.
 *
 * Each message knows where the one before it is (`previous`), and where some farther one is
 * (`jump`). Whoever appended it chose that one so that any seq is found in a few dozen steps; here
 * a jump is taken if it does not lead too far, whatever the choice was.
 */
#include "lmdb_store.h"

#include "base/assert.h"

/* A message where a walk stands or could go. */
typedef struct page_stop {
    uint64_t position;
    message_links_t links;
    span_t row;
} page_stop_t;

typedef struct page_walk {
    lmdb_store_t *store;
    mailbox_t mailbox;
    page_stop_t at;
} page_walk_t;

/* What store_page and store_lookup were asked. */
typedef struct page_request {
    const page_query_t *query;
    store_page_fn *visit;
    void *context;
    bool *more;
} page_request_t;

typedef struct lookup_request {
    uint64_t position;
    store_page_fn *visit;
    void *context;
    code_t *verdict;
} lookup_request_t;

/* A page as a range of seqs; low > high if it is empty. */
typedef struct page_range {
    uint64_t low;
    uint64_t high;
    bool more;
} page_range_t;

/* A row that is not there: retention took it, or the store is damaged. */
static store_error_t row_missing(lmdb_store_t *store, uint64_t position) {
    uint64_t cut;
    store_error_t error = lmdb_view_cut(store, &cut);
    return error == STORE_OK && position > cut ? STORE_CORRUPT : error;
}

/* The message of this mailbox at a position; without *found retention took it. */
static store_error_t stop_find(const page_walk_t *walk, uint64_t position, page_stop_t *stop,
                               bool *found) {
    store_error_t error = lmdb_view_row(walk->store, position, &stop->row, found);
    if (error == STORE_OK && !*found) {
        error = row_missing(walk->store, position);
    }
    if (error != STORE_OK || !*found) {
        return error;
    }
    stop->position = position;
    bool sound = message_row_links(&stop->links, position, stop->row);
    return sound && stop->links.mailbox == walk->mailbox ? STORE_OK : STORE_CORRUPT;
}

/* Steps to the message at a position, which must be `seq`. */
static store_error_t walk_step(page_walk_t *walk, uint64_t position, uint32_t seq, bool *moved) {
    page_stop_t stop;
    store_error_t error = stop_find(walk, position, &stop, moved);
    if (error != STORE_OK || !*moved) {
        return error;
    }
    if (stop.links.seq != seq) {
        return STORE_CORRUPT;
    }
    walk->at = stop;
    return STORE_OK;
}

/* Steps to the message before. */
static store_error_t walk_back(page_walk_t *walk, bool *moved) {
    ASSERT(walk->at.links.seq > 1);
    if (walk->at.links.previous == 0) {
        return STORE_CORRUPT;
    }
    return walk_step(walk, walk->at.links.previous, walk->at.links.seq - 1, moved);
}

/* Takes the jump if it leads farther than the message before, and not below `target`. */
static store_error_t walk_jump(page_walk_t *walk, uint32_t target, bool *moved) {
    const message_links_t *from = &walk->at.links;
    *moved = false;
    if (from->jump == 0 || from->jump == from->previous) {
        return STORE_OK;
    }
    page_stop_t stop;
    bool found;
    store_error_t error = stop_find(walk, from->jump, &stop, &found);
    if (error != STORE_OK || !found) {
        return error;
    }
    if (stop.links.seq >= from->seq) {
        return STORE_CORRUPT;
    }
    if (stop.links.seq >= target) {
        walk->at = stop;
        *moved = true;
    }
    return STORE_OK;
}

/* Walks back to seq `target`, or to the oldest message above it that is still there. */
static store_error_t walk_to(page_walk_t *walk, uint32_t target) {
    ASSERT(target > 0);
    store_error_t error = STORE_OK;
    bool moved = true;
    while (error == STORE_OK && moved && walk->at.links.seq > target) {
        error = walk_jump(walk, target, &moved);
        if (error == STORE_OK && !moved) {
            error = walk_back(walk, &moved);
        }
    }
    return error;
}

/* The wanted messages, as if all were still there. */
static page_range_t range_wanted(const page_query_t *query) {
    uint64_t bottom = (uint64_t)query->after + 1;
    uint64_t top = query->newest_seq;
    if (query->before != 0 && query->before <= top) {
        top = (uint64_t)query->before - 1;
    }
    page_range_t range = {.low = bottom, .high = top};
    if (query->newest_position == 0 || bottom > top) {
        return (page_range_t){.low = 1, .high = 0};
    }
    if (top - bottom + 1 > query->limit) {
        range.more = true;
        if (query->oldest_first) {
            range.high = bottom + query->limit - 1;
        } else {
            range.low = top - query->limit + 1;
        }
    }
    return range;
}

/* Where retention took the oldest wanted messages, the page is the oldest that are left. */
static page_range_t range_left(const page_query_t *query, uint32_t oldest) {
    ASSERT(oldest > query->after + 1);
    page_query_t left = *query;
    left.after = oldest - 1;
    return range_wanted(&left);
}

/* Puts the rows of a range into store->page by seq - low. *oldest becomes the lowest seq that is
 * still there: range->low, or a higher one, perhaps above the range; 0 if not even the newest
 * message is there. */
static store_error_t range_collect(page_walk_t *walk, const page_query_t *query,
                                   const page_range_t *range, uint32_t *oldest) {
    ASSERT(range->low <= range->high && range->high - range->low < PAGE_MESSAGES_MAX);
    bool moved = false;
    *oldest = 0;
    store_error_t error = walk_step(walk, query->newest_position, query->newest_seq, &moved);
    if (error != STORE_OK || !moved) {
        return error;
    }
    error = walk_to(walk, (uint32_t)range->high);
    if (walk->at.links.seq > range->high) {
        moved = false;
    }
    while (error == STORE_OK && moved) {
        walk->store->page[walk->at.links.seq - range->low] =
            (page_row_t){.position = walk->at.position, .row = walk->at.row};
        if (walk->at.links.seq == range->low) {
            break;
        }
        error = walk_back(walk, &moved);
    }
    *oldest = walk->at.links.seq;
    return error;
}

static store_error_t row_visit(lmdb_store_t *store, const page_row_t *row,
                               const page_request_t *request, bool *goes_on) {
    message_t message;
    if (!message_row_decode(&message, row->position, row->row)) {
        return STORE_CORRUPT;
    }
    if (request->query->verdicts) {
        store_error_t error = lmdb_view_verdict(store, row->position, &message.verdict);
        if (error != STORE_OK) {
            return error;
        }
    }
    *goes_on = request->visit(request->context, &message);
    return STORE_OK;
}

static store_error_t range_visit(lmdb_store_t *store, const page_range_t *range, uint64_t oldest,
                                 const page_request_t *request) {
    store_error_t error = STORE_OK;
    bool goes_on = true;
    for (uint64_t seq = oldest; error == STORE_OK && goes_on && seq <= range->high; seq++) {
        error = row_visit(store, &store->page[seq - range->low], request, &goes_on);
    }
    return error;
}

/* Older messages remain unless retention took just those. The walk stands at the oldest one. */
static store_error_t more_older(page_walk_t *walk, bool *more) {
    span_t row;
    return lmdb_view_row(walk->store, walk->at.links.previous, &row, more);
}

static store_error_t page_read(lmdb_store_t *store, void *context) {
    const page_request_t *request = context;
    const page_query_t *query = request->query;
    page_range_t range = range_wanted(query);
    if (range.low > range.high) {
        return STORE_OK;
    }
    page_walk_t walk = {.store = store, .mailbox = query->mailbox};
    uint32_t oldest;
    store_error_t error = range_collect(&walk, query, &range, &oldest);
    if (error == STORE_OK && query->oldest_first && oldest > range.low) {
        range = range_left(query, oldest);
        if (range.low > range.high) {
            return STORE_OK;
        }
        error = range_collect(&walk, query, &range, &oldest);
    }
    if (error != STORE_OK || oldest == 0) {
        return error;
    }
    if (query->oldest_first) {
        *request->more = range.more;
    } else if (range.more && oldest == range.low) {
        error = more_older(&walk, request->more);
    }
    return error == STORE_OK ? range_visit(store, &range, oldest, request) : error;
}

store_error_t lmdb_page(store_t *base, const page_query_t *query, store_page_fn *visit,
                        void *context, bool *more) {
    page_request_t request = {.query = query, .visit = visit, .context = context, .more = more};
    *more = false;
    return lmdb_read((lmdb_store_t *)base, page_read, &request);
}

static store_error_t lookup_read(lmdb_store_t *store, void *context) {
    const lookup_request_t *request = context;
    store_error_t error = lmdb_view_verdict(store, request->position, request->verdict);
    span_t row;
    bool found = false;
    if (error == STORE_OK) {
        error = lmdb_view_row(store, request->position, &row, &found);
    }
    if (error != STORE_OK || !found) {
        return error;
    }
    message_t message;
    if (!message_row_decode(&message, request->position, row)) {
        return STORE_CORRUPT;
    }
    (void)request->visit(request->context, &message);
    return STORE_OK;
}

store_error_t lmdb_lookup(store_t *base, uint64_t position, store_page_fn *visit, void *context,
                          code_t *verdict) {
    lookup_request_t request = {
        .position = position, .visit = visit, .context = context, .verdict = verdict};
    *verdict = CODE_OK;
    return lmdb_read((lmdb_store_t *)base, lookup_read, &request);
}
