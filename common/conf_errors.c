/* SPDX-License-Identifier: MIT */
/* Collecting what is wrong with a file, and printing it with source line, caret and hint. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "common/conf_tree.h"
#include "common/text.h"

#define MESSAGE_MAX 400
#define LINE_SHOWN 140u /* characters of a source line */
#define LINE_BEFORE 60u /* of them before the caret, in long lines */
#define PIECE_TEXT 16

static char *text_shown(const char *text)
{
    char shown[MESSAGE_MAX * 4 + 8];
    return px_xstrdup(px_text_safe(text, MESSAGE_MAX, shown, sizeof(shown)));
}

void px_conf_error(struct px_conf *c, const struct px_conf_node *at, const char *hint,
                   const char *format, ...)
{
    char message[MESSAGE_MAX * 4];
    c->error_count++;
    if (c->error_kept == PX_CONF_ERRORS_MAX)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    c->errors = px_xrealloc(c->errors, c->error_kept + 1, sizeof(*c->errors));
    struct px_conf_fault *fault = &c->errors[c->error_kept];
    memset(fault, 0, sizeof(*fault));
    if (at != NULL) {
        fault->line = at->line;
        fault->column = at->column;
        fault->width = at->width;
    }
    fault->order = c->error_kept++;
    fault->message = text_shown(message);
    fault->hint = hint != NULL ? text_shown(hint) : NULL;
}

size_t px_conf_error_count(const struct px_conf *c)
{
    return c->error_count;
}

static int fault_compare(const void *left, const void *right)
{
    const struct px_conf_fault *a = left, *b = right;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    if (a->column != b->column)
        return a->column < b->column ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

/* Bytes of the line break at p, as the parser counts lines; 0 if there is none. */
static size_t break_size(const char *p)
{
    static const char *const breaks[] = {"\r\n",     "\n",           "\r",
                                         "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"};
    for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
        if (strncmp(p, breaks[i], strlen(breaks[i])) == 0)
            return strlen(breaks[i]);
    }
    return 0;
}

/* A place in the source; faults are sorted, so it only moves forward. */
struct cursor {
    const char *p;
    unsigned line, column;
};

static void cursor_move(struct cursor *at, unsigned line, unsigned column)
{
    while (*at->p != '\0' && (at->line < line || (at->line == line && at->column < column))) {
        uint32_t c;
        size_t broken = break_size(at->p);
        int size = px_text_decode_utf8(at->p, &c);
        if (broken > 0 && at->line == line)
            return;
        at->column = broken > 0 ? 1 : at->column + 1;
        at->line += broken > 0 ? 1 : 0;
        at->p += broken > 0 ? broken : size > 0 ? (size_t)size : 1;
    }
}

/* One character of a source line as it is shown, a tab as a space; returns its bytes. */
static size_t piece_format(const char *p, char *piece)
{
    char one[8] = {0};
    uint32_t c;
    int size = px_text_decode_utf8(p, &c);
    memcpy(one, p, size > 0 ? (size_t)size : 1);
    if (one[0] == '\t')
        one[0] = ' ';
    px_text_safe(one, PIECE_TEXT - 1, piece, PIECE_TEXT);
    return size > 0 ? (size_t)size : 1;
}

/* Columns that a shown piece takes. */
static unsigned piece_width(const char *piece)
{
    unsigned width = 0;
    for (; *piece != '\0'; piece++)
        width += ((unsigned char)*piece & 0xc0) != 0x80;
    return width;
}

/* The source line with the caret below; long lines are cut to what surrounds the caret. */
static void source_print(FILE *out, struct cursor *at, const struct px_conf_fault *fault)
{
    unsigned from = fault->column > LINE_SHOWN - 20 ? fault->column - LINE_BEFORE : 1;
    unsigned blank = from > 1 ? 3 : 0, marked = 0;
    cursor_move(at, fault->line, from);
    fprintf(out, "%5u | %s", fault->line, from > 1 ? "..." : "");
    const char *p = at->p;
    for (unsigned column = at->column; *p != '\0' && break_size(p) == 0; column++) {
        char piece[PIECE_TEXT];
        if (column >= from + LINE_SHOWN) {
            fputs("...", out);
            break;
        }
        p += piece_format(p, piece);
        fputs(piece, out);
        if (column < fault->column)
            blank += piece_width(piece);
        else if (column < fault->column + fault->width)
            marked += piece_width(piece);
    }
    fprintf(out, "\n      | %*s", (int)blank, "");
    for (unsigned i = 0; i < (marked > 0 ? marked : 1); i++)
        fputc('^', out);
    fputc('\n', out);
}

char *px_conf_errors(const struct px_conf *c)
{
    char *text = NULL;
    size_t size = 0;
    if (c->error_count == 0)
        return px_xstrdup("");
    FILE *out = open_memstream(&text, &size);
    struct px_conf_fault *sorted = px_xcalloc(c->error_kept, sizeof(*sorted));
    struct cursor at = {c->text != NULL ? c->text : "", 1, 1};
    if (out == NULL)
        abort();
    memcpy(sorted, c->errors, c->error_kept * sizeof(*sorted));
    qsort(sorted, c->error_kept, sizeof(*sorted), fault_compare);
    for (size_t i = 0; i < c->error_kept; i++) {
        const struct px_conf_fault *fault = &sorted[i];
        if (fault->line == 0) {
            fprintf(out, "%s: error: %s\n", c->name, fault->message);
        } else {
            fprintf(out, "%s:%u:%u: error: %s\n", c->name, fault->line, fault->column,
                    fault->message);
            source_print(out, &at, fault);
        }
        if (fault->hint != NULL)
            fprintf(out, "      = %s\n", fault->hint);
    }
    fprintf(out, "%s: %zu error%s", c->name, c->error_count, c->error_count == 1 ? "" : "s");
    if (c->error_kept < c->error_count)
        fprintf(out, ", of which %zu are shown", c->error_kept);
    fclose(out);
    free(sorted);
    return text;
}
