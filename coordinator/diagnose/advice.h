/* SPDX-License-Identifier: MIT */
/* Puts a judgement into words: summary, what to type next, what would decide, what speaks for it
 * and what is ruled out. Judges nothing. */
#ifndef DIAGNOSE_ADVICE_H
#define DIAGNOSE_ADVICE_H

#include "coordinator/diagnose/wording.h"

/* Replace verdict and abstained of the report by what was judged. */
void advice_write(struct judgement *j);

/* reasons.c: evidence for the finding, and causes ruled out with the reason. */
void reasons_write(const struct wording *w, struct px_finding *f);

/* steps.c: what to type next, and the probe or vantage that would decide. */
void steps_write(const struct wording *w, struct px_finding *f);
void deciding_write(const struct wording *w, struct px_finding *f);

#endif
