/* SPDX-License-Identifier: MIT */
/* Reading clocks, and times and durations as text. The only place of common/ that asks the time. */
#include "common/clock.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/text.h"

#define MINUTE (60 * PX_SEC)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define DURATION_MAX (36500 * DAY)
#define SHOWN_MAX 80

px_mono px_mono_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (px_mono)t.tv_sec * PX_SEC + t.tv_nsec;
}

px_wall px_wall_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (px_wall)t.tv_sec * PX_SEC + t.tv_nsec;
}

char *px_wall_format(px_wall t, char *out)
{
    int64_t seconds = t / PX_SEC, rest = t % PX_SEC;
    if (rest < 0) {
        rest += PX_SEC;
        seconds--;
    }
    time_t when = (time_t)seconds;
    struct tm tm;
    gmtime_r(&when, &tm);
    snprintf(out, PX_WALL_TEXT, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
             (unsigned)(tm.tm_year + 1900) % 10000u, (unsigned)(tm.tm_mon + 1) % 100u,
             (unsigned)tm.tm_mday % 100u, (unsigned)tm.tm_hour % 100u, (unsigned)tm.tm_min % 100u,
             (unsigned)tm.tm_sec % 100u, (unsigned)(rest / PX_MS) % 1000u);
    return out;
}

/* Read `digits` digits at *at; false if there are fewer. */
static bool digits_parse(const char **at, int digits, int *out)
{
    int value = 0;
    for (int i = 0; i < digits; i++) {
        if (!isdigit((unsigned char)(*at)[i]))
            return false;
        value = value * 10 + ((*at)[i] - '0');
    }
    *at += digits;
    *out = value;
    return true;
}

/* ".123" -> nanoseconds; further digits than nine are refused. */
static bool fraction_parse(const char **at, int64_t *ns)
{
    *ns = 0;
    if (**at != '.')
        return true;
    int64_t unit = PX_SEC / 10;
    const char *p = *at + 1;
    if (!isdigit((unsigned char)*p))
        return false;
    for (; isdigit((unsigned char)*p) && unit > 0; p++, unit /= 10)
        *ns += (*p - '0') * unit;
    *at = p;
    return !isdigit((unsigned char)*p);
}

static bool wall_parse(const char *text, px_wall *out)
{
    static const struct {
        int digits, least, most;
        char after; /* NUL: the fraction and Z follow */
    } parts[] = {{4, 1678, 2261, '-'}, {2, 1, 12, '-'}, {2, 1, 31, 'T'},
                 {2, 0, 23, ':'},      {2, 0, 59, ':'}, {2, 0, 59, 0}};
    int values[6];
    const char *p = text;
    for (size_t i = 0; i < 6; i++) {
        if (!digits_parse(&p, parts[i].digits, &values[i]) || values[i] < parts[i].least ||
            values[i] > parts[i].most)
            return false;
        if (parts[i].after != 0 && *p++ != parts[i].after)
            return false;
    }
    int64_t fraction;
    if (!fraction_parse(&p, &fraction) || strcmp(p, "Z") != 0)
        return false;
    struct tm tm = {.tm_year = values[0] - 1900,
                    .tm_mon = values[1] - 1,
                    .tm_mday = values[2],
                    .tm_hour = values[3],
                    .tm_min = values[4],
                    .tm_sec = values[5]};
    time_t seconds = timegm(&tm);
    *out = (px_wall)seconds * PX_SEC + fraction;
    return tm.tm_mday == values[2]; /* timegm turns 31 April into 1 May */
}

int px_wall_parse(const char *text, px_wall *out, struct px_err *err)
{
    if (text != NULL && wall_parse(text, out))
        return 0;
    char shown[SHOWN_MAX * 4];
    px_err_set(err, "bad-time", "\"%s\" is not a time",
               px_text_safe(text == NULL ? "" : text, SHOWN_MAX, shown, sizeof(shown)));
    return px_err_hint(err, "write it in UTC like 2026-11-20T14:02:11Z");
}

static const struct {
    const char *word;
    int64_t ns;
} units[] = {{"ms", PX_MS}, {"s", PX_SEC}, {"m", MINUTE}, {"h", HOUR}, {"d", DAY}};

static int64_t unit_parse(const char *word)
{
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(units[i].word, word) == 0)
            return units[i].ns;
    }
    return 0;
}

/* number[.fraction] in *whole and *fraction (billionths); returns what follows, NULL if none. */
static const char *number_parse(const char *text, int64_t *whole, int64_t *fraction)
{
    const char *p = text;
    *whole = 0;
    if (!isdigit((unsigned char)*p))
        return NULL;
    for (; isdigit((unsigned char)*p); p++) {
        if (*whole < DURATION_MAX / 10)
            *whole = *whole * 10 + (*p - '0');
    }
    return fraction_parse(&p, fraction) ? p : NULL;
}

int px_duration_parse(const char *what, const char *text, int64_t *ns, struct px_err *err)
{
    char shown[SHOWN_MAX * 4];
    int64_t whole = 0, fraction = 0;
    px_text_safe(text == NULL ? "" : text, SHOWN_MAX, shown, sizeof(shown));
    const char *rest = text == NULL ? NULL : number_parse(text, &whole, &fraction);
    if (rest != NULL && *rest == '\0')
        return px_err_set(err, "bad-duration", "%s %s has no unit; write %ss or %sms", what, shown,
                          shown, shown);
    int64_t unit = rest == NULL ? 0 : unit_parse(rest);
    if (unit == 0)
        return px_err_set(err, "bad-duration",
                          "%s \"%s\" is not a duration; write 250ms, 10s, 5m, 24h or 14d", what,
                          shown);
    int64_t most = DURATION_MAX / unit;
    if (whole > most || (whole == most && fraction > 0))
        return px_err_set(err, "bad-duration", "%s %s is too long; at most %" PRId64 "d", what,
                          shown, (int64_t)(DURATION_MAX / DAY));
    *ns = whole * unit + (int64_t)((__int128)fraction * unit / PX_SEC);
    return 0;
}

static int64_t divide_nearest(int64_t ns, int64_t unit)
{
    return ns / unit + (ns % unit >= unit - unit / 2 ? 1 : 0);
}

/* One decimal unless it is zero. */
static void tenths_format(int64_t tenths, const char *unit, char *out)
{
    if (tenths % 10 == 0)
        snprintf(out, PX_DURATION_TEXT - 1, "%" PRId64 "%s", tenths / 10, unit);
    else
        snprintf(out, PX_DURATION_TEXT - 1, "%" PRId64 ".%" PRId64 "%s", tenths / 10, tenths % 10,
                 unit);
}

char *px_duration_format(int64_t ns, char *out)
{
    char *p = out;
    if (ns < 0) {
        *p++ = '-';
        ns = ns == INT64_MIN ? INT64_MAX : -ns;
    }
    static const struct {
        int64_t below, unit; /* shown in this unit if the rounded count stays below */
        const char *word;
    } whole[] = {{120, PX_SEC, "s"}, {120, MINUTE, "m"}, {48, HOUR, "h"}, {INT64_MAX, DAY, "d"}};
    size_t rule = 0;

    if (divide_nearest(ns, PX_MS / 10) < 10) {
        tenths_format(divide_nearest(ns, PX_MS / 10), "ms", p);
        return out;
    }
    if (divide_nearest(ns, PX_MS) < 1000) {
        snprintf(p, PX_DURATION_TEXT - 1, "%" PRId64 "ms", divide_nearest(ns, PX_MS));
        return out;
    }
    if (divide_nearest(ns, PX_SEC / 10) < 100) {
        tenths_format(divide_nearest(ns, PX_SEC / 10), "s", p);
        return out;
    }
    if (ns % DAY == 0)
        rule = 3;
    else if (ns % HOUR == 0)
        rule = 2;
    while (divide_nearest(ns, whole[rule].unit) >= whole[rule].below)
        rule++;
    snprintf(p, PX_DURATION_TEXT - 1, "%" PRId64 "%s", divide_nearest(ns, whole[rule].unit),
             whole[rule].word);
    return out;
}
