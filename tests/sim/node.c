/*
 * The shell of a simulated realm. Must never let anything out before the commit, except where a
 * crash is meant to show what comes of what was let out.
 */
#include "node.h"

#include "app/run_packer.h"
#include "base/memory.h"
#include "base/text.h"
#include "clients.h"
#include "network.h"
#include "wire/peer_codec.h"
#include "wire/request.h"

#include <inttypes.h>
#include <string.h>

static const int64_t restart_us = 20000;

const char *realm_text(unsigned index) {
    static const char *const names[REALMS_MAX + 1] = {"a", "b", "c", "d", "e", "f", "g", "mallory"};
    return names[index];
}

/* Any 32 bytes are a key here; the last one says whose. */
void realm_key(uint8_t key[KEY_BYTES], unsigned index) {
    memset(key, 0x5a, KEY_BYTES);
    key[0] = (uint8_t)(0x10 + index);
    key[KEY_BYTES - 1] = (uint8_t)index;
}

uint8_t node_of_key(const uint8_t key[KEY_BYTES]) {
    uint8_t expected[KEY_BYTES];
    uint8_t index = key[KEY_BYTES - 1];
    if (index > REALMS_MAX)
        return REALMS_MAX + 1;
    realm_key(expected, index);
    return memcmp(key, expected, KEY_BYTES) == 0 ? index : REALMS_MAX + 1;
}

static name_t name_of(const char *text) {
    name_t name;
    (void)name_parse(&name, span_of(text));
    return name;
}

static void turn_at(world_t *world, realm_node_t *node, int64_t at_us) {
    if (node->stalled_until_us > at_us)
        at_us = node->stalled_until_us;
    if (at_us < world->now_us)
        at_us = world->now_us;
    if (node->state == NULL || node->turn_us <= at_us)
        return;
    node->turn_us = at_us;
    world_schedule(world, at_us, ITEM_TURN, node->index, node->life, 0);
}

/* One tick is under way at a time; it may come for nothing when its reason has gone. */
static void tick_schedule(world_t *world, realm_node_t *node) {
    int64_t due_us = state_next_tick_us(node->state);
    if (due_us == INT64_MAX)
        return;
    due_us += node->born_us;
    if (due_us < world->now_us)
        due_us = world->now_us;
    if (due_us >= node->tick_us)
        return;
    node->tick_us = due_us;
    world_schedule(world, due_us, ITEM_TICK, node->index, 0, 0);
}

/* A realm is awake at once, and busy with its last commit for a while. */
static void wake(world_t *world, realm_node_t *node) {
    int64_t busy_us = world->healed ? 200 : dice_below(&node->dice, 800);
    if (node->slow_until_us > world->now_us)
        busy_us += dice_below(&node->dice, 60000);
    if (node->turn_us == NEVER || node->turn_us > world->now_us + busy_us)
        turn_at(world, node, world->now_us + busy_us);
}

static input_t *input_add(realm_node_t *node, input_kind_t kind, span_t bytes) {
    node->inputs =
        memory_grow(node->inputs, &node->input_room, node->input_count + 1, sizeof(*node->inputs));
    input_t *input = &node->inputs[node->input_count++];
    *input = (input_t){.kind = kind, .offset = node->input_bytes.length, .length = bytes.length};
    buffer_append(&node->input_bytes, bytes.bytes, bytes.length);
    return input;
}

void node_frame(world_t *world, realm_node_t *node, unsigned from, bool dialled, uint64_t number,
                span_t bytes) {
    input_t *input = input_add(node, INPUT_FRAME, bytes);
    input->from = (uint8_t)from;
    input->dialled = dialled;
    input->number = number;
    wake(world, node);
}

void node_dial_decided(world_t *world, realm_node_t *node, uint64_t dial, dial_error_t error) {
    input_t *input = input_add(node, error == 0 ? INPUT_DIALLED : INPUT_DIAL_LOST, (span_t){"", 0});
    input->number = dial;
    input->error = error;
    world->events += 1;
    wake(world, node);
}

void node_request(world_t *world, realm_node_t *node, uint64_t connection, uint32_t slot,
                  bool admin, span_t line) {
    input_t *input = input_add(node, INPUT_REQUEST, line);
    input->number = connection;
    input->slot = slot;
    input->admin = admin;
    wake(world, node);
}

void node_closed(world_t *world, realm_node_t *node, uint64_t connection) {
    input_add(node, INPUT_CLOSED, (span_t){"", 0})->number = connection;
    wake(world, node);
}

/* ---- stepping ---- */

static void step(world_t *world, realm_node_t *node, event_t *event) {
    event->uptime_us = world->now_us - node->born_us;
    event->time_ms = WORLD_EPOCH_MS + world->now_us / 1000 + node->skew_ms;
    world->events += 1;
    state_step(node->state, event, &node->effects);
}

static void tell_standing(const world_t *world, const peer_standing_t *standing) {
    for (unsigned i = 0; i < standing->mark_count; i++)
        world_tell(world, "    has taken %04" PRIx64 ":%" PRIu32, standing->marks[i].epoch & 0xffff,
                   standing->marks[i].seq);
    for (unsigned i = 0; i < standing->rejection_count; i++)
        world_tell(world, "    refused %" PRIu32 " (%d)", standing->rejections[i].seq,
                   (int)standing->rejections[i].code);
}

/* For people who follow a trace. */
static void tell_frame(const world_t *world, const realm_node_t *node, const input_t *input,
                       const peer_message_t *message) {
    static const char *const names[PEER_KIND_COUNT] = {"garbage",
                                                       "ACKREALM",
                                                       "WELCOME",
                                                       "RECORDS",
                                                       "ACK",
                                                       "REMOTEINBOXREALM",
                                                       "REMOTEINBOXGROUPREALM",
                                                       "PING",
                                                       "PONG",
                                                       "ERROR"};
    world_tell(world, "%s <- %s: %s", realm_text(node->index), realm_text(input->from),
               names[message->kind]);
    if (message->kind == PEER_RECORDS)
        world_tell(world,
                   "    %u records from %04" PRIx64 ":%" PRIu32 " on top of %04" PRIx64 ":%" PRIu32
                   ", done %" PRIu32 "%s",
                   message->records.record_count, message->records.first.epoch & 0xffff,
                   message->records.first.seq, message->records.base.epoch & 0xffff,
                   message->records.base.seq, message->records.done,
                   message->records.pulled ? ", pulled" : "");
    for (unsigned i = 0; message->kind == PEER_RECORDS && i < message->records.record_count; i++) {
        span_t body = message->records.records[i].body;
        if (message->records.records[i].kind == PEER_SENDREALM)
            world_tell(world, "    %.*s", (int)(body.length < 60 ? body.length : 60), body.bytes);
    }
    if (message->kind == PEER_ACKREALM)
        tell_standing(world, &message->ackrealm.standing);
    else if (message->kind == PEER_WELCOME)
        tell_standing(world, &message->welcome.standing);
    else if (message->kind == PEER_ACK)
        tell_standing(world, &message->ack.standing);
    else if (message->kind == PEER_PING || message->kind == PEER_PONG)
        tell_standing(world, &message->ping.standing);
    else if (message->kind == PEER_REMOTEINBOXREALM || message->kind == PEER_REMOTEINBOXGROUPREALM)
        tell_standing(world, &message->pull.standing);
}

static void step_frame(world_t *world, realm_node_t *node, const input_t *input, span_t bytes) {
    peer_message_t message;
    event_t event;
    event.kind = EVENT_PEER;
    event.peer.channel.dialled = input->dialled;
    event.peer.channel.number = input->number;
    realm_key(event.peer.channel.key, input->from);
    event.peer.message = &message;
    event.peer.refusal = peer_decode(&message, &world->arena, bytes);
    if (event.peer.refusal == REFUSAL_NONE) {
        if (world->verbose)
            tell_frame(world, node, input, &message);
        if (message.kind == PEER_RECORDS && message.records.record_count > 0)
            oracle_overhears(world, input->from, node->index, &message);
        if (node->crash_armed && node->crash_kind == message.kind)
            node->crash_kind = 0;
    } else {
        event.kind = EVENT_PEER_GARBAGE;
        event.peer.message = NULL;
    }
    step(world, node, &event);
    arena_reset(&world->arena);
}

static void step_request(world_t *world, realm_node_t *node, const input_t *input, span_t line) {
    request_t request;
    event_t event;
    request_parse(&request, line);
    request.admin = input->admin;
    event.kind = EVENT_REQUEST;
    event.request.ticket = (ticket_t){.connection = input->number, .slot = input->slot};
    event.request.request = &request;
    event.request.line = line.bytes;
    step(world, node, &event);
}

static void step_input(world_t *world, realm_node_t *node, const input_t *input) {
    span_t bytes = {node->input_bytes.bytes + input->offset, input->length};
    event_t event;
    switch (input->kind) {
    case INPUT_FRAME:
        step_frame(world, node, input, bytes);
        return;
    case INPUT_REQUEST:
        step_request(world, node, input, bytes);
        return;
    case INPUT_PASSWORD:
        step(world, node, &world->works[input->number].answer);
        return;
    case INPUT_CLOSED:
        event.kind = EVENT_CLOSED;
        event.closed.connection = input->number;
        break;
    case INPUT_DIALLED:
    case INPUT_DIAL_LOST:
        event.kind = input->kind == INPUT_DIALLED ? EVENT_DIALLED : EVENT_DIAL_LOST;
        event.dial.dial = input->number;
        event.dial.error = input->error;
        break;
    }
    step(world, node, &event);
}

typedef struct collection {
    message_t *messages;
    uint32_t count;
} collection_t;

static bool collect(void *context, const message_t *message) {
    collection_t *collection = context;
    collection->messages[collection->count++] = *message;
    return true;
}

static void step_lookup(world_t *world, realm_node_t *node, const lookup_t *lookup) {
    event_t event;
    collection_t found = {.messages = &event.lookup.message};
    event.kind = EVENT_LOOKED_UP;
    event.lookup.job = lookup->job;
    (void)store_lookup(memory_store_base(node->store), lookup->position, collect, &found,
                       &event.lookup.verdict);
    event.lookup.found = found.count > 0;
    step(world, node, &event);
}

static void step_sweep(world_t *world, realm_node_t *node, const sweep_t *sweep) {
    bool more;
    event_t event;
    collection_t found = {.messages =
                              arena_alloc(&world->arena, sweep->query.limit * sizeof(message_t))};
    if (store_page(memory_store_base(node->store), &sweep->query, collect, &found, &more) !=
        STORE_OK)
        world_violation(world, "store-corrupt", "%s: a sweep cannot be read",
                        realm_text(node->index));
    event.kind = EVENT_SWEPT;
    event.sweep.realm = sweep->realm;
    event.sweep.count = found.count;
    event.sweep.messages = found.messages;
    step(world, node, &event);
    arena_reset(&world->arena);
}

static void step_trim(world_t *world, realm_node_t *node) {
    event_t event;
    trim_t trim = node->trim;
    message_age_t *rows = arena_alloc(&world->arena, trim.limit * sizeof(*rows));
    event.kind = EVENT_TRIM;
    event.trim.rows = rows;
    (void)store_oldest(memory_store_base(node->store), trim.after, rows, trim.limit,
                       &event.trim.count, &event.trim.end);
    node->trim = (trim_t){0};
    step(world, node, &event);
    arena_reset(&world->arena);
}

static bool has_questions(const realm_node_t *node) {
    return node->lookup_count + node->sweep_count + node->trim.limit > 0;
}

static void take_questions(world_t *world, realm_node_t *node) {
    for (size_t i = 0; i < node->lookup_count; i++)
        step_lookup(world, node, &node->lookups[i]);
    for (size_t i = 0; i < node->sweep_count; i++)
        step_sweep(world, node, &node->sweeps[i]);
    node->lookup_count = node->sweep_count = 0;
    if (node->trim.limit > 0)
        step_trim(world, node);
}

/* Takes all that has come. Returns whether there was anything. */
static bool take_all(world_t *world, realm_node_t *node) {
    event_t tick = {.kind = EVENT_TICK};
    bool any = has_questions(node) || node->input_count > 0;
    take_questions(world, node);
    for (size_t i = 0; i < node->input_count; i++)
        step_input(world, node, &node->inputs[i]);
    node->input_count = 0;
    buffer_reset(&node->input_bytes);
    if (state_next_tick_us(node->state) <= world->now_us - node->born_us) {
        step(world, node, &tick);
        any = true;
    }
    return any;
}

/* ---- letting out ---- */

/* A password hash as weak as it is fast. */
static void toy_hash(uint8_t hash[KEY_BYTES], const void *salt, size_t salt_bytes,
                     span_t password) {
    uint64_t value = 0x9e3779b97f4a7c15ULL;
    for (size_t i = 0; i < salt_bytes; i++)
        value = dice_mix(value ^ ((const uint8_t *)salt)[i]);
    for (size_t i = 0; i < password.length; i++)
        value = dice_mix(value ^ (uint8_t)password.bytes[i]);
    for (size_t i = 0; i < KEY_BYTES; i += sizeof(value)) {
        value = dice_mix(value);
        memcpy(hash + i, &value, sizeof(value));
    }
}

void node_password_hash(uint8_t hash[KEY_BYTES], const uint8_t salt[SALT_BYTES], span_t password) {
    toy_hash(hash, salt, SALT_BYTES, password);
}

static void put_password(world_t *world, realm_node_t *node, const password_job_t *job) {
    world->works =
        memory_grow(world->works, &world->work_room, world->work_count + 1, sizeof(*world->works));
    password_work_t *work = &world->works[world->work_count];
    memset(work, 0, sizeof(*work));
    work->life = node->life;
    event_t *event = &work->answer;
    event->kind = EVENT_PASSWORD;
    event->password.job = job->job;
    event->password.ok = true;
    if (job->kind == PASSWORD_VERIFY) {
        uint8_t hash[KEY_BYTES];
        toy_hash(hash, job->expected.salt, SALT_BYTES, job->password);
        event->password.ok = memcmp(hash, job->expected.hash, KEY_BYTES) == 0;
    } else if (job->kind == PASSWORD_HASH) {
        event->password.ok = world->healed || !dice_chance(&node->dice, 5);
        memcpy(event->password.hash.salt, &job->job, sizeof(job->job));
        toy_hash(event->password.hash.hash, event->password.hash.salt, SALT_BYTES, job->password);
    } else {
        toy_hash(event->password.key, job->name.text, job->name.length, job->password);
    }
    world_schedule(world, world->now_us + 100 + dice_below(&node->dice, 8000), ITEM_PASSWORD,
                   node->index, (uint32_t)world->work_count, 0);
    world->work_count += 1;
}

void node_password(world_t *world, const item_t *item) {
    realm_node_t *node = &world->realms[item->a];
    if (node->state == NULL || node->life != world->works[item->b].life)
        return;
    input_add(node, INPUT_PASSWORD, (span_t){"", 0})->number = item->b;
    wake(world, node);
}

static void put_run(world_t *world, realm_node_t *node, const peer_send_t *send) {
    const batch_entry_t *entry = NULL;
    fresh_t fresh;
    batch_reset(&world->packed);
    fresh_init(&fresh, node->effects.records, node->effects.record_count);
    store_error_t error = run_pack(memory_store_base(node->store), &fresh, send, &world->packed);
    fresh_deinit(&fresh);
    if (error != STORE_OK)
        world_violation(world, "store-corrupt", "%s: the outbox cannot be read",
                        realm_text(node->index));
    while ((entry = batch_next(world->packed.bytes, world->packed.length, entry)) != NULL)
        network_send(world, node, &send->channel,
                     (span_t){batch_payload(entry), entry->payload_bytes});
}

static void put_send(world_t *world, realm_node_t *node, const peer_send_t *send) {
    if (send->is_run) {
        put_run(world, node, send);
        return;
    }
    buffer_reset(&world->scratch);
    peer_encode(&world->scratch, &send->message);
    network_send(world, node, &send->channel,
                 (span_t){world->scratch.bytes, world->scratch.length});
}

static void put_keys(realm_node_t *node) {
    for (size_t i = 0; i < node->effects.dial_count; i++) {
        const dial_effect_t *dial = &node->effects.dials[i];
        uint8_t holder = node_of_key(dial->key);
        if (holder > REALMS_MAX)
            continue;
        if (dial->action == DIAL_ALLOW)
            node->allowed[holder] = true;
        else if (dial->action == DIAL_DENY)
            node->allowed[holder] = false;
    }
}

static void put_dial(world_t *world, realm_node_t *node, const dial_effect_t *dial) {
    if (dial->action == DIAL_OPEN)
        network_dial(world, node, dial);
    else if (dial->action == DIAL_CLOSE)
        network_hang_up(world, node, dial->dial);
}

/* Replies, and the events between them. */
static void put_answers(world_t *world, realm_node_t *node, size_t limit, size_t *out) {
    const effects_t *effects = &node->effects;
    size_t news = 0;
    for (size_t i = 0; i <= effects->reply_count && *out < limit; i++) {
        for (; news < effects->news_count && effects->news[news].replies_before == i; news++)
            clients_heard(world, node, &effects->news[news]);
        if (i < effects->reply_count)
            clients_told(world, node, &effects->replies[i]);
        *out += i < effects->reply_count ? 1 : 0;
    }
}

/* Lets the effects out, the first `limit` of them. */
static void release(world_t *world, realm_node_t *node, size_t limit) {
    const effects_t *effects = &node->effects;
    size_t out = 0;
    put_keys(node);
    put_answers(world, node, limit, &out);
    for (size_t i = 0; i < effects->send_count && out < limit; i++, out++)
        put_send(world, node, &effects->sends[i]);
    for (size_t i = 0; i < effects->dial_count && out < limit; i++, out++)
        put_dial(world, node, &effects->dials[i]);
    for (size_t i = 0; i < effects->password_count && out < limit; i++, out++)
        put_password(world, node, &effects->passwords[i]);
    if (out < limit)
        hearing_turn_end(world, node->index);
}

/* The store failed: who asked in this turn is told so. */
static void refuse(world_t *world, realm_node_t *node) {
    for (size_t i = 0; i < node->effects.reply_count; i++) {
        reply_t refused = reply_refused(&node->effects.replies[i]);
        clients_told(world, node, &refused);
    }
}

/* Lookups and sweeps are answered at the start of the next turn. */
static void keep_questions(realm_node_t *node) {
    const effects_t *effects = &node->effects;
    node->lookups = memory_grow(node->lookups, &node->lookup_room, effects->lookup_count,
                                sizeof(*node->lookups));
    node->sweeps =
        memory_grow(node->sweeps, &node->sweep_room, effects->sweep_count, sizeof(*node->sweeps));
    node->lookup_count = effects->lookup_count;
    node->sweep_count = effects->sweep_count;
    for (size_t i = 0; i < effects->lookup_count; i++)
        node->lookups[i] = effects->lookups[i];
    for (size_t i = 0; i < effects->sweep_count; i++)
        node->sweeps[i] = effects->sweeps[i];
    node->trim = effects->trim;
}

/* ---- living and dying ---- */

static void die(world_t *world, realm_node_t *node, int64_t rest_us) {
    world_tell(world, "realm %s dies", realm_text(node->index));
    world_trace(world, 0xdead0000U + node->index);
    state_destroy(&node->state);
    effects_reset(&node->effects);
    node->input_count = node->lookup_count = node->sweep_count = 0;
    node->trim = (trim_t){0};
    buffer_reset(&node->input_bytes);
    node->turn_us = NEVER;
    node->crash_armed = false;
    memset(node->allowed, 0, sizeof(node->allowed));
    network_process_died(world, node->index, dice_chance(&node->dice, 400));
    clients_process_died(world, node->index);
    node->start_us = world->now_us + rest_us;
    world_schedule(world, node->start_us, ITEM_START, node->index, 0, 0);
}

static bool crash_is_due(realm_node_t *node) {
    if (!node->crash_armed || node->effects.record_count == 0 || node->crash_kind != 0)
        return false;
    if (node->crash_turns > 0)
        node->crash_turns -= 1;
    return node->crash_turns == 0;
}

/* Commits and lets out, or dies somewhere on the way. False: the process is no more. */
static bool turn_end(world_t *world, realm_node_t *node, size_t heads_max) {
    const effects_t *effects = &node->effects;
    state_batch_end(node->state, world->now_us - node->born_us, heads_max, &node->effects);
    bool crash = crash_is_due(node);
    if (crash && node->crash_point == CRASH_BEFORE_COMMIT) {
        die(world, node, node->crash_rest_us);
        return false;
    }
    memory_store_fail(node->store, node->full_until_us > world->now_us);
    store_error_t error = STORE_OK;
    if (effects->record_count > 0)
        error =
            store_commit(memory_store_base(node->store), effects->records, effects->record_count);
    if (error == STORE_CORRUPT)
        world_violation(world, "store-corrupt", "%s: positions do not ascend",
                        realm_text(node->index));
    if (error != STORE_OK) {
        refuse(world, node);
        die(world, node, 100000);
        return false;
    }
    oracle_committed(world, node->index, effects->records, effects->record_count);
    size_t limit = SIZE_MAX;
    if (crash && node->crash_point == CRASH_BEFORE_SEND)
        limit = 0;
    else if (crash && node->crash_point == CRASH_WHILE_SENDING)
        limit = dice_below(&node->dice, (uint32_t)(effects->reply_count + effects->send_count + 1));
    if (limit > 0)
        release(world, node, limit);
    if (crash) {
        die(world, node, node->crash_rest_us);
        return false;
    }
    return true;
}

static bool ordinary_turn_end(world_t *world, realm_node_t *node) {
    if (!turn_end(world, node, STORE_HEADS_PER_COMMIT))
        return false;
    keep_questions(node);
    effects_reset(&node->effects);
    return true;
}

/* A realm that has something to do for ever, without anybody asking for it. */
static void count_questions(world_t *world, realm_node_t *node) {
    node->questions = node->asked_us == world->now_us ? node->questions + 1 : 0;
    node->asked_us = world->now_us;
    if (node->questions > 10000)
        world_violation(world, "spins", "%s asks its store again and again",
                        realm_text(node->index));
}

void node_turn(world_t *world, realm_node_t *node) {
    node->turn_us = NEVER;
    if (node->stalled_until_us > world->now_us) {
        turn_at(world, node, node->stalled_until_us);
        return;
    }
    if (take_all(world, node) && !ordinary_turn_end(world, node))
        return;
    if (has_questions(node)) {
        count_questions(world, node);
        turn_at(world, node, world->now_us);
    }
    tick_schedule(world, node);
}

void node_tick(world_t *world, realm_node_t *node, const item_t *item) {
    if (node->tick_us != item->at_us)
        return; /* an earlier one took its place */
    node->tick_us = NEVER;
    if (node->state != NULL)
        turn_at(world, node, world->now_us);
}

static bool load_record(void *context, const record_t *record) {
    return state_load(context, record);
}

void node_start(world_t *world, realm_node_t *node) {
    if (node->state != NULL || node->start_us > world->now_us || node->index == world->departed)
        return;
    event_t event = {.kind = EVENT_START};
    node->start_us = NEVER;
    node->life += 1;
    node->born_us = world->now_us;
    node->turn_us = NEVER;
    memset(node->options.secret, 0, KEY_BYTES);
    uint64_t secret = dice_throw(&node->dice);
    memcpy(node->options.secret, &secret, sizeof(secret));
    world_tell(world, "realm %s starts, life %u", realm_text(node->index), node->life);
    node->state = state_new(&node->options);
    store_error_t error = store_load(memory_store_base(node->store), load_record, node->state);
    if (error != STORE_OK || !state_loaded(node->state))
        world_violation(world, "store-corrupt", "%s cannot load its store",
                        realm_text(node->index));
    step(world, node, &event);
    bool goes_on = ordinary_turn_end(world, node);
    /* As the real shell does: what the start asks of the store comes before any request. */
    while (goes_on && has_questions(node)) {
        count_questions(world, node);
        take_questions(world, node);
        goes_on = ordinary_turn_end(world, node);
    }
    if (goes_on)
        turn_at(world, node, world->now_us);
}

void node_begin(world_t *world, unsigned index) {
    realm_node_t *node = &world->realms[index];
    const plan_t *plan = world->plan;
    node->index = (uint8_t)index;
    memset(&node->options, 0, sizeof(node->options));
    node->options.realm = name_of(realm_text(index));
    realm_key(node->options.key, index);
    node->options.advertise =
        (address_t){.length = 4, .text = "here", .port = (uint16_t)(9100 + index)};
    node->options.registration_open = plan->registration[index];
    node->options.accept_any = plan->accept_any[index];
    node->options.version = "simulated";
    node->options.limits = REALM_LIMITS_DEFAULT;
    node->options.limits.retention_ms = plan->retention_ms[index];
    node->store = memory_store_new();
    node->life = 0;
    node->stalled_until_us = node->slow_until_us = node->full_until_us = 0;
    node->skew_ms = 0;
    node->crash_armed = false;
    memset(node->allowed, 0, sizeof(node->allowed));
    node->dice.state = dice_mix(plan->seed * 77 + index);
    node->start_us = 0;
    node->tick_us = NEVER;
    node->questions = 0;
    node_start(world, node);
}

void node_end(world_t *world, unsigned index) {
    realm_node_t *node = &world->realms[index];
    state_destroy(&node->state);
    effects_reset(&node->effects);
    node->input_count = node->lookup_count = node->sweep_count = node->dial_count = 0;
    node->trim = (trim_t){0};
    buffer_reset(&node->input_bytes);
    if (node->store == NULL)
        return;
    store_t *store = memory_store_base(node->store);
    store_close(&store);
    node->store = NULL;
}

void node_free(realm_node_t *node) {
    effects_deinit(&node->effects);
    buffer_deinit(&node->input_bytes);
    memory_free(node->inputs);
    memory_free(node->lookups);
    memory_free(node->sweeps);
    memory_free(node->dials);
}

/* ---- faults ---- */

static void stop(world_t *world, realm_node_t *node, int64_t rest_us) {
    if (turn_end(world, node, SIZE_MAX))
        die(world, node, rest_us);
}

static void crash(realm_node_t *node, const op_t *op) {
    node->crash_armed = true;
    node->crash_point = (crash_point_t)op->variant;
    node->crash_turns = op->count / 4U + 1;
    node->crash_kind = (peer_kind_t)op->name;
    node->crash_rest_us = op->amount;
}

/* For good, if it is the first one. */
static void depart(world_t *world, realm_node_t *node) {
    if (world->departed < REALMS_MAX)
        return;
    world->departed = node->index;
    if (node->state != NULL)
        die(world, node, 0);
}

static void restore(world_t *world, realm_node_t *node, const op_t *op) {
    bool by_hand = op->variant == 1;
    if (!memory_store_restore(node->store, by_hand))
        return;
    oracle_restored(world, node->index, by_hand);
    if (node->state != NULL)
        die(world, node, op->amount);
}

void node_fault(world_t *world, const op_t *op) {
    realm_node_t *node = &world->realms[op->realm];
    bool runs = node->state != NULL;
    if (op->kind == OP_CRASH && runs) {
        crash(node, op);
    } else if (op->kind == OP_STOP && runs) {
        stop(world, node, op->amount);
    } else if (op->kind == OP_FULL) {
        node->full_until_us = world->now_us + op->amount;
    } else if (op->kind == OP_STALL) {
        node->stalled_until_us = world->now_us + op->amount;
    } else if (op->kind == OP_SLOW) {
        node->slow_until_us = world->now_us + op->amount;
    } else if (op->kind == OP_CLOCK) {
        node->skew_ms += op->amount;
    } else if (op->kind == OP_BACKUP) {
        memory_store_backup(node->store);
        oracle_backup(world, node->index);
    } else if (op->kind == OP_RESTORE) {
        restore(world, node, op);
    } else if (op->kind == OP_DEPART) {
        depart(world, node);
    }
}

void node_heal(world_t *world, realm_node_t *node) {
    node->stalled_until_us = node->slow_until_us = node->full_until_us = 0;
    node->crash_armed = false;
    if (node->state == NULL) {
        node->start_us = world->now_us;
        world_schedule(world, world->now_us, ITEM_START, node->index, 0, 0);
    } else {
        turn_at(world, node, world->now_us + restart_us);
    }
}

/* ---- the stranger ---- */

static void strange_records(peer_message_t *message, peer_record_t *record, dice_t *dice) {
    *record = (peer_record_t){.kind = PEER_SENDREALM,
                              .number = 1 + dice_below(dice, 50),
                              .from = span_of("u0"),
                              .to = span_of("u1"),
                              .body = span_of("pesan#1#forged")};
    message->kind = PEER_RECORDS;
    message->records.first = (stream_mark_t){.epoch = 1 + dice_below(dice, 3), .seq = 1};
    message->records.done = dice_below(dice, 100);
    message->records.pulled = dice_chance(dice, 300);
    message->records.record_count = 1;
    message->records.records = record;
}

/* What the stranger can think of; who it says to be is one of the realms, or itself. */
static void strange_message(world_t *world, const op_t *op, peer_message_t *message,
                            peer_record_t *record) {
    static const peer_kind_t kinds[] = {
        PEER_ACKREALM, PEER_REMOTEINBOXREALM,      PEER_RECORDS, PEER_ACK,
        PEER_PING,     PEER_REMOTEINBOXGROUPREALM, PEER_WELCOME, PEER_PONG};
    realm_node_t *node = &world->realms[op->realm];
    name_t claimed = name_of(realm_text(node->options.accept_any ? STRANGER : op->peer));
    memset(message, 0, sizeof(*message));
    message->kind = kinds[op->name % 8];
    message->correlation = op->variant;
    stream_mark_t mark = {.epoch = op->variant, .seq = op->count};
    if (message->kind == PEER_ACKREALM) {
        message->ackrealm.realm = node->options.realm;
        message->ackrealm.from = claimed;
        message->ackrealm.source = (address_t){.length = 7, .text = "nowhere", .port = 1};
        message->ackrealm.standing.mark_count = 1;
        message->ackrealm.standing.marks[0] = mark;
    } else if (message->kind == PEER_REMOTEINBOXREALM ||
               message->kind == PEER_REMOTEINBOXGROUPREALM) {
        message->pull.name = name_of("u0");
        message->pull.realm = claimed;
    } else if (message->kind == PEER_RECORDS) {
        strange_records(message, record, &node->dice);
    } else if (message->kind == PEER_ACK) {
        message->ack.standing.mark_count = 1;
        message->ack.standing.marks[0] = mark;
    }
}

void node_strange(world_t *world, const op_t *op) {
    realm_node_t *node = &world->realms[op->realm];
    if (node->state == NULL)
        return;
    uint32_t connection = network_intrude(world, op->realm);
    const buffer_t *overheard = &world->network.overheard;
    if (op->name >= 8 && overheard->length > 0 && !node->options.accept_any) {
        network_intruder_says(world, connection, (span_t){overheard->bytes, overheard->length});
        return;
    }
    peer_message_t message;
    peer_record_t record;
    strange_message(world, op, &message, &record);
    buffer_reset(&world->scratch);
    peer_encode(&world->scratch, &message);
    network_intruder_says(world, connection, (span_t){world->scratch.bytes, world->scratch.length});
}

void node_stranger_hears(world_t *world, unsigned from, span_t bytes) {
    peer_message_t message;
    if (peer_decode(&message, &world->arena, bytes) == REFUSAL_NONE && message.kind == PEER_RECORDS)
        oracle_overhears(world, from, STRANGER, &message);
    arena_reset(&world->arena);
}
