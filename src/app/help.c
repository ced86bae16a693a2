/*
 * The help texts, one a topic; the options of `serve` come from their table.
 */
#include "app/help.h"

#include "app/config_table.h"
#include "base/assert.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* How long an option and its value may be to stand on the line of what they are for. */
enum { OPTION_COLUMNS = 26 };

typedef struct help_topic {
    const char *topic;
    const char *text;
} help_topic_t;

#define DATA_LINES                                                                                 \
    "  --data DIR   the realm's data directory (REALMGATE_DATA, ./realmgate-data)\n"               \
    "  --name NAME  the realm's name, where the directory is new (REALMGATE_NAME)\n"               \
    "  --help       this text\n"

static const help_topic_t TOPICS[] = {
    {"", "realmgate: a federated chat server that people can speak to with nc.\n"
         "\n"
         "  realmgate serve    run one realm in the foreground\n"
         "  realmgate demo     two linked realms to try out, gone again at Ctrl-C\n"
         "  realmgate key      print the realm's public key\n"
         "  realmgate user     add, list, remove users, set passwords\n"
         "  realmgate realm    trust, list, add, remove other realms\n"
         "  realmgate status   how a running realm and its links are\n"
         "  realmgate backup   copy the store into a file, also while the realm runs\n"
         "  realmgate restore  make a data directory of a backup\n"
         "  realmgate export   print every message as a line of JSON\n"
         "  realmgate import   add users from a CSV file\n"
         "\n"
         "  --help, --version; each command has --help of its own\n"
         "\n"
         "Exit status: 0 fine, 1 failed (disk, address in use, refused), 2 wrong usage.\n"},
    {"serve",
     "usage: realmgate serve --name NAME [options]\n"
     "\n"
     "Runs one realm in the foreground until SIGTERM or Ctrl-C. When it serves it prints one\n"
     "line: realm NAME ready clients=ADDRESS federation=ADDRESS key=KEY. The log goes to\n"
     "standard error.\n"
     "\n"
     "The command line wins over the environment, the environment over the file, the file over\n"
     "the default. In the file the options stand without dashes, a line each: name = value;\n"
     "trusted realms below a line that says trust, indented by four spaces. SIGHUP reads the\n"
     "file again and takes all but name, data and the three addresses.\n"
     "\n"
     "  --check                    say what would be used and why, and do nothing\n"
     "  --help                     this text\n"},
    {"demo",
     "usage: realmgate demo\n"
     "\n"
     "Starts two linked realms a and b in a temporary directory on loopback, with the users\n"
     "alice@a and bob@b (password rahasia), sends the first messages across, prints lines to\n"
     "paste into another terminal, runs until Ctrl-C and leaves nothing behind.\n"
     "\n"
     "  --help  this text\n"},
    {"key", "usage: realmgate key [--data DIR]\n"
            "\n"
            "Prints the realm's public key, for `realmgate realm trust` and TRUSTREALM at its\n"
            "peers. Makes the key pair if there is none.\n"
            "\n" DATA_LINES},
    {"status", "usage: realmgate status [--data DIR]\n"
               "\n"
               "Prints what CHECKSERVER and CHECKREALM say of the running realm, for people. Exit\n"
               "status 1 if it does not run or does not answer.\n"
               "\n" DATA_LINES},
    {"backup", "usage: realmgate backup FILE [--data DIR]\n"
               "\n"
               "Writes a consistent copy of the store, with the realm's key pair, into a new file\n"
               "(mode 0600: it holds the secret key). The realm may run meanwhile and is not held\n"
               "up.\n"
               "\n" DATA_LINES},
    {"restore",
     "usage: realmgate restore FILE [--data DIR]\n"
     "\n"
     "Makes a data directory of a backup: DIR is new or holds no store. Linked realms\n"
     "send again what the backup had not yet, and never take new messages for old ones.\n"
     "Never run the restored realm beside the one that the backup is of.\n"
     "\n" DATA_LINES},
    {"export",
     "usage: realmgate export [--data DIR]\n"
     "\n"
     "Prints every message of the store, oldest first, as a line of JSON: the message as\n"
     "INBOX shows it, in front of it the mailbox that it stands in. The realm may run\n"
     "meanwhile; all is as of one moment. A message that waits for another realm stands\n"
     "in OUTBOX <realm>; one to a group there is sealed, its text is in INBOXGROUPREALM.\n"
     "\n" DATA_LINES},
    {"import",
     "usage: realmgate import FILE [--data DIR]\n"
     "\n"
     "Adds users from a CSV file (RFC 4180). Its first line names the columns: user, and\n"
     "any of\n"
     "  hash      an Argon2id hash, \"$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH\" (in\n"
     "            quotes, for its commas)\n"
     "  operator  yes or no, no if it is empty\n"
     "Where the hash is empty the password is read from standard input, a line for each\n"
     "such user in the order of the file, or asked for on a terminal. Nothing is added if\n"
     "the file has an error; users that are there already are left alone and reported.\n"
     "\n" DATA_LINES},
    {"user", "usage: realmgate user add NAME [--operator] [--data DIR]\n"
             "       realmgate user list [--data DIR]\n"
             "       realmgate user remove NAME [--data DIR]\n"
             "       realmgate user password NAME [--data DIR]\n"
             "\n"
             "Works through the admin socket if the realm runs, else straight on its store.\n"
             "Passwords are read from standard input.\n"
             "\n" DATA_LINES},
    {"user add", "usage: realmgate user add NAME [--operator] [--data DIR]\n"
                 "\n"
                 "Adds a user. The password is the first line of standard input, or asked for on\n"
                 "a terminal.\n"
                 "\n"
                 "  --operator   the user may add users and link realms\n" DATA_LINES},
    {"user list", "usage: realmgate user list [--data DIR]\n"
                  "\n"
                  "Prints a line a user: its name, and true if it is an operator.\n"
                  "\n" DATA_LINES},
    {"user remove", "usage: realmgate user remove NAME [--data DIR]\n"
                    "\n"
                    "Removes a user.\n"
                    "\n" DATA_LINES},
    {"user password", "usage: realmgate user password NAME [--data DIR]\n"
                      "\n"
                      "Sets a user's password: the first line of standard input, or asked for on\n"
                      "a terminal.\n"
                      "\n" DATA_LINES},
    {"realm", "usage: realmgate realm trust NAME KEY [--data DIR]\n"
              "       realmgate realm list [--data DIR]\n"
              "       realmgate realm add NAME ADDRESS PORT [KEY] [--data DIR]\n"
              "       realmgate realm remove NAME [--data DIR]\n"
              "\n"
              "Works through the admin socket if the realm runs, else straight on its store; to\n"
              "add a realm this one must run.\n"
              "\n" DATA_LINES},
    {"realm trust", "usage: realmgate realm trust NAME KEY [--data DIR]\n"
                    "\n"
                    "Pins another realm's public key, as `realmgate key` prints it there.\n"
                    "\n" DATA_LINES},
    {"realm list", "usage: realmgate realm list [--data DIR]\n"
                   "\n"
                   "Prints a line a realm: name, address, port, state, queued messages, key.\n"
                   "\n" DATA_LINES},
    {"realm add", "usage: realmgate realm add NAME ADDRESS PORT [KEY] [--data DIR]\n"
                  "\n"
                  "Links this realm, which must be running, with the one whose federation port\n"
                  "is at ADDRESS and PORT.\n"
                  "\n" DATA_LINES},
    {"realm remove", "usage: realmgate realm remove NAME [--data DIR]\n"
                     "\n"
                     "Ends the link with a realm and forgets its key; what is still queued for it\n"
                     "goes back to its senders.\n"
                     "\n" DATA_LINES},
};

const char *help_text(const char *topic) {
    for (size_t i = 0; i < sizeof TOPICS / sizeof TOPICS[0]; i++) {
        if (strcmp(TOPICS[i].topic, topic) == 0) {
            return TOPICS[i].text;
        }
    }
    return NULL;
}

/* An option of `serve`: the word and what it is for, below that the variable and the default. */
static void print_option(const option_row_t *row) {
    char word[64];
    (void)snprintf(word, sizeof word, "--%s %s", row->word, row->value);
    const char *gap = strlen(word) > OPTION_COLUMNS ? "\n                             " : "";
    (void)printf("  %-*s%s%s\n", strlen(word) > OPTION_COLUMNS ? 0 : OPTION_COLUMNS + 1, word, gap,
                 row->help);
    (void)printf("  %-*s(%s, %s)\n", OPTION_COLUMNS + 1, "", row->variable,
                 row->fallback != NULL ? row->fallback : row->unset);
}

void help_print(const char *topic) {
    const char *text = help_text(topic);
    ASSERT(text != NULL);
    (void)fputs(text, stdout);
    if (strcmp(topic, "serve") == 0) {
        (void)fputs("\n", stdout);
        for (option_id_t id = 0; id < OPTION_COUNT; id++) {
            print_option(config_row(id));
        }
    }
}
