/*
 * A library to preload into the program under test: it lets one call of one function fail.
 *
 *     INJECT=<caller>:<function>:<n>:<errno>   the n-th call of the function from the caller fails;
 *                                              n+ = that one and all behind it
 *     INJECT_COUNTS=<file>                     at exit: how often each function was called by whom
 *
 * The caller is the file the call comes from: realmgate, liblmdb, libzmq ... (a part of its name is
 * enough). Functions that give NULL or an error code instead of errno do so here as well. Must
 * never fail a call that was not asked for.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zmq.h>

enum { FUNCTIONS_MAX = 64, CALLERS = 5 };

static const char *const callers[CALLERS] = {"realmgate", "liblmdb", "libzmq", "libczmq",
                                             "libsodium"};

/* What the environment asks for, and the counts; written by the constructor, then only counted. */
static struct {
    char caller[32];
    char function[32];
    long nth;
    int error;
    int onwards;
    atomic_long seen;
    const char *counts;
    struct {
        const char *_Atomic name;
        atomic_long calls[CALLERS];
    } functions[FUNCTIONS_MAX];
} inject;

static __attribute__((constructor)) void inject_begin(void) {
    const char *wanted = getenv("INJECT");
    char nth[16] = "";
    inject.counts = getenv("INJECT_COUNTS");
    if (wanted == NULL)
        return;
    if (sscanf(wanted, "%31[^:]:%31[^:]:%15[^:]:%d", inject.caller, inject.function, nth,
               &inject.error) != 4)
        abort();
    inject.nth = strtol(nth, NULL, 10);
    inject.onwards = strchr(nth, '+') != NULL;
}

static __attribute__((destructor)) void inject_end(void) {
    FILE *file = inject.counts == NULL ? NULL : fopen(inject.counts, "w");
    if (file == NULL)
        return;
    for (int i = 0; i < FUNCTIONS_MAX && inject.functions[i].name != NULL; i++) {
        for (int k = 0; k < CALLERS; k++) {
            if (inject.functions[i].calls[k] > 0)
                (void)fprintf(file, "%s %s %ld\n", callers[k], inject.functions[i].name,
                              inject.functions[i].calls[k]);
        }
    }
    (void)fclose(file);
}

static const char *file_of(const void *address) {
    Dl_info info;
    return dladdr(address, &info) != 0 && info.dli_fname != NULL ? info.dli_fname : "";
}

static void count(const char *function, const void *address) {
    const char *file = file_of(address);
    int place = 0;
    for (; place < FUNCTIONS_MAX; place++) {
        const char *none = NULL;
        if (atomic_compare_exchange_strong(&inject.functions[place].name, &none, function) ||
            strcmp(none, function) == 0)
            break;
    }
    for (int k = 0; place < FUNCTIONS_MAX && k < CALLERS; k++) {
        if (strstr(file, callers[k]) != NULL)
            inject.functions[place].calls[k]++;
    }
}

/* Whether this call is the one that has to fail. */
static int fails(const char *function, const void *address) {
    if (inject.counts != NULL)
        count(function, address);
    if (strcmp(function, inject.function) != 0 || strstr(file_of(address), inject.caller) == NULL)
        return 0;
    long call = ++inject.seen;
    if (call != inject.nth && (!inject.onwards || call < inject.nth))
        return 0;
    errno = inject.error;
    return 1;
}

/* The real function; its address in the form that its caller wants. */
static void *real(const char *function) {
    void *found = dlsym(RTLD_NEXT, function);
    if (found == NULL)
        abort();
    return found;
}

#define CALLER __builtin_return_address(0)

/* One wrapper: type, name, what it returns when it fails, parameters and arguments. Fifty functions
 * of the same four lines would hide the list that this is. */
#define WRAP(type, name, failure, parameters, arguments)                                           \
    type name parameters;                                                                          \
    type name parameters {                                                                         \
        static type(*_Atomic function) parameters;                                                 \
        if (fails(#name, CALLER))                                                                  \
            return failure;                                                                        \
        if (function == NULL)                                                                      \
            function = (type(*) parameters)real(#name);                                            \
        return function arguments;                                                                 \
    }

WRAP(int, accept4, -1, (int a, struct sockaddr *b, socklen_t *c, int d), (a, b, c, d))
WRAP(int, epoll_create1, -1, (int a), (a))
WRAP(int, epoll_ctl, -1, (int a, int b, int c, struct epoll_event *d), (a, b, c, d))
WRAP(int, epoll_wait, -1, (int a, struct epoll_event *b, int c, int d), (a, b, c, d))
WRAP(int, socket, -1, (int a, int b, int c), (a, b, c))
WRAP(int, bind, -1, (int a, const struct sockaddr *b, socklen_t c), (a, b, c))
WRAP(int, listen, -1, (int a, int b), (a, b))
WRAP(int, eventfd, -1, (unsigned a, int b), (a, b))
WRAP(ssize_t, read, -1, (int a, void *b, size_t c), (a, b, c))
WRAP(ssize_t, recv, -1, (int a, void *b, size_t c, int d), (a, b, c, d))
WRAP(ssize_t, write, -1, (int a, const void *b, size_t c), (a, b, c))
WRAP(ssize_t, send, -1, (int a, const void *b, size_t c, int d), (a, b, c, d))
WRAP(ssize_t, pwrite, -1, (int a, const void *b, size_t c, off_t d), (a, b, c, d))
WRAP(ssize_t, writev, -1, (int a, const struct iovec *b, int c), (a, b, c))
WRAP(int, fdatasync, -1, (int a), (a))
WRAP(int, fsync, -1, (int a), (a))
WRAP(int, ftruncate, -1, (int a, off_t b), (a, b))
WRAP(int, renameat, -1, (int a, const char *b, int c, const char *d), (a, b, c, d))
WRAP(int, msync, -1, (void *a, size_t b, int c), (a, b, c))
WRAP(void *, mmap, (void *)-1, (void *a, size_t b, int c, int d, int e, off_t f),
     (a, b, c, d, e, f))
WRAP(ssize_t, pread, -1, (int a, void *b, size_t c, off_t d), (a, b, c, d))
WRAP(int, flock, -1, (int a, int b), (a, b))
WRAP(ssize_t, getrandom, -1, (void *a, size_t b, unsigned c), (a, b, c))
WRAP(int, getentropy, -1, (void *a, size_t b), (a, b))
WRAP(int, posix_fallocate, inject.error, (int a, off_t b, off_t c), (a, b, c))
WRAP(int, pthread_create, inject.error,
     (pthread_t * a, const pthread_attr_t *b, void *(*c)(void *), void *d), (a, b, c, d))

WRAP(int, mdb_env_open, inject.error, (MDB_env * a, const char *b, unsigned c, mdb_mode_t d),
     (a, b, c, d))
WRAP(int, mdb_env_set_mapsize, inject.error, (MDB_env * a, size_t b), (a, b))
WRAP(int, mdb_txn_begin, inject.error, (MDB_env * a, MDB_txn *b, unsigned c, MDB_txn **d),
     (a, b, c, d))
WRAP(int, mdb_txn_renew, inject.error, (MDB_txn * a), (a))
WRAP(int, mdb_dbi_open, inject.error, (MDB_txn * a, const char *b, unsigned c, MDB_dbi *d),
     (a, b, c, d))
WRAP(int, mdb_put, inject.error, (MDB_txn * a, MDB_dbi b, MDB_val *c, MDB_val *d, unsigned e),
     (a, b, c, d, e))
WRAP(int, mdb_get, inject.error, (MDB_txn * a, MDB_dbi b, MDB_val *c, MDB_val *d), (a, b, c, d))
WRAP(int, mdb_del, inject.error, (MDB_txn * a, MDB_dbi b, MDB_val *c, MDB_val *d), (a, b, c, d))
WRAP(int, mdb_cursor_open, inject.error, (MDB_txn * a, MDB_dbi b, MDB_cursor **c), (a, b, c))
WRAP(int, mdb_cursor_get, inject.error, (MDB_cursor * a, MDB_val *b, MDB_val *c, MDB_cursor_op d),
     (a, b, c, d))

/* These two have a mode only where they make a file. */
static mode_t mode_of(int flags, va_list arguments) {
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

int open(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    if (fails("open", CALLER))
        return -1;
    return ((int (*)(const char *, int, mode_t))real("open"))(path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    if (fails("openat", CALLER))
        return -1;
    return ((int (*)(int, const char *, int, mode_t))real("openat"))(directory, path, flags, mode);
}

/* A commit that fails has ended its transaction all the same. */
int mdb_txn_commit(MDB_txn *transaction) {
    if (fails("mdb_txn_commit", CALLER)) {
        mdb_txn_abort(transaction);
        return inject.error;
    }
    return ((int (*)(MDB_txn *))real("mdb_txn_commit"))(transaction);
}

WRAP(void *, zmq_socket, NULL, (void *a, int b), (a, b))
WRAP(int, zmq_bind, -1, (void *a, const char *b), (a, b))
WRAP(int, zmq_connect, -1, (void *a, const char *b), (a, b))
WRAP(int, zmq_setsockopt, -1, (void *a, int b, const void *c, size_t d), (a, b, c, d))
WRAP(int, zmq_poll, -1, (zmq_pollitem_t * a, int b, long c), (a, b, c))
WRAP(int, zmq_msg_init_size, -1, (zmq_msg_t * a, size_t b), (a, b))
WRAP(int, zmq_msg_init_data, -1, (zmq_msg_t * a, void *b, size_t c, zmq_free_fn *d, void *e),
     (a, b, c, d, e))
WRAP(int, zmq_msg_send, -1, (zmq_msg_t * a, void *b, int c), (a, b, c))
WRAP(int, zmq_msg_recv, -1, (zmq_msg_t * a, void *b, int c), (a, b, c))

/* dlsym itself allocates: these three go by the names that glibc keeps for that. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);

static int memory_fails(const char *function, const void *address) {
    return strcmp(function, inject.function) == 0 && fails(function, address);
}

void *malloc(size_t bytes) {
    return memory_fails("malloc", CALLER) ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t number, size_t bytes) {
    return memory_fails("calloc", CALLER) ? NULL : __libc_calloc(number, bytes);
}

void *realloc(void *memory, size_t bytes) {
    return memory_fails("realloc", CALLER) ? NULL : __libc_realloc(memory, bytes);
}
