/*
 * The pure part of cryptography: functions of their arguments only (libsodium underneath), so that
 * the core may use them. Fresh randomness is in base/random.h, which the core may not use.
 */
#ifndef REALMGATE_BASE_CRYPTO_H
#define REALMGATE_BASE_CRYPTO_H

#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* BLAKE2b-256 (RFC 7693) of a message under a key. */
void crypto_digest(uint8_t out[DIGEST_BYTES], const uint8_t key[KEY_BYTES], const void *bytes,
                   size_t length);

/* Same time whatever the bytes are. */
bool crypto_equal(const void *a, const void *b, size_t length);

/* XChaCha20-Poly1305: writes nonce ‖ ciphertext ‖ tag (length + SEAL_OVERHEAD_BYTES bytes) to
 * `out`. A nonce must never be used twice with one key. `context` is the associated data. */
void crypto_seal(uint8_t *out, const uint8_t key[KEY_BYTES], const uint8_t nonce[SEAL_NONCE_BYTES],
                 const void *text, size_t length, const void *context, size_t context_length);

/* Opens what crypto_seal made: writes length - SEAL_OVERHEAD_BYTES bytes to `out`. Returns false
 * (and leaves `out` zeroed) if it is too short or was not sealed with this key and context. */
bool crypto_open(uint8_t *out, const uint8_t key[KEY_BYTES], const void *sealed, size_t length,
                 const void *context, size_t context_length);

/* Unpadded base64url (RFC 4648, section 5). `text` gets KEY_TEXT_BYTES characters and a NUL. */
void crypto_key_text(char text[KEY_TEXT_BYTES + 1], const uint8_t key[KEY_BYTES]);

/* Reads exactly KEY_TEXT_BYTES characters of unpadded base64url; false if they are not a key in
 * its one canonical form. */
bool crypto_key_parse(uint8_t key[KEY_BYTES], const char *text, size_t length);

/* Overwrites a secret so that the compiler cannot leave it out. */
void crypto_wipe(void *memory, size_t length);

#endif
