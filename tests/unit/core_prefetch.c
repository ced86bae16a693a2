/* links: base wire core */
/*
 * state_prefetch is a hint: whatever the request is, nothing comes of it.
 */
#include "base/text.h"
#include "core/state.h"
#include "wire/request.h"

#include <criterion/criterion.h>

static state_t *realm_with_user(const char *user) {
    state_options_t options = {.limits = REALM_LIMITS_DEFAULT, .version = "test"};
    cr_assert(name_parse(&options.realm, span_of("a")));
    state_t *state = state_new(&options);
    record_t record = {.kind = RECORD_USER};
    record.user.id = 1;
    cr_assert(name_parse(&record.user.name, span_of(user)));
    cr_assert(state_load(state, &record));
    return state;
}

static void hint(const state_t *state, const char *line) {
    request_t request;
    event_t event = {.kind = EVENT_REQUEST};
    request_parse(&request, span_of(line));
    event.request.request = &request;
    event.request.line = line;
    state_prefetch(state, &event);
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
    state_t *state = realm_with_user("tom");
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        hint(state, lines[i]);
    event_t tick = {.kind = EVENT_TICK};
    state_prefetch(state, &tick);
    state_destroy(&state);
}
