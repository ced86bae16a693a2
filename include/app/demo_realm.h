/*
 * A realm of the demonstration: this program itself in a child process.
 */
#ifndef REALMGATE_APP_DEMO_REALM_H
#define REALMGATE_APP_DEMO_REALM_H

#include "app/exit_code.h"
#include "app/problem.h"
#include "types/record.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

typedef struct demo_realm {
    const char *name;
    const char *user;
    unsigned clients_port; /* tried first; any other if it is taken */
    unsigned federation_port;
    char data[PATH_MAX];
    char log[PATH_MAX]; /* its standard error */
    char key[KEY_TEXT_BYTES + 1];
    char clients[ADDRESS_BYTES_MAX + 16]; /* real addresses, from the ready line */
    char federation[ADDRESS_BYTES_MAX + 16];
    pid_t child; /* 0 = not running */
} demo_realm_t;

/* Makes the data directory with a key pair and the user; sets realm->key. */
exit_code_t demo_realm_make(demo_realm_t *realm, const char *password, problem_t *problem);

/* Pins the other's key; the realm must not run. */
exit_code_t demo_realm_trust(const demo_realm_t *realm, const demo_realm_t *other,
                             problem_t *problem);

/* Starts the child and waits for its ready line. */
exit_code_t demo_realm_start(demo_realm_t *realm, problem_t *problem);

/* Asks the child to end and waits for it, with a bound, then kills it. */
void demo_realm_stop(demo_realm_t *realm);

/* True if the child has ended by itself; it is collected then. */
bool demo_realm_died(demo_realm_t *realm);

#endif
