/*
 * The configuration file. Must never pass over a line that it does not understand, nor let a value
 * through that stands under another key than its own.
 */
#include "app/config_file.h"

#include "app/config_table.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"

#include <czmq.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ZPL's indentation, a level. */
enum { INDENT = 4 };

/* The pass over the lines. */
typedef struct scan {
    const char *path;
    config_file_t *file;
    buffer_t zpl; /* the lines that hold a key, as czmq gets them */
    unsigned line;
    unsigned lines[OPTION_COUNT]; /* where each key stands, 0 = nowhere */
    bool in_trust;
    problem_t *problem;
} scan_t;

/* A line in its parts. The value is only told to be there; czmq reads it. */
typedef struct parts {
    span_t key;
    bool indented;
    bool has_value;
} parts_t;

__attribute__((format(printf, 2, 3))) static bool wrong(const scan_t *scan, const char *format,
                                                        ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    problem_set(scan->problem, "%.200s:%u: %s", scan->path, scan->line, text);
    return false;
}

/* For "%.*s": of a long key the beginning is enough. */
static int shown(span_t key) {
    return key.length < NAME_BYTES_MAX ? (int)key.length : NAME_BYTES_MAX;
}

static size_t spaces_of(span_t bytes) {
    size_t count = 0;
    while (count < bytes.length && bytes.bytes[count] == ' ') {
        count++;
    }
    return count;
}

static span_t behind(span_t bytes, size_t count) {
    return (span_t){bytes.bytes + count, bytes.length - count};
}

static bool is_key_byte(char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '.' || byte == '_' || byte == '-';
}

static bool has_control(span_t bytes) {
    for (size_t i = 0; i < bytes.length; i++) {
        if ((uint8_t)bytes.bytes[i] < ' ' || bytes.bytes[i] == 0x7F) {
            return true;
        }
    }
    return false;
}

static bool ends(span_t rest) {
    rest = behind(rest, spaces_of(rest));
    return rest.length == 0 || rest.bytes[0] == '#';
}

/* Whether what stands behind the equals sign is a value for czmq, too. */
static bool value_fits(const scan_t *scan, span_t key, span_t rest) {
    rest = behind(rest, spaces_of(rest));
    if (rest.length == 0 || (rest.bytes[0] != '"' && rest.bytes[0] != '\'')) {
        return true;
    }
    const char *quote = memchr(rest.bytes + 1, rest.bytes[0], rest.length - 1);
    if (quote == NULL) {
        return wrong(scan, "%.*s: the quote is not closed", shown(key), key.bytes);
    }
    if (!ends(behind(rest, (size_t)(quote - rest.bytes) + 1))) {
        return wrong(scan, "%.*s: something stands behind the closing quote", shown(key),
                     key.bytes);
    }
    return true;
}

/* The first word of the line, whatever stands around it. */
static span_t key_of(span_t bytes) {
    size_t start = 0;
    while (start < bytes.length && (bytes.bytes[start] == ' ' || bytes.bytes[start] == '\t')) {
        start++;
    }
    span_t key = {bytes.bytes + start, 0};
    while (start + key.length < bytes.length && is_key_byte(key.bytes[key.length])) {
        key.length++;
    }
    return key;
}

static bool parts_of(const scan_t *scan, span_t bytes, parts_t *parts) {
    size_t indent = spaces_of(bytes);
    *parts = (parts_t){.indented = indent > 0, .key = key_of(bytes)};
    span_t rest = behind(bytes, indent + parts->key.length);
    rest = behind(rest, spaces_of(rest));
    parts->has_value = rest.length > 0 && rest.bytes[0] == '=';
    if (parts->key.length == 0 || (!parts->has_value && !ends(rest))) {
        return wrong(scan, "%.*s: must be a key, an equals sign and a value", shown(bytes),
                     bytes.bytes);
    }
    if (indent != 0 && (indent != INDENT || !scan->in_trust)) {
        return wrong(scan, "%.*s: only realms under trust are indented, by four spaces",
                     shown(parts->key), parts->key.bytes);
    }
    return !parts->has_value || value_fits(scan, parts->key, behind(rest, 1));
}

static config_entry_t *entry_add(scan_t *scan, option_id_t option) {
    config_file_t *file = scan->file;
    file->entries = memory_grow(file->entries, &file->room, file->count + 1, sizeof *file->entries);
    config_entry_t *entry = &file->entries[file->count++];
    *entry = (config_entry_t){.option = option, .line = scan->line};
    return entry;
}

/* A line under `trust`. Until czmq has read the key, the entry's text is the name alone. */
static bool take_trust(scan_t *scan, const parts_t *parts) {
    name_t name;
    span_t key = parts->key;
    if (!name_parse(&name, key)) {
        return wrong(scan, "trust: \"%.*s\" is no realm name", shown(key), key.bytes);
    }
    if (!parts->has_value) {
        return wrong(scan, "trust: %s: its key is missing", name.text);
    }
    size_t trusted = 0;
    for (size_t i = 0; i < scan->file->count; i++) {
        const config_entry_t *entry = &scan->file->entries[i];
        trusted += entry->option == OPTION_TRUST ? 1 : 0;
        if (entry->option == OPTION_TRUST && strcmp(entry->text, name.text) == 0) {
            return wrong(scan, "trust: %s: stands there twice, first on line %u", name.text,
                         entry->line);
        }
    }
    if (trusted >= LINKS_MAX) {
        return wrong(scan, "trust: names too many realms");
    }
    config_entry_t *entry = entry_add(scan, OPTION_TRUST);
    entry->text = memory_alloc(name.length + 1U);
    memcpy(entry->text, name.text, name.length);
    return true;
}

static bool take_key(scan_t *scan, const parts_t *parts) {
    span_t key = parts->key;
    option_id_t option = config_key(key);
    if (option == OPTION_COUNT) {
        return wrong(scan, "%.*s: there is no such key", shown(key), key.bytes);
    }
    if (scan->lines[option] != 0) {
        return wrong(scan, "%.*s: stands there twice, first on line %u", shown(key), key.bytes,
                     scan->lines[option]);
    }
    scan->lines[option] = scan->line;
    scan->in_trust = option == OPTION_TRUST;
    if (scan->in_trust) {
        return !parts->has_value ||
               wrong(scan, "trust: has no value of its own: NAME = KEY stands on lines of their "
                           "own below it, indented by four spaces");
    }
    if (!parts->has_value) {
        return wrong(scan, "%.*s: its value is missing", shown(key), key.bytes);
    }
    (void)entry_add(scan, option);
    return true;
}

static bool take_line(scan_t *scan, span_t bytes) {
    parts_t parts;
    if (bytes.length > 0 && bytes.bytes[bytes.length - 1] == '\r') {
        bytes.length--;
    }
    if (ends(bytes)) {
        return true;
    }
    if (has_control(bytes) || !text_is_utf8(bytes)) {
        span_t key = key_of(bytes);
        return wrong(scan, "%.*s: a tab, a control character or what is not UTF-8 stands there",
                     shown(key), key.bytes);
    }
    if (!parts_of(scan, bytes, &parts) ||
        !(parts.indented ? take_trust(scan, &parts) : take_key(scan, &parts))) {
        return false;
    }
    buffer_append(&scan->zpl, bytes.bytes, bytes.length);
    buffer_append(&scan->zpl, "\n", 1);
    return true;
}

static bool take_lines(scan_t *scan, span_t bytes) {
    bool good = true;
    while (good && bytes.length > 0) {
        const char *end = memchr(bytes.bytes, '\n', bytes.length);
        size_t length = end != NULL ? (size_t)(end - bytes.bytes) : bytes.length;
        scan->line++;
        good = take_line(scan, (span_t){bytes.bytes, length});
        bytes = behind(bytes, end != NULL ? length + 1 : length);
    }
    return good;
}

/* Gives the next entry the value that czmq read; of `trust` NAME=KEY. */
static bool give_value(scan_t *scan, size_t *next, zconfig_t *item) {
    if (*next >= scan->file->count) {
        return false;
    }
    config_entry_t *entry = &scan->file->entries[(*next)++];
    const char *value = zconfig_value(item);
    const char *name = entry->option == OPTION_TRUST ? entry->text : "";
    size_t room = strlen(name) + strlen(value) + 2;
    char *text = memory_alloc(room);
    (void)snprintf(text, room, "%s%s%s", name, name[0] != '\0' ? "=" : "", value);
    memory_free(entry->text);
    entry->text = text;
    return true;
}

/* czmq's tree holds the same keys in the same order. */
static bool give_values(scan_t *scan, zconfig_t *root) {
    size_t next = 0;
    bool good = true;
    for (zconfig_t *item = zconfig_child(root); item != NULL && good; item = zconfig_next(item)) {
        if (strcmp(zconfig_name(item), config_row(OPTION_TRUST)->word) != 0) {
            good = give_value(scan, &next, item);
            continue;
        }
        for (zconfig_t *trust = zconfig_child(item); trust != NULL && good;
             trust = zconfig_next(trust)) {
            good = give_value(scan, &next, trust);
        }
    }
    return good && next == scan->file->count;
}

static bool read_values(scan_t *scan) {
    buffer_append(&scan->zpl, "", 1);
    zconfig_t *root = zconfig_str_load(scan->zpl.bytes);
    bool good = root != NULL && give_values(scan, root);
    zconfig_destroy(&root);
    /* What czmq could mind has been refused before, with line and key. */
    return good || wrong(scan, "czmq cannot read this file");
}

config_file_t *config_file_parse(const char *path, span_t bytes, problem_t *problem) {
    scan_t scan = {.path = path, .file = memory_alloc(sizeof(config_file_t)), .problem = problem};
    buffer_init(&scan.zpl);
    if (!take_lines(&scan, bytes) || !read_values(&scan)) {
        config_file_destroy(&scan.file);
    }
    buffer_deinit(&scan.zpl);
    return scan.file;
}

/* Reads all of an opened file, at most SETTINGS_FILE_BYTES_MAX; returns what is wrong, or NULL. */
static const char *read_all(int descriptor, buffer_t *bytes) {
    struct stat status;
    char part[4096];
    ssize_t count = 0;
    if (fstat(descriptor, &status) != 0) {
        return strerror(errno);
    }
    if (!S_ISREG(status.st_mode)) {
        return "it is not a plain file";
    }
    while ((count = read(descriptor, part, sizeof part)) > 0) {
        if (bytes->length + (size_t)count > SETTINGS_FILE_BYTES_MAX) {
            return "it is larger than a megabyte";
        }
        buffer_append(bytes, part, (size_t)count);
    }
    return count < 0 ? strerror(errno) : NULL;
}

config_file_t *config_file_read(const char *path, problem_t *problem) {
    buffer_t bytes;
    config_file_t *file = NULL;
    /* Without O_NONBLOCK a pipe of that name would be waited for. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    buffer_init(&bytes);
    const char *reason = descriptor < 0 ? strerror(errno) : read_all(descriptor, &bytes);
    if (reason != NULL) {
        problem_set(problem, "cannot read the configuration file %.200s: %s", path, reason);
    } else {
        file = config_file_parse(path, (span_t){bytes.bytes, bytes.length}, problem);
    }
    buffer_deinit(&bytes);
    if (descriptor >= 0) {
        (void)close(descriptor);
    }
    return file;
}

void config_file_destroy(config_file_t **file) {
    if (*file == NULL) {
        return;
    }
    for (size_t i = 0; i < (*file)->count; i++) {
        memory_free((*file)->entries[i].text);
    }
    memory_free((*file)->entries);
    memory_free(*file);
    *file = NULL;
}
