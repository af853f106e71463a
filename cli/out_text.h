/* SPDX-License-Identifier: MIT */
/* Columns, paragraphs and colour for people; knows nothing of verdicts. */
#ifndef PLX_OUT_TEXT_H
#define PLX_OUT_TEXT_H

#include "cli/out.h"

#define OUT_LABEL 10 /* columns of "VERDICT   " */

enum out_tone { OUT_PLAIN, OUT_GOOD, OUT_BAD, OUT_WARN, OUT_DIM, OUT_BOLD };

/* Columns that UTF-8 text takes (one per character). */
size_t out_columns(const char *text);
/* Texts of the judge may quote a stranger: escaped once more, it costs nothing. NULL = "". Heap. */
#define OUT_SAFE_MAX 1000 /* characters */
char *out_safe(const char *text);
/* text in a tone, if the style has colour. */
void out_toned(FILE *f, const struct out_style *s, enum out_tone tone, const char *text);
/* "LABEL     text", wrapped at the style's width; lines after the first start below the text plus
 * `hang` columns. An empty label leaves its columns blank. */
void out_paragraph(FILE *f, const struct out_style *s, const char *label, unsigned hang,
                   enum out_tone tone, const char *text);
/* The same, the whole of it moved right by indent. */
void out_paragraph_at(FILE *f, const struct out_style *s, const char *label, unsigned indent,
                      enum out_tone tone, const char *text);
/* The same without wrapping: commands are copied whole. indent counts from the text column. */
void out_command(FILE *f, const struct out_style *s, const char *label, unsigned indent,
                 const char *text, const char *remark);

struct out_column {
    const char *title;
    bool optional; /* left out if no row has more than "" or "-" there */
    bool toned;    /* takes the row's tone */
    bool wraps;    /* last column only: wrapped on a terminal */
    bool spare;    /* left out where a terminal is too narrow, the rightmost first */
};
struct out_grid;
/* columns is borrowed. */
struct out_grid *out_grid_new(const struct out_column *columns, size_t n);
/* One row; cells are copied, NULL = "". */
void out_grid_add(struct out_grid *g, enum out_tone tone, const char *const *cells);
void out_grid_print(const struct out_grid *g, FILE *f, const struct out_style *s);
void out_grid_free(struct out_grid *g);

#endif
