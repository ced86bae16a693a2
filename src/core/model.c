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

static uint32_t id_of(const map_t *map, const void *key) {
    const uint32_t *id = map_get(map, key);
    return id == NULL ? 0 : *id;
}

user_t *user_find(const state_t *state, uint32_t id) {
    if (id == 0 || id > state->user_count || state->users[id - 1].record.gone)
        return NULL;
    return &state->users[id - 1];
}

user_t *user_named(const state_t *state, const name_t *name) {
    return user_find(state, id_of(state->user_names, name));
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
    return group_find(state, id_of(state->group_names, name));
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

bool model_put_user(state_t *state, const user_record_t *record) {
    void *rows = state->users;
    bool fits =
        table_reach(&rows, &state->user_room, &state->user_count, record->id, sizeof(user_t));
    state->users = rows;
    if (!fits)
        return false;
    state->users[record->id - 1].record = *record;
    if (!record->gone)
        put_id(state->user_names, &record->name, record->id);
    else if (id_of(state->user_names, &record->name) == record->id)
        (void)map_remove(state->user_names, &record->name);
    return true;
}

bool model_put_group(state_t *state, const group_record_t *record) {
    void *rows = state->groups;
    bool fits =
        table_reach(&rows, &state->group_room, &state->group_count, record->id, sizeof(group_t));
    state->groups = rows;
    if (!fits)
        return false;
    state->groups[record->id - 1].record = *record;
    if (!record->gone)
        put_id(state->group_names, &record->name, record->id);
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
    user->tokens =
        memory_grow(user->tokens, &user->token_room, user->token_count + 1, sizeof(*user->tokens));
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
    for (size_t i = 0; user->listener_count == 0 && i < user->group_count; i++)
        put_group_listener(state, user->groups[i], user_id);
    user->listeners = memory_grow(user->listeners, &user->listener_room, user->listener_count + 1,
                                  sizeof(*user->listeners));
    user->listeners[user->listener_count++] = connection;
    state->listener_changes += 1;
}

void model_drop_listener(state_t *state, uint32_t user_id, uint64_t connection) {
    user_t *user = user_find(state, user_id);
    ASSERT(user != NULL && user->listener_count > 0);
    size_t index = 0;
    while (user->listeners[index] != connection) {
        index += 1;
        ASSERT(index < user->listener_count);
    }
    user->listener_count -= 1;
    user->listeners[index] = user->listeners[user->listener_count];
    state->listener_changes += 1;
    if (user->listener_count > 0)
        return;
    memory_free(user->listeners);
    user->listeners = NULL;
    user->listener_room = 0;
    for (size_t i = 0; i < user->group_count; i++)
        drop_group_listener(state, user->groups[i], user_id);
}

bool model_put_member(state_t *state, const member_record_t *record) {
    user_t *user = user_find(state, record->user);
    group_t *group = group_find(state, record->group);
    if (user == NULL || group == NULL || map_get(state->members, record) != NULL)
        return false;
    *(uint8_t *)map_put(state->members, record) = 1;
    ids_append(&user->groups, &user->group_count, &user->group_room, record->group);
    ids_append(&group->members, &group->member_count, &group->member_room, record->user);
    if (user->listener_count > 0)
        put_group_listener(state, record->group, record->user);
    return true;
}

void model_drop_member(state_t *state, const member_record_t *record) {
    user_t *user = user_find(state, record->user);
    group_t *group = group_find(state, record->group);
    ASSERT(user != NULL && group != NULL);
    (void)map_remove(state->members, record);
    ids_remove(user->groups, &user->group_count, record->group);
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
    for (size_t i = 0; i < state->user_count; i++) {
        memory_free(state->users[i].tokens);
        memory_free(state->users[i].groups);
        memory_free(state->users[i].listeners);
    }
    for (size_t i = 0; i < state->group_count; i++) {
        memory_free(state->groups[i].members);
        memory_free(state->groups[i].listeners);
    }
    for (size_t i = 0; i < state->realm_count; i++)
        free_realm(&state->realms[i]);
    memory_free(state->users);
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
