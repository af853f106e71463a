/* SPDX-License-Identifier: MIT */
/*
 * One run for people: what was asked, one row per vantage, then the verdict frame of out_verdict.c.
 * Also the wide table, and the rows alone for a run that is under way.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/out_row.h"
#include "cli/out_verdict.h"
#include "common/text.h"

#define ROWS_BRIEF 40   /* with more vantages, rows that are fine are shortened */
#define ROWS_BRIEF_OK 5 /* to so many */

enum table_column {
    COLUMN_MARK,
    COLUMN_VANTAGE,
    COLUMN_NETWORK,
    COLUMN_SOURCE,
    COLUMN_SEEN_AS,
    COLUMN_ADDRESS,
    COLUMN_RESULT,
    COLUMN_DNS,
    COLUMN_TCP,
    COLUMN_BANNER,
    COLUMN_KEX,
    COLUMN_ECHO,
    COLUMN_CONTROL,
    COLUMN_TRACE,
    COLUMN_HOSTKEY,
    COLUMN_DETAIL,
    COLUMN_COUNT
};

static const struct out_column columns[COLUMN_COUNT] = {
    [COLUMN_MARK] = {"", false, true, false, false},
    [COLUMN_VANTAGE] = {"VANTAGE", false, false, false, false},
    [COLUMN_NETWORK] = {"NETWORK", true, false, false, true},
    [COLUMN_SOURCE] = {"SOURCE", false, false, false, false},
    [COLUMN_SEEN_AS] = {"SEEN AS", true, false, false, true},
    [COLUMN_ADDRESS] = {"ADDRESS", true, false, false, true},
    [COLUMN_RESULT] = {"RESULT", false, true, false, false},
    [COLUMN_DNS] = {"DNS", true, false, false, true},
    [COLUMN_TCP] = {"TCP", false, false, false, true},
    [COLUMN_BANNER] = {"BANNER", true, false, false, true},
    [COLUMN_KEX] = {"KEX", true, false, false, true},
    [COLUMN_ECHO] = {"ECHO", true, false, false, true},
    [COLUMN_CONTROL] = {"CONTROL", true, false, false, true},
    [COLUMN_TRACE] = {"TRACE", true, false, false, true},
    [COLUMN_HOSTKEY] = {"HOST KEY", true, false, false, true},
    [COLUMN_DETAIL] = {"DETAIL", false, false, true, false},
};

/* ---- the line above the table ---- */

/* The addresses probed, as far as they differ; *answers = vantages that had one. */
static void addresses_find(const struct px_report *r, struct px_strs *found, size_t *answers)
{
    char text[PX_ADDR_TEXT];
    *answers = 0;
    for (size_t v = 0; v < r->vantage_count; v++) {
        bool answered = false;
        for (size_t i = 0; i < r->observation_count; i++) {
            const struct px_observation *o = &r->observations[i];
            if (o->vantage != v || o->address.family == 0)
                continue;
            answered = true;
            px_addr_format(&o->address, text);
            if (!px_strs_has(found, text))
                px_strs_add(found, text);
        }
        *answers += answered;
    }
}

/* Code of the name resolution if it failed at every vantage that reported, else UNKNOWN. */
static enum px_code dns_failure(const struct px_report *r)
{
    enum px_code code = PX_CODE_UNKNOWN;
    for (size_t i = 0; i < r->observation_count; i++) {
        const struct px_observation *o = &r->observations[i];
        if (px_code_kind(o->code) != PX_KIND_FAIL)
            continue;
        if (o->stage != PX_STAGE_DNS || (code != PX_CODE_UNKNOWN && code != o->code))
            return PX_CODE_UNKNOWN;
        code = o->code;
    }
    return code;
}

static const char *dns_words(enum px_code code)
{
    switch ((int)code) {
    case PX_CODE_DNS_NXDOMAIN:
        return "no such name";
    case PX_CODE_DNS_SERVFAIL:
        return "the resolver reports a failure";
    case PX_CODE_DNS_TIMEOUT:
        return "the resolver does not answer";
    default:
        return "no address";
    }
}

static const char *dns_protocol_word(enum px_code code)
{
    switch ((int)code) {
    case PX_CODE_DNS_NXDOMAIN:
        return " (NXDOMAIN)";
    case PX_CODE_DNS_SERVFAIL:
        return " (SERVFAIL)";
    default:
        return "";
    }
}

static size_t vantages_reporting(const struct px_report *r)
{
    size_t n = 0;
    for (size_t v = 0; v < r->vantage_count; v++) {
        size_t i = 0;
        while (i < r->observation_count && r->observations[i].vantage != v)
            i++;
        n += i < r->observation_count;
    }
    return n;
}

static void write_head(FILE *f, const struct px_report *r, const struct out_style *s)
{
    struct px_strs found = {0};
    size_t answers;
    enum px_code dns = dns_failure(r);
    addresses_find(r, &found, &answers);
    if (found.n == 0 && dns != PX_CODE_UNKNOWN) {
        out_toned(f, s, OUT_BOLD, r->target.host);
        fprintf(f, " -> %s", dns_words(dns));
        if (r->vantage_count > 1)
            fprintf(f, ", at all %zu vantages", vantages_reporting(r));
        fprintf(f, "%s\n", dns_protocol_word(dns));
        px_strs_clear(&found);
        return;
    }
    out_toned(f, s, OUT_BOLD, r->target.url);
    if (r->target.literal.family == 0) {
        for (size_t i = 0; i < found.n; i++)
            fprintf(f, "%s%s", i ? ", " : " -> ", found.v[i]);
        if (found.n > 1)
            fputs("   (answers differ)", f);
        else if (answers > 1)
            fprintf(f, "   (same answer at all %zu vantages)", answers);
    }
    fputc('\n', f);
    px_strs_clear(&found);
}

/* ---- the rows ---- */

static bool answers_differ(const struct px_report *r)
{
    struct px_strs found = {0};
    size_t answers;
    addresses_find(r, &found, &answers);
    bool differ = found.n > 1;
    px_strs_clear(&found);
    return differ;
}

/* Unset the columns that only the wide table has. */
static void narrow(const char **cells, bool with_address)
{
    static const enum table_column wide_only[] = {COLUMN_SEEN_AS, COLUMN_DNS,   COLUMN_ECHO,
                                                  COLUMN_CONTROL, COLUMN_TRACE, COLUMN_HOSTKEY};
    for (size_t i = 0; i < sizeof wide_only / sizeof *wide_only; i++)
        cells[wide_only[i]] = "";
    if (!with_address)
        cells[COLUMN_ADDRESS] = "";
}

static void grid_add_row(struct out_grid *grid, const struct out_row *row, bool wide,
                         bool with_address, const struct out_style *s)
{
    const char *cells[COLUMN_COUNT] = {
        [COLUMN_MARK] = out_mark_text(row->mark, s->utf8),
        [COLUMN_VANTAGE] = row->vantage->name,
        [COLUMN_NETWORK] = row->network,
        [COLUMN_SOURCE] = row->source,
        [COLUMN_SEEN_AS] = row->seen_as,
        [COLUMN_ADDRESS] = row->address,
        [COLUMN_RESULT] = row->result,
        [COLUMN_DNS] = row->dns,
        [COLUMN_TCP] = row->tcp,
        [COLUMN_BANNER] = row->banner,
        [COLUMN_KEX] = row->kex,
        [COLUMN_ECHO] = row->echo,
        [COLUMN_CONTROL] = row->control,
        [COLUMN_TRACE] = row->trace,
        [COLUMN_HOSTKEY] = row->hostkey,
        [COLUMN_DETAIL] = row->detail,
    };
    if (!wide)
        narrow(cells, with_address);
    out_grid_add(grid, out_mark_tone(row->mark), cells);
}

static void write_grid(FILE *f, const struct px_report *r, bool wide, const struct out_style *s)
{
    struct out_row *rows = out_rows_new(r, s->now);
    struct out_grid *grid = out_grid_new(columns, COLUMN_COUNT);
    bool with_address = wide || answers_differ(r);
    struct out_style whole = *s;
    if (wide) /* all columns were asked for: let the terminal break the lines */
        whole.columns = 0;
    bool brief = !wide && !s->verbose && r->vantage_count > ROWS_BRIEF;
    size_t fine = 0;
    for (size_t i = 0; i < r->vantage_count; i++) {
        if (brief && rows[i].mark == OUT_MARK_OK && ++fine > ROWS_BRIEF_OK)
            continue;
        grid_add_row(grid, &rows[i], wide, with_address, s);
    }
    out_grid_print(grid, f, &whole);
    if (fine > ROWS_BRIEF_OK)
        fprintf(f, "   and %zu more that are fine (-v shows them)\n", fine - ROWS_BRIEF_OK);
    out_grid_free(grid);
    free(rows);
}

void out_table_write_rows(FILE *f, const struct px_report *r, const struct out_style *s)
{
    write_head(f, r, s);
    fputc('\n', f);
    write_grid(f, r, false, s);
}

/* Nothing was connected to: a table would repeat one line. */
static bool only_dns(const struct px_report *r)
{
    struct px_strs found = {0};
    size_t answers;
    addresses_find(r, &found, &answers);
    bool only = found.n == 0 && dns_failure(r) != PX_CODE_UNKNOWN;
    for (size_t i = 0; i < r->vantage_count; i++)
        only = only && r->vantages[i].presence == PX_PRESENT;
    px_strs_clear(&found);
    return only;
}

static void write_tables(FILE *f, const struct px_report *const *reports, size_t n, bool wide,
                         const struct out_style *s)
{
    for (size_t i = 0; i < n; i++) {
        const struct px_report *r = reports[i];
        if (i > 0)
            fputc('\n', f);
        write_head(f, r, s);
        if (s->path) {
            fputc('\n', f);
            out_verdict_write_paths(f, r, s);
            continue;
        }
        if (wide || !only_dns(r)) {
            fputc('\n', f);
            if (r->vantage_count > 0)
                write_grid(f, r, wide, s);
        }
        fputc('\n', f);
        out_verdict_write(f, r, s);
    }
}

void out_table_write(FILE *f, const struct px_report *const *reports, size_t n,
                     const struct out_style *style)
{
    write_tables(f, reports, n, false, style);
}

void out_wide_write(FILE *f, const struct px_report *const *reports, size_t n,
                    const struct out_style *style)
{
    write_tables(f, reports, n, true, style);
}
