/*
 * One administrator's request on a data directory whose realm is not running: through the same
 * core and store as the realm itself, in this process.
 */
#ifndef REALMGATE_APP_OFFLINE_H
#define REALMGATE_APP_OFFLINE_H

#include "app/data_dir.h"
#include "base/buffer.h"

/* Needs the lock of `dir`. Steps the line with the operator's role, commits, and appends the frame
 * of the reply. `wanted` is the realm's name if the directory does not know it yet (length 0: not
 * given). EXIT_CLEAN means that there is a reply, which may be an error. */
exit_code_t offline_request(const data_dir_t *dir, const name_t *wanted, const char *line,
                            buffer_t *reply, problem_t *problem);

#endif
