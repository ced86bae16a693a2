/*
 * The one table of codes: the word that programs read, the text that people read. The words are a
 * promise to every client: they must never change.
 */
#include "base/code.h"

#include <stddef.h>

typedef struct code_row {
    const char *word;
    const char *text;
} code_row_t;

static const code_row_t code_rows[CODE_COUNT] = {
    [CODE_PROTOCOL] = {"PROTOCOL", "protokol tidak benar"},
    [CODE_TOO_LONG] = {"TOO_LONG", "permintaan terlalu panjang"},
    [CODE_BAD_NAME] = {"BAD_NAME", "nama tidak sah"},
    [CODE_BAD_TEXT] = {"BAD_TEXT", "teks bukan UTF-8"},
    [CODE_AUTH_REQUIRED] = {"AUTH_REQUIRED", "belum terautentikasi"},
    [CODE_AUTH_FAILED] = {"AUTH_FAILED", "user atau password salah"},
    [CODE_FORBIDDEN] = {"FORBIDDEN", "tidak diizinkan"},
    [CODE_SERVER_ONLY] = {"SERVER_ONLY", "hanya untuk antar server"},
    [CODE_USER_EXISTS] = {"USER_EXISTS", "user sudah ada"},
    [CODE_NO_USER] = {"NO_USER", "user tidak ditemukan"},
    [CODE_GROUP_EXISTS] = {"GROUP_EXISTS", "group sudah ada"},
    [CODE_NO_GROUP] = {"NO_GROUP", "group tidak ditemukan"},
    [CODE_GROUP_PASSWORD] = {"GROUP_PASSWORD", "password group salah"},
    [CODE_ALREADY_MEMBER] = {"ALREADY_MEMBER", "sudah menjadi anggota group"},
    [CODE_NOT_MEMBER] = {"NOT_MEMBER", "bukan anggota group"},
    [CODE_NO_REALM] = {"NO_REALM", "realm tidak ditemukan"},
    [CODE_REALM_UNREACHABLE] = {"REALM_UNREACHABLE", "realm tidak dapat dihubungi"},
    [CODE_REALM_KEY] = {"REALM_KEY", "kunci realm tidak dikenal"},
    [CODE_GROUP_MISMATCH] = {"GROUP_MISMATCH", "group di realm tujuan berbeda"},
    [CODE_QUEUE_FULL] = {"QUEUE_FULL", "antrian realm penuh"},
    [CODE_STORE] = {"STORE", "penyimpanan gagal"},
    [CODE_BUSY] = {"BUSY", "server sibuk"},
    [CODE_EXPIRED] = {"EXPIRED", "waktu pengiriman habis"},
};

static const code_row_t *code_row(code_t code) {
    static const code_row_t none = {NULL, NULL};
    unsigned number = (unsigned)code;
    return number < CODE_COUNT ? &code_rows[number] : &none;
}

const char *code_word(code_t code) {
    return code_row(code)->word;
}

const char *code_text(code_t code) {
    return code_row(code)->text;
}
