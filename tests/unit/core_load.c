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
    state_options_t options = {.version = "test", .limits = REALM_LIMITS_DEFAULT};
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

static bool takes(state_t *state, record_kind_t kind, uint32_t realm, uint32_t number) {
    record_t row = {.kind = kind, .mark = {.realm = realm, .number = number, .mark = {9, 1}}};
    return state_load(state, &row);
}

Test(core_load, older_segments_and_marks_have_no_holes_and_are_not_too_many) {
    state_t *state = realm_with_link();
    cr_assert_not(takes(state, RECORD_SEGMENT, 2, 1), "of nobody");
    cr_assert(takes(state, RECORD_SEGMENT, 1, 7));
    cr_assert(takes(state, RECORD_SEGMENT, 1, 8));
    cr_assert_not(takes(state, RECORD_SEGMENT, 1, 10));
    cr_assert_not(takes(state, RECORD_SEGMENT, 1, 8));
    for (uint32_t i = 0; i < STREAM_OLDER_MAX; i++)
        cr_assert(takes(state, RECORD_MARK, 1, i));
    cr_assert_not(takes(state, RECORD_MARK, 1, STREAM_OLDER_MAX));
    state_destroy(&state);
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

/* A second row of the kind beside a realm with user 1 "u", group 1 "g", realm 1 "b". */
static bool stands_beside(const record_t *record) {
    state_t *state = realm_with_link();
    record_t user = {.kind = RECORD_USER, .user = {.id = 1}};
    record_t group = {.kind = RECORD_GROUP, .group = {.id = 1}};
    cr_assert(name_parse(&user.user.name, span_of("u")));
    cr_assert(name_parse(&group.group.name, span_of("g")));
    cr_assert(state_load(state, &user));
    cr_assert(state_load(state, &group));
    bool good = state_load(state, record);
    state_destroy(&state);
    return good;
}

Test(core_load, a_name_belongs_to_one_row) {
    record_t user = {.kind = RECORD_USER, .user = {.id = 2}};
    record_t group = {.kind = RECORD_GROUP, .group = {.id = 2}};
    record_t realm = {.kind = RECORD_REALM, .realm = {.id = 2}};
    cr_assert(name_parse(&user.user.name, span_of("u")));
    cr_assert(name_parse(&group.group.name, span_of("g")));
    cr_assert(name_parse(&realm.realm.name, span_of("b")));
    cr_assert_not(stands_beside(&user));
    cr_assert_not(stands_beside(&group));
    cr_assert_not(stands_beside(&realm));
    user.user.gone = group.group.gone = true;
    cr_assert(stands_beside(&user));
    cr_assert(stands_beside(&group));
    cr_assert(name_parse(&realm.realm.name, span_of("a")), "our own");
    cr_assert_not(stands_beside(&realm));
    cr_assert(name_parse(&realm.realm.name, span_of("c")));
    cr_assert(stands_beside(&realm));
    memset(realm.realm.key, 7, KEY_BYTES); /* that of b */
    cr_assert_not(stands_beside(&realm));
}

static bool mailbox_stands(mailbox_kind_t kind, uint64_t owner, uint64_t realm) {
    record_t message = {.kind = RECORD_MESSAGE, .message = {.position = 1, .seq = 1}};
    message.message.mailbox = (mailbox_t)kind << 60 | owner << 30 | realm;
    return stands_beside(&message);
}

Test(core_load, a_mailbox_of_nobody_is_refused) {
    cr_assert(mailbox_stands(MAILBOX_PRIVATE, 1, 0));
    cr_assert(mailbox_stands(MAILBOX_GROUP, 1, 0));
    cr_assert(mailbox_stands(MAILBOX_REALM, 1, 1));
    cr_assert(mailbox_stands(MAILBOX_GROUP_REALM, 1, 1));
    cr_assert(mailbox_stands(MAILBOX_OUTBOX, 0, 1));
    cr_assert_not(mailbox_stands(MAILBOX_PRIVATE, 2, 0));
    cr_assert_not(mailbox_stands(MAILBOX_PRIVATE, 1, 1));
    cr_assert_not(mailbox_stands(MAILBOX_GROUP, 2, 0));
    cr_assert_not(mailbox_stands(MAILBOX_REALM, 1, 2));
    cr_assert_not(mailbox_stands(MAILBOX_GROUP_REALM, 0, 1));
    cr_assert_not(mailbox_stands(MAILBOX_OUTBOX, 1, 1));
    cr_assert_not(mailbox_stands((mailbox_kind_t)0, 0, 0));
    cr_assert_not(mailbox_stands((mailbox_kind_t)15, 1, 1));
}

/* A head of user 1's mailbox, whose levels have these positions. */
static bool head_stands(uint32_t seq, uint8_t level_0, uint8_t level_1, uint8_t level_2) {
    record_t head = {.kind = RECORD_HEAD,
                     .head = {.mailbox = (mailbox_t)MAILBOX_PRIVATE << 60 | 1U << 30}};
    head.head.head.seq = seq;
    head.head.head.positions[0][0] = level_0;
    head.head.head.positions[1][0] = level_1;
    head.head.head.positions[2][0] = level_2;
    return stands_beside(&head);
}

Test(core_load, a_head_that_no_appending_makes_is_refused) {
    cr_assert(head_stands(3, 9, 0, 0));
    cr_assert(head_stands(5, 9, 8, 0));
    cr_assert(head_stands(16, 9, 9, 9));
    cr_assert_not(head_stands(0, 0, 0, 0));
    cr_assert_not(head_stands(3, 0, 0, 0), "it has a newest message");
    cr_assert_not(head_stands(3, 9, 8, 0), "there was no fourth");
    cr_assert_not(head_stands(5, 9, 0, 0), "there was a fourth");
    cr_assert_not(head_stands(5, 8, 9, 0), "the fourth came before the fifth");
}

Test(core_load, positions_that_no_log_reaches_are_refused) {
    record_t checkpoint = {.kind = RECORD_CHECKPOINT, .checkpoint = {.position = UINT64_MAX}};
    cr_assert_not(stands_beside(&checkpoint));
    checkpoint.checkpoint.position = 1ULL << 48;
    cr_assert_not(stands_beside(&checkpoint));
    record_t message = {.kind = RECORD_MESSAGE, .message = {.position = 1ULL << 48, .seq = 1}};
    message.message.mailbox = (mailbox_t)MAILBOX_OUTBOX << 60 | 1;
    cr_assert_not(stands_beside(&message));
}

Test(core_load, a_head_behind_the_log_is_refused) {
    state_t *state = realm_with_link();
    record_t head = {.kind = RECORD_HEAD, .head = {.mailbox = (mailbox_t)MAILBOX_OUTBOX << 60 | 1}};
    record_t stream = {.kind = RECORD_STREAM, .stream = {.realm = 1, .done = 1, .judged = 1}};
    head.head.head.seq = 1;
    head.head.head.positions[0][0] = 5;
    cr_assert(state_load(state, &stream));
    cr_assert(state_load(state, &head));
    cr_assert_not(state_loaded(state));
    state_destroy(&state);
}

Test(core_load, an_outbox_without_segments_is_refused) {
    cr_assert_not(fits(&(stream_record_t){0}), "nothing says under which epoch it is sent");
    cr_assert(fits(&(stream_record_t){.done = 1, .judged = 1}));
}

Test(core_load, a_refusal_behind_the_mark_is_refused) {
    for (unsigned marks = 0; marks <= 1; marks++) {
        for (uint32_t seq = 5; seq <= 6; seq++) {
            state_t *state = realm_with_link();
            record_t rejection = {.kind = RECORD_REJECTION};
            rejection.rejection.realm = 1;
            rejection.rejection.seq = seq;
            rejection.rejection.code = CODE_NO_USER;
            record_t stream = {.kind = RECORD_STREAM, .stream = {.realm = 1}};
            stream.stream.mark_count = (uint8_t)marks;
            stream.stream.marks[0] = (stream_mark_t){.epoch = 9, .seq = 5};
            cr_assert(state_load(state, &stream));
            cr_assert(state_load(state, &rejection));
            cr_assert_eq(state_loaded(state), marks == 1 && seq == 5);
            state_destroy(&state);
        }
    }
}
