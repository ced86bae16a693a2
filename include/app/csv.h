/*
 * Comma separated values, by RFC 4180: fields may be quoted, a quote in them is doubled, lines end
 * with LF or CR LF. Blank lines are skipped.
 */
#ifndef REALMGATE_APP_CSV_H
#define REALMGATE_APP_CSV_H

#include "types/name.h"

#include <stdbool.h>

#define CSV_FIELDS_MAX 16

typedef struct csv {
    char *rest, *end;
    unsigned line; /* of the row that was read last, from 1 */
    unsigned next_line;
    size_t field_count;
    span_t fields[CSV_FIELDS_MAX];
    const char *wrong; /* static: what is wrong with the row, NULL if nothing is */
} csv_t;

/* Reads from `bytes`, which the rows point into and which are changed: quotes are taken out. */
void csv_open(csv_t *csv, char *bytes, size_t length);

/* Reads the next row into csv->fields. False at the end, or if csv->wrong is set. */
bool csv_next(csv_t *csv);

#endif
