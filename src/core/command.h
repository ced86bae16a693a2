/*
 * The client's requests: one row each in the command table (commands.c), one handler each. HELP,
 * usage errors, arity and authorisation come from the row.
 */
#ifndef REALMGATE_CORE_COMMAND_H
#define REALMGATE_CORE_COMMAND_H

#include "model.h"

typedef enum access {
    ACCESS_ANYONE,   /* no AUTH needed */
    ACCESS_USER,     /* an authenticated user: the request acts in its name */
    ACCESS_READER,   /* an authenticated user, or the admin socket */
    ACCESS_OPERATOR, /* a user with the operator role, or the admin socket */
    ACCESS_SERVER,   /* between realms only: a client is told SERVER_ONLY */
} access_t;

/* What an OK to a request says that changes something durable (ref.c has the words). The numbers
 * stand in the store: never renumber, only append. */
typedef enum success {
    SUCCESS_NONE = 0, /* it only reads, or is about its connection */
    SUCCESS_SEND = 1,
    SUCCESS_SENDGROUP = 2,
    SUCCESS_SENDREALM = 3,
    SUCCESS_SENDGROUPREALM = 4,
    SUCCESS_ADDGROUP = 5,
    SUCCESS_JOINGROUP = 6,
    SUCCESS_LEAVEGROUP = 7,
    SUCCESS_REGISTER = 8,
    SUCCESS_PASSWORD = 9,
    SUCCESS_ADDUSER = 10,
    SUCCESS_DELUSER = 11,
    SUCCESS_ADDREALM = 12,
    SUCCESS_TRUSTREALM = 13,
    SUCCESS_DELREALM = 14,
    SUCCESS_COUNT
} success_t;

/* A request on its way through its handler. */
typedef struct call {
    turn_t *turn;
    const struct command *command;
    ticket_t ticket;
    bool admin;
    uint64_t source; /* as in request_t */
    uint32_t user;   /* who asks, 0 = nobody */
    uint8_t argument_count;
    span_t arguments[REQUEST_TOKENS_MAX - 1]; /* of a text command the last is the raw text */
    span_t ref;                               /* length 0 = none */
    bool keeps;                               /* its outcome is kept under the ref: see ref.h */
    uint8_t digest[REF_DIGEST_BYTES];         /* of user and ref, if it is */
} call_t;

typedef void command_handler_t(call_t *call);

typedef struct command {
    const char *word;
    const char *usage;
    const char *help;
    access_t access;
    uint8_t arguments_min, arguments_max;
    bool text_last; /* the last argument is a text: to the end of the line, byte for byte */
    command_handler_t *handler;
    success_t success;
    bool behind_verdicts; /* waits until what the connection sent to other realms has its answer */
} command_t;

/* The rows, in the order of HELP. */
const command_t *command_table(size_t *count);

/* Fills the table that words are looked up in: 0, or the number of a row, from 1. */
void command_index(uint8_t rows[COMMAND_SLOTS]);

/* Why a request is to be run once more, later; nothing was done then. */
typedef enum run_result {
    RUN_DONE,
    RUN_AWAITS_REF,      /* the first request with its ref is under way: ref_wait for `awaited` */
    RUN_AWAITS_VERDICTS, /* one that a peer has to answer is, and this one tells what came of it */
} run_result_t;

/* Looks the request up, checks arity and who asks (`session`, NULL = nobody), and runs its handler,
 * behind which the session may have moved. */
run_result_t command_run(turn_t *turn, ticket_t ticket, const session_t *session,
                         const request_t *request, const char *line,
                         uint8_t awaited[REF_DIGEST_BYTES]);

/* A hint: the request will soon be run. Begins to bring what it touches into the cache. */
void command_expect(state_t *state, ticket_t ticket, const request_t *request, const char *line);

/* The handlers, by the file they live in. */
command_handler_t session_auth, session_resume, session_logout, session_ping, session_quit,
    session_help;
command_handler_t private_send, private_inbox, private_check_message;
command_handler_t group_add, group_join, group_leave, group_send, group_inbox, group_check;
command_handler_t link_add_realm, link_check_realms, link_trust_realm, link_remove_realm,
    link_list_realms;
command_handler_t remote_send, remote_inbox, remote_send_group, remote_inbox_group;
command_handler_t account_register, account_add, account_import, account_remove, account_password,
    account_list;
command_handler_t listen_begin, listen_end;
command_handler_t server_check;

#endif
