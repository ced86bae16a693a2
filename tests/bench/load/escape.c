/*
 * Reads C escapes. Must never read past the end of the text: a lone backslash there is itself.
 */
#include "escape.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static char escape_letter(char letter) {
    static const char letters[] = "rnt0";
    static const char meant[] = "\r\n\t\0";
    const char *found = strchr(letters, letter);
    return found != NULL ? meant[found - letters] : letter;
}

/* The byte behind a backslash; returns where the text goes on. */
static const char *escape_one(const char *text, char *byte) {
    if (text[0] == 'x' && isxdigit((unsigned char)text[1]) && isxdigit((unsigned char)text[2])) {
        const char digits[] = {text[1], text[2], '\0'};
        *byte = (char)strtol(digits, NULL, 16);
        return text + 3;
    }
    *byte = escape_letter(text[0]);
    return text + 1;
}

void escape_read(bytes_t *bytes, const char *text) {
    while (*text != '\0') {
        char byte = *text;
        if (text[0] == '\\' && text[1] != '\0')
            text = escape_one(text + 1, &byte);
        else
            text++;
        bytes_add(bytes, &byte, 1);
    }
}
