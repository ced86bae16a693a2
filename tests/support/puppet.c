/*
 * The strings of a hand-played peer. Must never do anything by itself.
 */
#include "puppet.h"

#include <criterion/criterion.h>
#include <string.h>

void puppet_init(puppet_t *puppet, desk_t *desk, const char *name) {
    memset(puppet, 0, sizeof(*puppet));
    puppet->desk = desk;
    puppet->name = name_of(name);
    puppet->dial.dialled = true;
    puppet->route.number = 77;
    key_of(puppet->dial.key, name);
    key_of(puppet->route.key, name);
}

static peer_standing_t *standing_of(peer_message_t *message) {
    switch (message->kind) {
    case PEER_ACKREALM:
        return &message->ackrealm.standing;
    case PEER_WELCOME:
        return &message->welcome.standing;
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

peer_message_t puppet_message(const puppet_t *puppet, peer_kind_t kind) {
    peer_message_t message;
    memset(&message, 0, sizeof(message));
    message.kind = kind;
    peer_standing_t *standing = standing_of(&message);
    if (standing != NULL && puppet->mark.epoch != 0) {
        standing->mark_count = 1;
        standing->marks[0] = puppet->mark;
    }
    if (kind == PEER_WELCOME) {
        message.welcome.from = puppet->name;
    } else if (kind == PEER_ACKREALM) {
        message.ackrealm.realm = puppet->desk->options.realm;
        message.ackrealm.from = puppet->name;
        message.ackrealm.source = (address_t){.length = 9, .text = "127.0.0.1", .port = 9102};
    } else if (kind == PEER_REMOTEINBOXREALM || kind == PEER_REMOTEINBOXGROUPREALM) {
        message.pull.name = name_of("bob");
        message.pull.realm = puppet->name;
    }
    return message;
}

void puppet_answer(puppet_t *puppet, const peer_message_t *message) {
    desk_hear(puppet->desk, &puppet->dial, message);
}

void puppet_call(puppet_t *puppet, const peer_message_t *message) {
    desk_hear(puppet->desk, &puppet->route, message);
}

const peer_message_t *puppet_hears(puppet_t *puppet, peer_kind_t kind) {
    while (desk_take_frame(puppet->desk, &puppet->heard, NULL)) {
        if (puppet->heard.kind == kind)
            return &puppet->heard;
    }
    cr_assert_fail("the desk sent no frame of kind %d", (int)kind);
    return NULL;
}

bool puppet_would_hear(puppet_t *puppet, peer_kind_t kind) {
    bool heard = false;
    while (desk_take_frame(puppet->desk, &puppet->heard, NULL))
        heard = heard || puppet->heard.kind == kind;
    return heard;
}

bool puppet_dialled(puppet_t *puppet) {
    bool dialled = false;
    for (; puppet->dials_seen < puppet->desk->dial_count; puppet->dials_seen++) {
        const dial_effect_t *dial = &puppet->desk->dials[puppet->dials_seen];
        bool ours = memcmp(dial->key, puppet->dial.key, KEY_BYTES) == 0;
        if (dial->action == DIAL_OPEN && ours) {
            puppet->dial.number = dial->dial;
            dialled = true;
        }
    }
    return dialled;
}

void puppet_welcomes(puppet_t *puppet) {
    peer_message_t welcome = puppet_message(puppet, PEER_WELCOME);
    desk_dialled(puppet->desk, puppet->dial.number);
    (void)puppet_hears(puppet, PEER_ACKREALM);
    puppet_answer(puppet, &welcome);
}

void puppet_link(puppet_t *puppet) {
    desk_t *desk = puppet->desk;
    const char *name = puppet->name.text;
    desk_expect(desk, DESK_ADMIN,
                desk_text(desk, "TRUSTREALM %s %s", name, key_text_of(desk, name)),
                "{*Trust realm berhasil*}");
    uint32_t slot = desk_say(desk, DESK_ADMIN, desk_text(desk, "ADDREALM %s 127.0.0.1 9102", name));
    cr_assert(puppet_dialled(puppet));
    puppet_welcomes(puppet);
    desk_expect_reply(desk, DESK_ADMIN, slot, "{*Connect realm berhasil*}");
    desk_forget_frames(desk);
}
