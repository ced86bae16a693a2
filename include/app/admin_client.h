/*
 * An administrator's requests, whether the realm runs or not: through its admin socket, else
 * straight into the store.
 */
#ifndef REALMGATE_APP_ADMIN_CLIENT_H
#define REALMGATE_APP_ADMIN_CLIENT_H

#include "app/exit_code.h"
#include "app/options.h"
#include "wire/json_reply.h"

typedef enum admin_way {
    ADMIN_EITHER,  /* the running realm, else the store */
    ADMIN_RUNNING, /* only a running realm can do this */
} admin_way_t;

typedef struct admin_session admin_session_t;

/* Finds the way and opens it; the realm (or the store's lock) is ours until the caller closes it.
 * On failure *session is NULL and *problem says why. */
exit_code_t admin_open(admin_session_t **session, const command_options_t *options, admin_way_t way,
                       problem_t *problem);
void admin_close(admin_session_t **session);

/* Sends the line and reads the reply into *answer, which the caller destroys. EXIT_CLEAN means that
 * there is an answer, perhaps an error; otherwise *problem says why there is none. */
exit_code_t admin_ask(admin_session_t *session, const char *line, json_reply_t **answer,
                      problem_t *problem);

/* The three in one, for a single line. */
exit_code_t admin_request(const command_options_t *options, admin_way_t way, const char *line,
                          json_reply_t **answer, problem_t *problem);

/* Prints why an answer is an error: "<command>: <text> (<CODE>)", to standard error. */
void admin_complain(const char *command, const json_reply_t *answer);

#endif
