/* links: base app */
/*
 * Comma separated values by RFC 4180: quoted and plain fields, line ends, line numbers, errors.
 */
#include "app/csv.h"

#include "base/text.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* The rows as "a|b/c", what is wrong behind a '!'. */
static const char *rows_of(const char *text, char out[512]) {
    static char bytes[512];
    csv_t csv;
    size_t length = 0;
    (void)snprintf(bytes, sizeof bytes, "%s", text);
    csv_open(&csv, bytes, strlen(bytes));
    out[0] = '\0';
    for (bool first = true; csv_next(&csv); first = false) {
        length += (size_t)snprintf(out + length, 512 - length, "%s", first ? "" : "/");
        for (size_t i = 0; i < csv.field_count; i++) {
            length += (size_t)snprintf(out + length, 512 - length, "%s%.*s", i > 0 ? "|" : "",
                                       (int)csv.fields[i].length, csv.fields[i].bytes);
        }
    }
    if (csv.wrong != NULL) {
        (void)snprintf(out + length, 512 - length, "!%u", csv.line);
    }
    return out;
}

static void expect_rows(const char *text, const char *rows) {
    char out[512];
    cr_expect_str_eq(rows_of(text, out), rows);
}

Test(app_csv, plain_rows) {
    expect_rows("", "");
    expect_rows("a", "a");
    expect_rows("a,b\nc,d\n", "a|b/c|d");
    expect_rows("a,b\r\nc,d", "a|b/c|d");
    expect_rows(",\n,,\n", "|/||");
    expect_rows("a b, c ", "a b| c ");
}

Test(app_csv, blank_lines_are_skipped) {
    expect_rows("\n\na\n\r\n\nb\n\n", "a/b");
}

Test(app_csv, quoted_fields) {
    expect_rows("\"a\",\"b,c\"\n", "a|b,c");
    expect_rows("\"a \"\"b\"\"\",\"\"\n", "a \"b\"|");
    expect_rows("\"a\nb\",c\nd\n", "a\nb|c/d");
    expect_rows("\"\"\"\"", "\"");
}

Test(app_csv, what_is_wrong_is_told_with_its_line) {
    expect_rows("a\n\"b", "a!2");
    expect_rows("\"a\nb\"\nc\"d\n", "a\nb!3");
    expect_rows("a\n\n\"b\"c\n", "a!3");
    expect_rows("1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17\n", "!1");
    expect_rows("a\rb", "a\rb");
}
