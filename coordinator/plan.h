/* SPDX-License-Identifier: MIT */
/* Which vantage does what in the next round, and why: pure. */
#ifndef PX_COORDINATOR_PLAN_H
#define PX_COORDINATOR_PLAN_H

#include "common/report.h"

#define PLAN_HANDSHAKES_MAX                                                                        \
    5 /* simultaneous pre-authentication connections per target over all vantages */

/* What the asker wants. */
struct plan_wish {
    enum px_stage depth; /* NONE = the default of the scheme: kex for ssh, tcp for tcp */
    uint32_t timeout_ms; /* whole run, default 20,000 */
    uint32_t rounds_max; /* default 2 */
    bool fresh;          /* no reuse of results younger than 10 s */
};

void plan_wish_default(struct plan_wish *w);
enum px_stage plan_depth(const struct plan_wish *w, const struct px_target *t);

/* Fill job (ids, start and run id are the caller's) for vantage `index` in `round` of r.
 * Returns false if that vantage has nothing to do in the round. */
bool plan_job(const struct px_report *r, const struct plan_wish *w, uint32_t round, size_t index,
              struct px_job *job);

#endif
