/* SPDX-License-Identifier: MIT */
/*
 * Redraws a block of lines in place. Lines are cut at the terminal's edge by switching its wrapping
 * off while drawing, and the block at its height, so that erasing always finds the first line.
 */
#include "cli/live.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/text.h"

#define LIVE_FIRST_MS 100 /* the first sign of life */
#define LIVE_TABLE_MS 300 /* the table */
#define LIVE_EVERY_MS 100
#define LIVE_ROWS_MIN 3

struct live {
    struct event *timer;
    live_draw *draw;
    void *arg;
    px_mono started;
    unsigned lines; /* of the block on the screen */
};

static void live_arm(struct live *l, int ms)
{
    struct timeval tv = {0, ms * 1000};
    event_add(l->timer, &tv);
}

void live_erase(struct live *l)
{
    if (!l || l->lines == 0)
        return;
    fprintf(stderr, "\r\033[%uA\033[J", l->lines);
    fflush(stderr);
    l->lines = 0;
}

/* The block with at most `rows` lines: the first ones and the very last. Returns how many. */
static unsigned live_print(const char *block, unsigned rows)
{
    unsigned total = 0, shown = 0, i = 0;
    for (const char *p = block; *p; p++)
        total += *p == '\n';
    for (const char *line = block; *line; i++) {
        size_t length = strcspn(line, "\n");
        if (i + 1 < rows || i + 1 == total) {
            fprintf(stderr, "%.*s\033[K\n", (int)length, line);
            shown++;
        }
        line += length + (line[length] == '\n');
    }
    return shown;
}

static void live_on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct live *l = arg;
    struct winsize size;
    char *block = NULL;
    size_t length = 0;
    (void)fd, (void)what;
    FILE *f = open_memstream(&block, &length);
    if (!f)
        return;
    l->draw(l->arg, f, px_mono_now() - l->started < LIVE_TABLE_MS * PX_MS);
    fclose(f);
    unsigned rows = ioctl(2, TIOCGWINSZ, &size) == 0 ? size.ws_row : 24;
    if (l->lines > 0)
        fprintf(stderr, "\r\033[%uA", l->lines);
    fputs("\033[?7l", stderr);
    l->lines = live_print(block, rows > LIVE_ROWS_MIN ? rows - 1 : LIVE_ROWS_MIN);
    fputs("\033[J\033[?7h", stderr);
    fflush(stderr);
    free(block);
    live_arm(l, LIVE_EVERY_MS);
}

struct live *live_new(struct event_base *base, const struct out_style *style, live_draw *draw,
                      void *arg)
{
    const char *term = getenv("TERM");
    if (!style->tty || !term || !*term || strcmp(term, "dumb") == 0)
        return NULL;
    struct live *l = px_xcalloc(1, sizeof *l);
    l->draw = draw;
    l->arg = arg;
    l->started = px_mono_now();
    l->timer = event_new(base, -1, 0, live_on_timer, l);
    live_arm(l, LIVE_FIRST_MS);
    return l;
}

void live_free(struct live *l)
{
    if (!l)
        return;
    live_erase(l);
    event_free(l->timer);
    free(l);
}
