/*
 * realmgate backup, realmgate restore: the store, with the key pair, as one file; and back into an
 * empty data directory. Must never write over a store that is there.
 */
#include "app/commands.h"
#include "app/data_dir.h"
#include "app/keys.h"
#include "base/crypto.h"
#include "base/random.h"
#include "store/lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE_FILE   "store.mdb"
#define PARTIAL_FILE STORE_FILE ".partial"

/* The key pair goes along: a realm with another key is a stranger to its peers. */
static exit_code_t backup_note(char note[KEYS_TEXT_BYTES + 1], const data_dir_t *dir,
                               problem_t *problem) {
    bool missing;
    keys_t keys;
    exit_code_t code = keys_read(&keys, dir, &missing, problem);
    if (code == EXIT_CLEAN) {
        keys_text(note, &keys);
    }
    keys_wipe(&keys);
    return code;
}

static exit_code_t backup_write(const data_dir_t *dir, const char *file, span_t note,
                                problem_t *problem) {
    store_t *store;
    name_t realm;
    struct stat written;
    store_error_t error = store_lmdb_open_reader(&store, dir->path, &realm);
    if (error == STORE_OK) {
        error = store_backup(store, file, note);
    }
    store_close(&store);
    if (error != STORE_OK) {
        problem_set(problem, "cannot back up %s into %s: %s", dir->path, file,
                    store_error_text(error));
        return EXIT_RUNTIME;
    }
    intmax_t bytes = stat(file, &written) == 0 ? (intmax_t)written.st_size : 0;
    (void)printf("realm %s: %s, %" PRIdMAX " bytes\n", realm.text, file, bytes);
    return EXIT_CLEAN;
}

static exit_code_t backup(const command_options_t *options, problem_t *problem) {
    const char *file = options->arguments[0];
    char note[KEYS_TEXT_BYTES + 1];
    data_dir_t dir;
    if (access(file, F_OK) == 0) {
        problem_set(problem, "%s is there already", file);
        return EXIT_USAGE;
    }
    exit_code_t code = data_dir_open(&dir, options->data, false, problem);
    if (code == EXIT_CLEAN) {
        code = backup_note(note, &dir, problem);
    }
    if (code == EXIT_CLEAN) {
        code = backup_write(&dir, file, (span_t){note, KEYS_TEXT_BYTES}, problem);
        crypto_wipe(note, sizeof note);
    }
    data_dir_close(&dir);
    return code;
}

/* Copies all of `from` and syncs it; errno says why it could not. */
static bool copy_whole(int from, int to) {
    char bytes[64 * 1024];
    ssize_t got;
    while ((got = read(from, bytes, sizeof bytes)) > 0) {
        for (ssize_t put = 0; put < got;) {
            ssize_t wrote = write(to, bytes + put, (size_t)(got - put));
            if (wrote < 0 && errno != EINTR) {
                return false;
            }
            put += wrote > 0 ? wrote : 0;
        }
    }
    return got == 0 && fsync(to) == 0;
}

static exit_code_t restore_copy(const data_dir_t *dir, const char *file, problem_t *problem) {
    int from = open(file, O_RDONLY | O_CLOEXEC);
    if (from < 0) {
        problem_set(problem, "cannot open %s: %s", file, strerror(errno));
        return EXIT_USAGE;
    }
    int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
    int to = openat(dir->directory, PARTIAL_FILE, flags, 0600);
    bool done = to >= 0 && copy_whole(from, to);
    int error = errno;
    if (to >= 0 && close(to) != 0 && done) {
        done = false;
        error = errno;
    }
    (void)close(from);
    if (done && renameat(dir->directory, PARTIAL_FILE, dir->directory, STORE_FILE) == 0 &&
        fsync(dir->directory) == 0) {
        return EXIT_CLEAN;
    }
    problem_set(problem, "cannot write %s/" STORE_FILE ": %s", dir->path,
                strerror(done ? errno : error));
    (void)unlinkat(dir->directory, PARTIAL_FILE, 0);
    return EXIT_RUNTIME;
}

/* Whose store it is; a file that is no backup is taken away again. */
static exit_code_t restore_check(const data_dir_t *dir, const char *file, name_t *realm,
                                 problem_t *problem) {
    store_t *store;
    store_error_t error = store_lmdb_open_reader(&store, dir->path, realm);
    store_close(&store);
    if (error == STORE_OK) {
        return EXIT_CLEAN;
    }
    problem_set(problem, "%s is no backup that can be restored: %s", file, store_error_text(error));
    (void)unlinkat(dir->directory, STORE_FILE, 0);
    return EXIT_RUNTIME;
}

static exit_code_t restore_into(data_dir_t *dir, const char *file, problem_t *problem) {
    name_t realm;
    name_t named;
    keys_t keys;
    if (data_dir_lock(dir, problem) != LOCK_TAKEN) {
        return EXIT_RUNTIME;
    }
    if (faccessat(dir->directory, STORE_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        problem_set(problem, "%s holds a store already: restore into an empty directory",
                    dir->path);
        return EXIT_USAGE;
    }
    exit_code_t code = restore_copy(dir, file, problem);
    if (code == EXIT_CLEAN) {
        code = restore_check(dir, file, &realm, problem);
    }
    if (code == EXIT_CLEAN) {
        code = data_dir_name(dir, &realm, &named, problem);
    }
    if (code == EXIT_CLEAN) {
        code = keys_open(&keys, dir, problem);
    }
    if (code == EXIT_CLEAN) {
        keys_wipe(&keys);
        (void)printf("realm %s restored into %s\n", realm.text, dir->path);
    }
    return code;
}

static exit_code_t restore(const command_options_t *options, problem_t *problem) {
    data_dir_t dir;
    random_start();
    exit_code_t code = data_dir_open(&dir, options->data, true, problem);
    if (code == EXIT_CLEAN) {
        code = restore_into(&dir, options->arguments[0], problem);
    }
    data_dir_close(&dir);
    return code;
}

exit_code_t command_backup(int argc, char **argv) {
    return subcommand_one("backup", 1, argc, argv, backup);
}

exit_code_t command_restore(int argc, char **argv) {
    return subcommand_one("restore", 1, argc, argv, restore);
}
