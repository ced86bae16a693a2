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
    if (code != 0 && lmdb_map_follow(store, code) == 0) {
        code = mdb_env_copyfd2(store->env, descriptor, MDB_CP_COMPACT);
    }
    if (code == 0 && fsync(descriptor) != 0) {
        code = errno;
    }
    if (close(descriptor) != 0 && code == 0) {
        code = errno;
    }
    return lmdb_error(code);
}

static int note_put(MDB_env *env, span_t note) {
    MDB_txn *txn;
    MDB_dbi meta;
    int code = mdb_txn_begin(env, NULL, 0, &txn);
    if (code != 0) {
        return code;
    }
    code = mdb_dbi_open(txn, "meta", 0, &meta);
    if (code == 0) {
        code = lmdb_meta_put(txn, meta, LMDB_META_NOTE, note.bytes, note.length);
    }
    if (code == 0) {
        code = lmdb_mark_copied(txn, meta);
    }
    if (code == 0) {
        /* A journal of the original, found beside the copy, is not for it. */
        code = lmdb_put_salt(txn, meta, lmdb_new_salt());
    }
    if (code != 0) {
        mdb_txn_abort(txn);
        return code;
    }
    return mdb_txn_commit(txn);
}

/* Nobody else knows of the copy yet: it needs no lock. */
static store_error_t copy_note(const char *file, span_t note) {
    MDB_env *env;
    int code = mdb_env_create(&env);
    if (code != 0) {
        return lmdb_error(code);
    }
    code = mdb_env_set_maxdbs(env, 1);
    if (code == 0) {
        code = mdb_env_open(env, file, MDB_NOSUBDIR | MDB_NOLOCK, 0600);
    }
    if (code == 0) {
        code = note_put(env, note);
    }
    mdb_env_close(env);
    return lmdb_error(code);
}

typedef struct note_reader {
    char *bytes;
    size_t length;
} note_reader_t;

static store_error_t note_get(lmdb_store_t *store, void *context) {
    note_reader_t *reader = context;
    span_t row;
    store_error_t error =
        lmdb_meta_get(store->view, store->tables[TABLE_META], LMDB_META_NOTE, &row);
    if (error != STORE_OK || row.bytes == NULL) {
        return error;
    }
    if (row.length > STORE_NOTE_BYTES_MAX) {
        return STORE_CORRUPT;
    }
    memcpy(reader->bytes, row.bytes, row.length);
    reader->length = row.length;
    return STORE_OK;
}

store_error_t lmdb_note(store_t *base, char *note, size_t *length) {
    note_reader_t reader = {.bytes = note};
    store_error_t error = lmdb_read((lmdb_store_t *)base, note_get, &reader);
    *length = reader.length;
    return error;
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

store_error_t lmdb_backup(store_t *base, const char *file, span_t note) {
    lmdb_store_t *store = (lmdb_store_t *)base;
    ASSERT(!store->reading);
    char partial[PATH_MAX];
    int length = snprintf(partial, sizeof partial, "%s.partial", file);
    if (store->unmapped || length < 0 || (size_t)length >= sizeof partial ||
        access(file, F_OK) == 0) {
        return STORE_IO;
    }
    store_error_t error = lmdb_fold(base);
    if (error == STORE_OK) {
        error = copy_write(store, partial);
    }
    if (error == STORE_OK) {
        error = copy_note(partial, note);
    }
    if (error == STORE_OK) {
        error = copy_name(partial, file);
    }
    if (error != STORE_OK) {
        (void)unlink(partial);
        return error;
    }
    return lmdb_directory_sync(file);
}
