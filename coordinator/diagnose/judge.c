/* SPDX-License-Identifier: MIT */
/*
 * The judge: accepts findings by numbered rules, the same numbers as in docs/verdicts.md and in the
 * tests. Everything before is counting, everything after is wording.
 */
#include "coordinator/diagnose/judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "coordinator/diagnose/advice.h"
#include "coordinator/diagnose/diagnose.h"

#define CONFIRMED_MIN 0.99
#define LIKELY_MIN 0.70
#define FURTHER_CAUSE 0.10  /* a second fault at the same time, beside a first */
#define USUAL_PRIOR 0.05    /* of a cause, among all */
#define SICK_MIN 0.5        /* the vantage's own state explains it better than any cause does */
#define LOOKALIKE_MIN 0.01  /* less probable lookalikes are settled, not ambiguous */
#define DECISIVE_NATS 3.0   /* membership of a set hangs on no single doubtful sight */
#define SURE_MAX 0.999      /* nobody is ever surer than the noise of the table */
#define REFITS_MAX 2
#define RETRIES_MAX 8
#define SICK_ROUNDS_MAX 3

/* ---- rules 1 and 2: who may bear witness ---- */

static void sickness_add(struct judgement *j, enum px_cause cause, size_t vantage, double p,
                         bool twice)
{
    struct sickness *s = NULL;
    for (size_t i = 0; i < j->sickness_count; i++)
        s = j->sicknesses[i].cause == cause ? &j->sicknesses[i] : s;
    if (!s && j->sickness_count == SICKNESSES_MAX)
        return;
    if (!s) {
        s = &j->sicknesses[j->sickness_count++];
        *s = (struct sickness){.cause = cause, .probability = 1, .twice = true};
    }
    s->vantages = px_xrealloc(s->vantages, s->count + 1, sizeof *s->vantages);
    size_t at = s->count++;
    for (; at > 0 && s->vantages[at - 1] > vantage; at--)
        s->vantages[at] = s->vantages[at - 1];
    s->vantages[at] = (uint32_t)vantage;
    s->probability = p < s->probability ? p : s->probability;
    s->twice = s->twice && twice;
}

/* Codes that say what is wrong with the vantage; the others only say that it did not try. */
static const struct {
    enum px_code code;
    enum px_cause cause;
    double probability; /* how surely the code means the cause */
} own_codes[] = {
    {PX_CODE_NO_OWN_ROUTE, PX_CAUSE_VANTAGE_NO_ROUTE, 0.995},
    {PX_CODE_NO_ADDRESS, PX_CAUSE_VANTAGE_NO_ROUTE, 0.995},
    {PX_CODE_OWN_FILTER, PX_CAUSE_VANTAGE_EGRESS_FILTERED, 0.97}, /* perhaps this target only */
    {PX_CODE_EXHAUSTED, PX_CAUSE_VANTAGE_OVERLOADED, 0.97},
};

/* Two looks at least a second apart, none of which got out. */
static bool tried_twice(const struct judgement *j, const struct evidence *e)
{
    const struct px_report *r = j->report;
    px_wall first = 0, last = 0;
    bool any = false;
    for (size_t i = 0; i < r->observation_count; i++) {
        const struct px_observation *o = &r->observations[i];
        if (o->vantage != e->index)
            continue;
        first = !any || o->started < first ? o->started : first;
        last = !any || o->started > last ? o->started : last;
        any = true;
    }
    return any && last - first >= PX_SEC;
}

static void rule_1_and_2(struct judgement *j)
{
    bool reported = j->scene.fit_count > 0;
    for (size_t i = 0; i < j->scene.count; i++) {
        const struct evidence *e = &j->scene.all[i];
        px_wall silent = j->report->started - e->vantage->last_seen;
        if (e->away)
            sickness_add(j, PX_CAUSE_VANTAGE_OFFLINE, i, reported ? 0.995 : 0.9,
                         e->vantage->last_seen > 0 && silent >= PX_SEC);
        for (size_t k = 0; !e->away && k < sizeof own_codes / sizeof *own_codes; k++) {
            if (e->local == own_codes[k].code)
                sickness_add(j, own_codes[k].cause, i, own_codes[k].probability, tried_twice(j, e));
        }
    }
}

/* ---- beliefs ---- */

/* Does a draft other than `except` explain why the vantage fails? */
static bool is_explained(const struct judgement *j, size_t unit, size_t except)
{
    for (size_t d = 0; d < j->draft_count; d++) {
        if (d != except && j->drafts[d].in[unit] &&
            scores_explain(&j->scores, j->drafts[d].row, unit))
            return true;
    }
    return false;
}

/* Does it fail for a reason that no draft but `except` gives? */
static bool is_open(const struct judgement *j, size_t unit, size_t except)
{
    return j->partition.unit[unit]->failing && !is_explained(j, unit, except);
}

/* Does another draft shut the vantage out before its packets meet the host? */
static bool is_hidden(const struct judgement *j, size_t unit, size_t except)
{
    for (size_t d = 0; d < j->draft_count; d++) {
        const struct hypothesis *h = &hypotheses[j->drafts[d].row];
        if (d != except && j->drafts[d].in[unit] && h->stage == PX_STAGE_TCP &&
            h->reach->shapes != SHAPE_EVERYONE &&
            scores_explain(&j->scores, j->drafts[d].row, unit))
            return true;
    }
    return false;
}

/* log P(seen) at a failing vantage that no finding explains: its own trouble, a further cause that
 * has to be found for it alone, or, as long as nobody looked twice, a bad moment. */
static double open_belief(const struct judgement *j, size_t unit, unsigned nuisance)
{
    double own = exp(scores_local(&j->scores, nuisance, unit));
    double further = FURTHER_CAUSE * USUAL_PRIOR / (2.0 * (double)j->partition.sources);
    double moment = exp(scores_row(&j->scores, 0, nuisance, unit));
    return log(own + further + (j->partition.unit[unit]->twice ? 0 : moment));
}

/* log P(seen) at a vantage as the drafts but one have it; health if none acts on it. */
static double settled_belief(const struct judgement *j, size_t unit, unsigned nuisance,
                             size_t except)
{
    double other = scores_row(&j->scores, 0, nuisance, unit);
    for (size_t d = 0; d < j->draft_count; d++) {
        if (d != except && j->drafts[d].in[unit])
            other = fmax(other, scores_row(&j->scores, j->drafts[d].row, nuisance, unit));
    }
    return other;
}

/* Rows worth weighing: those that explain a failure nothing else explains; if there is none, those
 * that explain some failure better than what is there, or that may leave everybody served. The rest
 * could only win by the noise of many vantages. */
static void useful_fill(struct belief *b, const struct judgement *j, size_t except)
{
    bool any_open = false;
    for (size_t i = 0; i < j->partition.n; i++)
        any_open = any_open || is_open(j, i, except);
    for (size_t row = 1; row < hypothesis_count; row++)
        b->useful[row] =
            !any_open && (hypotheses[row].now_and_then || hypotheses[row].key == PATTERN_KEY_OTHER);
    for (size_t i = 0; i < j->partition.n; i++) {
        bool counts = j->partition.unit[i]->failing && (!any_open || is_open(j, i, except));
        for (size_t row = 1; counts && row < hypothesis_count; row++)
            b->useful[row] = b->useful[row] || scores_explain(&j->scores, row, i);
    }
}

/* What is believed without draft `except` (DRAFTS_MAX = with all of them). Rule 3 is in the
 * weights of the partition. */
static void belief_fill(struct belief *b, const struct judgement *j, size_t except)
{
    size_t n = j->scores.n;
    bool further = j->draft_count > (except < DRAFTS_MAX);
    b->row_bits = further ? -log2(FURTHER_CAUSE) : 0;
    b->none_prior = further ? 1 - FURTHER_CAUSE : hypotheses[0].prior;
    useful_fill(b, j, except);
    for (size_t i = 0; i < n; i++) {
        bool open = is_open(j, i, except);
        b->hidden[i] = is_hidden(j, i, except);
        for (unsigned c = 0; c < NUISANCE_COUNT; c++) {
            size_t at = c * n + i;
            b->other[at] = open ? open_belief(j, i, c) : settled_belief(j, i, c, except);
            b->nobody[at] = open ? scores_local(&j->scores, c, i) : b->other[at];
        }
    }
}

/* ---- rules 5 to 7: causes ---- */

static void draft_fill(struct draft *d, struct judgement *j, const struct ranking *r,
                       const struct belief *b, size_t row)
{
    d->row = row;
    d->nuisance = r->nuisance[row];
    partition_expand(&j->partition, &r->set[row], ranking_gain(r, &j->scores, b, row), d->in);
    for (unsigned c = 0; c < PX_CAUSE_COUNT; c++)
        d->by_cause[c] = ranking_cause(r, (enum px_cause)c);
    d->cause_p = fmin(d->by_cause[hypotheses[row].cause], SURE_MAX);
    d->scope_p = fmin(ranking_scope(r, px_cause_scope(hypotheses[row].cause)), SURE_MAX);
    d->scope_p = fmax(d->scope_p, d->cause_p);
}

static struct draft *draft_add(struct judgement *j)
{
    struct draft *d = &j->drafts[j->draft_count++];
    *d = (struct draft){.in = px_xcalloc(j->partition.n + 1, sizeof *d->in)};
    return d;
}

static void draft_remove(struct judgement *j, size_t at)
{
    free(j->drafts[at].in);
    j->draft_count--;
    memmove(&j->drafts[at], &j->drafts[at + 1], (j->draft_count - at) * sizeof *j->drafts);
}

static bool anything_open(const struct judgement *j)
{
    for (size_t i = 0; i < j->partition.n; i++) {
        if (is_open(j, i, DRAFTS_MAX))
            return true;
    }
    return false;
}

/* Does the draft explain a failure that the others do not? */
static bool draft_helps(const struct judgement *j, size_t at)
{
    for (size_t i = 0; i < j->partition.n; i++) {
        const struct evidence *e = j->partition.unit[i];
        if (e->failing && j->drafts[at].in[i] &&
            scores_explain(&j->scores, j->drafts[at].row, i) && !is_explained(j, i, at))
            return true;
    }
    return false;
}

static bool newest_helps(const struct judgement *j)
{
    return draft_helps(j, j->draft_count - 1);
}

static size_t row_of_unexplained(void)
{
    return hypothesis_count - 1; /* the last row has no opinion on anything */
}

/* What no cause explains is said to be unexplained. */
static void draft_unexplained(struct judgement *j, struct draft *d)
{
    for (size_t i = 0; i < j->partition.n; i++)
        d->in[i] = is_open(j, i, DRAFTS_MAX);
    d->row = row_of_unexplained();
    memset(d->by_cause, 0, sizeof d->by_cause);
    d->by_cause[PX_CAUSE_UNEXPLAINED] = d->cause_p = d->scope_p = 0.5;
}

/* Rule 5: the cause with the highest probability, with its best set. Rule 6: further ones as long
 * as a failing vantage is not explained, or as the residual makes one more probable than none. */
static void rule_5_and_6(struct judgement *j, struct belief *b, struct ranking *r)
{
    while (j->draft_count < DRAFTS_MAX) {
        bool open = anything_open(j);
        belief_fill(b, j, DRAFTS_MAX);
        ranking_fill(r, &j->scores, b);
        size_t best = ranking_best(r);
        if (best == 0)
            return; /* nothing more, or what is left is the vantages' own trouble: rule 8 */
        struct draft *d = draft_add(j);
        if (open && j->draft_count == DRAFTS_MAX) {
            draft_unexplained(j, d);
            return;
        }
        draft_fill(d, j, r, b, best);
        for (unsigned i = 0; i < RETRIES_MAX && best != 0 && open && !newest_helps(j); i++) {
            b->useful[best] = false; /* its best set leaves out those that are open */
            ranking_fill(r, &j->scores, b);
            best = ranking_best(r);
            draft_fill(d, j, r, b, best);
        }
        if (open && (best == 0 || !newest_helps(j))) {
            memset(d->in, 0, j->partition.n * sizeof *d->in);
            draft_unexplained(j, d);
            return;
        }
    }
}

static bool same_set(const bool *a, const bool *b, size_t n)
{
    return memcmp(a, b, n * sizeof *a) == 0;
}

/* One draft again, given the others. Returns whether it changed; it is removed if the others leave
 * nothing for it. */
static bool draft_refit(struct judgement *j, size_t at, struct belief *b, struct ranking *r)
{
    size_t n = j->partition.n, best;
    struct draft *d = &j->drafts[at], before = *d;
    bool *was = px_xcalloc(n + 1, sizeof *was), helped = draft_helps(j, at), changed = true;
    memcpy(was, d->in, n * sizeof *was);
    belief_fill(b, j, at);
    ranking_fill(r, &j->scores, b);
    best = ranking_best(r);
    if (best == 0) {
        draft_remove(j, at);
        free(was);
        return true;
    }
    draft_fill(d, j, r, b, best);
    if (helped && !draft_helps(j, at)) {
        memcpy(d->in, was, n * sizeof *was);
        *d = before;
    }
    changed = before.row != d->row || !same_set(was, d->in, n);
    free(was);
    return changed;
}

/* Rule 7: with several findings each is judged again, given the others. */
static void rule_7(struct judgement *j, struct belief *b, struct ranking *r)
{
    bool changed = true;
    for (unsigned sweep = 0; sweep < REFITS_MAX && changed; sweep++) {
        changed = false;
        for (size_t i = 0; i < j->draft_count && j->draft_count > 1; i++) {
            size_t count = j->draft_count;
            changed = draft_refit(j, i, b, r) || changed;
            i -= count - j->draft_count;
        }
    }
}

/* ---- rule 8: sick vantages ---- */

/* The best explanation out of the vantage's own state; -1 if there is none good enough. */
static int own_trouble(struct judgement *j, const struct ranking *r, size_t unit, double *p)
{
    double share[LOCAL_STATES_MAX] = {0}, sum = 0;
    size_t row = 0, best = 0;
    unsigned nuisance = r->nuisance[0];
    for (size_t d = 0; d < j->draft_count; d++) {
        if (j->drafts[d].in[unit] && scores_explain(&j->scores, j->drafts[d].row, unit)) {
            row = j->drafts[d].row;
            nuisance = j->drafts[d].nuisance;
        }
    }
    scores_local_share(&j->scores, row, nuisance, unit, share);
    for (size_t z = 0; z < local_state_count; z++) {
        sum += share[z];
        best = share[z] > share[best] ? z : best;
    }
    *p = share[best];
    if (row == 0 && sum > 0) /* nobody else explains it: only the local states compete */
        *p = share[best] / sum * ranking_probability(r, 0);
    return *p >= SICK_MIN ? (int)best : -1;
}

/* Rule 8: a failing vantage whose own references, resolver or load explain it better is left out.
 * Returns whether there was one. */
static bool rule_8(struct judgement *j, const struct ranking *r)
{
    bool found = false;
    for (size_t i = 0; i < j->partition.n; i++) {
        struct evidence *e = j->partition.unit[i];
        double p = 0;
        int z = e->failing ? own_trouble(j, r, i, &p) : -1;
        if (z < 0)
            continue;
        sickness_add(j, local_states[z].cause, (size_t)(e - j->scene.all), fmin(p, SURE_MAX),
                     e->twice);
        e->left_out = true;
        found = true;
    }
    return found;
}

/* ---- rule 9: a ban or a filter ---- */

static bool any_onset(const struct judgement *j, const struct draft *d)
{
    for (size_t i = 0; i < j->partition.n; i++) {
        if (d->in[i] && j->partition.unit[i]->since)
            return true;
    }
    return false;
}

/* Is every affected source alone: a neighbour gets in, or it was shut out while we looked? */
static bool single_sources(const struct judgement *j, const struct draft *d)
{
    return partition_has_neighbours(&j->partition, d->in) ||
           (any_onset(j, d) && !partition_has_company(&j->partition, d->in));
}

/* The row of a ban that shows what `row` shows; 0 = there is none. */
static size_t ban_row(size_t row)
{
    for (size_t i = 0; i < hypothesis_count; i++) {
        const struct hypothesis *h = &hypotheses[i];
        if (h->cause == PX_CAUSE_SOURCE_BANNED && h->tcp == hypotheses[row].tcp &&
            h->control == hypotheses[row].control)
            return i;
    }
    return 0;
}

/* Rule 9: what shuts out a source whose neighbour gets in, or shuts it out in the middle of the
 * run, is called a ban; no range explains it, so both stories are one. */
static void rule_9(struct judgement *j)
{
    for (size_t i = 0; i < j->draft_count; i++) {
        struct draft *d = &j->drafts[i];
        enum px_cause cause = hypotheses[d->row].cause;
        if ((cause != PX_CAUSE_SOURCE_BANNED && cause != PX_CAUSE_SOURCE_FILTERED) ||
            !single_sources(j, d))
            continue;
        size_t row = ban_row(d->row);
        if (row == 0)
            continue;
        d->row = row;
        d->by_cause[PX_CAUSE_SOURCE_BANNED] += d->by_cause[PX_CAUSE_SOURCE_FILTERED];
        d->by_cause[PX_CAUSE_SOURCE_FILTERED] = 0;
        d->cause_p = fmin(d->by_cause[PX_CAUSE_SOURCE_BANNED], SURE_MAX);
    }
}

/* ---- rule 10: one finding per cause ---- */

static bool sets_meet(const struct judgement *j, const struct draft *a, const struct draft *b)
{
    for (size_t i = 0; i < j->partition.n; i++) {
        if (a->in[i] && b->in[i])
            return true;
    }
    return false;
}

/* Rule 10: findings of one cause are one, unless they lie on different paths. */
static void rule_10(struct judgement *j)
{
    for (size_t i = 0; i < j->draft_count; i++) {
        struct draft *a = &j->drafts[i];
        enum px_cause cause = hypotheses[a->row].cause;
        for (size_t k = i + 1; k < j->draft_count; k++) {
            struct draft *b = &j->drafts[k];
            if (hypotheses[b->row].cause != cause ||
                (px_cause_scope(cause) == PX_SCOPE_PATH && !sets_meet(j, a, b)))
                continue;
            for (size_t u = 0; u < j->partition.n; u++)
                a->in[u] = a->in[u] || b->in[u];
            a->cause_p = fmin(a->cause_p, b->cause_p);
            a->scope_p = fmin(a->scope_p, b->scope_p);
            draft_remove(j, k--);
        }
    }
}

/* ---- rules 11 to 17: certainty ---- */

/* Rule 11: whoever completes what was asked exonerates the host. */
static bool rule_11(const struct judgement *j, const struct draft *d)
{
    const struct hypothesis *h = &hypotheses[d->row];
    enum px_scope scope = px_cause_scope(h->cause);
    if (h->now_and_then || (scope != PX_SCOPE_HOST && h->cause != PX_CAUSE_NAME_UNRESOLVABLE) ||
        h->cause == PX_CAUSE_BACKEND_PARTIAL)
        return true;
    for (size_t i = 0; i < j->partition.n; i++) {
        if (!j->partition.unit[i]->failing && j->partition.unit[i]->stage >= h->stage)
            return false;
    }
    return true;
}

static bool router_serves(const struct judgement *j, const struct draft *d)
{
    for (size_t i = 0; i < j->partition.n; i++) {
        const struct evidence *e = j->partition.unit[i];
        if (d->in[i] && e->icmp.from.family && paths_exonerate(&j->paths, &e->icmp.from))
            return true;
    }
    return false;
}

/* Somebody says that nobody is there, or something of the target answers: not both can be meant. */
static bool told_apart(const struct judgement *j, const struct draft *d)
{
    const uint64_t life = OUTCOME_BIT(ECHO_OK) | OUTCOME_BIT(ECHO_LOSSY) |
                          OUTCOME_BIT(CONTROL_ANSWERS) | OUTCOME_BIT(CONTROL_REJECTED);
    for (size_t i = 0; i < j->partition.n; i++) {
        const struct evidence *e = j->partition.unit[i];
        if (d->in[i] && ((e->seen & life) || e->code == PX_CODE_UNREACHABLE))
            return true;
    }
    return false;
}

static bool looks_alike(const struct judgement *j, const struct draft *d, enum ambiguity when)
{
    const struct partition *p = &j->partition;
    switch (when) {
    case AMBIGUOUS_ALWAYS:
        return true;
    case AMBIGUOUS_UNTOLD:
        return !told_apart(j, d);
    case AMBIGUOUS_NO_NEIGHBOUR:
        return !single_sources(j, d);
    case AMBIGUOUS_LONE_IN_PREFIX:
        return !partition_has_company(p, d->in) ||
               d->by_cause[PX_CAUSE_SOURCE_BANNED] >= LOOKALIKE_MIN;
    case AMBIGUOUS_ONE_PREFIX:
        return partition_is_one_range(p, d->in);
    case AMBIGUOUS_ROUTER_SERVES:
        return router_serves(j, d);
    }
    return false;
}

/* Rule 12: causes that look the same on the wire are named. */
static void rule_12(const struct judgement *j, struct draft *d)
{
    const size_t room = sizeof d->ambiguous / sizeof *d->ambiguous;
    for (size_t i = 0; i < lookalike_count; i++) {
        if (lookalikes[i].cause == hypotheses[d->row].cause && d->ambiguous_count < room &&
            looks_alike(j, d, lookalikes[i].when))
            d->ambiguous[d->ambiguous_count++] = lookalikes[i].other;
    }
}

/* Rule 13: from probability to word. */
static enum px_certainty rule_13(double p)
{
    if (p >= CONFIRMED_MIN)
        return PX_CERTAINTY_CONFIRMED;
    return p >= LIKELY_MIN ? PX_CERTAINTY_LIKELY : PX_CERTAINTY_INCONCLUSIVE;
}

/* Rule 14: two looks at least a second apart, at every affected vantage that fails; of a host or
 * name cause at enough of them to span two networks. */
static bool rule_14(const struct judgement *j, const struct draft *d)
{
    const struct partition *p = &j->partition;
    bool *twice = px_xcalloc(p->n + 1, sizeof *twice), all = true;
    for (size_t i = 0; i < p->n; i++) {
        twice[i] = d->in[i] && p->unit[i]->twice;
        all = all && (!d->in[i] || !p->unit[i]->failing || twice[i]);
    }
    if (!all && cause_witness(hypotheses[d->row].cause) == WITNESS_AFFECTED)
        all = partition_spans_networks(p, twice);
    free(twice);
    return all;
}

/* Rule 15: at least two networks on the supporting side. */
static bool rule_15(const struct judgement *j, const struct draft *d)
{
    const struct partition *p = &j->partition;
    enum witness side = cause_witness(hypotheses[d->row].cause);
    bool *want = px_xcalloc(p->n + 1, sizeof *want), affected = false, others = false;
    for (size_t i = 0; i < p->n; i++)
        want[i] = d->in[i] && (p->unit[i]->failing || side == WITNESS_AFFECTED);
    affected = partition_spans_networks(p, want);
    for (size_t i = 0; i < p->n; i++)
        want[i] = !d->in[i] && !p->unit[i]->failing;
    others = partition_spans_networks(p, want);
    free(want);
    if (side == WITNESS_AFFECTED)
        return affected;
    return side == WITNESS_UNAFFECTED ? others : side == WITNESS_NONE || affected || others;
}

/* Nobody's membership hangs on a doubtful sight. */
static bool set_is_sharp(const struct judgement *j, const struct draft *d)
{
    const struct scores *s = &j->scores;
    if (cause_witness(hypotheses[d->row].cause) == WITNESS_AFFECTED)
        return true;
    for (size_t i = 0; i < j->partition.n; i++) {
        double gain = scores_row(s, d->row, d->nuisance, i) - scores_row(s, 0, d->nuisance, i);
        if (d->in[i] && gain < DECISIVE_NATS)
            return false;
    }
    return true;
}

static enum px_certainty at_most(enum px_certainty c, enum px_certainty limit)
{
    return c > limit ? limit : c;
}
_Static_assert(PX_CERTAINTY_INCONCLUSIVE < PX_CERTAINTY_LIKELY &&
                   PX_CERTAINTY_LIKELY < PX_CERTAINTY_CONFIRMED,
               "certainties are compared");

static void draft_rate(const struct judgement *j, struct draft *d)
{
    enum px_cause cause = hypotheses[d->row].cause;
    enum px_certainty limit = PX_CERTAINTY_CONFIRMED;
    rule_12(j, d);
    if (!rule_14(j, d) || !rule_15(j, d) || !set_is_sharp(j, d))
        limit = PX_CERTAINTY_LIKELY;
    if (!rule_11(j, d) || cause == PX_CAUSE_UNEXPLAINED)
        limit = PX_CERTAINTY_INCONCLUSIVE;
    /* Rule 17: one vantage cannot know what others see, unless it holds by its nature. */
    if (j->partition.n == 1)
        limit = at_most(limit, cause_holds_for_all(cause) ? PX_CERTAINTY_LIKELY
                                                          : PX_CERTAINTY_INCONCLUSIVE);
    d->certainty = at_most(rule_13(d->cause_p), limit);
    d->scope_certainty = at_most(rule_13(d->scope_p), limit);
    /* Rule 16: what looks the same as something else is likely at most; so is the scope if the
     * other is of another scope. */
    for (size_t i = 0; i < d->ambiguous_count; i++) {
        d->certainty = at_most(d->certainty, PX_CERTAINTY_LIKELY);
        if (px_cause_scope(d->ambiguous[i]) != px_cause_scope(cause))
            d->scope_certainty = at_most(d->scope_certainty, PX_CERTAINTY_LIKELY);
    }
}

/* ---- rule 18: status ---- */

static enum px_status rule_18(const struct judgement *j)
{
    size_t n = j->partition.n, failing = 0;
    for (size_t i = 0; i < n; i++)
        failing += j->partition.unit[i]->failing;
    if (n == 0)
        return PX_STATUS_INCONCLUSIVE;
    if (failing == 0)
        return j->draft_count > 0 ? PX_STATUS_PARTIAL : PX_STATUS_REACHABLE;
    if (failing < n)
        return PX_STATUS_PARTIAL;
    if (n == 1 && !(j->draft_count > 0 && cause_holds_for_all(hypotheses[j->drafts[0].row].cause)))
        return PX_STATUS_INCONCLUSIVE;
    return PX_STATUS_UNREACHABLE;
}

/* ---- rule 19: order ---- */

static size_t draft_size(const struct judgement *j, const struct draft *d)
{
    size_t count = 0;
    for (size_t i = 0; i < j->partition.n; i++)
        count += d->in[i];
    return count;
}

/* Rule 19: the finding that explains most comes first, then the surer one; those about vantages
 * come last. */
static void rule_19(struct judgement *j)
{
    for (size_t i = 1; i < j->draft_count; i++) {
        for (size_t k = i; k > 0; k--) {
            struct draft *a = &j->drafts[k - 1], *b = &j->drafts[k];
            size_t of_a = draft_size(j, a), of_b = draft_size(j, b);
            if (of_a > of_b || (of_a == of_b && a->cause_p >= b->cause_p))
                break;
            struct draft swap = *a;
            *a = *b;
            *b = swap;
        }
    }
}

/* ---- the whole ---- */

/* Rule 4: nobody fails, nothing comes and goes, all see the same key: nothing to explain. */
static bool rule_4(const struct judgement *j)
{
    for (size_t i = 0; i < j->partition.n; i++) {
        const struct evidence *e = j->partition.unit[i];
        bool odd = e->failing || (e->seen & OUTCOME_BIT(KEY_OTHER));
        for (unsigned l = 0; l < LADDER_LAYERS; l++)
            odd = odd || tally_mixed(&e->ladder[l]);
        if (odd)
            return false;
    }
    return true;
}

static void drafts_clear(struct judgement *j)
{
    while (j->draft_count > 0)
        draft_remove(j, j->draft_count - 1);
}

/* Rules 3 to 8 on those that are fit; returns whether some turned out not to be. */
static bool judge_fit(struct judgement *j)
{
    struct belief b = {0};
    struct ranking *r = px_xcalloc(1, sizeof *r);
    bool sick = false;
    partition_init(&j->partition, &j->scene, &j->paths);
    scores_init(&j->scores, &j->partition);
    if (!rule_4(j)) {
        size_t cells = NUISANCE_COUNT * j->partition.n + 1;
        b.other = px_xcalloc(cells, sizeof *b.other);
        b.nobody = px_xcalloc(cells, sizeof *b.nobody);
        b.hidden = px_xcalloc(j->partition.n + 1, sizeof *b.hidden);
        rule_5_and_6(j, &b, r);
        rule_7(j, &b, r);
        belief_fill(&b, j, DRAFTS_MAX);
        ranking_fill(r, &j->scores, &b);
        sick = rule_8(j, r);
    }
    free(b.other);
    free(b.nobody);
    free(b.hidden);
    free(r);
    return sick;
}

static void judge_again(struct judgement *j)
{
    drafts_clear(j);
    scores_clear(&j->scores);
    partition_clear(&j->partition);
    scene_leave_out(&j->scene);
}

static void judgement_clear(struct judgement *j)
{
    drafts_clear(j);
    for (size_t i = 0; i < j->sickness_count; i++)
        free(j->sicknesses[i].vantages);
    scores_clear(&j->scores);
    partition_clear(&j->partition);
    paths_clear(&j->paths);
    scene_clear(&j->scene);
}

void diagnose(struct px_report *r)
{
    struct judgement j = {.report = r};
    scene_init(&j.scene, r);
    paths_init(&j.paths, &j.scene);
    rule_1_and_2(&j);
    bool sick = judge_fit(&j);
    for (unsigned round = 0; sick && round < SICK_ROUNDS_MAX; round++) {
        judge_again(&j);
        sick = judge_fit(&j);
    }
    rule_9(&j);
    rule_10(&j);
    for (size_t i = 0; i < j.draft_count; i++)
        draft_rate(&j, &j.drafts[i]);
    rule_19(&j);
    j.status = rule_18(&j);
    advice_write(&j);
    judgement_clear(&j);
}
