/* SPDX-License-Identifier: MIT */
/* The vantage "here": the node's own prober inside plx, with a politeness budget kept on disk. */
#ifndef PLX_HERE_H
#define PLX_HERE_H

#include "common/err.h"
#include "probe-node/prober.h"

#define HERE_NAME "here"

struct event_base;
struct here;

/* Reads $XDG_STATE_HOME/parallax/budget. NULL and err if it is damaged: then politeness could not
 * be kept. */
struct here *here_open(struct event_base *base, struct px_err *err);
/* As prober_submit; the budget is read before and written after, so that several plx share it. */
void here_submit(struct here *h, const struct px_job *job, prober_done *done, void *arg);
void here_cancel(struct here *h, const char *run_id, uint64_t id);
/* Cancels what runs, writes the budget, frees h. NULL is fine. */
void here_close(struct here *h);
/* What could not be kept, for a note; "" = all is well. */
const char *here_trouble(const struct here *h);

/* Addresses of this machine's interfaces, loopback left out. Returns how many, at most max. */
size_t here_addresses(struct px_addr *out, size_t max);

#endif
