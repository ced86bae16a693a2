/*
 * Runs of an outbox into frames. Must never leave a hole inside a frame: records are numbered by
 * their place in it.
 */
#include "app/run_packer.h"

#include "base/assert.h"
#include "base/buffer.h"
#include "net/federation.h"
#include "wire/peer_codec.h"

#include <string.h>

typedef struct packer {
    const peer_send_t *send;
    batch_t *out;
    buffer_t frame;
    size_t start;       /* of the open frame */
    bool open;          /* a frame is begun */
    bool cut;           /* a pulled run: something did not fit or lies behind a gap */
    uint32_t next_seq;  /* what the open frame goes on with */
    stream_mark_t base; /* what the next frame is taken on top of */
} packer_t;

static void frame_begin(packer_t *packer, uint32_t first_seq) {
    peer_message_t message = packer->send->message;
    message.records.base = packer->base;
    message.records.first.seq = first_seq;
    buffer_reset(&packer->frame);
    packer->start = peer_records_begin(&packer->frame, &message);
    packer->next_seq = first_seq;
    packer->open = true;
}

static void frame_end(packer_t *packer, bool more) {
    const peer_channel_t *channel = &packer->send->channel;
    peer_records_end(&packer->frame, packer->start, more);
    void *payload = batch_append(packer->out, FED_SEND, channel->number, channel->dialled ? 1 : 0,
                                 packer->frame.length);
    memcpy(payload, packer->frame.bytes, packer->frame.length);
    packer->open = false;
}

static peer_record_t record_of(const message_t *message) {
    return (peer_record_t){.kind = message->group ? PEER_RECVGROUPREALM : PEER_SENDREALM,
                           .seq = message->seq,
                           .number = message->number,
                           .time_ms = message->time_ms,
                           .from = message->from,
                           .to = message->to,
                           .body = message->text};
}

/* Adds to the open frame, if the record follows on what is in it and still fits. */
static bool frame_add(packer_t *packer, const peer_record_t *record) {
    if (!packer->open || record->seq != packer->next_seq ||
        !peer_records_add(&packer->frame, packer->start, record)) {
        return false;
    }
    packer->next_seq = record->seq + 1;
    packer->base = (stream_mark_t){packer->send->message.records.first.epoch, record->seq};
    return true;
}

static bool pack_message(void *context, const message_t *message) {
    packer_t *packer = context;
    peer_record_t record = record_of(message);
    if (frame_add(packer, &record)) {
        return true;
    }
    if (packer->open && packer->send->message.records.pulled) {
        packer->cut = true;
        return false;
    }
    if (packer->open) {
        frame_end(packer, packer->send->message.records.more);
    }
    frame_begin(packer, record.seq);
    /* An empty frame has room for any record. */
    ASSERT(frame_add(packer, &record));
    return true;
}

/* Reads the whole run, page by page, as far as the packer wants it. */
static store_error_t run_read(store_t *store, packer_t *packer, bool *more) {
    page_query_t query = packer->send->run;
    uint32_t left = query.limit;
    store_error_t error = STORE_OK;
    *more = left > 0 && query.newest_position != 0;
    while (error == STORE_OK && *more && !packer->cut && left > 0) {
        query.limit = left < PAGE_MESSAGES_MAX ? left : PAGE_MESSAGES_MAX;
        error = store_page(store, &query, pack_message, packer, more);
        left -= query.limit;
        query.after = packer->open ? packer->next_seq - 1 : query.after + query.limit;
    }
    return error;
}

store_error_t run_pack(store_t *store, const peer_send_t *send, batch_t *out) {
    ASSERT(send->is_run && send->message.kind == PEER_RECORDS);
    packer_t packer = {.send = send, .out = out, .base = send->message.records.base};
    bool more = false;
    buffer_init(&packer.frame);
    store_error_t error = run_read(store, &packer, &more);
    if (error == STORE_OK && send->message.records.pulled && !packer.open) {
        frame_begin(&packer, send->message.records.first.seq);
    }
    if (error == STORE_OK && packer.open) {
        bool pulled_more = send->message.records.pulled && (more || packer.cut);
        frame_end(&packer, send->message.records.more || pulled_more);
    }
    buffer_deinit(&packer.frame);
    return error;
}
