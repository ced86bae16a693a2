/*
 * The ZAP handler (ZeroMQ RFC 27): decides which CURVE keys get a session with our ROUTER. Owned by
 * the federation thread; nothing here blocks.
 */
#ifndef REALMGATE_NET_ZAP_H
#define REALMGATE_NET_ZAP_H

#include "base/limits.h"

#include <stdbool.h>
#include <stdint.h>

#define ZAP_DOMAIN "realmgate"

typedef struct zap zap_t;

/* Binds the handler's endpoint in czmq's context: before the ROUTER it guards is bound. NULL if
 * there already is a handler in the context, or no socket left. With accept_any every key enters
 * that proves itself. */
zap_t *zap_new(bool accept_any);
void zap_destroy(zap_t **zap);

/* The socket to poll for reading. Valid as long as the handler. */
void *zap_socket(const zap_t *zap);

/* Answers what has been asked. A session that is let in has the key's text as its User-Id. Returns
 * how many were refused. */
uint32_t zap_answer(zap_t *zap);

void zap_allow(zap_t *zap, const uint8_t key[KEY_BYTES]);
void zap_deny(zap_t *zap, const uint8_t key[KEY_BYTES]);

#endif
