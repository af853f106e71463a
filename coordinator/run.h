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

struct run;

enum run_action_kind {
    RUN_WAIT,    /* nothing before `until`, unless an event comes */
    RUN_SEND,    /* send `job` to vantage `vantage` */
    RUN_CANCEL,  /* cancel `job` at vantage `vantage` */
    RUN_PUBLISH, /* the report holds a new verdict worth streaming */
    RUN_FINISH   /* the report is final */
};

struct run_action {
    enum run_action_kind kind;
    px_mono until;
    size_t vantage;
    struct px_job job;
};

/* The report (id, target, vantages, presence, started) is taken over; diagnose is the judge, called
 * as needed. */
struct run *run_new(struct px_report *report, const struct plan_wish *wish,
                    void (*judge)(struct px_report *), px_mono now);
void run_free(struct run *r); /* frees the report too */

/* Call after every event and when `until` has come, repeatedly until RUN_WAIT or RUN_FINISH. */
void run_next(struct run *r, px_mono now, struct run_action *action);

/* One observation for a job of this run; late, foreign and duplicate ones are recognised and
 * ignored (false). */
bool run_on_observation(struct run *r, size_t vantage, const struct px_observation *o, px_mono now);
/* The vantage is gone (session closed, job could not be sent): it counts as away from now on. */
void run_on_vantage_gone(struct run *r, size_t vantage, px_mono now);
/* The asker has gone or said stop: cancels follow, then RUN_FINISH. */
void run_on_cancel(struct run *r, px_mono now);

const struct px_report *run_report(const struct run *r);
uint32_t run_round(const struct run *r);
size_t run_reported(const struct run *r); /* vantages that answered in the present round */
size_t run_expected(const struct run *r);

#endif
