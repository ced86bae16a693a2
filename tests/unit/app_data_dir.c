/* links: base wire core store net app */
/*
 * The data directory: one process, one realm, one key pair.
 */
#include "app/keys.h"
#include "base/crypto.h"
#include "base/random.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];

static void setup(void) {
    random_start();
    (void)snprintf(directory, sizeof directory, "/tmp/realmgate-unit-XXXXXX");
    cr_assert_not_null(mkdtemp(directory));
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *walk) {
    (void)status;
    (void)flag;
    (void)walk;
    return remove(path);
}

static void teardown(void) {
    (void)nftw(directory, remove_one, 4, FTW_DEPTH | FTW_PHYS);
}

TestSuite(data_dir, .init = setup, .fini = teardown);

static data_dir_t opened(void) {
    data_dir_t dir;
    problem_t problem;
    cr_assert_eq(data_dir_open(&dir, directory, true, &problem), EXIT_CLEAN);
    return dir;
}

static name_t name_of(const char *text) {
    name_t name = {0};
    cr_assert(name_parse(&name, span_of(text)));
    return name;
}

Test(data_dir, is_made_private) {
    char path[128];
    data_dir_t dir;
    problem_t problem;
    struct stat status;
    (void)snprintf(path, sizeof path, "%s/new", directory);
    cr_assert_eq(data_dir_open(&dir, path, false, &problem), EXIT_USAGE);
    cr_assert(strstr(problem.text, path) != NULL);
    cr_assert_eq(data_dir_open(&dir, path, true, &problem), EXIT_CLEAN);
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_eq(status.st_mode & 0777, 0700);
    data_dir_close(&dir);
}

Test(data_dir, lock_is_one_holders) {
    data_dir_t first = opened();
    data_dir_t second = opened();
    problem_t problem;
    cr_assert_eq(data_dir_lock(&first, &problem), LOCK_TAKEN);
    cr_assert_eq(data_dir_lock(&second, &problem), LOCK_HELD);
    data_dir_close(&first);
    cr_assert_eq(data_dir_lock(&second, &problem), LOCK_TAKEN);
    data_dir_close(&second);
}

Test(data_dir, name_is_kept) {
    data_dir_t dir = opened();
    problem_t problem;
    name_t none = {0};
    name_t a = name_of("a");
    name_t b = name_of("b");
    name_t found;
    cr_assert_eq(data_dir_name(&dir, &none, &found, &problem), EXIT_USAGE);
    cr_assert_eq(data_dir_name(&dir, &a, &found, &problem), EXIT_CLEAN);
    cr_assert_eq(data_dir_name(&dir, &none, &found, &problem), EXIT_CLEAN);
    cr_assert(name_equal(&found, &a));
    cr_assert_eq(data_dir_name(&dir, &b, &found, &problem), EXIT_USAGE);
    cr_assert(data_dir_write(&dir, "realm.name", "?\n", 2, &problem));
    cr_assert_eq(data_dir_name(&dir, &a, &found, &problem), EXIT_RUNTIME);
    data_dir_close(&dir);
}

Test(data_dir, keys_are_made_once) {
    data_dir_t dir = opened();
    problem_t problem;
    keys_t made;
    keys_t again;
    struct stat status;
    bool missing;
    cr_assert_eq(keys_read(&made, &dir, &missing, &problem), EXIT_RUNTIME);
    cr_assert(missing);
    cr_assert_eq(keys_open(&made, &dir, &problem), EXIT_CLEAN, "%s", problem.text);
    cr_assert_eq(keys_open(&again, &dir, &problem), EXIT_CLEAN, "%s", problem.text);
    cr_assert_arr_eq(&made, &again, sizeof made);
    cr_assert_eq(fstatat(dir.directory, "realm.key", &status, 0), 0);
    cr_assert_eq(status.st_mode & 0777, 0600);
    cr_assert_eq(faccessat(dir.directory, "realm.key.new", F_OK, 0), -1);
    data_dir_close(&dir);
}

Test(data_dir, wide_key_file_is_refused) {
    data_dir_t dir = opened();
    problem_t problem;
    keys_t keys;
    bool missing;
    cr_assert_eq(keys_open(&keys, &dir, &problem), EXIT_CLEAN);
    cr_assert_eq(fchmodat(dir.directory, "realm.key", 0640, 0), 0);
    cr_assert_eq(keys_read(&keys, &dir, &missing, &problem), EXIT_RUNTIME);
    cr_assert_not(missing);
    cr_assert(strstr(problem.text, "0640") != NULL, "%s", problem.text);
    data_dir_close(&dir);
}

/* Any damage is seen, and never answered by making another key. */
Test(data_dir, damaged_key_file_is_refused) {
    data_dir_t dir = opened();
    problem_t problem;
    keys_t keys;
    char bytes[256];
    size_t length = 0;
    bool missing;
    cr_assert_eq(keys_open(&keys, &dir, &problem), EXIT_CLEAN);
    cr_assert(data_dir_read(&dir, "realm.key", bytes, sizeof bytes, &length, &missing, &problem));
    for (size_t i = 0; i < length; i++) {
        char damaged[256];
        memcpy(damaged, bytes, length);
        damaged[i] = damaged[i] == 'A' ? 'B' : 'A';
        cr_assert(data_dir_write(&dir, "realm.key", damaged, length, &problem));
        if (keys_open(&keys, &dir, &problem) == EXIT_CLEAN) {
            /* Curve25519 ignores some bits of a secret key: still the same pair. */
            cr_assert_geq(i, length / 2 + 7, "byte %zu", i);
        }
    }
    for (size_t cut = 0; cut < length; cut++) {
        cr_assert(data_dir_write(&dir, "realm.key", bytes, cut, &problem));
        cr_assert_eq(keys_open(&keys, &dir, &problem), EXIT_RUNTIME);
    }
    data_dir_close(&dir);
}
