/*
 * Short ways for handlers to read their arguments and to answer.
 */
#ifndef REALMGATE_CORE_ANSWER_H
#define REALMGATE_CORE_ANSWER_H

#include "command.h"

/* OK with a static text. */
void answer_text(turn_t *turn, ticket_t ticket, const char *text);
/* OK with a static text and the id of a message of ours. */
void answer_sent(turn_t *turn, ticket_t ticket, const char *text, uint64_t number,
                 delivery_t delivery);
void answer_error(turn_t *turn, ticket_t ticket, code_t code);
/* With a reason in plain words (static). */
void answer_reason(turn_t *turn, ticket_t ticket, code_t code, const char *reason);
/* PROTOCOL with the usage of the call's command. */
void answer_usage(call_t *call);

/* Reads a name argument; answers BAD_NAME and returns false if it is none. */
bool argument_name(call_t *call, unsigned index, name_t *name);
/* Checks a text argument; answers TOO_LONG or BAD_TEXT and returns false if it is not one. */
bool argument_text(call_t *call, unsigned index, span_t *text);
/* Checks a password argument; answers TOO_LONG or PROTOCOL and returns false if it is not one. */
bool argument_password(call_t *call, unsigned index, span_t *password);
/* Reads [AFTER <seq> | BEFORE <seq>] [LIMIT <n>] from argument `index` on into a query over
 * `mailbox`; answers PROTOCOL with the usage and returns false if it cannot be read. */
bool argument_page(call_t *call, unsigned index, mailbox_t mailbox, page_query_t *query);

#endif
