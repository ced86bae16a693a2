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
#define PASSWORD_JOBS_MAX          4096
#define PASSWORD_WORKERS           2

/* Sessions. */
#define TOKENS_PER_USER_MAX     16
#define DEFERRED_REQUESTS_MAX   4096                   /* of one connection */
#define DEFERRED_BYTES_MAX      (256ULL * 1024 * 1024) /* of all connections */
#define CONNECTIONS_MAX         19500
#define LISTEN_BACKLOG          4096
#define CONNECTION_REQUESTS_MAX 4096
#define CONNECTION_OUTPUT_MAX   (1U * 1024 * 1024)
#define CONNECTION_STALL_MS     60000
#define BATCH_BYTES_MAX         (4U * 1024 * 1024)
#define DRAIN_MS                4000

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
#define OUTBOX_RECORDS_MAX     1000000
#define OUTBOX_BYTES_MAX       (1024LL * 1024 * 1024)
#define LINKS_MAX              1024
#define HANDSHAKE_MS           5000
#define VERDICT_MS             2000
#define PULL_MS                2000
#define HEARTBEAT_MS           1000
#define HEARTBEATS_MISSED_MAX  3
#define RESEND_MS              1000
#define RECONNECT_MS_MIN       100
#define RECONNECT_MS_MAX       30000
#define OUTBOX_EXPIRY_MS       (5LL * 24 * 3600 * 1000)
#define OUTBOX_SWEEP_MS        60000
#define OUTBOX_SWEEP_RECORDS   512

/* The store. */
#define STORE_MAP_BYTES_START  (64ULL * 1024 * 1024)
#define STORE_HEADS_PER_COMMIT 256
#define STORE_CHECKPOINT_EVERY 262144

#endif
