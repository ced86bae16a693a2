/*
 * Argon2id hashes as text, in the PHC string format, as libsodium's crypto_pwhash_str, the `argon2`
 * tool and most other programs write them.
 */
#ifndef REALMGATE_BASE_PHC_H
#define REALMGATE_BASE_PHC_H

#include "types/record.h"

#include <stdbool.h>

/* "$argon2id$v=19$m=1048576,t=16,p=1$" and 22 and 43 characters of base64 with a "$" between. */
#define PHC_BYTES_MAX 128

/* Reads "$argon2id$v=19$m=KIB,t=PASSES,p=1$SALT$HASH", salt and hash in unpadded base64. False if
 * it is anything else, if salt and hash have not SALT_BYTES and KEY_BYTES bytes, or if it costs
 * more than PASSWORD_HASH_MEMORY_MAX bytes or PASSWORD_HASH_PASSES_MAX passes to verify. */
bool phc_parse(password_hash_t *hash, span_t text);

#endif
