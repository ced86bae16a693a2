/*
 * Drops are counted, never silent; but a flood of them must never flood the log.
 */
#include "drops.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DROPS_LOG_EVERY_MS 1000

void drops_count(drops_t *drops, drop_reason_t reason, uint64_t count) {
    drops->counts[reason] += count;
    drops->any = drops->any || count > 0;
}

int64_t drops_due_ms(const drops_t *drops) {
    return drops->any ? drops->logged_ms + DROPS_LOG_EVERY_MS : INT64_MAX;
}

void drops_log(drops_t *drops, int64_t now_ms) {
    if (now_ms < drops_due_ms(drops)) {
        return;
    }
    char texts[DROP_REASON_COUNT][24];
    for (int i = 0; i < DROP_REASON_COUNT; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "%" PRIu64, drops->counts[i]);
    }
    log_event(LEVEL_WARN, "peer-drops", "gone", texts[DROP_GONE], "full", texts[DROP_FULL],
              "stranger", texts[DROP_STRANGER], "multipart", texts[DROP_MULTIPART], "size",
              texts[DROP_SIZE], "refused_keys", texts[DROP_KEY], NULL);
    memset(drops->counts, 0, sizeof drops->counts);
    drops->any = false;
    drops->logged_ms = now_ms;
}
