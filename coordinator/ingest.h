/* SPDX-License-Identifier: MIT */
/*
 * An observation from the wire becomes evidence: it comes from an authenticated vantage, belongs to
 * a job that was sent there, counts once, and its time is on our clock.
 */
#ifndef PX_COORDINATOR_INGEST_H
#define PX_COORDINATOR_INGEST_H

#include "coordinator/dispatch.h"
#include "coordinator/nodes.h"

#define INGEST_CLOCK_WARN (2 * PX_SEC) /* a node's clock further off than this is worth a line */

/* Time of the vantage -> ours, by what is known of its clock; it cannot lie before the run began or
 * after now. */
px_wall ingest_correct(px_wall theirs, const struct session *from, px_wall began, px_wall now);

/* Takes it, or says in the log why not. o is changed. */
enum dispatch_taken ingest_on_observation(struct dispatch *d, struct session *from,
                                          struct px_observation *o, px_wall now);

/* Say once per session that a clock is far off. */
void ingest_warn_clock(const struct session *s);

#endif
