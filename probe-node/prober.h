/* SPDX-License-Identifier: MIT */
/*
 * Runs jobs: admission by the budget, the ladder on one connection, side probes beside it, exactly
 * one observation per job. The same code in parallax-node and in plx (vantage "here").
 */
#ifndef PX_NODE_PROBER_H
#define PX_NODE_PROBER_H

#include "common/err.h"
#include "common/job.h"
#include "common/observation.h"
#include "common/report.h"
#include "probe-node/budget.h"

struct event_base;
struct prober;

struct prober_options {
    unsigned jobs_max;       /* at once; further ones end as `exhausted`; default 512 */
    unsigned handshakes_max; /* at once; further ones wait; default 128 */
    struct px_reference references[PX_REFERENCES_MAX]; /* known-good "host:port" of this vantage */
    uint32_t reference_count;
    struct px_addr source; /* bind; family 0 = kernel's choice */
    /* The node's consent, asked once the address is known; NULL = everything. A job it denies ends
     * with code policy and nothing is sent. */
    bool (*consents)(void *arg, const struct px_addr *a, uint16_t port);
    void *consent_arg;
};

/* What this machine can do, detected by trying: words "tcp" "ssh" "icmp" "trace" "ipv4" "ipv6",
 * comma-separated. */
#define PROBER_CAPABILITIES_TEXT 128
char *prober_capabilities(char *out);

/* budget is borrowed and must outlive the prober. */
struct prober *prober_new(struct event_base *base, struct budget *budget,
                          const struct prober_options *options, struct px_err *err);
/* Cancels what runs (no done is called). */
void prober_free(struct prober *p);

/* Called exactly once per job, never from inside prober_submit. The observation is only valid
 * during the call. */
typedef void prober_done(void *arg, const struct px_job *job, const struct px_observation *o);
void prober_submit(struct prober *p, const struct px_job *job, prober_done *done, void *arg);
/* Ends the job with run_id/id; its done is called with code not-run. Unknown ids are ignored. */
void prober_cancel(struct prober *p, const char *run_id, uint64_t id);
unsigned prober_busy(const struct prober *p); /* jobs under way */

#endif
