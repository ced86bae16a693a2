/*
 * The oracle's ear for events. Must never ask the core who listens or who is a member: it knows
 * from replies.
 */
#include "hearing.h"

#include "base/mailbox_address.h"
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MEMBER_OUT, MEMBER_IN, MEMBER_UNSURE };

static const unsigned no_view = VIEWS_PER_REALM;

static unsigned view_at(unsigned owner, unsigned peer_plus_one) {
    return owner * (1 + REALMS_MAX) + peer_plus_one;
}

static hearings_t *hearings_of(world_t *world, unsigned realm) {
    return &world->oracle.hearings[realm];
}

static unsigned user_of(unsigned seat) {
    return seat / SEATS_PER_USER;
}

/* "u3" or "g1"; `count` if it is none of those. */
static unsigned index_of(span_t name, char kind, unsigned count) {
    if (name.length != 2 || name.bytes[0] != kind || name.bytes[1] < '0')
        return count;
    unsigned index = (unsigned)(name.bytes[1] - '0');
    return index < count ? index : count;
}

/* STRANGER: under its own name where strangers are let in; nobody looks at its mailboxes. */
static unsigned realm_index(span_t name) {
    for (unsigned i = 0; i <= STRANGER; i++) {
        if (name.length == strlen(realm_text(i)) &&
            memcmp(name.bytes, realm_text(i), name.length) == 0)
            return i;
    }
    return STRANGER + 1;
}

/* Which view a stored message is in; no_view if nobody ever looks there. */
static unsigned view_of_message(const world_t *world, unsigned realm, const message_t *message) {
    mailbox_kind_t kind = mailbox_kind(message->mailbox);
    bool group = kind == MAILBOX_GROUP || kind == MAILBOX_GROUP_REALM;
    unsigned owner =
        group ? index_of(message->to, 'g', GROUPS_MAX) : index_of(message->to, 'u', USERS_MAX);
    if (kind == MAILBOX_OUTBOX || owner == (group ? GROUPS_MAX : USERS_MAX))
        return no_view;
    owner += group ? USERS_MAX : 0;
    if (kind == MAILBOX_PRIVATE || kind == MAILBOX_GROUP)
        return view_at(owner, 0);
    const realm_record_t *row =
        memory_store_realm(world->realms[realm].store, mailbox_realm(message->mailbox));
    unsigned peer =
        row == NULL ? STRANGER : realm_index((span_t){row->name.text, row->name.length});
    return peer >= STRANGER ? no_view : view_at(owner, 1 + peer);
}

static void forget_next(hearings_t *hearings, unsigned view) {
    for (unsigned s = 0; s < SEATS_MAX; s++)
        hearings->seats[s].next[view] = 0;
}

void hearing_committed(world_t *world, unsigned realm, const record_t *records, size_t count) {
    hearings_t *hearings = hearings_of(world, realm);
    hearings->commit += 1;
    for (size_t i = 0; i < count; i++) {
        const message_t *message = &records[i].message;
        unsigned view =
            records[i].kind == RECORD_MESSAGE ? view_of_message(world, realm, message) : no_view;
        if (view == no_view)
            continue;
        /* A new user of an old name, a new link to an old realm: the mailbox begins anew. */
        if (message->seq != hearings->head[view] + 1)
            forget_next(hearings, view);
        uint32_t *low = &hearings->low[view], *high = &hearings->high[view];
        bool first = hearings->added_by[view] != hearings->commit;
        hearings->added_by[view] = hearings->commit;
        if (first || message->seq <= *low)
            *low = message->seq - 1;
        if (first || message->seq > *high)
            *high = message->seq;
        hearings->head[view] = message->seq;
        hearings->blind[view] = false;
        hearings->moved = true;
    }
}

/* Takes what stands before the first space, and the space. */
static span_t next_word(span_t *rest) {
    span_t word = {rest->bytes, 0};
    while (word.length < rest->length && rest->bytes[word.length] != ' ')
        word.length += 1;
    size_t taken = word.length < rest->length ? word.length + 1 : word.length;
    rest->bytes += taken;
    rest->length -= taken;
    return word;
}

static bool is_text(span_t word, const char *text) {
    return word.length == strlen(text) && memcmp(word.bytes, text, word.length) == 0;
}

/* The request that reads the mailbox of an event, as if the seat had asked for it. */
static asked_t asked_of(world_t *world, unsigned realm, unsigned seat, span_t mailbox) {
    asked_t asked = {.realm = (uint8_t)realm, .seat = (uint8_t)seat};
    asked.user = (uint8_t)user_of(seat);
    span_t rest = mailbox;
    span_t word = next_word(&rest), first = next_word(&rest), second = next_word(&rest);
    size_t words = (word.length > 0) + (first.length > 0) + (second.length > 0);
    bool known = words == 1 && is_text(word, "INBOX");
    asked.verb = VERB_INBOX;
    if (words == 2 && is_text(word, "INBOXGROUP"))
        asked.verb = VERB_INBOXGROUP;
    else if (words == 2 && is_text(word, "INBOXREALM"))
        asked.verb = VERB_INBOXREALM;
    else if (words == 3 && is_text(word, "INBOXGROUPREALM"))
        asked.verb = VERB_INBOXGROUPREALM;
    bool of_group = asked.verb == VERB_INBOXGROUP || asked.verb == VERB_INBOXGROUPREALM;
    bool of_realm = asked.verb == VERB_INBOXREALM || asked.verb == VERB_INBOXGROUPREALM;
    if (of_group)
        asked.name = (uint8_t)index_of(words == 3 ? second : first, 'g', GROUPS_MAX);
    if (of_realm)
        asked.peer = (uint8_t)realm_index(first);
    known = (known || of_group || of_realm) && (!of_group || asked.name < GROUPS_MAX) &&
            (!of_realm || asked.peer <= STRANGER) && rest.length == 0;
    if (!known)
        world_violation(world, "event-odd", "%s tells of a mailbox \"%.*s\"", realm_text(realm),
                        (int)mailbox.length, mailbox.bytes);
    return asked;
}

static unsigned view_of_asked(const asked_t *asked) {
    bool of_group = asked->verb == VERB_INBOXGROUP || asked->verb == VERB_INBOXGROUPREALM;
    bool of_realm = asked->verb == VERB_INBOXREALM || asked->verb == VERB_INBOXGROUPREALM;
    return view_at(of_group ? USERS_MAX + (unsigned)asked->name : asked->user,
                   of_realm ? 1U + asked->peer : 0);
}

void hearing_event(world_t *world, unsigned realm, unsigned seat, const news_t *news) {
    hearings_t *hearings = hearings_of(world, realm);
    asked_t asked = asked_of(world, realm, seat, news->mailbox);
    uint32_t seq = news->message.seq;
    if (seat >= SEATS_MAX || !hearings->seats[seat].listens)
        world_violation(world, "event-uncalled", "%s tells seat %u, which does not listen",
                        realm_text(realm), seat);
    if (asked.peer == STRANGER)
        return;
    unsigned view = view_of_asked(&asked);
    if (asked.verb >= VERB_INBOXGROUP && hearings->members[asked.name][asked.user] == MEMBER_OUT)
        world_violation(world, "event-to-stranger", "u%u at %s hears of g%u, and is no member",
                        asked.user, realm_text(realm), asked.name);
    if (hearings->added_by[view] != hearings->commit || seq <= hearings->low[view] ||
        seq > hearings->high[view])
        world_violation(world, "event-not-stored",
                        "u%u at %s hears of seq %" PRIu32 " of \"%.*s\", which this turn has not "
                        "committed",
                        asked.user, realm_text(realm), seq, (int)news->mailbox.length,
                        news->mailbox.bytes);
    uint32_t *next = &hearings->seats[seat].next[view];
    /* Who may have left and joined again, unanswered, may have missed some; none comes twice. */
    bool unsure =
        asked.verb >= VERB_INBOXGROUP && hearings->members[asked.name][asked.user] == MEMBER_UNSURE;
    if (*next != 0 && (unsure ? seq < *next : seq != *next))
        world_violation(world, "event-order",
                        "u%u at %s hears of seq %" PRIu32 " of \"%.*s\" instead of %" PRIu32,
                        asked.user, realm_text(realm), seq, (int)news->mailbox.length,
                        news->mailbox.bytes, *next);
    *next = seq + 1;
    hearings->moved = true;
    world_trace(world, (uint64_t)seat << 56 | (uint64_t)view << 32 | seq);
    oracle_read_event(world, &asked, &news->message);
}

/* ---- who listens, who is a member ---- */

static void stop_listening(world_t *world, unsigned realm, unsigned seat) {
    hearing_t *hearing = &hearings_of(world, realm)->seats[seat];
    hearings_of(world, realm)->listening -= hearing->listens;
    hearing->listens = false;
    memset(hearing->next, 0, sizeof(hearing->next));
}

static void set_member(world_t *world, unsigned realm, unsigned group, unsigned user,
                       uint8_t member) {
    if (group >= GROUPS_MAX || user >= USERS_MAX)
        return;
    hearings_t *hearings = hearings_of(world, realm);
    uint8_t *place = &hearings->members[group][user];
    hearings->moved = true;
    /* What was never answered may still be done: nothing is sure behind it. */
    if (*place != MEMBER_UNSURE)
        *place = member;
    for (unsigned i = 0; member != MEMBER_IN && i < SEATS_PER_USER; i++)
        memset(&hearings->seats[user * SEATS_PER_USER + i].next[view_at(USERS_MAX + group, 0)], 0,
               (1 + REALMS_MAX) * sizeof(uint32_t));
}

static void user_gone(world_t *world, unsigned realm, unsigned user, uint8_t member) {
    if (user >= USERS_MAX)
        return;
    for (unsigned i = 0; i < SEATS_PER_USER; i++)
        stop_listening(world, realm, user * SEATS_PER_USER + i);
    for (unsigned g = 0; g < GROUPS_MAX; g++)
        set_member(world, realm, g, user, member);
}

static void start_listening(hearings_t *hearings, unsigned seat) {
    hearings->listening += !hearings->seats[seat].listens;
    hearings->seats[seat].listens = true;
    hearings->moved = true;
}

void hearing_told(world_t *world, const asked_t *asked, bool ok) {
    if (!ok)
        return;
    if (asked->verb == VERB_LISTEN && asked->seat < SEATS_MAX)
        start_listening(hearings_of(world, asked->realm), asked->seat);
    else if ((asked->verb == VERB_UNLISTEN || asked->verb == VERB_LOGOUT) &&
             asked->seat < SEATS_MAX)
        stop_listening(world, asked->realm, asked->seat);
    else if (asked->verb == VERB_ADDGROUP || asked->verb == VERB_JOINGROUP)
        set_member(world, asked->realm, asked->name, asked->user, MEMBER_IN);
    else if (asked->verb == VERB_LEAVEGROUP)
        set_member(world, asked->realm, asked->name, asked->user, MEMBER_OUT);
    else if (asked->verb == VERB_DELUSER)
        user_gone(world, asked->realm, asked->name, MEMBER_OUT);
}

void hearing_silence(world_t *world, const asked_t *asked) {
    if (asked->verb == VERB_ADDGROUP || asked->verb == VERB_JOINGROUP ||
        asked->verb == VERB_LEAVEGROUP)
        set_member(world, asked->realm, asked->name, asked->user, MEMBER_UNSURE);
    else if (asked->verb == VERB_DELUSER)
        user_gone(world, asked->realm, asked->name, MEMBER_UNSURE);
}

void hearing_hung_up(world_t *world, unsigned realm, unsigned seat) {
    if (seat < SEATS_MAX)
        stop_listening(world, realm, seat);
}

void hearing_restored(world_t *world, unsigned realm) {
    hearings_t *hearings = hearings_of(world, realm);
    for (unsigned v = 0; v < VIEWS_PER_REALM; v++) {
        hearings->blind[v] = true;
        forget_next(hearings, v);
    }
    memset(hearings->members, MEMBER_UNSURE, sizeof(hearings->members));
    hearings->moved = true;
}

/* ---- what is missing ---- */

static void check_view(world_t *world, unsigned realm, unsigned seat, unsigned view) {
    const hearings_t *hearings = hearings_of(world, realm);
    uint32_t *next = &hearings_of(world, realm)->seats[seat].next[view];
    if (hearings->blind[view])
        return;
    if (*next != 0 && *next != hearings->head[view] + 1)
        world_violation(world, "event-missing",
                        "u%u at %s, seat %u, view %u: seq %" PRIu32 " is committed, the next event "
                        "would be %" PRIu32,
                        user_of(seat), realm_text(realm), seat, view, hearings->head[view], *next);
    *next = hearings->head[view] + 1;
}

static void check_seat(world_t *world, unsigned realm, unsigned seat) {
    const hearings_t *hearings = hearings_of(world, realm);
    unsigned user = user_of(seat);
    for (unsigned p = 0; p <= REALMS_MAX; p++)
        check_view(world, realm, seat, view_at(user, p));
    for (unsigned g = 0; g < GROUPS_MAX; g++) {
        for (unsigned p = 0; hearings->members[g][user] == MEMBER_IN && p <= REALMS_MAX; p++)
            check_view(world, realm, seat, view_at(USERS_MAX + g, p));
    }
}

void hearing_turn_end(world_t *world, unsigned realm) {
    hearings_t *hearings = hearings_of(world, realm);
    for (unsigned s = 0; hearings->moved && hearings->listening > 0 && s < SEATS_MAX; s++) {
        if (hearings->seats[s].listens)
            check_seat(world, realm, s);
    }
    hearings->moved = false;
}
