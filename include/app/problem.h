/*
 * A sentence for people that says why something could not be done. Functions of this folder that
 * can fail return an exit code (or false) and write the sentence here.
 */
#ifndef REALMGATE_APP_PROBLEM_H
#define REALMGATE_APP_PROBLEM_H

typedef struct problem {
    char text[512];
} problem_t;

/* Like snprintf; what is too long is cut. */
void problem_set(problem_t *problem, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
