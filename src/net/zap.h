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

/* Takes the next question, if there is one; zap_answer must follow before the next zap_ask. */
bool zap_ask(zap_t *zap);

/* Answers the question by what is allowed now; returns whether the key was let in. A session that
 * is let in has the key's text as its User-Id. */
bool zap_answer(zap_t *zap);

void zap_allow(zap_t *zap, const uint8_t key[KEY_BYTES]);
void zap_deny(zap_t *zap, const uint8_t key[KEY_BYTES]);

/* From now on every key that proves itself enters, or only the allowed ones. */
void zap_accept(zap_t *zap, bool any);

#endif
