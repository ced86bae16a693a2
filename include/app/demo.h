/*
 * Two linked realms to try out.
 */
#ifndef REALMGATE_APP_DEMO_H
#define REALMGATE_APP_DEMO_H

#include "app/exit_code.h"
#include "app/problem.h"

/* Runs until SIGINT or SIGTERM; what it prints is meant for people. Everything it makes is in a
 * temporary directory that is removed at the end, whatever the end is. EXIT_RUNTIME and a sentence
 * if something fails or one of the realms ends by itself. */
exit_code_t demo_run(problem_t *problem);

#endif
