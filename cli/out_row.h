/* SPDX-License-Identifier: MIT */
/* What one vantage saw over all rounds, as the cells of one row: shared by every tabular format. */
#ifndef PLX_OUT_ROW_H
#define PLX_OUT_ROW_H

#include "cli/out_text.h"

enum out_mark { OUT_MARK_OK, OUT_MARK_FAIL, OUT_MARK_MIXED, OUT_MARK_NONE, OUT_MARK_PENDING };

struct out_row {
    enum out_mark mark;
    const struct px_vantage *vantage;
    const struct px_observation *shown; /* the observation that speaks for it; NULL = none */
    char network[PX_LABEL_MAX + 3];
    char source[PX_ADDR_TEXT]; /* "-" if unknown, as in all cells */
    char seen_as[PX_ADDR_TEXT];
    char address[PX_ADDR_TEXT];
    char result[24];
    char dns[PX_DURATION_TEXT], tcp[PX_DURATION_TEXT], banner[PX_DURATION_TEXT];
    char kex[PX_DURATION_TEXT];
    char echo[40], control[64], trace[64];
    char hostkey[72];
    char detail[400]; /* one line, safe for a terminal */
};

/* One row per vantage in the report's order. Heap, caller frees with free(); points into r. */
struct out_row *out_rows_new(const struct px_report *r, px_wall now);
const char *out_mark_text(enum out_mark mark, bool utf8);
enum out_tone out_mark_tone(enum out_mark mark);
/* Milliseconds as "0.4ms", "11ms", "1.2s"; "-" if negative. out: PX_DURATION_TEXT bytes. */
char *out_ms(double ms, char *out);
/* "port-unreachable", "time exceeded", or "type 3 code 7"; out: 32 bytes. */
char *out_icmp_name(const struct px_icmp *icmp, char *out);

#endif
