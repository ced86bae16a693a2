/*
 * Directories that stores are made in, and lost.
 */
#include "store_place.h"

#include "store/lmdb.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const name_t realm = {.length = 1, .text = "a"};

void place_path(const place_t *place, const char *name, char path[128]) {
    (void)snprintf(path, 128, "%s/%s", place->directory, name);
}

store_error_t place_open(place_t *place) {
    return store_lmdb_open(&place->store, place->directory, &realm);
}

void place_init(place_t *place) {
    (void)snprintf(place->directory, sizeof place->directory, "/tmp/realmgate-store-XXXXXX");
    cr_assert_not_null(mkdtemp(place->directory));
    place->store = NULL;
}

void place_deinit(place_t *place) {
    static const char *const names[] = {"store.mdb", "store.mdb-lock", "store.mdb-journal",
                                        "store.mdb-journal2", "backup.mdb"};
    char path[128];
    store_close(&place->store);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        place_path(place, names[i], path);
        (void)unlink(path);
    }
    cr_assert_eq(rmdir(place->directory), 0, "something was left in %s", place->directory);
}

record_t message_number(uint64_t number, const char *text, size_t length) {
    record_t record;
    memset(&record, 0, sizeof record);
    record.kind = RECORD_MESSAGE;
    record.message = (message_t){.position = number,
                                 .mailbox = 1,
                                 .seq = (uint32_t)number,
                                 .previous = number - 1,
                                 .time_ms = 1,
                                 .number = number,
                                 .from = {"alice", 5},
                                 .to = {"bob", 3},
                                 .text = {text, length}};
    return record;
}

void commit_up_to(store_t *store, uint64_t from, uint64_t last) {
    for (uint64_t number = from; number <= last; number++) {
        record_t record = message_number(number, "halo", 4);
        cr_assert_eq(store_commit(store, &record, 1), STORE_OK);
    }
}

static bool count_message(void *context, const record_t *record) {
    uint64_t *count = context;
    if (record->kind != RECORD_MESSAGE)
        return true;
    *count += 1;
    return record->message.position == *count && record->message.text.length == 4;
}

uint64_t messages_in(store_t *store) {
    uint64_t count = 0;
    cr_assert_eq(store_load(store, count_message, &count), STORE_OK);
    return count;
}

void commit_and_die(place_t *place, uint64_t folded, uint64_t last) {
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        if (place_open(place) != STORE_OK)
            _exit(1);
        commit_up_to(place->store, 1, folded);
        if (folded > 0 && store_fold(place->store) != STORE_OK)
            _exit(2);
        commit_up_to(place->store, folded + 1, last);
        _exit(0);
    }
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d", status);
}

void place_read(const place_t *place, const char *name, buffer_t *bytes) {
    char path[128];
    struct stat status;
    place_path(place, name, path);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(file >= 0 && fstat(file, &status) == 0);
    buffer_init(bytes);
    size_t length = (size_t)status.st_size;
    cr_assert_eq(read(file, buffer_reserve(bytes, length), length), (ssize_t)length);
    bytes->length = length;
    (void)close(file);
}

void place_write(const place_t *place, const char *name, const void *bytes, size_t length) {
    char path[128];
    place_path(place, name, path);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert_geq(file, 0);
    cr_assert_eq(write(file, bytes, length), (ssize_t)length);
    (void)close(file);
}

static bool count_dumped(void *context, const record_t *record) {
    *(uint64_t *)context += record->kind == RECORD_MESSAGE ? 1 : 0;
    return true;
}

store_error_t dump_count(const place_t *place, uint64_t *count) {
    store_t *store;
    name_t name;
    *count = 0;
    store_error_t error = store_lmdb_open_reader(&store, place->directory, &name);
    if (error == STORE_OK)
        error = store_dump(store, count_dumped, count);
    store_close(&store);
    return error;
}
