/*
 * One-byte operations and the choices behind them: requests, answers of workers and the disk,
 * peers, clocks, crashes.
 */
#include "operations.h"

#include "base/text.h"
#include "grammar.h"
#include "puppet.h"

#include <string.h>

enum { STEPS_MAX = 500 };

typedef void operation_t(world_t *world);

static connection_t *some_connection(world_t *world) {
    return &world->connections[input_below(&world->input, WORLD_CONNECTIONS)];
}

static void request(world_t *world) {
    buffer_t line;
    buffer_init(&line);
    connection_t *connection = some_connection(world);
    grammar_line(world, &line);
    world_say(world, connection, (span_t){line.bytes, line.length});
    buffer_deinit(&line);
}

static void request_with_ref(world_t *world) {
    buffer_t line;
    buffer_init(&line);
    connection_t *connection = some_connection(world);
    grammar_ref(world, &line);
    grammar_line(world, &line);
    world_say(world, connection, (span_t){line.bytes, line.length});
    buffer_deinit(&line);
}

/* Bytes as they come, up to a line's end. */
static void raw_line(world_t *world) {
    connection_t *connection = some_connection(world);
    span_t line = input_span(&world->input, input_u8(&world->input));
    const char *feed = line.length == 0 ? NULL : memchr(line.bytes, '\n', line.length);
    if (feed != NULL)
        line.length = (size_t)(feed - line.bytes);
    world_say(world, connection, line);
}

static void hang_up(world_t *world) {
    world_hang_up(world, some_connection(world));
}

static void errand(world_t *world) {
    uint8_t choice = input_u8(&world->input);
    if (world->errand_count > 0)
        world_errand_run(world, choice / 8 % world->errand_count, choice % 8 != 7);
}

/* The oldest errand, as it would be most often. */
static void next_errand(world_t *world) {
    if (world->errand_count > 0)
        world_errand_run(world, 0, true);
}

static dial_t *some_dial(world_t *world) {
    uint8_t choice = input_u8(&world->input);
    return world->dial_count == 0
               ? NULL
               : &world->dials[world->dial_count - 1 - choice % world->dial_count];
}

static void dialled(world_t *world) {
    dial_t *dial = some_dial(world);
    if (dial == NULL || dial->phase != DIAL_RINGS)
        return;
    event_t event = {.kind = EVENT_DIALLED};
    event.dial.dial = dial->id;
    dial->phase = DIAL_TALKS;
    world_step(world, &event);
}

/* Of a dial that was closed the news may still be on its way. */
static void dial_lost(world_t *world) {
    dial_t *dial = some_dial(world);
    if (dial == NULL)
        return;
    event_t event = {.kind = EVENT_DIAL_LOST};
    event.dial.dial = dial->id;
    event.dial.error = (dial_error_t)(1 + input_below(&world->input, DIAL_BROKEN));
    dial->phase = DIAL_DEAD;
    world_step(world, &event);
}

static void wait(world_t *world) {
    static const int64_t waits_ms[] = {0, 1, 100, 1000, 2000, 5000, 31000, 3600000, 432000001};
    world_tick(world, waits_ms[input_below(&world->input, 9)] * 1000);
}

static void wait_until_due(world_t *world) {
    int64_t due_us = state_next_tick_us(world->state);
    int64_t now_us = world->clock_us - world->born_us;
    if (due_us != INT64_MAX)
        world_tick(world, due_us > now_us ? due_us - now_us : 0);
}

/* UTC jumps; the uptime does not. */
static void clock_jump(world_t *world) {
    static const int64_t jumps_ms[] = {-1000,     3600000,        -864000000,
                                       864000000, -2000000000000, 1LL << 44};
    world->skew_ms = jumps_ms[input_below(&world->input, 6)];
}

/* The operator's settings are read anew. */
static void settings(world_t *world) {
    event_t event = {.kind = EVENT_SETTINGS};
    uint8_t choice = input_u8(&world->input);
    world->options.limits = world_limits(choice / 4);
    event.settings.limits = &world->options.limits;
    event.settings.registration_open = world->options.registration_open = choice % 2 != 0;
    event.settings.accept_any = world->options.accept_any = choice / 2 % 2 != 0;
    world_step(world, &event);
}

static void batch(world_t *world) {
    world->batching = !world->batching;
    if (!world->batching)
        world_turn_end(world);
}

/* A clean stop and a new start. */
static void restart(world_t *world) {
    world->batching = false;
    world_turn_end(world);
    world_stop(world);
    world_crash(world);
}

static void hold(world_t *world) {
    world->holding = !world->holding;
}

void operations_link_up(world_t *world) {
    static const char line[] = "ADDREALM b 127.0.0.1 9101 ";
    char whole[sizeof(line) + KEY_TEXT_BYTES];
    memcpy(whole, line, sizeof(line) - 1);
    memcpy(whole + sizeof(line) - 1, world->puppets[0].key_text, KEY_TEXT_BYTES + 1);
    world_say(world, &world->connections[WORLD_CONNECTIONS - 1], span_of(whole));
    dialled(world);
    puppet_react(world);
}

void operations_people(world_t *world) {
    static const char *const lines[] = {"ADDUSER alice rahasia", "ADDUSER bob rahasia operator"};
    for (size_t i = 0; i < 2; i++) {
        world_say(world, &world->connections[WORLD_CONNECTIONS - 1], span_of(lines[i]));
        next_errand(world);
    }
    world_say(world, &world->connections[0], span_of("AUTH alice rahasia"));
    next_errand(world);
    world_say(world, &world->connections[1], span_of("AUTH bob rahasia"));
    next_errand(world);
    world_say(world, &world->connections[0], span_of("ADDGROUP tim kunci"));
    next_errand(world);
}

/* In order of how often they are wanted: each fills as many places as it is worth. */
static operation_t *const operations[] = {request,
                                          request,
                                          request,
                                          request,
                                          request,
                                          next_errand,
                                          next_errand,
                                          errand,
                                          puppet_react,
                                          puppet_react,
                                          puppet_say,
                                          puppet_say,
                                          puppet_say,
                                          puppet_babble,
                                          raw_line,
                                          hang_up,
                                          dialled,
                                          dialled,
                                          dial_lost,
                                          wait,
                                          wait_until_due,
                                          wait_until_due,
                                          clock_jump,
                                          batch,
                                          hold,
                                          world_crash,
                                          world_keep_backup,
                                          world_restore,
                                          settings,
                                          restart,
                                          operations_people,
                                          operations_link_up,
                                          request_with_ref,
                                          request_with_ref};
enum { OPERATION_COUNT = sizeof(operations) / sizeof(operations[0]) };

/* Lookups and sweeps are read at the start of the next turn, unless they are held. */
static void read_what_is_asked(world_t *world) {
    for (size_t i = 0; i < world->errand_count && !world->holding;) {
        if (world->errands[i].event.kind == EVENT_PASSWORD)
            i++;
        else
            world_errand_run(world, i, true);
    }
}

void operations_run(world_t *world) {
    while (!input_ended(&world->input) && world->steps < STEPS_MAX && !world->stopped) {
        operations[input_below(&world->input, OPERATION_COUNT)](world);
        read_what_is_asked(world);
    }
}
