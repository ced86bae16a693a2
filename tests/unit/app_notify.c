/* links: base wire core store net app */
/*
 * What the service manager hears, over a real datagram socket.
 */
#include "app/notify.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

typedef struct manager {
    char directory[64];
    struct sockaddr_un address;
    int socket;
    char heard[512];
} manager_t;

static manager_t manager;

static void setup(void) {
    (void)strcpy(manager.directory, "/tmp/realmgate-unit-XXXXXX");
    cr_assert_not_null(mkdtemp(manager.directory));
    manager.address = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)snprintf(manager.address.sun_path, sizeof manager.address.sun_path, "%s/notify",
                   manager.directory);
    manager.socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    cr_assert_eq(
        bind(manager.socket, (const struct sockaddr *)&manager.address, sizeof manager.address), 0);
    setenv("NOTIFY_SOCKET", manager.address.sun_path, 1);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

static void teardown(void) {
    cr_assert_eq(close(manager.socket), 0);
    cr_assert_eq(unlink(manager.address.sun_path), 0);
    cr_assert_eq(rmdir(manager.directory), 0);
}

TestSuite(notify, .init = setup, .fini = teardown);

static const char *hear(void) {
    ssize_t length = recv(manager.socket, manager.heard, sizeof manager.heard - 1, 0);
    cr_assert_gt(length, 0);
    manager.heard[length] = '\0';
    return manager.heard;
}

Test(notify, ready_with_a_status) {
    notify_ready("realm a serves");
    cr_assert_str_eq(hear(), "READY=1\nSTATUS=realm a serves");
}

Test(notify, reloading_says_when) {
    struct timespec before;
    int64_t usec = 0;
    cr_assert_eq(clock_gettime(CLOCK_MONOTONIC, &before), 0);
    notify_reloading();
    cr_assert_eq(sscanf(hear(), "RELOADING=1\nMONOTONIC_USEC=%" SCNd64 "\nSTATUS=", &usec), 1);
    cr_assert_geq(usec, (int64_t)before.tv_sec * 1000000 + before.tv_nsec / 1000);
}

Test(notify, stopping) {
    notify_stopping();
    cr_assert_eq(strncmp(hear(), "STOPPING=1\nSTATUS=", 18), 0);
}

Test(notify, is_alive_twice_in_the_time_that_is_asked_for) {
    cr_assert_eq(notify_alive_ms(), 0);
    setenv("WATCHDOG_USEC", "3000000", 1);
    cr_assert_eq(notify_alive_ms(), 1500);
    setenv("WATCHDOG_PID", "1", 1); /* meant for another process */
    cr_assert_eq(notify_alive_ms(), 0);
    notify_alive();
    cr_assert_str_eq(hear(), "WATCHDOG=1");
}

Test(notify, nobody_asks_and_nothing_happens) {
    unsetenv("NOTIFY_SOCKET");
    notify_ready("x");
    setenv("NOTIFY_SOCKET", "/nowhere/notify", 1);
    notify_ready("x");
    notify_alive();
    cr_assert_lt(recv(manager.socket, manager.heard, sizeof manager.heard, 0), 0);
}
