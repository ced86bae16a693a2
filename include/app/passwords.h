/*
 * Password hashing, Argon2id (RFC 9106): the work itself, and a pool of threads that does it, so
 * that neither the actor nor the front end waits for it.
 */
#ifndef REALMGATE_APP_PASSWORDS_H
#define REALMGATE_APP_PASSWORDS_H

#include "types/effect.h"
#include "types/event.h"

/* What a job came to; becomes an EVENT_PASSWORD. */
typedef struct password_answer {
    uint64_t job;
    bool ok;                /* VERIFY: it matches; HASH, KEY: done; false = no memory, or BUSY */
    password_hash_t hash;   /* HASH */
    uint8_t key[KEY_BYTES]; /* KEY */
} password_answer_t;

/* Does one job in the calling thread: tens of milliseconds and 19 MiB. Any thread may call. The
 * password stays the caller's to wipe. */
void password_work(const password_job_t *job, password_answer_t *answer);

/* The EVENT_PASSWORD of an answer; the times are left for the caller. */
void password_event(const password_answer_t *answer, event_t *event);

/* PASSWORD_WORKERS threads, each fed over a pair of inproc sockets of its own; what they cannot
 * take at once waits in the pool. One thread owns the pool: all functions below are its to call. */
typedef struct password_pool password_pool_t;

/* Each worker has a process of `program`, this program's own file, that does its jobs in idle time
 * (app/password_process.h); NULL: none has. NULL if the system gives no threads. The caller
 * destroys it, and keeps `program` until then. */
password_pool_t *password_pool_new(void *context, const char *program);

/* Waits for the jobs that the workers are at, drops those that wait, joins the threads. */
void password_pool_destroy(password_pool_t **pool);

/* Copies the job. False if PASSWORD_JOBS_MAX are outstanding: answer it with ok = false. Never
 * blocks. */
bool password_pool_add(password_pool_t *pool, const password_job_t *job);

/* The next answer, if there is one. Never blocks. */
bool password_pool_take(password_pool_t *pool, password_answer_t *answer);

/* A socket to poll on for input: answers are there. */
void *password_pool_socket(password_pool_t *pool);

#endif
