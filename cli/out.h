/* SPDX-License-Identifier: MIT */
/* Answers on paper: which formats there are, where they go, how the terminal looks. */
#ifndef PLX_OUT_H
#define PLX_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/flags.h"
#include "common/report.h"

#define OUT_WIDTH_MIN 80
#define OUT_WIDTH_MAX 120
#define OUT_WIDTH_PLAIN 100 /* not a terminal */
#define OUT_ID_SHORT 10     /* the time in a run's id: enough, but for runs of the same moment */
#define OUT_ID_WHOLE 26

struct out_style {
    bool tty, color, utf8;
    unsigned width;         /* columns for prose */
    unsigned columns, rows; /* of the terminal; 0 = none */
    bool verbose;           /* every row, every hop */
    bool path;              /* traced paths instead of the reasons */
    bool asked_now;         /* this user has just asked: @last means this run */
    bool alone;             /* no coordinator is known: say how to get a second vantage */
    int id_length; /* characters of the run's id that `plx show` needs; 0 = it is not kept */
    px_wall now;   /* ages count up to here */
};

/* What the stream can show; color is the value of --color ("auto", "always", "never"; NULL =
 * auto). */
void out_style_detect(struct out_style *s, int fd, const char *color);

/* One way to write runs. Reports are borrowed; n >= 1. */
struct out_format {
    const char *name;
    const char *help;
    void (*write)(FILE *f, const struct px_report *const *reports, size_t n,
                  const struct out_style *style);
    bool streams; /* also gets every report that is not final yet, one at a time */
};
/* Table of formats, ended by name NULL. */
extern const struct out_format out_formats[];

#define OUT_SINKS_MAX 8
struct out_sink {
    const struct out_format *format;
    const char *path; /* NULL = stdout */
    FILE *file;
};
struct out_sinks {
    struct out_sink v[OUT_SINKS_MAX];
    size_t n;
};
/* Read every -o FORMAT[=FILE] and open the files, so that a bad path is found before anything is
 * probed. Without one for stdout, table goes there. 0, or -1 and err (nothing stays open). */
int out_sinks_open(struct out_sinks *s, const struct flags *f, struct px_err *err);
/* Write the reports to every sink. 0, or -1 and err (code "write"). */
int out_sinks_write(struct out_sinks *s, const struct px_report *const *reports, size_t n,
                    const struct out_style *style, struct px_err *err);
/* Does any of them want reports that may still change? */
bool out_sinks_want_stream(const struct out_sinks *s);
/* One report that may still change, to the sinks that want such. */
void out_sinks_stream(struct out_sinks *s, const struct px_report *r,
                      const struct out_style *style);
/* 0, or -1 and err if something could not be written. */
int out_sinks_close(struct out_sinks *s, struct px_err *err);
/* The format that goes to stdout. */
const struct out_format *out_sinks_stdout(const struct out_sinks *s);

/* For commands that know only some formats (names ended by NULL, the first is the default): the one
 * wanted, or NULL and err. */
const char *out_choose(const struct flags *f, const char *const *names, struct px_err *err);

/* The formats. */
void out_table_write(FILE *f, const struct px_report *const *reports, size_t n,
                     const struct out_style *style);
void out_wide_write(FILE *f, const struct px_report *const *reports, size_t n,
                    const struct out_style *style);
void out_json_write(FILE *f, const struct px_report *const *reports, size_t n,
                    const struct out_style *style);
void out_ndjson_write(FILE *f, const struct px_report *const *reports, size_t n,
                      const struct out_style *style);
void out_tsv_write(FILE *f, const struct px_report *const *reports, size_t n,
                   const struct out_style *style);
void out_markdown_write(FILE *f, const struct px_report *const *reports, size_t n,
                        const struct out_style *style);
/* Header, rows and nothing else: what is known while a run is under way or was interrupted. */
void out_table_write_rows(FILE *f, const struct px_report *r, const struct out_style *style);
/* Document parallax.error/1, one line. */
void out_json_write_error(FILE *f, const struct px_err *err);

#endif
