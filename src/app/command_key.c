/*
 * realmgate key: the realm's public key. Must never print the secret one.
 */
#include "app/commands.h"

#include "app/keys.h"
#include "base/crypto.h"
#include "base/random.h"

#include <stdio.h>

static exit_code_t key_get(data_dir_t *dir, keys_t *keys, problem_t *problem) {
    bool missing;
    exit_code_t code = keys_read(keys, dir, &missing, problem);
    if (!missing) {
        return code;
    }
    /* Only to make a key is the lock needed; a running realm has one. */
    if (data_dir_lock(dir, problem) != LOCK_TAKEN) {
        return EXIT_RUNTIME;
    }
    return keys_open(keys, dir, problem);
}

static exit_code_t key_print(const command_options_t *options, problem_t *problem) {
    data_dir_t dir;
    keys_t keys;
    random_start();
    exit_code_t code = data_dir_open(&dir, options->data, true, problem);
    if (code == EXIT_CLEAN) {
        code = key_get(&dir, &keys, problem);
    }
    if (code == EXIT_CLEAN) {
        char text[KEY_TEXT_BYTES + 1];
        crypto_key_text(text, keys.public_key);
        (void)printf("%s\n", text);
        keys_wipe(&keys);
    }
    data_dir_close(&dir);
    return code;
}

exit_code_t command_key(int argc, char **argv) {
    return subcommand_one("key", 0, argc, argv, key_print);
}
