/*
 * Passwords from standard input. Must never echo one, nor leave the terminal without echo.
 */
#include "app/password_input.h"

#include "base/crypto.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

typedef struct password_line {
    char bytes[PASSWORD_BYTES_MAX + 1]; /* one more than may be, so that too long is seen */
    size_t length;
    bool ended; /* by a line feed */
} password_line_t;

/* Reads byte by byte: what stands behind the line belongs to whoever reads next. */
static void line_read(password_line_t *line) {
    *line = (password_line_t){.length = 0};
    char byte;
    while (!line->ended && line->length < sizeof line->bytes) {
        ssize_t got = read(STDIN_FILENO, &byte, 1);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return;
        }
        line->ended = byte == '\n';
        if (!line->ended) {
            line->bytes[line->length++] = byte;
        }
    }
    if (line->ended && line->length > 0 && line->bytes[line->length - 1] == '\r') {
        line->length--;
    }
}

/* Signals of the terminal are off as well: a Ctrl-C could not restore the echo. */
static bool line_ask(password_line_t *line, const char *prompt, problem_t *problem) {
    struct termios before;
    if (tcgetattr(STDIN_FILENO, &before) != 0) {
        problem_set(problem, "cannot use the terminal: %s", strerror(errno));
        return false;
    }
    struct termios silent = before;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) != 0) {
        problem_set(problem, "cannot use the terminal: %s", strerror(errno));
        return false;
    }
    (void)fprintf(stderr, "%s: ", prompt);
    line_read(line);
    (void)fprintf(stderr, "\n");
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    return true;
}

static bool line_good(const password_line_t *line, problem_t *problem) {
    if (line->length == 0) {
        problem_set(problem, "no password on standard input");
        return false;
    }
    if (!text_is_password((span_t){line->bytes, line->length})) {
        problem_set(problem, "a password has 1 to %d bytes, no space, no control character",
                    PASSWORD_BYTES_MAX);
        return false;
    }
    return true;
}

static bool lines_read(password_line_t *line, password_line_t *again, problem_t *problem) {
    if (isatty(STDIN_FILENO) == 0) {
        line_read(line);
        return line_good(line, problem);
    }
    if (!line_ask(line, "Password", problem) || !line_good(line, problem) ||
        !line_ask(again, "Password again", problem)) {
        return false;
    }
    if (line->length != again->length || memcmp(line->bytes, again->bytes, line->length) != 0) {
        problem_set(problem, "the two passwords differ");
        return false;
    }
    return true;
}

bool password_input(char password[PASSWORD_BYTES_MAX + 1], problem_t *problem) {
    password_line_t line = {.length = 0};
    password_line_t again = {.length = 0};
    bool good = lines_read(&line, &again, problem);
    if (good) {
        memcpy(password, line.bytes, line.length);
        password[line.length] = '\0';
    }
    crypto_wipe(&line, sizeof line);
    crypto_wipe(&again, sizeof again);
    return good;
}
