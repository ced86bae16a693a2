/*
 * What the service manager is told (sd_notify). Without one, or for one that does not ask, nothing
 * happens. Nothing here blocks; a message that cannot be sent is dropped.
 */
#ifndef REALMGATE_APP_NOTIFY_H
#define REALMGATE_APP_NOTIFY_H

#include <stdint.h>

/* The realm serves; the sentence is what `systemctl status` shows. */
void notify_ready(const char *status);

/* The configuration is being read again; notify_ready ends that, whatever came of it. */
void notify_reloading(void);

void notify_stopping(void);

/* How often notify_alive is to be called, in milliseconds: twice in the time after which the
 * service manager takes a silent process for dead. 0 = never. */
int64_t notify_alive_ms(void);
void notify_alive(void);

#endif
