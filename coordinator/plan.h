/* SPDX-License-Identifier: MIT */
/* Which vantage does what in the next round, and why: pure. */
#ifndef PX_COORDINATOR_PLAN_H
#define PX_COORDINATOR_PLAN_H

#include "common/report.h"

/* simultaneous pre-authentication connections per target over all vantages */
#define PLAN_HANDSHAKES_MAX 5

#define PLAN_TIMEOUT_MS 20000u      /* whole run, unless the asker says otherwise */
#define PLAN_TIMEOUT_MAX_MS 600000u /* and the longest one may ask for */
#define PLAN_ROUNDS_MAX 8u
#define PLAN_SECOND_LOOK_MS 1000u /* from the last start of a first look to the second look */
#define PLAN_LATER_LOOK_MS 15000u /* between all further ones: one connect per 15 s is polite */

/* What the asker wants. */
struct plan_wish {
    enum px_stage depth; /* NONE = the default of the scheme: kex for ssh, tcp for tcp */
    uint32_t timeout_ms; /* whole run, default 20,000 */
    uint32_t rounds_max; /* default 2 */
    bool fresh;          /* no reuse of results younger than 10 s */
};

void plan_wish_default(struct plan_wish *w);
/* Can this version do what is asked? 0, or -1 and err (codes "unsupported-depth", "unsupported-
 * scheme", "bad-timeout", "bad-rounds"). What it can do only in part is said in notes (NULL: not
 * wanted). */
int plan_wish_check(const struct plan_wish *w, const struct px_target *t, struct px_strs *notes,
                    struct px_err *err);
/* The depth that is probed: the wished one, at most the deepest this version knows for the scheme.
 */
enum px_stage plan_depth(const struct plan_wish *w, const struct px_target *t);

/* What a round has to know of the earlier ones, drawn once per round. */
struct plan_facts {
    uint32_t round;
    size_t vantage_count;
    size_t *latest;      /* by vantage: index of its newest observation + 1, 0 = none */
    bool *spokesman;     /* by vantage: repeats the handshake for all with the same signature */
    bool wanted;         /* something failed, so another look is worth it */
    bool any_ok;         /* some vantage got through */
    bool path;           /* some vantage fails silently or by the word of a router */
    uint32_t timeout_ms; /* of a plain TCP look: short when every answer came at once */
};
void plan_facts_init(struct plan_facts *f, const struct px_report *r, uint32_t round);
void plan_facts_clear(struct plan_facts *f);

/* Fill job (ids, start and run id are the caller's) for vantage `index` in `round` of r.
 * Returns false if that vantage has nothing to do in the round. */
bool plan_job(const struct px_report *r, const struct plan_wish *w, uint32_t round, size_t index,
              struct px_job *job);
/* The same with facts of that round already drawn. */
bool plan_job_from(const struct px_report *r, const struct plan_wish *w, const struct plan_facts *f,
                   size_t index, struct px_job *job);
/* Cut a ladder job down to its TCP part: what a vantage does until a handshake is free. */
void plan_job_shorten(struct px_job *job);
/* Does sshd see the job as a login attempt that has begun? Such jobs are counted per target. */
bool plan_job_shakes_hands(const struct px_job *job);

#endif
