/* links: base store */
/*
 * Blocks: what was added is read and found, what no encoder of ours writes is refused, and no bytes
 * lead a reader beyond them.
 */
#include "../../src/store/block.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static uint64_t random_next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Rows are bytes to a block; these tell their position. */
static char letters[MESSAGE_ROW_BYTES_MAX];

static span_t row_of(uint64_t position, size_t length) {
    memset(letters, (int)('a' + position % 26), sizeof letters);
    return (span_t){letters, length};
}

enum { ROWS_MAX = 2000 };

typedef struct content {
    size_t count;
    uint64_t positions[ROWS_MAX];
    size_t lengths[ROWS_MAX];
} content_t;

/* Fills a block with short rows, or ones of any length. */
static void fill(block_t *block, content_t *content, uint64_t position, size_t longest,
                 uint64_t *random) {
    content->count = 0;
    block->length = 0;
    for (;;) {
        size_t length = random_next(random) % (longest + 1);
        position += 1 + (random_next(random) % 5 == 0 ? random_next(random) >> 38 : 0);
        if (!block_fits(block, position, length))
            return;
        block_add(block, position, row_of(position, length));
        content->positions[content->count] = position;
        content->lengths[content->count++] = length;
    }
}

static void expect_row(span_t row, uint64_t position, size_t length) {
    cr_assert_eq(row.length, length);
    cr_assert(memcmp(row.bytes, row_of(position, length).bytes, length) == 0);
}

Test(store_block, what_was_added_is_read_and_found) {
    uint64_t random = 3;
    block_t *block = malloc(sizeof *block);
    content_t *content = malloc(sizeof *content);
    for (size_t round = 0; round < 200; round++) {
        fill(block, content, random_next(&random) >> 20, round % 2 == 0 ? 20 : 600, &random);
        cr_assert(content->count > 4 && block_bytes(block).length <= BLOCK_BYTES);
        cr_assert_eq(block->first, content->positions[0]);
        cr_assert_eq(block->last, content->positions[content->count - 1]);
        block_reader_t reader = block_open(block->last, block_bytes(block));
        span_t row;
        for (size_t i = 0; i < content->count; i++) {
            cr_assert(block_next(&reader, &row) && reader.position == content->positions[i]);
            expect_row(row, reader.position, content->lengths[i]);
        }
        cr_assert(!block_next(&reader, &row) && !block_damaged(&reader));
        size_t wanted = random_next(&random) % content->count;
        reader = block_open(block->last, block_bytes(block));
        cr_assert(block_seek(&reader, content->positions[wanted], &row));
        expect_row(row, content->positions[wanted], content->lengths[wanted]);
        reader = block_open(block->last, block_bytes(block));
        cr_assert_not(block_seek(&reader, block->last + 1, &row));
        cr_assert_not(block_damaged(&reader));
    }
    free(block);
    free(content);
}

Test(store_block, a_row_of_any_length_fits_an_empty_block_and_no_other) {
    block_t *block = malloc(sizeof *block);
    block->length = 0;
    cr_assert(block_fits(block, UINT64_MAX, MESSAGE_ROW_BYTES_MAX));
    block_add(block, UINT64_MAX, row_of(1, MESSAGE_ROW_BYTES_MAX));
    block_reader_t reader = block_open(UINT64_MAX, block_bytes(block));
    span_t row;
    cr_assert(block_next(&reader, &row) && reader.position == UINT64_MAX);
    expect_row(row, 1, MESSAGE_ROW_BYTES_MAX);
    cr_assert(!block_next(&reader, &row) && !block_damaged(&reader));
    block->length = 0;
    block_add(block, 1, row_of(1, 10));
    cr_assert_not(block_fits(block, 2, MESSAGE_ROW_BYTES_MAX));
    cr_assert(block_fits(block, 1ULL + UINT32_MAX, 10));
    cr_assert_not(block_fits(block, 2ULL + UINT32_MAX, 10)); /* farther than a delta reaches */
    free(block);
}

/* Reads all; whether it was damaged. Positions ascend and none lies behind the key. */
static bool damaged(uint64_t key, const char *bytes, size_t length) {
    char *copy = malloc(length == 0 ? 1 : length); /* its end is watched under AddressSanitizer */
    memcpy(copy, bytes, length);
    block_reader_t reader = block_open(key, (span_t){copy, length});
    uint64_t before = reader.position;
    span_t row;
    while (block_next(&reader, &row)) {
        cr_assert(reader.position > before && reader.position <= key);
        cr_assert(row.bytes >= copy && row.bytes + row.length <= copy + length);
        before = reader.position;
    }
    free(copy);
    return block_damaged(&reader);
}

Test(store_block, what_is_cut_short_or_says_too_much_is_damaged) {
    uint64_t random = 5;
    block_t *block = malloc(sizeof *block);
    content_t *content = malloc(sizeof *content);
    fill(block, content, 1000, 60, &random);
    span_t whole = block_bytes(block);
    cr_assert_not(damaged(block->last, whole.bytes, whole.length));
    cr_assert_not(damaged(block->last + 1, whole.bytes, whole.length)); /* its last one is gone */
    cr_assert(damaged(block->last - 1, whole.bytes, whole.length));
    cr_assert(damaged(block->first - 1, whole.bytes, whole.length));
    for (size_t cut = 0; cut < 40; cut++)
        cr_assert(damaged(block->last, whole.bytes, cut), "%zu", cut);
    uint8_t *entries = block->bytes + block->length;
    memset(entries + BLOCK_ENTRY_BYTES, 0, 4); /* a second message at the same position */
    cr_assert(damaged(block->last, whole.bytes, whole.length));
    size_t refused = 0;
    for (size_t round = 0; round < 5000; round++) {
        fill(block, content, 1000, 60, &random);
        whole = block_bytes(block);
        size_t behind = whole.length - block->length;
        size_t place = round % 2 == 0 ? random_next(&random) % whole.length
                                      : block->length + random_next(&random) % behind;
        block->bytes[place] ^= (uint8_t)(1 << random_next(&random) % 8);
        refused += damaged(block->last, whole.bytes, whole.length) ? 1 : 0;
    }
    cr_assert(refused > 1000 && refused < 5000, "%zu", refused);
    free(block);
    free(content);
}
