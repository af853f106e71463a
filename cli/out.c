/* SPDX-License-Identifier: MIT */
/* The table of formats, where each goes (-o FORMAT[=FILE]), and what the terminal can show. */
#include "cli/out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/text.h"

const struct out_format out_formats[] = {
    {"table", "for people (default)", out_table_write, false},
    {"wide", "table with more columns", out_wide_write, false},
    {"json", "one document, schema parallax.run/1", out_json_write, false},
    {"ndjson", "one document per line, first verdicts too", out_ndjson_write, true},
    {"tsv", "one line per vantage", out_tsv_write, false},
    {"markdown", "for a ticket", out_markdown_write, false},
    {NULL, NULL, NULL, false},
};

/* Locale variables in the order in which libc asks them. */
static bool locale_is_utf8(void)
{
    static const char *const variables[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        const char *value = getenv(variables[i]);
        if (value && *value)
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

static bool color_wanted(bool tty, const char *color)
{
    const char *term = getenv("TERM"), *none = getenv("NO_COLOR"),
               *force = getenv("CLICOLOR_FORCE");
    if (color && strcmp(color, "always") == 0)
        return true;
    if (color && strcmp(color, "never") == 0)
        return false;
    if (none && *none)
        return false;
    if (force && *force && strcmp(force, "0") != 0)
        return true;
    return tty && !(term && strcmp(term, "dumb") == 0);
}

void out_style_detect(struct out_style *s, int fd, const char *color)
{
    struct winsize size;
    memset(s, 0, sizeof *s);
    s->tty = isatty(fd) == 1;
    s->utf8 = locale_is_utf8();
    s->color = color_wanted(s->tty, color);
    s->width = OUT_WIDTH_PLAIN;
    s->now = px_wall_now();
    if (s->tty && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        s->columns = size.ws_col;
        s->rows = size.ws_row;
        s->width = size.ws_col < OUT_WIDTH_MIN   ? OUT_WIDTH_MIN
                   : size.ws_col > OUT_WIDTH_MAX ? OUT_WIDTH_MAX
                                                 : size.ws_col;
    }
}

static const struct out_format *out_find(const char *name, size_t length)
{
    for (const struct out_format *format = out_formats; format->name; format++) {
        if (strlen(format->name) == length && memcmp(format->name, name, length) == 0)
            return format;
    }
    return NULL;
}

/* "no format ..." with what there is instead. */
static void format_unknown(const char *name, size_t length, const char *const *names, size_t n,
                           struct px_err *err)
{
    char *bare = px_xasprintf("%.*s", (int)length, name);
    char safe[128], list[256] = "";
    px_text_safe(bare, 40, safe, sizeof safe);
    const char *near = px_text_suggest(bare, names, n);
    free(bare);
    for (size_t i = 0; i < n; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? " " : "", names[i]);
    }
    if (near)
        px_err_set(err, "bad-format", "no format \"%s\"; did you mean \"%s\"?", safe, near);
    else
        px_err_set(err, "bad-format", "no format \"%s\"", safe);
    px_err_hint(err, "formats here: %s", list);
}

static int out_sink_open(struct out_sinks *s, const char *wish, struct px_err *err)
{
    size_t length = strcspn(wish, "=");
    const struct out_format *format = out_find(wish, length);
    if (!format) {
        const char *names[16];
        size_t n = 0;
        for (; out_formats[n].name; n++)
            names[n] = out_formats[n].name;
        format_unknown(wish, length, names, n, err);
        return -1;
    }
    const char *path = wish[length] == '=' ? wish + length + 1 : NULL;
    if (path && !*path)
        return px_err_set(err, "bad-format", "-o %s= names no file", format->name);
    if (!path && out_sinks_stdout(s))
        return px_err_set(err, "bad-format", "only one format can go to stdout; write -o %s=FILE",
                          format->name);
    if (s->n == OUT_SINKS_MAX)
        return px_err_set(err, "bad-format", "-o is given more than %d times", OUT_SINKS_MAX);
    FILE *file = path ? fopen(path, "we") : stdout;
    if (!file)
        return px_err_set(err, "write", "cannot write %s: %s", path, strerror(errno));
    s->v[s->n++] = (struct out_sink){format, path, file};
    return 0;
}

int out_sinks_open(struct out_sinks *s, const struct flags *f, struct px_err *err)
{
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < f->given_count; i++) {
        const struct flag_given *given = &f->given[i];
        if (strcmp(given->spec->name, "output") != 0)
            continue;
        if (out_sink_open(s, given->value, err) != 0) {
            out_sinks_close(s, NULL);
            return -1;
        }
    }
    if (!out_sinks_stdout(s) && s->n < OUT_SINKS_MAX)
        return out_sink_open(s, "table", err);
    return 0;
}

const struct out_format *out_sinks_stdout(const struct out_sinks *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (!s->v[i].path)
            return s->v[i].format;
    }
    return NULL;
}

int out_sinks_write(struct out_sinks *s, const struct px_report *const *reports, size_t n,
                    const struct out_style *style, struct px_err *err)
{
    int result = 0;
    for (size_t i = 0; i < s->n; i++) {
        struct out_sink *sink = &s->v[i];
        struct out_style plain = *style;
        if (sink->path) {
            plain.color = plain.tty = false;
            plain.columns = plain.rows = 0;
            plain.width = OUT_WIDTH_PLAIN;
        }
        sink->format->write(sink->file, reports, n, &plain);
        if (fflush(sink->file) != 0 && errno != EPIPE)
            result = px_err_set(err, "write", "cannot write %s: %s",
                                sink->path ? sink->path : "the answer", strerror(errno));
    }
    return result;
}

bool out_sinks_want_stream(const struct out_sinks *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->v[i].format->streams)
            return true;
    }
    return false;
}

void out_sinks_stream(struct out_sinks *s, const struct px_report *r, const struct out_style *style)
{
    for (size_t i = 0; i < s->n; i++) {
        if (!s->v[i].format->streams)
            continue;
        s->v[i].format->write(s->v[i].file, &r, 1, style);
        fflush(s->v[i].file);
    }
}

int out_sinks_close(struct out_sinks *s, struct px_err *err)
{
    int result = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (s->v[i].path && fclose(s->v[i].file) != 0)
            result = px_err_set(err, "write", "cannot write %s: %s", s->v[i].path, strerror(errno));
    }
    s->n = 0;
    return result;
}

const char *out_choose(const struct flags *f, const char *const *names, struct px_err *err)
{
    const char *wish = flags_text(f, "output");
    size_t n = 0;
    if (!wish)
        return names[0];
    for (; names[n]; n++) {
        if (strcmp(names[n], wish) == 0)
            return names[n];
    }
    format_unknown(wish, strlen(wish), names, n, err);
    return NULL;
}
