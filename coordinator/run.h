/* SPDX-License-Identifier: MIT */
/*
 * The life of one question as pure decisions: who is asked when, when a round is over, when to
 * judge, when to stop. Events and the time come in; run_next says what to do. Sockets and timers
 * belong to dispatch (coordinator) and cmd_check (plx without a mesh).
 */
#ifndef PX_COORDINATOR_RUN_H
#define PX_COORDINATOR_RUN_H

#include "common/clock.h"
#include "common/report.h"
#include "coordinator/plan.h"

#define RUN_GRACE_MS 1000u    /* an observation may be so late after its job's deadline */
#define RUN_SPREAD_MS 200u    /* the first connects beyond the handshakes start within this */
#define RUN_DELAY_MAX_MS 500u /* no vantage is waited for longer at the common start */

struct run;

enum run_action_kind {
    RUN_WAIT,    /* nothing before `until`, unless an event comes */
    RUN_SEND,    /* send `job` to vantage `vantage` */
    RUN_CANCEL,  /* cancel `job` (id and run id are set) at vantage `vantage` */
    RUN_PUBLISH, /* the report holds a new verdict worth streaming */
    RUN_FINISH   /* the report is final, or all there is after run_on_cancel */
};

struct run_action {
    enum run_action_kind kind;
    px_mono until;
    size_t vantage;
    struct px_job job;
};

/* The report (id, target, vantages, presence, started; heap, its notes may hold lines) is taken
 * over; judge is called as needed. */
struct run *run_new(struct px_report *report, const struct plan_wish *wish,
                    void (*judge)(struct px_report *), px_mono now);
void run_free(struct run *r); /* frees the report too */

/* Before the first run_next: one-way delay to a vantage, so that all start at the same moment. */
void run_set_delay(struct run *r, size_t vantage, uint32_t one_way_ms);
/* How many handshakes this run may have under way from now on; PLAN_HANDSHAKES_MAX at first. Those
 * that are under way go on. */
void run_set_handshakes(struct run *r, unsigned max);

/* Call after every event and when `until` has come, repeatedly until RUN_WAIT or RUN_FINISH. */
void run_next(struct run *r, px_mono now, struct run_action *action);

/* One observation for a job of this run; late, foreign and duplicate ones are recognised and
 * ignored (false). */
bool run_on_observation(struct run *r, size_t vantage, const struct px_observation *o, px_mono now);
/* The vantage is gone (session closed, job could not be sent): it counts as away from now on. */
void run_on_vantage_gone(struct run *r, size_t vantage, px_mono now);
/* The asker has gone or said stop: cancels follow, then RUN_FINISH. The report stays unfinished. */
void run_on_cancel(struct run *r, px_mono now);

const struct px_report *run_report(const struct run *r);
const char *run_state_name(const struct run *r); /* for logs: "asking", "pausing"... */
uint32_t run_round(const struct run *r);
size_t run_reported(const struct run *r); /* vantages that answered in the present round */
size_t run_expected(const struct run *r);
unsigned run_handshakes(const struct run *r);         /* under way */
unsigned run_handshakes_waiting(const struct run *r); /* would start if they might */
/* Was this job ever sent to that vantage? Tells a duplicate or late observation from a forged one.
 */
bool run_asked(const struct run *r, size_t vantage, uint64_t job_id);

#endif
