/* links: base */
/*
 * Argon2id hashes as text: what other programs write is read, everything else refused.
 */
#include "base/phc.h"

#include "base/text.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

/* echo -n rahasia | argon2 somesaltsomesalt -id -t 2 -k 19456 -p 1 -l 32 -e */
#define VECTOR                                                                                     \
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA"                                        \
    "$0+DK/8l3KDoD25wXji2rnKpm4h5X4DmOR4IdI+oR/+Y"

static bool verifies(const password_hash_t *hash, const char *password) {
    uint8_t computed[KEY_BYTES];
    cr_assert_eq(crypto_pwhash(computed, sizeof computed, password, strlen(password), hash->salt,
                               hash->passes, hash->memory_bytes, crypto_pwhash_ALG_ARGON2ID13),
                 0);
    return memcmp(computed, hash->hash, sizeof computed) == 0;
}

Test(base_phc, what_the_argon2_tool_writes) {
    password_hash_t hash;
    cr_assert(sodium_init() >= 0);
    cr_assert(phc_parse(&hash, span_of(VECTOR)));
    cr_assert_eq(hash.passes, 2);
    cr_assert_eq(hash.memory_bytes, 19456 * 1024);
    cr_assert(memcmp(hash.salt, "somesaltsomesalt", SALT_BYTES) == 0);
    cr_assert(verifies(&hash, "rahasia"));
    cr_assert_not(verifies(&hash, "rahasiA"));
}

Test(base_phc, what_libsodium_writes) {
    char text[crypto_pwhash_STRBYTES];
    password_hash_t hash;
    cr_assert(sodium_init() >= 0);
    cr_assert_eq(crypto_pwhash_str(text, "rahasia", 7, 3, 64 * 1024), 0);
    cr_assert(phc_parse(&hash, span_of(text)));
    cr_assert_eq(hash.passes, 3);
    cr_assert(verifies(&hash, "rahasia"));
}

Test(base_phc, everything_else_is_refused) {
    static const char *const wrong[] = {
        "",
        "rahasia",
        "$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA"
        "$0+DK/8l3KDoD25wXji2rnKpm4h5X4DmOR4IdI+oR/+Y",
        "$argon2id$v=16$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA"
        "$0+DK/8l3KDoD25wXji2rnKpm4h5X4DmOR4IdI+oR/+Y",
        "$argon2id$v=19$m=19456,t=2,p=2$c29tZXNhbHRzb21lc2FsdA"
        "$0+DK/8l3KDoD25wXji2rnKpm4h5X4DmOR4IdI+oR/+Y",
        "$argon2id$v=19$m=0,t=2,p=1$c29tZXNhbHRzb21lc2FsdA"
        "$0+DK/8l3KDoD25wXji2rnKpm4h5X4DmOR4IdI+oR/+Y",
        "$argon2id$v=19$m=7,t=2,p=1$c29tZXNhbHRzb21lc2FsdA"
        "$0+DK/8l3KDoD25wXji2rnKpm4h5X4DmOR4IdI+oR/+Y",
        "$argon2id$v=19$m=19456,t=0,p=1$c29tZXNhbHRzb21lc2FsdA"
        "$0+DK/8l3KDoD25wXji2rnKpm4h5X4DmOR4IdI+oR/+Y",
        "$argon2id$v=19$m=19456,t=-2,p=1$c29tZXNhbHRzb21lc2FsdA"
        "$0+DK/8l3KDoD25wXji2rnKpm4h5X4DmOR4IdI+oR/+Y",
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$",
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA",
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2Fs"
        "$0+DK/8l3KDoD25wXji2rnKpm4h5X4DmOR4IdI+oR/+Y",
        VECTOR "=",
        VECTOR "A",
        VECTOR "\n",
        " " VECTOR,
    };
    password_hash_t hash;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_expect_not(phc_parse(&hash, span_of(wrong[i])), "%s", wrong[i]);
    }
    for (size_t length = 0; length < strlen(VECTOR); length++) {
        cr_expect_not(phc_parse(&hash, (span_t){VECTOR, length}), "%zu bytes of it", length);
    }
}

Test(base_phc, a_hash_that_costs_too_much_is_refused) {
    static const char rest[] =
        "$c29tZXNhbHRzb21lc2FsdA$0+DK/8l3KDoD25wXji2rnKpm4h5X4DmOR4IdI+oR/+Y";
    char text[PHC_BYTES_MAX + 1];
    password_hash_t hash;
    (void)snprintf(text, sizeof text, "$argon2id$v=19$m=%u,t=%u,p=1%s",
                   PASSWORD_HASH_MEMORY_MAX / 1024, PASSWORD_HASH_PASSES_MAX, rest);
    cr_expect(phc_parse(&hash, span_of(text)));
    (void)snprintf(text, sizeof text, "$argon2id$v=19$m=%u,t=1,p=1%s",
                   PASSWORD_HASH_MEMORY_MAX / 1024 + 1, rest);
    cr_expect_not(phc_parse(&hash, span_of(text)));
    (void)snprintf(text, sizeof text, "$argon2id$v=19$m=19456,t=%u,p=1%s",
                   PASSWORD_HASH_PASSES_MAX + 1, rest);
    cr_expect_not(phc_parse(&hash, span_of(text)));
}
