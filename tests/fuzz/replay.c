/*
 * Runs files, and the files in directories, through a fuzz target without a fuzzer: so the corpus
 * and the crashes of the past are regression tests in every build. A crash of one is the crash of
 * the whole run; which file it was stands on the last line.
 */
#include "base/memory.h"
#include "base/random.h"
#include "target.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES_MAX = 1 << 20 };

static bool replay_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return false;
    }
    uint8_t *room = memory_alloc(FILE_BYTES_MAX);
    size_t length = fread(room, 1, FILE_BYTES_MAX, file);
    bool good = ferror(file) == 0;
    (void)fclose(file);
    (void)printf("%s\n", path);
    (void)fflush(stdout);
    /* In memory of its exact size, as the fuzzer gives it. */
    uint8_t *data = memory_alloc(length);
    memcpy(data, room, length);
    memory_free(room);
    (void)LLVMFuzzerTestOneInput(data, length);
    memory_free(data);
    return good;
}

static int is_input(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

/* Returns how many files were replayed, -1 if one could not be read. */
static int replay_directory(const char *path) {
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, is_input, alphasort);
    bool good = count >= 0;
    for (int i = 0; i < count; i++) {
        char file[4096];
        (void)snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
        good = good && replay_file(file);
        free(entries[i]);
    }
    free(entries);
    return good ? count : -1;
}

int main(int argc, char **argv) {
    int files = 0;
    random_start();
    for (int i = 1; i < argc; i++) {
        int count = replay_directory(argv[i]);
        if (count < 0)
            count = replay_file(argv[i]) ? 1 : -1;
        if (count < 0)
            return 1;
        files += count;
    }
    (void)printf("%d inputs replayed\n", files);
    return files > 0 ? 0 : 1;
}
