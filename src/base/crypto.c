/*
 * The pure functions of cryptography over libsodium. Must never take randomness or time: the core
 * runs the same in every replay.
 */
#include "base/crypto.h"

#include "base/assert.h"

#include <sodium.h>
#include <string.h>

_Static_assert(KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "seal key");
_Static_assert(SEAL_NONCE_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "seal nonce");
_Static_assert(SEAL_TAG_BYTES == crypto_aead_xchacha20poly1305_ietf_ABYTES, "seal tag");

void crypto_digest(uint8_t out[DIGEST_BYTES], const uint8_t key[KEY_BYTES], const void *bytes,
                   size_t length) {
    int failed = crypto_generichash(out, DIGEST_BYTES, bytes, length, key, KEY_BYTES);
    ASSERT(failed == 0);
}

bool crypto_equal(const void *a, const void *b, size_t length) {
    return sodium_memcmp(a, b, length) == 0;
}

void crypto_seal(uint8_t *out, const uint8_t key[KEY_BYTES], const uint8_t nonce[SEAL_NONCE_BYTES],
                 const void *text, size_t length, const void *context, size_t context_length) {
    unsigned long long sealed_length = 0;
    memmove(out, nonce, SEAL_NONCE_BYTES);
    int failed =
        crypto_aead_xchacha20poly1305_ietf_encrypt(out + SEAL_NONCE_BYTES, &sealed_length, text,
                                                   length, context, context_length, NULL, out, key);
    ASSERT(failed == 0);
    ASSERT(sealed_length == length + SEAL_TAG_BYTES);
}

bool crypto_open(uint8_t *out, const uint8_t key[KEY_BYTES], const void *sealed, size_t length,
                 const void *context, size_t context_length) {
    if (length < SEAL_OVERHEAD_BYTES) {
        return false;
    }
    const uint8_t *nonce = sealed;
    size_t text_length = length - SEAL_OVERHEAD_BYTES;
    unsigned long long opened_length = 0;
    int failed = crypto_aead_xchacha20poly1305_ietf_decrypt(
        out, &opened_length, NULL, nonce + SEAL_NONCE_BYTES, length - SEAL_NONCE_BYTES, context,
        context_length, nonce, key);
    if (failed != 0) {
        sodium_memzero(out, text_length);
        return false;
    }
    ASSERT(opened_length == text_length);
    return true;
}

void crypto_key_text(char text[KEY_TEXT_BYTES + 1], const uint8_t key[KEY_BYTES]) {
    (void)sodium_bin2base64(text, KEY_TEXT_BYTES + 1, key, KEY_BYTES,
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

bool crypto_key_parse(uint8_t key[KEY_BYTES], const char *text, size_t length) {
    size_t key_length = 0;
    char again[KEY_TEXT_BYTES + 1];
    if (length != KEY_TEXT_BYTES) {
        return false;
    }
    int failed = sodium_base642bin(key, KEY_BYTES, text, length, NULL, &key_length, NULL,
                                   sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    if (failed != 0 || key_length != KEY_BYTES) {
        return false;
    }
    /* libsodium takes some bytes above 0x7F for letters; there is to be one text for each key. */
    crypto_key_text(again, key);
    bool same = crypto_equal(again, text, KEY_TEXT_BYTES);
    sodium_memzero(again, sizeof again);
    return same;
}

void crypto_wipe(void *memory, size_t length) {
    sodium_memzero(memory, length);
}
