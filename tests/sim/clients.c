/*
 * The clients' side of the line protocol. Must never look into a realm: what a client knows, it
 * knows from replies.
 */
#include "clients.h"

#include "base/crypto.h"
#include "base/memory.h"
#include "insisting.h"
#include "node.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Fewer than a realm lets one connection have waiting. */
enum { AUDIT_REQUESTS_AT_ONCE = 16 };

typedef struct line {
    char bytes[LINE_BYTES_MAX];
    size_t length;
} line_t;

static void say_text(line_t *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say_bytes(line_t *line, const char *bytes, size_t length) {
    memcpy(line->bytes + line->length, bytes, length);
    line->length += length;
}

static void say_number(line_t *line, uint64_t number) {
    char digits[24];
    size_t first = sizeof(digits);
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    say_bytes(line, digits + first, sizeof(digits) - first);
}

/* As printf has it, of which it knows %s, %u and %lu: requests are written by the million. */
static void say_text(line_t *line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    while (*format != '\0') {
        size_t plain = strcspn(format, "%");
        say_bytes(line, format, plain);
        format += plain;
        if (*format == '\0')
            break;
        const char *text = format[1] == 's' ? va_arg(arguments, const char *) : NULL;
        if (text != NULL)
            say_bytes(line, text, strlen(text));
        else if (format[1] == 'u')
            say_number(line, va_arg(arguments, unsigned));
        else
            say_number(line, va_arg(arguments, uint64_t));
        format += format[1] == 'l' ? 3 : 2;
    }
    va_end(arguments);
}

void clients_begin(world_t *world) {
    world->connection_count = 0;
    for (unsigned i = 0; i < REALMS_MAX; i++) {
        for (unsigned s = 0; s < SEATS_ALL; s++) {
            seat_t *seat = &world->seats[i][s];
            seat->connection = 0;
            seat->bound = false;
            seat->request_count = 0;
            seat->again_count = 0;
        }
    }
}

void clients_free(world_t *world) {
    for (unsigned i = 0; i < REALMS_MAX; i++) {
        for (unsigned s = 0; s < SEATS_ALL; s++) {
            memory_free(world->seats[i][s].requests);
            memory_free(world->seats[i][s].again);
        }
    }
    memory_free(world->owners);
    memory_free(world->audit);
}

static uint8_t user_of_seat(unsigned seat) {
    if (seat >= SEAT_AUDIT)
        return (uint8_t)(seat - SEAT_AUDIT);
    return seat == SEAT_ADMIN ? NAMES_MAX - 1 : (uint8_t)(seat / SEATS_PER_USER);
}

/* ---- lines ---- */

static void say_password(line_t *line, unsigned user, unsigned version) {
    say_text(line, "rahasia-%u-%u", user, version);
}

/* The same password, as the hash that another program made of it. */
static void say_hash(line_t *line, unsigned user, unsigned version) {
    static const uint8_t salt[SALT_BYTES] = "imported, salted";
    char salt_text[32], hash_text[64];
    uint8_t hash[KEY_BYTES];
    line_t password = {.length = 0};
    say_password(&password, user, version);
    node_password_hash(hash, salt, (span_t){password.bytes, password.length});
    (void)sodium_bin2base64(salt_text, sizeof(salt_text), salt, sizeof(salt),
                            sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    (void)sodium_bin2base64(hash_text, sizeof(hash_text), hash, sizeof(hash),
                            sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    say_text(line, "$argon2id$v=19$m=8,t=1,p=1$%s$%s", salt_text, hash_text);
}

static void say_page(line_t *line, asked_t *asked, const op_t *op) {
    asked->limit = PAGE_MESSAGES_DEFAULT;
    if (asked->seat >= SEAT_AUDIT) {
        asked->after = op->variant * 1000U;
        asked->limit = 1000;
        asked->forward = true;
        say_text(line, " AFTER %u LIMIT 1000", asked->after);
        return;
    }
    uint32_t number = (uint32_t)(op->amount % 23);
    if (op->variant % 4 == 1) {
        asked->after = number;
        asked->forward = true;
        say_text(line, " AFTER %u", number);
    } else if (op->variant % 4 == 2) {
        asked->before = number + 1;
        say_text(line, " BEFORE %u", number + 1);
    }
    if (op->variant % 3 == 1) {
        asked->limit = 1 + number;
        say_text(line, " LIMIT %u", number + 1);
    }
}

static void say_message(line_t *line, const op_t *op) {
    line->length += oracle_text(line->bytes + line->length, op);
}

static void say_garbage(line_t *line, const op_t *op) {
    static const char *const lines[] = {
        "SEND",    "SEND u1",     "sned u1 halo",     "INBOX AFTER", "INBOX LIMIT 0", "\x01\x02",
        "AUTH u0", "SEND ../x y", "SEND u0 \xff\xfe", "ADDREALM b",  "CHECKMESSAGE 7"};
    say_text(line, "%s", lines[op->variant % (sizeof(lines) / sizeof(lines[0]))]);
}

static void say_server_only(line_t *line, const op_t *op) {
    static const char *const lines[] = {"ACKREALM a b 1 c 2", "REMOTEINBOXREALM u0 b",
                                        "RECVGROUPREALM b u0 g0 halo",
                                        "REMOTEINBOXGROUPREALM g0 b"};
    say_text(line, "%s", lines[op->variant % 4]);
}

static void say_key(line_t *line, unsigned realm) {
    uint8_t key[KEY_BYTES];
    char text[KEY_TEXT_BYTES + 1];
    realm_key(key, realm);
    crypto_key_text(text, key);
    say_text(line, " %s", text);
}

/* An operator sometimes mixes up the addresses, and then reaches a realm with another key. */
static void say_add_realm(line_t *line, const op_t *op, bool is_repair) {
    unsigned port = op->peer;
    if (!is_repair && op->variant >= 230)
        port = (op->peer + 1U) % REALMS_MAX;
    say_text(line, "ADDREALM %s here %u", realm_text(op->peer), 9100 + port);
    if (op->variant % 2 == 1)
        say_key(line, op->peer);
}

static void say_check_message(world_t *world, line_t *line, asked_t *asked, const op_t *op) {
    const oracle_t *oracle = &world->oracle;
    const letter_t *letter = NULL;
    uint32_t own = asked->seat < SEAT_ADMIN ? oracle->newest[asked->realm][asked->user] : 0;
    if (asked->seat >= SEAT_AUDIT) {
        letter = &oracle->letters[op->amount];
    } else if (op->variant < 200 && own != 0) {
        for (unsigned back = op->variant % 16; back > 0 && oracle->letters[own].older != 0; back--)
            own = oracle->letters[own].older;
        letter = &oracle->letters[own];
    } else if (oracle->letter_count > 0) {
        letter = &oracle->letters[(size_t)op->amount % oracle->letter_count];
    }
    asked->op = letter == NULL ? 0 : (uint32_t)(letter - oracle->letters);
    asked->number = letter == NULL || letter->number == 0 ? 1 : letter->number;
    const char *realm =
        realm_text(letter == NULL || letter->op == NULL ? op->realm : letter->op->realm);
    say_text(line, "CHECKMESSAGE %s:%" PRIu64, realm, asked->number);
}

static void say_account(world_t *world, line_t *line, const op_t *op) {
    uint8_t *version = &world->oracle.password[op->realm][op->name];
    if (op->verb == VERB_ADDUSER) {
        say_text(line, "ADDUSER u%u ", op->name);
        say_password(line, op->name, 0);
        *version = 0;
    } else if (op->verb == VERB_IMPORTUSER) {
        say_text(line, "IMPORTUSER u%u ", op->name);
        say_hash(line, op->name, 0);
        *version = 0;
    } else if (op->verb == VERB_REGISTER) {
        say_text(line, "REGISTER r%u rahasia", op->variant % 3);
    } else {
        *version ^= 1;
        say_text(line, "PASSWORD u%u ", op->name);
        say_password(line, op->name, *version);
    }
}

static void say_group(const world_t *world, line_t *line, const op_t *op) {
    bool wrong = op->verb == VERB_JOINGROUP && op->variant >= 225;
    unsigned key = op->name < GROUPS_MAX ? world->plan->group_key[op->realm][op->name] : 0;
    say_text(line, "%s g%u %s%u", op->verb == VERB_ADDGROUP ? "ADDGROUP" : "JOINGROUP", op->name,
             wrong ? "salah-" : "kunci-", key);
}

static void say_auth(const world_t *world, line_t *line, const op_t *op, unsigned user) {
    const char *token = world->oracle.token[op->realm][user];
    if (op->verb == VERB_RESUME && token[0] != '\0') {
        say_text(line, "RESUME %s", token);
        return;
    }
    say_text(line, "AUTH u%u ", user);
    if (op->verb == VERB_AUTH_WRONG)
        say_text(line, "salah-%u", op->variant);
    else if (op->seat >= SEAT_AUDIT)
        say_password(line, user, op->variant);
    else
        say_password(line, user, world->oracle.password[op->realm][user]);
}

/* A message, or what asks for messages. False: it is neither. */
static bool compose_mail(const world_t *world, line_t *line, asked_t *asked, const op_t *op) {
    const char *peer = oracle_goes_to_all(world, op) ? "*" : realm_text(op->peer);
    if (insisting_has_ref(op))
        say_text(line, "@m%u ", op->id);
    switch (op->verb) {
    case VERB_SEND:
        say_text(line, "SEND u%u ", op->name);
        break;
    case VERB_SENDREALM:
        say_text(line, "SENDREALM %s u%u ", peer, op->name);
        break;
    case VERB_SENDGROUP:
        say_text(line, "SENDGROUP g%u ", op->name);
        break;
    case VERB_SENDGROUPREALM:
        say_text(line, "SENDGROUPREALM %s g%u ", peer, op->name);
        break;
    case VERB_INBOX:
        say_text(line, "INBOX");
        break;
    case VERB_INBOXREALM:
        say_text(line, "INBOXREALM %s", peer);
        break;
    case VERB_INBOXGROUP:
        say_text(line, "INBOXGROUP g%u", op->name);
        break;
    case VERB_INBOXGROUPREALM:
        say_text(line, "INBOXGROUPREALM %s g%u", peer, op->name);
        break;
    default:
        return false;
    }
    if (op->verb <= VERB_SENDGROUPREALM)
        say_message(line, op);
    else
        say_page(line, asked, op);
    return true;
}

static void compose_rest(world_t *world, line_t *line, asked_t *asked, const op_t *op) {
    static const char *const plain[VERB_COUNT] = {[VERB_CHECKGROUP] = "CHECKGROUP",
                                                  [VERB_CHECKREALM] = "CHECKREALM",
                                                  [VERB_LOGOUT] = "LOGOUT",
                                                  [VERB_QUIT] = "QUIT",
                                                  [VERB_PING] = "PING",
                                                  [VERB_LISTEN] = "LISTEN",
                                                  [VERB_UNLISTEN] = "UNLISTEN",
                                                  [VERB_HELP] = "HELP",
                                                  [VERB_LISTUSER] = "LISTUSER",
                                                  [VERB_LISTREALM] = "LISTREALM",
                                                  [VERB_CHECKSERVER] = "CHECKSERVER"};
    switch (op->verb) {
    case VERB_ADDGROUP:
    case VERB_JOINGROUP:
        say_group(world, line, op);
        break;
    case VERB_LEAVEGROUP:
        say_text(line, "LEAVEGROUP g%u", op->name);
        break;
    case VERB_CHECKMESSAGE:
        say_check_message(world, line, asked, op);
        break;
    case VERB_AUTH:
    case VERB_AUTH_WRONG:
    case VERB_RESUME:
        say_auth(world, line, op, asked->user);
        break;
    case VERB_REGISTER:
    case VERB_PASSWORD:
    case VERB_ADDUSER:
    case VERB_IMPORTUSER:
        say_account(world, line, op);
        break;
    case VERB_DELUSER:
        say_text(line, "DELUSER u%u", op->name);
        break;
    case VERB_TRUSTREALM:
        say_text(line, "TRUSTREALM %s", realm_text(op->peer));
        say_key(line, op->peer);
        break;
    case VERB_ADDREALM:
        say_add_realm(line, op, world->healed);
        break;
    case VERB_DELREALM:
        say_text(line, "DELREALM %s", realm_text(op->peer));
        break;
    case VERB_GARBAGE:
        say_garbage(line, op);
        break;
    case VERB_SERVER_ONLY:
        say_server_only(line, op);
        break;
    default:
        say_text(line, "%s", plain[op->verb]);
        break;
    }
}

/* ---- connections ---- */

static void request(world_t *world, const op_t *op, unsigned seat_index) {
    realm_node_t *node = &world->realms[op->realm];
    seat_t *seat = &world->seats[op->realm][seat_index];
    line_t line;
    line.length = 0;
    asked_t asked = {.verb = op->verb,
                     .realm = op->realm,
                     .seat = (uint8_t)seat_index,
                     .user = user_of_seat(seat_index),
                     .peer = op->peer,
                     .name = op->name,
                     .variant = op->variant,
                     .op = op->id};
    if (!compose_mail(world, &line, &asked, op))
        compose_rest(world, &line, &asked, op);
    seat->requests = memory_grow(seat->requests, &seat->request_room, seat->request_count + 1,
                                 sizeof(*seat->requests));
    seat->requests[seat->request_count++] = oracle_said(world, op, &asked, seat->connection);
    world_tell(world, "%s<%" PRIu64 ".%zu %.*s", realm_text(op->realm), seat->connection,
               seat->request_count, (int)(line.length < 100 ? line.length : 100), line.bytes);
    node_request(world, node, seat->connection, (uint32_t)seat->request_count,
                 seat_index == SEAT_ADMIN, (span_t){line.bytes, line.length});
}

static void silence(world_t *world, seat_t *seat) {
    for (size_t i = 0; i < seat->request_count; i++) {
        insisting_silence(world, seat, seat->requests[i]);
        oracle_silence(world, seat->requests[i]);
    }
    seat->connection = 0;
    seat->bound = false;
    seat->request_count = 0;
}

static void connect(world_t *world, unsigned realm, unsigned seat_index) {
    seat_t *seat = &world->seats[realm][seat_index];
    seat->connection = ++world->connection_count;
    world->owners = memory_grow(world->owners, &world->owner_room, world->connection_count,
                                sizeof(*world->owners));
    world->owners[seat->connection - 1] = (uint64_t)realm << 32 | seat_index;
}

void clients_say(world_t *world, const op_t *op) {
    seat_t *seat = &world->seats[op->realm][op->seat];
    if (world->realms[op->realm].state == NULL)
        return; /* nobody answers the door */
    if (seat->connection == 0)
        connect(world, op->realm, op->seat);
    if (!seat->bound && op->seat < SEAT_ADMIN) {
        op_t auth = *op;
        auth.verb = op->variant % 5 == 0 ? VERB_RESUME : VERB_AUTH;
        request(world, &auth, op->seat);
        seat->bound = true;
    }
    for (const op_t *again; (again = insisting_next(world, op->realm, op->seat)) != NULL;)
        request(world, again, op->seat);
    request(world, op, op->seat);
    if (insisting_said(world, op, op->seat))
        request(world, op, op->seat);
}

void clients_hang_up(world_t *world, unsigned realm, unsigned seat_index) {
    seat_t *seat = &world->seats[realm][seat_index];
    uint64_t connection = seat->connection;
    if (connection == 0)
        return;
    silence(world, seat);
    hearing_hung_up(world, realm, seat_index);
    node_closed(world, &world->realms[realm], connection);
}

void clients_process_died(world_t *world, unsigned realm) {
    for (unsigned s = 0; s < SEATS_ALL; s++) {
        if (world->seats[realm][s].connection != 0)
            silence(world, &world->seats[realm][s]);
        hearing_hung_up(world, realm, s);
    }
}

static void audit_pump(world_t *world, unsigned realm, unsigned user);

void clients_told(world_t *world, realm_node_t *node, const reply_t *reply) {
    uint64_t connection = reply->ticket.connection;
    if (connection == 0 || connection > world->connection_count)
        world_violation(world, "reply-to-nobody", "%s answers connection %" PRIu64,
                        realm_text(node->index), connection);
    unsigned seat_index = (unsigned)(world->owners[connection - 1] & UINT32_MAX);
    seat_t *seat = &world->seats[node->index][seat_index];
    if (seat->connection != connection)
        return; /* it has hung up meanwhile */
    if (reply->ticket.slot == 0 || reply->ticket.slot > seat->request_count)
        world_violation(world, "reply-to-nobody", "%s answers a request that nobody made",
                        realm_text(node->index));
    if (reply->kind == REPLY_ERROR && reply->error.code == CODE_AUTH_REQUIRED)
        seat->bound = false;
    insisting_told(world, seat, seat->requests[reply->ticket.slot - 1], reply);
    oracle_told(world, seat->requests[reply->ticket.slot - 1], reply);
    if (reply->close)
        clients_hang_up(world, node->index, seat_index);
    if (seat_index >= SEAT_AUDIT) {
        world->audit_parts[node->index][seat_index - SEAT_AUDIT].waiting -= 1;
        audit_pump(world, node->index, seat_index - SEAT_AUDIT);
    }
}

void clients_heard(world_t *world, realm_node_t *node, const news_t *news) {
    for (uint32_t i = 0; i < news->connection_count; i++) {
        uint64_t connection = news->connections[i];
        if (connection == 0 || connection > world->connection_count)
            world_violation(world, "event-odd", "%s tells connection %" PRIu64,
                            realm_text(node->index), connection);
        unsigned seat = (unsigned)(world->owners[connection - 1] & UINT32_MAX);
        if (world->seats[node->index][seat].connection != connection)
            continue; /* it has hung up meanwhile */
        world_tell(world, "    event for %" PRIu64 ": %.*s %" PRIu32, connection,
                   (int)news->mailbox.length, news->mailbox.bytes, news->message.seq);
        hearing_event(world, node->index, seat, news);
    }
}

/* ---- after healing ---- */

static void say_simply(world_t *world, unsigned realm, verb_t verb, unsigned peer, unsigned name) {
    op_t op = {.kind = OP_SAY, .verb = verb, .realm = (uint8_t)realm, .seat = SEAT_ADMIN};
    op.peer = (uint8_t)peer;
    op.name = (uint8_t)name;
    clients_say(world, &op);
}

static void repair_realm(world_t *world, unsigned realm) {
    const oracle_t *oracle = &world->oracle;
    for (unsigned u = 0; world->checks > 0 && u < world->plan->user_count; u++) {
        if (!oracle->user_there[realm][u])
            say_simply(world, realm, VERB_ADDUSER, 0, u);
    }
    for (unsigned j = 0; j < world->plan->realm_count; j++) {
        if (world->checks == 0 || !world_links(world, realm, j) ||
            oracle->links[realm][j] != LINK_IS_UNKNOWN)
            continue;
        say_simply(world, realm, VERB_TRUSTREALM, j, 0);
        say_simply(world, realm, VERB_ADDREALM, j, 0);
    }
    say_simply(world, realm, VERB_LISTUSER, 0, 0);
    say_simply(world, realm, VERB_CHECKREALM, 0, 0);
}

static void insist(world_t *world, unsigned realm) {
    for (unsigned s = 0; s < SEAT_ADMIN && world->realms[realm].state != NULL; s++) {
        const op_t *op = insisting_next(world, realm, s);
        if (op == NULL)
            continue;
        op_t said = *op;
        said.verb = VERB_PING; /* the others are said in front of it */
        world->seats[realm][s].again[world->seats[realm][s].again_count++] = op;
        said.seat = (uint8_t)s;
        clients_say(world, &said);
    }
}

void clients_repair(world_t *world) {
    /* Answers of realms that still have something to do would be out of date at once. */
    world->news_final = world->oracle.waiting == 0;
    for (unsigned i = 0; i < world->plan->realm_count; i++) {
        if (i != world->departed)
            repair_realm(world, i);
    }
    for (unsigned i = 0; i < world->plan->realm_count; i++)
        insist(world, i);
    if (world->checks == 0)
        say_simply(world, world->departed == 0 ? 1 : 0, VERB_HELP, 0, 0);
    world->checks += 1;
}

bool clients_repaired(const world_t *world) {
    const oracle_t *oracle = &world->oracle;
    if (oracle->waiting > 0 || !world->news_final)
        return false;
    for (unsigned i = 0; i < world->plan->realm_count; i++) {
        for (unsigned u = 0; i != world->departed && u < world->plan->user_count; u++) {
            if (!oracle->user_there[i][u])
                return false;
        }
        for (unsigned j = 0; j < world->plan->realm_count; j++) {
            if (world_links(world, i, j) && oracle->links[i][j] != LINK_IS_IDLE)
                return false;
        }
    }
    return true;
}

static op_t *audit_add(world_t *world, unsigned realm, unsigned user, verb_t verb) {
    world->audit = memory_grow(world->audit, &world->audit_room, world->audit_count + 1,
                               sizeof(*world->audit));
    op_t *op = &world->audit[world->audit_count++];
    *op = (op_t){.kind = OP_SAY, .verb = verb, .realm = (uint8_t)realm};
    op->seat = (uint8_t)(SEAT_AUDIT + user);
    return op;
}

static void audit_page(world_t *world, unsigned realm, unsigned user, verb_t verb, unsigned peer,
                       unsigned name) {
    unsigned pages = 1 + (unsigned)(world->oracle.letter_count / 1000);
    for (unsigned i = 0; i < pages; i++) {
        op_t *op = audit_add(world, realm, user, verb);
        op->peer = (uint8_t)peer;
        op->name = (uint8_t)name;
        op->variant = (uint8_t)i;
    }
}

/* Whether the mailboxes of a peer can be read: also those of one that is gone, while it is linked.
 */
static bool has_mail_of(const world_t *world, unsigned realm, unsigned peer) {
    if (peer == world->departed)
        return world->oracle.links[realm][peer] != LINK_IS_UNKNOWN;
    return world->plan->linked[realm][peer];
}

static void audit_groups(world_t *world, unsigned realm) {
    const plan_t *plan = world->plan;
    for (unsigned g = 0; g < plan->group_count; g++) {
        audit_add(world, realm, 0, VERB_ADDGROUP)->name = (uint8_t)g;
        audit_add(world, realm, 0, VERB_JOINGROUP)->name = (uint8_t)g;
        audit_page(world, realm, 0, VERB_INBOXGROUP, 0, g);
        for (unsigned j = 0; j < plan->realm_count; j++) {
            if (has_mail_of(world, realm, j))
                audit_page(world, realm, 0, VERB_INBOXGROUPREALM, j, g);
        }
    }
}

/* A password that was being changed may be the old or the new one. */
static void audit_user(world_t *world, unsigned realm, unsigned user) {
    const plan_t *plan = world->plan;
    audit_add(world, realm, user, VERB_AUTH)->variant = 0;
    audit_add(world, realm, user, VERB_AUTH)->variant = 1;
    audit_page(world, realm, user, VERB_INBOX, 0, 0);
    for (unsigned j = 0; j < plan->realm_count; j++) {
        if (has_mail_of(world, realm, j))
            audit_page(world, realm, user, VERB_INBOXREALM, j, 0);
    }
    if (user == 0)
        audit_groups(world, realm);
    const oracle_t *oracle = &world->oracle;
    for (uint32_t i = oracle->newest[realm][user]; i != 0; i = oracle->letters[i].older) {
        if (oracle->letters[i].number != 0)
            audit_add(world, realm, user, VERB_CHECKMESSAGE)->amount = i;
    }
}

/* Goes on with a user's part, some requests at a time. */
static void audit_pump(world_t *world, unsigned realm, unsigned user) {
    audit_part_t *part = &world->audit_parts[realm][user];
    while (part->next < part->end && part->waiting < AUDIT_REQUESTS_AT_ONCE) {
        part->waiting += 1;
        request(world, &world->audit[part->next++], SEAT_AUDIT + user);
    }
}

void clients_audit(world_t *world) {
    world->audit_count = 0;
    for (unsigned i = 0; i < world->plan->realm_count; i++) {
        for (unsigned u = 0; u < world->plan->user_count; u++) {
            audit_part_t *part = &world->audit_parts[i][u];
            *part = (audit_part_t){.next = world->audit_count};
            if (i != world->departed)
                audit_user(world, i, u);
            part->end = world->audit_count;
        }
    }
    for (unsigned i = 0; i < world->plan->realm_count; i++) {
        for (unsigned u = 0; i != world->departed && u < world->plan->user_count; u++) {
            connect(world, i, SEAT_AUDIT + u);
            audit_pump(world, i, u);
        }
    }
}
