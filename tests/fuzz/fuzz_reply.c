/*
 * Replies: whatever text they carry, they are one line of JSON that a parser of somebody else's
 * (jansson) reads back to that text; and the program's own reader takes any bytes for a reply or
 * for none.
 */
#include "base/assert.h"
#include "base/memory.h"
#include "base/text.h"
#include "input.h"
#include "target.h"
#include "wire/json_reply.h"
#include "wire/reply.h"

#include <jansson.h>
#include <string.h>

static json_t *parsed(const buffer_t *out) {
    ASSERT(out->length > 4 && memcmp(out->bytes + out->length - 4, "\r\n\r\n", 4) == 0);
    ASSERT(memchr(out->bytes, '\n', out->length - 3) == NULL);
    json_t *root = json_loadb(out->bytes, out->length, JSON_REJECT_DUPLICATES, NULL);
    ASSERT(json_is_object(root));
    return root;
}

static void check_text(const json_t *value, span_t text) {
    ASSERT(json_is_string(value) && json_string_length(value) == text.length);
    ASSERT(text.length == 0 || memcmp(json_string_value(value), text.bytes, text.length) == 0);
}

static void text_reply(span_t text, const name_t *realm, uint64_t number) {
    buffer_t out;
    buffer_init(&out);
    reply_t reply = {.kind = REPLY_TEXT};
    reply.text.text = text;
    reply.text.number = number;
    reply.text.delivery = (delivery_t)(number % 3);
    reply_write(&out, &reply, realm, NULL);
    json_t *root = parsed(&out);
    check_text(json_object_get(root, "data"), text);
    ASSERT((json_object_get(root, "id") != NULL) == (number != 0));
    json_decref(root);
    buffer_deinit(&out);
}

static void page_reply(span_t text, const name_t *realm, input_t *input) {
    buffer_t out;
    buffer_init(&out);
    message_t message = {.seq = input_u32(input), .number = input_u64(input)};
    message.time_ms = (int64_t)input_u64(input);
    message.group = input_u8(input) % 2 == 0;
    message.from = message.to = name_span(realm);
    message.text = text;
    unsigned count = input_u8(input) % 4;
    reply_page_begin(&out);
    for (unsigned i = 0; i < count; i++)
        reply_page_message(&out, &message, realm, i == 0);
    reply_page_end(&out, count % 2 == 0, count > 1, (span_t){0});
    json_t *root = parsed(&out);
    const json_t *data = json_object_get(root, "data");
    ASSERT(json_array_size(data) == count);
    for (unsigned i = 0; i < count; i++) {
        const json_t *row = json_array_get(data, i);
        check_text(json_object_get(row, "message"), text);
        ASSERT(json_integer_value(json_object_get(row, "seq")) == message.seq);
    }
    json_decref(root);
    buffer_deinit(&out);
}

static void read_back(span_t frame) {
    char *copy = input_copy(frame);
    json_reply_t *reply = json_reply_parse((span_t){copy, frame.length});
    memory_free(copy);
    if (reply == NULL)
        return;
    char field[16];
    size_t rows = json_reply_rows(reply);
    (void)json_reply_ok(reply);
    (void)json_reply_text(reply, "data");
    for (size_t i = 0; i < rows && i < 8; i++) {
        json_reply_field(reply, i, "name", field, sizeof(field));
        ASSERT(strlen(field) < sizeof(field));
    }
    json_reply_destroy(&reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const name_t realm = {.length = 1, .text = "a"};
    input_t input = {data, size};
    read_back((span_t){(const char *)data, size});
    uint64_t number = input_u64(&input);
    span_t text = input_span(&input, input_u16(&input));
    char *copy = input_copy(text);
    text.bytes = copy;
    if (text_is_utf8(text)) {
        text_reply(text, &realm, number);
        page_reply(text, &realm, &input);
    }
    memory_free(copy);
    return 0;
}
