/*
 * The realm's long-term CURVE key pair, kept in realm.key (0600) in the data directory: two lines,
 * "public KEY" and "secret KEY", keys in unpadded base64url.
 */
#ifndef REALMGATE_APP_KEYS_H
#define REALMGATE_APP_KEYS_H

#include "app/data_dir.h"

#include <stdint.h>

typedef struct keys {
    uint8_t public_key[KEY_BYTES];
    uint8_t secret_key[KEY_BYTES];
} keys_t;

/* Reads the key pair. *missing if there is no file (and EXIT_RUNTIME). EXIT_RUNTIME and a sentence
 * if others than the owner may read the file, or if it is damaged: a wrong format, or a public key
 * that is not the secret key's. */
exit_code_t keys_read(keys_t *keys, const data_dir_t *dir, bool *missing, problem_t *problem);

/* Reads the key pair. Where there is none, takes it from the store, if that is a restored backup
 * which carries it, or else makes one; and writes it. Needs the lock; random_start came before. */
exit_code_t keys_open(keys_t *keys, const data_dir_t *dir, problem_t *problem);

/* A key pair as its file has it; for the note of a backup. The caller wipes it. */
#define KEYS_TEXT_BYTES (2 * (7 + KEY_TEXT_BYTES + 1))
void keys_text(char text[KEYS_TEXT_BYTES + 1], const keys_t *keys);

/* Overwrites the secret in memory. */
void keys_wipe(keys_t *keys);

#endif
