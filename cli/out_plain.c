/* SPDX-License-Identifier: MIT */
/* Tables for programs and tickets: tab-separated lines and Markdown. */
#include <stdlib.h>
#include <string.h>

#include "cli/out_row.h"
#include "cli/out_verdict.h"
#include "common/text.h"

/* ---- tsv ---- */

static const char *mark_word(enum out_mark mark)
{
    static const char *const words[] = {"ok", "fail", "mixed", "unknown", "pending"};
    return words[mark];
}

/* A cell for machines: what people see as "-" is empty. */
static const char *bare(const char *cell)
{
    return strcmp(cell, "-") == 0 ? "" : cell;
}

static void tsv_stage(FILE *f, const struct px_observation *o, enum px_stage stage)
{
    if (o && o->ms[stage] >= 0)
        fprintf(f, "\t%.3f", o->ms[stage]);
    else
        fputc('\t', f);
}

static void tsv_row(FILE *f, const struct px_report *r, const struct out_row *row)
{
    const struct px_finding *finding = out_main_finding(r);
    char target[PX_TARGET_URL * 2];
    px_text_safe(r->target.url, PX_TARGET_URL, target, sizeof target);
    fprintf(f, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", r->id, target, row->vantage->name,
            bare(row->network), bare(row->source), bare(row->address), mark_word(row->mark),
            row->result);
    fprintf(f, "\t%s", row->shown ? px_stage_name(row->shown->stage) : "");
    tsv_stage(f, row->shown, PX_STAGE_DNS);
    tsv_stage(f, row->shown, PX_STAGE_TCP);
    tsv_stage(f, row->shown, PX_STAGE_BANNER);
    tsv_stage(f, row->shown, PX_STAGE_KEX);
    fprintf(f, "\t%s\t%s", row->detail, px_status_name(r->verdict.status));
    if (finding)
        fprintf(f, "\t%s\t%s\t%s\n", px_scope_name(finding->scope), px_cause_name(finding->cause),
                px_certainty_name(finding->certainty));
    else
        fputs("\t\t\t\n", f);
}

void out_tsv_write(FILE *f, const struct px_report *const *reports, size_t n,
                   const struct out_style *style)
{
    fputs("run\ttarget\tvantage\tnetwork\tsource\taddress\tmark\tresult\tstage\tdns_ms\ttcp_ms\t"
          "banner_ms\tkex_ms\tdetail\tstatus\tscope\tcause\tcertainty\n",
          f);
    for (size_t i = 0; i < n; i++) {
        struct out_row *rows = out_rows_new(reports[i], style->now);
        for (size_t v = 0; v < reports[i]->vantage_count; v++)
            tsv_row(f, reports[i], &rows[v]);
        free(rows);
    }
}

/* ---- markdown ---- */

/* Text inside Markdown: characters with a meaning there are escaped. */
static void md_text(FILE *f, const char *text)
{
    char safe[4096];
    px_text_safe(text ? text : "", 1000, safe, sizeof safe);
    for (const char *p = safe; *p; p++) {
        if (strchr("\\`*_[]<>|#", *p))
            fputc('\\', f);
        fputc(*p, f);
    }
}

static void md_rows(FILE *f, const struct px_report *r, const struct out_style *s)
{
    struct out_row *rows = out_rows_new(r, s->now);
    fputs("| | vantage | network | source | result | tcp | banner | kex | detail |\n"
          "|---|---|---|---|---|---|---|---|---|\n",
          f);
    for (size_t i = 0; i < r->vantage_count; i++) {
        const struct out_row *row = &rows[i];
        const char *const cells[] = {out_mark_text(row->mark, true),
                                     row->vantage->name,
                                     row->network,
                                     row->source,
                                     row->result,
                                     row->tcp,
                                     row->banner,
                                     row->kex,
                                     row->detail};
        for (size_t c = 0; c < sizeof cells / sizeof *cells; c++) {
            fputs("| ", f);
            md_text(f, cells[c]);
            fputc(' ', f);
        }
        fputs("|\n", f);
    }
    free(rows);
}

static void md_item(FILE *f, const char *what, const char *text)
{
    fprintf(f, "* %s: ", what);
    md_text(f, text);
    fputc('\n', f);
}

static void md_finding(FILE *f, const struct px_finding *finding)
{
    for (size_t i = 0; i < finding->evidence_count; i++)
        md_item(f, "why", finding->evidence[i].text);
    for (size_t i = 0; i < finding->ruled_out_count; i++) {
        char *text =
            px_xasprintf("%s, because %s", px_cause_name(finding->ruled_out[i].cause),
                         finding->ruled_out[i].because ? finding->ruled_out[i].because : "");
        md_item(f, "not", text);
        free(text);
    }
    for (size_t i = 0; i < finding->ambiguous_count; i++)
        md_item(f, "looks the same", px_cause_name(finding->ambiguous_with[i]));
    if (finding->step_count == 0)
        return;
    fputs("\n```\n", f);
    for (size_t i = 0; i < finding->step_count; i++) {
        const struct px_step *step = &finding->steps[i];
        char safe[2048];
        bool command = step->run && *step->run;
        const char *why = step->why ? step->why : "";
        px_text_safe(command ? step->run : why, 500, safe, sizeof safe);
        fprintf(f, "%s%s\n", command ? "" : "# ", safe);
    }
    fputs("```\n", f);
}

void out_markdown_write(FILE *f, const struct px_report *const *reports, size_t n,
                        const struct out_style *style)
{
    for (size_t i = 0; i < n; i++) {
        const struct px_report *r = reports[i];
        char *headline = out_headline(r, out_main_finding(r));
        char when[PX_WALL_TEXT];
        fprintf(f, "%s### ", i ? "\n" : "");
        md_text(f, r->target.url);
        fputs("\n\n**", f);
        md_text(f, headline);
        fputs("**\n\n", f);
        md_rows(f, r, style);
        fputc('\n', f);
        for (size_t k = 0; k < r->verdict.finding_count; k++) {
            const struct px_finding *finding = &r->verdict.findings[k];
            if (finding != out_main_finding(r))
                md_item(f, px_scope_people(finding->scope), finding->summary);
            md_finding(f, finding);
        }
        fprintf(f, "\nrun %s, %s\n", r->id, px_wall_format(r->started, when));
        free(headline);
    }
}
