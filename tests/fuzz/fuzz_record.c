/*
 * Rows as they might lie on a damaged disk: each is refused or understood, and what was understood
 * gives the same key and the same row when it is written again.
 */
#include "base/assert.h"
#include "base/memory.h"
#include "input.h"
#include "message_row.h"
#include "record_codec.h"
#include "target.h"

#include <string.h>

static void same(const void *written, size_t length, span_t read) {
    ASSERT(length == read.length);
    ASSERT(length == 0 || memcmp(written, read.bytes, length) == 0);
}

static void take_small_row(span_t key, span_t row) {
    record_t record;
    uint8_t key_again[RECORD_KEY_BYTES_MAX];
    uint8_t row_again[RECORD_ROW_BYTES_MAX];
    if (!record_decode(&record, key, row))
        return;
    ASSERT(record_kind_is_row(record.kind));
    same(key_again, record_key_encode(key_again, record.kind, &record), key);
    same(row_again, record_row_encode(row_again, &record), row);
}

static void take_message(uint64_t position, span_t row) {
    message_t message;
    message_links_t links;
    message_age_t age;
    bool linked = message_row_links(&links, position, row);
    bool aged = message_row_age(&age, position, row);
    if (!message_row_decode(&message, position, row))
        return;
    ASSERT(linked && message_links_lead_back(&links, position));
    ASSERT(links.mailbox == message.mailbox && links.seq == message.seq);
    ASSERT(links.previous == message.previous && links.jump == message.jump);
    ASSERT(aged && age.mailbox == message.mailbox && age.seq == message.seq);
    ASSERT(age.arrived_ms == (message.arrived_ms == 0 ? message.time_ms : message.arrived_ms));
    uint8_t *again = memory_alloc(row.length);
    same(again, message_row_encode(again, row.length, &message), row);
    memory_free(again);
}

static void take_head(span_t row) {
    mailbox_head_t head;
    uint8_t again[HEAD_ROW_BYTES];
    if (!head_row_decode(&head, row))
        return;
    head_row_encode(again, &head);
    same(again, sizeof(again), row);
}

static void take_rest(span_t row) {
    code_t code;
    uint64_t position;
    uint8_t verdict[VERDICT_ROW_BYTES];
    uint8_t checkpoint[CHECKPOINT_ROW_BYTES];
    if (verdict_row_decode(&code, row)) {
        ASSERT(code >= CODE_OK && code < CODE_COUNT);
        verdict_row_encode(verdict, code);
        same(verdict, sizeof(verdict), row);
    }
    if (checkpoint_row_decode(&position, row)) {
        checkpoint_row_encode(checkpoint, position);
        same(checkpoint, sizeof(checkpoint), row);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    input_t input = {data, size};
    size_t table = input_below(&input, 4);
    span_t key = input_span(&input, table == 0 ? input_below(&input, RECORD_KEY_BYTES_MAX + 8) : 0);
    uint64_t position = table == 1 ? input_u64(&input) : 0;
    span_t row = input_span(&input, input.left);
    char *key_copy = input_copy(key);
    char *row_copy = input_copy(row);
    key.bytes = key_copy;
    row.bytes = row_copy;
    if (table == 0)
        take_small_row(key, row);
    else if (table == 1)
        take_message(position, row);
    else if (table == 2)
        take_head(row);
    else
        take_rest(row);
    memory_free(key_copy);
    memory_free(row_copy);
    return 0;
}
