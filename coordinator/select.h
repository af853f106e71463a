/* SPDX-License-Identifier: MIT */
/*
 * Vantage selectors: `all`, a name, `tag:WORD` (a tag or the value of a label), `key=value`;
 * `a,b` or, `a+b` and, `!a` not. A negated part of a comma list takes away from what stands before
 * it, so that `all,!vpn1` is everybody but vpn1; at the beginning of a list it means all but it.
 */
#ifndef PX_COORDINATOR_SELECT_H
#define PX_COORDINATOR_SELECT_H

#include "common/report.h"

#define SELECT_HERE "here" /* the asker's own machine; never part of `all` */
#define SELECT_ALL "all"

/* Set chosen[i] for each of the n candidates; returns how many. "" is all. -1 and err: codes "bad-
 * selector", "no-such-vantage" (with a suggestion and what is known), "empty-selector". */
int select_vantages(const char *selector, const struct px_vantage *candidates, size_t n,
                    bool *chosen, struct px_err *err);

#endif
