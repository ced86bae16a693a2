/*
 * Peers that behave and peers that do not. What they say goes through the codec, like all that
 * comes from a network.
 */
#include "puppet.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "base/text.h"
#include "seal.h"
#include "wire/peer_codec.h"

#include <string.h>

static const char *const users[] = {"alice", "bob", "carol", "realm", "Alice", "x y"};
static const char *const groups[] = {"tim", "klub"};
static const char *const texts[] = {"halo", "\xF0\x9F\x8C\x8D", "\xFF", "", "a\"\\\n"};

enum { RECORDS_MAX = 6 };

peer_channel_t puppet_channel(world_t *world) {
    uint8_t choice = input_u8(&world->input);
    peer_channel_t channel = {.dialled = choice % 2 == 0 && world->dial_count > 0};
    if (channel.dialled) {
        /* The newest dials first: the others are mostly dead. */
        const dial_t *dial = &world->dials[world->dial_count - 1 - choice / 2 % world->dial_count];
        channel.number = dial->id;
        memcpy(channel.key, dial->key, KEY_BYTES);
        return channel;
    }
    channel.number = choice / 2 % WORLD_ROUTES;
    const uint8_t *key = channel.number < WORLD_PEERS    ? world->puppets[channel.number].key
                         : channel.number == WORLD_PEERS ? world->strange_key
                                                         : world->options.key;
    memcpy(channel.key, key, KEY_BYTES);
    return channel;
}

static void say(world_t *world, const peer_channel_t *channel, const peer_message_t *message) {
    buffer_t out;
    buffer_init(&out);
    peer_encode(&out, message);
    world_hear(world, channel, (span_t){out.bytes, out.length});
    buffer_deinit(&out);
}

static void proper_standing(const puppet_t *puppet, peer_standing_t *standing) {
    *standing = (peer_standing_t){.mark_count = puppet->mark.epoch != 0};
    standing->marks[0] = puppet->mark;
    standing->rejections = puppet->refusals;
    standing->rejection_count = puppet->refusal_count;
}

/* A seq near one that means something, or any. */
static uint32_t some_seq(input_t *input, uint32_t near) {
    uint8_t choice = input_u8(input);
    if (choice >= 240)
        return input_u32(input);
    return near + choice % 8 - 3;
}

static stream_mark_t some_mark(world_t *world, const puppet_t *puppet) {
    input_t *input = &world->input;
    const uint64_t epochs[] = {puppet->mark.epoch, puppet->epoch, puppet->told.epoch, 0,
                               puppet->epoch + 1000};
    stream_mark_t mark = {.epoch = epochs[input_below(input, 5)]};
    mark.seq =
        some_seq(input, mark.epoch == puppet->mark.epoch ? puppet->mark.seq : puppet->told.seq);
    return mark;
}

static void some_standing(world_t *world, const puppet_t *puppet, arena_t *arena,
                          peer_standing_t *standing) {
    input_t *input = &world->input;
    uint8_t choice = input_u8(input);
    if (choice % 4 == 0) {
        proper_standing(puppet, standing);
        return;
    }
    standing->mark_count = (uint8_t)(choice / 4 % (STREAM_MARKS_MAX + 1));
    for (unsigned i = 0; i < standing->mark_count; i++)
        standing->marks[i] = some_mark(world, puppet);
    standing->rejection_count = (uint16_t)input_below(input, 5);
    peer_rejection_t *rejections = arena_alloc(arena, 5 * sizeof(*rejections));
    for (unsigned i = 0; i < standing->rejection_count; i++) {
        rejections[i].seq = some_seq(input, puppet->mark.seq + i);
        rejections[i].code = (code_t)(1 + input_below(input, CODE_COUNT - 1));
    }
    standing->rejections = rejections;
}

/* A text sealed as a member of the group over there would. */
static span_t sealed(world_t *world, const puppet_t *puppet, arena_t *arena,
                     const peer_record_t *record, span_t text) {
    uint8_t context[SEAL_CONTEXT_BYTES_MAX];
    uint8_t key[KEY_BYTES];
    uint8_t nonce[SEAL_NONCE_BYTES] = {0};
    seal_address_t address = {.origin = name_span(&puppet->name),
                              .realm = name_span(&world->options.realm),
                              .from = record->from,
                              .group = record->to,
                              .number = record->number,
                              .time_ms = record->time_ms};
    size_t context_bytes = seal_context(context, &address);
    uint8_t *out = arena_alloc(arena, text.length + SEAL_OVERHEAD_BYTES);
    world_group_key(key, record->to, span_of("kunci"));
    crypto_seal(out, key, nonce, text.bytes, text.length, context, context_bytes);
    return (span_t){(const char *)out, text.length + SEAL_OVERHEAD_BYTES};
}

static peer_record_t some_record(world_t *world, const puppet_t *puppet, arena_t *arena) {
    input_t *input = &world->input;
    uint8_t choice = input_u8(input);
    peer_record_t record = {.kind = choice % 4 == 0 ? PEER_RECVGROUPREALM : PEER_SENDREALM};
    record.number = input_u8(input);
    record.time_ms = (int64_t)input_u8(input);
    record.from = span_of(users[choice / 4 % 6]);
    span_t text = span_of(texts[input_below(input, 5)]);
    if (record.kind == PEER_SENDREALM) {
        record.to = span_of(users[input_below(input, 6)]);
        record.body = text;
    } else {
        record.to = span_of(groups[choice / 32 % 2]);
        record.body = choice / 64 == 0 ? text : sealed(world, puppet, arena, &record, text);
    }
    return record;
}

/* Records on top of what the realm took last, or of something else. */
static void some_records(world_t *world, const puppet_t *puppet, arena_t *arena,
                         peer_message_t *message) {
    input_t *input = &world->input;
    uint8_t choice = input_u8(input);
    message->kind = PEER_RECORDS;
    message->records.base = choice % 8 == 7 ? some_mark(world, puppet) : puppet->told;
    message->records.first.epoch = choice / 8 % 8 == 7 ? input_u8(input) : puppet->epoch;
    message->records.first.seq =
        choice / 64 == 3 ? some_seq(input, puppet->told.seq) : puppet->told.seq + 1;
    message->records.done = some_seq(input, puppet->told.seq);
    message->records.record_count = (uint16_t)input_below(input, RECORDS_MAX + 1);
    uint32_t first = message->records.first.seq;
    if (first > UINT32_MAX - RECORDS_MAX)
        message->records.record_count = 0;
    peer_record_t *records = arena_alloc(arena, RECORDS_MAX * sizeof(*records));
    for (unsigned i = 0; i < message->records.record_count; i++) {
        records[i] = some_record(world, puppet, arena);
        records[i].seq = first + i;
    }
    message->records.records = records;
}

static void some_greeting(world_t *world, const puppet_t *puppet, arena_t *arena,
                          peer_message_t *message) {
    uint8_t choice = input_u8(&world->input);
    message->ackrealm.realm = choice % 8 == 7 ? puppet->name : world->options.realm;
    message->ackrealm.from = choice / 8 % 8 == 7 ? world->puppets[choice / 64].name : puppet->name;
    message->ackrealm.source = world->options.advertise;
    message->ackrealm.source.port = choice;
    some_standing(world, puppet, arena, &message->ackrealm.standing);
}

static void some_pull(world_t *world, const puppet_t *puppet, arena_t *arena,
                      peer_message_t *message) {
    uint8_t choice = input_u8(&world->input);
    message->pull.name = world->puppets[choice % WORLD_PEERS].name;
    message->pull.realm = choice >= 240 ? world->options.realm : puppet->name;
    some_standing(world, puppet, arena, &message->pull.standing);
}

static void some_body(world_t *world, const puppet_t *puppet, arena_t *arena,
                      peer_message_t *message) {
    input_t *input = &world->input;
    switch (message->kind) {
    case PEER_ACKREALM:
        some_greeting(world, puppet, arena, message);
        break;
    case PEER_WELCOME:
        message->welcome.refusal = (peer_refusal_t)(input_u8(input) / 16 % REFUSAL_COUNT);
        message->welcome.from = puppet->name;
        some_standing(world, puppet, arena, &message->welcome.standing);
        break;
    case PEER_RECORDS:
        message->records.pulled = input_u8(input) % 2 != 0;
        message->records.more = input_u8(input) % 4 == 3;
        some_records(world, puppet, arena, message);
        break;
    case PEER_ACK:
        some_standing(world, puppet, arena, &message->ack.standing);
        break;
    case PEER_REMOTEINBOXREALM:
    case PEER_REMOTEINBOXGROUPREALM:
        some_pull(world, puppet, arena, message);
        break;
    case PEER_PING:
    case PEER_PONG:
        message->ping.stamp = input_u8(input) % 2 == 0 ? input_u64(input) : 0;
        message->ping.done = some_seq(input, puppet->told.seq);
        message->ping.pending = input_u8(input) % 2;
        some_standing(world, puppet, arena, &message->ping.standing);
        break;
    default:
        message->error.refusal = (peer_refusal_t)(1 + input_below(input, REFUSAL_COUNT - 1));
    }
}

void puppet_say(world_t *world) {
    peer_channel_t channel = puppet_channel(world);
    const puppet_t *puppet = world_puppet_keyed(world, channel.key);
    if (puppet == NULL)
        puppet = &world->puppets[0];
    arena_t arena;
    arena_init(&arena);
    peer_message_t message = {.kind = (peer_kind_t)(1 + input_below(&world->input, 9))};
    message.correlation = input_u8(&world->input);
    some_body(world, puppet, &arena, &message);
    say(world, &channel, &message);
    arena_deinit(&arena);
}

void puppet_babble(world_t *world) {
    input_t *input = &world->input;
    peer_channel_t channel = puppet_channel(world);
    size_t kept = world->frame_count < WORLD_FRAMES ? world->frame_count : WORLD_FRAMES;
    uint8_t choice = input_u8(input);
    if (choice % 2 == 0 || kept == 0) {
        world_hear(world, &channel, input_span(input, choice));
        return;
    }
    buffer_t out;
    buffer_init(&out);
    const buffer_t *frame = &world->frames[choice / 2 % kept].bytes;
    buffer_append(&out, frame->bytes, frame->length);
    for (unsigned i = 0; i < 3; i++) {
        size_t place = input_u8(input);
        out.bytes[place % out.length] = (char)input_u8(input);
    }
    world_hear(world, &channel, (span_t){out.bytes, out.length});
    buffer_deinit(&out);
}

const peer_standing_t *puppet_standing(const peer_message_t *message) {
    switch (message->kind) {
    case PEER_ACKREALM:
        return &message->ackrealm.standing;
    case PEER_WELCOME:
        return message->welcome.refusal == REFUSAL_NONE ? &message->welcome.standing : NULL;
    case PEER_ACK:
        return &message->ack.standing;
    case PEER_REMOTEINBOXREALM:
    case PEER_REMOTEINBOXGROUPREALM:
        return &message->pull.standing;
    case PEER_PING:
    case PEER_PONG:
        return &message->ping.standing;
    default:
        return NULL;
    }
}

static void forget_refusals(puppet_t *puppet, uint32_t done) {
    uint16_t kept = 0;
    for (uint16_t i = 0; i < puppet->refusal_count; i++) {
        if (puppet->refusals[i].seq > done)
            puppet->refusals[kept++] = puppet->refusals[i];
    }
    puppet->refusal_count = kept;
}

/* Takes what is new of a run, refusing those records that the input says. */
static void take_records(world_t *world, puppet_t *puppet, const peer_message_t *message) {
    stream_mark_t first = message->records.first;
    stream_mark_t base = message->records.base;
    bool fits = base.epoch == puppet->mark.epoch && base.seq == puppet->mark.seq;
    forget_refusals(puppet, message->records.done);
    for (uint32_t i = 0; i < message->records.record_count && fits; i++) {
        puppet->mark = (stream_mark_t){.epoch = first.epoch, .seq = first.seq + i};
        uint8_t choice = input_u8(&world->input);
        if (choice % 4 == 3 && puppet->refusal_count < PUPPET_REFUSALS)
            puppet->refusals[puppet->refusal_count++] = (peer_rejection_t){
                .seq = puppet->mark.seq, .code = (code_t)(1 + choice / 4 % (CODE_COUNT - 1))};
    }
}

/* Makes the answer of *puppet to *message; false if there is none to give. */
static bool answer_of(world_t *world, puppet_t *puppet, const peer_message_t *message,
                      arena_t *arena, peer_message_t *answer) {
    answer->correlation = message->correlation;
    switch (message->kind) {
    case PEER_ACKREALM:
        answer->kind = PEER_WELCOME;
        answer->welcome.from = puppet->name;
        proper_standing(puppet, &answer->welcome.standing);
        return true;
    case PEER_RECORDS:
        take_records(world, puppet, message);
        answer->kind = PEER_ACK;
        proper_standing(puppet, &answer->ack.standing);
        return true;
    case PEER_REMOTEINBOXREALM:
    case PEER_REMOTEINBOXGROUPREALM:
        some_records(world, puppet, arena, answer);
        answer->records.pulled = true;
        answer->records.more = input_u8(&world->input) % 4 == 3;
        return true;
    case PEER_PING:
        forget_refusals(puppet, message->ping.done);
        answer->kind = PEER_PONG;
        answer->ping.stamp = message->ping.stamp;
        answer->ping.pending = input_u8(&world->input) % 2;
        proper_standing(puppet, &answer->ping.standing);
        return true;
    default:
        return false;
    }
}

void puppet_react(world_t *world) {
    size_t kept = world->frame_count < WORLD_FRAMES ? world->frame_count : WORLD_FRAMES;
    if (kept == 0)
        return;
    size_t back = input_u8(&world->input) % kept;
    const frame_t *frame = &world->frames[(world->frame_count - 1 - back) % WORLD_FRAMES];
    peer_channel_t channel = frame->channel;
    if (channel.dialled)
        memcpy(channel.key, world_dial(world, channel.number)->key, KEY_BYTES);
    puppet_t *puppet = world_puppet_keyed(world, channel.key);
    if (puppet == NULL)
        return;
    peer_message_t message;
    peer_message_t answer = {0};
    arena_t arena;
    arena_init(&arena);
    ASSERT(peer_decode(&message, &arena, (span_t){frame->bytes.bytes, frame->bytes.length}) ==
           REFUSAL_NONE);
    const peer_standing_t *standing = puppet_standing(&message);
    if (standing != NULL)
        puppet->told = standing->mark_count > 0 ? standing->marks[0] : (stream_mark_t){0};
    if (answer_of(world, puppet, &message, &arena, &answer))
        say(world, &channel, &answer);
    arena_deinit(&arena);
}
