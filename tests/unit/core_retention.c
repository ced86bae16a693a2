/* links: base wire core store app; sources: support/desk.c support/paper_store.c support/puppet.c
 */
/*
 * What retention takes, what it leaves, and what can still be read. The paper store fails a test in
 * which anything goes that a start would replay, or that leaves a hole.
 */
#include "../support/paper_store.h"
#include "../support/puppet.h"
#include "base/text.h"

#include <criterion/criterion.h>

enum { RETENTION_MS = 3600 * 1000, HOUR_MS = 3600 * 1000 };

static desk_t *desk;

static void setup(void) {
    desk = desk_new("a");
    desk->options.limits.retention_ms = RETENTION_MS;
    desk_start(desk);
    desk_user(desk, 1, "alice");
    desk_user(desk, 2, "bob");
}

static void teardown(void) {
    desk_destroy(&desk);
}

TestSuite(core_retention, .init = setup, .fini = teardown);

static mailbox_t inbox_of(uint32_t user) {
    return mailbox_of(MAILBOX_PRIVATE, user, 0);
}

/* Alice says "<request><number>" for 1 up to count. */
static void say(const char *request, unsigned count) {
    for (unsigned i = 1; i <= count; i++)
        (void)desk_ask(desk, 1, desk_text(desk, "%s%u", request, i));
}

/* How many of a mailbox's messages are gone. */
static uint32_t gone_of(mailbox_t mailbox) {
    uint32_t gone = 0;
    while (gone < paper_store_head(desk->store, mailbox) &&
           paper_store_message(desk->store, mailbox, gone + 1) == NULL)
        gone += 1;
    return gone;
}

Test(core_retention, old_messages_go_and_young_ones_stay) {
    say("SEND bob lama", 3);
    desk_wait_ms(desk, HOUR_MS / 2);
    say("SEND bob baru", 2);
    desk_wait_ms(desk, HOUR_MS / 2 - 2 * RETENTION_SWEEP_MS);
    cr_assert_eq(gone_of(inbox_of(2)), 0, "not an hour yet");
    desk_wait_ms(desk, 4 * RETENTION_SWEEP_MS);
    cr_assert_eq(gone_of(inbox_of(2)), 3);
    desk_expect(desk, 2, "INBOX", "{*\"data\":[{\"seq\":4,*baru1\"},{\"seq\":5,*baru2\"}]}");
    desk_expect(desk, 2, "INBOX AFTER 1 LIMIT 1", "{*[{\"seq\":4,*baru1\"}],\"more\":true}");
    desk_expect(desk, 2, "INBOX BEFORE 4", "{*\"data\":[]}");
    desk_expect(desk, 2, "INBOX LIMIT 1", "{*[{\"seq\":5,*baru2\"}],\"more\":true}");
    desk_expect(desk, 2, "INBOX LIMIT 2", "{*baru2\"}]}");
}

Test(core_retention, an_empty_mailbox_goes_on_with_its_next_seq) {
    say("SEND bob lama", 3);
    desk_wait_ms(desk, 2 * HOUR_MS);
    cr_assert_eq(gone_of(inbox_of(2)), 3);
    desk_expect(desk, 2, "INBOX", "{*\"data\":[]}");
    desk_restart(desk);
    desk_expect(desk, 2, "AUTH bob rahasia", "{*OK*}");
    desk_expect(desk, 2, "SEND bob lagi", "{*\"id\":\"a:4\"}");
    desk_expect(desk, 2, "INBOX", "{*\"data\":[{\"seq\":4,*lagi\"}]}");
}

Test(core_retention, what_is_gone_cannot_be_asked_about) {
    desk_expect(desk, 1, "SEND bob halo", "{*\"id\":\"a:1\"}");
    desk_wait_ms(desk, 2 * HOUR_MS);
    desk_expect(desk, 1, "CHECKMESSAGE a:1", "{*FORBIDDEN*}");
}

Test(core_retention, nothing_goes_without_it) {
    desk_stop(desk);
    desk->options.limits.retention_ms = 0;
    desk_start(desk);
    desk_expect(desk, 1, "AUTH alice rahasia", "{*OK*}");
    say("SEND bob lama", 3);
    desk_wait_ms(desk, 100 * HOUR_MS);
    cr_assert_eq(gone_of(inbox_of(2)), 0);
    cr_assert_eq(desk_due_us(desk), INT64_MAX, "there is nothing to wait for");
}

static void set_retention(int64_t retention_ms) {
    realm_limits_t limits = REALM_LIMITS_DEFAULT;
    limits.retention_ms = retention_ms;
    event_t event = {.kind = EVENT_SETTINGS};
    event.settings.limits = &limits;
    desk_step(desk, &event);
}

Test(core_retention, it_can_be_set_anew_while_the_realm_runs) {
    say("SEND bob lama", 3);
    set_retention(0);
    desk_wait_ms(desk, 2 * HOUR_MS);
    cr_assert_eq(gone_of(inbox_of(2)), 0);
    set_retention(3 * HOUR_MS);
    desk_wait_ms(desk, HOUR_MS / 2);
    cr_assert_eq(gone_of(inbox_of(2)), 0);
    set_retention(1000);
    desk_wait_ms(desk, 4 * RETENTION_SWEEP_MS);
    cr_assert_eq(gone_of(inbox_of(2)), 3);
}

Test(core_retention, more_than_one_look_takes) {
    enum { MANY = 3 * RETENTION_ROWS_MAX };
    desk->batching = true;
    for (unsigned i = 0; i < MANY; i++)
        (void)desk_say(desk, 1, "SEND bob lama");
    desk_batch_end(desk);
    desk_wait_ms(desk, 2 * HOUR_MS);
    cr_assert_eq(gone_of(inbox_of(2)), MANY);
    desk_expect(desk, DESK_ADMIN, "CHECKSERVER", "{*\"forgotten\":12288,*}");
}

Test(core_retention, a_start_asks_for_nothing_before_clients_come_in) {
    say("SEND bob lama", 3);
    desk_crash(desk);
    desk->own_clock += 2LL * HOUR_MS * 1000;
    desk->hold_errands = true;
    desk_start(desk);
    cr_assert_eq(desk->errand_count, 0);
    desk_errands_run(desk);
    desk_wait_ms(desk, HOUR_MS);
    cr_assert_eq(gone_of(inbox_of(2)), 3);
}

/* Clocks. */

Test(core_retention, a_clock_that_jumps_for_a_moment_takes_nothing) {
    say("SEND bob baru", 3);
    desk_wait_ms(desk, RETENTION_HOLD_MS + RETENTION_SWEEP_MS);
    desk->skew_ms = 1000LL * HOUR_MS;
    desk_wait_ms(desk, RETENTION_HOLD_MS - 1000);
    cr_assert_eq(gone_of(inbox_of(2)), 0);
    desk->skew_ms = 0;
    desk_wait_ms(desk, RETENTION_HOLD_MS + RETENTION_SWEEP_MS);
    cr_assert_eq(gone_of(inbox_of(2)), 0);
}

Test(core_retention, a_clock_that_jumps_and_stays_there_is_believed) {
    say("SEND bob lama", 3);
    desk_wait_ms(desk, RETENTION_HOLD_MS + RETENTION_SWEEP_MS);
    desk->skew_ms = 1000LL * HOUR_MS;
    desk_wait_ms(desk, RETENTION_HOLD_MS + 3 * RETENTION_SWEEP_MS);
    cr_assert_eq(gone_of(inbox_of(2)), 3);
}

Test(core_retention, messages_of_a_clock_that_was_ahead_go_with_those_behind_them) {
    say("SEND bob dulu", 2);
    desk->skew_ms = 1000LL * HOUR_MS;
    for (unsigned i = 0; i < 2 * RETENTION_ROWS_MIN; i++) /* more than one look shows */
        (void)desk_ask(desk, 1, "SEND bob depan");
    desk->skew_ms = 0;
    desk_wait_ms(desk, HOUR_MS / 2);
    say("SEND bob kini", 2);
    desk_wait_ms(desk, HOUR_MS / 2 + 4 * RETENTION_SWEEP_MS);
    cr_assert_eq(gone_of(inbox_of(2)), 2, "only those before them are surely old");
    desk_wait_ms(desk, HOUR_MS / 2);
    cr_assert_eq(gone_of(inbox_of(2)), 2 * RETENTION_ROWS_MIN + 4);
}

Test(core_retention, messages_of_a_clock_that_was_behind_wait_for_those_before_them) {
    say("SEND bob dulu", 2);
    desk->skew_ms = -1000LL * HOUR_MS;
    say("SEND bob salah", 2);
    desk->skew_ms = 0;
    desk_wait_ms(desk, HOUR_MS / 2);
    cr_assert_eq(gone_of(inbox_of(2)), 0);
    desk_wait_ms(desk, HOUR_MS);
    cr_assert_eq(gone_of(inbox_of(2)), 4);
}

/* Between realms. */

static puppet_t b;

static void link_b(void) {
    puppet_init(&b, desk, "b");
    puppet_link(&b);
}

static stream_record_t stream_row(void) {
    record_t like = {.kind = RECORD_STREAM, .stream = {.realm = 1}};
    return paper_store_row(desk->store, &like)->stream;
}

/* The peer says that it has taken the stream up to a seq. */
static void take(uint32_t seq) {
    b.mark = (stream_mark_t){.epoch = stream_row().segments[0].epoch, .seq = seq};
    peer_message_t ping = puppet_message(&b, PEER_PING);
    puppet_call(&b, &ping);
    cr_assert_eq(stream_row().done, seq);
}

Test(core_retention, what_waits_for_a_realm_stays_until_it_is_there) {
    const mailbox_t outbox = mailbox_of(MAILBOX_OUTBOX, 0, 1);
    link_b();
    desk_dial_lost(desk, b.dial.number, DIAL_REFUSED);
    say("SENDREALM b bob antri", 4);
    say("SEND bob lama", 2);
    desk_wait_ms(desk, 2 * HOUR_MS);
    cr_assert_eq(gone_of(inbox_of(2)), 2);
    cr_assert_eq(gone_of(outbox), 0);
    desk_expect(desk, 1, "CHECKMESSAGE a:2", "{*\"queued\"*}");
    take(3);
    desk_wait_ms(desk, 4 * RETENTION_SWEEP_MS);
    cr_assert_eq(gone_of(outbox), 3);
    cr_assert_not_null(paper_store_message(desk->store, outbox, 4));
    desk_restart(desk);
    desk_wait_ms(desk, 2 * HOUR_MS);
    cr_assert_eq(gone_of(outbox), 3);
    desk_expect(desk, 1, "AUTH alice rahasia", "{*OK*}");
    desk_expect(desk, 1, "CHECKMESSAGE a:4", "{*\"queued\"*}");
    desk_expect(desk, 1, "CHECKMESSAGE a:3", "{*FORBIDDEN*}");
}

/* Seqs are left standing, then delivered while the walk is behind them. */
Test(core_retention, what_goes_of_an_outbox_goes_in_its_order) {
    const mailbox_t outbox = mailbox_of(MAILBOX_OUTBOX, 0, 1);
    link_b();
    desk_dial_lost(desk, b.dial.number, DIAL_REFUSED);
    say("SENDREALM b bob antri", 4);
    desk_wait_ms(desk, HOUR_MS / 2);
    say("SENDREALM b bob lagi", 4);
    desk_wait_ms(desk, HOUR_MS / 2 + 3 * RETENTION_SWEEP_MS);
    cr_assert_eq(gone_of(outbox), 0);
    take(6);
    desk_wait_ms(desk, 4 * RETENTION_SWEEP_MS);
    cr_assert_eq(gone_of(outbox), 4);
    desk_wait_ms(desk, HOUR_MS / 2);
    cr_assert_eq(gone_of(outbox), 6);
}

Test(core_retention, what_expired_goes) {
    desk_stop(desk);
    desk->options.limits.queue_expiry_ms = 10 * 60 * 1000;
    desk_start(desk);
    desk_expect(desk, 1, "AUTH alice rahasia", "{*OK*}");
    link_b();
    desk_dial_lost(desk, b.dial.number, DIAL_REFUSED);
    say("SENDREALM b bob antri", 4);
    desk_wait_ms(desk, HOUR_MS / 2);
    desk_expect(desk, 1, "CHECKMESSAGE a:1", "{*\"expired\"*}");
    desk_expect(desk, 1, "INBOX", "{*\"from\":\"realm@a\"*a:1*waktu pengiriman habis*}");
    desk_wait_ms(desk, HOUR_MS);
    cr_assert_eq(gone_of(mailbox_of(MAILBOX_OUTBOX, 0, 1)), 4);
}

Test(core_retention, what_comes_late_is_as_old_as_its_arrival) {
    link_b();
    peer_record_t record = {.kind = PEER_SENDREALM, .number = 7, .time_ms = 5};
    record.from = span_of("bob");
    record.to = span_of("alice");
    record.body = span_of("dari dulu");
    peer_message_t message = puppet_message(&b, PEER_RECORDS);
    message.records.first = (stream_mark_t){.epoch = 77, .seq = 1};
    message.records.record_count = 1;
    message.records.records = &record;
    puppet_call(&b, &message);
    desk_wait_ms(desk, HOUR_MS - 2 * RETENTION_SWEEP_MS);
    cr_assert_eq(gone_of(mailbox_of(MAILBOX_REALM, 1, 1)), 0);
    desk_wait_ms(desk, 4 * RETENTION_SWEEP_MS);
    cr_assert_eq(gone_of(mailbox_of(MAILBOX_REALM, 1, 1)), 1);
}
