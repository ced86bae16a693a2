/*
 * The network of a room: sessions between desks, packets on their way, one clock. Must never draw
 * from anything but the seed.
 */
#include "room.h"

#include "base/memory.h"
#include "base/text.h"
#include "paper_store.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { PORT_FIRST = 9100, DIAL_DELAY_US = 300, HOT_MAX = 20000 };

/* One dial that was ever made. An end that is dead hears nothing any more. */
typedef struct session {
    unsigned dialler, listener;
    unsigned dialler_life, listener_life;
    uint64_t dial;
    bool open;            /* the listener let it in */
    bool dialler_gone;    /* hung up, or was told that it is lost */
    int64_t newest_us[2]; /* when the newest packet to the listener, to the dialler arrives */
} session_t;

typedef enum packet_kind { PACKET_FRAME, PACKET_DIALLED, PACKET_LOST } packet_kind_t;

typedef struct packet {
    int64_t due_us;
    uint64_t order;
    packet_kind_t kind;
    size_t session;
    bool to_dialler;
    dial_error_t error;
    char *bytes;
    size_t length;
} packet_t;

typedef struct seat {
    desk_t *desk;
    uint8_t (*allowed)[KEY_BYTES];
    size_t allowed_count, allowed_room;
    unsigned allowed_life; /* the life that said so */
    unsigned life_seen;    /* the newest life whose sessions may be alive, 0 = none */
    uint64_t frames;
} seat_t;

struct room {
    int64_t now_us;
    uint64_t random;
    uint64_t order;
    seat_t seats[ROOM_DESKS_MAX];
    unsigned seat_count;
    wire_t wires[ROOM_DESKS_MAX][ROOM_DESKS_MAX];
    session_t *sessions;
    size_t session_count, session_room;
    packet_t *packets;
    size_t packet_count, packet_room;
};

/* xorshift64*: the same in every run. */
uint32_t room_draw(room_t *room, uint32_t below) {
    room->random ^= room->random >> 12;
    room->random ^= room->random << 25;
    room->random ^= room->random >> 27;
    return (uint32_t)((room->random * 0x2545F4914F6CDD1DULL) >> 33) % below;
}

static const wire_t good_wire = {.delay_us_min = 200, .delay_us_max = 200};

room_t *room_new(uint64_t seed) {
    room_t *room = memory_alloc(sizeof(*room));
    room->random = (seed + 1) * 0x9E3779B97F4A7C15ULL;
    room_heal_all(room);
    return room;
}

void room_heal_all(room_t *room) {
    for (unsigned from = 0; from < ROOM_DESKS_MAX; from++) {
        for (unsigned to = 0; to < ROOM_DESKS_MAX; to++)
            room->wires[from][to] = good_wire;
    }
}

void room_destroy(room_t **pointer) {
    room_t *room = *pointer;
    *pointer = NULL;
    for (unsigned i = 0; i < room->seat_count; i++) {
        desk_destroy(&room->seats[i].desk);
        memory_free(room->seats[i].allowed);
    }
    for (size_t i = 0; i < room->packet_count; i++)
        memory_free(room->packets[i].bytes);
    memory_free(room->packets);
    memory_free(room->sessions);
    memory_free(room);
}

static unsigned seat_of(const room_t *room, const desk_t *desk) {
    for (unsigned i = 0; i < room->seat_count; i++) {
        if (room->seats[i].desk == desk)
            return i;
    }
    cr_assert_fail("the desk is not in this room");
    return 0;
}

wire_t *room_wire(room_t *room, const desk_t *from, const desk_t *to) {
    return &room->wires[seat_of(room, from)][seat_of(room, to)];
}

int64_t room_now_us(const room_t *room) {
    return room->now_us;
}

uint64_t room_frames_of(const room_t *room, const desk_t *desk) {
    return room->seats[seat_of(room, desk)].frames;
}

static bool dialler_hears(const room_t *room, const session_t *session) {
    const desk_t *desk = room->seats[session->dialler].desk;
    return !session->dialler_gone && desk_runs(desk) && desk->lives == session->dialler_life;
}

static bool listener_hears(const room_t *room, const session_t *session) {
    const desk_t *desk = room->seats[session->listener].desk;
    return session->open && desk_runs(desk) && desk->lives == session->listener_life;
}

static packet_t *packet_add(room_t *room, size_t session, bool to_dialler, int64_t delay_us,
                            bool in_order) {
    session_t *on = &room->sessions[session];
    int64_t due_us = room->now_us + delay_us;
    if (in_order && due_us < on->newest_us[to_dialler])
        due_us = on->newest_us[to_dialler];
    if (due_us > on->newest_us[to_dialler])
        on->newest_us[to_dialler] = due_us;
    room->packets = memory_grow(room->packets, &room->packet_room, room->packet_count + 1,
                                sizeof(*room->packets));
    packet_t *packet = &room->packets[room->packet_count++];
    *packet = (packet_t){
        .due_us = due_us, .order = ++room->order, .session = session, .to_dialler = to_dialler};
    return packet;
}

static void frame_add(room_t *room, size_t session, bool to_dialler, span_t frame) {
    const session_t *on = &room->sessions[session];
    const wire_t *wire = to_dialler ? &room->wires[on->listener][on->dialler]
                                    : &room->wires[on->dialler][on->listener];
    unsigned copies = 1;
    if (wire->silent || room_draw(room, 1000) < wire->drop)
        copies = 0;
    else if (room_draw(room, 1000) < wire->twice)
        copies = 2;
    for (; copies > 0; copies--) {
        int64_t spread = wire->delay_us_max - wire->delay_us_min + 1;
        int64_t delay_us = wire->delay_us_min + room_draw(room, (uint32_t)spread);
        packet_t *packet = packet_add(room, session, to_dialler, delay_us, !wire->reorders);
        packet->kind = PACKET_FRAME;
        packet->bytes = memory_alloc(frame.length);
        packet->length = frame.length;
        memcpy(packet->bytes, frame.bytes, frame.length);
    }
}

static void lost_add(room_t *room, size_t session, dial_error_t error) {
    packet_t *packet = packet_add(room, session, true, DIAL_DELAY_US, true);
    packet->kind = PACKET_LOST;
    packet->error = error;
}

static session_t *session_of_dial(room_t *room, unsigned dialler, uint64_t dial) {
    for (size_t i = room->session_count; i-- > 0;) {
        session_t *session = &room->sessions[i];
        if (session->dialler == dialler && session->dial == dial &&
            session->dialler_life == room->seats[dialler].desk->lives)
            return session;
    }
    return NULL;
}

/* Routes are numbered by sessions. */
static void outside_send(void *context, desk_t *desk, const peer_channel_t *channel, span_t frame) {
    room_t *room = context;
    unsigned seat = seat_of(room, desk);
    session_t *session = NULL;
    room->seats[seat].frames += 1;
    if (channel->dialled)
        session = session_of_dial(room, seat, channel->number);
    else if (channel->number >= 1 && channel->number <= room->session_count)
        session = &room->sessions[channel->number - 1];
    if (session == NULL || !session->open)
        return; /* a route that is gone: the stream sends it again */
    bool to_dialler = !channel->dialled;
    if (to_dialler && (session->listener != seat || session->listener_life != desk->lives))
        return;
    frame_add(room, (size_t)(session - room->sessions), to_dialler, frame);
}

static bool is_allowed(const seat_t *seat, const uint8_t key[KEY_BYTES]) {
    bool found = seat->desk->options.accept_any;
    bool valid = seat->allowed_life == seat->desk->lives;
    for (size_t i = 0; i < seat->allowed_count && valid && !found; i++)
        found = memcmp(seat->allowed[i], key, KEY_BYTES) == 0;
    return found;
}

static void allow(seat_t *seat, const uint8_t key[KEY_BYTES]) {
    if (seat->allowed_life != seat->desk->lives)
        seat->allowed_count = 0;
    seat->allowed_life = seat->desk->lives;
    if (is_allowed(seat, key))
        return;
    seat->allowed = memory_grow(seat->allowed, &seat->allowed_room, seat->allowed_count + 1,
                                sizeof(*seat->allowed));
    memcpy(seat->allowed[seat->allowed_count++], key, KEY_BYTES);
}

static void deny(seat_t *seat, const uint8_t key[KEY_BYTES]) {
    for (size_t i = 0; i < seat->allowed_count; i++) {
        if (memcmp(seat->allowed[i], key, KEY_BYTES) != 0)
            continue;
        seat->allowed_count -= 1;
        memmove(seat->allowed[i], seat->allowed[seat->allowed_count], KEY_BYTES);
        return;
    }
}

static size_t session_add(room_t *room, unsigned dialler, unsigned listener, uint64_t dial) {
    room->sessions = memory_grow(room->sessions, &room->session_room, room->session_count + 1,
                                 sizeof(*room->sessions));
    room->sessions[room->session_count] =
        (session_t){.dialler = dialler,
                    .listener = listener,
                    .dialler_life = room->seats[dialler].desk->lives,
                    .listener_life = room->seats[listener].desk->lives,
                    .dial = dial};
    return room->session_count++;
}

static void dial_open(room_t *room, unsigned dialler, const dial_effect_t *dial) {
    unsigned listener = dial->address.port - PORT_FIRST;
    bool somebody = dial->address.port >= PORT_FIRST && listener < room->seat_count;
    size_t session = session_add(room, dialler, somebody ? listener : dialler, dial->dial);
    const wire_t *wire = &room->wires[dialler][somebody ? listener : dialler];
    if (wire->no_answer)
        return;
    const seat_t *seat = &room->seats[somebody ? listener : dialler];
    if (!somebody || wire->no_listener || !desk_runs(seat->desk)) {
        lost_add(room, session, DIAL_REFUSED);
    } else if (memcmp(seat->desk->options.key, dial->key, KEY_BYTES) != 0) {
        lost_add(room, session, DIAL_WRONG_KEY);
    } else if (!is_allowed(seat, room->seats[dialler].desk->options.key)) {
        lost_add(room, session, DIAL_REJECTED);
    } else {
        room->sessions[session].open = true;
        packet_add(room, session, true, DIAL_DELAY_US, true)->kind = PACKET_DIALLED;
    }
}

static void outside_dial(void *context, desk_t *desk, const dial_effect_t *dial) {
    room_t *room = context;
    unsigned seat = seat_of(room, desk);
    session_t *session;
    switch (dial->action) {
    case DIAL_OPEN:
        dial_open(room, seat, dial);
        break;
    case DIAL_CLOSE:
        session = session_of_dial(room, seat, dial->dial);
        cr_assert(session != NULL, "what is closed was opened");
        session->dialler_gone = true;
        break;
    case DIAL_ALLOW:
        allow(&room->seats[seat], dial->key);
        break;
    case DIAL_DENY:
        deny(&room->seats[seat], dial->key);
        break;
    }
}

desk_t *room_desk_stopped(room_t *room, const char *realm) {
    cr_assert_lt(room->seat_count, (unsigned)ROOM_DESKS_MAX);
    desk_t *desk = desk_new(realm);
    desk->clock = &room->now_us;
    desk->options.advertise.port = (uint16_t)(PORT_FIRST + room->seat_count);
    desk->outside = (desk_outside_t){room, outside_send, outside_dial};
    room->seats[room->seat_count++].desk = desk;
    return desk;
}

desk_t *room_desk(room_t *room, const char *realm) {
    desk_t *desk = room_desk_stopped(room, realm);
    desk_start(desk);
    return desk;
}

/* A process died: whoever had dialled it hears of it, its keys are forgotten. */
static void bury(room_t *room, unsigned dead, unsigned life) {
    for (size_t i = 0; i < room->session_count; i++) {
        const session_t *session = &room->sessions[i];
        if (session->listener == dead && session->listener_life <= life && session->open &&
            dialler_hears(room, session))
            lost_add(room, i, DIAL_BROKEN);
    }
}

/* Desks die and come back between the events of the room. */
static void look_for_dead(room_t *room) {
    for (unsigned i = 0; i < room->seat_count; i++) {
        seat_t *seat = &room->seats[i];
        unsigned life = desk_runs(seat->desk) ? seat->desk->lives : 0;
        if (life == seat->life_seen)
            continue;
        if (seat->life_seen != 0)
            bury(room, i, seat->life_seen);
        seat->life_seen = life;
    }
}

static void deliver(room_t *room, const packet_t *packet) {
    session_t *session = &room->sessions[packet->session];
    peer_channel_t channel = {.dialled = packet->to_dialler};
    desk_t *dialler = room->seats[session->dialler].desk;
    desk_t *listener = room->seats[session->listener].desk;
    if (!(packet->to_dialler ? dialler_hears(room, session) : listener_hears(room, session)))
        return;
    channel.number = packet->to_dialler ? session->dial : packet->session + 1;
    memcpy(channel.key, packet->to_dialler ? listener->options.key : dialler->options.key,
           KEY_BYTES);
    if (packet->kind == PACKET_FRAME) {
        desk_hear_bytes(packet->to_dialler ? dialler : listener, &channel,
                        (span_t){packet->bytes, packet->length});
    } else if (packet->kind == PACKET_DIALLED) {
        desk_dialled(dialler, session->dial);
    } else {
        session->dialler_gone = true;
        session->open = false;
        desk_dial_lost(dialler, session->dial, packet->error);
    }
}

/* The packet that arrives next; packet_count if there is none. */
static size_t packet_next(const room_t *room) {
    size_t next = 0;
    for (size_t i = 1; i < room->packet_count; i++) {
        const packet_t *packet = &room->packets[i];
        const packet_t *best = &room->packets[next];
        if (packet->due_us < best->due_us ||
            (packet->due_us == best->due_us && packet->order < best->order))
            next = i;
    }
    return room->packet_count == 0 ? room->packet_count : next;
}

static packet_t packet_take(room_t *room, size_t index) {
    packet_t packet = room->packets[index];
    room->packets[index] = room->packets[--room->packet_count];
    return packet;
}

static desk_t *tick_next(const room_t *room, int64_t *due_us) {
    desk_t *next = NULL;
    *due_us = INT64_MAX;
    for (unsigned i = 0; i < room->seat_count; i++) {
        int64_t due = desk_due_us(room->seats[i].desk);
        if (due < *due_us) {
            *due_us = due;
            next = room->seats[i].desk;
        }
    }
    return next;
}

/* The next thing that happens until `end_us`; false if nothing does. */
static bool happen(room_t *room, int64_t end_us) {
    int64_t tick_us;
    look_for_dead(room);
    size_t index = packet_next(room);
    desk_t *desk = tick_next(room, &tick_us);
    int64_t packet_us = index < room->packet_count ? room->packets[index].due_us : INT64_MAX;
    int64_t due_us = packet_us <= tick_us ? packet_us : tick_us;
    if (due_us > end_us)
        return false;
    if (due_us > room->now_us)
        room->now_us = due_us;
    if (packet_us <= tick_us) {
        packet_t packet = packet_take(room, index);
        deliver(room, &packet);
        memory_free(packet.bytes);
    } else {
        desk_tick(desk);
    }
    look_for_dead(room);
    return true;
}

void room_run_ms(room_t *room, int64_t ms) {
    int64_t end_us = room->now_us + ms * 1000;
    int64_t newest_us = room->now_us;
    unsigned hot = 0;
    while (happen(room, end_us)) {
        hot = room->now_us > newest_us + 1000 ? 0 : hot + 1;
        newest_us = hot == 0 ? room->now_us : newest_us;
        cr_assert_lt(hot, (unsigned)HOT_MAX, "the realms run hot");
    }
    room->now_us = end_us;
}

const char *room_ask(room_t *room, desk_t *desk, uint64_t connection, const char *line) {
    uint32_t slot = desk_say(desk, connection, line);
    const char *reply = desk_reply(desk, connection, slot);
    for (unsigned i = 0; reply == NULL && i < 15000; i++) {
        room_run_ms(room, 1);
        reply = desk_reply(desk, connection, slot);
    }
    return reply == NULL ? "" : reply;
}

void room_expect(room_t *room, desk_t *desk, uint64_t connection, const char *line,
                 const char *pattern) {
    const char *reply = room_ask(room, desk, connection, line);
    cr_assert(text_matches(reply, pattern), "%s: %s\nanswered %s\nexpected %s",
              desk->options.realm.text, line, reply, pattern);
}

void room_trust(desk_t *desk, const char *realm) {
    desk_expect(desk, DESK_ADMIN,
                desk_text(desk, "TRUSTREALM %s %s", realm, key_text_of(desk, realm)),
                "{\"status\":\"OK\",\"data\":\"Trust realm berhasil\"}");
}

const char *room_add_realm_line(room_t *room, desk_t *desk, const desk_t *peer) {
    return desk_text(desk, "ADDREALM %s 127.0.0.1 %u", peer->options.realm.text,
                     PORT_FIRST + seat_of(room, peer));
}

void room_link(room_t *room, desk_t *a, desk_t *b) {
    room_trust(a, b->options.realm.text);
    room_trust(b, a->options.realm.text);
    room_expect(room, a, DESK_ADMIN, room_add_realm_line(room, a, b), "{*Connect realm berhasil*}");
    cr_assert(room_quiet(room, a, b, 5000), "the link comes up");
}

const char *room_peer_row(desk_t *desk, const char *peer) {
    const char *reply = desk_ask(desk, DESK_ADMIN, "CHECKREALM");
    const char *row = strstr(reply, desk_text(desk, "{\"realm\":\"%s\"", peer));
    if (row == NULL)
        return "";
    const char *end = strchr(row, '}');
    cr_assert(end != NULL);
    return desk_text(desk, "%.*s", (int)(end - row) + 1, row);
}

bool room_is_up(desk_t *desk, const char *peer) {
    return desk_runs(desk) && strstr(room_peer_row(desk, peer), "\"state\":\"up\"") != NULL;
}

static bool is_quiet(desk_t *desk, const char *peer) {
    return room_is_up(desk, peer) && strstr(room_peer_row(desk, peer), "\"queued\":0,") != NULL;
}

bool room_quiet(room_t *room, desk_t *a, desk_t *b, int64_t ms) {
    for (int64_t waited = 0; waited < ms; waited += 50) {
        if (is_quiet(a, b->options.realm.text) && is_quiet(b, a->options.realm.text))
            return true;
        room_run_ms(room, 50);
    }
    return false;
}

/* The peer's row in a realm's store. */
static const realm_record_t *realm_row(const desk_t *desk, const desk_t *peer) {
    for (uint32_t id = 1; id <= ROOM_DESKS_MAX; id++) {
        record_t like = {.kind = RECORD_REALM, .realm = {.id = id}};
        const record_t *row = paper_store_row(desk->store, &like);
        if (row != NULL && name_equal(&row->realm.name, &peer->options.realm))
            return &row->realm;
    }
    cr_assert_fail("%s does not know %s", desk->options.realm.text, peer->options.realm.text);
    return NULL;
}

const stream_record_t *room_stream(const desk_t *desk, const desk_t *peer) {
    record_t like = {.kind = RECORD_STREAM, .stream = {.realm = realm_row(desk, peer)->id}};
    const record_t *row = paper_store_row(desk->store, &like);
    cr_assert(row != NULL);
    return &row->stream;
}

static uint32_t outbox_head(const desk_t *from, const desk_t *to) {
    mailbox_t outbox = mailbox_of(MAILBOX_OUTBOX, 0, realm_row(from, to)->id);
    return paper_store_head(from->store, outbox);
}

void room_expect_settled(const desk_t *from, const desk_t *to) {
    const stream_record_t *out = room_stream(from, to);
    uint32_t head = outbox_head(from, to);
    cr_assert_eq(out->done, head);
    cr_assert_eq(out->judged, head);
    cr_assert_eq(out->settled, head);
    cr_assert_eq(out->bytes, 0);
}

static void expect_direction(const desk_t *from, const desk_t *to) {
    const stream_record_t *out = room_stream(from, to);
    const stream_record_t *in = room_stream(to, from);
    uint32_t head = outbox_head(from, to);
    room_expect_settled(from, to);
    if (head == 0 || out->segment_count == 0)
        return;
    cr_assert_eq(in->marks[0].seq, head);
    cr_assert_eq(in->marks[0].epoch, out->segments[out->segment_count - 1].epoch);
    cr_assert_eq(out->peer.seq, head);
    cr_assert_eq(out->peer.epoch, in->marks[0].epoch);
}

void room_expect_agreement(const desk_t *a, const desk_t *b) {
    expect_direction(a, b);
    expect_direction(b, a);
    cr_assert_eq(paper_store_rows(a->store, RECORD_REJECTION), 0);
    cr_assert_eq(paper_store_rows(b->store, RECORD_REJECTION), 0);
}

void room_cut(room_t *room, desk_t *a, desk_t *b) {
    unsigned one = seat_of(room, a);
    unsigned two = seat_of(room, b);
    room_wire(room, a, b)->no_listener = room_wire(room, b, a)->no_listener = true;
    for (size_t i = 0; i < room->session_count; i++) {
        const session_t *session = &room->sessions[i];
        bool between = (session->dialler == one && session->listener == two) ||
                       (session->dialler == two && session->listener == one);
        if (between && session->open && dialler_hears(room, session))
            lost_add(room, i, DIAL_BROKEN);
    }
}

void room_heal(room_t *room, desk_t *a, desk_t *b) {
    *room_wire(room, a, b) = good_wire;
    *room_wire(room, b, a) = good_wire;
}

void room_forge(room_t *room, desk_t *to, const char *key_of_realm, const peer_message_t *message) {
    peer_channel_t channel = {.number = UINT64_MAX};
    (void)room;
    key_of(channel.key, key_of_realm);
    desk_hear(to, &channel, message);
}

pair_t pair_new(void) {
    pair_t pair = {.from_realm = mailbox_of(MAILBOX_REALM, 1, 1),
                   .group_realm = mailbox_of(MAILBOX_GROUP_REALM, 1, 1),
                   .inbox = mailbox_of(MAILBOX_PRIVATE, 1, 0),
                   .outbox = mailbox_of(MAILBOX_OUTBOX, 0, 1),
                   .room = room_new(1)};
    pair.a = room_desk(pair.room, "a");
    pair.b = room_desk(pair.room, "b");
    room_link(pair.room, pair.a, pair.b);
    desk_user(pair.a, 1, "alice");
    desk_user(pair.b, 1, "bob");
    return pair;
}

void pair_destroy(pair_t *pair) {
    room_destroy(&pair->room);
}
