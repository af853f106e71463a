/* SPDX-License-Identifier: MIT */
/*
 * Finding the causes: rules 5 to 8. Greedy, with a second thought: the best cause with its set,
 * then further ones for what is left, then each again given the others. How sure one may be of them
 * is said in judge.c.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "coordinator/diagnose/judge.h"

#define FURTHER_CAUSE 0.10 /* a second fault at the same time, beside a first */
#define USUAL_PRIOR 0.05   /* of a cause, among all */
#define SICK_MIN 0.5       /* the vantage's own state explains it better than any cause does */
#define REFITS_MAX 2
#define RETRIES_MAX 8

void judgement_add_sickness(struct judgement *j, enum px_cause cause, size_t vantage, double p,
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

void judgement_remove_draft(struct judgement *j, size_t at)
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
        if (e->failing && j->drafts[at].in[i] && scores_explain(&j->scores, j->drafts[at].row, i) &&
            !is_explained(j, i, at))
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
        judgement_remove_draft(j, at);
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
        judgement_add_sickness(j, local_states[z].cause, (size_t)(e - j->scene.all),
                               fmin(p, SURE_MAX), e->twice);
        e->left_out = true;
        found = true;
    }
    return found;
}

/* ---- the whole ---- */

bool causes_find(struct judgement *j)
{
    size_t cells = NUISANCE_COUNT * j->partition.n + 1;
    struct ranking *r = px_xcalloc(1, sizeof *r);
    struct belief b = {.other = px_xcalloc(cells, sizeof *b.other),
                       .nobody = px_xcalloc(cells, sizeof *b.nobody),
                       .hidden = px_xcalloc(j->partition.n + 1, sizeof *b.hidden)};
    rule_5_and_6(j, &b, r);
    rule_7(j, &b, r);
    if (anything_open(j)) { /* then they may have trouble of their own */
        belief_fill(&b, j, DRAFTS_MAX);
        ranking_fill(r, &j->scores, &b);
    }
    bool sick = rule_8(j, r);
    free(b.other);
    free(b.nobody);
    free(b.hidden);
    free(r);
    return sick;
}
