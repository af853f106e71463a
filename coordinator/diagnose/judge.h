/* SPDX-License-Identifier: MIT */
/*
 * The case as the judge sees it while a verdict takes shape; read by advice.c and reasons.c, which
 * put it into words. The rules themselves are numbered in judge.c and docs/verdicts.md.
 */
#ifndef DIAGNOSE_JUDGE_H
#define DIAGNOSE_JUDGE_H

#include "coordinator/diagnose/score.h"

#define DRAFTS_MAX 8
#define SURE_MAX 0.999 /* nobody is ever surer than the noise of the table */

/* A finding in the making. */
struct draft {
    size_t row;        /* of hypotheses */
    bool *in;          /* by fit vantage: affected */
    unsigned nuisance; /* combination under which it fits best */
    double cause_p, scope_p;
    double by_cause[PX_CAUSE_COUNT]; /* probability of each cause, given the other findings */
    enum px_certainty certainty, scope_certainty;
    enum px_cause ambiguous[6];
    size_t ambiguous_count;
};

/* Something wrong with vantages themselves. */
struct sickness {
    enum px_cause cause;
    uint32_t *vantages; /* indices into scene.all, count of them */
    size_t count;
    double probability; /* the least of all */
    bool twice;         /* all were seen so in two looks */
};
#define SICKNESSES_MAX 6

struct judgement {
    struct px_report *report;
    struct scene scene;
    struct paths paths;
    struct partition partition;
    struct scores scores;
    struct draft drafts[DRAFTS_MAX];
    size_t draft_count;
    struct sickness sicknesses[SICKNESSES_MAX];
    size_t sickness_count;
    enum px_status status;
};

/* causes.c: rules 5 to 8. Fill the drafts; vantages that are unfit themselves are marked left_out
 * and added to the sicknesses. Returns whether there were such: then partition and scores are out
 * of date. */
bool causes_find(struct judgement *j);

void judgement_add_sickness(struct judgement *j, enum px_cause cause, size_t vantage, double p,
                            bool twice);
void judgement_remove_draft(struct judgement *j, size_t at);

#endif
