/*
 * The tables of a realm: rows by id, found by name or key. Keeps them in step with each other;
 * knows nothing of requests, peers or the store.
 */
#include "model.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "base/memory.h"
#include "base/text.h"

#include <string.h>

/* The smallest list of a user's: most users are in few groups and listen on one connection. */
#define LIST_ROOM_MIN 2

static uint32_t id_of(const map_t *map, const void *key) {
    const uint32_t *id = map_get(map, key);
    return id == NULL ? 0 : *id;
}

static uint32_t name_hash(const index_t *index, const name_t *name) {
    return index_hash(index, name->text, name->length);
}

/* As name_equal, without a look at the zeros behind the text. */
static bool name_same(const name_t *a, const name_t *b) {
    return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

/* Begins to bring what a message to a user touches, both lines at once, into the cache. */
static void user_fetch(const user_t *user) {
    __builtin_prefetch(&user->mailbox);
    __builtin_prefetch(&user->record);
}

user_t *user_named(const state_t *state, const name_t *name) {
    uint32_t hash = name_hash(state->user_names, name);
    size_t cursor = 0;
    for (;;) {
        uint32_t id = index_next(state->user_names, hash, &cursor);
        user_t *user = id == 0 ? NULL : user_row(state, id);
        if (user != NULL)
            user_fetch(user);
        if (user == NULL || name_same(&user->record.name, name))
            return user;
    }
}

static expected_t *expected_at(state_t *state, size_t number) {
    return &state->expected[number % EXPECTED_ROOM];
}

void user_expect(state_t *state, ticket_t ticket, const name_t *name) {
    expected_t *newest = expected_at(state, state->expected_count);
    *newest = (expected_t){.ticket = ticket, .hash = name_hash(state->user_names, name)};
    index_prefetch(state->user_names, newest->hash);
    state->expected_count += 1;
    if (state->expected_count - state->expected_first > EXPECTED_ROOM)
        state->expected_first += 1;
    expected_t *fetched = expected_at(state, state->expected_count - 1 - EXPECTED_FETCH);
    size_t cursor = 0;
    fetched->user = index_next(state->user_names, fetched->hash, &cursor);
    if (fetched->user != 0)
        user_fetch(user_row(state, fetched->user));
}

/* The row may be of another name with the same hash, and its user may have been removed since. */
const user_t *user_expected(state_t *state, ticket_t ticket, span_t name) {
    for (size_t i = state->expected_first; i < state->expected_count; i++) {
        const expected_t *expected = expected_at(state, i);
        if (expected->ticket.connection != ticket.connection ||
            expected->ticket.slot != ticket.slot)
            continue;
        state->expected_first = i + 1;
        const user_t *user = user_find(state, expected->user);
        return user != NULL && span_equal(name_span(&user->record.name), name) ? user : NULL;
    }
    return NULL;
}

user_t *user_sender(const state_t *state, const message_t *message) {
    name_t name;
    ASSERT(message->origin.length == 0);
    user_t *user = name_parse(&name, message->from) ? user_named(state, &name) : NULL;
    return user != NULL && message->position >= user->record.since ? user : NULL;
}

group_t *group_find(const state_t *state, uint32_t id) {
    if (id == 0 || id > state->group_count || state->groups[id - 1].record.gone)
        return NULL;
    return &state->groups[id - 1];
}

group_t *group_named(const state_t *state, const name_t *name) {
    uint32_t hash = name_hash(state->group_names, name);
    size_t cursor = 0;
    for (;;) {
        uint32_t id = index_next(state->group_names, hash, &cursor);
        group_t *group = id == 0 ? NULL : &state->groups[id - 1];
        if (group == NULL || name_same(&group->record.name, name))
            return group;
    }
}

realm_t *realm_find(const state_t *state, uint32_t id) {
    return id == 0 || id > state->realm_count ? NULL : &state->realms[id - 1];
}

static realm_t *pinned_only(realm_t *realm) {
    return realm == NULL || realm->record.gone || realm->record.leaving ? NULL : realm;
}

realm_t *realm_named(const state_t *state, const name_t *name) {
    return pinned_only(realm_find(state, id_of(state->realm_names, name)));
}

realm_t *realm_keyed(const state_t *state, const uint8_t key[KEY_BYTES]) {
    return pinned_only(realm_find(state, id_of(state->realm_keys, key)));
}

realm_t *realm_linked(const state_t *state, const name_t *name) {
    realm_t *realm = realm_named(state, name);
    return realm == NULL || !realm->record.linked ? NULL : realm;
}

bool mark_equal(stream_mark_t a, stream_mark_t b) {
    return a.epoch == b.epoch && a.seq == b.seq;
}

void realm_touch(state_t *state, realm_t *realm) {
    if (realm->touched)
        return;
    realm->touched = true;
    state->touched = memory_grow(state->touched, &state->touched_room, state->touched_count + 1,
                                 sizeof(*state->touched));
    state->touched[state->touched_count++] = realm->record.id;
}

static void put_id(map_t *map, const void *key, uint32_t id) {
    *(uint32_t *)map_put(map, key) = id;
}

/* Makes room for row `id` in a table whose ids count from 1 without holes; the new row is zeroed.
 * False if it would leave a hole. */
static bool table_reach(void **rows, size_t *room, size_t *count, uint32_t id, size_t row_bytes) {
    if (id == 0 || id > *count + 1)
        return false;
    if (id <= *count)
        return true;
    *rows = memory_grow(*rows, room, *count + 1, row_bytes);
    memset((char *)*rows + *count * row_bytes, 0, row_bytes);
    *count += 1;
    return true;
}

/* table_reach for the users, whose rows never move. */
static bool users_reach(state_t *state, uint32_t id) {
    if (id == 0 || id > state->user_count + 1)
        return false;
    if (id <= state->user_count)
        return true;
    if (state->user_count == state->user_block_count * USERS_PER_BLOCK) {
        state->user_blocks = memory_grow(state->user_blocks, &state->user_block_room,
                                         state->user_block_count + 1, sizeof(*state->user_blocks));
        state->user_blocks[state->user_block_count++] =
            memory_alloc_lines(USERS_PER_BLOCK * sizeof(user_t));
    }
    state->user_count += 1;
    return true;
}

/* Puts a row's name into its index, or takes it out; `known`: it stands there. */
static void name_put(index_t *index, const name_t *name, uint32_t id, bool known, bool gone) {
    if (known == !gone)
        return;
    uint32_t hash = name_hash(index, name);
    if (gone) {
        bool removed = index_remove(index, hash, id);
        ASSERT(removed);
    } else {
        index_add(index, hash, id);
    }
}

bool model_put_user(state_t *state, const user_record_t *record) {
    if (!users_reach(state, record->id))
        return false;
    user_t *user = user_row(state, record->id);
    bool known = user->record.id != 0 && !user->record.gone;
    if (user->record.id != 0 && !name_same(&user->record.name, &record->name))
        return false;
    user->record = *record;
    name_put(state->user_names, &record->name, record->id, known, record->gone);
    return true;
}

bool model_put_group(state_t *state, const group_record_t *record) {
    void *rows = state->groups;
    bool fits =
        table_reach(&rows, &state->group_room, &state->group_count, record->id, sizeof(group_t));
    state->groups = rows;
    if (!fits)
        return false;
    group_t *group = &state->groups[record->id - 1];
    bool known = group->record.id != 0 && !group->record.gone;
    if (group->record.id != 0 && !name_same(&group->record.name, &record->name))
        return false;
    group->record = *record;
    name_put(state->group_names, &record->name, record->id, known, record->gone);
    return true;
}

bool model_put_realm(state_t *state, const realm_record_t *record) {
    void *rows = state->realms;
    bool fits =
        table_reach(&rows, &state->realm_room, &state->realm_count, record->id, sizeof(realm_t));
    state->realms = rows;
    if (!fits)
        return false;
    realm_t *realm = &state->realms[record->id - 1];
    if (id_of(state->realm_keys, realm->record.key) == record->id)
        (void)map_remove(state->realm_keys, realm->record.key);
    if (realm->record.id == 0)
        realm->rtt_us = -1;
    realm->record = *record;
    realm->stream.realm = record->id;
    put_id(state->realm_names, &record->name, record->id);
    if (!record->gone && !record->leaving)
        put_id(state->realm_keys, record->key, record->id);
    return true;
}

bool model_put_token(state_t *state, const token_record_t *record) {
    user_t *user = user_find(state, record->user);
    if (user == NULL)
        return false;
    if (user->token_count == TOKENS_PER_USER_MAX)
        return false;
    if (user->token_count == user->token_room) {
        user->token_room = (uint8_t)(user->token_room == 0 ? 1 : user->token_room * 2);
        user->tokens = memory_resize(user->tokens, user->token_room * sizeof(*user->tokens));
    }
    /* A start gives them in no order of time. */
    size_t index = user->token_count++;
    for (; index > 0 && user->tokens[index - 1].time_ms > record->time_ms; index--)
        user->tokens[index] = user->tokens[index - 1];
    user->tokens[index].time_ms = record->time_ms;
    memcpy(user->tokens[index].digest, record->digest, DIGEST_BYTES);
    put_id(state->tokens, record->digest, record->user);
    return true;
}

void model_drop_token(state_t *state, const uint8_t digest[DIGEST_BYTES]) {
    user_t *user = user_find(state, id_of(state->tokens, digest));
    (void)map_remove(state->tokens, digest);
    if (user == NULL)
        return;
    for (size_t i = 0; i < user->token_count; i++) {
        if (memcmp(user->tokens[i].digest, digest, DIGEST_BYTES) != 0)
            continue;
        user->token_count -= 1;
        memmove(&user->tokens[i], &user->tokens[i + 1],
                (user->token_count - i) * sizeof(*user->tokens));
        return;
    }
}

size_t user_group_count(const user_t *user) {
    return user->groups == NULL ? 0 : user->groups->head.count;
}

size_t user_listener_count(const user_t *user) {
    return user->listeners == NULL ? 0 : user->listeners->head.count;
}

/* Makes room for one more in a list of a user's, which may be NULL. */
static void *list_reach(list_head_t *list, size_t element_bytes) {
    uint32_t count = list == NULL ? 0 : list->count;
    if (list != NULL && count < list->room)
        return list;
    uint32_t room = count == 0 ? LIST_ROOM_MIN : count * 2;
    list = memory_resize(list, sizeof(*list) + room * element_bytes);
    *list = (list_head_t){.count = count, .room = room};
    return list;
}

static void put_user_group(user_t *user, uint32_t group) {
    id_list_t *list = user->groups;
    list = list_reach(list == NULL ? NULL : &list->head, sizeof(list->ids[0]));
    list->ids[list->head.count++] = group;
    user->groups = list;
}

static void put_user_listener(user_t *user, uint64_t connection) {
    connection_list_t *list = user->listeners;
    list = list_reach(list == NULL ? NULL : &list->head, sizeof(list->connections[0]));
    list->connections[list->head.count++] = connection;
    user->listeners = list;
}

static void ids_append(uint32_t **ids, size_t *count, size_t *room, uint32_t id) {
    *ids = memory_grow(*ids, room, *count + 1, sizeof(**ids));
    (*ids)[(*count)++] = id;
}

static void ids_remove(uint32_t *ids, size_t *count, uint32_t id) {
    for (size_t i = 0; i < *count; i++) {
        if (ids[i] != id)
            continue;
        *count -= 1;
        memmove(&ids[i], &ids[i + 1], (*count - i) * sizeof(*ids));
        return;
    }
}

static void drop_user_group(user_t *user, uint32_t group) {
    size_t count = user_group_count(user);
    ASSERT(count > 0);
    ids_remove(user->groups->ids, &count, group);
    user->groups->head.count = (uint32_t)count;
    if (count == 0) {
        memory_free(user->groups);
        user->groups = NULL;
    }
}

static void put_group_listener(state_t *state, uint32_t group_id, uint32_t user) {
    group_t *group = group_find(state, group_id);
    ASSERT(group != NULL);
    ids_append(&group->listeners, &group->listener_count, &group->listener_room, user);
    state->listener_changes += 1;
}

static void drop_group_listener(state_t *state, uint32_t group_id, uint32_t user) {
    group_t *group = group_find(state, group_id);
    ASSERT(group != NULL);
    ids_remove(group->listeners, &group->listener_count, user);
    state->listener_changes += 1;
}

void model_put_listener(state_t *state, uint32_t user_id, uint64_t connection) {
    user_t *user = user_find(state, user_id);
    ASSERT(user != NULL);
    for (size_t i = 0; user->listeners == NULL && i < user_group_count(user); i++)
        put_group_listener(state, user->groups->ids[i], user_id);
    put_user_listener(user, connection);
    state->listener_changes += 1;
}

void model_drop_listener(state_t *state, uint32_t user_id, uint64_t connection) {
    user_t *user = user_find(state, user_id);
    ASSERT(user != NULL && user->listeners != NULL);
    connection_list_t *list = user->listeners;
    size_t index = 0;
    while (list->connections[index] != connection) {
        index += 1;
        ASSERT(index < list->head.count);
    }
    list->head.count -= 1;
    list->connections[index] = list->connections[list->head.count];
    state->listener_changes += 1;
    if (list->head.count > 0)
        return;
    memory_free(list);
    user->listeners = NULL;
    for (size_t i = 0; i < user_group_count(user); i++)
        drop_group_listener(state, user->groups->ids[i], user_id);
}

bool model_put_member(state_t *state, const member_record_t *record) {
    user_t *user = user_find(state, record->user);
    group_t *group = group_find(state, record->group);
    if (user == NULL || group == NULL || map_get(state->members, record) != NULL)
        return false;
    *(uint8_t *)map_put(state->members, record) = 1;
    put_user_group(user, record->group);
    ids_append(&group->members, &group->member_count, &group->member_room, record->user);
    if (user->listeners != NULL)
        put_group_listener(state, record->group, record->user);
    return true;
}

void model_drop_member(state_t *state, const member_record_t *record) {
    user_t *user = user_find(state, record->user);
    group_t *group = group_find(state, record->group);
    ASSERT(user != NULL && group != NULL);
    (void)map_remove(state->members, record);
    drop_user_group(user, record->group);
    ids_remove(group->members, &group->member_count, record->user);
    drop_group_listener(state, record->group, record->user);
}

bool model_is_member(const state_t *state, uint32_t group, uint32_t user) {
    member_record_t key = {.group = group, .user = user};
    return map_get(state->members, &key) != NULL;
}

static void free_realm(realm_t *realm) {
    for (size_t i = realm->parked_first; i < realm->parked_count; i++)
        memory_free(realm->parked[i].text);
    memory_free(realm->parked);
    memory_free(realm->refused);
    memory_free(realm->rejections);
    memory_free(realm->segments.marks);
    memory_free(realm->marks.marks);
}

void model_free_rows(state_t *state) {
    for (uint32_t id = 1; id <= state->user_count; id++) {
        user_t *user = user_row(state, id);
        memory_free(user->tokens);
        memory_free(user->groups);
        memory_free(user->listeners);
    }
    for (size_t i = 0; i < state->user_block_count; i++)
        memory_free(state->user_blocks[i]);
    for (size_t i = 0; i < state->group_count; i++) {
        memory_free(state->groups[i].members);
        memory_free(state->groups[i].listeners);
    }
    for (size_t i = 0; i < state->realm_count; i++)
        free_realm(&state->realms[i]);
    memory_free(state->user_blocks);
    memory_free(state->groups);
    memory_free(state->realms);
}

void model_draw(state_t *state, void *out, size_t length) {
    ASSERT(length <= DIGEST_BYTES);
    uint8_t block[DIGEST_BYTES];
    state->draws += 1;
    crypto_digest(block, state->options.secret, &state->draws, sizeof(state->draws));
    memcpy(out, block, length);
    crypto_wipe(block, sizeof(block));
}

uint64_t model_job(state_t *state) {
    state->next_job += 1;
    ASSERT(state->next_job != 0);
    return state->next_job;
}
