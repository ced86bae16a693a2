/*
 * The shell of a realm in the hands of the fuzzer. Must never hand the core what a real shell could
 * not: answers without a question, two answers to one question, a clock that runs back.
 */
#include "world.h"

#include "app/run_packer.h"
#include "base/assert.h"
#include "base/batch.h"
#include "base/crypto.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"
#include "check.h"
#include "judge.h"
#include "net/federation.h"
#include "support/paper_store.h"
#include "wire/peer_codec.h"
#include "wire/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 2026-11-22T10:00:00.000Z */
#define EPOCH_MS 1795341600000LL

/* A store that was made by an earlier world has seen fewer lives: no secret comes twice. */
#define STORE_LIVES_MAX 1000

static const uint8_t seed[16] = "world";

void world_trace(const world_t *world, const char *format, ...) {
    va_list arguments;
    if (!world->tracing)
        return;
    va_start(arguments, format);
    (void)fprintf(stderr, "%10lld us ", (long long)world->clock_us);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
}

static name_t name_of(const char *text) {
    name_t name;
    ASSERT(name_parse(&name, span_of(text)));
    return name;
}

static void key_of(uint8_t key[KEY_BYTES], const char *realm) {
    static const uint8_t keyring[KEY_BYTES] = "public keys of the world";
    crypto_digest(key, keyring, realm, strlen(realm));
}

/* The toy of all password hashes: one digest. */
static void toy_hash(uint8_t hash[KEY_BYTES], span_t salt, span_t password) {
    uint8_t key[KEY_BYTES] = {0};
    memcpy(key, salt.bytes, salt.length < KEY_BYTES ? salt.length : KEY_BYTES);
    crypto_digest(hash, key, password.bytes, password.length);
}

void world_group_key(uint8_t key[KEY_BYTES], span_t name, span_t password) {
    toy_hash(key, name, password);
}

static bool load_record(void *context, const record_t *record) {
    return state_load(context, record);
}

bool world_stored(world_t *world, store_error_t error) {
    if (error == STORE_OK)
        return true;
    world_trace(world, "stops: %s", store_error_text(error));
    ASSERT(world->may_refuse);
    world->stopped = true;
    return false;
}

/* Replays the store; false if there is something wrong with it. */
static bool load(world_t *world) {
    store_error_t error = store_load(world->store, load_record, world->state);
    if (error == STORE_OK && !state_loaded(world->state))
        error = STORE_CORRUPT;
    return world_stored(world, error);
}

static void begin_life(world_t *world) {
    event_t event = {.kind = EVENT_START};
    char life[32];
    int length = snprintf(life, sizeof(life), "life %u", world->lives++);
    crypto_digest(world->options.secret, world->options.key, life, (size_t)length);
    world->born_us = world->clock_us;
    world->state = state_new(&world->options);
    if (!load(world))
        return;
    for (size_t i = 0; i < WORLD_CONNECTIONS; i++)
        world->connections[i] =
            (connection_t){.id = ++world->next_connection, .admin = i == WORLD_CONNECTIONS - 1};
    world_step(world, &event);
    /* As state.h wants it: what the start has asked for is answered before requests come. */
    while (!world->stopped && world->errand_count > 0)
        world_errand_run(world, 0, true);
}

static void make_puppets(world_t *world) {
    static const char *const names[WORLD_PEERS] = {"b", "c", "d", "e"};
    for (size_t i = 0; i < WORLD_PEERS; i++) {
        puppet_t *puppet = &world->puppets[i];
        puppet->name = name_of(names[i]);
        key_of(puppet->key, names[i]);
        crypto_key_text(puppet->key_text, puppet->key);
        puppet->epoch = 100 + i;
    }
    key_of(world->strange_key, "stranger");
}

realm_limits_t world_limits(uint8_t choice) {
    static const int64_t retentions_ms[] = {0, 1000, 3600000, 86400000};
    realm_limits_t limits = REALM_LIMITS_DEFAULT;
    limits.retention_ms = retentions_ms[choice % 4];
    if (choice / 4 % 2 != 0) {
        limits.users_max = limits.groups_max = limits.members_max = 2;
        limits.mailboxes_max = limits.outbox_records_max = 4;
        limits.outbox_bytes_max = 64;
        limits.queue_expiry_ms = 3600000;
    }
    return limits;
}

world_t *world_new(span_t input, store_t *store, bool may_refuse) {
    world_t *world = memory_alloc(sizeof(*world));
    random_start(); /* libsodium; again does no harm */
    world->tracing = getenv("FUZZ_TRACE") != NULL;
    world->input = (input_t){(const uint8_t *)input.bytes, input.length};
    uint8_t flags = input_u8(&world->input);
    world->options.realm = name_of("a");
    key_of(world->options.key, "a");
    world->options.advertise = (address_t){.length = 9, .text = "127.0.0.1", .port = 9100};
    world->options.version = "0";
    world->options.limits = world_limits(flags / 4);
    world->options.registration_open = flags % 2 != 0;
    world->options.accept_any = flags / 2 % 2 != 0;
    world->clock_us = 1;
    world->store = store;
    world->may_refuse = may_refuse;
    world->lives = may_refuse ? STORE_LIVES_MAX : 0;
    world->owed = map_new(2 * sizeof(uint64_t), 1, seed);
    world->sent = map_new(sizeof(sent_key_t), DIGEST_BYTES, seed);
    effects_init(&world->effects);
    make_puppets(world);
    begin_life(world);
    return world;
}

void world_destroy(world_t **pointer) {
    world_t *world = *pointer;
    *pointer = NULL;
    for (size_t i = 0; i < WORLD_FRAMES; i++)
        buffer_deinit(&world->frames[i].bytes);
    state_destroy(&world->state);
    store_close(&world->store);
    if (world->backup != NULL)
        store_close(&world->backup);
    effects_deinit(&world->effects);
    map_destroy(&world->owed);
    map_destroy(&world->sent);
    memory_free(world->dials);
    memory_free(world->errands);
    memory_free(world);
}

puppet_t *world_puppet_keyed(world_t *world, const uint8_t key[KEY_BYTES]) {
    for (size_t i = 0; i < WORLD_PEERS; i++) {
        if (memcmp(world->puppets[i].key, key, KEY_BYTES) == 0)
            return &world->puppets[i];
    }
    return NULL;
}

dial_t *world_dial(world_t *world, uint64_t id) {
    for (size_t i = 0; i < world->dial_count; i++) {
        if (world->dials[i].id == id)
            return &world->dials[i];
    }
    return NULL;
}

/* A ticket as a map's key. */
typedef struct owed_key {
    uint64_t connection, slot;
} owed_key_t;

static void take_reply(world_t *world, const reply_t *reply) {
    owed_key_t key = {reply->ticket.connection, reply->ticket.slot};
    uint8_t *owed = map_get(world->owed, &key);
    ASSERT(owed != NULL && *owed != 0);
    ASSERT((reply->ref.length > 0) == (*owed == 2));
    *owed = 0; /* stays: a second reply to the same request must not pass */
    world_trace(world, "%llu/%llu is answered, kind %d code %d", (unsigned long long)key.connection,
                (unsigned long long)key.slot, (int)reply->kind,
                reply->kind == REPLY_ERROR ? (int)reply->error.code : 0);
    check_reply(world, reply);
    if (reply->kind == REPLY_TEXT && reply->text.text.length == KEY_TEXT_BYTES) {
        char *token = world->tokens[world->token_count++ % WORLD_TOKENS];
        memcpy(token, reply->text.text.bytes, KEY_TEXT_BYTES);
    }
    if (reply->kind == REPLY_TEXT && reply->text.number != 0)
        world->newest_number = reply->text.number;
}

static void keep_frame(world_t *world, const peer_channel_t *channel, span_t bytes) {
    check_frame(bytes);
    world_trace(world, "sends kind %d over %s %llu", bytes.bytes[1],
                channel->dialled ? "dial" : "route", (unsigned long long)channel->number);
    ASSERT(!channel->dialled || world_dial(world, channel->number) != NULL);
    judge_frame(world, channel, bytes);
    frame_t *frame = &world->frames[world->frame_count++ % WORLD_FRAMES];
    buffer_reset(&frame->bytes);
    buffer_append(&frame->bytes, bytes.bytes, bytes.length);
    frame->channel = *channel;
}

static void take_run(world_t *world, const peer_send_t *send) {
    batch_t packed;
    const batch_entry_t *entry = NULL;
    fresh_t fresh;
    batch_init(&packed);
    fresh_init(&fresh, world->effects.records, world->effects.record_count);
    (void)world_stored(world, run_pack(world->store, &fresh, send, &packed));
    fresh_deinit(&fresh);
    while ((entry = batch_next(packed.bytes, packed.length, entry)) != NULL)
        keep_frame(world, &send->channel, (span_t){batch_payload(entry), entry->payload_bytes});
    batch_deinit(&packed);
}

static void take_send(world_t *world, const peer_send_t *send) {
    if (send->is_run) {
        take_run(world, send);
        return;
    }
    buffer_t out;
    buffer_init(&out);
    peer_encode(&out, &send->message);
    keep_frame(world, &send->channel, (span_t){out.bytes, out.length});
    buffer_deinit(&out);
}

static void take_dial(world_t *world, const dial_effect_t *effect) {
    dial_t *dial = world_dial(world, effect->dial);
    world_trace(world, "dial action %d, dial %llu", (int)effect->action,
                (unsigned long long)effect->dial);
    if (effect->action == DIAL_OPEN) {
        ASSERT(dial == NULL || dial->phase == DIAL_DEAD); /* ids begin anew with each life */
        if (dial == NULL) {
            world->dials = memory_grow(world->dials, &world->dial_room, world->dial_count + 1,
                                       sizeof(*world->dials));
            dial = &world->dials[world->dial_count++];
        }
        dial->id = effect->dial;
        dial->phase = DIAL_RINGS;
        memcpy(dial->key, effect->key, KEY_BYTES);
    } else if (effect->action == DIAL_CLOSE) {
        ASSERT(dial != NULL); /* perhaps dead: the news crossed with this turn */
        dial->phase = DIAL_DEAD;
    }
}

static errand_t *errand_add(world_t *world, event_kind_t kind) {
    world->errands = memory_grow(world->errands, &world->errand_room, world->errand_count + 1,
                                 sizeof(*world->errands));
    errand_t *errand = &world->errands[world->errand_count++];
    memset(errand, 0, sizeof(*errand));
    errand->event.kind = kind;
    return errand;
}

static void take_password(world_t *world, const password_job_t *job) {
    event_t *event = &errand_add(world, EVENT_PASSWORD)->event;
    event->password.job = job->job;
    event->password.ok = true;
    if (job->kind == PASSWORD_VERIFY) {
        uint8_t hash[KEY_BYTES];
        toy_hash(hash, (span_t){(const char *)job->expected.salt, SALT_BYTES}, job->password);
        event->password.ok = memcmp(hash, job->expected.hash, KEY_BYTES) == 0;
    } else if (job->kind == PASSWORD_HASH) {
        password_hash_t *hash = &event->password.hash;
        memcpy(hash->salt, &job->job, sizeof(job->job));
        toy_hash(hash->hash, (span_t){(const char *)hash->salt, SALT_BYTES}, job->password);
    } else {
        world_group_key(event->password.key, name_span(&job->name), job->password);
    }
}

static void take_errands(world_t *world) {
    const effects_t *effects = &world->effects;
    for (size_t i = 0; i < effects->lookup_count; i++) {
        errand_t *errand = errand_add(world, EVENT_LOOKED_UP);
        errand->event.lookup.job = effects->lookups[i].job;
        errand->position = effects->lookups[i].position;
    }
    if (effects->trim.limit > 0)
        errand_add(world, EVENT_TRIM)->trim = effects->trim;
    for (size_t i = 0; i < effects->sweep_count; i++) {
        errand_t *errand = errand_add(world, EVENT_SWEPT);
        errand->event.sweep.realm = effects->sweeps[i].realm;
        errand->query = effects->sweeps[i].query;
    }
    for (size_t i = 0; i < effects->password_count; i++)
        take_password(world, &effects->passwords[i]);
}

/* Ends the batch and commits it; false if the store refused. */
static bool commit(world_t *world, size_t heads_max) {
    effects_t *effects = &world->effects;
    state_batch_end(world->state, world->clock_us - world->born_us, heads_max, effects);
    for (size_t i = 0; i < effects->record_count; i++)
        check_record(world, &effects->records[i]);
    return effects->record_count == 0 ||
           world_stored(world, store_commit(world->store, effects->records, effects->record_count));
}

/* Replies and news, in the order in which they are to come out. */
static void take_answers(world_t *world) {
    const effects_t *effects = &world->effects;
    size_t news = 0;
    for (size_t i = 0; i <= effects->reply_count; i++) {
        for (; news < effects->news_count && effects->news[news].replies_before == i; news++)
            check_news(world, &effects->news[news]);
        if (i < effects->reply_count)
            take_reply(world, &effects->replies[i]);
    }
    ASSERT(news == effects->news_count);
}

/* Lets the turn's effects out, in the order of the real shell. */
static void let_out(world_t *world) {
    const effects_t *effects = &world->effects;
    for (size_t i = 0; i < effects->dial_count; i++)
        if (effects->dials[i].action == DIAL_OPEN)
            take_dial(world, &effects->dials[i]);
    take_answers(world);
    for (size_t i = 0; i < effects->send_count; i++)
        take_send(world, &effects->sends[i]);
    for (size_t i = 0; i < effects->dial_count; i++)
        if (effects->dials[i].action != DIAL_OPEN)
            take_dial(world, &effects->dials[i]);
    take_errands(world);
}

void world_turn_end(world_t *world) {
    if (world->stopped)
        return;
    if (commit(world, STORE_HEADS_PER_COMMIT))
        let_out(world);
    effects_reset(&world->effects);
    world->turn_steps = 0;
}

void world_stop(world_t *world) {
    ASSERT(!world->batching);
    if (!world->stopped)
        (void)commit(world, SIZE_MAX);
    effects_reset(&world->effects);
    world->stopped = true;
}

void world_step(world_t *world, event_t *event) {
    if (world->stopped)
        return;
    event->uptime_us = world->clock_us - world->born_us;
    event->time_ms = EPOCH_MS + world->clock_us / 1000 + world->skew_ms;
    world->steps += 1;
    world->turn_steps += 1;
    world_trace(world, "event %d", (int)event->kind);
    judge_t judge;
    judge_begin(&judge, world, event);
    state_step(world->state, event, &world->effects);
    judge_end(&judge, world, event);
    ASSERT(state_next_tick_us(world->state) >= 0);
    if (!world->batching)
        world_turn_end(world);
}

void world_say(world_t *world, connection_t *connection, span_t line) {
    if (line.length == 0 || line.length > LINE_BYTES_MAX)
        return;
    request_t request;
    char *copy = input_copy(line);
    owed_key_t key = {connection->id, connection->slot_next};
    request_parse(&request, line);
    request.admin = connection->admin;
    span_t ref = {0};
    span_t first = {line.bytes + request.token_offset[0], request.token_bytes[0]};
    bool with_ref = request.token_count > 0 && text_ref(first, &ref);
    *(uint8_t *)map_put(world->owed, &key) = with_ref ? 2 : 1;
    world_trace(world, "%llu/%u says %.*s", (unsigned long long)connection->id,
                connection->slot_next, (int)line.length, line.bytes);
    event_t event = {.kind = EVENT_REQUEST};
    event.request.ticket = (ticket_t){connection->id, connection->slot_next++};
    event.request.request = &request;
    event.request.line = copy;
    world_step(world, &event);
    memory_free(copy);
}

void world_hang_up(world_t *world, connection_t *connection) {
    event_t event = {.kind = EVENT_CLOSED};
    event.closed.connection = connection->id;
    connection->id = ++world->next_connection;
    connection->slot_next = 0;
    world_step(world, &event);
}

void world_hear(world_t *world, const peer_channel_t *channel, span_t frame) {
    peer_message_t message;
    arena_t arena;
    arena_init(&arena);
    char *copy = input_copy(frame);
    event_t event = {.kind = EVENT_PEER};
    event.peer.channel = *channel;
    event.peer.refusal = peer_decode(&message, &arena, (span_t){copy, frame.length});
    world_trace(world, "hears kind %d over %s %llu", (int)message.kind,
                channel->dialled ? "dial" : "route", (unsigned long long)channel->number);
    if (event.peer.refusal == REFUSAL_NONE)
        event.peer.message = &message;
    else
        event.kind = EVENT_PEER_GARBAGE;
    world_step(world, &event);
    memory_free(copy);
    arena_deinit(&arena);
}

void world_tick(world_t *world, int64_t wait_us) {
    event_t event = {.kind = EVENT_TICK};
    world->clock_us += wait_us;
    world_step(world, &event);
    /* One tick does all that is due: the actor would spin otherwise. */
    ASSERT(world->stopped || world->batching ||
           state_next_tick_us(world->state) > world->clock_us - world->born_us);
}

/* Messages copied into memory that ends with the event. */
typedef struct collection {
    arena_t arena;
    message_t *messages;
    uint32_t count;
} collection_t;

static span_t collect_span(arena_t *arena, span_t bytes) {
    char *copy = arena_alloc(arena, bytes.length + 1);
    if (bytes.length > 0)
        memcpy(copy, bytes.bytes, bytes.length);
    return (span_t){copy, bytes.length};
}

static bool collect(void *context, const message_t *message) {
    collection_t *found = context;
    message_t *copy = &found->messages[found->count++];
    *copy = *message;
    copy->origin = collect_span(&found->arena, message->origin);
    copy->from = collect_span(&found->arena, message->from);
    copy->realm = collect_span(&found->arena, message->realm);
    copy->to = collect_span(&found->arena, message->to);
    copy->text = collect_span(&found->arena, message->text);
    return true;
}

static store_error_t errand_read(const world_t *world, errand_t *errand, collection_t *found) {
    event_t *event = &errand->event;
    store_error_t error;
    bool more;
    if (event->kind == EVENT_SWEPT) {
        found->messages = arena_alloc(&found->arena, errand->query.limit * sizeof(message_t));
        error = store_page(world->store, &errand->query, collect, found, &more);
        event->sweep.count = found->count;
        event->sweep.messages = found->messages;
    } else if (event->kind == EVENT_TRIM) {
        message_age_t *rows = arena_alloc(&found->arena, errand->trim.limit * sizeof(*rows));
        event->trim.rows = rows;
        error = store_oldest(world->store, errand->trim.after, rows, errand->trim.limit,
                             &event->trim.count, &event->trim.end);
    } else {
        found->messages = arena_alloc(&found->arena, sizeof(message_t));
        error =
            store_lookup(world->store, errand->position, collect, found, &event->lookup.verdict);
        event->lookup.found = found->count > 0;
        event->lookup.message = found->messages[0];
    }
    return error;
}

void world_errand_run(world_t *world, size_t index, bool good) {
    collection_t found = {.count = 0};
    errand_t errand = world->errands[index];
    world->errand_count -= 1;
    memmove(&world->errands[index], &world->errands[index + 1],
            (world->errand_count - index) * sizeof(*world->errands));
    arena_init(&found.arena);
    if (errand.event.kind == EVENT_PASSWORD)
        errand.event.password.ok = errand.event.password.ok && good;
    else
        (void)world_stored(world, errand_read(world, &errand, &found));
    world_step(world, &errand.event);
    arena_deinit(&found.arena);
}

static void end_life(world_t *world) {
    state_destroy(&world->state);
    effects_reset(&world->effects);
    map_destroy(&world->owed);
    world->owed = map_new(2 * sizeof(uint64_t), 1, seed);
    world->errand_count = 0;
    world->dial_count = 0;
    world->frame_count = 0;
    world->batching = false;
}

void world_crash(world_t *world) {
    world->stopped = false;
    end_life(world);
    begin_life(world);
}

void world_keep_backup(world_t *world) {
    if (world->may_refuse)
        return; /* not on paper */
    if (world->backup != NULL)
        store_close(&world->backup);
    world->backup = paper_store_copy(world->store);
}

void world_restore(world_t *world) {
    if (world->backup == NULL)
        return;
    end_life(world);
    store_close(&world->store);
    world->store = paper_store_copy(world->backup);
    begin_life(world);
}

static bool is_open(const world_t *world, uint64_t connection) {
    for (size_t i = 0; i < WORLD_CONNECTIONS; i++) {
        if (world->connections[i].id == connection)
            return true;
    }
    return false;
}

/* How many requests of open connections have no reply. */
static size_t count_owed(const world_t *world) {
    size_t cursor = 0;
    size_t count = 0;
    const void *key;
    void *owed;
    while (map_next(world->owed, &cursor, &key, &owed)) {
        if (*(const uint8_t *)owed != 0 && is_open(world, ((const owed_key_t *)key)->connection))
            count += 1;
    }
    return count;
}

static void run_all_errands(world_t *world) {
    unsigned rounds = 0;
    for (; world->errand_count > 0 && !world->stopped; rounds++) {
        ASSERT(rounds < 100000);
        world_errand_run(world, 0, true);
    }
}

/* Lets so much time pass that any request that waits must have its answer. */
static void let_time_pass(world_t *world) {
    int64_t end_us = world->clock_us + (HANDSHAKE_MS + VERDICT_MS + PULL_MS) * 1000LL;
    unsigned ticks = 0;
    while (world->clock_us < end_us && !world->stopped) {
        ASSERT(++ticks < 10000);
        int64_t now_us = world->clock_us - world->born_us;
        int64_t due_us = state_next_tick_us(world->state);
        int64_t wait_us = due_us > now_us ? due_us - now_us : 0;
        int64_t left_us = end_us - world->clock_us;
        world_tick(world, wait_us < left_us ? wait_us : left_us);
        run_all_errands(world);
    }
}

void world_close(world_t *world) {
    world->batching = world->holding = false;
    world_turn_end(world);
    run_all_errands(world);
    /* Those of one connection wait for each other. */
    size_t rounds = count_owed(world) + 1;
    for (size_t i = 0; i < rounds; i++)
        let_time_pass(world);
    ASSERT(world->stopped || count_owed(world) == 0);
    if (!world->stopped)
        check_reload(world);
}
