/*
 * An administrator's requests on a data directory whose realm is not running: through the same core
 * and store as the realm itself, in this process.
 */
#ifndef REALMGATE_APP_OFFLINE_H
#define REALMGATE_APP_OFFLINE_H

#include "app/data_dir.h"
#include "base/buffer.h"

typedef struct offline offline_t;

/* Opens the store of `dir`, whose lock is held, and starts the realm without its network. `wanted`
 * is the realm's name if the directory does not know it yet (length 0: not given). The caller
 * closes it. On failure *offline is NULL. */
exit_code_t offline_open(offline_t **offline, const data_dir_t *dir, const name_t *wanted,
                         problem_t *problem);
void offline_close(offline_t **offline);

/* Steps the line with the operator's role, commits, and appends the frame of the reply. EXIT_CLEAN
 * means that there is a reply, which may be an error. */
exit_code_t offline_ask(offline_t *offline, const char *line, buffer_t *reply, problem_t *problem);

/* The three in one, for a single line. */
exit_code_t offline_request(const data_dir_t *dir, const name_t *wanted, const char *line,
                            buffer_t *reply, problem_t *problem);

#endif
