/* SPDX-License-Identifier: MIT */
/* The paths of one run, one line per vantage: what to hand to whoever runs the network. */
#include <stdlib.h>
#include <string.h>

#include "cli/out_path.h"
#include "cli/out_row.h"
#include "cli/out_verdict.h"
#include "common/text.h"

/* The newest trace of a vantage, NULL if none was made. */
static const struct px_trace *trace_find(const struct px_report *r, size_t vantage)
{
    const struct px_trace *found = NULL;
    for (size_t i = 0; i < r->observation_count; i++) {
        if (r->observations[i].vantage == vantage && r->observations[i].trace.ran)
            found = &r->observations[i].trace;
    }
    return found;
}

/* "192.0.2.1 > * > 203.0.113.10"; heap. */
static char *hops_words(const struct px_trace *trace)
{
    char *line = px_xstrdup("");
    for (uint32_t i = 0; i < trace->count; i++) {
        char from[PX_ADDR_TEXT];
        const struct px_hop *hop = &trace->hops[i];
        char *longer = px_xasprintf("%s%s%s", line, i ? " > " : "",
                                    hop->from.family ? px_addr_format(&hop->from, from) : "*");
        free(line);
        line = longer;
    }
    return line;
}

size_t out_path_write(FILE *f, const struct px_report *r, const struct out_style *style)
{
    static const struct out_column columns[] = {
        {"", false, true, false, false},         {"VANTAGE", false, false, false, false},
        {"NETWORK", true, false, false, false},  {"SOURCE", false, false, false, false},
        {"REACHED", false, false, false, false}, {"HOPS", false, false, true, false}};
    struct out_grid *grid = out_grid_new(columns, sizeof columns / sizeof *columns);
    struct out_row *rows = out_rows_new(r, style->now);
    size_t traced = 0;
    for (size_t i = 0; i < r->vantage_count; i++) {
        const struct px_trace *trace = trace_find(r, i);
        if (!trace)
            continue;
        char *hops = hops_words(trace);
        const char *cells[] = {out_mark_text(rows[i].mark, style->utf8),
                               r->vantages[i].name,
                               rows[i].network,
                               rows[i].source,
                               trace->reached ? "yes" : "no",
                               *hops ? hops : "no hop answered"};
        out_grid_add(grid, out_mark_tone(rows[i].mark), cells);
        free(hops);
        traced++;
    }
    if (traced > 0)
        out_grid_print(grid, f, style);
    out_grid_free(grid);
    free(rows);
    return traced;
}
