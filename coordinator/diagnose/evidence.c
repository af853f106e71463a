/* SPDX-License-Identifier: MIT */
/*
 * From observations to evidence: what a vantage saw over all its looks, layer by layer, and who it
 * is to the target. Trace outcomes need the paths of the others and are added by path.c. Nothing is
 * judged.
 */
#include "coordinator/diagnose/evidence.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"

#define LAG_HIGH_MS 500.0
#define LOOKS_APART (1 * PX_SEC)

/* ---- a vantage ---- */

/* Order of looks that does not depend on the order of arrival. */
static int compare_observations(const void *a, const void *b)
{
    const struct px_observation *x = *(const struct px_observation *const *)a;
    const struct px_observation *y = *(const struct px_observation *const *)b;
    if (x->vantage != y->vantage)
        return x->vantage < y->vantage ? -1 : 1;
    if (x->started != y->started)
        return x->started < y->started ? -1 : 1;
    if (x->round != y->round)
        return x->round < y->round ? -1 : 1;
    if (x->job_id != y->job_id)
        return x->job_id < y->job_id ? -1 : 1;
    if (x->stage != y->stage)
        return x->stage < y->stage ? -1 : 1;
    if (x->code != y->code)
        return x->code < y->code ? -1 : 1;
    if (x->attempt_count != y->attempt_count)
        return x->attempt_count < y->attempt_count ? -1 : 1;
    return (x->took_ms > y->took_ms) - (x->took_ms < y->took_ms);
}

/* Not routed on the Internet: such an address is the one the target sees only if it is near. */
static bool is_private(const struct px_addr *a)
{
    const uint8_t *b = a->bytes;
    if (a->family == 6)
        return (b[0] & 0xfe) == 0xfc || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80);
    return b[0] == 10 || (b[0] == 172 && (b[1] & 0xf0) == 16) || (b[0] == 192 && b[1] == 168) ||
           (b[0] == 100 && (b[1] & 0xc0) == 64) || (b[0] == 169 && b[1] == 254);
}

/* The source as the target sees it, e->source being the vantage's own: a public address is not
 * translated; of private ones the coordinator knows better if several share what it sees, or if the
 * target is not private itself. */
static struct px_addr source_of(const struct evidence *e, bool shared)
{
    const struct px_addr *own = &e->source, *seen_as = &e->vantage->seen_as;
    bool has_own = own->family == 4 || own->family == 6;
    bool seen = (seen_as->family == 4 || seen_as->family == 6) && !px_addr_is_loopback(seen_as) &&
                (e->target.family == 0 || seen_as->family == e->target.family);
    if (has_own && (!seen || !is_private(own) || (!shared && is_private(&e->target))))
        return *own;
    return seen ? *seen_as : (struct px_addr){0};
}

static void evidence_add_echo(struct evidence *e, const struct px_observation *o)
{
    const struct px_echo *echo = &o->echo;
    unsigned outcome;
    if (!echo->ran || look_kind(echo->code) == PX_KIND_VANTAGE || echo->icmp.own)
        return;
    if (echo->received > 0)
        outcome = echo->sent >= 3 && echo->received < echo->sent ? ECHO_LOSSY : ECHO_OK;
    else if (echo->icmp.from.family && px_addr_equal(&echo->icmp.from, &o->address))
        outcome = ECHO_OK; /* refused by the target itself: alive */
    else if (echo->code == PX_CODE_NO_ANSWER)
        outcome = ECHO_SILENT;
    else if (look_kind(echo->code) == PX_KIND_FAIL)
        outcome = ECHO_TOLD;
    else
        return;
    /* the lowest outcome bit is the best answer: keep that of all looks */
    uint64_t had = e->seen & layer_outcomes(LAYER_ECHO);
    if (had == 0 || OUTCOME_BIT(outcome) < had) {
        e->seen = (e->seen & ~layer_outcomes(LAYER_ECHO)) | OUTCOME_BIT(outcome);
    }
}

static void evidence_add_control(struct evidence *e, const struct px_observation *o)
{
    size_t n = o->control_count <= PX_CONTROLS_MAX ? o->control_count : 0;
    for (size_t i = 0; i < n; i++) {
        const struct px_attempt *a = &o->controls[i];
        uint64_t bits = look_tcp_bits(a->code, &a->icmp, a->ms, &o->address);
        unsigned outcome = CONTROL_TOLD;
        if (bits == 0)
            continue;
        if (bits & (OUTCOME_BIT(TCP_OPEN) | OUTCOME_BIT(TCP_RESET)))
            outcome = CONTROL_ANSWERS;
        else if (bits == OUTCOME_BIT(TCP_REJECT_TARGET))
            outcome = CONTROL_REJECTED;
        else if (bits == OUTCOME_BIT(TCP_SILENT))
            outcome = CONTROL_SILENT;
        /* a router's word outweighs silence, an answer outweighs both */
        static const uint8_t rank[] = {3, 2, 0, 1};
        uint64_t had = e->seen & layer_outcomes(LAYER_CONTROL);
        unsigned first = layer_first[LAYER_CONTROL], best = first;
        while (had && !(had & OUTCOME_BIT(best)))
            best++;
        if (had && rank[best - first] >= rank[outcome - first])
            continue;
        e->seen = (e->seen & ~layer_outcomes(LAYER_CONTROL)) | OUTCOME_BIT(outcome);
        e->control_port = a->port;
    }
}

static uint16_t reference_port(const struct px_reference *r)
{
    size_t length = strnlen(r->name, sizeof r->name);
    unsigned long port = 0;
    size_t i = length;
    while (i > 0 && r->name[i - 1] >= '0' && r->name[i - 1] <= '9')
        i--;
    for (size_t k = i; k < length && port <= 65535; k++)
        port = port * 10 + (unsigned long)(r->name[k] - '0');
    return i > 0 && r->name[i - 1] == ':' && port <= 65535 ? (uint16_t)port : 0;
}

struct references {
    unsigned same_ok, same_dead, other_ok, other_dead; /* same = on the target's port */
};

static void references_add(struct references *sum, const struct px_observation *o, uint16_t port)
{
    size_t n = o->reference_count <= PX_REFERENCES_MAX ? o->reference_count : 0;
    for (size_t i = 0; i < n; i++) {
        bool same = reference_port(&o->references[i]) == port;
        enum px_code code = o->references[i].code;
        if (look_kind(code) == PX_KIND_OK || code == PX_CODE_REFUSED)
            (*(same ? &sum->same_ok : &sum->other_ok))++;
        else if (look_kind(code) == PX_KIND_FAIL || code == PX_CODE_OWN_FILTER ||
                 code == PX_CODE_NO_OWN_ROUTE)
            (*(same ? &sum->same_dead : &sum->other_dead))++;
    }
}

static uint64_t reference_bits(const struct references *r)
{
    if (r->same_ok)
        return OUTCOME_BIT(REFERENCE_FINE);
    if (r->other_ok)
        return r->same_dead ? OUTCOME_BIT(REFERENCE_PORT_DEAD)
                            : OUTCOME_BIT(REFERENCE_FINE) | OUTCOME_BIT(REFERENCE_PORT_DEAD);
    if (r->other_dead)
        return OUTCOME_BIT(REFERENCE_DEAD);
    return r->same_dead ? OUTCOME_BIT(REFERENCE_PORT_DEAD) | OUTCOME_BIT(REFERENCE_DEAD) : 0;
}

static bool trace_says_something(const struct px_trace *t)
{
    if (!t->ran || t->count > PX_HOPS_MAX)
        return false;
    return t->reached || t->count > 0;
}

/* Everything of one observation but the ladder. */
static void evidence_add_sides(struct evidence *e, const struct px_observation *o,
                               struct references *references, uint16_t port)
{
    evidence_add_echo(e, o);
    evidence_add_control(e, o);
    references_add(references, o, port);
    if (trace_says_something(&o->trace))
        e->trace = &o->trace;
    if (o->hostkey[0]) {
        e->hostkey = o->hostkey;
        e->hostkey_type = o->hostkey_type;
    }
    if (o->lag_ms >= 0 && !(e->seen & OUTCOME_BIT(LOAD_HIGH))) {
        e->seen &= ~layer_outcomes(LAYER_LOAD);
        e->seen |= OUTCOME_BIT(o->lag_ms >= LAG_HIGH_MS ? LOAD_HIGH : LOAD_FINE);
    }
}

/* ---- the outcome of the ladder ---- */

/* First and last look that agree with what the evidence says. A connect that works is in agreement
 * with a service that failed behind it: the second look may be TCP only. */
static void evidence_date(struct evidence *e, const struct looks *ladder, enum layer layer)
{
    px_wall first = 0, last = 0;
    bool any = false;
    for (unsigned l = layer; l == layer || (layer == LAYER_APP && l >= LAYER_TCP); l--) {
        for (size_t i = 0; i < ladder[l].n; i++) {
            const struct look *look = &ladder[l].v[i];
            bool agrees = l == layer ? look->ok == !e->failing : look->ok && any;
            if (!agrees)
                continue;
            first = !any || look->when < first ? look->when : first;
            last = !any || look->when > last ? look->when : last;
            any = true;
        }
    }
    e->first = first;
    e->last = last;
    e->twice = any && last - first >= LOOKS_APART;
}

static void evidence_decide(struct evidence *e, const struct look *look, const struct looks *l)
{
    e->stage = look->stage;
    e->code = look->code;
    e->icmp = look->icmp;
    e->told = look->from;
    for (size_t i = 0; i < l->n; i++) {
        bool silent = (l->v[i].bits & OUTCOME_BIT(TCP_SILENT)) != 0;
        e->tries++;
        e->same +=
            l->v[i].bits == look->bits || (!look->ok && silent && look_weight(look->bits) > 1);
    }
}

/* The deepest layer with something to say decides: failure before success within a layer. */
static void evidence_conclude(struct evidence *e, const struct looks *ladder)
{
    for (unsigned l = LADDER_LAYERS; l-- > 0;) {
        const struct tally *t = &e->ladder[l];
        if (t->ok + t->fail == 0 || (l == LAYER_APP && tally_failing(&e->ladder[LAYER_TCP])))
            continue;
        e->failing = tally_failing(t);
        if (l == LAYER_DNS && !e->failing)
            return; /* found the name, then could not try */
        e->reported = true;
        const struct look *look = e->failing ? looks_decisive(&ladder[l]) : NULL;
        for (size_t i = 0; !look && i < ladder[l].n; i++) {
            if (ladder[l].v[i].ok && ladder[l].v[i].bits == t->ok_bits)
                look = &ladder[l].v[i];
        }
        evidence_decide(e, look, &ladder[l]);
        evidence_date(e, ladder, (enum layer)l);
        for (size_t i = 0; t->onset && i < ladder[l].n && e->since == 0; i++) {
            if (!ladder[l].v[i].ok)
                e->since = ladder[l].v[i].when;
        }
        return;
    }
}

/* What kept a vantage from trying, if no look said anything about the target. */
static enum px_code local_code(const struct px_observation *const *v, size_t n)
{
    enum px_code code = PX_CODE_UNKNOWN;
    for (size_t i = 0; i < n; i++) {
        if (look_kind(v[i]->code) == PX_KIND_VANTAGE)
            code = v[i]->code;
        for (size_t k = 0; k < v[i]->attempt_count && k <= PX_REPEATS_MAX; k++) {
            if (look_kind(v[i]->attempts[k].code) == PX_KIND_VANTAGE && code == PX_CODE_UNKNOWN)
                code = v[i]->attempts[k].code;
        }
        if (v[i]->icmp.own && code == PX_CODE_UNKNOWN)
            code = PX_CODE_NO_OWN_ROUTE;
    }
    return code;
}

/* v: the observations of this vantage in order of time. */
static void evidence_fill(struct evidence *e, const struct px_report *r,
                          const struct px_observation *const *v, size_t n)
{
    struct looks ladder[LADDER_LAYERS];
    struct references references = {0};
    for (unsigned l = 0; l < LADDER_LAYERS; l++)
        ladder[l].n = 0;
    for (size_t i = 0; i < n; i++) {
        looks_add(ladder, v[i], (uint32_t)i, r->target.literal.family == 0);
        evidence_add_sides(e, v[i], &references, r->target.port);
        if (v[i]->address.family)
            e->target = v[i]->address;
        if (v[i]->source.family)
            e->source = v[i]->source;
    }
    if (e->target.family == 0)
        e->target = r->target.literal;
    e->seen |= reference_bits(&references);
    for (unsigned l = 0; l < LADDER_LAYERS; l++)
        tally_fill(&e->ladder[l], &ladder[l]);
    evidence_conclude(e, ladder);
    if (!e->reported)
        e->local = local_code(v, n);
    if (e->vantage->presence == PX_AWAY || (!e->reported && e->local == PX_CODE_AWAY))
        e->away = true;
}

/* ---- all vantages ---- */

static int compare_keys(const void *a, const void *b)
{
    const struct evidence *x = *(struct evidence *const *)a, *y = *(struct evidence *const *)b;
    return strcmp(x->hostkey, y->hostkey);
}

/* Where the run of pointers that are equal to v[at] ends. */
static size_t run_end(struct evidence **v, size_t at, size_t n,
                      int (*compare)(const void *, const void *))
{
    size_t end = at + 1;
    while (end < n && compare(&v[at], &v[end]) == 0)
        end++;
    return end;
}

/* The key that most vantages see is the target's own; of equally frequent ones the lowest. NULL if
 * nobody saw any. v: room for all. */
static const struct evidence *usual_key(struct scene *s, struct evidence **v)
{
    const struct evidence *best = NULL;
    size_t n = 0, best_count = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (s->all[i].hostkey[0])
            v[n++] = &s->all[i];
    }
    qsort(v, n, sizeof(*v), compare_keys);
    for (size_t at = 0, end; at < n; at = end) {
        end = run_end(v, at, n, compare_keys);
        if (end - at > best_count) {
            best_count = end - at;
            best = v[at];
        }
    }
    return best;
}

/* Keys are compared only with a usual one of the same type. */
static void scene_compare_keys(struct scene *s)
{
    const struct evidence *usual = usual_key(s, s->fit);
    for (size_t i = 0; usual && i < s->count; i++) {
        struct evidence *e = &s->all[i];
        if (!e->hostkey[0] || strcmp(e->hostkey_type, usual->hostkey_type) != 0)
            continue;
        e->seen |= OUTCOME_BIT(strcmp(e->hostkey, usual->hostkey) == 0 ? KEY_SAME : KEY_OTHER);
    }
}

static int compare_evidence(const void *a, const void *b)
{
    const struct evidence *x = a, *y = b;
    int order = strncmp(x->vantage->name, y->vantage->name, sizeof x->vantage->name);
    if (order != 0)
        return order;
    return x->index < y->index ? -1 : x->index > y->index;
}

static int compare_egress(const void *a, const void *b)
{
    const struct evidence *x = *(struct evidence *const *)a, *y = *(struct evidence *const *)b;
    return px_addr_compare(&x->vantage->seen_as, &y->vantage->seen_as);
}

/* Vantages of different own addresses that are seen as one sit behind an address translator. */
static void scene_find_sources(struct scene *s)
{
    struct evidence **v = s->fit;
    for (size_t i = 0; i < s->count; i++)
        v[i] = &s->all[i];
    qsort(v, s->count, sizeof(*v), compare_egress);
    for (size_t at = 0, end; at < s->count; at = end) {
        bool shared = false;
        end = run_end(v, at, s->count, compare_egress);
        for (size_t i = at + 1; i < end; i++)
            shared = shared || !px_addr_equal(&v[i]->source, &v[at]->source);
        for (size_t i = at; i < end; i++)
            v[i]->source = source_of(v[i], shared);
    }
}

void scene_init(struct scene *s, const struct px_report *r)
{
    size_t n = 0;
    const struct px_observation **v = px_xcalloc(r->observation_count + 1, sizeof(*v));
    *s = (struct scene){.report = r, .count = r->vantage_count};
    s->all = px_xcalloc(s->count + 1, sizeof *s->all);
    s->fit = px_xcalloc(s->count + 1, sizeof(*s->fit));
    for (size_t i = 0; i < r->observation_count; i++) {
        if (r->observations[i].vantage < r->vantage_count)
            v[n++] = &r->observations[i];
    }
    qsort(v, n, sizeof(*v), compare_observations);
    for (size_t i = 0, at = 0; i < s->count; i++) {
        size_t from = at;
        while (at < n && v[at]->vantage == i)
            at++;
        s->all[i] = (struct evidence){.vantage = &r->vantages[i],
                                      .index = (uint32_t)i,
                                      .hostkey = "",
                                      .hostkey_type = ""};
        evidence_fill(&s->all[i], r, v + from, at - from);
    }
    free(v);
    qsort(s->all, s->count, sizeof *s->all, compare_evidence);
    scene_find_sources(s);
    scene_compare_keys(s);
    scene_leave_out(s);
}

void scene_leave_out(struct scene *s)
{
    s->fit_count = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct evidence *e = &s->all[i];
        if (!e->away && e->reported && !e->left_out)
            s->fit[s->fit_count++] = e;
    }
}

void scene_clear(struct scene *s)
{
    free(s->all);
    free(s->fit);
    *s = (struct scene){0};
}
