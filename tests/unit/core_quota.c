/* links: base wire core store app; sources: support/desk.c support/paper_store.c support/puppet.c
 */
/*
 * The caps that an operator sets: what is refused at each, that nothing is changed by it, that it
 * is counted; and how fast a realm says that it is used.
 */
#include "../support/paper_store.h"
#include "../support/puppet.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <string.h>

static desk_t *desk;
static puppet_t b;

static void setup(void) {
    desk = desk_new("a");
    desk->options.registration_open = true;
    desk_start(desk);
    desk_user(desk, 1, "alice");
    desk_user(desk, 2, "bob");
}

static void teardown(void) {
    desk_destroy(&desk);
}

TestSuite(core_quota, .init = setup, .fini = teardown);

static const char *const OK = "{\"status\":\"OK\"*}";

/* As SIGHUP does it: while the realm runs. */
static void set(const realm_limits_t *limits) {
    event_t event = {.kind = EVENT_SETTINGS};
    event.settings.limits = limits;
    event.settings.registration_open = true;
    desk_step(desk, &event);
}

static void expect_busy(uint64_t connection, const char *line, const char *reason) {
    uint64_t writes = paper_store_writes(desk->store);
    desk_expect(desk, connection, line,
                desk_text(desk,
                          "{\"status\":\"ERROR\",\"data\":\"server sibuk\",\"code\":\"BUSY\","
                          "\"reason\":\"%s\"}",
                          reason));
    cr_assert_eq(paper_store_writes(desk->store), writes, "a refusal changes nothing");
}

static void expect_limit(const char *name, unsigned current, unsigned maximum, unsigned refused) {
    desk_expect(desk, DESK_ADMIN, "CHECKSERVER",
                desk_text(desk, "{*\"%s\":{\"current\":%u,\"maximum\":%u,\"refused\":%u}*}", name,
                          current, maximum, refused));
}

Test(core_quota, users) {
    realm_limits_t limits = REALM_LIMITS_DEFAULT;
    limits.users_max = 3;
    set(&limits);
    desk_expect(desk, DESK_ADMIN, "ADDUSER carol rahasia", OK);
    expect_busy(DESK_ADMIN, "ADDUSER dewi rahasia", "too many users");
    expect_busy(3, "REGISTER dewi rahasia", "too many users");
    expect_limit("users", 3, 3, 2);
    desk_expect(desk, DESK_ADMIN, "DELUSER carol", OK);
    desk_expect(desk, 3, "REGISTER dewi rahasia", OK);
}

Test(core_quota, two_that_wait_for_a_worker_do_not_both_get_the_last_place) {
    realm_limits_t limits = REALM_LIMITS_DEFAULT;
    limits.users_max = 3;
    limits.groups_max = 1;
    set(&limits);
    desk->hold_passwords = true;
    uint32_t first = desk_say(desk, 3, "REGISTER carol rahasia");
    uint32_t second = desk_say(desk, 4, "REGISTER dewi rahasia");
    uint32_t third = desk_say(desk, 1, "ADDGROUP satu kunci");
    uint32_t fourth = desk_say(desk, 2, "ADDGROUP dua kunci");
    desk_errands_run(desk);
    desk_expect_reply(desk, 3, first, OK);
    desk_expect_reply(desk, 4, second, "{*BUSY*too many users*}");
    desk_expect_reply(desk, 1, third, OK);
    desk_expect_reply(desk, 2, fourth, "{*BUSY*too many groups*}");
    expect_limit("users", 3, 3, 1);
    expect_limit("groups", 1, 1, 1);
}

Test(core_quota, groups_and_their_members) {
    realm_limits_t limits = REALM_LIMITS_DEFAULT;
    limits.groups_max = 2;
    limits.members_max = 2;
    set(&limits);
    desk_user(desk, 3, "carol");
    desk_expect(desk, 1, "ADDGROUP satu kunci", OK);
    desk_expect(desk, 1, "ADDGROUP dua kunci", OK);
    expect_busy(1, "ADDGROUP tiga kunci", "too many groups");
    desk_expect(desk, 2, "JOINGROUP satu kunci", OK);
    expect_busy(3, "JOINGROUP satu kunci", "too many members in this group");
    desk_expect(desk, 3, "JOINGROUP dua kunci", OK);
    expect_limit("groups", 2, 2, 1);
    expect_limit("members", 2, 2, 1);
    desk_expect(desk, 2, "LEAVEGROUP satu", OK);
    desk_expect(desk, 3, "JOINGROUP satu kunci", OK);
}

Test(core_quota, mailboxes) {
    realm_limits_t limits = REALM_LIMITS_DEFAULT;
    limits.mailboxes_max = 1;
    set(&limits);
    desk_group(desk, 1, "tim");
    desk_expect(desk, 1, "SEND bob halo", OK);
    expect_busy(2, "SEND alice halo", "too many mailboxes");
    expect_busy(1, "SENDGROUP tim halo", "too many mailboxes");
    desk_expect(desk, 1, "SEND bob lagi", OK);
    expect_limit("mailboxes", 1, 1, 2);
}

Test(core_quota, mailboxes_of_what_goes_to_realms) {
    realm_limits_t limits = REALM_LIMITS_DEFAULT;
    limits.mailboxes_max = 1;
    puppet_init(&b, desk, "b");
    puppet_link(&b);
    desk_group(desk, 1, "tim");
    set(&limits);
    desk_expect(desk, 1, "SEND bob halo", OK);
    expect_busy(1, "SENDREALM b carol halo", "too many mailboxes");
    limits.mailboxes_max = 2;
    set(&limits);
    desk_dial_lost(desk, b.dial.number, DIAL_REFUSED);
    desk_expect(desk, 1, "SENDREALM b carol halo", "{*queued*}");
    expect_busy(1, "SENDGROUPREALM b tim halo", "too many mailboxes");
    limits.mailboxes_max = 3;
    set(&limits);
    desk_expect(desk, 1, "SENDGROUPREALM b tim halo", "{*queued*}");
}

/* The refusals of our standing in the newest ack, in order: one for each bit of `seqs`. */
static void push_and_expect(const char *const *to, uint16_t count, code_t code, unsigned seqs) {
    peer_record_t records[8];
    memset(records, 0, sizeof(records));
    for (unsigned i = 0; i < count; i++) {
        records[i].kind = PEER_SENDREALM;
        records[i].number = 1 + i;
        records[i].time_ms = DESK_EPOCH_MS;
        records[i].from = span_of("carol");
        records[i].to = span_of(to[i]);
        records[i].body = span_of("halo");
    }
    peer_message_t message = puppet_message(&b, PEER_RECORDS);
    message.records.first = (stream_mark_t){.epoch = 77, .seq = 1};
    message.records.record_count = count;
    message.records.records = records;
    puppet_call(&b, &message);
    const peer_standing_t *standing = &puppet_hears(&b, PEER_ACK)->ack.standing;
    cr_assert_eq(standing->marks[0].seq, count, "all are taken or refused, none is forgotten");
    unsigned found = 0;
    for (unsigned i = 0; i < standing->rejection_count; i++) {
        cr_assert_eq(standing->rejections[i].code, code);
        found |= 1U << standing->rejections[i].seq;
    }
    cr_assert_eq(found, seqs);
}

Test(core_quota, a_peers_record_that_would_be_one_mailbox_too_many_is_refused) {
    static const char *const to[] = {"alice", "bob", "alice", "bob"};
    realm_limits_t limits = REALM_LIMITS_DEFAULT;
    limits.mailboxes_max = 1;
    set(&limits);
    puppet_init(&b, desk, "b");
    puppet_link(&b);
    push_and_expect(to, 4, CODE_BUSY, 1U << 2 | 1U << 4);
    desk_expect_texts(desk, mailbox_of(MAILBOX_REALM, 1, 1), "halo halo");
    expect_limit("mailboxes", 1, 1, 2);
}

/* What the realm owes: the sender hears of it all the same. */
Test(core_quota, a_bounce_always_has_a_mailbox) {
    realm_limits_t limits = REALM_LIMITS_DEFAULT;
    limits.mailboxes_max = 1;
    limits.queue_expiry_ms = 60000;
    set(&limits);
    puppet_init(&b, desk, "b");
    puppet_link(&b);
    desk_dial_lost(desk, b.dial.number, DIAL_REFUSED);
    desk_expect(desk, 1, "SENDREALM b carol halo", "{*queued*}");
    desk_wait_ms(desk, 60000 + 2 * OUTBOX_SWEEP_MS);
    desk_expect(desk, 1, "INBOX", "{*realm@a*waktu pengiriman habis*}");
    expect_limit("mailboxes", 2, 1, 0);
}

Test(core_quota, an_outbox) {
    realm_limits_t limits = REALM_LIMITS_DEFAULT;
    limits.outbox_records_max = 2;
    set(&limits);
    puppet_init(&b, desk, "b");
    puppet_link(&b);
    desk_dial_lost(desk, b.dial.number, DIAL_REFUSED);
    desk_expect(desk, 1, "SENDREALM b carol satu", "{*queued*}");
    desk_expect(desk, 1, "SENDREALM b carol dua", "{*queued*}");
    desk_expect(desk, 1, "SENDREALM b carol tiga", "{*\"QUEUE_FULL\"}");
    limits.outbox_records_max = 10;
    limits.outbox_bytes_max = 11;
    set(&limits);
    desk_expect(desk, 1, "SENDREALM b carol tiga", "{*queued*}");
    desk_expect(desk, 1, "SENDREALM b carol x", "{*\"QUEUE_FULL\"}");
    expect_limit("outbox_records", 3, 10, 1);
    expect_limit("outbox_bytes", 11, 11, 1);
}

Test(core_quota, a_cap_below_what_is_there_removes_nothing) {
    realm_limits_t limits = REALM_LIMITS_DEFAULT;
    desk_group(desk, 1, "tim");
    desk_group(desk, 2, "tim");
    desk_expect(desk, 1, "SENDGROUP tim halo", OK);
    limits.users_max = limits.groups_max = limits.members_max = limits.mailboxes_max = 1;
    set(&limits);
    desk_expect(desk, 2, "SENDGROUP tim halo", OK);
    desk_expect(desk, 2, "INBOXGROUP tim", "{*alice@a*bob@a*}");
    expect_limit("users", 2, 1, 0);
    desk_restart(desk);
    desk_expect(desk, 1, "AUTH alice rahasia", OK);
    desk_expect(desk, 1, "SENDGROUP tim lagi", OK);
}

Test(core_quota, registration_is_opened_and_closed_while_the_realm_runs) {
    realm_limits_t limits = REALM_LIMITS_DEFAULT;
    event_t event = {.kind = EVENT_SETTINGS};
    event.settings.limits = &limits;
    desk_step(desk, &event);
    desk_expect(desk, 3, "REGISTER carol rahasia", "{*FORBIDDEN*}");
    set(&limits);
    desk_expect(desk, 3, "REGISTER carol rahasia", OK);
}

static const char *rates(void) {
    return strstr(desk_ask(desk, DESK_ADMIN, "CHECKSERVER"), "\"requests_per_s\"");
}

static void expect_rates(const char *pattern) {
    const char *found = rates();
    cr_assert(text_matches(found, desk_text(desk, "%s,\"retention*", pattern)), "%.80s", found);
}

Test(core_quota, rates_are_those_of_the_last_minute) {
    desk_wait_ms(desk, 100000);
    desk->batching = true;
    for (unsigned i = 0; i < 599; i++)
        (void)desk_say(desk, 1, i % 2 == 0 ? "SEND bob halo" : "PING");
    desk_batch_end(desk);
    expect_rates("\"requests_per_s\":10.0,\"messages_per_s\":5.0");
    desk_wait_ms(desk, 58000);
    expect_rates("\"requests_per_s\":10.02,\"messages_per_s\":5.0");
    desk_wait_ms(desk, 3000);
    expect_rates("\"requests_per_s\":0.03,\"messages_per_s\":0.0");
    desk_wait_ms(desk, 3600000);
    expect_rates("\"requests_per_s\":0.0,\"messages_per_s\":0.0");
}
