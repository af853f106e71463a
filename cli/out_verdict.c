/* SPDX-License-Identifier: MIT */
/* The verdict for people: each finding with its reasons and what to type next. Adds no judgement.
 */
#include "cli/out_verdict.h"

#include <stdlib.h>
#include <string.h>

#include "cli/explain.h"
#include "cli/out_next.h"
#include "cli/out_path.h"
#include "common/text.h"

#define FILL_MAX 2048
#define ALTERNATIVE_MIN 0.05 /* less probable ones are not worth a line */
#define LIKELY_MAX 6

const struct px_finding *out_main_finding(const struct px_report *r)
{
    const struct px_verdict *v = &r->verdict;
    for (size_t i = 0; i < v->finding_count; i++) {
        if (v->findings[i].scope != PX_SCOPE_VANTAGE)
            return &v->findings[i];
    }
    return NULL;
}

/* ---- headline ---- */

static char *certainty_words(const struct px_finding *f)
{
    if (f->certainty == f->scope_certainty)
        return px_xasprintf("   (%s)", px_certainty_name(f->certainty));
    return px_xasprintf("   (%s %s, cause %s)", px_scope_people(f->scope),
                        px_certainty_name(f->scope_certainty), px_certainty_name(f->certainty));
}

char *out_headline(const struct px_report *r, const struct px_finding *f)
{
    const struct px_verdict *v = &r->verdict;
    if (!v->summary)
        return px_xstrdup("none yet");
    if (!f || v->status == PX_STATUS_INCONCLUSIVE || v->status == PX_STATUS_REACHABLE) {
        const char *word = px_status_name(v->status);
        char *text = out_safe(v->summary);
        bool said = strncmp(text, word, strlen(word)) == 0;
        char *line = px_xasprintf("%s%s%s", said ? "" : word, said ? "" : ": ", text);
        free(text);
        return line;
    }
    char *text = out_safe(f->summary), *sure = certainty_words(f);
    const char *scope =
        f->scope == PX_SCOPE_NONE ? px_cause_name(f->cause) : px_scope_people(f->scope);
    if (f->scope_certainty == PX_CERTAINTY_INCONCLUSIVE)
        scope = px_certainty_name(PX_CERTAINTY_INCONCLUSIVE);
    char *line = px_xasprintf("%s: %s%s", scope, text,
                              f->scope_certainty == PX_CERTAINTY_INCONCLUSIVE ? "" : sure);
    free(text);
    free(sure);
    return line;
}

static enum out_tone status_tone(enum px_status status)
{
    if (status == PX_STATUS_REACHABLE)
        return OUT_GOOD;
    return status == PX_STATUS_INCONCLUSIVE ? OUT_WARN : OUT_BAD;
}

/* ---- the parts of a finding ---- */

/* A list with a mark in front of each item; the label stands before the first. */
static void write_item(FILE *f, const struct out_style *s, const char *label, size_t index,
                       const char *mark, const char *text)
{
    char *line = px_xasprintf("%s%s", mark, text);
    out_paragraph(f, s, index == 0 ? label : "", (unsigned)out_columns(mark), OUT_PLAIN, line);
    free(line);
}

static void write_why(FILE *f, const struct px_finding *finding, const struct out_style *s)
{
    for (size_t i = 0; i < finding->evidence_count; i++) {
        const struct px_evidence *e = &finding->evidence[i];
        char *text = out_safe(e->text);
        write_item(f, s, "WHY", i, "+ ", text);
        free(text);
    }
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

/* Causes ruled out for the same reason share a line. */
static void write_not(FILE *f, const struct px_finding *finding, const struct out_style *s)
{
    size_t lines = 0;
    for (size_t i = 0; i < finding->ruled_out_count; i++) {
        const struct px_ruled_out *out = &finding->ruled_out[i];
        bool repeated = false;
        for (size_t k = 0; k < i; k++)
            repeated = repeated || same_text(finding->ruled_out[k].because, out->because);
        if (repeated)
            continue;
        char *because = out_safe(out->because);
        char *line = px_xstrdup(px_cause_name(out->cause));
        for (size_t k = i + 1; k < finding->ruled_out_count; k++) {
            if (!same_text(finding->ruled_out[k].because, out->because))
                continue;
            char *longer = px_xasprintf("%s, %s", line, px_cause_name(finding->ruled_out[k].cause));
            free(line);
            line = longer;
        }
        char *text = px_xasprintf("%s: %s", line, because);
        write_item(f, s, "NOT", lines++, "- ", text);
        free(text);
        free(line);
        free(because);
    }
}

/* What else it could be, and what would decide. */
static void write_but(FILE *f, const struct px_finding *finding, const struct out_style *s)
{
    struct px_strs others = {0};
    bool same = finding->ambiguous_count > 0;
    for (size_t i = 0; i < finding->ambiguous_count; i++)
        px_strs_addf(&others, "%s (%s)", px_cause_name(finding->ambiguous_with[i]),
                     px_cause_meaning(finding->ambiguous_with[i]));
    for (size_t i = 0; !same && i < finding->alternative_count; i++) {
        const struct px_alternative *a = &finding->alternatives[i];
        if (a->probability >= ALTERNATIVE_MIN && a->cause != finding->cause)
            px_strs_addf(&others, "%s (%s)", px_cause_name(a->cause), px_cause_meaning(a->cause));
    }
    char *needs = out_safe(finding->deciding.needs);
    for (size_t i = 0; i < others.n; i++) {
        char *text =
            px_xasprintf("%s%s", same ? "looks the same: " : "possible, too: ", others.v[i]);
        write_item(f, s, "BUT", i, "", text);
        free(text);
    }
    bool said = s->alone && finding->deciding.kind &&
                strcmp(finding->deciding.kind, "second-vantage") == 0; /* NEXT tells how */
    if (*needs && !said) {
        char *text = px_xasprintf("%s would decide", needs);
        write_item(f, s, "BUT", others.n, "", text);
        free(text);
    }
    free(needs);
    px_strs_clear(&others);
}

/* Replace {source}, {host}, {port} in the words of explain_likely. Heap. */
static char *fill_in(const char *pattern, const struct px_report *r, const struct px_finding *f)
{
    char *text = px_xcalloc(1, FILL_MAX);
    size_t used = 0;
    const char *source = f->group_values.n == 1 ? f->group_values.v[0] : "these addresses";
    const char *whole = strchr(source, ':') ? strstr(source, "/128") : strstr(source, "/32");
    int source_length = (int)(whole ? (size_t)(whole - source) : strlen(source));
    while (*pattern && used < FILL_MAX - PX_HOST_MAX - 1) {
        if (strncmp(pattern, "{source}", 8) == 0) {
            used += (size_t)snprintf(text + used, PX_HOST_MAX, "%.*s", source_length, source);
            pattern += 8;
        } else if (strncmp(pattern, "{port}", 6) == 0) {
            used += (size_t)snprintf(text + used, 8, "%u", r->target.port);
            pattern += 6;
        } else {
            text[used++] = *pattern++;
        }
    }
    return text;
}

/* The usual reasons; where the cause is open, one of each candidate. */
static size_t likely_collect(const struct px_finding *finding, const char **patterns, size_t max)
{
    bool open = finding->certainty == PX_CERTAINTY_INCONCLUSIVE && finding->ambiguous_count > 0;
    size_t n = 0, most = open ? 2 : EXPLAIN_LIKELY_MAX;
    const char *pattern;
    for (size_t i = 0; i < most && n < max && (pattern = explain_likely(finding->cause, i)); i++)
        patterns[n++] = pattern;
    for (size_t i = 0; open && i < finding->ambiguous_count && n < max; i++) {
        pattern = explain_likely(finding->ambiguous_with[i], 0);
        if (pattern)
            patterns[n++] = pattern;
    }
    return n;
}

/* On one line if they fit, else one below the other. */
static void write_likely(FILE *f, const struct px_report *r, const struct px_finding *finding,
                         const struct out_style *s)
{
    const char *patterns[LIKELY_MAX];
    char *items[LIKELY_MAX], *line = px_xstrdup("");
    size_t n = likely_collect(finding, patterns, LIKELY_MAX);
    for (size_t i = 0; i < n; i++) {
        items[i] = fill_in(patterns[i], r, finding);
        char *longer = px_xasprintf("%s%s%zu  %s", line, i ? "   " : "", i + 1, items[i]);
        free(line);
        line = longer;
    }
    bool fits = OUT_LABEL + out_columns(line) <= s->width;
    if (n > 0 && fits)
        out_paragraph(f, s, "LIKELY", 0, OUT_PLAIN, line);
    for (size_t i = 0; i < n; i++) {
        char mark[24];
        snprintf(mark, sizeof mark, "%zu  ", i + 1);
        if (!fits)
            write_item(f, s, "LIKELY", i, mark, items[i]);
        free(items[i]);
    }
    free(line);
}

/* ---- notes and the last lines ---- */

static void write_note(FILE *f, const struct out_style *s, size_t *notes, const char *text)
{
    char *clean = out_safe(text);
    out_paragraph(f, s, (*notes)++ ? "" : "NOTE", 0, OUT_PLAIN, clean);
    free(clean);
}

static void write_notes(FILE *f, const struct px_report *r, const struct out_style *s)
{
    const struct px_verdict *v = &r->verdict;
    size_t notes = 0;
    for (size_t i = 0; i < v->finding_count; i++) {
        if (v->findings[i].scope != PX_SCOPE_VANTAGE)
            continue;
        char *sure = certainty_words(&v->findings[i]);
        char *text = px_xasprintf("%s: %s%s", px_scope_people(PX_SCOPE_VANTAGE),
                                  v->findings[i].summary ? v->findings[i].summary : "", sure);
        write_note(f, s, &notes, text);
        free(text);
        free(sure);
    }
    for (size_t i = 0; i < r->notes.n; i++)
        write_note(f, s, &notes, r->notes.v[i]);
    if (v->status != PX_STATUS_REACHABLE || r->depth != PX_STAGE_KEX)
        return;
    write_note(f, s, &notes,
               "checked up to key exchange. If login still fails it is authentication, not the "
               "network:");
    out_command(f, s, "", 2, "plx explain auth-refused", NULL);
}

/* ---- the frame ---- */

/* A blank line between what is so and what to do about it. */
static void write_gap(FILE *f, bool wanted)
{
    if (wanted)
        fputc('\n', f);
}

static void write_finding(FILE *f, const struct px_report *r, const struct px_finding *finding,
                          const struct out_style *s, size_t *next)
{
    bool likely = r->verdict.status != PX_STATUS_INCONCLUSIVE && explain_likely(finding->cause, 0);
    write_gap(f, finding->evidence_count + finding->ruled_out_count > 0);
    write_why(f, finding, s);
    write_not(f, finding, s);
    write_but(f, finding, s);
    write_gap(f, likely || finding->step_count > 0);
    if (likely)
        write_likely(f, r, finding, s);
    out_next_write_steps(f, r, finding, s, next);
}

static void write_since(FILE *f, const struct px_finding *finding, const struct out_style *s)
{
    char when[PX_WALL_TEXT], age[PX_DURATION_TEXT];
    if (finding->since <= 0)
        return;
    char *text = px_xasprintf("%s, %s ago", px_wall_format(finding->since, when),
                              px_duration_format(s->now - finding->since, age));
    out_paragraph(f, s, "SINCE", 0, OUT_PLAIN, text);
    free(text);
}

static void write_verdict(FILE *f, const struct px_report *r, const struct out_style *s,
                          const struct px_finding *finding, const char *label)
{
    char *headline = out_headline(r, finding);
    out_paragraph(f, s, label, 0, status_tone(r->verdict.status), headline);
    free(headline);
    if (finding)
        write_since(f, finding, s);
}

void out_verdict_write_paths(FILE *f, const struct px_report *r, const struct out_style *style)
{
    const struct px_finding *finding = out_main_finding(r);
    if (out_path_write(f, r, style) == 0)
        out_paragraph(
            f, style, "PATHS", 0, OUT_PLAIN,
            "none was traced in this run: that is done only when something fails silently "
            "or by the word of a router");
    fputc('\n', f);
    write_verdict(f, r, style, finding, "VERDICT");
    if (finding && finding->where)
        out_paragraph(f, style, "WHERE", 0, OUT_PLAIN, finding->where);
}

void out_verdict_write(FILE *f, const struct px_report *r, const struct out_style *style)
{
    const struct px_verdict *v = &r->verdict;
    const struct px_finding *main_finding = out_main_finding(r);
    size_t next = 0;
    write_verdict(f, r, style, main_finding, "VERDICT");
    for (size_t i = 0; i < v->finding_count; i++) {
        const struct px_finding *finding = &v->findings[i];
        if (finding->scope == PX_SCOPE_VANTAGE && main_finding)
            continue;
        if (finding != main_finding && main_finding) {
            fputc('\n', f);
            next = 0;
            write_verdict(f, r, style, finding, "AND");
        }
        if (v->status != PX_STATUS_REACHABLE)
            write_finding(f, r, finding, style, &next);
    }
    if (style->alone && r->vantage_count == 1 && v->status == PX_STATUS_INCONCLUSIVE)
        out_next_write_alone(f, r, style, &next);
    write_notes(f, r, style);
    bool kept = style->id_length > 0 && *r->id;
    char *strikes = out_strikes_words(r);
    write_gap(f, *strikes || kept);
    if (*strikes)
        out_paragraph(f, style, "strikes", 0, OUT_DIM, strikes);
    free(strikes);
    if (kept) {
        char *line =
            px_xasprintf("%.*s   plx show %.*s", style->id_length, r->id, style->id_length, r->id);
        out_paragraph(f, style, "run", 0, OUT_DIM, line);
        free(line);
    }
}
