/*
 * Lives two short lives of a realm. Must give the same store in every process.
 */
#include "template.h"

#include "base/assert.h"
#include "base/text.h"
#include "scratch.h"
#include "state/operations.h"
#include "state/puppet.h"
#include "store/lmdb.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ALICE, BOB, ADMIN = WORLD_CONNECTIONS - 1 };

/* Answers all that workers and the disk are asked. */
static void settle(world_t *world) {
    while (world->errand_count > 0)
        world_errand_run(world, 0, true);
}

static void say(world_t *world, size_t connection, const char *line) {
    world_say(world, &world->connections[connection], span_of(line));
    settle(world);
}

/* Lets an operation read these choices; behind them all are 0. */
static void choose(world_t *world, const char *choices, size_t count) {
    world->input = (input_t){(const uint8_t *)choices, count};
}

/* A realm that is pinned but not linked. */
static void trust(world_t *world) {
    char line[128];
    (void)snprintf(line, sizeof(line), "TRUSTREALM c %s", world->puppets[1].key_text);
    say(world, ADMIN, line);
}

/* Messages to the peer, of which it takes some and refuses some, and some of its own. */
static void talk_to_peer(world_t *world) {
    static const char refuses[] = {0, 3};
    /* Channel of b, records: to alice, to nobody here, to a group, an empty one. */
    static const char records[] = {1, 2, 7, 0, 0,  0, 3, 4, 5, 1, 0, 0, 0, 5,
                                   2, 0, 0, 2, 64, 3, 0, 0, 5, 4, 0, 3, 0};
    for (size_t i = 0; i < 4; i++) {
        say(world, ALICE, "SENDREALM b bob halo");
        choose(world, refuses, i % 2 == 1 ? sizeof(refuses) : 0);
        puppet_react(world);
    }
    say(world, ALICE, "SENDGROUPREALM b tim halo semua");
    puppet_react(world);
    choose(world, records, sizeof(records));
    puppet_say(world);
    settle(world);
}

static void lose_link(world_t *world) {
    dial_t *dial = &world->dials[world->dial_count - 1];
    event_t event = {.kind = EVENT_DIAL_LOST};
    event.dial.dial = dial->id;
    event.dial.error = DIAL_BROKEN;
    dial->phase = DIAL_DEAD;
    world_step(world, &event);
    settle(world);
}

static void first_life(world_t *world) {
    operations_people(world);
    operations_link_up(world);
    say(world, ADMIN, "ADDUSER carol rahasia");
    say(world, ADMIN, "DELUSER carol");
    trust(world);
    say(world, BOB, "JOINGROUP tim kunci");
    for (size_t i = 0; i < 6; i++) {
        say(world, ALICE, "SEND bob halo");
        say(world, BOB, "SEND alice halo juga");
        say(world, BOB, "SENDGROUP tim halo semua");
    }
    talk_to_peer(world);
    lose_link(world);
    say(world, ALICE, "SENDREALM b bob nanti");
    say(world, BOB, "SENDGROUPREALM b tim nanti");
    world_stop(world);
}

/* What comes behind the checkpoint, in a segment of its own. */
static void second_life(world_t *world) {
    char line[64];
    settle(world);
    (void)snprintf(line, sizeof(line), "RESUME %s", world->tokens[0]);
    say(world, ALICE, line);
    for (size_t i = 0; i < 5; i++)
        say(world, ALICE, "SEND bob lagi");
    say(world, ALICE, "SENDREALM b bob lagi");
    say(world, ALICE, "SENDGROUP tim lagi");
}

store_error_t template_open(store_t **store, const char *directory) {
    name_t realm;
    ASSERT(name_parse(&realm, span_of("a")));
    store_error_t error = store_lmdb_open(store, directory, &realm);
    ASSERT((error == STORE_OK) == (*store != NULL));
    ASSERT(error != STORE_BUSY && error != STORE_FULL);
    return error;
}

/* Makes it in an empty directory, which is empty again afterwards. Fills in a zeroed *template. */
static void make(template_t *template, const char *directory) {
    char path[PATH_MAX];
    store_t *store;
    ASSERT(template_open(&store, directory) == STORE_OK);
    world_t *world = world_new((span_t){0}, store, false);
    first_life(world);
    world_crash(world);
    second_life(world);
    ASSERT(world->token_count >= 2);
    memcpy(template->tokens, world->tokens, sizeof(template->tokens));
    template->token_count = world->token_count;
    /* A backup has no pages that nobody uses. */
    scratch_path(path, directory, "template.mdb");
    ASSERT(store_backup(world->store, path, span_of("note")) == STORE_OK);
    scratch_read(&template->file, path);
    world_destroy(&world);
    ASSERT(unlink(path) == 0);
    scratch_clear(directory);
}

const template_t *template_get(void) {
    static template_t template;
    char directory[PATH_MAX];
    if (template.file.length == 0) {
        scratch_make(directory);
        make(&template, directory);
        scratch_remove(directory);
    }
    return &template;
}
