/*
 * The help texts.
 */
#ifndef REALMGATE_APP_HELP_H
#define REALMGATE_APP_HELP_H

/* The text of a topic ("", "serve", "user", "user add", ...), or NULL if there is none. Static. */
const char *help_text(const char *topic);

/* Prints it to standard output. The topic must be one of the table's. */
void help_print(const char *topic);

#endif
