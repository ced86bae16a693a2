/*
 * What the program's exit status says.
 */
#ifndef REALMGATE_APP_EXIT_CODE_H
#define REALMGATE_APP_EXIT_CODE_H

typedef enum exit_code {
    EXIT_CLEAN = 0,
    EXIT_RUNTIME = 1, /* disk, corrupt store, an address in use, a refused request */
    EXIT_USAGE = 2,   /* command line, environment, configuration */
} exit_code_t;

#endif
