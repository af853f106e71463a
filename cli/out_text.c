/* SPDX-License-Identifier: MIT */
/* Lays out columns and paragraphs. All text must be safe for a terminal already (px_text_safe). */
#include "cli/out_text.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"

#define GRID_COLUMNS_MAX 24
#define GRID_GAP 2
#define GRID_WRAP_MIN 24 /* a last column narrower than this is not wrapped */

struct grid_row {
    enum out_tone tone;
    char *cells[GRID_COLUMNS_MAX];
};

struct out_grid {
    const struct out_column *columns;
    size_t n;
    struct grid_row *rows;
    size_t row_count;
};

static const char *const tone_codes[] = {
    [OUT_PLAIN] = "",        [OUT_GOOD] = "\033[32m", [OUT_BAD] = "\033[31m",
    [OUT_WARN] = "\033[33m", [OUT_DIM] = "\033[2m",   [OUT_BOLD] = "\033[1m",
};

size_t out_columns(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

char *out_safe(const char *text)
{
    size_t size = 8 * (OUT_SAFE_MAX + 4);
    char *out = px_xcalloc(1, size);
    return px_text_safe(text ? text : "", OUT_SAFE_MAX, out, size);
}

void out_toned(FILE *f, const struct out_style *s, enum out_tone tone, const char *text)
{
    if (s->color && tone != OUT_PLAIN && *text)
        fprintf(f, "%s%s\033[0m", tone_codes[tone], text);
    else
        fputs(text, f);
}

static void out_spaces(FILE *f, size_t n)
{
    for (; n > 0; n--)
        fputc(' ', f);
}

static void out_label(FILE *f, const struct out_style *s, const char *label)
{
    out_toned(f, s, OUT_BOLD, label);
    out_spaces(f, OUT_LABEL - out_columns(label));
}

/* Where the word ends that begins after the spaces at text[i]. A remark set off by three spaces,
 * "   (confirmed)", is one word. */
static size_t word_end(const char *text, size_t i)
{
    size_t from = i + strspn(text + i, " ");
    if (from >= i + 3 && text[from] == '(') {
        size_t end = from + strcspn(text + from, ")");
        return text[end] ? end + 1 : end;
    }
    return from + strcspn(text + from, " ");
}

/* The longest front of text that fits into `room` columns, in bytes; at least one word. */
static size_t wrap_line(const char *text, size_t room)
{
    size_t best = 0, column = 0, i = 0;
    while (text[i]) {
        size_t next = word_end(text, i);
        for (size_t k = i; k < next; k++)
            column += ((unsigned char)text[k] & 0xC0) != 0x80;
        if (column > room && best > 0)
            return best;
        best = i = next;
    }
    return best;
}

/* Words of text over as many lines as needed; the cursor already stands at the first one. */
static void out_wrapped(FILE *f, const struct out_style *s, size_t left, size_t hang, size_t width,
                        enum out_tone tone, const char *text)
{
    size_t room = width > left + 20 ? width - left : 20;
    for (bool first = true; *text; first = false) {
        if (!first) {
            fputc('\n', f);
            out_spaces(f, left + hang);
            text += strspn(text, " ");
        }
        size_t length = wrap_line(text, first ? room : room - hang);
        char *line = px_xasprintf("%.*s", (int)length, text);
        out_toned(f, s, tone, line);
        free(line);
        text += length;
        if (text[strspn(text, " ")] == '\0')
            break;
    }
    fputc('\n', f);
}

void out_paragraph(FILE *f, const struct out_style *s, const char *label, unsigned hang,
                   enum out_tone tone, const char *text)
{
    out_label(f, s, label);
    out_wrapped(f, s, OUT_LABEL, hang, s->width, tone, text);
}

void out_paragraph_at(FILE *f, const struct out_style *s, const char *label, unsigned indent,
                      enum out_tone tone, const char *text)
{
    out_label(f, s, label);
    out_spaces(f, indent);
    out_wrapped(f, s, OUT_LABEL + indent, 0, s->width, tone, text);
}

void out_command(FILE *f, const struct out_style *s, const char *label, unsigned indent,
                 const char *text, const char *remark)
{
    out_label(f, s, label);
    out_spaces(f, indent);
    fputs(text, f);
    if (remark && *remark) {
        char *comment = px_xasprintf("   # %s", remark);
        if (OUT_LABEL + indent + out_columns(text) + out_columns(comment) <= s->width)
            out_toned(f, s, OUT_DIM, comment);
        free(comment);
    }
    fputc('\n', f);
}

struct out_grid *out_grid_new(const struct out_column *columns, size_t n)
{
    struct out_grid *g = px_xcalloc(1, sizeof *g);
    g->columns = columns;
    g->n = n < GRID_COLUMNS_MAX ? n : GRID_COLUMNS_MAX;
    return g;
}

void out_grid_add(struct out_grid *g, enum out_tone tone, const char *const *cells)
{
    g->rows = px_xrealloc(g->rows, g->row_count + 1, sizeof *g->rows);
    struct grid_row *row = &g->rows[g->row_count++];
    memset(row, 0, sizeof *row);
    row->tone = tone;
    for (size_t i = 0; i < g->n; i++)
        row->cells[i] = px_xstrdup(cells[i] ? cells[i] : "");
}

/* Columns wide enough for all rows; 0 = the column is left out. */
static void grid_widths(const struct out_grid *g, size_t *widths)
{
    for (size_t c = 0; c < g->n; c++) {
        bool used = !g->columns[c].optional;
        size_t width = out_columns(g->columns[c].title);
        for (size_t r = 0; r < g->row_count; r++) {
            const char *cell = g->rows[r].cells[c];
            if (*cell && strcmp(cell, "-") != 0)
                used = true;
            if (out_columns(cell) > width)
                width = out_columns(cell);
        }
        widths[c] = used ? width : 0;
    }
}

static void grid_print_row(const struct out_grid *g, FILE *f, const struct out_style *s,
                           const size_t *widths, const struct grid_row *row)
{
    size_t left = 0, pending = 0;
    for (size_t c = 0; c < g->n; c++) {
        if (widths[c] == 0)
            continue;
        const char *cell = row ? row->cells[c] : g->columns[c].title;
        enum out_tone tone = row ? (g->columns[c].toned ? row->tone : OUT_PLAIN) : OUT_DIM;
        if (*cell) {
            out_spaces(f, pending);
            pending = 0;
        }
        if (row && g->columns[c].wraps && s->columns >= left + GRID_WRAP_MIN) {
            if (!*cell)
                break;
            out_wrapped(f, s, left, 0, s->columns, tone, cell);
            return;
        }
        out_toned(f, s, tone, cell);
        pending += widths[c] - out_columns(cell) + GRID_GAP;
        left += widths[c] + GRID_GAP;
    }
    fputc('\n', f);
}

/* Leave out spare columns until the last one has room to be wrapped in. */
static void grid_narrow(const struct out_grid *g, size_t *widths, size_t room)
{
    size_t left = 0, last = g->n - 1;
    for (size_t c = 0; c < last; c++)
        left += widths[c] ? widths[c] + GRID_GAP : 0;
    size_t wanted = widths[last] < GRID_WRAP_MIN ? widths[last] : GRID_WRAP_MIN;
    for (size_t c = last; c-- > 0 && left + wanted > room;) {
        if (!g->columns[c].spare || widths[c] == 0)
            continue;
        left -= widths[c] + GRID_GAP;
        widths[c] = 0;
    }
}

void out_grid_print(const struct out_grid *g, FILE *f, const struct out_style *s)
{
    size_t widths[GRID_COLUMNS_MAX] = {0};
    grid_widths(g, widths);
    if (s->columns > 0)
        grid_narrow(g, widths, s->columns);
    grid_print_row(g, f, s, widths, NULL);
    for (size_t r = 0; r < g->row_count; r++)
        grid_print_row(g, f, s, widths, &g->rows[r]);
}

void out_grid_free(struct out_grid *g)
{
    if (!g)
        return;
    for (size_t r = 0; r < g->row_count; r++) {
        for (size_t c = 0; c < g->n; c++)
            free(g->rows[r].cells[c]);
    }
    free(g->rows);
    free(g);
}
