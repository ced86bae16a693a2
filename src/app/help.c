/*
 * The help texts, one a topic.
 */
#include "app/help.h"

#include "base/assert.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

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
     "  --name NAME           the realm's name (REALMGATE_NAME), required\n"
     "  --data DIR            data directory (REALMGATE_DATA, ./realmgate-data)\n"
     "  --clients ADDRESS     client port (REALMGATE_CLIENTS, 127.0.0.1:9000); port 0 picks\n"
     "                        a free one, [::1]:9000 for IPv6\n"
     "  --federation ADDRESS  port for other realms (REALMGATE_FEDERATION, 127.0.0.1:9100)\n"
     "  --advertise ADDRESS   what peers are told to dial (REALMGATE_ADVERTISE, the\n"
     "                        federation address)\n"
     "  --registration WHO    closed or open: may anyone REGISTER (REALMGATE_REGISTRATION,\n"
     "                        closed)\n"
     "  --accept WHICH        known or any: any trusts a new realm's key on first use\n"
     "                        (REALMGATE_ACCEPT, known)\n"
     "  --trust NAME=KEY      pin a realm's key; may be repeated (REALMGATE_TRUST, with spaces\n"
     "                        between)\n"
     "  --log LEVEL           error, warn, info or debug (REALMGATE_LOG, info)\n"
     "  --log-format FORMAT   text or json (REALMGATE_LOG_FORMAT, text)\n"
     "  --help                this text\n"
     "\n"
     "The command line wins over the environment.\n"},
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

void help_print(const char *topic) {
    const char *text = help_text(topic);
    ASSERT(text != NULL);
    (void)fputs(text, stdout);
}
