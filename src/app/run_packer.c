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
    uint32_t seen;      /* the newest seq that the store showed, or `after` of the run */
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
    packer->seen = message->seq;
    /* Its sender was told that it did not arrive: so it never may. The peer steps over it. */
    if (message->verdict != CODE_OK || frame_add(packer, &record)) {
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

/* The last seq of a run. */
static uint32_t run_end(const page_query_t *run) {
    uint32_t end = run->before != 0 ? run->before - 1 : run->newest_seq;
    return end - run->after > run->limit ? run->after + run->limit : end;
}

/* Reads the run up to `end`, page by page, as far as the packer wants it. */
static store_error_t run_read(store_t *store, packer_t *packer, uint32_t end, bool *more) {
    page_query_t query = packer->send->run;
    store_error_t error = STORE_OK;
    bool goes_on = true;
    *more = false;
    while (error == STORE_OK && goes_on && !packer->cut && packer->seen < end) {
        uint32_t left = end - packer->seen;
        query.after = packer->seen;
        query.limit = left < PAGE_MESSAGES_MAX ? left : PAGE_MESSAGES_MAX;
        error = store_page(store, &query, pack_message, packer, more);
        goes_on = *more;
        if (packer->seen == query.after) {
            packer->seen += query.limit; /* retention took them all */
        }
    }
    return error;
}

/* Packs what this turn has appended of the run. */
static void fresh_pack(packer_t *packer, const fresh_t *fresh, const message_t *message) {
    uint32_t end = run_end(&packer->send->run);
    for (; message != NULL && message->seq <= end; message = fresh_next(fresh, message)) {
        /* The store shows records behind the wanted ones where retention took some of those. */
        if (message->seq > packer->seen) {
            bool goes_on = pack_message(packer, message);
            ASSERT(goes_on);
        }
    }
}

/* A pushed run whose last records are not sent: a frame without records moves the peer's mark over
 * them. */
static void pushed_end(packer_t *packer, uint32_t end) {
    bool whole = packer->open && packer->next_seq > end;
    if (packer->open) {
        frame_end(packer, packer->send->message.records.more);
    }
    if (!whole) {
        frame_begin(packer, end + 1);
        frame_end(packer, packer->send->message.records.more);
    }
}

/* A pulled run is one frame: with records, or one that steps over those that are not sent. */
static void pulled_end(packer_t *packer, uint32_t end, bool more) {
    bool behind = packer->cut || more;
    if (!packer->open) {
        frame_begin(packer, end + 1);
    } else if (packer->next_seq <= end) {
        behind = true;
    }
    frame_end(packer, packer->send->message.records.more || behind);
}

store_error_t run_pack(store_t *store, const fresh_t *fresh, const peer_send_t *send,
                       batch_t *out) {
    ASSERT(send->is_run && send->message.kind == PEER_RECORDS);
    packer_t packer = {
        .send = send, .out = out, .base = send->message.records.base, .seen = send->run.after};
    bool pulled = send->message.records.pulled;
    uint32_t end = run_end(&send->run);
    bool is_plain = fresh != NULL && !pulled && !send->run.verdicts;
    const message_t *first = is_plain ? fresh_first(fresh, send->run.mailbox) : NULL;
    bool more = false;
    buffer_init(&packer.frame);
    store_error_t error =
        run_read(store, &packer, first != NULL && first->seq <= end ? first->seq - 1 : end, &more);
    if (error == STORE_OK && pulled) {
        pulled_end(&packer, end, more);
    } else if (error == STORE_OK) {
        fresh_pack(&packer, fresh, first);
        pushed_end(&packer, end);
    }
    buffer_deinit(&packer.frame);
    return error;
}
