/* SPDX-License-Identifier: MIT */
/*
 * How well every row of the hypothesis table explains what was seen: log likelihoods by row, shared
 * nuisance and signature, local states of the vantages mixed in, and from them a ranking. Decides
 * nothing; judge.c does.
 */
#ifndef DIAGNOSE_SCORE_H
#define DIAGNOSE_SCORE_H

#include "coordinator/diagnose/partition.h"

struct scores {
    struct partition *partition;
    size_t n;            /* vantages */
    uint32_t *signature; /* by vantage; vantages that saw the same share one */
    uint32_t signatures;
    uint64_t *explains; /* by failing vantage: rows that would show what it saw, as bits */
    double *rows;       /* [row][nuisance][signature] log P(seen | affected by the row) */
    double *local;      /* [nuisance][signature] log P(seen, the vantage's own trouble) */
    double *gain;       /* scratch by vantage */
};

void scores_init(struct scores *s, struct partition *p);
void scores_clear(struct scores *s);
double scores_row(const struct scores *s, size_t row, unsigned nuisance, size_t unit);
/* Would the row, acting on the failing vantage, show what it saw? */
bool scores_explain(const struct scores *s, size_t row, size_t unit);
double scores_local(const struct scores *s, unsigned nuisance, size_t unit);
/* Share of each local state in explaining what the vantage saw, if otherwise `row` acts on it. out:
 * local_state_count values; the rest to 1 is the row's. */
void scores_local_share(const struct scores *s, size_t row, unsigned nuisance, size_t unit,
                        double *out);

/* What is believed of the vantages before a further cause is considered. */
struct belief {
    double *other;               /* [nuisance][vantage] log P(seen) without the cause in question */
    double *nobody;              /* the same if there is no further cause at all */
    bool *hidden;                /* by vantage: another finding acts before the host could */
    bool useful[HYPOTHESES_MAX]; /* rows that would explain something that nothing else does */
    double row_bits;             /* extra price of a further cause */
    double none_prior;
};

struct ranking {
    double log_total;
    double log_row[HYPOTHESES_MAX];    /* posterior weight over all nuisances; row 0: no cause */
    double log_best[HYPOTHESES_MAX];   /* under the one nuisance that fits best */
    unsigned nuisance[HYPOTHESES_MAX]; /* that one */
    struct description set[HYPOTHESES_MAX]; /* and the best set under it */
};

/* Weigh all rows against each other. */
void ranking_fill(struct ranking *r, struct scores *s, const struct belief *b);
/* Gains by vantage with which set[row] was found; the array belongs to s. */
const double *ranking_gain(const struct ranking *r, struct scores *s, const struct belief *b,
                           size_t row);
double ranking_probability(const struct ranking *r, size_t row);
double ranking_cause(const struct ranking *r, enum px_cause c);
double ranking_scope(const struct ranking *r, enum px_scope scope);
/* The cause with the highest probability, and of its rows the best. 0 = none. */
size_t ranking_best(const struct ranking *r);

#endif
