/*
 * Arguments and answers, the small print that all handlers share. Changes nothing in the state.
 */
#include "answer.h"

#include "base/assert.h"
#include "base/text.h"
#include "mailbox.h"

#include <string.h>

void answer_text(turn_t *turn, ticket_t ticket, const char *text) {
    answer_sent(turn, ticket, text, 0, DELIVERY_NONE);
}

void answer_sent(turn_t *turn, ticket_t ticket, const char *text, uint64_t number,
                 delivery_t delivery) {
    reply_t *reply = effects_reply(turn->effects, ticket, REPLY_TEXT);
    reply->text.text = span_of(text);
    reply->text.number = number;
    reply->text.delivery = delivery;
}

void answer_error(turn_t *turn, ticket_t ticket, code_t code) {
    answer_reason(turn, ticket, code, NULL);
}

void answer_reason(turn_t *turn, ticket_t ticket, code_t code, const char *reason) {
    ASSERT(code > CODE_OK && code < CODE_COUNT);
    reply_t *reply = effects_reply(turn->effects, ticket, REPLY_ERROR);
    reply->error.code = code;
    reply->error.reason = reason;
}

void answer_usage(call_t *call) {
    reply_t *reply = effects_reply(call->turn->effects, call->ticket, REPLY_ERROR);
    reply->error.code = CODE_PROTOCOL;
    reply->error.usage = call->command->usage;
}

bool argument_name(call_t *call, unsigned index, name_t *name) {
    ASSERT(index < call->argument_count);
    if (name_parse(name, call->arguments[index]))
        return true;
    answer_error(call->turn, call->ticket, CODE_BAD_NAME);
    return false;
}

bool argument_text(call_t *call, unsigned index, span_t *text) {
    ASSERT(index < call->argument_count);
    *text = call->arguments[index];
    if (text->length > TEXT_BYTES_MAX)
        answer_error(call->turn, call->ticket, CODE_TOO_LONG);
    else if (!text_is_utf8(*text))
        answer_error(call->turn, call->ticket, CODE_BAD_TEXT);
    else
        return true;
    return false;
}

bool argument_password(call_t *call, unsigned index, span_t *password) {
    ASSERT(index < call->argument_count);
    *password = call->arguments[index];
    if (password->length > PASSWORD_BYTES_MAX)
        answer_error(call->turn, call->ticket, CODE_TOO_LONG);
    else if (!text_is_password(*password))
        answer_usage(call);
    else
        return true;
    return false;
}

/* Letters of a keyword count in either case, as in request words. */
static bool is_keyword(span_t token, const char *keyword) {
    if (token.length != strlen(keyword))
        return false;
    for (size_t i = 0; i < token.length; i++) {
        char c = token.bytes[i];
        if ((c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c) != keyword[i])
            return false;
    }
    return true;
}

/* One keyword and its number. False if it is unknown, given twice or out of range. */
static bool page_option(page_query_t *query, bool *limited, span_t keyword, span_t value) {
    uint64_t number;
    if (!text_number(value, UINT32_MAX, &number))
        return false;
    bool bounded = query->oldest_first || query->before != 0;
    if (is_keyword(keyword, "AFTER") && !bounded && !*limited) {
        query->after = (uint32_t)number;
        query->oldest_first = true;
    } else if (is_keyword(keyword, "BEFORE") && !bounded && !*limited && number > 0) {
        query->before = (uint32_t)number;
    } else if (is_keyword(keyword, "LIMIT") && !*limited && number > 0 &&
               number <= PAGE_MESSAGES_MAX) {
        query->limit = (uint32_t)number;
        *limited = true;
    } else {
        return false;
    }
    return true;
}

bool argument_page(call_t *call, unsigned index, mailbox_t mailbox, page_query_t *query) {
    *query = mailbox_query(call->turn->state, mailbox, PAGE_MESSAGES_DEFAULT);
    bool limited = false;
    for (unsigned i = index; i < call->argument_count; i += 2) {
        if (i + 1 == call->argument_count ||
            !page_option(query, &limited, call->arguments[i], call->arguments[i + 1])) {
            answer_usage(call);
            return false;
        }
    }
    return true;
}
