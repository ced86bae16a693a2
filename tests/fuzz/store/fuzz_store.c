/*
 * A whole store whose rows somebody has tampered with: it is refused with an error, or it is a
 * realm that can be started, read, backed up, talked to and started again. Nothing in it reaches an
 * assertion.
 */
#include "base/assert.h"
#include "base/crypto.h"
#include "base/text.h"
#include "record_codec.h"
#include "scratch.h"
#include "state/operations.h"
#include "store/lmdb.h"
#include "tamper.h"
#include "target.h"
#include "template.h"

#include <string.h>
#include <sys/stat.h>

/* Writes down what a load visits; not the floor, which a copy has another of. */
static bool note_record(void *context, const record_t *record) {
    buffer_t *story = context;
    uint8_t key[RECORD_KEY_BYTES_MAX], row[RECORD_ROW_BYTES_MAX];
    uint8_t head[HEAD_ROW_BYTES];
    if (record->kind != RECORD_FLOOR)
        buffer_append(story, &record->kind, sizeof(record->kind));
    if (record_kind_is_row(record->kind)) {
        buffer_append(story, key, record_key_encode(key, record->kind, record));
        buffer_append(story, row, record_row_encode(row, record));
    } else if (record->kind == RECORD_HEAD) {
        head_row_encode(head, &record->head.head);
        buffer_append(story, &record->head.mailbox, sizeof(record->head.mailbox));
        buffer_append(story, head, sizeof(head));
    } else if (record->kind == RECORD_MESSAGE) {
        buffer_append(story, &record->message.position, sizeof(record->message.position));
        buffer_append(story, record->message.text.bytes, record->message.text.length);
    } else if (record->kind == RECORD_CHECKPOINT) {
        buffer_append(story, &record->checkpoint.position, sizeof(record->checkpoint.position));
    } else if (record->kind == RECORD_CUT) {
        buffer_append(story, &record->cut.position, sizeof(record->cut.position));
    }
    return true;
}

typedef struct page_judge {
    const page_query_t *query;
    uint32_t seq;
    uint32_t count;
} page_judge_t;

static bool judge_message(void *context, const message_t *message) {
    page_judge_t *judge = context;
    const page_query_t *query = judge->query;
    ASSERT(message->mailbox == query->mailbox && message->seq > judge->seq);
    ASSERT(message->seq > query->after && message->seq <= query->newest_seq);
    ASSERT(query->before == 0 || message->seq < query->before);
    judge->seq = message->seq;
    judge->count += 1;
    return true;
}

/* Any query, not only those that the heads lead to. */
static void read_page(store_t *store, input_t *input) {
    uint8_t choice = input_u8(input);
    page_query_t query = {.mailbox = (mailbox_t)(1 + choice % 5) << 60 |
                                     (mailbox_t)(choice / 8 % 4) << 30 | choice / 32 % 4};
    query.newest_position = input_u8(input);
    query.newest_seq = input_u8(input);
    query.after = input_u8(input) / 16;
    query.before = input_u8(input) / 8;
    query.oldest_first = choice >= 128;
    query.limit = 1U + input_u8(input) % 8;
    page_judge_t judge = {.query = &query};
    bool more;
    (void)store_page(store, &query, judge_message, &judge, &more);
    ASSERT(judge.count <= query.limit);
}

static bool judge_position(void *context, const message_t *message) {
    ASSERT(message->position == *(const uint64_t *)context);
    return true;
}

static void look_up(store_t *store, input_t *input) {
    code_t verdict;
    uint64_t position = input_u8(input);
    store_error_t error = store_lookup(store, position, judge_position, &position, &verdict);
    ASSERT(error != STORE_OK || (verdict >= CODE_OK && verdict < CODE_COUNT));
}

static void compare_loads(store_t *store, store_t *copy) {
    buffer_t story, again;
    buffer_init(&story);
    buffer_init(&again);
    ASSERT(store_load(store, note_record, &story) == store_load(copy, note_record, &again));
    ASSERT(story.length == again.length);
    ASSERT(story.length == 0 || memcmp(story.bytes, again.bytes, story.length) == 0);
    buffer_deinit(&story);
    buffer_deinit(&again);
}

/* A backup is refused and leaves nothing behind, or it is the same store. */
static void compare_backup(store_t *store, const char *directory) {
    char place[PATH_MAX], file[PATH_MAX];
    store_t *copy;
    scratch_path(place, directory, "copy");
    ASSERT(mkdir(place, 0700) == 0);
    scratch_path(file, place, "store.mdb");
    if (store_backup(store, file, span_of("note")) == STORE_OK) {
        ASSERT(template_open(&copy, place) == STORE_OK);
        compare_loads(store, copy);
        store_close(&copy);
    }
    scratch_remove(place);
}

/* The realm itself lives on it, as far as it can. */
static void live(store_t *store, const template_t *template, const input_t *input) {
    span_t program = {(const char *)input->bytes, input->left};
    world_t *world = world_new(program, store, true);
    memcpy(world->tokens, template->tokens, sizeof(world->tokens));
    world->token_count = template->token_count;
    operations_run(world);
    world_close(world);
    world_destroy(&world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const template_t *template = template_get();
    input_t input = {data, size};
    char directory[PATH_MAX], file[PATH_MAX];
    store_t *store;
    scratch_make(directory);
    scratch_path(file, directory, "store.mdb");
    scratch_write(&template->file, file);
    tamper(file, &input);
    if (template_open(&store, directory) == STORE_OK) {
        read_page(store, &input);
        look_up(store, &input);
        if (input_below(&input, 8) == 0) /* LMDB starts a thread for it: that takes its time */
            compare_backup(store, directory);
        live(store, template, &input);
    }
    scratch_remove(directory);
    return 0;
}
