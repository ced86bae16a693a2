/* links: base core */
/*
 * A store whose rows contradict each other is refused at load, whatever the damage: nothing of it
 * may reach an assertion.
 */
#include "base/text.h"
#include "core/state.h"

#include <criterion/criterion.h>
#include <string.h>

static state_t *realm_with_link(void) {
    state_options_t options = {.version = "test"};
    cr_assert(name_parse(&options.realm, span_of("a")));
    state_t *state = state_new(&options);
    record_t realm = {.kind = RECORD_REALM};
    realm.realm.id = 1;
    realm.realm.linked = true;
    cr_assert(name_parse(&realm.realm.name, span_of("b")));
    memset(realm.realm.key, 7, KEY_BYTES);
    cr_assert(state_load(state, &realm));
    return state;
}

/* Loads a stream row and one outbox message, then asks whether they fit together. */
static bool fits(const stream_record_t *stream) {
    state_t *state = realm_with_link();
    record_t row = {.kind = RECORD_STREAM, .stream = *stream};
    row.stream.realm = 1;
    record_t message = {.kind = RECORD_MESSAGE};
    message.message.position = 1;
    message.message.seq = 1;
    message.message.mailbox = (mailbox_t)MAILBOX_OUTBOX << 60 | 1;
    cr_assert(state_load(state, &row));
    cr_assert(state_load(state, &message));
    bool good = state_loaded(state);
    state_destroy(&state);
    return good;
}

Test(core_load, a_stream_row_that_fits_its_outbox_is_taken) {
    stream_record_t stream = {.done = 1, .judged = 1, .settled = 1, .segment_count = 1};
    stream.segments[0] = (stream_mark_t){.epoch = 9, .seq = 1};
    cr_assert(fits(&stream));
}

Test(core_load, marks_ahead_of_the_outbox_are_refused) {
    cr_assert_not(fits(&(stream_record_t){.done = 2, .judged = 2}));
    cr_assert_not(fits(&(stream_record_t){.judged = 2}));
    cr_assert_not(fits(&(stream_record_t){.settled = 2}));
    cr_assert_not(fits(&(stream_record_t){.done = 1}));
}

Test(core_load, segments_that_do_not_ascend_are_refused) {
    stream_record_t stream = {.segment_count = 2};
    stream.segments[0] = (stream_mark_t){.epoch = 9, .seq = 1};
    stream.segments[1] = (stream_mark_t){.epoch = 11, .seq = 1};
    cr_assert_not(fits(&stream));
    stream.segments[1].seq = 2; /* begins behind the head */
    cr_assert_not(fits(&stream));
}

Test(core_load, rows_of_nobody_are_refused) {
    state_t *state = realm_with_link();
    record_t stream = {.kind = RECORD_STREAM};
    stream.stream.realm = 2;
    cr_assert_not(state_load(state, &stream));
    record_t member = {.kind = RECORD_MEMBER, .member = {.group = 1, .user = 1}};
    cr_assert_not(state_load(state, &member));
    record_t user = {.kind = RECORD_USER};
    user.user.id = 2; /* leaves a hole */
    cr_assert_not(state_load(state, &user));
    state_destroy(&state);
}
