/* links: base wire core store net app */
/*
 * Single values: what each means, and that nothing else is taken.
 */
#include "app/config_values.h"
#include "base/limits.h"
#include "types/settings.h"

#include <criterion/criterion.h>

static void assert_rate(const char *text, uint32_t per_minute, uint32_t burst) {
    rate_t rate = {77, 77};
    cr_assert_null(value_rate(&rate, text), "%s", text);
    cr_assert_eq(rate.per_minute, per_minute, "%s", text);
    cr_assert_eq(rate.burst, burst, "%s", text);
}

Test(values, rates) {
    static const char *const wrong[] = {"",
                                        "20",
                                        "/s",
                                        "20/",
                                        "20/h",
                                        "20/s:",
                                        "20/s:0",
                                        "0/s",
                                        "20/s 5",
                                        "-1/s",
                                        "20/ss",
                                        "20 /s",
                                        "OFF",
                                        "20/s:1:1",
                                        "20:5/s",
                                        "1000001/s",
                                        "1/s:1000001",
                                        "20/s:x",
                                        "99999999999999999999/s"};
    rate_t rate;
    assert_rate("off", 0, 0);
    assert_rate("20/s", 1200, 20);
    assert_rate("30/m", 30, 30);
    assert_rate("20/s:100", 1200, 100);
    assert_rate("1/m:1", 1, 1);
    assert_rate("1000000/s:1000000", RATE_PER_MINUTE_MAX, RATE_BURST_MAX);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert_not_null(value_rate(&rate, wrong[i]), "%s", wrong[i]);
    }
}

static void assert_duration(const char *text, int64_t milliseconds) {
    int64_t read = -1;
    cr_assert_null(value_duration(&read, text), "%s", text);
    cr_assert_eq(read, milliseconds, "%s", text);
}

Test(values, durations) {
    static const char *const wrong[] = {
        "",   "90", "s",     "0s",  "1.5h",    "-1d",    "1 d",
        "1w", "1D", "1h30m", "off", "forever", "36601d", "99999999999999999999s"};
    int64_t read;
    assert_duration("90s", 90000);
    assert_duration("15m", 900000);
    assert_duration("12h", 12LL * 3600000);
    assert_duration("30d", 30LL * 24 * 3600000);
    assert_duration("36600d", SETTING_MS_MAX);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert_not_null(value_duration(&read, wrong[i]), "%s", wrong[i]);
    }
    cr_assert_null(value_timeout(&read, "off"));
    cr_assert_eq(read, 0);
    cr_assert_null(value_timeout(&read, "1s"));
    cr_assert_eq(read, 1000);
    cr_assert_not_null(value_timeout(&read, "forever"));
    cr_assert_null(value_retention(&read, "forever"));
    cr_assert_eq(read, 0);
    cr_assert_null(value_retention(&read, "1d"));
    cr_assert_not_null(value_retention(&read, "off"));
}

static void assert_size(const char *text, uint64_t bytes) {
    uint64_t read = 0;
    cr_assert_null(value_size(&read, text), "%s", text);
    cr_assert_eq(read, bytes, "%s", text);
}

Test(values, sizes) {
    static const char *const wrong[] = {
        "",   "0",   "k",    "0k", "1K", "1m",       "1g",
        "1T", "1kB", "1.5G", "-1", " 1", "1048577G", "99999999999999999999"};
    uint64_t read;
    assert_size("1", 1);
    assert_size("64k", 64 << 10);
    assert_size("16M", 16 << 20);
    assert_size("1G", 1ULL << 30);
    assert_size("1048576G", 1ULL << 50);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert_not_null(value_size(&read, wrong[i]), "%s", wrong[i]);
    }
}

Test(values, counts) {
    static const char *const wrong[] = {"", "0", "-1", "1e3", "1000000001", "1 ", "forever"};
    uint32_t read;
    cr_assert_null(value_count(&read, "19500"));
    cr_assert_eq(read, 19500);
    cr_assert_null(value_count(&read, "1000000000"));
    cr_assert_not_null(value_count(&read, "off"));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert_not_null(value_count(&read, wrong[i]), "%s", wrong[i]);
        cr_assert_not_null(value_count_or_off(&read, wrong[i]), "%s", wrong[i]);
    }
    cr_assert_null(value_count_or_off(&read, "off"));
    cr_assert_eq(read, 0);
}
