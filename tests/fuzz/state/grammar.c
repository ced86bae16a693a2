/*
 * Reads the usage of a command ("SENDREALM <realm> <user> <message>") as a grammar.
 */
#include "grammar.h"

#include "base/text.h"
#include "command.h"

#include <stdio.h>
#include <string.h>

/* What may stand where the usage says <word>. */
typedef struct pool {
    const char *word;
    const char *const *values;
    size_t count;
} pool_t;

static const char *const users[] = {"alice", "bob", "carol", "dewi", "ALICE", "realm", "-x"};
static const char *const passwords[] = {"rahasia", "kunci", "lain"};
static const char *const groups[] = {"tim", "klub", "Tim"};
static const char *const realms[] = {"b", "c", "d", "e", "a", "B", "*"};
static const char *const texts[] = {"halo", " dua  spasi ", "\xF0\x9F\x8C\x8D", "\xFF", "\"\\\x01"};
static const char *const addresses[] = {"127.0.0.1", "::1", "tempat.example"};
static const char *const numbers[] = {"1", "2", "0", "9100", "1000", "4294967295", "x"};
static const char *const operators[] = {"operator", "raja"};

#define POOL(word, values)                                                                         \
    { word, values, sizeof(values) / sizeof((values)[0]) }
static const pool_t pools[] = {POOL("user", users),    POOL("password", passwords),
                               POOL("group", groups),  POOL("realm", realms),
                               POOL("message", texts), POOL("address", addresses),
                               POOL("port", numbers),  POOL("seq", numbers),
                               POOL("n", numbers),     POOL("operator", operators)};
enum { POOL_COUNT = sizeof(pools) / sizeof(pools[0]) };

static void put_pool(world_t *world, buffer_t *line, const pool_t *pool) {
    buffer_text(line, pool->values[input_u8(&world->input) % pool->count]);
}

static void put_number(buffer_t *line, const char *before, uint64_t number) {
    char text[64];
    (void)snprintf(text, sizeof(text), "%s%llu", before, (unsigned long long)number);
    buffer_text(line, text);
}

/* What is made anew in each world: keys, tokens, ids of messages. */
static bool put_fresh(world_t *world, buffer_t *line, span_t word) {
    uint8_t choice = input_u8(&world->input);
    if (span_equal(word, span_of("key")))
        buffer_text(line, world->puppets[choice % WORLD_PEERS].key_text);
    else if (span_equal(word, span_of("token")))
        buffer_text(line, world->tokens[choice % WORLD_TOKENS]);
    else if (span_equal(word, span_of("id")))
        put_number(line, "a:", world->newest_number - choice % 8);
    else
        return false;
    return true;
}

static void put_argument(world_t *world, buffer_t *line, span_t word) {
    uint8_t choice = input_u8(&world->input);
    if (choice >= 248) { /* something out of place */
        put_pool(world, line, &pools[choice % POOL_COUNT]);
        return;
    }
    for (size_t i = 0; i < POOL_COUNT; i++) {
        if (span_equal(word, span_of(pools[i].word))) {
            put_pool(world, line, &pools[i]);
            return;
        }
    }
    if (!put_fresh(world, line, word))
        buffer_text(line, "?");
}

static void put_paging(world_t *world, buffer_t *line) {
    static const char *const words[] = {" AFTER ", " BEFORE ", " LIMIT ", " after "};
    uint8_t choice = input_u8(&world->input);
    for (unsigned i = 0; i < (unsigned)choice % 3; i++) {
        buffer_text(line, words[choice / 4 % 4]);
        put_number(line, "", input_u8(&world->input));
        choice = input_u8(&world->input);
    }
}

/* The arguments that stand in a usage: <word> always, [word] sometimes, [AFTER ...] as paging. */
static void put_arguments(world_t *world, buffer_t *line, const char *usage) {
    const char *at = usage + strcspn(usage, "<[");
    while (*at != '\0') {
        size_t length = strcspn(at + 1, ">]");
        span_t word = {at + 1, length};
        if (memchr(word.bytes, ' ', word.length) != NULL) {
            put_paging(world, line);
            return;
        }
        if (*at == '<' || input_u8(&world->input) % 2 == 0) {
            buffer_text(line, " ");
            put_argument(world, line, word);
        }
        at += 1 + length;
        at += strcspn(at, "<[");
    }
}

void grammar_ref(world_t *world, buffer_t *line) {
    static const char *const refs[] = {"@r ", "@s ", "@A-1._z ", "@r  ", "@", "@r @s "};
    buffer_text(line, refs[input_u8(&world->input) % (sizeof(refs) / sizeof(refs[0]))]);
}

void grammar_line(world_t *world, buffer_t *line) {
    size_t count;
    const command_t *rows = command_table(&count);
    uint8_t choice = input_u8(&world->input);
    const command_t *row = &rows[choice % count];
    if (choice / count >= 4) /* a quarter of them may be sent again */
        put_number(line, "@r", choice / count);
    if (line->length > 0)
        buffer_text(line, " ");
    buffer_text(line, row->word);
    put_arguments(world, line, row->usage);
}
