/* links: base */
/*
 * The cryptography gives the values of the published vectors and opens only what was sealed.
 */
#include "base/crypto.h"
#include "base/random.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static void counting(uint8_t *bytes, size_t length, uint8_t first) {
    for (size_t i = 0; i < length; i++) {
        bytes[i] = (uint8_t)(first + i);
    }
}

static bool is_hex(const uint8_t *bytes, size_t length, const char *hex) {
    char digits[3];
    for (size_t i = 0; i < length; i++) {
        (void)snprintf(digits, sizeof(digits), "%02x", bytes[i]);
        if (memcmp(digits, hex + 2 * i, 2) != 0) {
            return false;
        }
    }
    return strlen(hex) == 2 * length;
}

TestSuite(crypto, .init = random_start);

Test(crypto, digests_as_keyed_blake2b_256) {
    uint8_t key[KEY_BYTES];
    uint8_t digest[DIGEST_BYTES];
    counting(key, sizeof(key), 0);
    crypto_digest(digest, key, "abc", 3);
    cr_assert(is_hex(digest, sizeof(digest),
                     "d63a32d3e44738d7907f964316c241adaba0abfeabc32349677578a15a203f7f"));
    crypto_digest(digest, key, NULL, 0);
    cr_assert(is_hex(digest, sizeof(digest),
                     "4e51e7a913fc80137da52880fecca175bf81e117d5c68126dc2774033517ea0d"));
}

Test(crypto, compares_bytes) {
    cr_assert(crypto_equal("abc", "abc", 3));
    cr_assert(crypto_equal("abc", "abd", 2));
    cr_assert_not(crypto_equal("abc", "abd", 3));
}

/* draft-irtf-cfrg-xchacha-03, appendix A.3.1 */
Test(crypto, seals_as_xchacha20_poly1305) {
    static const char text[] = "Ladies and Gentlemen of the class of '99: If I could offer you "
                               "only one tip for the future, sunscreen would be it.";
    static const char sealed_hex[] =
        "404142434445464748494a4b4c4d4e4f5051525354555657"
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
        "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
        "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
        "21f9664c97637da9768812f615c68b13b52e"
        "c0875924c1c7987947deafd8780acf49";
    static const uint8_t context[] = {0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1,
                                      0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7};
    uint8_t key[KEY_BYTES];
    uint8_t nonce[SEAL_NONCE_BYTES];
    uint8_t sealed[sizeof(text) - 1 + SEAL_OVERHEAD_BYTES];
    uint8_t opened[sizeof(text) - 1];
    counting(key, sizeof(key), 0x80);
    counting(nonce, sizeof(nonce), 0x40);
    crypto_seal(sealed, key, nonce, text, sizeof(text) - 1, context, sizeof(context));
    cr_assert(is_hex(sealed, sizeof(sealed), sealed_hex));
    cr_assert(crypto_open(opened, key, sealed, sizeof(sealed), context, sizeof(context)));
    cr_assert_arr_eq(opened, text, sizeof(opened));
}

Test(crypto, opens_nothing_that_was_touched) {
    uint8_t key[KEY_BYTES];
    uint8_t nonce[SEAL_NONCE_BYTES];
    uint8_t sealed[4 + SEAL_OVERHEAD_BYTES];
    uint8_t opened[4];
    const uint8_t zeros[4] = {0};
    random_bytes(key, sizeof(key));
    random_bytes(nonce, sizeof(nonce));
    crypto_seal(sealed, key, nonce, "halo", 4, "a->b", 4);
    for (size_t bit = 0; bit < sizeof(sealed) * 8; bit++) {
        memset(opened, 0xFF, sizeof(opened));
        sealed[bit / 8] ^= (uint8_t)(1U << bit % 8);
        cr_assert_not(crypto_open(opened, key, sealed, sizeof(sealed), "a->b", 4));
        cr_assert_arr_eq(opened, zeros, sizeof(opened));
        sealed[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t length = 0; length < sizeof(sealed); length++) {
        cr_assert_not(crypto_open(opened, key, sealed, length, "a->b", 4));
    }
    cr_assert_not(crypto_open(opened, key, sealed, sizeof(sealed), "a->c", 4));
    cr_assert_not(crypto_open(opened, key, sealed, sizeof(sealed), "a->b", 3));
    key[0] ^= 1;
    cr_assert_not(crypto_open(opened, key, sealed, sizeof(sealed), "a->b", 4));
    key[0] ^= 1;
    cr_assert(crypto_open(opened, key, sealed, sizeof(sealed), "a->b", 4));
}

Test(crypto, seals_nothing_as_overhead_only) {
    uint8_t key[KEY_BYTES] = {1};
    uint8_t nonce[SEAL_NONCE_BYTES] = {2};
    uint8_t sealed[SEAL_OVERHEAD_BYTES];
    uint8_t opened[1];
    crypto_seal(sealed, key, nonce, NULL, 0, NULL, 0);
    cr_assert(crypto_open(opened, key, sealed, sizeof(sealed), NULL, 0));
}

Test(crypto, writes_and_reads_keys_as_text) {
    uint8_t key[KEY_BYTES];
    uint8_t again[KEY_BYTES];
    char text[KEY_TEXT_BYTES + 1];
    counting(key, sizeof(key), 0);
    crypto_key_text(text, key);
    cr_assert_str_eq(text, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
    memset(key, 0xFF, sizeof(key));
    crypto_key_text(text, key);
    cr_assert_str_eq(text, "__________________________________________8");
    for (int i = 0; i < 1000; i++) {
        random_bytes(key, sizeof(key));
        crypto_key_text(text, key);
        cr_assert(crypto_key_parse(again, text, strlen(text)));
        cr_assert_arr_eq(key, again, sizeof(key));
    }
}

Test(crypto, reads_no_key_from_any_other_text) {
    static const char *const wrong[] = {
        "",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh",   /* 42 */
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8A", /* 44 */
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", /* padded */
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9",  /* left-over bits */
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdH+8",  /* the other alphabet */
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh ",  /* a space */
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdH==",
    };
    uint8_t key[KEY_BYTES];
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_assert_not(crypto_key_parse(key, wrong[i], strlen(wrong[i])), "%s", wrong[i]);
    }
    char text[KEY_TEXT_BYTES + 1];
    memset(text, 'A', sizeof(text));
    text[20] = '\0';
    cr_assert_not(crypto_key_parse(key, text, KEY_TEXT_BYTES), "NUL inside");
    for (int byte = 0x80; byte <= 0xFF; byte++) {
        text[20] = (char)byte;
        cr_assert_not(crypto_key_parse(key, text, KEY_TEXT_BYTES), "byte %x inside", byte);
    }
}

Test(crypto, wipes) {
    uint8_t secret[16];
    const uint8_t zeros[16] = {0};
    memset(secret, 0x77, sizeof(secret));
    crypto_wipe(secret, sizeof(secret));
    cr_assert_arr_eq(secret, zeros, sizeof(secret));
}

Test(random, differs_each_time) {
    uint8_t a[32];
    uint8_t b[32];
    random_start();
    random_bytes(a, sizeof(a));
    random_bytes(b, sizeof(b));
    cr_assert_not(crypto_equal(a, b, sizeof(a)));
}
