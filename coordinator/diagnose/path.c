/* SPDX-License-Identifier: MIT */
/*
 * Traces of all vantages merged: exonerated hops, ends, candidate interval. Silent routers are
 * simply missing; what they hide widens the interval.
 */
#include "coordinator/diagnose/path.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"

#define NO_HOP UINT32_MAX
#define ENDS_LISTED 3

static uint32_t addr_hash(const struct px_addr *a)
{
    uint32_t h = 2166136261u ^ a->family;
    for (size_t i = 0; i < sizeof a->bytes; i++)
        h = (h ^ a->bytes[i]) * 16777619u;
    return h ^ (h >> 15);
}

/* Slot of the address in the table: its own, or the empty one where it would go. */
static uint32_t *table_slot(const struct paths *p, const struct px_addr *a)
{
    uint32_t at = addr_hash(a) & (p->table_size - 1);
    while (p->table[at] != NO_HOP && !px_addr_equal(&p->hops[p->table[at]].addr, a))
        at = (at + 1) & (p->table_size - 1);
    return &p->table[at];
}

static uint32_t hop_add(struct paths *p, const struct px_addr *a)
{
    uint32_t *slot = table_slot(p, a);
    if (*slot == NO_HOP) {
        *slot = p->hop_count;
        p->hops[p->hop_count++] = (struct hop){.addr = *a};
    }
    return *slot;
}

static bool hop_answers(const struct px_hop *h, const struct evidence *e)
{
    return (h->from.family == 4 || h->from.family == 6) && !px_addr_equal(&h->from, &e->target);
}

static size_t count_hops(const struct scene *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++)
        n += s->all[i].trace ? s->all[i].trace->count : 0;
    return n;
}

/* The hops of one trace, in order, each once. */
static void paths_add_trace(struct paths *p, const struct evidence *e, uint32_t *end)
{
    uint32_t first = *end;
    for (size_t i = 0; e->trace && i < e->trace->count; i++) {
        if (!hop_answers(&e->trace->hops[i], e))
            continue;
        uint32_t id = hop_add(p, &e->trace->hops[i].from);
        bool repeated = false;
        for (uint32_t k = first; k < *end; k++)
            repeated = repeated || p->on[k] == id;
        if (!repeated)
            p->on[(*end)++] = id;
    }
}

/* What a trace tells about its hops: exonerated, edge, or where it ends. */
static void paths_mark(struct paths *p, const struct evidence *e, uint32_t first, uint32_t end)
{
    if (!e->trace || first == end)
        return;
    struct hop *last = &p->hops[p->on[end - 1]];
    if (e->trace->reached) {
        for (uint32_t k = first; k < end; k++)
            p->hops[p->on[k]].exonerated = true;
        last->edge = true;
        return;
    }
    if (!last->ends)
        last->ends = e;
    else if (!px_vantage_same_network(last->ends->vantage, e->vantage))
        last->shared_end = true;
}

/* Where a trace stops, as outcome bits. Without a working path to compare with, only a hop at which
 * different networks end is known to be near the target. */
static uint64_t trace_bits(const struct paths *p, const struct evidence *e)
{
    const struct hop *last = paths_last(p, e);
    if (e->trace->reached)
        return OUTCOME_BIT(TRACE_REACHED);
    if (!last)
        return OUTCOME_BIT(TRACE_NONE);
    if (last->edge || (!p->any_reached && last->shared_end))
        return OUTCOME_BIT(TRACE_EDGE);
    if (last->exonerated)
        return OUTCOME_BIT(TRACE_SHARED);
    if (p->any_reached)
        return OUTCOME_BIT(TRACE_MID);
    return OUTCOME_BIT(TRACE_EDGE) | OUTCOME_BIT(TRACE_SHARED) | OUTCOME_BIT(TRACE_MID);
}

void paths_init(struct paths *p, struct scene *s)
{
    size_t n = count_hops(s);
    *p = (struct paths){.scene = s, .table_size = 16};
    while (p->table_size < 2 * n + 2)
        p->table_size *= 2;
    p->hops = px_xcalloc(n + 1, sizeof *p->hops);
    p->on = px_xcalloc(n + 1, sizeof *p->on);
    p->start = px_xcalloc(s->count + 1, sizeof *p->start);
    p->table = px_xcalloc(p->table_size, sizeof *p->table);
    memset(p->table, 0xff, p->table_size * sizeof *p->table);
    uint32_t end = 0;
    for (size_t i = 0; i < s->count; i++) {
        paths_add_trace(p, &s->all[i], &end);
        p->start[i + 1] = end;
        p->any_reached = p->any_reached || (s->all[i].trace && s->all[i].trace->reached);
    }
    for (size_t i = 0; i < s->count; i++)
        paths_mark(p, &s->all[i], p->start[i], p->start[i + 1]);
    for (size_t i = 0; i < s->count; i++) {
        if (s->all[i].trace)
            s->all[i].seen |= trace_bits(p, &s->all[i]);
    }
}

void paths_clear(struct paths *p)
{
    free(p->hops);
    free(p->on);
    free(p->start);
    free(p->table);
    *p = (struct paths){0};
}

const struct hop *paths_last(const struct paths *p, const struct evidence *e)
{
    size_t i = (size_t)(e - p->scene->all);
    return p->start[i] == p->start[i + 1] ? NULL : &p->hops[p->on[p->start[i + 1] - 1]];
}

static bool has_hops(const struct paths *p, const struct evidence *e)
{
    size_t i = (size_t)(e - p->scene->all);
    return e->trace && p->start[i] < p->start[i + 1];
}

/* Counts by hop over the traces of v that answered at all; *traces = how many did. Heap. */
static uint32_t *count_by_hop(const struct paths *p, const struct evidence *const *v, size_t n,
                              uint32_t *traces)
{
    uint32_t *counts = px_xcalloc(p->hop_count + 1u, sizeof *counts);
    *traces = 0;
    for (size_t i = 0; i < n; i++) {
        size_t at = (size_t)(v[i] - p->scene->all);
        *traces += has_hops(p, v[i]);
        for (uint32_t k = p->start[at]; k < p->start[at + 1]; k++)
            counts[p->on[k]]++;
    }
    return counts;
}

const struct hop *paths_common(const struct paths *p, const struct evidence *const *v, size_t n)
{
    uint32_t traces;
    uint32_t *counts = count_by_hop(p, v, n, &traces);
    const struct hop *found = NULL;
    for (size_t i = 0; i < n && !found; i++) {
        size_t at = (size_t)(v[i] - p->scene->all);
        if (!has_hops(p, v[i]))
            continue;
        for (uint32_t k = p->start[at + 1]; k > p->start[at] && !found; k--) {
            if (counts[p->on[k - 1]] == traces)
                found = &p->hops[p->on[k - 1]];
        }
        break; /* a common hop is on the first of them, too */
    }
    free(counts);
    return found;
}

const struct hop *paths_next_good(const struct paths *p)
{
    const struct scene *s = p->scene;
    const struct evidence **v = px_xcalloc(s->count + 1, sizeof(*v));
    const struct hop *found = NULL;
    size_t n = 0;
    uint32_t traces;
    for (size_t i = 0; i < s->count; i++) {
        if (s->all[i].trace && s->all[i].trace->reached && has_hops(p, &s->all[i]))
            v[n++] = &s->all[i];
    }
    uint32_t *counts = count_by_hop(p, v, n, &traces);
    if (n > 0) {
        size_t at = (size_t)(v[0] - s->all);
        for (uint32_t k = p->start[at]; k < p->start[at + 1] && !found; k++) {
            if (counts[p->on[k]] == traces)
                found = &p->hops[p->on[k]];
        }
    }
    free(counts);
    free(v);
    return found;
}

/* No hop in common: the ends, each once. */
static char *ends_text(const struct paths *p, const struct evidence *const *v, size_t n)
{
    const struct hop *listed[ENDS_LISTED];
    size_t count = 0;
    char *text = NULL, name[PX_ADDR_TEXT];
    for (size_t i = 0; i < n && count < ENDS_LISTED; i++) {
        const struct hop *last = paths_last(p, v[i]);
        bool known = !last || !v[i]->trace;
        for (size_t k = 0; k < count; k++)
            known = known || listed[k] == last;
        if (known)
            continue;
        listed[count++] = last;
        char *longer = px_xasprintf("%s%s%s", text ? text : "behind ", text ? ", " : "",
                                    px_addr_format(&last->addr, name));
        free(text);
        text = longer;
    }
    return text;
}

char *paths_end(const struct paths *p, const struct evidence *const *v, size_t n)
{
    char name[PX_ADDR_TEXT];
    const struct hop *last = paths_common(p, v, n);
    return last ? px_xasprintf("behind %s", px_addr_format(&last->addr, name)) : ends_text(p, v, n);
}

char *paths_interval(const struct paths *p, const struct evidence *const *v, size_t n)
{
    char from[PX_ADDR_TEXT], to[PX_ADDR_TEXT];
    const struct hop *last = paths_common(p, v, n), *next = paths_next_good(p);
    if (last && next && last != next && !last->exonerated)
        return px_xasprintf("between %s and %s", px_addr_format(&last->addr, from),
                            px_addr_format(&next->addr, to));
    char *ends = paths_end(p, v, n);
    if (!ends && next)
        return px_xasprintf("before %s", px_addr_format(&next->addr, to));
    return ends;
}

bool paths_exonerate(const struct paths *p, const struct px_addr *a)
{
    uint32_t id = *table_slot(p, a);
    return id != NO_HOP && p->hops[id].exonerated;
}
