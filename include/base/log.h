/*
 * The log: one line an event on standard error, text or JSON. No password, token or message body
 * ever goes in.
 *
 *     log_event(LEVEL_INFO, "link-up", "realm", "b", "rtt_ms", "0.4", NULL);
 *
 * As text: `2026-11-22T10:00:00.123Z info realm=a link-up realm=b rtt_ms=0.4`. As JSON:
 * `{"time":"...","level":"info","realm":"a","event":"link-up","other_realm":"b","rtt_ms":"0.4"}`;
 * a key of the head's own (time, level, realm, event) gets the prefix `other_` there, so that no
 * key stands twice.
 *
 * Any thread may call; each line is one write(2). The realm's name is set once, before threads.
 */
#ifndef REALMGATE_BASE_LOG_H
#define REALMGATE_BASE_LOG_H

#include <stdbool.h>

typedef enum log_level { LEVEL_ERROR, LEVEL_WARN, LEVEL_INFO, LEVEL_DEBUG } log_level_t;

/* Not thread-safe: call before any thread is started. Before it: LEVEL_INFO, text. */
void log_start(log_level_t level, bool json, const char *realm);

/* Another level and format, at any time, from any thread; a line that is being written keeps the
 * format that it began with. */
void log_change(log_level_t level, bool json);

/* Keys and values alternate as C strings, ended by NULL; a NULL value ends the list too. Values are
 * quoted and escaped as needed; a line is at most 1024 bytes, longer ones are cut. */
void log_event(log_level_t level, const char *event, ...);

#endif
