/*
 * Readers of single values, each an option_parse_fn: the text into the field that it names. NULL,
 * or what is wrong (static). The field is undefined after a wrong text.
 */
#ifndef REALMGATE_APP_CONFIG_VALUES_H
#define REALMGATE_APP_CONFIG_VALUES_H

const char *value_name(void *name, const char *text);       /* name_t */
const char *value_path(void *path, const char *text);       /* const char *, borrows the text */
const char *value_address(void *address, const char *text); /* const char *, borrows; port 0 fine */
const char *value_advertise(void *address, const char *text); /* address_t */
const char *value_registration(void *open, const char *text); /* bool: "open", "closed" */
const char *value_accept(void *any, const char *text);        /* bool: "any", "known" */
const char *value_log(void *level, const char *text);         /* log_level_t */
const char *value_log_format(void *json, const char *text);   /* bool: "json", "text" */

/* serve_options_t: appends NAME=KEY, or several with spaces between, to its trusts. */
const char *value_trust(void *options, const char *text);

/* rate_t: "20/s", "30/m", "20/s:100" with a burst, "off". Without a burst it is the number in
 * front. */
const char *value_rate(void *rate, const char *text);

/* int64_t in milliseconds: "90s", "15m", "12h", "30d"; at least a second, at most SETTING_MS_MAX.
 */
const char *value_duration(void *milliseconds, const char *text);
const char *value_timeout(void *milliseconds, const char *text);   /* or "off": 0 */
const char *value_retention(void *milliseconds, const char *text); /* or "forever": 0 */

const char *value_count(void *count, const char *text);        /* uint32_t, at least 1 */
const char *value_count_or_off(void *count, const char *text); /* or "off": 0 */
const char *value_size(void *bytes, const char *text); /* uint64_t: "4096", "64k", "1M", "1G" */

#endif
