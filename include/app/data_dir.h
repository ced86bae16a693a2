/*
 * The data directory of a realm: everything the program writes stands in it.
 *
 *     store.mdb, store.mdb-*     the store (store/lmdb.h)
 *     realm.key                  the CURVE key pair (app/keys.h), 0600
 *     realm.name                 the realm's name, one line: offline commands need no --name
 *     lock                       flock: one process at a time
 *     admin.sock                 the admin socket while the realm runs, 0600
 */
#ifndef REALMGATE_APP_DATA_DIR_H
#define REALMGATE_APP_DATA_DIR_H

#include "app/exit_code.h"
#include "app/problem.h"
#include "types/name.h"

#include <stdbool.h>

typedef struct data_dir {
    const char *path; /* borrowed from the caller */
    int directory;    /* descriptor */
    int lock;         /* descriptor, -1 while the lock is not held */
} data_dir_t;

/* Opens the directory; with `create` it is made (0700) if it is not there. EXIT_CLEAN, EXIT_USAGE
 * if it is not there (create false) or cannot be opened. The caller closes it. */
exit_code_t data_dir_open(data_dir_t *dir, const char *path, bool create, problem_t *problem);
void data_dir_close(data_dir_t *dir); /* releases the lock; fine to call twice */

typedef enum lock_result { LOCK_TAKEN, LOCK_HELD, LOCK_FAILED } lock_result_t;

/* Tries to take the lock, without waiting. LOCK_HELD: another process has it. LOCK_FAILED: the file
 * cannot be made or locked, see *problem. */
lock_result_t data_dir_lock(data_dir_t *dir, problem_t *problem);

/* Reads a small file into `bytes` (at most `room`). False with *missing if it is not there, or
 * false and a sentence if it cannot be read or is larger than `room`. */
bool data_dir_read(const data_dir_t *dir, const char *file, char *bytes, size_t room,
                   size_t *length, bool *missing, problem_t *problem);

/* Makes or replaces a small file (0600) so that after a crash it is there in whole or not at all:
 * written beside, synced, renamed, directory synced. Needs the lock. */
bool data_dir_write(const data_dir_t *dir, const char *file, const char *bytes, size_t length,
                    problem_t *problem);

/* Finds out which realm lives here: realm.name, else `wanted` (length 0 = not given), which is then
 * written down. EXIT_USAGE if neither says it or both do and differ, EXIT_RUNTIME if the file is
 * damaged or cannot be read or written. Needs the lock. */
exit_code_t data_dir_name(const data_dir_t *dir, const name_t *wanted, name_t *name,
                          problem_t *problem);

#endif
