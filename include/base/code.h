/*
 * The one table of codes: the stable word that programs read ("NO_USER") and the text for people
 * ("user tidak ditemukan").
 */
#ifndef REALMGATE_BASE_CODE_H
#define REALMGATE_BASE_CODE_H

#include "types/code.h"

/* Both give NULL for CODE_OK and numbers outside the table. Static strings. */
const char *code_word(code_t code);
const char *code_text(code_t code);

#endif
