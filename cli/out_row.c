/* SPDX-License-Identifier: MIT */
/*
 * Sums up the observations of one vantage: which of them speaks for it, whether the others agree,
 * and what to say about it in one line. Judges nothing; the verdict does.
 */
#include "cli/out_row.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

#define REMOTE_TEXT_MAX 80 /* displayed characters of what a stranger sent */

struct tally {
    unsigned same, total; /* connection attempts with the shown code, and all */
};

static const char *const mark_utf8[] = {"✓", "✗", "~", "?", "·"};
static const char *const mark_plain[] = {"ok", "FAIL", "~", "?", "."};
static const enum out_tone mark_tones[] = {OUT_GOOD, OUT_BAD, OUT_WARN, OUT_WARN, OUT_DIM};

const char *out_mark_text(enum out_mark mark, bool utf8)
{
    return utf8 ? mark_utf8[mark] : mark_plain[mark];
}

enum out_tone out_mark_tone(enum out_mark mark)
{
    return mark_tones[mark];
}

char *out_ms(double ms, char *out)
{
    if (ms < 0)
        strcpy(out, "-");
    else if (ms < 0.05)
        strcpy(out, "<0.1ms");
    else if (ms < 0.95)
        snprintf(out, PX_DURATION_TEXT, "%.1fms", ms);
    else if (ms < 999.5)
        snprintf(out, PX_DURATION_TEXT, "%.0fms", ms);
    else if (ms < 1e8)
        snprintf(out, PX_DURATION_TEXT, "%.1fs", ms / 1000);
    else
        strcpy(out, "-");
    return out;
}

char *out_icmp_name(const struct px_icmp *icmp, char *out)
{
    static const struct {
        uint8_t family, type, code;
        const char *name;
    } names[] = {
        {4, 3, 0, "net-unreachable"},
        {4, 3, 1, "host-unreachable"},
        {4, 3, 2, "protocol-unreachable"},
        {4, 3, 3, "port-unreachable"},
        {4, 3, 9, "net-prohibited"},
        {4, 3, 10, "host-prohibited"},
        {4, 3, 13, "admin-prohibited"},
        {4, 11, 0, "time-exceeded"},
        {6, 1, 0, "no-route"},
        {6, 1, 1, "admin-prohibited"},
        {6, 1, 2, "beyond-scope"},
        {6, 1, 3, "address-unreachable"},
        {6, 1, 4, "port-unreachable"},
        {6, 1, 5, "policy-failed"},
        {6, 1, 6, "reject-route"},
        {6, 3, 0, "time-exceeded"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i].family == icmp->from.family && names[i].type == icmp->type &&
            names[i].code == icmp->code)
            return strcpy(out, names[i].name);
    }
    snprintf(out, 32, "type %u code %u", icmp->type, icmp->code);
    return out;
}

/* ---- which observation speaks for the vantage ---- */

static bool told_something(const struct px_observation *o)
{
    enum px_code_kind kind = px_code_kind(o->code);
    return kind == PX_KIND_OK || kind == PX_KIND_FAIL;
}

/* How deep it tried: the budget may have cut it short. */
static enum px_stage tried_depth(const struct px_observation *o)
{
    return o->limited && o->stage < o->depth ? o->stage : o->depth;
}

/* One that could try beats one that could not; then the deeper question, then the newer answer. */
static bool speaks_before(const struct px_observation *a, const struct px_observation *b)
{
    if (told_something(a) != told_something(b))
        return told_something(a);
    if (tried_depth(a) != tried_depth(b))
        return tried_depth(a) > tried_depth(b);
    return a->round >= b->round;
}

/* o contradicts the one that speaks: it got through where that one failed, or the reverse. */
static bool contradicts(const struct px_observation *o, const struct px_observation *shown)
{
    enum px_code_kind kind = px_code_kind(o->code), other = px_code_kind(shown->code);
    if (kind == PX_KIND_FAIL && other == PX_KIND_OK)
        return true;
    return kind == PX_KIND_OK && other == PX_KIND_FAIL && o->stage >= shown->stage;
}

static bool attempts_disagree(const struct px_observation *o, const struct px_observation *shown)
{
    enum px_code_kind kind = px_code_kind(shown->code);
    if (kind == PX_KIND_FAIL && shown->stage != PX_STAGE_TCP)
        return false;
    for (uint32_t i = 0; i < o->attempt_count; i++) {
        enum px_code_kind one = px_code_kind(o->attempts[i].code);
        if ((one == PX_KIND_OK || one == PX_KIND_FAIL) && one != kind)
            return true;
    }
    return false;
}

static void tally_add(struct tally *t, const struct px_observation *o, enum px_code code)
{
    for (uint32_t i = 0; i < o->attempt_count; i++) {
        enum px_code_kind kind = px_code_kind(o->attempts[i].code);
        if (kind != PX_KIND_OK && kind != PX_KIND_FAIL)
            continue;
        t->total++;
        t->same += o->attempts[i].code == code;
    }
}

/* ---- the DETAIL cell ---- */

static void add(struct out_row *row, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct out_row *row, const char *format, ...)
{
    size_t used = strlen(row->detail);
    va_list ap;
    va_start(ap, format);
    vsnprintf(row->detail + used, sizeof row->detail - used, format, ap);
    va_end(ap);
}

static void add_count(struct out_row *row, const struct tally *t)
{
    if (t->total > 1)
        add(row, ", %u of %u", t->same, t->total);
}

/* The first line of what a stranger said, quoted. */
static void add_remote(struct out_row *row, const char *text)
{
    char safe[REMOTE_TEXT_MAX * 8], line[PX_TEXT_MAX + 1];
    snprintf(line, sizeof line, "%.*s", (int)strcspn(text, "\r\n"), text);
    add(row, "\"%s\"", px_text_safe(line, REMOTE_TEXT_MAX, safe, sizeof safe));
}

static void detail_icmp(struct out_row *row, const struct px_observation *o, const struct tally *t)
{
    char name[32], from[PX_ADDR_TEXT];
    if (o->icmp.from.family == 0) {
        add(row, "%s", px_code_meaning(o->code));
    } else {
        add(row, "ICMP %s from ", out_icmp_name(&o->icmp, name));
        if (px_addr_equal(&o->icmp.from, &o->address))
            add(row, "the target");
        else if (o->icmp.own)
            add(row, "the vantage itself");
        else
            add(row, "%s", px_addr_format(&o->icmp.from, from));
    }
    add_count(row, t);
}

static void detail_refused(struct out_row *row, const struct px_observation *o,
                           const struct tally *t)
{
    (void)o;
    add(row, "TCP reset from the target");
    add_count(row, t);
}

/* The hop after which a trace fell silent: NULL if it did not run or reached the target. */
static const struct px_hop *last_hop(const struct px_trace *trace)
{
    if (!trace->ran || trace->reached)
        return NULL;
    for (uint32_t i = trace->count; i-- > 0;) {
        if (trace->hops[i].from.family)
            return &trace->hops[i];
    }
    return NULL;
}

static void detail_silence(struct out_row *row, const struct px_observation *o,
                           const struct tally *t)
{
    const struct px_hop *hop = last_hop(&o->trace);
    char from[PX_ADDR_TEXT];
    if (t->total > t->same)
        add(row, "%u of %u connects unanswered", t->same, t->total);
    else if (t->total > 1)
        add(row, "%u connects unanswered", t->total);
    else
        add(row, "no answer to any SYN");
    if (hop)
        add(row, ", silent after hop %u (%s)", hop->ttl, px_addr_format(&hop->from, from));
    else if (o->trace.ran && !o->trace.reached)
        add(row, ", no hop answers");
}

static void detail_early(struct out_row *row, const struct px_observation *o, const struct tally *t)
{
    char ms[PX_DURATION_TEXT];
    double open = o->ms[PX_STAGE_TCP];
    (void)t;
    add(row, "%s", o->code == PX_CODE_RESET_EARLY ? "reset" : "closed");
    if (open >= 0 && o->took_ms > open)
        add(row, " %s after connecting", out_ms(o->took_ms - open, ms));
    add(row, ", no greeting");
}

static void detail_said(struct out_row *row, const struct px_observation *o, const struct tally *t)
{
    const char *text = *o->text ? o->text : o->banner;
    (void)t;
    if (!*text) {
        add(row, "%s", px_code_meaning(o->code));
        return;
    }
    add(row, "it says ");
    add_remote(row, text);
}

static void detail_kex(struct out_row *row, const struct px_observation *o, const struct tally *t)
{
    (void)t;
    add(row, "%s", px_code_meaning(o->code));
    if (*o->text) {
        add(row, ": ");
        add_remote(row, o->text);
    }
}

static void detail_ok(struct out_row *row, const struct px_observation *o, const struct tally *t)
{
    char safe[REMOTE_TEXT_MAX * 8];
    px_text_safe(o->banner, REMOTE_TEXT_MAX, safe, sizeof safe);
    const char *software = strncmp(safe, "SSH-", 4) == 0 ? strchr(safe + 4, '-') : NULL;
    if (software)
        add(row, "%.*s", (int)strcspn(software + 1, " "), software + 1);
    else if (o->stage == PX_STAGE_TCP)
        add(row, "port open");
    if (t->total > t->same)
        add(row, "%s%u of %u connects failed", *row->detail ? ", " : "", t->total - t->same,
            t->total);
}

static void detail_plain(struct out_row *row, const struct px_observation *o, const struct tally *t)
{
    (void)t;
    add(row, "%s", px_code_meaning(o->code));
}

static const struct {
    enum px_code code;
    void (*detail)(struct out_row *row, const struct px_observation *o, const struct tally *t);
} details[] = {
    {PX_CODE_OK, detail_ok},
    {PX_CODE_SLOW, detail_ok},
    {PX_CODE_REFUSED, detail_refused},
    {PX_CODE_REJECTED, detail_icmp},
    {PX_CODE_UNREACHABLE, detail_icmp},
    {PX_CODE_LOOPED, detail_icmp},
    {PX_CODE_NO_OWN_ROUTE, detail_icmp},
    {PX_CODE_OWN_FILTER, detail_icmp},
    {PX_CODE_NO_ANSWER, detail_silence},
    {PX_CODE_CLOSED_EARLY, detail_early},
    {PX_CODE_RESET_EARLY, detail_early},
    {PX_CODE_REFUSAL_TEXT, detail_said},
    {PX_CODE_NOT_SSH, detail_said},
    {PX_CODE_KEX_MISMATCH, detail_kex},
    {PX_CODE_KEX_RESET, detail_kex},
    {PX_CODE_KEX_TIMEOUT, detail_kex},
};

static void row_add_detail(struct out_row *row, const struct px_observation *o,
                           const struct tally *t)
{
    char wait[PX_DURATION_TEXT];
    size_t i = 0, n = sizeof details / sizeof *details;
    while (i < n && details[i].code != o->code)
        i++;
    (i < n ? details[i].detail : detail_plain)(row, o, t);
    if (!o->limited)
        return;
    add(row, "%slimited: no handshake left", *row->detail ? ", " : "");
    if (o->strikes_next_ms > 0)
        add(row, ", next in %s", px_duration_format(o->strikes_next_ms * PX_MS, wait));
}

/* ---- side probes, for the wide table ---- */

static void row_add_sides(struct out_row *row, const struct px_observation *o)
{
    char ms[PX_DURATION_TEXT];
    if (o->echo.ran && *row->echo == '-')
        snprintf(row->echo, sizeof row->echo, "%s %u/%u", px_code_name(o->echo.code),
                 o->echo.received, o->echo.sent);
    if (o->control_count > 0 && *row->control == '-') {
        row->control[0] = '\0';
        for (uint32_t i = 0; i < o->control_count; i++) {
            size_t used = strlen(row->control);
            snprintf(row->control + used, sizeof row->control - used, "%s%u %s", used ? ", " : "",
                     o->controls[i].port, px_code_name(o->controls[i].code));
        }
    }
    if (o->trace.ran && *row->trace == '-' && o->trace.count > 0) {
        const struct px_hop *last = &o->trace.hops[o->trace.count - 1];
        const struct px_hop *answering = last_hop(&o->trace);
        if (o->trace.reached)
            snprintf(row->trace, sizeof row->trace, "%u hops, %s", last->ttl, out_ms(last->ms, ms));
        else
            snprintf(row->trace, sizeof row->trace, "silent after %u",
                     answering ? answering->ttl : 0);
    }
}

/* ---- the row ---- */

static void address_cell(const struct px_addr *a, char *out)
{
    if (a->family)
        px_addr_format(a, out);
    else
        strcpy(out, "-");
}

static void row_add_times(struct out_row *row, const struct px_observation *o)
{
    double tcp = o->ms[PX_STAGE_TCP];
    if (tcp < 0 && o->code == PX_CODE_REFUSED && o->attempt_count > 0)
        tcp = o->attempts[0].ms;
    out_ms(o->ms[PX_STAGE_DNS], row->dns);
    out_ms(tcp, row->tcp);
    out_ms(o->ms[PX_STAGE_BANNER], row->banner);
    out_ms(o->ms[PX_STAGE_KEX], row->kex);
}

static void row_init(struct out_row *row, const struct px_vantage *v)
{
    char *const dashes[] = {row->source, row->address, row->dns,     row->tcp,   row->banner,
                            row->kex,    row->echo,    row->control, row->trace, row->hostkey};
    memset(row, 0, sizeof *row);
    row->vantage = v;
    for (size_t i = 0; i < sizeof dashes / sizeof *dashes; i++)
        strcpy(dashes[i], "-");
    px_vantage_network(v, row->network);
    address_cell(&v->seen_as, row->seen_as);
}

/* A vantage from which nothing came. */
static void row_fill_missing(struct out_row *row, const struct px_report *r, px_wall now)
{
    char age[PX_DURATION_TEXT];
    const struct px_vantage *v = row->vantage;
    row->mark = OUT_MARK_NONE;
    if (v->presence == PX_AWAY) {
        strcpy(row->result, px_code_name(PX_CODE_AWAY));
        if (v->last_seen > 0 && now > v->last_seen)
            add(row, "last seen %s ago", px_duration_format(now - v->last_seen, age));
        else
            add(row, "%s", px_code_meaning(PX_CODE_AWAY));
    } else if (!r->finished) {
        row->mark = OUT_MARK_PENDING;
        strcpy(row->result, "...");
    } else {
        strcpy(row->result, px_code_name(PX_CODE_UNKNOWN));
        add(row, "did not report");
    }
}

static enum out_mark mark_of(const struct px_report *r, const struct out_row *row, bool mixed)
{
    const struct px_observation *o = row->shown;
    enum px_code_kind kind = px_code_kind(o->code);
    if (kind == PX_KIND_VANTAGE || kind == PX_KIND_NONE)
        return OUT_MARK_NONE;
    if (kind == PX_KIND_FAIL && px_strs_has(&r->abstained, row->vantage->name))
        return OUT_MARK_NONE;
    if (mixed || o->code == PX_CODE_SLOW)
        return OUT_MARK_MIXED;
    return kind == PX_KIND_OK ? OUT_MARK_OK : OUT_MARK_FAIL;
}

static const struct px_observation *row_find_shown(const struct px_report *r, size_t index)
{
    const struct px_observation *shown = NULL;
    for (size_t i = 0; i < r->observation_count; i++) {
        const struct px_observation *o = &r->observations[i];
        if (o->vantage == index && (!shown || speaks_before(o, shown)))
            shown = o;
    }
    return shown;
}

static void row_fill(struct out_row *row, const struct px_report *r, size_t index)
{
    const struct px_observation *shown = row->shown;
    struct tally tally = {0, 0};
    bool mixed = false;
    for (size_t i = 0; i < r->observation_count; i++) {
        const struct px_observation *o = &r->observations[i];
        if (o->vantage != index)
            continue;
        mixed = mixed || contradicts(o, shown) || attempts_disagree(o, shown);
        if (px_code_kind(shown->code) == PX_KIND_OK && px_code_kind(o->code) == PX_KIND_FAIL)
            row->shown = o;
        row_add_sides(row, o);
    }
    for (size_t i = 0; i < r->observation_count; i++) {
        if (r->observations[i].vantage == index)
            tally_add(&tally, &r->observations[i], row->shown->code);
    }
    row->mark = mark_of(r, row, mixed);
    snprintf(row->result, sizeof row->result, "%s", px_code_name(row->shown->code));
    row_add_times(row, shown);
    row_add_detail(row, row->shown, &tally);
    address_cell(shown->source.family ? &shown->source : &row->vantage->seen_as, row->source);
    if (strcmp(row->source, row->seen_as) == 0)
        strcpy(row->seen_as, "-");
    address_cell(&shown->address, row->address);
    if (*shown->hostkey)
        snprintf(row->hostkey, sizeof row->hostkey, "%s", shown->hostkey);
}

struct out_row *out_rows_new(const struct px_report *r, px_wall now)
{
    struct out_row *rows = px_xcalloc(r->vantage_count + 1, sizeof *rows);
    for (size_t i = 0; i < r->vantage_count; i++) {
        row_init(&rows[i], &r->vantages[i]);
        rows[i].shown = row_find_shown(r, i);
        if (rows[i].shown)
            row_fill(&rows[i], r, i);
        else
            row_fill_missing(&rows[i], r, now);
    }
    return rows;
}
