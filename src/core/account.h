/*
 * What other files of the core need of accounts.
 */
#ifndef REALMGATE_CORE_ACCOUNT_H
#define REALMGATE_CORE_ACCOUNT_H

#include "model.h"

/* The worker hashed a password: makes the user, or sets its new password. */
void account_hash_ready(turn_t *turn, const pending_t *pending, const password_hash_t *hash);

/* The name that bounces come from; no account can have it. */
#define ACCOUNT_RESERVED "realm"

#endif
