/*
 * Every limit of the system, with its unit, in one place. A limit that is reached is a refusal
 * with a code, never a crash.
 */
#ifndef REALMGATE_BASE_LIMITS_H
#define REALMGATE_BASE_LIMITS_H

/* Names, passwords, texts and lines: fixed by the client protocol. */
#define NAME_BYTES_MAX     64
#define PASSWORD_BYTES_MAX 128
#define TEXT_BYTES_MAX     4096
#define LINE_BYTES_MAX     8192
#define ADDRESS_BYTES_MAX  255

/* A request line is cut into at most this many tokens, the request word included. */
#define REQUEST_TOKENS_MAX 8

/* Keys and digests, in bytes; KEY_TEXT_BYTES is unpadded base64url of a key. */
#define KEY_BYTES      32
#define KEY_TEXT_BYTES 43
#define DIGEST_BYTES   32
#define SALT_BYTES     16

/* A body sealed with XChaCha20-Poly1305: 24 bytes of nonce in front, 16 bytes of tag behind. */
#define SEAL_NONCE_BYTES    24
#define SEAL_TAG_BYTES      16
#define SEAL_OVERHEAD_BYTES (SEAL_NONCE_BYTES + SEAL_TAG_BYTES)
#define BODY_BYTES_MAX      (TEXT_BYTES_MAX + SEAL_OVERHEAD_BYTES)

/* Pages of a mailbox, in messages. */
#define PAGE_MESSAGES_DEFAULT 100
#define PAGE_MESSAGES_MAX     1000

/* Password hashing: Argon2id, RFC 9106; at least 19 MiB and 2 passes (OWASP). */
#define PASSWORD_HASH_PASSES       2
#define PASSWORD_HASH_MEMORY_BYTES (19U * 1024 * 1024)
#define PASSWORD_HASH_PASSES_MAX   16                   /* of imported hashes */
#define PASSWORD_HASH_MEMORY_MAX   (256U * 1024 * 1024) /* of imported hashes */
#define PASSWORD_JOBS_MAX          4096
#define SOURCES_MAX                65536 /* addresses with logins that failed lately */
#define SOURCE_JOBS_MAX            1024  /* password jobs of one address at a time */
#define PASSWORD_WORKERS           2
#define PASSWORD_PATIENCE_MS       1000 /* with a job in idle time; behind one that took longer */
#define PASSWORD_GRACE_MS          200  /* workers stand still for so long */
#define PASSWORD_GRACE_EVERY_MS    2000 /* so often, until it is over */

/* Sessions. */
#define TOKENS_PER_USER_MAX     16
#define DEFERRED_REQUESTS_MAX   4096                   /* of one connection */
#define DEFERRED_BYTES_MAX      (256ULL * 1024 * 1024) /* of all connections */
#define CONNECTIONS_MAX         19500
#define LISTEN_BACKLOG          4096
#define CONNECTION_REQUESTS_MAX 4096
#define CONNECTION_OUTPUT_MAX   (1U * 1024 * 1024)
#define CONNECTION_STALL_MS     60000
#define EVENT_BACKLOG_MAX       (256U * 1024) /* unsent bytes behind which events are left out */
#define LAGGED_MAILBOXES_MAX    1024          /* of one connection */
#define BATCH_BYTES_MAX         (4U * 1024 * 1024)
#define DRAIN_MS                4000

/* Refs: requests that a client may send again (@ref). */
#define REF_BYTES_MAX     64
#define REF_DIGEST_BYTES  16
#define REF_KEEP_MS       (24LL * 3600 * 1000)
#define REF_SWEEP_MS      60000
#define REF_SWEEP_BUSY_MS 10 /* while more than a slice is old */
#define REF_SWEEP_ROWS    512
#define REFS_MAX          1000000 /* of all users */
#define REFS_PER_USER_MAX 100000

/* Federation. */
#define PEER_PROTOCOL_VERSION  1
#define PEER_FRAME_BYTES_MAX   (1024U * 1024)
#define PEER_RECORDS_BYTES_MAX (64U * 1024)
#define PEER_RECORDS_MAX       512
#define PEER_REJECTIONS_MAX    4096
#define PEER_SOCKET_HWM        8192
#define STREAM_WINDOW_RECORDS  4096
#define STREAM_MARKS_MAX       8
#define STREAM_SEGMENTS_MAX    16
#define STREAM_OLDER_MAX       1024 /* segments, and marks, behind those of the stream row */
#define LINKS_MAX              1024
#define BROADCAST_RECORDS_MAX  65536 /* SENDGROUPREALM * of one commit */
#define HANDSHAKE_MS           5000
#define VERDICT_MS             2000
#define PULL_MS                2000
#define HEARTBEAT_MS           1000
#define HEARTBEATS_MISSED_MAX  3
#define RESEND_MS              1000
#define RECONNECT_MS_MIN       100
#define RECONNECT_MS_CALM      1000  /* at most, while few links are down; */
#define RECONNECT_MS_PER_LINK  30    /* so much for each of more, */
#define RECONNECT_MS_MAX       30000 /* up to this */
#define OUTBOX_SWEEP_MS        60000
#define OUTBOX_SWEEP_RECORDS   512

/* What an operator may set (types/settings.h), and what holds if nothing is set. */
#define RATE_PER_MINUTE_MAX        60000000U
#define RATE_BURST_MAX             1000000U
#define DEFAULT_AUTH_PER_MINUTE    1200U /* 20 a second; a hash takes tens of milliseconds */
#define DEFAULT_AUTH_BURST         200U  /* a class behind one address */
#define DEFAULT_LOGIN_TIMEOUT_MS   60000LL
#define DEFAULT_USERS_MAX          1000000U
#define DEFAULT_GROUPS_MAX         100000U
#define DEFAULT_MEMBERS_MAX        10000U
#define DEFAULT_MAILBOXES_MAX      4000000U
#define DEFAULT_OUTBOX_RECORDS_MAX 1000000U
#define DEFAULT_OUTBOX_BYTES_MAX   (1024ULL * 1024 * 1024)
#define DEFAULT_QUEUE_EXPIRY_MS    (5LL * 24 * 3600 * 1000)
#define SETTING_MS_MAX             (100LL * 366 * 24 * 3600 * 1000) /* a century */
#define SETTINGS_FILE_BYTES_MAX    (1024U * 1024)

/* A store that went back in time skips at least so many positions, at most twice as many. */
#define POSITION_JUMP (1ULL << 32)

/* The store. */
#define STORE_MAP_BYTES_START  (64ULL * 1024 * 1024)
#define STORE_HEADS_PER_COMMIT 256
#define RUN_BYTES_KEPT         (256UL * 1024) /* of memory, for what comes next */
#define STORE_FOLD_MS          1000 /* what is in the journal is in the tables after this long */
#define JOURNAL_BYTES_START    (256UL * 1024)
#define JOURNAL_BYTES_MAX      (16UL * 1024 * 1024) /* of each of the two */
#define JOURNAL_FOLD_BYTES     (2UL * 1024 * 1024)  /* so much is worth a fold */
#define JOURNAL_DISK_SHARE     16   /* a longer one takes this part of the free disk at most */
#define JOURNAL_AWAIT_MS       5000 /* how long a tool waits for a realm to fold */
#define STORE_CHECKPOINT_EVERY 262144

/* Retention: what stands at the front of the log and is too old goes, some of it at each commit. */
#define RETENTION_ROWS_MIN   512    /* looked at in one turn; more where more comes in, up to */
#define RETENTION_ROWS_MAX   4096   /* this many */
#define RETENTION_PAUSE_MS   1000   /* between two looks at a log that has nothing old left, */
#define RETENTION_SWEEP_MS   60000  /* at least and at most */
#define RETENTION_JUMP_MS    60000  /* a clock that moves this far by itself has jumped; */
#define RETENTION_HOLD_MS    600000 /* it is believed after this long, or after the retention */
#define STORE_NOTE_BYTES_MAX 256

#endif
