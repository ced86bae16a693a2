/* links: base wire core */
/*
 * state_expect is a hint: whatever the request is, what comes of it is the same without.
 */
#include "base/text.h"
#include "core/state.h"
#include "wire/request.h"

#include <criterion/criterion.h>
#include <string.h>

enum { CONNECTION = 7, ADMIN = 8 };

static state_t *realm_with_users(const char *const names[], uint32_t count) {
    state_options_t options = {.limits = REALM_LIMITS_DEFAULT, .version = "test"};
    cr_assert(name_parse(&options.realm, span_of("a")));
    state_t *state = state_new(&options);
    for (uint32_t i = 0; i < count; i++) {
        record_t record = {.kind = RECORD_USER};
        record.user.id = i + 1;
        cr_assert(name_parse(&record.user.name, span_of(names[i])));
        cr_assert(state_load(state, &record));
    }
    return state;
}

static void request_event(event_t *event, request_t *request, const char *line, uint32_t slot) {
    *event = (event_t){.kind = EVENT_REQUEST};
    request_parse(request, span_of(line));
    request->admin = line[0] != '\0' && strchr("AD", line[0]) != NULL;
    event->request.ticket = (ticket_t){request->admin ? ADMIN : CONNECTION, slot};
    event->request.request = request;
    event->request.line = line;
}

static void hint(state_t *state, const char *line, uint32_t slot) {
    request_t request;
    event_t event;
    request_event(&event, &request, line, slot);
    state_expect(state, &event);
}

Test(prefetch, takes_any_request) {
    const char *const lines[] = {"SEND tom hi",
                                 "send TOM hi",
                                 "SEND nobody hi",
                                 "SEND .. hi",
                                 "SEND",
                                 "PING",
                                 "@r1 SEND tom hi",
                                 "@ SEND",
                                 "",
                                 "   ",
                                 "SEND a b c d e f g h i j k l",
                                 "SENDGROUP tim hi"};
    const char *const users[] = {"tom"};
    state_t *state = realm_with_users(users, 1);
    for (uint32_t i = 0; i < 100; i++)
        hint(state, lines[i % (sizeof(lines) / sizeof(lines[0]))], i);
    event_t tick = {.kind = EVENT_TICK};
    state_expect(state, &tick);
    state_destroy(&state);
}

/* Steps a request; a password that it asks for is hashed, or right, at once. Says what came of it:
 * the code of the reply, and whose mailbox got a message. */
static int outcome(state_t *state, effects_t *effects, const char *line, uint32_t slot) {
    request_t request;
    event_t event;
    request_event(&event, &request, line, slot);
    state_step(state, &event, effects);
    if (effects->password_count > 0) {
        event_t done = {.kind = EVENT_PASSWORD};
        done.password.job = effects->passwords[0].job;
        done.password.ok = true;
        state_step(state, &done, effects);
    }
    cr_assert_eq(effects->reply_count, 1);
    int result = effects->replies[0].kind == REPLY_ERROR ? (int)effects->replies[0].error.code : 0;
    for (size_t i = 0; i < effects->record_count; i++) {
        if (effects->records[i].kind == RECORD_MESSAGE)
            result += 1000 * (int)(effects->records[i].message.mailbox >> 30 & 0xff);
    }
    effects_reset(effects);
    return result;
}

static const char *const conversation[] = {
    "SEND tom 1",         "SEND TOM 2",  "SEND nobody 3", "SEND kim 4",    "SEND .. 5",
    "SEND tom",           "DELUSER tom", "SEND tom 6",    "SEND kim 7",    "SEND tom 8",
    "ADDUSER tom secret", "SEND tom 9",  "SEND kim 10",   "PING",          "SEND Tom 11",
    "SEND tom 12",        "SEND kim 13", "DELUSER tom",   "SEND tom 14",   "SEND kim 15",
    "SEND kim 16",        "SEND kim 17", "SEND kim 18",   "ADDUSER new s", "SEND new 19",
    "SEND new 20",        "SEND tim 21", "SEND tim 22",   "SEND tim 23"};
enum { CONVERSATION = sizeof(conversation) / sizeof(conversation[0]) };

/* Announces so many requests in front of the one that is stepped; as they are, or as others that
 * stand so far behind them. */
static void converse(uint32_t announced, uint32_t wrong, int outcomes[CONVERSATION]) {
    const char *const users[] = {"tom", "kim", "tim"};
    state_t *state = realm_with_users(users, 3);
    effects_t effects;
    effects_init(&effects);
    cr_assert_eq(outcome(state, &effects, "auth tim secret", 0), 0);
    for (uint32_t i = 0; i < CONVERSATION; i++) {
        for (uint32_t ahead = i == 0 ? 0 : announced; announced > 0 && ahead <= announced;
             ahead++) {
            if (i + ahead < CONVERSATION)
                hint(state, conversation[(i + ahead + wrong) % CONVERSATION], i + ahead + 1);
        }
        outcomes[i] = outcome(state, &effects, conversation[i], i + 1);
    }
    effects_deinit(&effects);
    state_destroy(&state);
}

Test(prefetch, changes_no_outcome) {
    int plain[CONVERSATION];
    int hinted[CONVERSATION];
    converse(0, 0, plain);
    cr_assert_eq(plain[0], 1000);
    cr_assert_eq(plain[7], CODE_NO_USER);
    cr_assert_eq(plain[11], 4000);
    for (uint32_t announced = 1; announced <= CONVERSATION; announced++) {
        converse(announced, announced % 3, hinted);
        for (size_t i = 0; i < CONVERSATION; i++)
            cr_assert_eq(hinted[i], plain[i], "%u announced: %s", announced, conversation[i]);
    }
}
