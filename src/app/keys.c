/*
 * The realm's key pair on disk. Must never show the secret key, nor replace a key file that is
 * there: a realm that loses its key is a stranger to its peers.
 */
#include "app/keys.h"

#include "base/crypto.h"
#include "base/text.h"
#include "store/lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FILE    "realm.key"
#define PUBLIC_WORD "public "
#define SECRET_WORD "secret "

/* Two lines of a seven byte word, the key and a line feed. */
enum { WORD_BYTES = 7, KEY_LINE_BYTES = WORD_BYTES + KEY_TEXT_BYTES + 1 };
enum { KEY_FILE_BYTES = 2 * KEY_LINE_BYTES };

_Static_assert(KEY_FILE_BYTES == KEYS_TEXT_BYTES && KEYS_TEXT_BYTES <= STORE_NOTE_BYTES_MAX,
               "a backup's note has room for the key pair");
_Static_assert(crypto_scalarmult_curve25519_BYTES == KEY_BYTES, "CURVE keys are Curve25519");

static bool line_parse(uint8_t key[KEY_BYTES], const char *line, const char *word) {
    return memcmp(line, word, WORD_BYTES) == 0 && line[KEY_LINE_BYTES - 1] == '\n' &&
           crypto_key_parse(key, line + WORD_BYTES, KEY_TEXT_BYTES);
}

static bool keys_parse(keys_t *keys, const char *bytes, size_t length) {
    uint8_t derived[KEY_BYTES];
    return length == KEY_FILE_BYTES && line_parse(keys->public_key, bytes, PUBLIC_WORD) &&
           line_parse(keys->secret_key, bytes + KEY_LINE_BYTES, SECRET_WORD) &&
           crypto_scalarmult_curve25519_base(derived, keys->secret_key) == 0 &&
           crypto_equal(derived, keys->public_key, KEY_BYTES);
}

/* Refuses a file that others could have read or changed. */
static bool permissions_good(const data_dir_t *dir, problem_t *problem) {
    struct stat status;
    if (fstatat(dir->directory, KEY_FILE, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        problem_set(problem, "cannot look at %s/" KEY_FILE ": %s", dir->path, strerror(errno));
        return false;
    }
    if (!S_ISREG(status.st_mode)) {
        problem_set(problem, "%s/" KEY_FILE " is not a plain file", dir->path);
        return false;
    }
    if ((status.st_mode & 077) != 0) {
        problem_set(problem,
                    "%s/" KEY_FILE " is open to other users (mode %04o): make it private with "
                    "chmod 600, or replace the key if it may have been read",
                    dir->path, (unsigned)(status.st_mode & 07777));
        return false;
    }
    return true;
}

exit_code_t keys_read(keys_t *keys, const data_dir_t *dir, bool *missing, problem_t *problem) {
    char bytes[KEY_FILE_BYTES];
    size_t length = 0;
    if (!data_dir_read(dir, KEY_FILE, bytes, sizeof bytes, &length, missing, problem)) {
        return EXIT_RUNTIME;
    }
    bool read = permissions_good(dir, problem);
    if (read && !keys_parse(keys, bytes, length)) {
        problem_set(problem, "%s/" KEY_FILE " is damaged: restore it from a backup", dir->path);
        read = false;
    }
    crypto_wipe(bytes, sizeof bytes);
    if (!read) {
        keys_wipe(keys);
    }
    return read ? EXIT_CLEAN : EXIT_RUNTIME;
}

void keys_text(char text[KEYS_TEXT_BYTES + 1], const keys_t *keys) {
    char public_text[KEY_TEXT_BYTES + 1];
    char secret_text[KEY_TEXT_BYTES + 1];
    crypto_key_text(public_text, keys->public_key);
    crypto_key_text(secret_text, keys->secret_key);
    (void)snprintf(text, KEYS_TEXT_BYTES + 1, PUBLIC_WORD "%s\n" SECRET_WORD "%s\n", public_text,
                   secret_text);
    crypto_wipe(secret_text, sizeof secret_text);
}

static exit_code_t keys_write(const keys_t *keys, const data_dir_t *dir, problem_t *problem) {
    char bytes[KEYS_TEXT_BYTES + 1];
    keys_text(bytes, keys);
    bool written = data_dir_write(dir, KEY_FILE, bytes, KEY_FILE_BYTES, problem);
    crypto_wipe(bytes, sizeof bytes);
    return written ? EXIT_CLEAN : EXIT_RUNTIME;
}

/* Whether there is a store which was restored from a backup, with the key pair in it. What else may
 * be wrong with the store is for those to say who need it. */
static bool keys_recall(keys_t *keys, const data_dir_t *dir) {
    store_t *store;
    name_t realm;
    char note[STORE_NOTE_BYTES_MAX];
    size_t length = 0;
    if (faccessat(dir->directory, "store.mdb", F_OK, 0) != 0 ||
        store_lmdb_open_reader(&store, dir->path, &realm) != STORE_OK) {
        return false;
    }
    bool recalled = store_note(store, note, &length) == STORE_OK && keys_parse(keys, note, length);
    crypto_wipe(note, sizeof note);
    store_close(&store);
    return recalled;
}

static exit_code_t keys_make(keys_t *keys, const data_dir_t *dir, problem_t *problem) {
    if (!keys_recall(keys, dir) && crypto_box_keypair(keys->public_key, keys->secret_key) != 0) {
        problem_set(problem, "cannot make a key pair");
        return EXIT_RUNTIME;
    }
    return keys_write(keys, dir, problem);
}

exit_code_t keys_open(keys_t *keys, const data_dir_t *dir, problem_t *problem) {
    bool missing;
    exit_code_t code = keys_read(keys, dir, &missing, problem);
    if (missing) {
        problem->text[0] = '\0';
        code = keys_make(keys, dir, problem);
    }
    return code;
}

void keys_wipe(keys_t *keys) {
    crypto_wipe(keys, sizeof *keys);
}
