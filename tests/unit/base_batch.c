/* links: base */
/*
 * Batches are read back as they were filled; buffers and arenas hold what was put in.
 */
#include "base/arena.h"
#include "base/batch.h"
#include "base/buffer.h"
#include "base/memory.h"

#include <criterion/criterion.h>
#include <string.h>

Test(batch, is_empty_at_first) {
    batch_t batch;
    size_t length = 1;
    batch_init(&batch);
    cr_assert_null(batch_next(batch.bytes, batch.length, NULL));
    char *bytes = batch_take(&batch, &length);
    cr_assert_eq(length, 0);
    memory_free(bytes);
    batch_deinit(&batch);
}

Test(batch, gives_back_entries_of_every_size_in_order) {
    batch_t batch;
    batch_init(&batch);
    for (uint32_t size = 0; size < 300; size++) {
        memset(batch_append(&batch, size + 1, size * 3, ~(uint64_t)size, size), (int)size, size);
        cr_assert_eq(batch.length % 8, 0);
    }
    const batch_entry_t *entry = NULL;
    uint32_t size = 0;
    while ((entry = batch_next(batch.bytes, batch.length, entry)) != NULL) {
        const uint8_t *payload = batch_payload(entry);
        cr_assert_eq(entry->kind, size + 1);
        cr_assert_eq(entry->subject, size * 3);
        cr_assert_eq(entry->detail, ~(uint64_t)size);
        cr_assert_eq(entry->payload_bytes, size);
        for (uint32_t i = 0; i < size; i++) {
            cr_assert_eq(payload[i], (uint8_t)size);
        }
        for (uint32_t i = size; i % 8 != 0; i++) {
            cr_assert_eq(payload[i], 0, "padding is zeroed");
        }
        size++;
    }
    cr_assert_eq(size, 300);
    batch_deinit(&batch);
}

Test(batch, grows_an_open_entry_piece_by_piece) {
    batch_t batch;
    batch_init(&batch);
    (void)batch_append(&batch, 1, 0, 0, 3);
    batch_open(&batch, 2, 5, 6);
    for (int i = 0; i < 1000; i++) {
        memcpy(batch_extend(&batch, 11), "hello world", 11);
    }
    batch_shrink(&batch, 6);
    batch_close(&batch);
    batch_open(&batch, 3, 7, 8);
    batch_close(&batch);
    const batch_entry_t *entry = batch_next(batch.bytes, batch.length, NULL);
    entry = batch_next(batch.bytes, batch.length, entry);
    cr_assert_eq(entry->kind, 2);
    cr_assert_eq(entry->payload_bytes, 11 * 1000 - 6);
    const char *payload = batch_payload(entry);
    cr_assert_arr_eq(payload + 11 * 999, "hello", 5);
    entry = batch_next(batch.bytes, batch.length, entry);
    cr_assert_eq(entry->kind, 3);
    cr_assert_eq(entry->payload_bytes, 0);
    cr_assert_null(batch_next(batch.bytes, batch.length, entry));
    batch_deinit(&batch);
}

Test(batch, is_empty_again_once_taken_or_reset) {
    batch_t batch;
    size_t length = 0;
    batch_init(&batch);
    memcpy(batch_append(&batch, 9, 0, 0, 4), "abcd", 4);
    char *bytes = batch_take(&batch, &length);
    cr_assert_eq(batch.length, 0);
    cr_assert_null(batch.bytes);
    const batch_entry_t *entry = batch_next(bytes, length, NULL);
    cr_assert_arr_eq(batch_payload(entry), "abcd", 4);
    memory_free(bytes);
    (void)batch_append(&batch, 10, 0, 0, 0);
    batch_reset(&batch);
    cr_assert_null(batch_next(batch.bytes, batch.length, NULL));
    (void)batch_append(&batch, 11, 0, 0, 0);
    cr_assert_eq(batch_next(batch.bytes, batch.length, NULL)->kind, 11);
    batch_deinit(&batch);
}

Test(buffer, keeps_what_is_appended) {
    buffer_t buffer;
    buffer_init(&buffer);
    buffer_append(&buffer, NULL, 0);
    for (int i = 0; i < 1000; i++) {
        buffer_text(&buffer, "satu ");
        buffer_append(&buffer, "dua\0", 4);
    }
    cr_assert_eq(buffer.length, 9000);
    cr_assert_arr_eq(buffer.bytes + 8991, "satu dua\0", 9);
    char *room = buffer_reserve(&buffer, 100000);
    cr_assert_eq(room, buffer.bytes + 9000);
    cr_assert_eq(buffer.length, 9000);
    memset(room, 'x', 100000);
    buffer_reset(&buffer);
    cr_assert_eq(buffer.length, 0);
    cr_assert_not_null(buffer.bytes);
    buffer_deinit(&buffer);
    cr_assert_null(buffer.bytes);
}

Test(arena, gives_zeroed_aligned_memory_round_after_round) {
    arena_t arena;
    arena_init(&arena);
    arena_reset(&arena);
    for (int round = 0; round < 5; round++) {
        for (size_t bytes = 0; bytes < 3000; bytes += 7) {
            char *memory = arena_alloc(&arena, bytes);
            cr_assert_eq((uintptr_t)memory % _Alignof(max_align_t), 0);
            for (size_t i = 0; i < bytes; i++) {
                cr_assert_eq(memory[i], 0);
            }
            memset(memory, 0xEE, bytes);
        }
        arena_reset(&arena);
    }
    arena_deinit(&arena);
    cr_assert_null(arena.blocks);
}

Test(arena, does_not_overlap_allocations) {
    arena_t arena;
    arena_init(&arena);
    uint32_t *numbers[2000];
    for (uint32_t i = 0; i < 2000; i++) {
        numbers[i] = arena_alloc(&arena, i % 100 == 0 ? 1500000 : sizeof(uint32_t));
        *numbers[i] = i;
    }
    for (uint32_t i = 0; i < 2000; i++) {
        cr_assert_eq(*numbers[i], i);
    }
    arena_deinit(&arena);
}

Test(memory, grows_arrays_by_doubling) {
    size_t room = 0;
    uint32_t *numbers = NULL;
    for (uint32_t i = 0; i < 1000; i++) {
        numbers = memory_grow(numbers, &room, i + 1, sizeof(*numbers));
        numbers[i] = i;
    }
    cr_assert_eq(room, 1024);
    cr_assert_eq(numbers[999], 999);
    memory_free(numbers);
    void *nothing = memory_alloc(0);
    cr_assert_not_null(nothing);
    memory_free(nothing);
    memory_free(NULL);
}
