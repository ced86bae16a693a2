/*
 * Files of one run, in memory where the system has such a place.
 */
#ifndef REALMGATE_TESTS_SCRATCH_H
#define REALMGATE_TESTS_SCRATCH_H

#include "base/buffer.h"

#include <limits.h>

/* Makes an empty directory and gives its path. */
void scratch_make(char directory[PATH_MAX]);
/* Removes a store from a directory; scratch_remove the directory, too. */
void scratch_clear(const char *directory);
void scratch_remove(const char *directory);

void scratch_path(char path[PATH_MAX], const char *directory, const char *name);
/* Appends the whole file. */
void scratch_read(buffer_t *bytes, const char *path);
void scratch_write(const buffer_t *bytes, const char *path);

#endif
