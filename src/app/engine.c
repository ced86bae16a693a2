/*
 * State and store in step. Must never let anything of a turn out before its commit, nor go on after
 * a commit that failed.
 */
#include "app/engine.h"

#include "app/passwords.h"
#include "base/assert.h"
#include "base/memory.h"
#include "base/random.h"
#include "store/lmdb.h"
#include "wire/reply.h"

#include <string.h>
#include <time.h>

static int64_t clock_us(clockid_t clock) {
    struct timespec now;
    ASSERT(clock_gettime(clock, &now) == 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static bool load_record(void *context, const record_t *record) {
    state_t *state = context;
    return state_load(state, record);
}

exit_code_t engine_open(engine_t *engine, const char *directory, state_options_t *options,
                        problem_t *problem) {
    *engine = (engine_t){
        .realm = options->realm, .start_us = clock_us(CLOCK_MONOTONIC), .fold_due_us = INT64_MAX};
    store_error_t error = store_lmdb_open(&engine->store, directory, &options->realm);
    if (error != STORE_OK) {
        problem_set(problem, "cannot open the store in %s: %s", directory, store_error_text(error));
        return error == STORE_OTHER ? EXIT_USAGE : EXIT_RUNTIME;
    }
    random_bytes(options->secret, sizeof options->secret);
    engine->state = state_new(options);
    effects_init(&engine->effects);
    arena_init(&engine->arena);
    engine_clock(engine);
    error = store_load(engine->store, load_record, engine->state);
    if (error == STORE_OK && !state_loaded(engine->state)) {
        error = STORE_CORRUPT;
    }
    if (error != STORE_OK) {
        problem_set(problem, "cannot load the store in %s: %s", directory, store_error_text(error));
        engine_close(engine);
        return EXIT_RUNTIME;
    }
    return EXIT_CLEAN;
}

void engine_close(engine_t *engine) {
    effects_deinit(&engine->effects);
    arena_deinit(&engine->arena);
    memory_free(engine->lookups);
    memory_free(engine->sweeps);
    memory_free(engine->busy_jobs);
    state_destroy(&engine->state);
    store_close(&engine->store);
}

const char *engine_trust_reason(code_t code) {
    switch (code) {
    case CODE_REALM_KEY:
        return "another key is pinned to that name, or that key to another name";
    case CODE_BUSY:
        return "that realm is still being removed, or too many are known";
    default:
        return "this realm needs no pinned key of its own";
    }
}

exit_code_t engine_trust(engine_t *engine, const trust_t *trusts, size_t count,
                         problem_t *problem) {
    for (size_t i = 0; i < count; i++) {
        code_t code = state_trust(engine->state, &trusts[i].name, trusts[i].key, &engine->effects);
        if (code != CODE_OK) {
            problem_set(problem, "trust: \"%s\": %s", trusts[i].name.text,
                        engine_trust_reason(code));
            return EXIT_USAGE;
        }
    }
    store_error_t error = engine_commit(engine, STORE_HEADS_PER_COMMIT);
    engine_turn_end(engine);
    if (error != STORE_OK) {
        problem_set(problem, "cannot write the store: %s", store_error_text(error));
        return EXIT_RUNTIME;
    }
    return EXIT_CLEAN;
}

void engine_clock(engine_t *engine) {
    engine->time_ms = clock_us(CLOCK_REALTIME) / 1000;
    engine->uptime_us = clock_us(CLOCK_MONOTONIC) - engine->start_us;
}

void engine_step(engine_t *engine, event_t *event) {
    event->time_ms = engine->time_ms;
    event->uptime_us = engine->uptime_us;
    state_step(engine->state, event, &engine->effects);
}

bool engine_tick(engine_t *engine) {
    if (state_next_tick_us(engine->state) > engine->uptime_us) {
        return false;
    }
    event_t event = {.kind = EVENT_TICK};
    engine_step(engine, &event);
    return true;
}

/* Messages copied out of the store, which lends them only for the length of a call. */
typedef struct collection {
    arena_t *arena;
    message_t *messages;
    uint32_t count, room;
} collection_t;

static span_t collect_span(arena_t *arena, span_t bytes) {
    if (bytes.length == 0) {
        return (span_t){"", 0};
    }
    char *copy = arena_alloc(arena, bytes.length);
    memcpy(copy, bytes.bytes, bytes.length);
    return (span_t){copy, bytes.length};
}

static bool collect(void *context, const message_t *message) {
    collection_t *collection = context;
    if (collection->count == collection->room) {
        return false;
    }
    message_t *copy = &collection->messages[collection->count++];
    *copy = *message;
    copy->origin = collect_span(collection->arena, message->origin);
    copy->from = collect_span(collection->arena, message->from);
    copy->realm = collect_span(collection->arena, message->realm);
    copy->to = collect_span(collection->arena, message->to);
    copy->text = collect_span(collection->arena, message->text);
    return true;
}

static collection_t collection_new(engine_t *engine, uint32_t room) {
    arena_reset(&engine->arena);
    return (collection_t){.arena = &engine->arena,
                          .messages = arena_alloc(&engine->arena, room * sizeof(message_t)),
                          .room = room};
}

static store_error_t follow_lookup(engine_t *engine, const lookup_t *lookup) {
    collection_t found = collection_new(engine, 1);
    event_t event = {.kind = EVENT_LOOKED_UP};
    event.lookup.job = lookup->job;
    store_error_t error =
        store_lookup(engine->store, lookup->position, collect, &found, &event.lookup.verdict);
    if (error != STORE_OK) {
        return error;
    }
    event.lookup.found = found.count > 0;
    if (found.count > 0) {
        event.lookup.message = found.messages[0];
    }
    engine_step(engine, &event);
    return STORE_OK;
}

static store_error_t follow_sweep(engine_t *engine, const sweep_t *sweep) {
    collection_t found = collection_new(engine, sweep->query.limit);
    bool more = false;
    store_error_t error = store_page(engine->store, &sweep->query, collect, &found, &more);
    if (error != STORE_OK) {
        return error;
    }
    event_t event = {.kind = EVENT_SWEPT};
    event.sweep.realm = sweep->realm;
    event.sweep.count = found.count;
    event.sweep.messages = found.messages;
    engine_step(engine, &event);
    return STORE_OK;
}

static store_error_t follow_trim(engine_t *engine, const trim_t *trim) {
    arena_reset(&engine->arena);
    event_t event = {.kind = EVENT_TRIM};
    message_age_t *rows = arena_alloc(&engine->arena, trim->limit * sizeof *rows);
    store_error_t error = store_oldest(engine->store, trim->after, rows, trim->limit,
                                       &event.trim.count, &event.trim.end);
    if (error != STORE_OK) {
        return error;
    }
    event.trim.rows = rows;
    engine_step(engine, &event);
    return STORE_OK;
}

static void follow_busy(engine_t *engine, uint64_t job) {
    password_answer_t answer = {.job = job, .ok = false};
    event_t event;
    password_event(&answer, &event);
    engine_step(engine, &event);
}

bool engine_follows(const engine_t *engine) {
    return engine->lookup_count + engine->sweep_count + engine->busy_count + engine->trim.limit > 0;
}

store_error_t engine_follow(engine_t *engine, size_t *stepped) {
    store_error_t error = STORE_OK;
    *stepped = engine->lookup_count + engine->sweep_count + engine->busy_count;
    *stepped += engine->trim.limit > 0 ? 1 : 0;
    for (size_t i = 0; i < engine->lookup_count && error == STORE_OK; i++) {
        error = follow_lookup(engine, &engine->lookups[i]);
    }
    for (size_t i = 0; i < engine->sweep_count && error == STORE_OK; i++) {
        error = follow_sweep(engine, &engine->sweeps[i]);
    }
    for (size_t i = 0; i < engine->busy_count && error == STORE_OK; i++) {
        follow_busy(engine, engine->busy_jobs[i]);
    }
    if (engine->trim.limit > 0 && error == STORE_OK) {
        error = follow_trim(engine, &engine->trim);
    }
    engine->lookup_count = 0;
    engine->sweep_count = 0;
    engine->busy_count = 0;
    engine->trim = (trim_t){0};
    return error;
}

void engine_busy(engine_t *engine, uint64_t job) {
    engine->busy_jobs = memory_grow(engine->busy_jobs, &engine->busy_room, engine->busy_count + 1,
                                    sizeof *engine->busy_jobs);
    engine->busy_jobs[engine->busy_count++] = job;
}

static void fold_later(engine_t *engine) {
    bool wanted = store_unfolded(engine->store);
    if (!wanted || engine->fold_due_us == INT64_MAX) {
        engine->fold_due_us = wanted ? engine->uptime_us + STORE_FOLD_MS * 1000LL : INT64_MAX;
    }
}

store_error_t engine_fold(engine_t *engine) {
    store_error_t error = store_fold_begin(engine->store);
    engine->fold_due_us = INT64_MAX;
    fold_later(engine);
    return error;
}

store_error_t engine_commit(engine_t *engine, size_t heads_max) {
    state_batch_end(engine->state, engine->uptime_us, heads_max, &engine->effects);
    const effects_t *effects = &engine->effects;
    if (effects->record_count == 0) {
        return STORE_OK;
    }
    store_error_t error = store_commit(engine->store, effects->records, effects->record_count);
    fold_later(engine);
    return error;
}

/* A page as it is written: the first message has no comma in front. */
typedef struct page_writer {
    buffer_t *out;
    const name_t *realm;
    bool first;
} page_writer_t;

static bool page_message(void *context, const message_t *message) {
    page_writer_t *writer = context;
    reply_page_message(writer->out, message, writer->realm, writer->first);
    writer->first = false;
    return true;
}

/* A page that cannot be read is refused; nothing else of the turn depends on it. */
static void page_refuse(const engine_t *engine, const reply_t *page, store_error_t error,
                        buffer_t *out) {
    log_event(LEVEL_ERROR, "page-unreadable", "reason", store_error_text(error), NULL);
    reply_t refused = {.kind = REPLY_ERROR, .ref = page->ref};
    refused.error.code = CODE_STORE;
    reply_write(out, &refused, &engine->realm, NULL);
}

static void reply_page(engine_t *engine, const reply_t *reply, buffer_t *out) {
    page_writer_t writer = {.out = out, .realm = &engine->realm, .first = true};
    size_t start = out->length;
    bool more = false;
    store_error_t error = STORE_OK;
    reply_page_begin(out);
    if (reply->page.query.newest_position != 0) {
        error = store_page(engine->store, &reply->page.query, page_message, &writer, &more);
    }
    if (error == STORE_OK) {
        reply_page_end(out, more, reply->page.stale, reply->ref);
        return;
    }
    out->length = start;
    page_refuse(engine, reply, error, out);
}

static bool oldest_time(void *context, const message_t *message) {
    int64_t *time_ms = context;
    *time_ms = message->time_ms;
    return false;
}

/* How long the oldest queued message of a realm has waited; 0 if none is or it cannot be read. */
static int64_t oldest_s(engine_t *engine, const realm_status_t *row) {
    int64_t time_ms = engine->time_ms;
    bool more = false;
    if (row->queued == 0 || row->oldest.newest_position == 0) {
        return 0;
    }
    store_error_t error = store_page(engine->store, &row->oldest, oldest_time, &time_ms, &more);
    if (error != STORE_OK) {
        log_event(LEVEL_ERROR, "page-unreadable", "reason", store_error_text(error), NULL);
    }
    return time_ms < engine->time_ms ? (engine->time_ms - time_ms) / 1000 : 0;
}

static void reply_realms(engine_t *engine, const reply_t *reply, buffer_t *out) {
    int64_t *ages = memory_alloc(reply->realms.count * sizeof *ages);
    bool any_queued = false;
    for (uint32_t i = 0; i < reply->realms.count; i++) {
        ages[i] = oldest_s(engine, &reply->realms.rows[i]);
        any_queued = any_queued || reply->realms.rows[i].queued > 0;
    }
    reply_write(out, reply, &engine->realm, any_queued ? ages : NULL);
    memory_free(ages);
}

/* With what the core cannot know. */
static void reply_server(const engine_t *engine, const reply_t *reply, buffer_t *out) {
    reply_t whole = *reply;
    whole.server.front = engine->front;
    reply_write(out, &whole, &engine->realm, NULL);
}

void engine_reply(engine_t *engine, const reply_t *reply, buffer_t *out) {
    switch (reply->kind) {
    case REPLY_SERVER:
        reply_server(engine, reply, out);
        break;
    case REPLY_PAGE:
        reply_page(engine, reply, out);
        break;
    case REPLY_REALMS:
        reply_realms(engine, reply, out);
        break;
    default:
        reply_write(out, reply, &engine->realm, NULL);
        break;
    }
}

void engine_log(const engine_t *engine) {
    for (size_t i = 0; i < engine->effects.log_count; i++) {
        const log_line_t *line = &engine->effects.logs[i];
        log_level_t level = line->warning ? LEVEL_WARN : LEVEL_INFO;
        const char *reason_key = line->reason != NULL ? "reason" : NULL;
        if (line->name.length > 0) {
            log_event(level, line->event, "name", line->name.text, reason_key, line->reason, NULL);
        } else {
            log_event(level, line->event, reason_key, line->reason, NULL);
        }
    }
}

void engine_turn_end(engine_t *engine) {
    const effects_t *effects = &engine->effects;
    engine->lookups = memory_grow(engine->lookups, &engine->lookup_room, effects->lookup_count,
                                  sizeof *engine->lookups);
    engine->sweeps = memory_grow(engine->sweeps, &engine->sweep_room, effects->sweep_count,
                                 sizeof *engine->sweeps);
    engine->lookup_count = effects->lookup_count;
    engine->sweep_count = effects->sweep_count;
    engine->trim = effects->trim;
    if (effects->lookup_count > 0) {
        memcpy(engine->lookups, effects->lookups, effects->lookup_count * sizeof *effects->lookups);
    }
    if (effects->sweep_count > 0) {
        memcpy(engine->sweeps, effects->sweeps, effects->sweep_count * sizeof *effects->sweeps);
    }
    effects_reset(&engine->effects);
}
