/*
 * Scratch directories. Must never remove what it did not make.
 */
#include "scratch.h"

#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void scratch_make(char directory[PATH_MAX]) {
    static const char name[] = "realmgate-fuzz-XXXXXX";
    (void)snprintf(directory, PATH_MAX, "/dev/shm/%s", name);
    if (mkdtemp(directory) != NULL)
        return;
    (void)snprintf(directory, PATH_MAX, "/tmp/%s", name);
    ASSERT(mkdtemp(directory) != NULL);
}

void scratch_path(char path[PATH_MAX], const char *directory, const char *name) {
    int length = snprintf(path, PATH_MAX, "%s/%s", directory, name);
    ASSERT(length > 0 && length < PATH_MAX);
}

void scratch_clear(const char *directory) {
    static const char *const names[] = {"store.mdb", "store.mdb-lock", "store.mdb-journal",
                                        "store.mdb-journal2"};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        scratch_path(path, directory, names[i]);
        ASSERT(unlink(path) == 0 || errno == ENOENT);
    }
}

void scratch_remove(const char *directory) {
    scratch_clear(directory);
    ASSERT(rmdir(directory) == 0);
}

void scratch_read(buffer_t *bytes, const char *path) {
    char piece[4096];
    ssize_t length;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ASSERT(file >= 0);
    while ((length = read(file, piece, sizeof(piece))) > 0)
        buffer_append(bytes, piece, (size_t)length);
    ASSERT(length == 0);
    ASSERT(close(file) == 0);
}

void scratch_write(const buffer_t *bytes, const char *path) {
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ASSERT(file >= 0);
    ASSERT(write(file, bytes->bytes, bytes->length) == (ssize_t)bytes->length);
    ASSERT(close(file) == 0);
}
