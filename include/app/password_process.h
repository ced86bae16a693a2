/*
 * A process of our own program that does password jobs with the time that all others leave: its
 * scheduling class is SCHED_IDLE, which is pushed aside in an instant, where an ordinary thread,
 * however nice, keeps a core for a slice of milliseconds. It is a process, because where there is
 * no time at all it stops wherever it is, and a thread might stop with a lock of the whole process
 * in the kernel. It ends by itself when its owner is gone.
 */
#ifndef REALMGATE_APP_PASSWORD_PROCESS_H
#define REALMGATE_APP_PASSWORD_PROCESS_H

#include "app/passwords.h"

#include <sys/types.h>

/* What the program is called (argv[0]) when it is to be such a process. */
#define PASSWORD_PROCESS_NAME "realmgate-passwords"

/* Its main: serves the socket that is its standard input until that ends. The exit code. */
int password_process_main(void);

typedef struct password_process password_process_t;

/* Starts `program`, a path; NULL if that cannot be. The caller destroys it. One thread uses it. */
password_process_t *password_process_new(const char *program);

/* For who wants to see what it does. */
pid_t password_process_pid(const password_process_t *process);

/* Ends it at once, whatever it is at. */
void password_process_destroy(password_process_t **process);

/* Does a job; the password stays the caller's to wipe. False if there is no answer after
 * PASSWORD_PATIENCE_MS, or none will come: do it yourself. As long as the process has not answered
 * what it was late with it is not asked again, and this is false; but it may be the owners who
 * leave it no time, so in PASSWORD_GRACE_MS of each PASSWORD_GRACE_EVERY_MS this waits for that
 * answer first. */
bool password_process_work(password_process_t *process, const password_job_t *job,
                           password_answer_t *answer);

#endif
