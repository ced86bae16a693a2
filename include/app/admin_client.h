/*
 * One administrator's request, whether the realm runs or not: through its admin socket, else
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

/* Sends the line and reads the reply into *answer, which the caller destroys. EXIT_CLEAN means that
 * there is an answer, perhaps an error; otherwise *problem says why there is none. */
exit_code_t admin_request(const command_options_t *options, admin_way_t way, const char *line,
                          json_reply_t **answer, problem_t *problem);

/* The same for a realm that runs, by its data directory. */
exit_code_t admin_ask(const char *data, const char *line, json_reply_t **answer,
                      problem_t *problem);

/* Prints why an answer is an error: "<command>: <text> (<CODE>)", to standard error. */
void admin_complain(const char *command, const json_reply_t *answer);

#endif
