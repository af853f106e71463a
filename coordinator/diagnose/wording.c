/* SPDX-License-Identifier: MIT */
/* Counting for sentences, and filling patterns. What is said is in advice.c and reasons.c. */
#include "coordinator/diagnose/wording.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

#define NAMES_LISTED 3
#define QUOTE_MAX 60
#define FILLED_MAX 2048

/* ---- counting ---- */

static bool same_target(const struct judgement *j, const struct px_addr *a)
{
    for (size_t i = 0; i < j->partition.n; i++) {
        const struct px_addr *other = &j->partition.unit[i]->target;
        if (other->family && !px_addr_equal(a, other))
            return false;
    }
    return a->family != 0;
}

void wording_init(struct wording *w, struct judgement *j, const struct draft *d)
{
    const struct partition *p = &j->partition;
    *w = (struct wording){.j = j, .d = d, .cause = hypotheses[d->row].cause, .fit = p->n};
    w->hit = px_xcalloc(p->n + 1, sizeof(*w->hit));
    for (size_t i = 0; i < p->n; i++) {
        w->affected += d->in[i];
        w->failing += d->in[i] && p->unit[i]->failing;
        w->served += !d->in[i] && !p->unit[i]->failing;
    }
    for (size_t i = 0; i < p->n; i++) {
        bool explained = p->unit[i]->failing && scores_explain(&j->scores, d->row, i);
        if (d->in[i] && (explained || w->failing == 0))
            w->hit[w->hits++] = p->unit[i];
    }
    for (size_t i = 0; i < p->n && w->hits == 0; i++) {
        if (d->in[i])
            w->hit[w->hits++] = p->unit[i];
    }
    w->first = w->hits ? w->hit[0] : NULL;
    w->networks = partition_spans_networks(p, d->in) ? 2 : 1;
    w->group = partition_describe(&j->partition, w->cause, d->in);
    w->alone = p->sources == 1 && w->failing == p->n;
    if (w->first && same_target(j, &w->first->target))
        px_addr_format(&w->first->target, w->target);
    else
        px_text_copy(w->target, sizeof w->target, j->report->target.host);
}

void wording_clear(struct wording *w)
{
    group_clear(&w->group);
    free(w->hit);
    *w = (struct wording){0};
}

/* ---- small words ---- */

char *wording_names(const struct evidence *const *v, size_t n)
{
    char *text = px_xstrdup("");
    for (size_t i = 0; i < n && i < NAMES_LISTED; i++) {
        const char *comma = i == 0 ? "" : i + 1 == n ? " and " : ", ";
        char *longer = px_xasprintf("%s%s%s", text, comma, v[i]->vantage->name);
        free(text);
        text = longer;
    }
    if (n > NAMES_LISTED) {
        char *longer = px_xasprintf("%s and %zu more", text, n - NAMES_LISTED);
        free(text);
        text = longer;
    }
    return text;
}

void wording_list(struct px_strs *list, const struct evidence *const *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        px_strs_add(list, v[i]->vantage->name);
}

const char *wording_number(size_t n, char *out)
{
    static const char *const words[] = {"no",    "one",   "two",  "three", "four",   "five",  "six",
                                        "seven", "eight", "nine", "ten",   "eleven", "twelve"};
    if (n < sizeof words / sizeof *words)
        return words[n];
    snprintf(out, 24, "%zu", n);
    return out;
}

const char *wording_icmp(const struct px_icmp *icmp)
{
    static const struct {
        uint8_t family, type, code;
        const char *words;
    } table[] = {
        {4, 3, 0, "net-unreachable"},
        {4, 3, 1, "host-unreachable"},
        {4, 3, 2, "protocol-unreachable"},
        {4, 3, 3, "port-unreachable"},
        {4, 3, 9, "net-prohibited"},
        {4, 3, 10, "host-prohibited"},
        {4, 3, 13, "admin-prohibited"},
        {4, 11, 0, "time exceeded"},
        {6, 1, 0, "no route"},
        {6, 1, 1, "admin-prohibited"},
        {6, 1, 2, "beyond scope"},
        {6, 1, 3, "address-unreachable"},
        {6, 1, 4, "port-unreachable"},
        {6, 1, 5, "source policy"},
        {6, 1, 6, "reject route"},
        {6, 3, 0, "hop limit exceeded"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].family == icmp->from.family && table[i].type == icmp->type &&
            table[i].code == icmp->code)
            return table[i].words;
    }
    return "unreachable";
}

/* ---- patterns ---- */

/* The routers that spoke to the affected, each once, at most three. Heap. */
static char *routers(const struct wording *w)
{
    char name[PX_ADDR_TEXT], *text = px_xstrdup("");
    const struct px_addr *listed[NAMES_LISTED];
    size_t n = 0;
    for (size_t i = 0; i < w->hits && n < NAMES_LISTED; i++) {
        const struct px_addr *from = &w->hit[i]->icmp.from;
        bool known = from->family == 0;
        for (size_t k = 0; k < n; k++)
            known = known || px_addr_equal(listed[k], from);
        if (known)
            continue;
        char *longer = px_xasprintf("%s%s%s", text, n ? ", " : "", px_addr_format(from, name));
        free(text);
        text = longer;
        listed[n++] = from;
    }
    if (n == 0) {
        free(text);
        return px_xstrdup("a router on the way");
    }
    return text;
}

static char *quoted(const struct wording *w)
{
    char safe[4 * QUOTE_MAX + 16];
    const struct px_observation *o = w->first ? w->first->told : NULL;
    const char *text = o && o->text[0] ? o->text : o ? o->banner : "";
    return px_xstrdup(px_text_safe(text, QUOTE_MAX, safe, sizeof safe));
}

static char *end_of_path(const struct wording *w)
{
    char *end = paths_end(&w->j->paths, w->hit, w->hits);
    return end ? end : px_xstrdup("somewhere on the way");
}

static char *source(const struct wording *w)
{
    char name[PX_ADDR_TEXT];
    if (!w->first || w->first->source.family == 0)
        return px_xstrdup(w->first ? w->first->vantage->name : "");
    return px_xstrdup(px_addr_format(&w->first->source, name));
}

static char *prefix(const struct wording *w)
{
    char name[PX_ADDR_TEXT + 4];
    if (!w->first || w->first->source.family == 0)
        return px_xstrdup("its network");
    struct px_prefix around =
        px_prefix_of(&w->first->source, w->first->source.family == 6 ? 64 : 24);
    return px_xstrdup(px_prefix_format(&around, name));
}

static char *names(const struct wording *w)
{
    return wording_names(w->hit, w->hits);
}

static char *you(const struct wording *w)
{
    bool here = w->first && strcmp(w->first->vantage->name, "here") == 0;
    if (w->hits > 1)
        return wording_names(w->hit, w->hits);
    return px_xstrdup(here || !w->first ? "you" : w->first->vantage->name);
}

static char *one(const struct wording *w)
{
    return px_xstrdup(w->fit > 1 ? "one address" : "one vantage");
}

static char *what(const struct wording *w)
{
    if (!w->first)
        return px_xstrdup("");
    return px_xstrdup(px_code_meaning(w->first->reported ? w->first->code : w->first->local));
}

static char *router_says(const struct wording *w)
{
    return px_xstrdup(w->first ? wording_icmp(&w->first->icmp) : "");
}

static char *target(const struct wording *w)
{
    return px_xstrdup(w->target);
}

static char *host(const struct wording *w)
{
    return px_xstrdup(w->j->report->target.host);
}

static char *port(const struct wording *w)
{
    return px_xasprintf("%u", w->j->report->target.port);
}

static char *group(const struct wording *w)
{
    return px_xstrdup(w->group.words ? w->group.words : "");
}

static char *affected(const struct wording *w)
{
    return px_xasprintf("%zu", w->affected);
}

static char *fit(const struct wording *w)
{
    return px_xasprintf("%zu", w->fit);
}

/* How many vantages the group has: all of them are affected. */
static char *share(const struct wording *w)
{
    if (w->affected == 1)
        return px_xstrdup("1 vantage");
    return px_xasprintf("%zu of %zu vantages", w->affected, w->affected);
}

static char *served(const struct wording *w)
{
    return px_xasprintf("%zu", w->served);
}

static char *tries(const struct wording *w)
{
    return px_xasprintf("%u", w->first ? w->first->tries : 0);
}

static char *same(const struct wording *w)
{
    return px_xasprintf("%u", w->first ? w->first->same : 0);
}

static char *name(const struct wording *w)
{
    return px_xstrdup(w->first ? w->first->vantage->name : "");
}

static char *plural(const struct wording *w)
{
    return px_xstrdup(w->hits == 1 ? "s" : "");
}

/* Connections of the affected that were begun, or only those that failed. */
static size_t count_looks(const struct wording *w, bool only_failed)
{
    enum layer layer = hypotheses[w->d->row].stage <= PX_STAGE_TCP ? LAYER_TCP : LAYER_APP;
    size_t count = 0;
    for (size_t i = 0; i < w->fit; i++) {
        const struct tally *t = &w->j->partition.unit[i]->ladder[layer];
        if (w->d->in[i])
            count += (size_t)t->fail + (only_failed ? 0 : t->ok);
    }
    return count;
}

static char *failed(const struct wording *w)
{
    return px_xasprintf("%zu", count_looks(w, true));
}

static char *attempts(const struct wording *w)
{
    return px_xasprintf("%zu", count_looks(w, false));
}

static char *scheme(const struct wording *w)
{
    enum px_scheme s = w->j->report->target.scheme;
    return px_xstrdup(s == PX_SCHEME_SSH ? "SSH" : s == PX_SCHEME_TLS ? "TLS" : px_scheme_name(s));
}

/* Vantages that get through, and where the name leads them. */
static size_t served_list(const struct wording *w, const struct evidence **v)
{
    size_t n = 0;
    for (size_t i = 0; i < w->fit; i++) {
        if (!w->d->in[i] && !w->j->partition.unit[i]->failing)
            v[n++] = w->j->partition.unit[i];
    }
    return n;
}

static char *served_names(const struct wording *w)
{
    const struct evidence **v = px_xcalloc(w->fit + 1, sizeof(*v));
    char *text = wording_names(v, served_list(w, v));
    free(v);
    return text;
}

static char *served_target(const struct wording *w)
{
    char address[PX_ADDR_TEXT] = "";
    const struct evidence **v = px_xcalloc(w->fit + 1, sizeof(*v));
    if (served_list(w, v) > 0)
        px_addr_format(&v[0]->target, address);
    free(v);
    return px_xstrdup(address);
}

static char *jail(const struct wording *w)
{
    return px_xstrdup(w->j->report->target.scheme == PX_SCHEME_SSH ? "sshd" : "JAIL");
}

static char *run(const struct wording *w)
{
    return px_xstrdup(w->j->report->id[0] ? w->j->report->id : "@last");
}

static const struct {
    const char *key;
    char *(*fill)(const struct wording *);
} places[] = {
    {"{target}", target},
    {"{host}", host},
    {"{port}", port},
    {"{scheme}", scheme},
    {"{group}", group},
    {"{affected}", affected},
    {"{fit}", fit},
    {"{share}", share},
    {"{served}", served},
    {"{served_names}", served_names},
    {"{served_target}", served_target},
    {"{failed}", failed},
    {"{attempts}", attempts},
    {"{you}", you},
    {"{one}", one},
    {"{router}", routers},
    {"{router_says}", router_says},
    {"{end}", end_of_path},
    {"{source}", source},
    {"{prefix}", prefix},
    {"{jail}", jail},
    {"{run}", run},
    {"{tries}", tries},
    {"{same}", same},
    {"{name}", name},
    {"{names}", names},
    {"{s}", plural},
    {"{what}", what},
    {"{text}", quoted},
};

char *wording_fill(const struct wording *w, const char *pattern)
{
    char *text = px_xcalloc(1, FILLED_MAX);
    size_t used = 0;
    while (*pattern && used + 1 < FILLED_MAX) {
        size_t i = 0, count = sizeof places / sizeof *places;
        while (i < count && strncmp(pattern, places[i].key, strlen(places[i].key)) != 0)
            i++;
        if (i == count) {
            text[used++] = *pattern++;
            continue;
        }
        char *word = places[i].fill(w);
        int wrote = snprintf(text + used, FILLED_MAX - used, "%s", word);
        used += wrote < 0 ? 0 : (size_t)wrote;
        free(word);
        pattern += strlen(places[i].key);
    }
    text[used < FILLED_MAX ? used : FILLED_MAX - 1] = '\0';
    return text;
}
