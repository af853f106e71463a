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
#define LOOKALIKE_MIN 0.01 /* less probable lookalikes are settled, not ambiguous */
#define DECISIVE_NATS 3.0  /* membership of a set hangs on no single doubtful sight */
#define SICK_ROUNDS_MAX 3

/* ---- rules 1 and 2: who may bear witness ---- */

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
            judgement_add_sickness(j, PX_CAUSE_VANTAGE_OFFLINE, i, reported ? 0.995 : 0.9,
                                   e->vantage->last_seen > 0 && silent >= PX_SEC);
        for (size_t k = 0; !e->away && k < sizeof own_codes / sizeof *own_codes; k++) {
            if (e->local == own_codes[k].code)
                judgement_add_sickness(j, own_codes[k].cause, i, own_codes[k].probability,
                                       tried_twice(j, e));
        }
    }
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
            judgement_remove_draft(j, k--);
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
    /* Rule 17: one source cannot know what others see, unless it holds by its nature. */
    if (j->partition.sources == 1)
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
    if (j->partition.sources == 1 &&
        !(j->draft_count > 0 && cause_holds_for_all(hypotheses[j->drafts[0].row].cause)))
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
        judgement_remove_draft(j, j->draft_count - 1);
}

/* Rules 3 to 8 on those that are fit; returns whether some turned out not to be. */
static bool judge_fit(struct judgement *j)
{
    partition_init(&j->partition, &j->scene, &j->paths);
    scores_init(&j->scores, &j->partition);
    return !rule_4(j) && causes_find(j);
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
