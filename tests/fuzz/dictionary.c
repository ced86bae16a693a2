/*
 * Prints a libFuzzer dictionary: the words of the command table, those of the options and a few
 * names and pieces that inputs are made of.
 */
#include "command.h"

#include <stdio.h>

int main(void) {
    static const char *const words[] = {"AFTER",
                                        "BEFORE",
                                        "LIMIT",
                                        "operator",
                                        "@r ",
                                        "@A-1._z ",
                                        "\\x0D\\x0A",
                                        "--name",
                                        "--data",
                                        "--clients",
                                        "--federation",
                                        "--advertise",
                                        "--accept",
                                        "--trust",
                                        "--log",
                                        "--help",
                                        "--registration",
                                        "--log-format",
                                        "--operator",
                                        "127.0.0.1:9000",
                                        "[::1]:0",
                                        "open",
                                        "closed",
                                        "known",
                                        "any",
                                        "json",
                                        "text",
                                        "alice",
                                        "bob",
                                        "tim",
                                        "rahasia",
                                        "kunci",
                                        "\\x00",
                                        "\\xF0\\x9F",
                                        "\\\\u0000",
                                        "\\\"status\\\"",
                                        "OK",
                                        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    size_t count;
    const command_t *rows = command_table(&count);
    for (size_t i = 0; i < count; i++)
        (void)printf("\"%s\"\n", rows[i].word);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        (void)printf("\"%s\"\n", words[i]);
    return 0;
}
