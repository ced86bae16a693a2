/*
 * The front end as others see it: made, asked for its address, joined. What it does is in
 * front_loop.c. Must never touch the loop while its thread runs.
 */
#include "net/front_end.h"

#include "base/assert.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/thread.h"
#include "front_loop.h"

#include <string.h>
#include <unistd.h>

struct front_end {
    front_loop_t loop;
    pthread_t thread;
    char address[LISTENER_ADDRESS_BYTES];
    char *admin_path; /* NULL: none */
};

static void *front_end_thread(void *argument) {
    front_end_t *front_end = argument;
    front_loop_run(&front_end->loop);
    return NULL;
}

static void front_end_free(front_end_t **front_end) {
    front_loop_deinit(&(*front_end)->loop);
    if ((*front_end)->admin_path != NULL) {
        (void)unlink((*front_end)->admin_path);
        memory_free((*front_end)->admin_path);
    }
    memory_free(*front_end);
    *front_end = NULL;
}

static char *front_end_copy(const char *text) {
    size_t bytes = strlen(text) + 1;
    return memcpy(memory_resize(NULL, bytes), text, bytes);
}

/* The admin socket's file is ours, to remove at the end, only once we have bound it. */
static bool front_end_open(front_end_t *front_end, const front_end_options_t *options,
                           const char **reason) {
    front_loop_t *loop = &front_end->loop;
    if (!listener_open_tcp(&loop->clients, options->clients, front_end->address, reason)) {
        return false;
    }
    if (options->admin_path != NULL) {
        if (!listener_open_admin(&loop->admin, options->admin_path, reason)) {
            return false;
        }
        front_end->admin_path = front_end_copy(options->admin_path);
    }
    if (!front_pipe_open(&loop->pipe, options->context, options->to_actor, options->from_actor)) {
        *reason = "the front end's sockets to the actor cannot be made";
        return false;
    }
    if (!front_loop_init(loop)) {
        *reason = "no descriptors are left for the front end";
        return false;
    }
    return true;
}

front_end_t *front_end_new(const front_end_options_t *options, const char **reason) {
    front_end_t *front_end = memory_alloc(sizeof(*front_end));
    front_end->loop = (front_loop_t){
        .epoll_fd = -1, .spare_fd = -1, .clients.fd = -1, .admin.fd = -1, .pipe.fd = -1};
    front_end->loop.limits = options->limits != NULL ? *options->limits : FRONT_LIMITS_DEFAULT;
    if (!front_end_open(front_end, options, reason)) {
        front_end_free(&front_end);
        return NULL;
    }
    if (!thread_start(&front_end->thread, front_end_thread, front_end)) {
        *reason = "the front end's thread cannot be started";
        front_end_free(&front_end);
        return NULL;
    }
    return front_end;
}

const char *front_end_address(const front_end_t *front_end) {
    return front_end->address;
}

void front_end_destroy(front_end_t **front_end) {
    if (*front_end == NULL) {
        return;
    }
    ASSERT(pthread_join((*front_end)->thread, NULL) == 0);
    front_end_free(front_end);
}
