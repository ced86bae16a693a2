/*
 * The oracle. Must never ask the core what it thinks: all that it holds against a realm was said
 * by a client, told to a client, or seen on the network.
 */
#include "oracle.h"

#include "base/memory.h"
#include "insisting.h"
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LETTER_MARK "pesan#"

static void violation_at(world_t *world, const char *rule, const letter_t *letter,
                         const char *words) __attribute__((noreturn));

static void violation_at(world_t *world, const char *rule, const letter_t *letter,
                         const char *words) {
    static const char *const fates[] = {"unsaid", "waiting", "sent",   "delivered",
                                        "queued", "refused", "unknown"};
    world_violation(world, rule,
                    "message #%" PRIu32 " (u%u@%s verb %d to %u@%s, %s, code %d, id %" PRIu64
                    ", seen %" PRIu32 ", copies %" PRIu32 ", bounces %" PRIu32 "): %s",
                    letter->op->id, letter->user, realm_text(letter->op->realm),
                    (int)letter->op->verb, letter->op->name, realm_text(letter->op->peer),
                    fates[letter->fate], (int)letter->code, letter->number, letter->seen,
                    letter->copies, letter->bounces, words);
}

void oracle_init(oracle_t *oracle) {
    memset(oracle, 0, sizeof(*oracle));
}

void oracle_deinit(oracle_t *oracle) {
    for (unsigned i = 0; i < REALMS_MAX; i++) {
        for (unsigned v = 0; v < VIEWS_PER_REALM; v++)
            memory_free(oracle->views[i][v].prints);
    }
    memory_free(oracle->letters);
    memory_free(oracle->asked);
    memory_free(oracle->given);
}

static void forget_views(oracle_t *oracle, unsigned realm) {
    for (unsigned v = 0; v < VIEWS_PER_REALM; v++)
        oracle->views[realm][v].count = 0;
}

void oracle_begin(world_t *world) {
    oracle_t *oracle = &world->oracle;
    oracle->now = 0;
    oracle->asked_count = oracle->waiting = 0;
    size_t count = world->plan->max_id + 1U;
    oracle->letters = memory_grow(oracle->letters, &oracle->letter_room, count, sizeof(letter_t));
    oracle->letter_count = count;
    memset(oracle->letters, 0, count * sizeof(letter_t));
    for (unsigned i = 0; i < REALMS_MAX; i++)
        forget_views(oracle, i);
    forgetting_begin(world);
    size_t start = offsetof(oracle_t, setbacks);
    size_t end = offsetof(oracle_t, given);
    memset((char *)oracle + start, 0, end - start);
}

/* ---- texts ---- */

static const char filling[] =
    "0123456789abcdefghijklmnopqrstuvwxyz.,-+ABCDEFGHIJKLMNOPQRSTUVWXYZ:;";

/* "pesan#17#": by hand, since it is done for every message that anybody looks at. */
static size_t text_name(char *out, uint32_t id) {
    char digits[16];
    size_t count = 0, length = strlen(LETTER_MARK);
    memcpy(out, LETTER_MARK, length);
    for (uint32_t rest = id; rest > 0; rest /= 10)
        digits[count++] = (char)('0' + rest % 10);
    while (count > 0)
        out[length++] = digits[--count];
    out[length++] = '#';
    return length;
}

size_t oracle_text(char *out, const op_t *op) {
    size_t length = text_name(out, op->id);
    size_t start = op->id % (sizeof(filling) - 1);
    while (length < op->bytes) {
        size_t run = sizeof(filling) - 1 - start;
        if (run > op->bytes - length)
            run = op->bytes - length;
        memcpy(out + length, filling + start, run);
        length += run;
        start = 0;
    }
    return length;
}

/* The name in a text that looks like a message, 0 if it does not. */
static uint32_t letter_id(span_t text) {
    size_t mark = strlen(LETTER_MARK);
    uint32_t id = 0;
    if (text.length <= mark || memcmp(text.bytes, LETTER_MARK, mark) != 0)
        return 0;
    for (size_t i = mark; i < text.length && text.bytes[i] >= '0' && text.bytes[i] <= '9'; i++)
        id = id * 10 + (uint32_t)(text.bytes[i] - '0');
    return id;
}

uint32_t oracle_letter(const world_t *world, span_t text) {
    uint32_t id = letter_id(text);
    bool known = id < world->oracle.letter_count && world->oracle.letters[id].op != NULL;
    return known ? id : 0;
}

/* The message that a text is, whole and unchanged; NULL if it is none. */
static letter_t *letter_of(world_t *world, span_t text) {
    char expected[TEXT_BYTES_MAX + 64];
    uint32_t id = letter_id(text);
    if (text.length > TEXT_BYTES_MAX || id >= world->oracle.letter_count)
        return NULL;
    letter_t *letter = &world->oracle.letters[id];
    if (letter->op == NULL)
        return NULL;
    size_t length = oracle_text(expected, letter->op);
    return length == text.length && memcmp(expected, text.bytes, length) == 0 ? letter : NULL;
}

/* "u3" or "g1"; NAMES_MAX if it is neither. */
static unsigned name_index(span_t name, char kind) {
    if (name.length != 2 || name.bytes[0] != kind || name.bytes[1] < '0' || name.bytes[1] > '7')
        return NAMES_MAX;
    return (unsigned)(name.bytes[1] - '0');
}

static bool is_realm(span_t name, unsigned realm) {
    return name.length == 1 && name.bytes[0] == realm_text(realm)[0];
}

/* ---- what is said and told ---- */

static bool was_set_back(const oracle_t *oracle, unsigned realm, uint64_t said_at) {
    for (unsigned i = 0; i < oracle->setback_count[realm]; i++) {
        if (oracle->setbacks[realm][i].restored_at > said_at)
            return true;
    }
    return false;
}

static bool is_message(verb_t verb) {
    return verb <= VERB_SENDGROUPREALM;
}

static bool is_remote(verb_t verb) {
    return verb == VERB_SENDREALM || verb == VERB_SENDGROUPREALM;
}

static bool adds_user(verb_t verb) {
    return verb == VERB_ADDUSER || verb == VERB_IMPORTUSER;
}

static void said_change(oracle_t *oracle, const asked_t *asked) {
    if (asked->verb == VERB_DELUSER)
        oracle->user_lost_at[asked->realm][asked->name] = oracle->now;
    else if (adds_user(asked->verb))
        oracle->user_made_at[asked->realm][asked->name] = oracle->now;
    else if (asked->verb == VERB_DELREALM)
        oracle->link_lost_at[asked->realm][asked->peer] = oracle->now;
}

/* Under its ref: what came of it is open again if nothing final was told. */
static void said_again(letter_t *letter) {
    if (letter->final)
        return;
    letter->fate = FATE_WAITING;
    letter->told_at = 0;
}

uint32_t oracle_said(world_t *world, const op_t *op, const asked_t *asked, uint64_t connection) {
    oracle_t *oracle = &world->oracle;
    oracle->now += 1;
    oracle->asked =
        memory_grow(oracle->asked, &oracle->asked_room, oracle->asked_count + 1, sizeof(asked_t));
    asked_t *row = &oracle->asked[oracle->asked_count++];
    *row = *asked;
    row->said_at = oracle->now;
    oracle->waiting += 1;
    said_change(oracle, asked);
    if (is_message(asked->verb)) {
        letter_t *letter = &oracle->letters[asked->op];
        letter->tries += 1;
        if (letter->tries > 1) {
            said_again(letter);
            return (uint32_t)oracle->asked_count - 1;
        }
        letter->op = op;
        letter->fate = FATE_WAITING;
        letter->user = asked->user;
        letter->connection = connection;
        letter->said_at = oracle->now;
        letter->older = oracle->newest[asked->realm][asked->user];
        oracle->newest[asked->realm][asked->user] = asked->op;
    }
    return (uint32_t)oracle->asked_count - 1;
}

void oracle_silence(world_t *world, uint32_t index) {
    oracle_t *oracle = &world->oracle;
    asked_t *asked = &oracle->asked[index];
    if (asked->answered)
        return;
    asked->answered = true;
    oracle->waiting -= 1;
    oracle->now += 1;
    hearing_silence(world, asked);
    if (is_message(asked->verb) && !oracle->letters[asked->op].final) {
        oracle->letters[asked->op].fate = FATE_UNKNOWN;
        oracle->letters[asked->op].told_at = 0;
    }
    if (asked->verb == VERB_DELUSER || asked->verb == VERB_DELREALM || adds_user(asked->verb))
        said_change(oracle, asked);
}

static bool found_it(void *context, const message_t *message) {
    (void)message;
    *(bool *)context = true;
    return true;
}

/* OK means: it is on the disk. Delivered means: it is on the other realm's disk. */
static void check_stored(world_t *world, const letter_t *letter) {
    bool found = false;
    code_t verdict;
    const op_t *op = letter->op;
    store_t *store = memory_store_base(world->realms[op->realm].store);
    (void)store_lookup(store, letter->number, found_it, &found, &verdict);
    if (!found && !forgetting_took(world, op->realm, letter->number))
        violation_at(world, "not-stored", letter, "it is acknowledged and not on the disk");
    bool excused = was_set_back(&world->oracle, op->peer, letter->said_at) ||
                   was_set_back(&world->oracle, op->realm, letter->said_at);
    if (letter->fate == FATE_DELIVERED && !letter->stored && !excused)
        violation_at(world, "not-stored", letter,
                     "it is said to be delivered and not on that disk");
}

/* "m", then the number of the operation. */
static bool is_ref_of(const op_t *op, span_t ref) {
    uint64_t number = 0;
    if (ref.length < 2 || ref.length > 11 || ref.bytes[0] != 'm' ||
        (ref.bytes[1] == '0' && ref.length > 2))
        return false;
    for (size_t i = 1; i < ref.length; i++) {
        if (ref.bytes[i] < '0' || ref.bytes[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(ref.bytes[i] - '0');
    }
    return number == op->id;
}

static void check_ref(world_t *world, const letter_t *letter, const reply_t *reply) {
    bool given = insisting_has_ref(letter->op);
    if ((reply->ref.length > 0) != given || (given && !is_ref_of(letter->op, reply->ref)))
        violation_at(world, "odd-reply", letter, "it does not carry the ref of its request");
}

/* Where there is only one realm to link to, "*" means that one. */
bool oracle_goes_to_all(const world_t *world, const op_t *op) {
    const plan_t *plan = world->plan;
    return op->kind == OP_SAY && op->verb == VERB_SENDGROUPREALM && plan->realm_count == 2 &&
           !plan->accept_any[op->realm] && op->peer == 1 - op->realm && op->bytes % 4 == 1;
}

/* What an answer to "*" says of the one realm, as the answer to a message to that realm. */
static reply_t reply_of_one(world_t *world, const letter_t *letter, const reply_t *reply) {
    const broadcast_status_t *row = reply->broadcast.rows;
    if (reply->broadcast.count != 1 || strcmp(row->realm.text, realm_text(letter->op->peer)) != 0)
        violation_at(world, "odd-reply", letter, "it does not name the one realm that is linked");
    reply_t one = {.ticket = reply->ticket, .kind = REPLY_ERROR, .ref = reply->ref};
    one.error.code = row->code;
    if (row->code != CODE_OK && !(reply->broadcast.unsure && row->number != 0))
        return one;
    one.kind = REPLY_TEXT;
    one.text.text = (span_t){"", 0};
    one.text.number = row->number;
    one.text.delivery = reply->broadcast.unsure ? DELIVERY_QUEUED : row->delivery;
    return one;
}

/* One outcome for each ref, however often and wherever it is asked. */
static void check_same(world_t *world, const letter_t *letter, const reply_t *reply) {
    bool failed = reply->kind == REPLY_ERROR;
    bool same = failed == (letter->fate == FATE_REFUSED);
    if (same && failed)
        same = letter->code == reply->error.code;
    else if (same && is_remote(letter->op->verb))
        same = (letter->fate == FATE_DELIVERED) == (reply->text.delivery == DELIVERY_DELIVERED);
    if (!same)
        violation_at(world, "two-outcomes", letter, "it was answered otherwise before");
}

static void told_letter(world_t *world, const asked_t *asked, const reply_t *reply) {
    oracle_t *oracle = &world->oracle;
    letter_t *letter = &oracle->letters[asked->op];
    bool final = insisting_is_final(reply);
    check_ref(world, letter, reply);
    if (letter->tries > 1 && !final) { /* an earlier try may have done it */
        letter->fate = letter->final ? letter->fate : FATE_UNKNOWN;
        return;
    }
    if (letter->final)
        check_same(world, letter, reply);
    else
        letter->told_at = oracle->now;
    letter->final = final;
    if (reply->kind == REPLY_ERROR) {
        letter->fate = FATE_REFUSED;
        letter->code = reply->error.code;
        /* It may have been committed before, and only the answer was in the turn that failed. */
        if (reply->error.code == CODE_STORE && is_remote(asked->verb))
            letter->fate = FATE_UNKNOWN;
        return;
    }
    if (reply->kind != REPLY_TEXT || reply->text.number == 0)
        violation_at(world, "odd-reply", letter, "neither OK with an id nor ERROR");
    if (letter->number != 0 && letter->number != reply->text.number)
        violation_at(world, "id-changed", letter, "the reply says another id than was seen");
    letter->number = reply->text.number;
    bool delivered = reply->text.delivery == DELIVERY_DELIVERED;
    if ((reply->text.delivery == DELIVERY_NONE) == is_remote(asked->verb))
        violation_at(world, "odd-reply", letter, "delivery is missing or makes no sense");
    letter->fate = !is_remote(asked->verb) ? FATE_SENT : delivered ? FATE_DELIVERED : FATE_QUEUED;
    check_stored(world, letter);
}

static void told_message(world_t *world, const asked_t *asked, const reply_t *reply) {
    const letter_t *letter = &world->oracle.letters[asked->op];
    bool all = oracle_goes_to_all(world, letter->op);
    if (reply->kind != REPLY_ERROR && all != (reply->kind == REPLY_BROADCAST))
        violation_at(world, "odd-reply", letter, "a list of realms belongs to \"*\" alone");
    if (reply->kind == REPLY_BROADCAST) {
        reply_t one = reply_of_one(world, letter, reply);
        told_letter(world, asked, &one);
        return;
    }
    told_letter(world, asked, reply);
}

/* The sender's realm stopped trying: the other one may have taken the message all the same. */
static bool gave_up(const char *reason) {
    return strstr(reason, "waktu pengiriman habis") != NULL ||
           strstr(reason, "realm tidak ditemukan") != NULL;
}

/* queued, then delivered, rejected or expired, and that for good; unless the realm that is asked
 * went back in time. */
static void check_state(world_t *world, letter_t *letter, message_state_t state) {
    bool back = was_set_back(&world->oracle, letter->op->realm, letter->said_at);
    bool was_final = letter->shown != 0 && letter->shown != 1 + MESSAGE_QUEUED;
    if (!back && was_final && letter->shown != 1 + state)
        violation_at(world, "state-back", letter, "CHECKMESSAGE takes back what it said");
    if (!back && letter->fate == FATE_DELIVERED && state != MESSAGE_DELIVERED)
        violation_at(world, "state-back", letter, "it was delivered, CHECKMESSAGE says otherwise");
    letter->shown = (uint8_t)(1 + state);
}

static void told_state(world_t *world, const asked_t *asked, const reply_t *reply) {
    letter_t *letter = &world->oracle.letters[asked->op];
    bool own = letter->op != NULL && letter->number == asked->number &&
               letter->op->realm == asked->realm && letter->user == asked->user;
    if (reply->kind == REPLY_ERROR)
        return;
    if (reply->kind != REPLY_MESSAGE_STATE || reply->state.number != asked->number)
        world_violation(world, "odd-reply", "CHECKMESSAGE is answered with something else");
    if (own)
        check_state(world, letter, reply->state.state);
    if (!own || asked->seat < SEAT_AUDIT)
        return;
    if (reply->state.state == MESSAGE_DELIVERED)
        letter->shown_delivered = true;
    else if (reply->state.state == MESSAGE_QUEUED)
        letter->shown_queued = true;
    else
        letter->shown_rejected = true;
    if (reply->state.reason != NULL && gave_up(reply->state.reason))
        letter->gave_up = true;
}

static void told_links(oracle_t *oracle, const asked_t *asked, const reply_t *reply) {
    memset(oracle->links[asked->realm], 0, sizeof(oracle->links[asked->realm]));
    for (uint32_t i = 0; i < reply->realms.count; i++) {
        const realm_status_t *row = &reply->realms.rows[i];
        for (unsigned j = 0; j < REALMS_MAX; j++) {
            if (!is_realm((span_t){row->name.text, row->name.length}, j))
                continue;
            bool idle = row->up && row->queued == 0;
            oracle->links[asked->realm][j] = !row->up ? LINK_IS_DOWN
                                             : idle   ? LINK_IS_IDLE
                                                      : LINK_IS_BUSY;
        }
    }
}

static void told_users(oracle_t *oracle, const asked_t *asked, const reply_t *reply) {
    memset(oracle->user_there[asked->realm], 0, sizeof(oracle->user_there[asked->realm]));
    for (uint32_t i = 0; i < reply->users.count; i++) {
        const name_t *name = &reply->users.rows[i].name;
        unsigned index = name_index((span_t){name->text, name->length}, 'u');
        if (index < NAMES_MAX)
            oracle->user_there[asked->realm][index] = true;
    }
}

/* The workload has to keep up with the table of commands. */
static void told_help(world_t *world, const reply_t *reply) {
    for (uint32_t i = 0; i < reply->help.count; i++) {
        if (!plan_says(reply->help.rows[i].word))
            world_violation(world, "unknown-command", "HELP names %s, which no plan ever says",
                            reply->help.rows[i].word);
    }
}

static void told_rest(world_t *world, const asked_t *asked, const reply_t *reply) {
    oracle_t *oracle = &world->oracle;
    bool failed = reply->kind == REPLY_ERROR;
    if ((asked->verb == VERB_AUTH_WRONG || asked->verb == VERB_GARBAGE) && !failed)
        world_violation(world, "should-be-refused", "%s accepts what is wrong",
                        realm_text(asked->realm));
    if (asked->verb == VERB_SERVER_ONLY && !failed)
        world_violation(world, "should-be-refused", "%s lets a client be a server",
                        realm_text(asked->realm));
    if (failed)
        return;
    uint64_t *known_at = &oracle->user_known_at[asked->realm][asked->name];
    if (adds_user(asked->verb) && *known_at == 0)
        *known_at = oracle->now;
    if (asked->verb == VERB_AUTH && reply->text.text.length == KEY_TEXT_BYTES)
        memcpy(oracle->token[asked->realm][asked->user], reply->text.text.bytes, KEY_TEXT_BYTES);
    else if (asked->verb == VERB_ADDGROUP)
        oracle->group_made_at[asked->realm][asked->name] = oracle->now;
    else if (asked->verb == VERB_CHECKMESSAGE)
        told_state(world, asked, reply);
    else if (asked->verb == VERB_HELP)
        told_help(world, reply);
    else if (asked->verb == VERB_CHECKREALM)
        told_links(oracle, asked, reply);
    else if (asked->verb == VERB_LISTUSER)
        told_users(oracle, asked, reply);
    else if (adds_user(asked->verb) || asked->verb == VERB_DELUSER || asked->verb == VERB_DELREALM)
        said_change(oracle, asked);
}

void oracle_committed(world_t *world, unsigned realm, const record_t *records, size_t count) {
    oracle_t *oracle = &world->oracle;
    hearing_committed(world, realm, records, count);
    forgetting_committed(world, realm, records, count);
    for (size_t i = 0; i < count; i++) {
        const message_t *message = &records[i].message;
        if (records[i].kind != RECORD_MESSAGE || message->origin.length == 0)
            continue;
        uint32_t id = letter_id(message->text);
        if (id == 0 || id >= oracle->letter_count || oracle->letters[id].op == NULL)
            continue;
        if (oracle->letters[id].op->peer == realm &&
            is_realm(message->origin, oracle->letters[id].op->realm))
            oracle->letters[id].stored = true;
    }
}

/* ---- pages ---- */

typedef struct reading {
    world_t *world;
    const asked_t *asked;
    uint32_t last; /* seq of the message before, 0 = none */
    uint32_t count;
    view_t *view;
    uint64_t newest_said[REALMS_MAX][NAMES_MAX]; /* of each sender's messages so far */
} reading_t;

static view_t *view_of(world_t *world, const asked_t *asked) {
    unsigned owner = asked->verb == VERB_INBOX || asked->verb == VERB_INBOXREALM
                         ? asked->user
                         : USERS_MAX + (unsigned)asked->name;
    bool has_peer = asked->verb == VERB_INBOXREALM || asked->verb == VERB_INBOXGROUPREALM;
    return &world->oracle
                .views[asked->realm][owner * (1 + REALMS_MAX) + (has_peer ? 1U + asked->peer : 0)];
}

static _Noreturn void page_violation(const reading_t *reading, const char *rule, uint32_t seq,
                                     const char *words) {
    static const char *const names[] = {"INBOX", "INBOXREALM", "INBOXGROUP", "INBOXGROUPREALM"};
    const asked_t *asked = reading->asked;
    world_violation(reading->world, rule, "%s of u%u at %s (peer %s, name %u), seq %" PRIu32 ": %s",
                    names[asked->verb - VERB_INBOX], asked->user, realm_text(asked->realm),
                    realm_text(asked->peer), asked->name, seq, words);
}

/* Whether a message may stand in the mailbox that was asked for; *copy: as its sender's own copy.
 */
static bool belongs(const asked_t *asked, const letter_t *letter, bool *copy) {
    const op_t *op = letter->op;
    *copy = false;
    switch (asked->verb) {
    case VERB_INBOX:
        return op->verb == VERB_SEND && op->realm == asked->realm && op->name == asked->user;
    case VERB_INBOXREALM:
        return op->verb == VERB_SENDREALM && op->realm == asked->peer && op->peer == asked->realm &&
               op->name == asked->user;
    case VERB_INBOXGROUP:
        return op->verb == VERB_SENDGROUP && op->realm == asked->realm && op->name == asked->name;
    default:
        *copy = op->realm == asked->realm && op->peer == asked->peer;
        return op->verb == VERB_SENDGROUPREALM && op->name == asked->name &&
               (*copy || (op->realm == asked->peer && op->peer == asked->realm));
    }
}

static void read_bounce(reading_t *reading, const message_t *message) {
    world_t *world = reading->world;
    char text[512];
    uint64_t number = 0;
    size_t length = message->text.length < sizeof(text) ? message->text.length : sizeof(text) - 1;
    memcpy(text, message->text.bytes, length);
    text[length] = '\0';
    const char *colon = strchr(text, ':');
    if (reading->asked->verb != VERB_INBOX || strncmp(text, "Pesan ", 6) != 0 || colon == NULL ||
        sscanf(colon + 1, "%" SCNu64, &number) != 1)
        page_violation(reading, "odd-bounce", message->seq, text);
    if (reading->asked->seat < SEAT_AUDIT)
        return;
    oracle_t *oracle = &world->oracle;
    for (uint32_t i = oracle->newest[reading->asked->realm][reading->asked->user]; i != 0;
         i = oracle->letters[i].older) {
        letter_t *letter = &oracle->letters[i];
        if (letter->number != number)
            continue;
        letter->bounces += 1;
        if (gave_up(text))
            letter->gave_up = true;
    }
}

static void read_order(reading_t *reading, const letter_t *letter) {
    const oracle_t *oracle = &reading->world->oracle;
    unsigned from = letter->op->realm, here = reading->asked->realm;
    bool unlinked = oracle->link_lost_at[from][here] != 0 || oracle->link_lost_at[here][from] != 0;
    /* Where both ends went back in time, or one to before the end of a link, what was given up for
     * lost may come again behind what was not. */
    if (oracle->setback_count[from] > 0 && (oracle->setback_count[here] > 0 || unlinked))
        return;
    uint64_t *newest = &reading->newest_said[letter->op->realm][letter->user];
    if (letter->told_at != 0 && letter->told_at < *newest && letter->fate != FATE_REFUSED)
        page_violation(reading, "order", letter->seq,
                       "it was acknowledged before the one above it was sent");
    if (letter->said_at > *newest)
        *newest = letter->said_at;
}

static void read_letter(reading_t *reading, const message_t *message) {
    world_t *world = reading->world;
    const asked_t *asked = reading->asked;
    bool copy;
    letter_t *letter = letter_of(world, message->text);
    if (letter == NULL)
        page_violation(reading, "text-changed", message->seq, "nobody sent this text");
    if (!belongs(asked, letter, &copy))
        page_violation(reading, "wrong-mailbox", message->seq, "this was sent elsewhere");
    bool local = letter->op->realm == asked->realm;
    if (name_index(message->from, 'u') != letter->user ||
        (local ? message->origin.length != 0 : !is_realm(message->origin, letter->op->realm)))
        page_violation(reading, "wrong-sender", message->seq, "it says to be from somebody else");
    if (letter->number == 0)
        letter->number = message->number;
    if (letter->number != message->number &&
        !was_set_back(&world->oracle, letter->op->realm, letter->said_at))
        page_violation(reading, "id-changed", message->seq, "another id than before");
    uint32_t *place = copy ? &letter->copy_seq : &letter->seq;
    if (*place != 0 && *place != message->seq)
        page_violation(reading, "twice", message->seq, "the same message stands there twice");
    *place = message->seq;
    if (asked->seat < SEAT_AUDIT)
        return;
    if (copy)
        letter->copies += 1;
    else
        letter->seen += 1;
    read_order(reading, letter);
}

static void read_print(reading_t *reading, const message_t *message) {
    view_t *view = reading->view;
    const asked_t *asked = reading->asked;
    uint64_t print =
        dice_mix(message->number ^ dice_mix((uint64_t)message->time_ms + message->text.length));
    bool is_users = asked->verb == VERB_INBOX || asked->verb == VERB_INBOXREALM;
    if (is_users && reading->world->oracle.user_lost_at[asked->realm][asked->user] != 0)
        return; /* another user of the same name may have been asked */
    if (message->seq > view->count) {
        view->prints = memory_grow(view->prints, &view->room, message->seq, sizeof(*view->prints));
        memset(&view->prints[view->count], 0, (message->seq - view->count) * sizeof(*view->prints));
        view->count = message->seq;
    }
    uint64_t *seen = &view->prints[message->seq - 1];
    if (*seen != 0 && *seen != print)
        page_violation(reading, "page-changed", message->seq, "another message stood there before");
    *seen = print;
}

static bool read_message(void *context, const message_t *message) {
    static const char bouncer[] = "realm";
    reading_t *reading = context;
    if (message->seq == 0 || (reading->last != 0 && message->seq != reading->last + 1))
        page_violation(reading, "seq-hole", message->seq, "the page has a hole");
    reading->last = message->seq;
    reading->count += 1;
    world_tell(reading->world, "    page: %" PRIu32 " %.*s", message->seq,
               (int)(message->text.length < 60 ? message->text.length : 60), message->text.bytes);
    read_print(reading, message);
    if (message->from.length == strlen(bouncer) && memcmp(message->from.bytes, bouncer, 5) == 0)
        read_bounce(reading, message);
    else
        read_letter(reading, message);
    return true;
}

void oracle_read_event(world_t *world, const asked_t *asked, const message_t *message) {
    reading_t reading = {.world = world, .asked = asked, .view = view_of(world, asked)};
    (void)read_message(&reading, message);
}

/* What is gone is gone from the front; the page is that of what is left. */
static void check_bounds(const reading_t *reading, const page_query_t *query, bool more) {
    const asked_t *asked = reading->asked;
    uint32_t edge = forgetting_edge(reading->world, asked->realm, query->mailbox);
    uint32_t after = asked->after > edge ? asked->after : edge;
    uint32_t first = reading->last + 1 - reading->count;
    bool forward = asked->forward;
    if (reading->count > asked->limit)
        page_violation(reading, "page-bounds", reading->last, "more than the limit");
    if (reading->count == 0) {
        uint32_t end = asked->before > 0 && asked->before <= query->newest_seq
                           ? asked->before
                           : query->newest_seq + 1;
        if (after + 1 < end || more)
            page_violation(reading, "page-bounds", after, "nothing of what is there");
        return;
    }
    if (forward && first != after + 1)
        page_violation(reading, "page-bounds", first, "AFTER does not start behind it");
    if (asked->before > 0 && reading->last >= asked->before)
        page_violation(reading, "page-bounds", reading->last, "BEFORE reaches beyond it");
    if (!forward && more != (first > edge + 1))
        page_violation(reading, "page-bounds", first, "`more` is wrong");
}

static void told_page(world_t *world, const asked_t *asked, const reply_t *reply) {
    bool more = false;
    oracle_t *oracle = &world->oracle;
    if (reply->kind != REPLY_PAGE) {
        if (reply->kind != REPLY_ERROR)
            world_violation(world, "odd-reply", "a page was asked for, something else came");
        if (asked->seat >= SEAT_AUDIT)
            world_violation(world, "locked-out",
                            "%s refuses a page in the audit (verb %d, code %d)",
                            realm_text(asked->realm), (int)asked->verb, (int)reply->error.code);
        return;
    }
    reading_t reading = {.world = world, .asked = asked, .view = view_of(world, asked)};
    store_t *store = memory_store_base(world->realms[asked->realm].store);
    if (reply->page.query.newest_position != 0 &&
        store_page(store, &reply->page.query, read_message, &reading, &more) != STORE_OK)
        world_violation(world, "store-corrupt", "%s cannot read a page", realm_text(asked->realm));
    check_bounds(&reading, &reply->page.query, more);
    if (asked->seat >= SEAT_AUDIT && asked->verb == VERB_INBOX)
        oracle->audited[asked->realm][asked->user] = true;
}

void oracle_told(world_t *world, uint32_t index, const reply_t *reply) {
    oracle_t *oracle = &world->oracle;
    asked_t *asked = &oracle->asked[index];
    if (asked->answered)
        world_violation(world, "answered-twice", "%s answers a request a second time (verb %d)",
                        realm_text(asked->realm), (int)asked->verb);
    asked->answered = true;
    oracle->waiting -= 1;
    oracle->now += 1;
    world_trace(world, (uint64_t)reply->kind << 32 |
                           (reply->kind == REPLY_ERROR ? reply->error.code : index));
    hearing_told(world, asked, reply->kind != REPLY_ERROR);
    if (is_message(asked->verb))
        told_message(world, asked, reply);
    else if (asked->verb >= VERB_INBOX && asked->verb <= VERB_INBOXGROUPREALM)
        told_page(world, asked, reply);
    else
        told_rest(world, asked, reply);
}

/* ---- the network ---- */

void oracle_overhears(world_t *world, unsigned from, unsigned to, const peer_message_t *message) {
    if (from == STRANGER)
        return;
    for (unsigned i = 0; i < message->records.record_count; i++) {
        const peer_record_t *record = &message->records.records[i];
        if (to == STRANGER)
            world_violation(world, "stranger-reads", "%s sends a record to a stranger",
                            realm_text(from));
        if (record->kind == PEER_RECVGROUPREALM) {
            if (memmem(record->body.bytes, record->body.length, LETTER_MARK, strlen(LETTER_MARK)) !=
                NULL)
                world_violation(world, "plaintext", "%s sends a group message unsealed",
                                realm_text(from));
            continue;
        }
        const letter_t *letter = letter_of(world, record->body);
        if (letter == NULL || letter->op->realm != from || letter->op->peer != to ||
            letter->op->verb != VERB_SENDREALM)
            world_violation(world, "stranger-reads", "%s sends to %s what is not meant for it",
                            realm_text(from), realm_text(to));
    }
}

/* ---- back in time ---- */

void oracle_backup(world_t *world, unsigned realm) {
    world->oracle.now += 1;
    world->oracle.backup_at[realm] = world->oracle.now;
    forgetting_backup(world, realm);
}

void oracle_restored(world_t *world, unsigned realm, bool by_hand) {
    oracle_t *oracle = &world->oracle;
    oracle->may_repeat[realm] |= by_hand;
    uint64_t backup_at = oracle->backup_at[realm];
    oracle->now += 1;
    if (oracle->setback_count[realm] < SETBACKS_MAX)
        oracle->setbacks[realm][oracle->setback_count[realm]++] =
            (setback_t){.backup_at = backup_at, .restored_at = oracle->now};
    for (unsigned i = 0; i < NAMES_MAX; i++) {
        if (oracle->user_made_at[realm][i] > backup_at)
            oracle->user_lost_at[realm][i] = oracle->now;
        if (oracle->group_made_at[realm][i] == 0 || oracle->group_made_at[realm][i] > backup_at)
            oracle->group_lost_at[realm][i] = oracle->now;
    }
    hearing_restored(world, realm);
    forgetting_restored(world, realm);
    forget_views(oracle, realm);
    for (size_t i = 0; i < oracle->letter_count; i++) {
        letter_t *letter = &oracle->letters[i];
        if (letter->op == NULL)
            continue;
        unsigned there = is_remote(letter->op->verb) ? letter->op->peer : letter->op->realm;
        if (there == realm)
            letter->seq = 0;
        if (letter->op->realm == realm)
            letter->copy_seq = 0;
    }
}

/* ---- the verdict ---- */

/* What may excuse a message. */
typedef struct excuse {
    bool lost;             /* the origin went back to before the promise */
    bool origin;           /* the origin went back in time */
    bool target;           /* the other realm did */
    bool sender, receiver; /* that user or group was removed meanwhile */
    bool unlinked;         /* DELREALM on either side */
    bool vanished;         /* the other realm went back in time, and it could not be sent again */
} excuse_t;

static excuse_t excuse_of(const world_t *world, const letter_t *letter) {
    const oracle_t *oracle = &world->oracle;
    const op_t *op = letter->op;
    unsigned there = is_remote(op->verb) ? op->peer : op->realm;
    bool group = op->verb == VERB_SENDGROUP || op->verb == VERB_SENDGROUPREALM;
    uint64_t said_at = letter->said_at;
    excuse_t excuse = {.origin = was_set_back(oracle, op->realm, said_at),
                       .target = was_set_back(oracle, there, said_at)};
    for (unsigned i = 0; i < oracle->setback_count[op->realm]; i++) {
        const setback_t *setback = &oracle->setbacks[op->realm][i];
        if (setback->restored_at > said_at && setback->backup_at < letter->told_at)
            excuse.lost = true;
    }
    excuse.sender = oracle->user_lost_at[op->realm][letter->user] > said_at;
    excuse.receiver = group ? oracle->group_lost_at[there][op->name] > said_at ||
                                  oracle->group_lost_at[op->realm][op->name] > said_at
                            : oracle->user_lost_at[there][op->name] > said_at;
    excuse.unlinked = oracle->link_lost_at[op->realm][op->peer] > said_at ||
                      oracle->link_lost_at[op->peer][op->realm] > said_at;
    bool forgotten = forgetting_took(world, op->realm, letter->number);
    excuse.vanished = excuse.target && (excuse.origin || excuse.unlinked || forgotten);
    return excuse;
}

static void judge_local(world_t *world, const letter_t *letter, const excuse_t *excuse) {
    if (letter->fate == FATE_SENT && letter->seen == 0 && !excuse->lost && !excuse->receiver &&
        !letter->forgotten)
        violation_at(world, "lost", letter, "it was acknowledged and is nowhere");
    if (letter->fate == FATE_REFUSED && letter->seen > 0)
        violation_at(world, "error-but-there", letter, "its sender was told ERROR");
}

static void judge_delivered(world_t *world, const letter_t *letter, const excuse_t *excuse) {
    bool excused = excuse->receiver || excuse->vanished;
    if (letter->seen == 0 && !excused && !letter->forgotten)
        violation_at(world, "lost", letter, "it was said to be delivered and is nowhere");
    if (letter->bounces > 0 && !excuse->origin)
        violation_at(world, "bounced-and-delivered", letter,
                     "it was said to be delivered, then bounced");
}

/* A message to all is for the realms that have the group: of one that has not, nobody is told who
 * does not ask; and what retention has taken cannot be asked for. */
static bool is_silent(const world_t *world, const letter_t *letter) {
    return oracle_goes_to_all(world, letter->op) &&
           (letter->shown_rejected || forgetting_took(world, letter->op->realm, letter->number));
}

static void judge_queued(world_t *world, const letter_t *letter, const excuse_t *excuse) {
    bool excused = excuse->lost || excuse->sender || excuse->receiver || excuse->origin ||
                   excuse->vanished || letter->forgotten || is_silent(world, letter) ||
                   forgetting_took_bounce(world, letter->op->realm, letter->number);
    if (letter->seen + letter->bounces == 0 && !excused)
        violation_at(world, "lost", letter, "it was queued, and neither came nor bounced");
    if (letter->shown_queued && !excuse->origin)
        violation_at(world, "still-queued", letter, "CHECKMESSAGE says queued after healing");
}

static void judge_refused(world_t *world, const letter_t *letter, const excuse_t *excuse) {
    if (excuse->origin)
        return;
    if (letter->seen > 0 || letter->copies > 0)
        violation_at(world, "error-but-there", letter, "its sender was told ERROR");
    if (letter->bounces > 0)
        violation_at(world, "error-and-bounce", letter, "its sender was told twice");
}

static void judge_both_sides(world_t *world, const letter_t *letter, const excuse_t *excuse) {
    bool back = excuse->origin;
    if (letter->bounces > 1 && !back)
        violation_at(world, "bounced-twice", letter, "its sender was told twice");
    if (letter->bounces > 0 && letter->seen > 0 && !letter->gave_up && !back)
        violation_at(world, "bounced-and-delivered", letter, "it was refused and is there");
    if (letter->shown_delivered && letter->seen == 0 && !back && !excuse->receiver &&
        !excuse->vanished && !letter->forgotten)
        violation_at(world, "false-state", letter, "CHECKMESSAGE says delivered");
    if (letter->shown_rejected && letter->seen > 0 && !letter->gave_up && !back)
        violation_at(world, "false-state", letter, "CHECKMESSAGE says rejected");
    bool owes_copy = letter->op->verb == VERB_SENDGROUPREALM &&
                     (letter->fate == FATE_DELIVERED || letter->fate == FATE_QUEUED ||
                      (letter->fate == FATE_UNKNOWN && letter->seen > 0));
    bool excused = excuse->lost || excuse->receiver || (excuse->origin && letter->told_at == 0);
    if (owes_copy && letter->copies == 0 && !excused && !letter->copy_forgotten)
        violation_at(world, "no-own-copy", letter, "our own group did not get it");
}

/* Who was there all the time cannot be unknown; a group with the same password is the same. */
static void judge_refusal(world_t *world, const letter_t *letter) {
    const oracle_t *oracle = &world->oracle;
    const op_t *op = letter->op;
    unsigned there = is_remote(op->verb) ? op->peer : op->realm;
    if (letter->fate != FATE_REFUSED || oracle->setback_count[there] > 0 || op->name >= USERS_MAX)
        return;
    uint64_t known_at = oracle->user_known_at[there][op->name];
    if (letter->code == CODE_NO_USER && known_at != 0 && known_at < letter->said_at &&
        oracle->user_lost_at[there][op->name] == 0)
        violation_at(world, "refused-wrongly", letter, "that user was there all the time");
    if (letter->code != CODE_GROUP_MISMATCH || op->name >= GROUPS_MAX)
        return;
    uint64_t made_at = oracle->group_made_at[there][op->name];
    bool same =
        world->plan->group_key[there][op->name] == world->plan->group_key[op->realm][op->name];
    if (same && made_at != 0 && made_at < letter->said_at)
        violation_at(world, "refused-wrongly", letter, "that group was there all the time");
}

/* Where the passwords differ there is nothing to read. */
static void judge_mismatch(world_t *world, const letter_t *letter) {
    const op_t *op = letter->op;
    const plan_t *plan = world->plan;
    if (op->verb == VERB_SENDGROUPREALM && op->name < GROUPS_MAX && letter->seen > 0 &&
        plan->group_key[op->realm][op->name] != plan->group_key[op->peer][op->name])
        violation_at(world, "mismatch-read", letter, "that group has another password");
}

/* What was for a realm that is gone for good: either it had taken it, or the sender was told. */
static void judge_departed(world_t *world, const letter_t *letter, const excuse_t *excuse) {
    bool excused = excuse->lost || excuse->sender || excuse->origin || is_silent(world, letter) ||
                   forgetting_took_bounce(world, letter->op->realm, letter->number);
    if (letter->fate == FATE_QUEUED && !letter->stored && letter->bounces == 0 && !excused)
        violation_at(world, "lost", letter, "its realm never came back, and it did not bounce");
    if (letter->shown_queued && !excuse->origin)
        violation_at(world, "still-queued", letter, "CHECKMESSAGE says queued after many days");
    if (letter->fate == FATE_REFUSED && letter->bounces > 0 && !excuse->origin)
        violation_at(world, "error-and-bounce", letter, "its sender was told twice");
    if (letter->bounces > 1 && !excuse->origin)
        violation_at(world, "bounced-twice", letter, "its sender was told twice");
}

static void judge_letter(world_t *world, const letter_t *letter) {
    excuse_t excuse = excuse_of(world, letter);
    if (letter->op->realm == world->departed)
        return;
    if (is_remote(letter->op->verb) && letter->op->peer == world->departed) {
        judge_departed(world, letter, &excuse);
        return;
    }
    judge_refusal(world, letter);
    judge_mismatch(world, letter);
    if (!is_remote(letter->op->verb)) {
        judge_local(world, letter, &excuse);
        return;
    }
    if (letter->fate == FATE_DELIVERED)
        judge_delivered(world, letter, &excuse);
    else if (letter->fate == FATE_QUEUED)
        judge_queued(world, letter, &excuse);
    else if (letter->fate == FATE_REFUSED)
        judge_refused(world, letter, &excuse);
    judge_both_sides(world, letter, &excuse);
}

/* The place of an id in the table of ids: its own, or a free one. */
static uint32_t *place_of_id(const oracle_t *oracle, size_t size, uint64_t number) {
    size_t place = (size_t)dice_mix(number) & (size - 1);
    while (oracle->given[place] != 0 && oracle->letters[oracle->given[place]].number != number)
        place = (place + 1) & (size - 1);
    return &oracle->given[place];
}

/* Ids are unique, also where the realm went back in time; unless it did not know that. */
static void judge_ids(world_t *world, unsigned realm) {
    oracle_t *oracle = &world->oracle;
    size_t size = 1;
    if (oracle->may_repeat[realm])
        return;
    while (size <= 2 * oracle->letter_count)
        size *= 2;
    oracle->given = memory_grow(oracle->given, &oracle->given_room, size, sizeof(*oracle->given));
    memset(oracle->given, 0, size * sizeof(*oracle->given));
    for (uint32_t i = 1; i < oracle->letter_count; i++) {
        const letter_t *letter = &oracle->letters[i];
        if (letter->op == NULL || letter->op->realm != realm || letter->number == 0)
            continue;
        uint32_t *place = place_of_id(oracle, size, letter->number);
        if (*place != 0)
            violation_at(world, "id-twice", letter, "another message has the same id");
        *place = i;
    }
}

static uint32_t row_of_realm(const memory_store_t *store, unsigned realm) {
    for (uint32_t id = 1; id <= memory_store_realm_count(store); id++) {
        const realm_record_t *row = memory_store_realm(store, id);
        if (row != NULL && is_realm((span_t){row->name.text, row->name.length}, realm))
            return id;
    }
    return 0;
}

/* What one end has taken, in its own words, is what the other end believes that it took. */
static void judge_marks(world_t *world, unsigned i, unsigned j) {
    const memory_store_t *store = world->realms[i].store, *other = world->realms[j].store;
    const stream_record_t *out = memory_store_stream(store, row_of_realm(store, j));
    const stream_record_t *in = memory_store_stream(other, row_of_realm(other, i));
    stream_mark_t mark = {0}, believed = {0};
    if (in != NULL && in->mark_count > 0)
        mark = in->marks[0];
    if (out != NULL)
        believed = out->peer;
    if (mark.epoch != believed.epoch || mark.seq != believed.seq)
        world_violation(
            world, "marks-differ",
            "%s has taken %" PRIx64 ":%" PRIu32 " of %s, which believes %" PRIx64 ":%" PRIu32,
            realm_text(j), mark.epoch, mark.seq, realm_text(i), believed.epoch, believed.seq);
}

void oracle_judge(world_t *world) {
    oracle_t *oracle = &world->oracle;
    const plan_t *plan = world->plan;
    for (unsigned i = 0; i < plan->realm_count; i++) {
        for (unsigned u = 0; i != world->departed && u < plan->user_count; u++) {
            if (!oracle->audited[i][u])
                world_violation(world, "locked-out", "u%u cannot read at %s", u, realm_text(i));
        }
        judge_ids(world, i);
        for (unsigned j = 0; j < plan->realm_count; j++) {
            if (world_links(world, i, j))
                judge_marks(world, i, j);
        }
    }
    for (size_t i = 0; i < oracle->letter_count; i++) {
        if (oracle->letters[i].op != NULL)
            judge_letter(world, &oracle->letters[i]);
    }
}
