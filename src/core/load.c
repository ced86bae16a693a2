/*
 * Questions about records, and about the whole that they make. Must never change the state, nor
 * assert what a record says.
 */
#include "load.h"

#include "base/text.h"
#include "history.h"
#include "mailbox.h"
#include "stream.h"

static bool user_fits(const state_t *state, const user_record_t *record) {
    const user_t *named = user_named(state, &record->name);
    return record->gone || named == NULL || named->record.id == record->id;
}

static bool group_fits(const state_t *state, const group_record_t *record) {
    const group_t *named = group_named(state, &record->name);
    return record->gone || named == NULL || named->record.id == record->id;
}

/* A name has one row, for ever. */
static bool realm_fits(const state_t *state, const realm_record_t *record) {
    const uint32_t *named = map_get(state->realm_names, &record->name);
    const realm_t *keyed = realm_keyed(state, record->key);
    if (name_equal(&record->name, &state->options.realm) || (named != NULL && *named != record->id))
        return false;
    return record->gone || record->leaving || keyed == NULL || keyed->record.id == record->id;
}

/* Whose row a mailbox is of must be there: else it would fall to the next one who gets that id. */
static bool mailbox_fits(const state_t *state, mailbox_t mailbox) {
    uint32_t owner = mailbox_owner(mailbox);
    uint32_t realm = mailbox_realm(mailbox);
    bool users = owner > 0 && owner <= state->user_count;
    bool groups = owner > 0 && owner <= state->group_count;
    bool realms = realm > 0 && realm <= state->realm_count;
    switch (mailbox_kind(mailbox)) {
    case MAILBOX_PRIVATE:
        return users && realm == 0;
    case MAILBOX_GROUP:
        return groups && realm == 0;
    case MAILBOX_REALM:
        return users && realms;
    case MAILBOX_GROUP_REALM:
        return groups && realms;
    case MAILBOX_OUTBOX:
        return owner == 0 && realms;
    }
    return false;
}

bool load_fits(const state_t *state, const record_t *record) {
    switch (record->kind) {
    case RECORD_USER:
        return user_fits(state, &record->user);
    case RECORD_TOKEN:
        return map_get(state->tokens, record->token.digest) == NULL;
    case RECORD_GROUP:
        return group_fits(state, &record->group);
    case RECORD_REALM:
        return realm_fits(state, &record->realm);
    case RECORD_REJECTION:
        return record->rejection.code > CODE_OK && record->rejection.code < CODE_COUNT;
    case RECORD_HEAD:
        return mailbox_fits(state, record->head.mailbox) && mailbox_head_fits(&record->head.head);
    case RECORD_MESSAGE:
        return mailbox_fits(state, record->message.mailbox) &&
               record->message.position < MAILBOX_POSITION_END;
    case RECORD_CHECKPOINT:
        return record->checkpoint.position < MAILBOX_POSITION_END;
    default:
        return true;
    }
}

/* Marks of a stream within its outbox; what is still to be sent lies in segments, which ascend. */
static bool stream_fits(const state_t *state, const realm_t *realm) {
    const stream_record_t *stream = &realm->stream;
    uint32_t head = stream_head(state, realm);
    bool fits = stream->done <= stream->judged && stream->judged <= head && stream->settled <= head;
    if (fits && stream->done < head)
        fits =
            history_segment_count(realm) > 0 && history_segment(realm, 0).seq <= stream->done + 1;
    uint32_t before = 0;
    for (unsigned i = 0; fits && i < history_segment_count(realm); i++) {
        uint32_t first = history_segment(realm, i).seq;
        fits = first > before && first <= head;
        before = first;
    }
    return fits;
}

/* Only what was looked at can have been refused: nothing behind the mark. */
static bool rejections_fit(const realm_t *realm) {
    if (realm->rejection_count == 0)
        return true;
    return realm->stream.mark_count > 0 &&
           realm->rejections[realm->rejection_count - 1].seq <= realm->stream.marks[0].seq;
}

bool load_fits_together(const state_t *state) {
    for (size_t i = 0; i < state->realm_count; i++) {
        if (!stream_fits(state, &state->realms[i]) || !rejections_fit(&state->realms[i]))
            return false;
    }
    return mailbox_heads_fit(state);
}
