/*
 * Caps: counts, compares, refuses. Must never remove what is there.
 */
#include "quota.h"

#include "answer.h"
#include "attempts.h"
#include "base/assert.h"
#include "mailbox.h"
#include "stream.h"

void quota_refused(state_t *state, limit_kind_t limit) {
    ASSERT(limit < LIMIT_COUNT);
    state->refused[limit] += 1;
}

void quota_refused_outbox(state_t *state, const realm_t *realm) {
    bool records = stream_queued(state, realm) >= state->options.limits.outbox_records_max;
    quota_refused(state, records ? LIMIT_OUTBOX_RECORDS : LIMIT_OUTBOX_BYTES);
}

static void refuse(turn_t *turn, ticket_t ticket, limit_kind_t limit) {
    static const char *const reasons[LIMIT_COUNT] = {
        [LIMIT_USERS] = "too many users",
        [LIMIT_GROUPS] = "too many groups",
        [LIMIT_MEMBERS] = "too many members in this group",
        [LIMIT_MAILBOXES] = "too many mailboxes",
    };
    ASSERT(reasons[limit] != NULL);
    quota_refused(turn->state, limit);
    answer_reason(turn, ticket, CODE_BUSY, reasons[limit]);
}

bool quota_user(turn_t *turn, ticket_t ticket) {
    const state_t *state = turn->state;
    if (index_count(state->user_names) < state->options.limits.users_max)
        return true;
    refuse(turn, ticket, LIMIT_USERS);
    return false;
}

bool quota_group(turn_t *turn, ticket_t ticket) {
    const state_t *state = turn->state;
    if (index_count(state->group_names) < state->options.limits.groups_max)
        return true;
    refuse(turn, ticket, LIMIT_GROUPS);
    return false;
}

bool quota_member(turn_t *turn, ticket_t ticket, const group_t *group) {
    if (group->member_count < turn->state->options.limits.members_max)
        return true;
    refuse(turn, ticket, LIMIT_MEMBERS);
    return false;
}

static bool has_room(const state_t *state, mailbox_t mailbox) {
    return state->mailbox_count < state->options.limits.mailboxes_max ||
           mailbox_head(state, mailbox) > 0;
}

bool quota_mailbox(turn_t *turn, ticket_t ticket, mailbox_t mailbox) {
    if (has_room(turn->state, mailbox))
        return true;
    refuse(turn, ticket, LIMIT_MAILBOXES);
    return false;
}

bool quota_allows_mailbox(turn_t *turn, mailbox_t mailbox) {
    bool room = has_room(turn->state, mailbox);
    if (!room)
        quota_refused(turn->state, LIMIT_MAILBOXES);
    return room;
}

static void raise(uint64_t *highest, uint64_t value) {
    if (value > *highest)
        *highest = value;
}

static void status_of_realms(const state_t *state, limit_status_t limits[LIMIT_COUNT]) {
    for (size_t i = 0; i < state->realm_count; i++) {
        const realm_t *realm = &state->realms[i];
        raise(&limits[LIMIT_OUTBOX_RECORDS].current, stream_queued(state, realm));
        raise(&limits[LIMIT_OUTBOX_BYTES].current, realm->stream.bytes);
    }
    limits[LIMIT_LINKS].current = state->realm_count;
}

void quota_status(const state_t *state, limit_status_t limits[LIMIT_COUNT]) {
    const realm_limits_t *set = &state->options.limits;
    const uint64_t maxima[LIMIT_COUNT] = {
        [LIMIT_USERS] = set->users_max,
        [LIMIT_GROUPS] = set->groups_max,
        [LIMIT_MEMBERS] = set->members_max,
        [LIMIT_MAILBOXES] = set->mailboxes_max,
        [LIMIT_OUTBOX_RECORDS] = set->outbox_records_max,
        [LIMIT_OUTBOX_BYTES] = set->outbox_bytes_max,
        [LIMIT_LINKS] = LINKS_MAX,
        [LIMIT_PASSWORD_JOBS] = PASSWORD_JOBS_MAX,
        [LIMIT_LOGINS] = SOURCES_MAX,
        [LIMIT_DEFERRED_BYTES] = DEFERRED_BYTES_MAX,
        [LIMIT_REFS] = REFS_MAX,
        [LIMIT_BROADCAST] = BROADCAST_RECORDS_MAX,
    };
    for (unsigned i = 0; i < LIMIT_COUNT; i++)
        limits[i] = (limit_status_t){.maximum = maxima[i], .refused = state->refused[i]};
    limits[LIMIT_USERS].current = index_count(state->user_names);
    limits[LIMIT_GROUPS].current = index_count(state->group_names);
    limits[LIMIT_MAILBOXES].current = state->mailbox_count;
    limits[LIMIT_PASSWORD_JOBS].current = state->password_jobs;
    limits[LIMIT_LOGINS].current = attempt_sources(state);
    limits[LIMIT_DEFERRED_BYTES].current = state->deferred_bytes;
    limits[LIMIT_REFS].current = map_count(state->refs);
    limits[LIMIT_BROADCAST].current = state->broadcast_records;
    for (size_t i = 0; i < state->group_count; i++)
        raise(&limits[LIMIT_MEMBERS].current, state->groups[i].member_count);
    status_of_realms(state, limits);
}
