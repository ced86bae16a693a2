/*
 * realmgate export: every message as a line of JSON. Must never change the store, nor hold up the
 * realm.
 */
#include "app/commands.h"
#include "base/buffer.h"
#include "base/mailbox_address.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/lmdb.h"
#include "wire/reply.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* Written in pieces of about this size. */
enum { OUTPUT_BYTES = 64 * 1024 };

typedef struct exporter {
    name_t realm;
    name_t *realms; /* names of linked realms, by id */
    size_t realm_room;
    buffer_t out;
    int error; /* errno of the write that failed, 0 while none has */
} exporter_t;

static bool flush(exporter_t *exporter) {
    if (exporter->out.length > 0 &&
        fwrite(exporter->out.bytes, 1, exporter->out.length, stdout) != exporter->out.length) {
        exporter->error = errno != 0 ? errno : EIO;
    }
    exporter->out.length = 0;
    return exporter->error == 0;
}

static void remember_realm(exporter_t *exporter, const realm_record_t *record) {
    exporter->realms = memory_grow(exporter->realms, &exporter->realm_room, (size_t)record->id + 1,
                                   sizeof *exporter->realms);
    exporter->realms[record->id] = record->name;
}

static span_t linked_name(const exporter_t *exporter, uint32_t realm) {
    bool known = realm < exporter->realm_room && exporter->realms[realm].length > 0;
    return known ? name_span(&exporter->realms[realm]) : span_of("?");
}

/* The request that reads the mailbox. */
static void write_mailbox(exporter_t *exporter, const message_t *message) {
    buffer_t *out = &exporter->out;
    mailbox_kind_t kind = mailbox_kind(message->mailbox);
    uint32_t realm = mailbox_realm(message->mailbox);
    static const char *const words[] = {[MAILBOX_PRIVATE] = "INBOX",
                                        [MAILBOX_GROUP] = "INBOXGROUP ",
                                        [MAILBOX_REALM] = "INBOXREALM ",
                                        [MAILBOX_GROUP_REALM] = "INBOXGROUPREALM ",
                                        [MAILBOX_OUTBOX] = "OUTBOX "};
    bool known = kind >= MAILBOX_PRIVATE && kind <= MAILBOX_OUTBOX;
    buffer_text(out, known ? words[kind] : "?");
    if (realm != 0) {
        json_write_characters(out, linked_name(exporter, realm));
    }
    if (kind == MAILBOX_GROUP_REALM) {
        buffer_text(out, " ");
    }
    if (kind == MAILBOX_GROUP || kind == MAILBOX_GROUP_REALM) {
        json_write_characters(out, message->to);
    }
}

/* A sealed text is bytes, not text: it is written as base64url. */
static void write_message(exporter_t *exporter, const message_t *message) {
    buffer_t *out = &exporter->out;
    message_t shown = *message;
    char sealed[sodium_base64_ENCODED_LEN(BODY_BYTES_MAX, sodium_base64_VARIANT_URLSAFE)];
    if (message->sealed && message->text.length <= BODY_BYTES_MAX) {
        (void)sodium_bin2base64(sealed, sizeof sealed, (const unsigned char *)message->text.bytes,
                                message->text.length, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        shown.text = span_of(sealed);
    }
    buffer_text(out, "{\"mailbox\":\"");
    write_mailbox(exporter, message);
    buffer_text(out, message->sealed ? "\",\"sealed\":true,\"message\":" : "\",\"message\":");
    reply_page_message(out, &shown, &exporter->realm, true);
    buffer_text(out, "}\n");
}

static bool export_record(void *context, const record_t *record) {
    exporter_t *exporter = context;
    if (record->kind == RECORD_REALM) {
        remember_realm(exporter, &record->realm);
    } else if (record->kind == RECORD_MESSAGE) {
        write_message(exporter, &record->message);
        return exporter->out.length < OUTPUT_BYTES || flush(exporter);
    }
    return true;
}

static exit_code_t export_all(const command_options_t *options, problem_t *problem) {
    exporter_t exporter = {.error = 0};
    store_t *store;
    buffer_init(&exporter.out);
    store_error_t error = store_lmdb_open_reader(&store, options->data, &exporter.realm);
    if (error == STORE_OK) {
        error = store_dump(store, export_record, &exporter);
    }
    store_close(&store);
    bool written = exporter.error == 0 && flush(&exporter) && fflush(stdout) == 0;
    buffer_deinit(&exporter.out);
    memory_free(exporter.realms);
    if (!written) {
        problem_set(problem, "cannot write: %s",
                    strerror(exporter.error != 0 ? exporter.error : errno));
        return EXIT_RUNTIME;
    }
    if (error != STORE_OK) {
        problem_set(problem, "cannot read the store in %s: %s", options->data,
                    store_error_text(error));
        return EXIT_RUNTIME;
    }
    return EXIT_CLEAN;
}

exit_code_t command_export(int argc, char **argv) {
    return subcommand_one("export", 0, argc, argv, export_all);
}
