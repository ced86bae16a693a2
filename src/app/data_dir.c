/*
 * The data directory: made, locked, its small files read and replaced. Must never leave half a file
 * behind, nor write outside the directory.
 */
#include "app/data_dir.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_FILE "realm.name"
#define LOCK_FILE "lock"

exit_code_t data_dir_open(data_dir_t *dir, const char *path, bool create, problem_t *problem) {
    *dir = (data_dir_t){.path = path, .directory = -1, .lock = -1};
    if (create && mkdir(path, 0700) != 0 && errno != EEXIST) {
        problem_set(problem, "cannot make the data directory %s: %s", path, strerror(errno));
        return EXIT_USAGE;
    }
    dir->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir->directory < 0) {
        problem_set(problem, "cannot open the data directory %s: %s", path, strerror(errno));
        return EXIT_USAGE;
    }
    return EXIT_CLEAN;
}

void data_dir_close(data_dir_t *dir) {
    if (dir->lock >= 0) {
        (void)close(dir->lock);
    }
    if (dir->directory >= 0) {
        (void)close(dir->directory);
    }
    dir->lock = -1;
    dir->directory = -1;
}

lock_result_t data_dir_lock(data_dir_t *dir, problem_t *problem) {
    int file = openat(dir->directory, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) {
        problem_set(problem, "cannot open %s/" LOCK_FILE ": %s", dir->path, strerror(errno));
        return LOCK_FAILED;
    }
    if (flock(file, LOCK_EX | LOCK_NB) == 0) {
        dir->lock = file;
        return LOCK_TAKEN;
    }
    int error = errno;
    (void)close(file);
    if (error == EWOULDBLOCK) {
        problem_set(problem, "the data directory %s is in use by another process", dir->path);
        return LOCK_HELD;
    }
    problem_set(problem, "cannot lock %s/" LOCK_FILE ": %s", dir->path, strerror(error));
    return LOCK_FAILED;
}

/* Reads to the end of the file; returns the bytes read, room + 1 if there are more, or -1. */
static ssize_t read_whole(int file, char *bytes, size_t room) {
    size_t length = 0;
    while (length < room) {
        ssize_t got = read(file, bytes + length, room - length);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            return (ssize_t)length;
        }
        length += (size_t)got;
    }
    char rest;
    ssize_t got = read(file, &rest, 1);
    return got < 0 ? -1 : (ssize_t)(length + (size_t)got);
}

bool data_dir_read(const data_dir_t *dir, const char *file, char *bytes, size_t room,
                   size_t *length, bool *missing, problem_t *problem) {
    int opened = openat(dir->directory, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    *missing = opened < 0 && errno == ENOENT;
    if (opened < 0) {
        problem_set(problem, "cannot open %s/%s: %s", dir->path, file, strerror(errno));
        return false;
    }
    ssize_t got = read_whole(opened, bytes, room);
    int error = errno;
    (void)close(opened);
    if (got < 0) {
        problem_set(problem, "cannot read %s/%s: %s", dir->path, file, strerror(error));
        return false;
    }
    if ((size_t)got > room) {
        problem_set(problem, "%s/%s is damaged: it is too long", dir->path, file);
        return false;
    }
    *length = (size_t)got;
    return true;
}

static bool write_whole(int file, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t put = write(file, bytes, length);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return false;
        }
        bytes += put;
        length -= (size_t)put;
    }
    return fsync(file) == 0;
}

/* Writes and syncs the file that will take the other one's place; errno says why it could not. */
static bool write_beside(const data_dir_t *dir, const char *beside, const char *bytes,
                         size_t length) {
    /* One that a crash left behind may be only half there. */
    if (unlinkat(dir->directory, beside, 0) != 0 && errno != ENOENT) {
        return false;
    }
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    int file = openat(dir->directory, beside, flags, 0600);
    if (file < 0) {
        return false;
    }
    bool written = write_whole(file, bytes, length);
    int error = errno;
    if (close(file) != 0 && written) {
        return false;
    }
    errno = error;
    return written;
}

bool data_dir_write(const data_dir_t *dir, const char *file, const char *bytes, size_t length,
                    problem_t *problem) {
    char beside[64];
    (void)snprintf(beside, sizeof beside, "%s.new", file);
    bool done = write_beside(dir, beside, bytes, length) &&
                renameat(dir->directory, beside, dir->directory, file) == 0 &&
                fsync(dir->directory) == 0;
    if (!done) {
        problem_set(problem, "cannot write %s/%s: %s", dir->path, file, strerror(errno));
        (void)unlinkat(dir->directory, beside, 0);
    }
    return done;
}

static exit_code_t name_write(const data_dir_t *dir, const name_t *name, problem_t *problem) {
    char line[NAME_BYTES_MAX + 2];
    int length = snprintf(line, sizeof line, "%s\n", name->text);
    return data_dir_write(dir, NAME_FILE, line, (size_t)length, problem) ? EXIT_CLEAN
                                                                         : EXIT_RUNTIME;
}

exit_code_t data_dir_name(const data_dir_t *dir, const name_t *wanted, name_t *name,
                          problem_t *problem) {
    char line[NAME_BYTES_MAX + 1];
    size_t length = 0;
    bool missing;
    if (!data_dir_read(dir, NAME_FILE, line, sizeof line, &length, &missing, problem)) {
        if (!missing) {
            return EXIT_RUNTIME;
        }
        if (wanted->length == 0) {
            problem_set(problem, "%s holds no realm yet: give its name with --name", dir->path);
            return EXIT_USAGE;
        }
        *name = *wanted;
        return name_write(dir, name, problem);
    }
    if (length > 0 && line[length - 1] == '\n') {
        length--;
    }
    if (!name_parse(name, (span_t){line, length})) {
        problem_set(problem, "%s/" NAME_FILE " is damaged: it holds no realm name", dir->path);
        return EXIT_RUNTIME;
    }
    if (wanted->length > 0 && !name_equal(wanted, name)) {
        problem_set(problem, "--name: the data directory %s belongs to realm \"%s\", not \"%s\"",
                    dir->path, name->text, wanted->text);
        return EXIT_USAGE;
    }
    return EXIT_CLEAN;
}
