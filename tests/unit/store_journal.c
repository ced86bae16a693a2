/* links: base store; sources: support/store_place.c */
/*
 * What is committed and not folded is in the journal: it outlives the process, a torn end takes
 * nothing whole with it, and a run is taken in exactly once.
 */
#include "../support/store_place.h"
#include "base/buffer.h"
#include "base/limits.h"
#include "store/lmdb.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What can be read while nothing is folded. */
static uint64_t messages_seen(store_t *store) {
    enum { ROWS = 7 };
    message_age_t rows[ROWS];
    uint64_t seen = 0;
    bool end = false;
    while (!end) {
        uint32_t found = 0;
        cr_assert_eq(store_oldest(store, seen, rows, ROWS, &found, &end), STORE_OK);
        for (uint32_t i = 0; i < found; i++)
            cr_assert_eq(rows[i].position, ++seen);
        cr_assert(end || found == ROWS);
    }
    return seen;
}

Test(store_journal, a_killed_process_leaves_its_commits) {
    place_t place;
    place_init(&place);
    commit_and_die(&place, 10, 25);
    for (int round = 0; round < 2; round++) {
        cr_assert_eq(place_open(&place), STORE_OK);
        cr_assert_eq(messages_in(place.store), 25);
        cr_assert_not(store_unfolded(place.store));
        store_close(&place.store);
    }
    place_deinit(&place);
}

Test(store_journal, reads_see_what_is_not_folded) {
    place_t place;
    place_init(&place);
    cr_assert_eq(place_open(&place), STORE_OK);
    cr_assert_not(store_unfolded(place.store));
    for (uint64_t number = 1; number <= 80; number++) {
        commit_up_to(place.store, number, number);
        cr_assert(store_unfolded(place.store));
        cr_assert_eq(messages_seen(place.store), number);
        if (number % 7 == 0)
            cr_assert_eq(store_fold_begin(place.store), STORE_OK);
        if (number % 20 == 0)
            cr_assert_eq(store_fold(place.store), STORE_OK);
        cr_assert_eq(store_unfolded(place.store), number % 20 != 0);
        cr_assert_eq(messages_seen(place.store), number);
    }
    cr_assert_eq(messages_in(place.store), 80);
    place_deinit(&place);
}

/* Wherever the journal ends, and whatever byte of it is wrong: the commits before are all there. */
Test(store_journal, a_torn_end_takes_nothing_whole_with_it) {
    place_t place;
    place_init(&place);
    commit_and_die(&place, 3, 23);
    buffer_t store, journal;
    place_read(&place, "store.mdb", &store);
    place_read(&place, "store.mdb-journal2", &journal);
    size_t used = journal.length;
    while (used > 0 && journal.bytes[used - 1] == 0)
        used--;
    cr_assert(used > 20 * 30 && used < 20 * 200, "%zu bytes for 20 frames", used);
    uint64_t last = 3;
    for (size_t cut = 0; cut <= used; cut += 3) {
        bool flips = cut % 2 == 1 && cut < used;
        char *bytes = malloc(journal.length);
        memcpy(bytes, journal.bytes, journal.length);
        if (flips)
            bytes[cut] = (char)(bytes[cut] ^ 0x10);
        else
            memset(bytes + cut, 0, used - cut);
        place_write(&place, "store.mdb", store.bytes, store.length);
        place_write(&place, "store.mdb-journal2", bytes, journal.length);
        place_write(&place, "store.mdb-journal", "", 0);
        free(bytes);
        cr_assert_eq(place_open(&place), STORE_OK);
        uint64_t count = messages_in(place.store);
        cr_assert(count >= last && count <= 3 + cut * 20 / used + 1, "%lu after %zu of %zu bytes",
                  (unsigned long)count, cut, used);
        last = count;
        commit_up_to(place.store, count + 1, count + 2);
        store_close(&place.store);
    }
    cr_assert_geq(last, 22);
    buffer_deinit(&store);
    buffer_deinit(&journal);
    place_deinit(&place);
}

/* What was folded must not be taken in once more, nor what belongs to another store. */
Test(store_journal, a_run_of_another_time_or_store_is_left_alone) {
    place_t place, other;
    buffer_t journal;
    place_init(&place);
    commit_and_die(&place, 5, 9);
    place_read(&place, "store.mdb-journal2", &journal);
    cr_assert_eq(place_open(&place), STORE_OK);
    commit_up_to(place.store, 10, 12);
    store_close(&place.store);
    place_write(&place, "store.mdb-journal", journal.bytes, journal.length);
    place_write(&place, "store.mdb-journal2", journal.bytes, journal.length);
    cr_assert_eq(place_open(&place), STORE_OK);
    cr_assert_eq(messages_in(place.store), 12);
    commit_up_to(place.store, 13, 13);
    store_close(&place.store);
    place_init(&other);
    commit_and_die(&other, 7, 8);
    place_write(&other, "store.mdb-journal", journal.bytes, journal.length);
    place_write(&other, "store.mdb-journal2", journal.bytes, journal.length);
    cr_assert_eq(place_open(&other), STORE_OK);
    cr_assert_eq(messages_in(other.store), 7);
    buffer_deinit(&journal);
    place_deinit(&other);
    place_deinit(&place);
}

/* What a process leaves that is killed while a run is folded: both runs. */
typedef struct leftovers {
    buffer_t store, first, second;
} leftovers_t;

static void leftovers_make(place_t *place, leftovers_t *left) {
    cr_assert_eq(place_open(place), STORE_OK);
    commit_up_to(place->store, 1, 5);
    place_read(place, "store.mdb", &left->store);
    place_read(place, "store.mdb-journal", &left->first);
    cr_assert_eq(store_fold(place->store), STORE_OK);
    commit_up_to(place->store, 6, 9);
    place_read(place, "store.mdb-journal2", &left->second);
    store_close(&place->store);
}

static void leftovers_put(const place_t *place, const leftovers_t *left) {
    place_write(place, "store.mdb", left->store.bytes, left->store.length);
    place_write(place, "store.mdb-journal", left->first.bytes, left->first.length);
    place_write(place, "store.mdb-journal2", left->second.bytes, left->second.length);
}

static void leftovers_deinit(leftovers_t *left) {
    buffer_deinit(&left->store);
    buffer_deinit(&left->first);
    buffer_deinit(&left->second);
}

Test(store_journal, both_runs_are_taken_in) {
    place_t place;
    leftovers_t left;
    place_init(&place);
    leftovers_make(&place, &left);
    leftovers_put(&place, &left);
    cr_assert_eq(place_open(&place), STORE_OK);
    cr_assert_eq(messages_in(place.store), 9);
    commit_up_to(place.store, 10, 11);
    store_close(&place.store);
    cr_assert_eq(place_open(&place), STORE_OK);
    cr_assert_eq(messages_in(place.store), 11);
    store_close(&place.store);
    /* Which file has which run does not matter. */
    buffer_t swapped = left.first;
    left.first = left.second;
    left.second = swapped;
    leftovers_put(&place, &left);
    cr_assert_eq(place_open(&place), STORE_OK);
    cr_assert_eq(messages_in(place.store), 9);
    leftovers_deinit(&left);
    place_deinit(&place);
}

/* The newer run says that there was more: going on without it would take commits back. */
Test(store_journal, an_older_run_that_lost_its_end_is_damage) {
    place_t place;
    leftovers_t left;
    place_init(&place);
    leftovers_make(&place, &left);
    size_t used = left.first.length;
    while (left.first.bytes[used - 1] == 0)
        used--;
    for (size_t at = 0; at < used; at += used / 7) {
        left.first.bytes[at] = (char)(left.first.bytes[at] ^ 1);
        leftovers_put(&place, &left);
        cr_assert_eq(place_open(&place), STORE_CORRUPT);
        left.first.bytes[at] = (char)(left.first.bytes[at] ^ 1);
    }
    leftovers_put(&place, &left);
    cr_assert_eq(place_open(&place), STORE_OK);
    cr_assert_eq(messages_in(place.store), 9);
    leftovers_deinit(&left);
    place_deinit(&place);
}

/* The process ends at any moment of a fold. */
Test(store_journal, a_kill_beside_a_fold_takes_nothing) {
    place_t place;
    place_init(&place);
    uint64_t last = 0;
    for (uint64_t round = 1; round <= 30; round++) {
        pid_t child = fork();
        cr_assert_geq(child, 0);
        if (child == 0) {
            if (place_open(&place) != STORE_OK)
                _exit(1);
            commit_up_to(place.store, last + 1, last + 20);
            if (store_fold_begin(place.store) != STORE_OK)
                _exit(2);
            commit_up_to(place.store, last + 21, last + 20 + round);
            (void)raise(SIGKILL);
        }
        int status = 0;
        cr_assert_eq(waitpid(child, &status, 0), child);
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %d", status);
        last += 20 + round;
        cr_assert_eq(place_open(&place), STORE_OK);
        cr_assert_eq(messages_in(place.store), last);
        store_close(&place.store);
    }
    place_deinit(&place);
}

static record_t gone(uint64_t first, uint64_t last) {
    record_t record;
    memset(&record, 0, sizeof record);
    record.kind = RECORD_MESSAGES_GONE;
    record.messages_gone = (messages_gone_record_t){.first = first, .last = last};
    return record;
}

static record_t cut_at(uint64_t position) {
    record_t record;
    memset(&record, 0, sizeof record);
    record.kind = RECORD_CUT;
    record.cut.position = position;
    return record;
}

static record_t refused(uint64_t position, code_t code) {
    record_t record;
    memset(&record, 0, sizeof record);
    record.kind = RECORD_VERDICT;
    record.verdict = (verdict_record_t){.position = position, .code = code};
    return record;
}

static bool count_page(void *context, const message_t *message) {
    uint64_t *next = context;
    cr_assert_eq(message->position, *next);
    *next += 1;
    return true;
}

static void expect_lookup(store_t *store, uint64_t position, bool there, code_t code) {
    code_t verdict;
    uint64_t next = position;
    cr_assert_eq(store_lookup(store, position, count_page, &next, &verdict), STORE_OK);
    cr_assert_eq(next, position + (there ? 1 : 0), "%lu", (unsigned long)position);
    cr_assert_eq(verdict, code, "%lu", (unsigned long)position);
}

/* Of 30 messages, 1 to 12 gone, 5 (gone), 15 and 25 refused. */
static void expect_trimmed(store_t *store) {
    message_age_t rows[30];
    uint32_t found = 0;
    bool end = false;
    cr_assert_eq(store_oldest(store, 0, rows, 30, &found, &end), STORE_OK);
    cr_assert(found == 18 && end && rows[0].position == 13 && rows[17].position == 30);
    cr_assert_eq(store_oldest(store, 0, rows, 18, &found, &end), STORE_OK);
    cr_assert_eq(found, 18);
    expect_lookup(store, 5, false, CODE_OK);
    expect_lookup(store, 13, true, CODE_OK);
    expect_lookup(store, 15, true, CODE_NO_USER);
    expect_lookup(store, 25, true, CODE_NO_GROUP);
    page_query_t query = {
        .mailbox = 1, .newest_position = 30, .newest_seq = 30, .limit = 50, .verdicts = true};
    uint64_t next = 13;
    bool more = true;
    cr_assert_eq(store_page(store, &query, count_page, &next, &more), STORE_OK);
    cr_assert(next == 31 && !more);
}

/* Retention takes messages that are in the tables, in a run that is folded and in the newest one,
 * and a verdict replaces one of before; wherever they are, reads see the same. */
Test(store_journal, retention_and_verdicts_hold_wherever_a_message_is) {
    for (uint64_t folds = 0; folds < 32; folds++) {
        place_t place;
        place_init(&place);
        cr_assert_eq(place_open(&place), STORE_OK);
        const record_t first[] = {refused(5, CODE_NO_USER), refused(15, CODE_NO_GROUP)};
        const record_t second[] = {gone(1, 4), cut_at(4), refused(25, CODE_NO_GROUP)};
        const record_t third[] = {gone(5, 12), cut_at(12), refused(15, CODE_NO_USER)};
        for (uint64_t step = 0; step < 5; step++) {
            if (step < 3)
                commit_up_to(place.store, step * 10 + 1, step * 10 + 10);
            if (step == 1)
                cr_assert_eq(store_commit(place.store, first, 2), STORE_OK);
            if (step == 2)
                cr_assert_eq(store_commit(place.store, second, 3), STORE_OK);
            if (step == 3)
                cr_assert_eq(store_commit(place.store, third, 3), STORE_OK);
            if ((folds >> step & 1) != 0)
                cr_assert_eq(step % 2 == 0 ? store_fold(place.store)
                                           : store_fold_begin(place.store),
                             STORE_OK);
        }
        expect_trimmed(place.store);
        cr_assert_eq(store_fold(place.store), STORE_OK);
        expect_trimmed(place.store);
        store_close(&place.store);
        cr_assert_eq(place_open(&place), STORE_OK);
        expect_trimmed(place.store);
        place_deinit(&place);
    }
}

/* The copy must not take in what the original goes on to write. */
Test(store_journal, a_backup_has_a_run_of_its_own) {
    place_t place, restored;
    char copy[128], target[128];
    place_init(&place);
    place_init(&restored);
    cr_assert_eq(place_open(&place), STORE_OK);
    commit_up_to(place.store, 1, 5);
    place_path(&restored, "copy", copy);
    place_path(&restored, "store.mdb", target);
    cr_assert_eq(store_backup(place.store, copy, (span_t){"", 0}), STORE_OK);
    cr_assert_eq(rename(copy, target), 0);
    commit_up_to(place.store, 6, 8);
    buffer_t journal;
    place_read(&place, "store.mdb-journal", &journal);
    place_write(&restored, "store.mdb-journal", journal.bytes, journal.length);
    cr_assert_eq(place_open(&restored), STORE_OK);
    cr_assert_eq(messages_in(restored.store), 5);
    buffer_deinit(&journal);
    place_deinit(&restored);
    place_deinit(&place);
}

/* A commit that fills the journal folds what is in it; one that is longer than it goes beside it.
 */
Test(store_journal, commits_of_every_size_find_their_way) {
    static char text[BODY_BYTES_MAX];
    enum { BATCH = 400 };
    place_t place;
    place_init(&place);
    cr_assert_eq(place_open(&place), STORE_OK);
    memset(text, 'x', sizeof text);
    record_t *batch = calloc(BATCH, sizeof *batch);
    uint64_t position = 0;
    for (size_t round = 0; round < 60; round++) {
        size_t count = round % 9 == 8 ? BATCH : 1 + round * 5 % 90;
        for (size_t i = 0; i < count; i++)
            batch[i] = message_number(++position, text, sizeof text);
        cr_assert_eq(store_commit(place.store, batch, count), STORE_OK);
    }
    free(batch);
    for (int round = 0; round < 2; round++) {
        message_age_t ages[2];
        uint32_t found = 0;
        bool end = false;
        cr_assert_eq(store_oldest(place.store, position - 2, ages, 2, &found, &end), STORE_OK);
        cr_assert(found == 2 && end && ages[1].position == position);
        store_close(&place.store);
        cr_assert_eq(place_open(&place), STORE_OK);
    }
    place_deinit(&place);
}

/* Nothing of a batch with an error stays, and what was committed before it does. */
Test(store_journal, a_refused_batch_leaves_what_is_not_folded) {
    place_t place;
    place_init(&place);
    cr_assert_eq(place_open(&place), STORE_OK);
    commit_up_to(place.store, 1, 9);
    record_t batch[2] = {message_number(10, "halo", 4), message_number(4, "halo", 4)};
    cr_assert_eq(store_commit(place.store, batch, 2), STORE_CORRUPT);
    cr_assert_eq(messages_in(place.store), 9);
    commit_up_to(place.store, 10, 11);
    cr_assert_eq(messages_in(place.store), 11);
    store_close(&place.store);
    cr_assert_eq(place_open(&place), STORE_OK);
    cr_assert_eq(messages_in(place.store), 11);
    place_deinit(&place);
}

/* Readers. */

Test(store_journal, a_reader_takes_in_what_a_killed_process_left) {
    place_t place;
    uint64_t count;
    place_init(&place);
    commit_and_die(&place, 4, 11);
    cr_assert_eq(dump_count(&place, &count), STORE_OK);
    cr_assert_eq(count, 11);
    place_deinit(&place);
}

Test(store_journal, a_reader_waits_for_the_fold) {
    place_t place;
    place_init(&place);
    cr_assert_eq(place_open(&place), STORE_OK);
    commit_up_to(place.store, 1, 6);
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        uint64_t count;
        _exit(dump_count(&place, &count) == STORE_OK ? (int)count : 100);
    }
    int status = 0;
    for (int i = 0; i < 20; i++) {
        const struct timespec moment = {.tv_nsec = 10 * 1000 * 1000};
        (void)nanosleep(&moment, NULL);
        cr_assert_eq(waitpid(child, &status, WNOHANG), 0, "it did not wait");
    }
    commit_up_to(place.store, 7, 7);
    cr_assert_eq(store_fold(place.store), STORE_OK);
    commit_up_to(place.store, 8, 8);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7, "status %d", status);
    place_deinit(&place);
}
