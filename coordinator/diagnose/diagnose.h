/* SPDX-License-Identifier: MIT */
/*
 * The judge: from what the vantages saw to what is wrong, where and how sure. A pure function: no
 * I/O, no clock, no randomness, no state between calls. evidence -> hypotheses (table) x
 * likelihoods (data) -> partition of the vantages -> judge -> advice.
 */
#ifndef PX_DIAGNOSE_H
#define PX_DIAGNOSE_H

#include "common/report.h"

/* Read target, vantages and observations of r; replace r->verdict and r->abstained. Never fails:
 * what cannot be explained is a finding `unexplained`, what cannot be known is status
 * `inconclusive`. */
void diagnose(struct px_report *r);

#endif
