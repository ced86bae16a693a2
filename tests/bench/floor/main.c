/*
 * bench_floor: the least that a server of lines can do. One thread, epoll; each line gets the same
 * reply of 45 bytes. With --log it is the durable floor: what one turn of the loop has read from
 * all connections is appended to a file with one write and one fdatasync, and only then answered.
 * Must never look at a line: whatever a server does beside this is what it can be measured by.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define INPUT_BYTES   65536
#define REPLIES_BYTES 65536 /* that are sent at once, at most */
#define EVENTS        512
#define BACKLOG       4096
#define STALL_AFTER_S 0.5 /* of the first line that was read */

static const char reply[] = "{\"ok\":true,\"message\":\"Message sent now.\"}\r\n\r\n";
enum { REPLY_BYTES = sizeof(reply) - 1 };
_Static_assert(REPLY_BYTES == 45, "the reply has the size of an answer to SEND");

/* Replies repeat, so what a connection is owed is two numbers. */
typedef struct owed {
    uint64_t bytes;
    uint32_t offset; /* in the reply that is sent next */
} owed_t;

typedef struct floor_server {
    int listener, epoll;
    int log;      /* negative without --log */
    owed_t *owed; /* by descriptor */
    int owed_max;
    char *input, *replies;
    char *logged; /* what this turn has read: EVENTS * INPUT_BYTES */
    size_t logged_bytes;
    int answered[EVENTS]; /* connections that wait for the log */
    size_t answered_count;
    double stall_s;    /* 0: never */
    double stall_at_s; /* 0: not known yet */
} floor_server_t;

static double now_s(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void watch(const floor_server_t *server, int operation, int fd, uint32_t events) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    (void)epoll_ctl(server->epoll, operation, fd, &event);
}

/* False: the connection is closed now. */
static bool answer(floor_server_t *server, int fd) {
    owed_t *owed = &server->owed[fd];
    while (owed->bytes > 0) {
        size_t most = owed->bytes < REPLIES_BYTES ? (size_t)owed->bytes : REPLIES_BYTES;
        ssize_t sent = send(fd, server->replies + owed->offset, most, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            watch(server, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT);
            return true;
        }
        if (sent < 0) {
            (void)close(fd);
            return false;
        }
        owed->bytes -= (uint64_t)sent;
        owed->offset = (uint32_t)((owed->offset + (size_t)sent) % REPLY_BYTES);
    }
    return true;
}

static void accept_all(floor_server_t *server) {
    int on = 1;
    int fd;
    while ((fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (fd >= server->owed_max) {
            (void)close(fd);
            continue;
        }
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        server->owed[fd] = (owed_t){0};
        watch(server, EPOLL_CTL_ADD, fd, EPOLLIN);
    }
}

static uint64_t count_lines(const char *data, size_t length) {
    const char *end = data + length;
    uint64_t count = 0;
    while ((data = memchr(data, '\n', (size_t)(end - data))) != NULL) {
        count++;
        data++;
    }
    return count;
}

/* Once, a while after the first line, it does nothing for a while: for who wants to see whether a
 * generator notices. */
static void stall(floor_server_t *server) {
    if (server->stall_s <= 0)
        return;
    double now = now_s();
    if (server->stall_at_s <= 0)
        server->stall_at_s = now + STALL_AFTER_S;
    if (now < server->stall_at_s)
        return;
    struct timespec left = {.tv_sec = (time_t)server->stall_s};
    left.tv_nsec = (long)((server->stall_s - (double)left.tv_sec) * 1e9);
    while (nanosleep(&left, &left) != 0) {
    }
    server->stall_s = 0;
}

static void hear(floor_server_t *server, int fd) {
    char *into = server->log < 0 ? server->input : server->logged + server->logged_bytes;
    ssize_t got = recv(fd, into, INPUT_BYTES, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        (void)close(fd);
        return;
    }
    stall(server);
    server->owed[fd].bytes += count_lines(into, (size_t)got) * REPLY_BYTES;
    if (server->log < 0) {
        (void)answer(server, fd);
        return;
    }
    server->logged_bytes += (size_t)got;
    server->answered[server->answered_count++] = fd;
}

/* False: the log could not be written, so nothing may be answered. */
static bool make_durable(floor_server_t *server) {
    if (server->answered_count == 0)
        return true;
    ssize_t length = (ssize_t)server->logged_bytes;
    if (write(server->log, server->logged, server->logged_bytes) != length ||
        fdatasync(server->log) != 0) {
        perror("bench_floor: log");
        return false;
    }
    for (size_t i = 0; i < server->answered_count; i++)
        (void)answer(server, server->answered[i]);
    server->answered_count = 0;
    server->logged_bytes = 0;
    return true;
}

static void handle(floor_server_t *server, const struct epoll_event *event) {
    int fd = event->data.fd;
    if (fd == server->listener) {
        accept_all(server);
        return;
    }
    if ((event->events & EPOLLOUT) != 0) {
        watch(server, EPOLL_CTL_MOD, fd, EPOLLIN);
        if (!answer(server, fd))
            return;
    }
    if ((event->events & ~(uint32_t)EPOLLOUT) != 0)
        hear(server, fd);
}

static bool serve(floor_server_t *server) {
    struct epoll_event events[EVENTS];
    for (;;) {
        int count = epoll_wait(server->epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++)
            handle(server, &events[i]);
        if (!make_durable(server))
            return false;
    }
}

static bool listen_on(floor_server_t *server, uint16_t port) {
    int on = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server->epoll < 0 || server->listener < 0)
        return false;
    (void)setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(server->listener, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(server->listener, BACKLOG) != 0)
        return false;
    watch(server, EPOLL_CTL_ADD, server->listener, EPOLLIN);
    return true;
}

/* As many connections as the system allows. */
static bool prepare_rooms(floor_server_t *server) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return false;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return false;
    server->owed_max = limit.rlim_cur < 1000000 ? (int)limit.rlim_cur : 1000000;
    server->owed = calloc((size_t)server->owed_max, sizeof(owed_t));
    server->input = malloc(INPUT_BYTES);
    server->replies = malloc(REPLIES_BYTES + REPLY_BYTES);
    if (server->log >= 0)
        server->logged = malloc((size_t)EVENTS * INPUT_BYTES);
    if (server->owed == NULL || server->input == NULL || server->replies == NULL ||
        (server->log >= 0 && server->logged == NULL))
        return false;
    for (size_t i = 0; i < REPLIES_BYTES + REPLY_BYTES; i++)
        server->replies[i] = reply[i % REPLY_BYTES];
    return true;
}

static void free_rooms(floor_server_t *server) {
    free(server->owed);
    free(server->input);
    free(server->replies);
    free(server->logged);
}

static bool read_words(floor_server_t *server, int count, char **words, long *port) {
    static const struct option known[] = {{"port", required_argument, NULL, 'p'},
                                          {"log", required_argument, NULL, 'l'},
                                          {"stall-ms", required_argument, NULL, 's'},
                                          {NULL, 0, NULL, 0}};
    int letter;
    while ((letter = getopt_long(count, words, "", known, NULL)) != -1) {
        if (letter == 'p')
            *port = strtol(optarg, NULL, 10);
        else if (letter == 's')
            server->stall_s = strtod(optarg, NULL) / 1000;
        else if (letter == 'l')
            server->log = open(optarg, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        else
            return false;
        if (letter == 'l' && server->log < 0)
            return false;
    }
    return optind == count && *port > 0 && *port <= UINT16_MAX;
}

int main(int count, char **words) {
    floor_server_t server = {.log = -1};
    long port = 0;
    if (!read_words(&server, count, words, &port)) {
        (void)fprintf(stderr, "usage: bench_floor --port N [--log FILE] [--stall-ms N]\n");
        return 2;
    }
    bool ready = prepare_rooms(&server) && listen_on(&server, (uint16_t)port);
    if (!ready)
        perror("bench_floor");
    bool served = ready && serve(&server);
    free_rooms(&server);
    return served ? 0 : 1;
}
