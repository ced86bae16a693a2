/*
 * The command table, and the way of a request to its handler: word, arity, who may. Handlers never
 * check these again.
 */
#include "command.h"

#include "answer.h"
#include "base/assert.h"
#include "base/text.h"
#include "ref.h"
#include "session.h"

#include <string.h>

#define PAGING "[AFTER <seq> | BEFORE <seq>] [LIMIT <n>]"

static const command_t commands[] = {
    {"AUTH", "AUTH <user> <password>", "bind this connection to a user; data is a token for RESUME",
     ACCESS_ANYONE, 2, 2, false, session_auth, SUCCESS_NONE, false},
    {"SEND", "SEND <user> <message>", "private message to a user of this realm", ACCESS_USER, 2, 2,
     true, private_send, SUCCESS_SEND, false},
    {"INBOX", "INBOX " PAGING, "private messages from users of this realm", ACCESS_USER, 0, 4,
     false, private_inbox, SUCCESS_NONE, false},
    {"ADDGROUP", "ADDGROUP <group> <password>", "make a group and become its first member",
     ACCESS_USER, 2, 2, false, group_add, SUCCESS_ADDGROUP, false},
    {"JOINGROUP", "JOINGROUP <group> <password>", "become a member of a group", ACCESS_USER, 2, 2,
     false, group_join, SUCCESS_JOINGROUP, false},
    {"SENDGROUP", "SENDGROUP <group> <message>", "message to a group of this realm", ACCESS_USER, 2,
     2, true, group_send, SUCCESS_SENDGROUP, false},
    {"INBOXGROUP", "INBOXGROUP <group> " PAGING, "messages of a group of this realm", ACCESS_USER,
     1, 5, false, group_inbox, SUCCESS_NONE, false},
    {"ADDREALM", "ADDREALM <realm> <address> <port> [key]", "link another realm", ACCESS_OPERATOR,
     3, 4, false, link_add_realm, SUCCESS_ADDREALM, false},
    {"ACKREALM", "ACKREALM <realm> <addr> <port> <src addr> <src port>",
     "between realms: the other half of ADDREALM", ACCESS_SERVER, 0, 0, false, NULL, SUCCESS_NONE,
     false},
    {"CHECKREALM", "CHECKREALM", "linked realms and how they are", ACCESS_READER, 0, 0, false,
     link_check_realms, SUCCESS_NONE, true},
    {"SENDREALM", "SENDREALM <realm> <user> <message>",
     "private message to a user of another realm", ACCESS_USER, 3, 3, true, remote_send,
     SUCCESS_SENDREALM, false},
    {"INBOXREALM", "INBOXREALM <realm> " PAGING, "private messages from users of that realm",
     ACCESS_USER, 1, 5, false, remote_inbox, SUCCESS_NONE, false},
    {"REMOTEINBOXREALM", "REMOTEINBOXREALM <user> <realm>",
     "between realms: hand over what is pending for a user", ACCESS_SERVER, 0, 0, false, NULL,
     SUCCESS_NONE, false},
    {"SENDGROUPREALM", "SENDGROUPREALM <realm> <group> <message>",
     "message to the group of the same name and password in another realm, * = in all linked ones",
     ACCESS_USER, 3, 3, true, remote_send_group, SUCCESS_SENDGROUPREALM, false},
    {"RECVGROUPREALM", "RECVGROUPREALM <realm> <user> <group> <message>",
     "between realms: a group message, sealed with the group's key", ACCESS_SERVER, 0, 0, false,
     NULL, SUCCESS_NONE, false},
    {"INBOXGROUPREALM", "INBOXGROUPREALM <realm> <group> " PAGING,
     "messages of a group shared with that realm, both directions", ACCESS_USER, 2, 6, false,
     remote_inbox_group, SUCCESS_NONE, true},
    {"REMOTEINBOXGROUPREALM", "REMOTEINBOXGROUPREALM <group> <realm>",
     "between realms: hand over what is pending for a group", ACCESS_SERVER, 0, 0, false, NULL,
     SUCCESS_NONE, false},
    {"REGISTER", "REGISTER <user> <password>",
     "make a user of your own, where registration is open", ACCESS_ANYONE, 2, 2, false,
     account_register, SUCCESS_REGISTER, false},
    {"RESUME", "RESUME <token>", "bind this connection to the user of a token", ACCESS_ANYONE, 1, 1,
     false, session_resume, SUCCESS_NONE, false},
    {"LOGOUT", "LOGOUT", "void this connection's token and unbind it", ACCESS_USER, 0, 0, false,
     session_logout, SUCCESS_NONE, false},
    {"LEAVEGROUP", "LEAVEGROUP <group>", "stop being a member of a group", ACCESS_USER, 1, 1, false,
     group_leave, SUCCESS_LEAVEGROUP, false},
    {"CHECKGROUP", "CHECKGROUP", "your groups and their members", ACCESS_USER, 0, 0, false,
     group_check, SUCCESS_NONE, false},
    {"CHECKMESSAGE", "CHECKMESSAGE <id>", "what became of a message of yours", ACCESS_USER, 1, 1,
     false, private_check_message, SUCCESS_NONE, true},
    {"LISTEN", "LISTEN", "from now on new messages come as events", ACCESS_USER, 0, 0, false,
     listen_begin, SUCCESS_NONE, true},
    {"UNLISTEN", "UNLISTEN", "no more events", ACCESS_USER, 0, 0, false, listen_end, SUCCESS_NONE,
     false},
    {"PING", "PING", "answer PONG", ACCESS_ANYONE, 0, 0, false, session_ping, SUCCESS_NONE, false},
    {"HELP", "HELP", "the requests that this connection may use", ACCESS_ANYONE, 0, 0, false,
     session_help, SUCCESS_NONE, false},
    {"QUIT", "QUIT", "say goodbye and close", ACCESS_ANYONE, 0, 0, false, session_quit,
     SUCCESS_NONE, false},
    {"PASSWORD", "PASSWORD <user> <password>", "set a new password: your own, or as operator any",
     ACCESS_READER, 2, 2, false, account_password, SUCCESS_PASSWORD, false},
    {"ADDUSER", "ADDUSER <user> <password> [operator]", "make a user", ACCESS_OPERATOR, 2, 3, false,
     account_add, SUCCESS_ADDUSER, false},
    {"IMPORTUSER", "IMPORTUSER <user> <argon2id hash> [operator]",
     "make a user whose password is known as a hash", ACCESS_OPERATOR, 2, 3, false, account_import,
     SUCCESS_ADDUSER, false},
    {"DELUSER", "DELUSER <user>", "remove a user", ACCESS_OPERATOR, 1, 1, false, account_remove,
     SUCCESS_DELUSER, false},
    {"LISTUSER", "LISTUSER", "all users", ACCESS_OPERATOR, 0, 0, false, account_list, SUCCESS_NONE,
     false},
    {"TRUSTREALM", "TRUSTREALM <realm> <key>", "pin a realm's public key", ACCESS_OPERATOR, 2, 2,
     false, link_trust_realm, SUCCESS_TRUSTREALM, false},
    {"DELREALM", "DELREALM <realm>", "end a link and forget its key; what is queued bounces",
     ACCESS_OPERATOR, 1, 1, false, link_remove_realm, SUCCESS_DELREALM, true},
    {"LISTREALM", "LISTREALM", "pinned and linked realms with their keys", ACCESS_OPERATOR, 0, 0,
     false, link_list_realms, SUCCESS_NONE, false},
    {"CHECKSERVER", "CHECKSERVER", "version, uptime and counts", ACCESS_OPERATOR, 0, 0, false,
     server_check, SUCCESS_NONE, true},
};

const command_t *command_table(size_t *count) {
    *count = sizeof(commands) / sizeof(commands[0]);
    return commands;
}

/* Where the search for a word of at least one letter begins, blind to case. Its ends and its length
 * tell our words apart, with these factors, and the table holds no others: nobody can fill it with
 * what collides. */
static size_t slot_of(span_t word) {
    ASSERT(word.length > 0);
    size_t first = (uint8_t)word.bytes[0] & 0xdfU;
    size_t last = (uint8_t)word.bytes[word.length - 1] & 0xdfU;
    return (first * 9 + last * 35 + word.length) % COMMAND_SLOTS;
}

void command_index(uint8_t rows[COMMAND_SLOTS]) {
    size_t count = sizeof(commands) / sizeof(commands[0]);
    ASSERT(count <= COMMAND_SLOTS / 2); /* each search meets a free slot */
    memset(rows, 0, COMMAND_SLOTS);
    for (size_t i = 0; i < count; i++) {
        /* With a ref in front, and one token too many behind, it is still seen to be too many. */
        ASSERT(commands[i].arguments_max + 2 <= REQUEST_TOKENS_MAX);
        size_t slot = slot_of((span_t){commands[i].word, strlen(commands[i].word)});
        while (rows[slot] != 0)
            slot = (slot + 1) % COMMAND_SLOTS;
        rows[slot] = (uint8_t)(i + 1);
    }
}

/* `upper` is of capital letters only: without its 0x20 no other byte becomes one of them. */
static bool is_word(const char *upper, span_t word) {
    for (size_t i = 0; i < word.length; i++) {
        if (upper[i] == '\0' || upper[i] != ((uint8_t)word.bytes[i] & 0xdf))
            return false;
    }
    return upper[word.length] == '\0';
}

static const command_t *command_find(const state_t *state, span_t word) {
    size_t slot = slot_of(word);
    while (state->command_rows[slot] != 0) {
        const command_t *row = &commands[state->command_rows[slot] - 1];
        if (is_word(row->word, word))
            return row;
        slot = (slot + 1) % COMMAND_SLOTS;
    }
    return NULL;
}

static span_t token(const request_t *request, const char *line, unsigned index) {
    return (span_t){.bytes = line + request->token_offset[index],
                    .length = request->token_bytes[index]};
}

/* The text starts after exactly one space behind the last word argument. */
static bool take_text(call_t *call, const request_t *request, const char *line) {
    unsigned words = call->command->arguments_max; /* request word included, text left out */
    if (request->token_count < words)
        return false;
    size_t start = (size_t)request->token_offset[words - 1] + request->token_bytes[words - 1] + 1;
    if (start >= request->line_bytes)
        return false;
    for (unsigned i = 1; i < words; i++)
        call->arguments[i - 1] = token(request, line, i);
    call->arguments[words - 1] =
        (span_t){.bytes = line + start, .length = request->line_bytes - start};
    call->argument_count = (uint8_t)words;
    return true;
}

static bool take_arguments(call_t *call, const request_t *request, const char *line) {
    const command_t *command = call->command;
    if (command->text_last)
        return take_text(call, request, line);
    unsigned count = request->token_count - 1U;
    if (count < command->arguments_min || count > command->arguments_max)
        return false;
    for (unsigned i = 0; i < count; i++)
        call->arguments[i] = token(request, line, i + 1);
    call->argument_count = (uint8_t)count;
    return true;
}

/* CODE_OK, AUTH_REQUIRED or FORBIDDEN. */
static code_t may_run(const state_t *state, access_t access, uint32_t user, bool admin) {
    switch (access) {
    case ACCESS_ANYONE:
        return CODE_OK;
    case ACCESS_USER:
        return user != 0 ? CODE_OK : CODE_AUTH_REQUIRED;
    case ACCESS_READER:
        return user != 0 || admin ? CODE_OK : CODE_AUTH_REQUIRED;
    case ACCESS_OPERATOR:
        if (admin)
            return CODE_OK;
        if (user == 0)
            return CODE_AUTH_REQUIRED;
        return user_find(state, user)->record.is_operator ? CODE_OK : CODE_FORBIDDEN;
    case ACCESS_SERVER:
        break;
    }
    return CODE_SERVER_ONLY;
}

/* The request behind its ref. */
static void run(call_t *call, const request_t *request, const char *line) {
    if (call->command == NULL) {
        answer_error(call->turn, call->ticket, CODE_PROTOCOL);
        return;
    }
    if (call->command->access == ACCESS_SERVER) {
        answer_error(call->turn, call->ticket, CODE_SERVER_ONLY);
        return;
    }
    if (!take_arguments(call, request, line)) {
        answer_usage(call);
        return;
    }
    code_t code = may_run(call->turn->state, call->command->access, call->user, call->admin);
    if (code != CODE_OK)
        answer_error(call->turn, call->ticket, code);
    else if (ref_begin(call))
        call->command->handler(call);
}

/* Arguments and digest, the larger part, are filled in where they are counted and kept. */
static void call_begin(call_t *call, turn_t *turn, ticket_t ticket, const session_t *session,
                       const request_t *request) {
    call->turn = turn;
    call->command = NULL;
    call->ticket = ticket;
    call->admin = request->admin;
    call->source = request->source;
    call->user = session == NULL ? 0 : session->user;
    call->argument_count = 0;
    call->ref = (span_t){0};
    call->keeps = false;
    ASSERT(call->user == 0 || user_find(turn->state, call->user) != NULL);
}

/* What an earlier request of the connection waits to hear decides what this one has to say. */
static bool awaits_verdicts(const command_t *command, const session_t *session) {
    return command != NULL && command->behind_verdicts && session != NULL && session->parked > 0;
}

run_result_t command_run(turn_t *turn, ticket_t ticket, const session_t *session,
                         const request_t *request, const char *line,
                         uint8_t awaited[REF_DIGEST_BYTES]) {
    state_t *state = turn->state;
    request_t bare = *request;
    call_t call;
    call_begin(&call, turn, ticket, session, request);
    /* Without a word, or behind something that should be a ref, no command is found. */
    if (ref_take(&bare, line, &call.ref) && bare.token_count > 0)
        call.command = command_find(state, token(&bare, line, 0));
    ref_standing_t standing = ref_look(&call);
    if (standing == REF_UNDER_WAY) {
        memcpy(awaited, call.digest, REF_DIGEST_BYTES);
        return RUN_AWAITS_REF;
    }
    if (standing != REF_ANSWERED && awaits_verdicts(call.command, session))
        return RUN_AWAITS_VERDICTS;
    state->requests += 1;
    ref_note(turn, ticket, call.ref);
    if (standing == REF_ANSWERED)
        ref_answer_again(&call);
    else
        run(&call, &bare, line);
    return RUN_DONE;
}

void command_expect(state_t *state, ticket_t ticket, const request_t *request, const char *line) {
    name_t name;
    if (request->token_count < 2 || request->token_count > REQUEST_TOKENS_MAX)
        return;
    if (is_word("SEND", token(request, line, 0)) && name_parse(&name, token(request, line, 1)))
        user_expect(state, ticket, &name);
}

void session_help(call_t *call) {
    effects_t *effects = call->turn->effects;
    size_t rows;
    const command_t *table = command_table(&rows);
    help_line_t *lines = arena_alloc(&effects->arena, rows * sizeof(*lines));
    uint32_t count = 0;
    for (size_t i = 0; i < rows; i++) {
        if (may_run(call->turn->state, table[i].access, call->user, call->admin) == CODE_OK)
            lines[count++] = (help_line_t){table[i].word, table[i].usage, table[i].help};
    }
    reply_t *reply = effects_reply(effects, call->ticket, REPLY_HELP);
    reply->help.count = count;
    reply->help.rows = lines;
}
