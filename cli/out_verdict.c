/* SPDX-License-Identifier: MIT */
/* The verdict for people: each finding with its reasons and what to type next. Adds no judgement.
 */
#include "cli/out_verdict.h"

#include <stdlib.h>
#include <string.h>

#include "cli/explain.h"
#include "common/text.h"

#define SAFE_TEXT 2048
#define ALTERNATIVE_MIN 0.05 /* less probable ones are not worth a line */
#define STRIKES_LISTED 4     /* more vantages with the same count are counted, not named */

/* Texts of the judge may quote a stranger: escape again, it costs nothing. */
static char *safe(const char *text)
{
    char *out = px_xcalloc(1, SAFE_TEXT);
    return px_text_safe(text ? text : "", SAFE_TEXT / 4, out, SAFE_TEXT);
}

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
        char *text = safe(v->summary);
        bool said = strncmp(text, word, strlen(word)) == 0;
        char *line = px_xasprintf("%s%s%s", said ? "" : word, said ? "" : ": ", text);
        free(text);
        return line;
    }
    char *text = safe(f->summary), *sure = certainty_words(f);
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
        char *text = safe(e->text);
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
        char *because = safe(out->because);
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
    char *needs = safe(finding->deciding.needs);
    for (size_t i = 0; i < others.n; i++) {
        char *text =
            px_xasprintf("%s%s", same ? "looks the same: " : "possible, too: ", others.v[i]);
        write_item(f, s, "BUT", i, "", text);
        free(text);
    }
    if (*needs) {
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
    char *text = px_xcalloc(1, SAFE_TEXT);
    size_t used = 0;
    const char *source = f->group_values.n == 1 ? f->group_values.v[0] : "these addresses";
    while (*pattern && used < SAFE_TEXT - PX_HOST_MAX - 1) {
        if (strncmp(pattern, "{source}", 8) == 0) {
            used += (size_t)snprintf(text + used, PX_HOST_MAX, "%.*s", (int)strcspn(source, "/"),
                                     source);
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

static void write_likely(FILE *f, const struct px_report *r, const struct px_finding *finding,
                         const struct out_style *s)
{
    char *items[EXPLAIN_LIKELY_MAX];
    size_t n = 0, width = OUT_LABEL;
    const char *pattern;
    while (n < EXPLAIN_LIKELY_MAX && (pattern = explain_likely(finding->cause, n))) {
        items[n] = fill_in(pattern, r, finding);
        width += out_columns(items[n++]) + 6;
    }
    if (n > 0 && width <= s->width) {
        char *line = px_xstrdup("");
        for (size_t i = 0; i < n; i++) {
            char *longer = px_xasprintf("%s%s%zu  %s", line, i ? "   " : "", i + 1, items[i]);
            free(line);
            line = longer;
        }
        out_paragraph(f, s, "LIKELY", 0, OUT_PLAIN, line);
        free(line);
    } else {
        for (size_t i = 0; i < n; i++) {
            char mark[24];
            snprintf(mark, sizeof mark, "%zu  ", i + 1);
            write_item(f, s, "LIKELY", i, mark, items[i]);
        }
    }
    for (size_t i = 0; i < n; i++)
        free(items[i]);
}

/* ---- NEXT ---- */

static bool anybody_works(const struct px_report *r)
{
    for (size_t i = 0; i < r->observation_count; i++) {
        const struct px_observation *o = &r->observations[i];
        if (px_code_kind(o->code) == PX_KIND_OK && o->stage >= PX_STAGE_BANNER)
            return true;
    }
    return false;
}

/* The line above the steps for one place. Heap; NULL = none. */
static char *place_words(const char *where, const struct px_report *r)
{
    if (!where || !*where || strcmp(where, "here") == 0)
        return NULL;
    if (strcmp(where, "host") != 0)
        return px_xasprintf(strncmp(where, "vantage", 7) == 0 ? "on %s:" : "for the %s:", where);
    size_t length =
        r->target.literal.family ? strlen(r->target.host) : strcspn(r->target.host, ".");
    if (anybody_works(r))
        return px_xasprintf("on %.*s, from a vantage that works:", (int)length, r->target.host);
    return px_xasprintf("on the console of %.*s (ssh cannot help now):", (int)length,
                        r->target.host);
}

/* *lines counts what stands under NEXT already. */
static void write_steps(FILE *f, const struct px_report *r, const struct px_finding *finding,
                        const struct out_style *s, size_t *lines)
{
    const char *last = "";
    for (size_t i = 0; i < finding->step_count; i++) {
        const struct px_step *step = &finding->steps[i];
        const char *where = step->where ? step->where : "";
        char *heading = strcmp(where, last) == 0 && i > 0 ? NULL : place_words(where, r);
        char *run = safe(step->run), *why = safe(step->why);
        last = where;
        if (heading)
            out_paragraph(f, s, (*lines)++ ? "" : "NEXT", 0, OUT_PLAIN, heading);
        if (*run)
            out_command(f, s, (*lines)++ ? "" : "NEXT", 2, run, why);
        else if (*why)
            out_paragraph(f, s, (*lines)++ ? "" : "NEXT", 0, OUT_PLAIN, why);
        free(heading);
        free(run);
        free(why);
    }
}

/* What a single vantage cannot know, and how to get a second one. */
static void write_alone(FILE *f, const struct px_report *r, const struct out_style *s,
                        size_t *lines)
{
    static const struct {
        enum px_code code;
        const char *mine, *everybody;
    } words[] = {
        {PX_CODE_REJECTED, "my address is banned", "filtered for everybody"},
        {PX_CODE_NO_ANSWER, "only I am cut off", "it is down for everybody"},
        {PX_CODE_REFUSED, "only I am turned away", "the service is down"},
        {PX_CODE_UNREACHABLE, "my way there is broken", "nobody can get there"},
        {PX_CODE_UNKNOWN, "only I am affected", "everybody is"},
    };
    enum px_code code = r->observation_count ? r->observations[0].code : PX_CODE_UNKNOWN;
    size_t i = 0, n = sizeof words / sizeof *words;
    while (i + 1 < n && words[i].code != code)
        i++;
    char *text = px_xasprintf("a second vantage decides between \"%s\" and \"%s\":", words[i].mine,
                              words[i].everybody);
    out_paragraph(f, s, (*lines)++ ? "" : "NEXT", 0, OUT_PLAIN, text);
    free(text);
    out_command(
        f, s, "", 2,
        "plx context add prod TOKEN      if your team has a coordinator (ask for a user token)",
        NULL);
    out_command(f, s, "", 2, "plx explain mesh                how to start one", NULL);
}

/* ---- notes and the last lines ---- */

static void write_note(FILE *f, const struct out_style *s, size_t *notes, const char *text)
{
    char *clean = safe(text);
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
    if (v->status == PX_STATUS_REACHABLE && r->depth == PX_STAGE_KEX)
        write_note(f, s, &notes,
                   "checked up to key exchange. If login still fails it is authentication, not the "
                   "network:   plx explain auth-refused");
}

struct strikes {
    uint32_t used, max;
    int64_t next_ms;
};

static struct strikes strikes_of(const struct px_report *r, size_t vantage)
{
    struct strikes spent = {0, 0, 0};
    for (size_t i = 0; i < r->observation_count; i++) {
        const struct px_observation *o = &r->observations[i];
        if (o->vantage == vantage && o->strikes_max > 0)
            spent = (struct strikes){o->strikes_used, o->strikes_max, o->strikes_next_ms};
    }
    return spent;
}

/* "2 of 2, next in 7m"; "" if nothing was spent. Heap. */
static char *strikes_words(struct strikes spent, const char *each)
{
    char wait[PX_DURATION_TEXT];
    if (spent.used == 0)
        return px_xstrdup("");
    if (spent.used >= spent.max && spent.next_ms > 0)
        return px_xasprintf("%u of %u%s, next in %s", spent.used, spent.max, each,
                            px_duration_format(spent.next_ms * PX_MS, wait));
    return px_xasprintf("%u of %u%s", spent.used, spent.max, each);
}

/* "here", "fra1 and hel1", "6 vantages". Heap. */
static char *names_words(const struct px_strs *names)
{
    if (names->n > STRIKES_LISTED)
        return px_xasprintf("%zu vantages", names->n);
    char *line = px_xstrdup(names->v[0]);
    for (size_t i = 1; i < names->n; i++) {
        char *longer =
            px_xasprintf("%s%s%s", line, i + 1 == names->n ? " and " : ", ", names->v[i]);
        free(line);
        line = longer;
    }
    return line;
}

/* Names of the vantages whose strikes read like `words`; *spent = theirs. */
static void strikes_names(const struct px_report *r, const char *words, struct px_strs *names,
                          struct strikes *spent)
{
    for (size_t v = 0; v < r->vantage_count; v++) {
        struct strikes one = strikes_of(r, v);
        char *text = strikes_words(one, "");
        if (strcmp(text, words) == 0) {
            px_strs_add(names, r->vantages[v].name);
            *spent = one;
        }
        free(text);
    }
}

/* What the run has spent; vantages that stand alike share an entry. */
static void write_strikes(FILE *f, const struct px_report *r, const struct out_style *s)
{
    struct px_strs words = {0};
    char *line = px_xstrdup("");
    for (size_t v = 0; v < r->vantage_count; v++) {
        char *one = strikes_words(strikes_of(r, v), "");
        if (*one && !px_strs_has(&words, one))
            px_strs_add(&words, one);
        free(one);
    }
    for (size_t i = 0; i < words.n; i++) {
        struct px_strs names = {0};
        struct strikes spent = {0, 0, 0};
        strikes_names(r, words.v[i], &names, &spent);
        char *who = names_words(&names);
        char *what = strikes_words(spent, names.n > 1 ? " each" : "");
        char *longer = px_xasprintf("%s%s%s %s", line, i ? "; " : "", who, what);
        free(who);
        free(what);
        free(line);
        line = longer;
        px_strs_clear(&names);
    }
    if (words.n > 0)
        out_paragraph(f, s, "strikes", 0, OUT_DIM, line);
    free(line);
    px_strs_clear(&words);
}

/* ---- the frame ---- */

static void write_finding(FILE *f, const struct px_report *r, const struct px_finding *finding,
                          const struct out_style *s, size_t *next)
{
    write_why(f, finding, s);
    write_not(f, finding, s);
    write_but(f, finding, s);
    if (r->verdict.status != PX_STATUS_INCONCLUSIVE || finding->scope == PX_SCOPE_VANTAGE)
        write_likely(f, r, finding, s);
    write_steps(f, r, finding, s, next);
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
        write_alone(f, r, style, &next);
    write_notes(f, r, style);
    fputc('\n', f);
    write_strikes(f, r, style);
    if (style->id_length > 0 && *r->id) {
        char *line =
            px_xasprintf("%.*s   plx show %.*s", style->id_length, r->id, style->id_length, r->id);
        out_paragraph(f, style, "run", 0, OUT_DIM, line);
        free(line);
    }
}
