/*
 * The stable codes of error replies and of verdicts between realms. The numbers of verdicts go
 * over the wire and into the store: never renumber, only append.
 */
#ifndef REALMGATE_TYPES_CODE_H
#define REALMGATE_TYPES_CODE_H

typedef enum code {
    CODE_OK = 0,
    CODE_PROTOCOL = 1,
    CODE_TOO_LONG = 2,
    CODE_BAD_NAME = 3,
    CODE_BAD_TEXT = 4,
    CODE_AUTH_REQUIRED = 5,
    CODE_AUTH_FAILED = 6,
    CODE_FORBIDDEN = 7,
    CODE_SERVER_ONLY = 8,
    CODE_USER_EXISTS = 9,
    CODE_NO_USER = 10,
    CODE_GROUP_EXISTS = 11,
    CODE_NO_GROUP = 12,
    CODE_GROUP_PASSWORD = 13,
    CODE_ALREADY_MEMBER = 14,
    CODE_NOT_MEMBER = 15,
    CODE_NO_REALM = 16,
    CODE_REALM_UNREACHABLE = 17,
    CODE_REALM_KEY = 18,
    CODE_GROUP_MISMATCH = 19,
    CODE_QUEUE_FULL = 20,
    CODE_STORE = 21,
    CODE_BUSY = 22,
    CODE_EXPIRED = 23, /* a verdict only: the outbox gave up on a record; never a reply */
    CODE_COUNT
} code_t;

#endif
