/* SPDX-License-Identifier: MIT */
/*
 * The log: one line per call in one write, so that lines of several threads never mix. Filtering by
 * level only; no files, no rotation (stderr goes to the journal).
 */
#include "common/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"

#define LEVEL_UNSET (-1)
#define LINE_MAX_BYTES 2048

static atomic_int threshold = LEVEL_UNSET;

static const char *const level_names[] = {"error", "warn", "info", "debug"};
_Static_assert(sizeof(level_names) / sizeof(level_names[0]) == PX_LOG_DEBUG + 1, "every level");

static int level_from_environment(void)
{
    const char *word = getenv("PARALLAX_LOG");
    for (int i = 0; word != NULL && i <= PX_LOG_DEBUG; i++) {
        if (strcmp(word, level_names[i]) == 0)
            return i;
    }
    return PX_LOG_INFO;
}

/* The environment speaks once, and only if nobody has set a level. */
static int level_threshold(void)
{
    int level = atomic_load(&threshold);
    if (level != LEVEL_UNSET)
        return level;
    int unset = LEVEL_UNSET;
    level = level_from_environment();
    return atomic_compare_exchange_strong(&threshold, &unset, level) ? level : unset;
}

void px_log_set_level(enum px_log_level level)
{
    atomic_store(&threshold, (int)level);
}

static void line_write(const char *line, size_t length)
{
    while (length > 0) {
        ssize_t done = write(STDERR_FILENO, line, length);
        if (done <= 0)
            return; /* nobody listens: there is nothing better to do */
        line += done;
        length -= (size_t)done;
    }
}

void px_log(enum px_log_level level, const char *format, ...)
{
    if ((int)level > level_threshold())
        return;
    char line[LINE_MAX_BYTES], when[PX_WALL_TEXT];
    int head = snprintf(line, sizeof(line), "%s %s: ", px_wall_format(px_wall_now(), when),
                        level_names[level]);
    va_list args;
    va_start(args, format);
    int body = vsnprintf(line + head, sizeof(line) - (size_t)head - 1, format, args);
    va_end(args);
    size_t length = body < 0 ? (size_t)head : (size_t)head + (size_t)body;
    if (length > sizeof(line) - 2)
        length = sizeof(line) - 2;
    for (size_t i = 0; i < length; i++) {
        if (line[i] == '\n' || line[i] == '\r')
            line[i] = ' ';
    }
    line[length] = '\n';
    line_write(line, length + 1);
}
