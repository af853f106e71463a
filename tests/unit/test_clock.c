/* SPDX-License-Identifier: MIT */
/* Times and durations as text, in both directions, at their borders and with nonsense. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/clock.h"
#include "tests/unit/noise.h"

#define MINUTE (60 * PX_SEC)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

Test(clock, wall_text_there_and_back)
{
    static const struct {
        px_wall t;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1795183331120 * PX_MS, "2026-11-20T14:02:11.120Z"},
        {-PX_MS, "1969-12-31T23:59:59.999Z"},
        {951782400 * PX_SEC, "2000-02-29T00:00:00.000Z"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[PX_WALL_TEXT];
        px_wall t = 1;
        struct px_err err = {0};
        cr_assert_str_eq(px_wall_format(cases[i].t, text), cases[i].text);
        cr_assert_eq(px_wall_parse(text, &t, &err), 0, "%s", err.message);
        cr_assert_eq(t, cases[i].t);
    }
}

Test(clock, wall_fraction_is_optional)
{
    px_wall t;
    cr_assert_eq(px_wall_parse("2026-11-20T13:41:00Z", &t, NULL), 0);
    cr_assert_eq(t, 1795182060 * PX_SEC);
    cr_assert_eq(px_wall_parse("1970-01-01T00:00:00.123456789Z", &t, NULL), 0);
    cr_assert_eq(t, 123456789);
}

Test(clock, wall_refuses_what_is_no_time)
{
    static const char *const wrong[] = {
        "",
        "now",
        "2026-11-20",
        "2026-11-20T14:02:11",
        "2026-11-20T14:02:11+01:00",
        "2026-11-20 14:02:11Z",
        "2026-13-20T14:02:11Z",
        "2026-11-31T14:02:11Z",
        "2025-02-29T00:00:00Z",
        "2026-11-20T24:02:11Z",
        "2026-11-20T14:02:60Z",
        "2026-11-20T14:02:11.Z",
        "2026-11-20T14:02:11.1234567890Z",
        "2026-11-20T14:02:11ZZ",
        "1600-01-01T00:00:00Z",
        "9999-01-01T00:00:00Z",
        "+026-11-20T14:02:11Z",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        px_wall t;
        struct px_err err = {0};
        cr_assert_eq(px_wall_parse(wrong[i], &t, &err), -1, "%s", wrong[i]);
        cr_assert_str_eq(err.code, "bad-time");
        cr_assert_not_null(strstr(err.message, wrong[i]));
        cr_assert_not_null(strstr(err.hint, "2026-11-20T14:02:11Z"));
    }
    cr_assert_eq(px_wall_parse(NULL, &(px_wall){0}, NULL), -1);
}

Test(clock, duration_parse)
{
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {{"10s", 10 * PX_SEC},
                 {"1.5s", 1500 * PX_MS},
                 {"250ms", 250 * PX_MS},
                 {"5m", 5 * MINUTE},
                 {"24h", DAY},
                 {"14d", 14 * DAY},
                 {"0s", 0},
                 {"0.5ms", PX_MS / 2},
                 {"36500d", 36500 * DAY},
                 {"0.000000001s", 1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ns = -1;
        struct px_err err = {0};
        cr_assert_eq(px_duration_parse("--timeout", cases[i].text, &ns, &err), 0, "%s",
                     err.message);
        cr_assert_eq(ns, cases[i].ns, "%s", cases[i].text);
    }
}

Test(clock, duration_errors_say_what_to_write)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"10", "--timeout 10 has no unit; write 10s or 10ms"},
        {"1.5", "--timeout 1.5 has no unit; write 1.5s or 1.5ms"},
        {"abc", "--timeout \"abc\" is not a duration; write 250ms, 10s, 5m, 24h or 14d"},
        {"10 s", "--timeout \"10 s\" is not a duration; write 250ms, 10s, 5m, 24h or 14d"},
        {"-5s", "--timeout \"-5s\" is not a duration; write 250ms, 10s, 5m, 24h or 14d"},
        {"", "--timeout \"\" is not a duration; write 250ms, 10s, 5m, 24h or 14d"},
        {"10sec", "--timeout \"10sec\" is not a duration; write 250ms, 10s, 5m, 24h or 14d"},
        {"1.s", "--timeout \"1.s\" is not a duration; write 250ms, 10s, 5m, 24h or 14d"},
        {"36501d", "--timeout 36501d is too long; at most 36500d"},
        {"99999999999999999999999h",
         "--timeout 99999999999999999999999h is too long; at most 36500d"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ns = -1;
        struct px_err err = {0};
        cr_assert_eq(px_duration_parse("--timeout", cases[i].text, &ns, &err), -1);
        cr_assert_str_eq(err.code, "bad-duration");
        cr_assert_str_eq(err.message, cases[i].message);
    }
}

Test(clock, duration_format)
{
    static const struct {
        int64_t ns;
        const char *text;
    } cases[] = {
        {0, "0ms"},
        {400 * PX_MS / 1000, "0.4ms"},
        {14 * PX_MS, "14ms"},
        {850 * PX_MS, "850ms"},
        {999 * PX_MS + 600000, "1s"},
        {2100 * PX_MS, "2.1s"},
        {9960 * PX_MS, "10s"},
        {60 * PX_SEC, "60s"},
        {74 * PX_SEC, "74s"},
        {5 * MINUTE, "5m"},
        {22 * MINUTE + PX_SEC, "22m"},
        {HOUR, "1h"},
        {3 * HOUR + 5 * MINUTE, "3h"},
        {DAY, "1d"},
        {12 * DAY, "12d"},
        {12 * DAY + HOUR, "12d"},
        {-4 * PX_SEC, "-4s"},
        {INT64_MAX, "106752d"},
        {INT64_MIN, "-106752d"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[PX_DURATION_TEXT];
        cr_assert_str_eq(px_duration_format(cases[i].ns, text), cases[i].text);
    }
}

Test(clock, formatted_durations_parse_again)
{
    struct noise noise = {3};
    for (int i = 0; i < 20000; i++) {
        char text[PX_DURATION_TEXT], again[PX_DURATION_TEXT];
        int64_t ns = (int64_t)(noise_next(&noise) >> (2 + noise_below(&noise, 60))), back;
        cr_assert_lt(strlen(px_duration_format(ns, text)), sizeof(text));
        if (ns > 36500 * DAY)
            continue;
        cr_assert_eq(px_duration_parse("x", text, &back, NULL), 0, "%s", text);
        cr_assert_lt(back > ns ? back - ns : ns - back, ns / 4 + PX_MS / 2, "%s", text);
        px_duration_format(back, again);
        cr_assert_eq(px_duration_parse("x", again, &ns, NULL), 0, "%s", again);
    }
}

Test(clock, noise_is_a_value_or_an_error)
{
    struct noise noise = {5};
    char text[48];
    for (int i = 0; i < 50000; i++) {
        int64_t ns;
        px_wall t;
        struct px_err err = {0};
        noise_text(&noise, i % 3 ? "0123456789.smhd-:TZ" : NULL, sizeof(text) - 1, text);
        int rc = px_duration_parse("x", text, &ns, &err);
        cr_assert((rc == 0 && ns >= 0) ^ (err.code[0] != '\0'), "%s", text);
        px_err_clear(&err);
        rc = px_wall_parse(text, &t, &err);
        cr_assert((rc == 0) ^ (err.code[0] != '\0'), "%s", text);
    }
}

Test(clock, the_clocks_run)
{
    px_mono first = px_mono_now(), second = px_mono_now();
    cr_assert_leq(first, second);
    cr_assert_gt(px_wall_now(), 1700000000 * PX_SEC);
}
