/*
 * Connections, frames on their way, and what goes wrong with them. Must never change a frame into
 * another one that can be read, nor deliver one to a process it was not sent to.
 */
#include "network.h"

#include "base/memory.h"
#include "node.h"
#include "wire/peer_codec.h"

#include <string.h>

enum { DIALLER, LISTENER };

static connection_t *connection_at(world_t *world, uint32_t index) {
    return &world->network.connections[index];
}

static uint8_t sender_of(const connection_t *connection, unsigned direction) {
    return direction == 0 ? connection->from : connection->to;
}

static uint8_t receiver_of(const connection_t *connection, unsigned direction) {
    return direction == 0 ? connection->to : connection->from;
}

static dice_t *dice_of(world_t *world, unsigned from, unsigned to) {
    return &world->network.dice[from][to];
}

void network_begin(world_t *world) {
    network_t *network = &world->network;
    network->connection_count = 0;
    network->free_frames = 0;
    for (size_t i = network->frame_count; i > 0; i--) {
        network->frames[i - 1].next_free = network->free_frames;
        network->free_frames = (uint32_t)i;
    }
    memset(network->cut_until_us, 0, sizeof(network->cut_until_us));
    memset(network->noise, 0, sizeof(network->noise));
    buffer_reset(&network->overheard);
    for (unsigned i = 0; i <= REALMS_MAX; i++) {
        for (unsigned j = 0; j <= REALMS_MAX; j++)
            network->dice[i][j].state = dice_mix(world->plan->seed * 1000 + i * 16 + j);
    }
}

void network_free(world_t *world) {
    network_t *network = &world->network;
    for (size_t i = 0; i < network->frame_count; i++)
        buffer_deinit(&network->frames[i].bytes);
    memory_free(network->frames);
    memory_free(network->connections);
    buffer_deinit(&network->overheard);
}

static uint32_t frame_new(network_t *network, span_t bytes) {
    uint32_t index = network->free_frames;
    if (index == 0) {
        network->frames = memory_grow(network->frames, &network->frame_room,
                                      network->frame_count + 1, sizeof(*network->frames));
        index = (uint32_t)++network->frame_count;
        memset(&network->frames[index - 1], 0, sizeof(*network->frames));
        buffer_init(&network->frames[index - 1].bytes);
    } else {
        network->free_frames = network->frames[index - 1].next_free;
    }
    frame_t *frame = &network->frames[index - 1];
    frame->next_held = 0;
    buffer_reset(&frame->bytes);
    buffer_append(&frame->bytes, bytes.bytes, bytes.length);
    return index;
}

static void frame_free(network_t *network, uint32_t index) {
    network->frames[index - 1].next_free = network->free_frames;
    network->free_frames = index;
}

static int64_t latency_us(world_t *world, unsigned from, unsigned to) {
    dice_t *dice = dice_of(world, from, to);
    return world->healed ? 300 : 100 + (int64_t)dice_below(dice, 3000);
}

static bool is_cut(const world_t *world, unsigned from, unsigned to) {
    return from < REALMS_MAX && to < REALMS_MAX &&
           world->network.cut_until_us[from][to] > world->now_us;
}

static bool is_alive(const world_t *world, unsigned realm, uint32_t life) {
    return realm == STRANGER ||
           (world->realms[realm].state != NULL && world->realms[realm].life == life);
}

/* ---- connecting ---- */

static uint32_t connection_new(world_t *world, unsigned from, unsigned to) {
    network_t *network = &world->network;
    network->connections =
        memory_grow(network->connections, &network->connection_room, network->connection_count + 1,
                    sizeof(*network->connections));
    connection_t *connection = &network->connections[network->connection_count];
    *connection = (connection_t){.from = (uint8_t)from, .to = (uint8_t)to};
    return (uint32_t)network->connection_count++;
}

static void dial_put(realm_node_t *node, uint64_t dial, uint32_t value) {
    size_t had = node->dial_room;
    node->dials = memory_grow(node->dials, &node->dial_room, dial + 1, sizeof(*node->dials));
    if (node->dial_room > had)
        memset(&node->dials[had], 0, (node->dial_room - had) * sizeof(*node->dials));
    if (dial >= node->dial_count)
        node->dial_count = dial + 1;
    node->dials[dial] = value;
}

static uint32_t dial_get(const realm_node_t *node, uint64_t dial) {
    return dial < node->dial_count ? node->dials[dial] : 0;
}

/* Which realm listens at a port, REALMS_MAX if none does. */
static unsigned realm_at(const world_t *world, const address_t *address) {
    unsigned index = address->port - 9100U;
    return index < world->plan->realm_count ? index : REALMS_MAX;
}

void network_dial(world_t *world, realm_node_t *node, const dial_effect_t *dial) {
    unsigned to = realm_at(world, &dial->address);
    uint32_t index = connection_new(world, node->index, to);
    connection_t *connection = connection_at(world, index);
    connection->from_life = node->life;
    connection->dial = dial->dial;
    connection->wanted = node_of_key(dial->key);
    dial_put(node, dial->dial, index + 1);
    bool silent =
        to < REALMS_MAX && (is_cut(world, node->index, to) || is_cut(world, to, node->index));
    int64_t wait_us = silent ? HANDSHAKE_MS * 1000LL : 2 * latency_us(world, node->index, to);
    world_schedule(world, world->now_us + wait_us, ITEM_DIAL, index, silent, 0);
}

/* The error of an attempt to connect, 0 if it works. */
static dial_error_t dial_error(const world_t *world, const connection_t *connection, bool silent) {
    if (silent)
        return DIAL_TIMEOUT;
    if (connection->to >= REALMS_MAX || world->realms[connection->to].state == NULL)
        return DIAL_REFUSED;
    if (connection->wanted != connection->to)
        return DIAL_WRONG_KEY;
    const realm_node_t *node = &world->realms[connection->to];
    if (!node->options.accept_any && !node->allowed[connection->from])
        return DIAL_REJECTED;
    return 0;
}

void network_decide(world_t *world, const item_t *item) {
    connection_t *connection = connection_at(world, item->a);
    if (connection->phase == CONNECTION_GONE)
        return;
    if (!is_alive(world, connection->from, connection->from_life)) {
        connection->phase = CONNECTION_GONE;
        return;
    }
    dial_error_t error = dial_error(world, connection, item->b != 0);
    connection->phase = error == 0 ? CONNECTION_UP : CONNECTION_GONE;
    if (error == 0)
        connection->to_life = world->realms[connection->to].life;
    node_dial_decided(world, &world->realms[connection->from], connection->dial, error);
}

static void forget_held(world_t *world, connection_t *connection) {
    for (unsigned direction = 0; direction < 2; direction++) {
        for (uint32_t held = connection->held_first[direction]; held != 0;) {
            uint32_t next = world->network.frames[held - 1].next_held;
            frame_free(&world->network, held);
            held = next;
        }
        connection->held_first[direction] = connection->held_last[direction] = 0;
    }
}

void network_hang_up(world_t *world, realm_node_t *node, uint64_t dial) {
    uint32_t index = dial_get(node, dial);
    if (index == 0)
        return;
    dial_put(node, dial, 0);
    connection_t *connection = connection_at(world, index - 1);
    connection->hung_up = true;
    if (connection->phase == CONNECTION_DIALLING)
        connection->phase = CONNECTION_GONE;
}

void network_lost(world_t *world, const item_t *item) {
    connection_t *connection = connection_at(world, item->a);
    bool noticed = connection->noticed;
    connection->phase = CONNECTION_GONE;
    connection->noticed = true;
    forget_held(world, connection);
    if (noticed || connection->hung_up || !is_alive(world, connection->from, connection->from_life))
        return;
    node_dial_decided(world, &world->realms[connection->from], connection->dial, DIAL_BROKEN);
}

/* The connection is no more; the dialling side notices after a while, the other never. */
static void connection_break(world_t *world, uint32_t index) {
    connection_t *connection = connection_at(world, index);
    bool was_up = connection->phase == CONNECTION_UP;
    connection->phase = CONNECTION_GONE;
    forget_held(world, connection);
    if (was_up && connection->from != STRANGER)
        world_schedule(world, world->now_us + latency_us(world, connection->to, connection->from),
                       ITEM_LOST, index, 0, 0);
}

void network_break(world_t *world, unsigned a, unsigned b) {
    for (size_t i = 0; i < world->network.connection_count; i++) {
        const connection_t *connection = &world->network.connections[i];
        bool between = (connection->from == a && connection->to == b) ||
                       (connection->from == b && connection->to == a);
        if (between && connection->phase == CONNECTION_UP)
            connection_break(world, (uint32_t)i);
    }
}

/* Whether this connection ends with the process; dials to a realm that is down are decided later.
 */
static bool ends_with(const connection_t *connection, unsigned realm) {
    if (connection->phase == CONNECTION_GONE)
        return false;
    return connection->from == realm ||
           (connection->to == realm && connection->phase == CONNECTION_UP);
}

/* What the process had given to the kernel still arrives, then the other side notices the end: if
 * nothing is in between. */
static void connection_finish(world_t *world, uint32_t index) {
    const connection_t *connection = connection_at(world, index);
    int64_t at_us =
        connection->newest_us[1] > world->now_us ? connection->newest_us[1] : world->now_us;
    if (connection->from != STRANGER && !is_cut(world, connection->to, connection->from))
        world_schedule(world, at_us + latency_us(world, connection->to, connection->from),
                       ITEM_LOST, index, 0, 0);
}

void network_process_died(world_t *world, unsigned realm, bool abruptly) {
    for (uint32_t i = 0; i < world->network.connection_count; i++) {
        if (!ends_with(connection_at(world, i), realm))
            continue;
        if (abruptly || connection_at(world, i)->phase == CONNECTION_DIALLING)
            connection_break(world, i);
        else
            connection_finish(world, i);
    }
    world->realms[realm].dial_count = 0;
}

/* ---- frames ---- */

static void frame_schedule(world_t *world, uint32_t index, unsigned direction, uint32_t frame,
                           bool late) {
    connection_t *connection = connection_at(world, index);
    int64_t at_us = world->now_us + latency_us(world, sender_of(connection, direction),
                                               receiver_of(connection, direction));
    if (late)
        at_us += 20000;
    else if (at_us < connection->newest_us[direction])
        at_us = connection->newest_us[direction];
    if (!late)
        connection->newest_us[direction] = at_us;
    world_schedule(world, at_us, ITEM_FRAME, index, direction, frame);
}

/* Breaks a frame so that it cannot be read; one that still can is thrown away, as CURVE would. */
static bool frame_garble(world_t *world, dice_t *dice, frame_t *frame) {
    if (frame->bytes.length == 0)
        return false;
    if (dice_chance(dice, 300))
        frame->bytes.length = dice_below(dice, (uint32_t)frame->bytes.length);
    else
        frame->bytes.bytes[dice_below(dice, (uint32_t)frame->bytes.length)] ^=
            (char)(1U << dice_below(dice, 8));
    peer_message_t message;
    span_t bytes = {frame->bytes.bytes, frame->bytes.length};
    bool readable = peer_decode(&message, &world->arena, bytes) == REFUSAL_NONE;
    arena_reset(&world->arena);
    return !readable;
}

static void frame_send(world_t *world, uint32_t index, unsigned direction, span_t bytes) {
    const connection_t *connection = connection_at(world, index);
    unsigned from = sender_of(connection, direction);
    unsigned to = receiver_of(connection, direction);
    dice_t *dice = dice_of(world, from, to);
    const noise_t *noise =
        from < REALMS_MAX && to < REALMS_MAX ? &world->network.noise[from][to] : NULL;
    bool noisy = noise != NULL && noise->until_us > world->now_us;
    if (noisy && dice_chance(dice, noise->loss))
        return;
    bool late = noisy && !world->plan->faithful && dice_chance(dice, noise->late);
    bool twice = noisy && !world->plan->faithful && dice_chance(dice, noise->twice);
    bool garbled = noisy && dice_chance(dice, noise->garbage);
    uint32_t frame = frame_new(&world->network, bytes);
    if (garbled && !frame_garble(world, dice, &world->network.frames[frame - 1]))
        frame_free(&world->network, frame);
    else
        frame_schedule(world, index, direction, frame, late);
    if (twice)
        frame_schedule(world, index, direction, frame_new(&world->network, bytes), true);
}

void network_send(world_t *world, realm_node_t *node, const peer_channel_t *channel, span_t frame) {
    uint64_t number = channel->dialled ? dial_get(node, channel->number) : channel->number;
    if (number == 0 || number > world->network.connection_count)
        return;
    uint32_t index = (uint32_t)number - 1;
    const connection_t *connection = connection_at(world, index);
    unsigned direction = channel->dialled ? 0 : 1;
    uint32_t life = direction == 0 ? connection->from_life : connection->to_life;
    if (connection->phase != CONNECTION_UP || life != node->life)
        return;
    frame_send(world, index, direction, frame);
}

static void frame_arrive(world_t *world, uint32_t index, unsigned direction, uint32_t frame) {
    const connection_t *connection = connection_at(world, index);
    unsigned to = receiver_of(connection, direction);
    const buffer_t *bytes = &world->network.frames[frame - 1].bytes;
    if (to == STRANGER) {
        node_stranger_hears(world, sender_of(connection, direction),
                            (span_t){bytes->bytes, bytes->length});
        return;
    }
    uint32_t life = direction == 0 ? connection->to_life : connection->from_life;
    bool deaf = direction == 1 && connection->hung_up;
    if (deaf || !is_alive(world, to, life))
        return;
    uint64_t number = direction == 1 ? connection->dial : index + 1U;
    node_frame(world, &world->realms[to], sender_of(connection, direction), direction == 1, number,
               (span_t){bytes->bytes, bytes->length});
    if (dice_of(world, to, STRANGER)->state % 16 == 0) {
        buffer_reset(&world->network.overheard);
        buffer_append(&world->network.overheard, bytes->bytes, bytes->length);
    }
    (void)dice_throw(dice_of(world, to, STRANGER));
}

static void frame_hold(world_t *world, connection_t *connection, unsigned direction,
                       uint32_t frame) {
    if (connection->held_last[direction] == 0)
        connection->held_first[direction] = frame;
    else
        world->network.frames[connection->held_last[direction] - 1].next_held = frame;
    connection->held_last[direction] = frame;
}

void network_frame(world_t *world, const item_t *item) {
    connection_t *connection = connection_at(world, item->a);
    bool gone = connection->phase != CONNECTION_UP;
    bool cut = is_cut(world, sender_of(connection, item->b), receiver_of(connection, item->b));
    world->events += 1;
    if (!gone && (cut || connection->held_first[item->b] != 0)) {
        if (world->plan->faithful) {
            frame_hold(world, connection, item->b, item->c);
            return;
        }
        gone = cut;
    }
    if (!gone)
        frame_arrive(world, item->a, item->b, item->c);
    frame_free(&world->network, item->c);
}

static void held_release(world_t *world, uint32_t index, unsigned direction) {
    connection_t *connection = connection_at(world, index);
    uint32_t held = connection->held_first[direction];
    connection->held_first[direction] = connection->held_last[direction] = 0;
    while (held != 0) {
        uint32_t next = world->network.frames[held - 1].next_held;
        frame_arrive(world, index, direction, held);
        frame_free(&world->network, held);
        held = next;
    }
}

void network_mend(world_t *world) {
    for (uint32_t i = 0; i < world->network.connection_count; i++) {
        for (unsigned direction = 0; direction < 2; direction++) {
            const connection_t *connection = connection_at(world, i);
            if (connection->held_first[direction] != 0 &&
                !is_cut(world, sender_of(connection, direction),
                        receiver_of(connection, direction)))
                held_release(world, i, direction);
        }
    }
}

void network_cut(world_t *world, unsigned from, unsigned to, int64_t until_us) {
    world->network.cut_until_us[from][to] = until_us;
    world_schedule(world, until_us, ITEM_MEND, 0, 0, 0);
}

void network_noise(world_t *world, const op_t *op) {
    world->network.noise[op->realm][op->peer] = (noise_t){.until_us = world->now_us + op->amount,
                                                          .loss = op->count,
                                                          .twice = op->bytes,
                                                          .late = op->name,
                                                          .garbage = op->variant};
}

void network_heal(world_t *world) {
    memset(world->network.cut_until_us, 0, sizeof(world->network.cut_until_us));
    memset(world->network.noise, 0, sizeof(world->network.noise));
    network_mend(world);
}

uint32_t network_intrude(world_t *world, unsigned to) {
    uint32_t index = connection_new(world, STRANGER, to);
    connection_t *connection = connection_at(world, index);
    connection->phase = CONNECTION_UP;
    connection->to_life = world->realms[to].life;
    return index;
}

void network_intruder_says(world_t *world, uint32_t connection, span_t frame) {
    frame_send(world, connection, 0, frame);
}
