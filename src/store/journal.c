/*
 * The journal's file. Must never report an append before the disk has it, and never visit a frame
 * of another run, or one that is not whole.
 */
#include "journal.h"
#include "lmdb_store.h"
#include "row.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define FILE_MODE  0600
#define ZERO_BYTES (64UL * 1024)

static store_error_t system_error(void) {
    return lmdb_error(errno);
}

store_error_t journal_size(journal_t *journal) {
    struct stat status;
    if (fstat(journal->file, &status) != 0) {
        return system_error();
    }
    journal->bytes = status.st_size > 0 ? (size_t)status.st_size : 0;
    return STORE_OK;
}

store_error_t journal_open(journal_t *journal, const char *file, bool create) {
    *journal = (journal_t){.file = -1};
    int flags = create ? O_RDWR | O_CREAT : O_RDONLY;
    journal->file = open(file, flags | O_CLOEXEC, FILE_MODE);
    if (journal->file < 0) {
        return errno == ENOENT && !create ? STORE_OK : system_error();
    }
    return journal_size(journal);
}

void journal_close(journal_t *journal) {
    if (journal->file >= 0) {
        (void)close(journal->file);
    }
    *journal = (journal_t){.file = -1};
}

static store_error_t write_at(int file, const void *bytes, size_t length, size_t offset) {
    const char *at = bytes;
    while (length > 0) {
        ssize_t written = pwrite(file, at, length, (off_t)offset);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return written == 0 ? STORE_IO : system_error();
        }
        at += written;
        offset += (size_t)written;
        length -= (size_t)written;
    }
    return STORE_OK;
}

static store_error_t write_zeros(int file, size_t from, size_t to) {
    static const char zeros[ZERO_BYTES];
    store_error_t error = STORE_OK;
    while (from < to && error == STORE_OK) {
        size_t length = to - from < sizeof zeros ? to - from : sizeof zeros;
        error = write_at(file, zeros, length, from);
        from += length;
    }
    return error;
}

store_error_t journal_reserve(journal_t *journal, size_t bytes) {
    if (bytes <= journal->bytes) {
        return STORE_OK;
    }
    store_error_t error = write_zeros(journal->file, journal->bytes, bytes);
    if (error == STORE_OK && fsync(journal->file) != 0) {
        error = system_error();
    }
    if (error == STORE_OK) {
        journal->bytes = bytes;
        return STORE_OK;
    }
    /* What could not be filled takes no room from others. */
    if (ftruncate(journal->file, (off_t)journal->bytes) != 0) {
        return system_error();
    }
    return error;
}

void journal_restart(journal_t *journal, uint64_t salt, uint32_t number) {
    journal->salt = salt;
    journal->used = 0;
    journal->frames = 0;
    journal->number = number;
}

bool journal_fits(const journal_t *journal, size_t frame_bytes) {
    return frame_bytes <= journal->bytes - journal->used;
}

/* Everything of the frame behind the checksum. */
static uint64_t checksum_of(const journal_t *journal, const void *frame, size_t frame_bytes) {
    const char *bytes = frame;
    return XXH3_64bits_withSeed(bytes + sizeof(uint64_t), frame_bytes - sizeof(uint64_t),
                                journal->salt);
}

size_t journal_frame_bytes(const char *frame) {
    row_reader_t head = {.at = frame + sizeof(uint64_t), .left = sizeof(uint32_t)};
    return JOURNAL_HEAD_BYTES + row_u32(&head);
}

void journal_seal(const journal_t *journal, char *frame, size_t frame_bytes) {
    ASSERT(frame_bytes > JOURNAL_HEAD_BYTES && frame_bytes <= UINT32_MAX);
    uint8_t *head = (uint8_t *)(void *)frame;
    row_writer_t rest = {.at = head + sizeof(uint64_t), .end = head + JOURNAL_HEAD_BYTES};
    row_put_u32(&rest, (uint32_t)(frame_bytes - JOURNAL_HEAD_BYTES));
    row_put_u32(&rest, journal->number);
    row_writer_t first = {.at = head, .end = head + sizeof(uint64_t)};
    row_put_u64(&first, checksum_of(journal, frame, frame_bytes));
}

store_error_t journal_append(journal_t *journal, const char *frame, size_t frame_bytes) {
    ASSERT(journal_fits(journal, frame_bytes));
    store_error_t error = write_at(journal->file, frame, frame_bytes, journal->used);
    if (error == STORE_OK && fdatasync(journal->file) != 0) {
        error = system_error();
    }
    if (error == STORE_OK) {
        journal->used += frame_bytes;
        journal->frames += 1;
        journal->number += 1;
    } else {
        /* Who sent it is told that nothing was changed: the next start should find it torn. */
        static const char torn[JOURNAL_HEAD_BYTES];
        (void)write_at(journal->file, torn, sizeof torn, journal->used);
    }
    return error;
}

/* Reads up to `length` bytes; fewer at the end of the file. */
static store_error_t read_at(int file, char *bytes, size_t length, size_t offset, size_t *got) {
    *got = 0;
    while (*got < length) {
        ssize_t part = pread(file, bytes + *got, length - *got, (off_t)(offset + *got));
        if (part < 0 && errno == EINTR) {
            continue;
        }
        if (part < 0) {
            return system_error();
        }
        if (part == 0) {
            break;
        }
        *got += (size_t)part;
    }
    return STORE_OK;
}

/* Reads the frame at `used` into *frame, and the number that the one behind it has; *whole = false:
 * the run ends there. */
static store_error_t read_frame(const journal_t *journal, buffer_t *frame, bool *whole,
                                uint32_t *next) {
    *whole = false;
    char head[JOURNAL_HEAD_BYTES];
    size_t got;
    store_error_t error = read_at(journal->file, head, sizeof head, journal->used, &got);
    if (error != STORE_OK || got < sizeof head) {
        return error;
    }
    row_reader_t reader = {.at = head, .left = sizeof head};
    uint64_t checksum = row_u64(&reader);
    size_t length = row_u32(&reader);
    uint32_t number = row_u32(&reader);
    size_t room = journal->bytes - journal->used;
    bool follows = journal->frames == 0 || number == journal->number;
    if (!follows || length == 0 || length > room - sizeof head) {
        return STORE_OK;
    }
    buffer_reset(frame);
    char *bytes = buffer_reserve(frame, sizeof head + length);
    error = read_at(journal->file, bytes, sizeof head + length, journal->used, &got);
    if (error != STORE_OK || got < sizeof head + length) {
        return error;
    }
    frame->length = got;
    *whole = checksum == checksum_of(journal, bytes, got);
    *next = number + 1;
    return STORE_OK;
}

store_error_t journal_replay(journal_t *journal, journal_visit_fn *visit, void *context,
                             int *code) {
    *code = 0;
    journal_restart(journal, journal->salt, 0);
    if (journal->file < 0) {
        return STORE_OK;
    }
    buffer_t frame;
    buffer_init(&frame);
    bool whole = true;
    uint32_t next = 0;
    store_error_t error = read_frame(journal, &frame, &whole, &next);
    while (error == STORE_OK && whole && *code == 0) {
        journal->used += frame.length;
        journal->frames += 1;
        journal->number = next;
        span_t payload = {frame.bytes + JOURNAL_HEAD_BYTES, frame.length - JOURNAL_HEAD_BYTES};
        *code = visit(context, payload);
        if (*code == 0) {
            error = read_frame(journal, &frame, &whole, &next);
        }
    }
    buffer_deinit(&frame);
    return error;
}
