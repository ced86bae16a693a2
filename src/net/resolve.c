/*
 * Host names to endpoints. A thread started here must never touch anything but its own job: the
 * federation may be gone by the time that a slow name service answers.
 */
#include "resolve.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/memory.h"

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for a numeric IPv6 address with its zone. */
#define NUMBER_BYTES 72

typedef struct resolve_job {
    int reply;
    uint64_t subject;
    uint16_t port;
    char host[ADDRESS_BYTES_MAX + 1];
} resolve_job_t;

static void resolved_add(resolved_t *resolved, const struct addrinfo *address, uint16_t port) {
    char number[NUMBER_BYTES];
    if (getnameinfo(address->ai_addr, address->ai_addrlen, number, sizeof number, NULL, 0,
                    NI_NUMERICHOST) != 0) {
        return;
    }
    char *endpoint = resolved->endpoints[resolved->count];
    int length = address->ai_family == AF_INET6
                     ? snprintf(endpoint, ENDPOINT_BYTES, "tcp://[%s]:%u", number, (unsigned)port)
                     : snprintf(endpoint, ENDPOINT_BYTES, "tcp://%s:%u", number, (unsigned)port);
    if (length > 0 && length < ENDPOINT_BYTES) {
        resolved->count++;
    }
}

static bool resolve_with(resolved_t *resolved, const char *host, uint16_t port, int flags) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
    struct addrinfo *list = NULL;
    resolved->count = 0;
    if (getaddrinfo(host, NULL, &hints, &list) != 0) {
        return false;
    }
    for (const struct addrinfo *address = list;
         address != NULL && resolved->count < RESOLVED_ENDPOINTS_MAX; address = address->ai_next) {
        if (address->ai_family == AF_INET || address->ai_family == AF_INET6) {
            resolved_add(resolved, address, port);
        }
    }
    freeaddrinfo(list);
    return resolved->count > 0;
}

bool resolve_number(resolved_t *resolved, const char *host, uint16_t port) {
    return resolve_with(resolved, host, port, AI_NUMERICHOST);
}

bool resolve_name(resolved_t *resolved, const char *host, uint16_t port) {
    return resolve_with(resolved, host, port, 0);
}

static void *resolve_thread(void *argument) {
    resolve_job_t *job = argument;
    resolved_t resolved = {.subject = job->subject};
    (void)resolve_name(&resolved, job->host, job->port);
    /* Nobody may be listening any more; then there is nobody to tell. */
    (void)send(job->reply, &resolved, sizeof resolved, MSG_NOSIGNAL);
    (void)close(job->reply);
    memory_free(job);
    return NULL;
}

static bool resolve_detach(resolve_job_t *job) {
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    pthread_t thread;
    int rc = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    ASSERT(rc == 0);
    bool started = pthread_create(&thread, &attributes, resolve_thread, job) == 0;
    (void)pthread_attr_destroy(&attributes);
    return started;
}

bool resolve_start(int reply, uint64_t subject, const char *host, uint16_t port) {
    ASSERT(host != NULL && strlen(host) <= ADDRESS_BYTES_MAX);
    resolve_job_t *job = memory_alloc(sizeof *job);
    job->subject = subject;
    job->port = port;
    memcpy(job->host, host, strlen(host) + 1);
    job->reply = dup(reply);
    if (job->reply >= 0 && resolve_detach(job)) {
        return true;
    }
    if (job->reply >= 0) {
        (void)close(job->reply);
    }
    memory_free(job);
    return false;
}
