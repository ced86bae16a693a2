/*
 * A journal as a process might have left it, with anything in its frames, or instead of them: the
 * store takes it in or is refused with an error, the same at the next open, and can be read.
 */
#include "base/assert.h"
#include "input.h"
#include "lmdb_store.h"
#include "scratch.h"
#include "target.h"
#include "template.h"

#include <string.h>

enum { FRAMES_MAX = 4 };

/* Frames that are whole, whatever they say; all of the input is in the last one. */
static void leave_frames(const char *directory, input_t *input) {
    store_t *store;
    ASSERT(template_open(&store, directory) == STORE_OK);
    journal_t *journal = &lmdb_current((lmdb_store_t *)(void *)store)->journal;
    for (size_t left = 1 + input_below(input, FRAMES_MAX); left > 0 && input->left > 0; left--) {
        static const char head[JOURNAL_HEAD_BYTES];
        size_t length = left == 1 ? input->left : (size_t)1 + input_u8(input);
        length = length < input->left ? length : input->left;
        buffer_t frame;
        buffer_init(&frame);
        buffer_append(&frame, head, sizeof(head));
        buffer_append(&frame, input->bytes, length);
        if (length > 0 && journal_fits(journal, frame.length)) {
            journal_seal(journal, frame.bytes, frame.length);
            ASSERT(journal_append(journal, frame.bytes, frame.length) == STORE_OK);
        }
        input->bytes += length;
        input->left -= length;
        buffer_deinit(&frame);
    }
    store_close(&store);
}

/* No frames, or some by chance. */
static void leave_bytes(const char *directory, const input_t *input) {
    char file[PATH_MAX];
    buffer_t bytes;
    buffer_init(&bytes);
    buffer_append(&bytes, input->bytes, input->left);
    scratch_path(file, directory, "store.mdb-journal");
    scratch_write(&bytes, file);
    buffer_deinit(&bytes);
}

static bool count_record(void *context, const record_t *record) {
    *(uint64_t *)context += 1 + (uint64_t)record->kind;
    return true;
}

static store_error_t load_store(const char *directory, uint64_t *sum) {
    store_t *store;
    *sum = 0;
    store_error_t error = template_open(&store, directory);
    if (error != STORE_OK)
        return error;
    error = store_load(store, count_record, sum);
    store_close(&store);
    return error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const template_t *template = template_get();
    input_t input = {data, size};
    char directory[PATH_MAX], file[PATH_MAX];
    uint64_t sum, again;
    scratch_make(directory);
    scratch_path(file, directory, "store.mdb");
    scratch_write(&template->file, file);
    if (input_below(&input, 4) == 0)
        leave_bytes(directory, &input);
    else
        leave_frames(directory, &input);
    store_error_t error = load_store(directory, &sum);
    ASSERT(load_store(directory, &again) == error);
    ASSERT(sum == again);
    scratch_remove(directory);
    return 0;
}
