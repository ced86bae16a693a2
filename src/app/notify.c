/*
 * Words to the service manager. Must never make a difference to the realm: there may be nobody to
 * tell.
 */
#include "app/notify.h"

#include "base/assert.h"
#include "base/log.h"

#include <inttypes.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

static void check(int sent) {
    if (sent < 0) {
        log_event(LEVEL_DEBUG, "notify-failed", "reason", strerror(-sent), NULL);
    }
}

void notify_ready(const char *status) {
    check(sd_notifyf(0, "READY=1\nSTATUS=%s", status));
}

void notify_reloading(void) {
    struct timespec now;
    ASSERT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    int64_t now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    check(sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\nSTATUS=reading the configuration",
                     now_us));
}

void notify_stopping(void) {
    check(sd_notify(0, "STOPPING=1\nSTATUS=answering what was received"));
}

int64_t notify_alive_ms(void) {
    uint64_t usec = 0;
    if (sd_watchdog_enabled(0, &usec) <= 0) {
        return 0;
    }
    int64_t half_ms = (int64_t)(usec / 2000);
    return half_ms > 0 ? half_ms : 1;
}

void notify_alive(void) {
    check(sd_notify(0, "WATCHDOG=1"));
}
