/*
 * The production limits, with those lowered that two thousand events would never reach. The
 * simulator builds the production sources against this header, so that windows fill, segments and
 * marks roll over, sweeps take several rounds and checkpoints are spread over commits.
 */
#ifndef REALMGATE_SIM_LIMITS_H
#define REALMGATE_SIM_LIMITS_H

#include "../../../../include/base/limits.h"

#undef TOKENS_PER_USER_MAX
#define TOKENS_PER_USER_MAX 3
#undef DEFERRED_REQUESTS_MAX
#define DEFERRED_REQUESTS_MAX 32
#undef PASSWORD_JOBS_MAX
#define PASSWORD_JOBS_MAX 24

/* Clocks here jump by days: that a ref ends after its day is for the tests of the core. */
#undef REF_KEEP_MS
#define REF_KEEP_MS (3650LL * 24 * 3600 * 1000)
#undef REFS_PER_USER_MAX
#define REFS_PER_USER_MAX 60

#undef PEER_RECORDS_MAX
#define PEER_RECORDS_MAX 5
#undef PEER_RECORDS_BYTES_MAX
#define PEER_RECORDS_BYTES_MAX 6000
#undef PEER_REJECTIONS_MAX
#define PEER_REJECTIONS_MAX 6
#undef STREAM_WINDOW_RECORDS
#define STREAM_WINDOW_RECORDS 12
#undef STREAM_MARKS_MAX
#define STREAM_MARKS_MAX 2
#undef STREAM_SEGMENTS_MAX
#define STREAM_SEGMENTS_MAX 2
#undef DEFAULT_OUTBOX_RECORDS_MAX
#define DEFAULT_OUTBOX_RECORDS_MAX 40
#undef DEFAULT_OUTBOX_BYTES_MAX
#define DEFAULT_OUTBOX_BYTES_MAX 20000ULL
#undef STREAM_OLDER_MAX
#define STREAM_OLDER_MAX 60
#undef OUTBOX_SWEEP_RECORDS
#define OUTBOX_SWEEP_RECORDS 4
#undef OUTBOX_SWEEP_MS
#define OUTBOX_SWEEP_MS 3000

#undef STORE_HEADS_PER_COMMIT
#define STORE_HEADS_PER_COMMIT 3
#undef STORE_CHECKPOINT_EVERY
#define STORE_CHECKPOINT_EVERY 24

#undef RETENTION_ROWS_MIN
#define RETENTION_ROWS_MIN 3
#undef RETENTION_ROWS_MAX
#define RETENTION_ROWS_MAX 9
#undef RETENTION_PAUSE_MS
#define RETENTION_PAUSE_MS 100
#undef RETENTION_SWEEP_MS
#define RETENTION_SWEEP_MS 1000
#undef RETENTION_JUMP_MS
#define RETENTION_JUMP_MS 5000
#undef RETENTION_HOLD_MS
#define RETENTION_HOLD_MS 400

#endif
