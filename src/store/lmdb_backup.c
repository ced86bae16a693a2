/*
 * Copies a running store into a new file. The file gets its name only when the copy is complete
 * and on the disk. Must never replace a file.
 */
#include "lmdb_store.h"

#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

store_error_t lmdb_directory_sync(const char *file) {
    char directory[PATH_MAX];
    const char *slash = strrchr(file, '/');
    int length = slash == NULL
                     ? snprintf(directory, sizeof directory, ".")
                     : snprintf(directory, sizeof directory, "%.*s/", (int)(slash - file), file);
    if (length < 0 || (size_t)length >= sizeof directory) {
        return STORE_IO;
    }
    int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) {
        return lmdb_error(errno);
    }
    int code = fsync(descriptor) == 0 ? 0 : errno;
    (void)close(descriptor);
    return lmdb_error(code);
}

static store_error_t copy_write(lmdb_store_t *store, const char *file) {
    int descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        return lmdb_error(errno);
    }
    int code = mdb_env_copyfd2(store->env, descriptor, MDB_CP_COMPACT);
    if (code == 0 && fsync(descriptor) != 0) {
        code = errno;
    }
    if (close(descriptor) != 0 && code == 0) {
        code = errno;
    }
    return lmdb_error(code);
}

/* Gives the complete copy its name, unless a file has it by now. */
static store_error_t copy_name(const char *partial, const char *file) {
    if (renameat2(AT_FDCWD, partial, AT_FDCWD, file, RENAME_NOREPLACE) == 0) {
        return STORE_OK;
    }
    if (errno != EINVAL) {
        return lmdb_error(errno);
    }
    /* File systems that cannot do that in one step, such as NFS, have hard links. */
    if (link(partial, file) != 0) {
        return lmdb_error(errno);
    }
    (void)unlink(partial);
    return STORE_OK;
}

store_error_t lmdb_backup(store_t *base, const char *file) {
    lmdb_store_t *store = (lmdb_store_t *)base;
    ASSERT(!store->reading);
    char partial[PATH_MAX];
    int length = snprintf(partial, sizeof partial, "%s.partial", file);
    if (store->unmapped || length < 0 || (size_t)length >= sizeof partial ||
        access(file, F_OK) == 0) {
        return STORE_IO;
    }
    store_error_t error = copy_write(store, partial);
    if (error == STORE_OK) {
        error = copy_name(partial, file);
    }
    if (error != STORE_OK) {
        (void)unlink(partial);
        return error;
    }
    return lmdb_directory_sync(file);
}
