/* SPDX-License-Identifier: MIT */
/* Rounds without a mesh: drives coordinator/run with the one vantage "here". Decides nothing. */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ask.h"
#include "common/text.h"
#include "coordinator/diagnose/diagnose.h"
#include "coordinator/run.h"

struct ask_local {
    struct here *here;
    struct ask_events events;
    void *arg;
    struct run *run;
    struct event *timer;
    bool stepping, finished;
};

static void ask_local_step(struct ask_local *a);

static void ask_local_on_done(void *arg, const struct px_job *job, const struct px_observation *o)
{
    struct ask_local *a = arg;
    (void)job;
    if (a->finished)
        return;
    run_on_observation(a->run, 0, o, px_mono_now());
    a->events.on_progress(a->arg, (uint32_t)run_reported(a->run), (uint32_t)run_expected(a->run));
    if (!run_report(a->run)->verdict.summary)
        a->events.on_report(a->arg, run_report(a->run), false);
    if (!a->stepping)
        ask_local_step(a);
}

static void ask_local_wait(struct ask_local *a, px_mono until, px_mono now)
{
    int64_t ns = until > now ? until - now : 0;
    struct timeval tv = {ns / PX_SEC, ns % PX_SEC / 1000 + 1};
    event_add(a->timer, &tv);
}

static void ask_local_step(struct ask_local *a)
{
    struct run_action action;
    a->stepping = true;
    while (a->stepping) {
        px_mono now = px_mono_now();
        run_next(a->run, now, &action);
        switch (action.kind) {
        case RUN_WAIT:
            ask_local_wait(a, action.until, now);
            a->stepping = false;
            break;
        case RUN_SEND:
            here_submit(a->here, &action.job, ask_local_on_done, a);
            break;
        case RUN_CANCEL:
            here_cancel(a->here, action.job.run_id, action.job.id);
            break;
        case RUN_PUBLISH:
            a->events.on_report(a->arg, run_report(a->run), false);
            break;
        case RUN_FINISH:
            a->finished = true;
            a->stepping = false;
            event_del(a->timer);
            a->events.on_report(a->arg, run_report(a->run), true);
            return; /* a may be gone */
        }
    }
}

static void ask_local_on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct ask_local *a = arg;
    (void)fd, (void)what;
    if (run_report(a->run)->observation_count == 0)
        a->events.on_report(a->arg, run_report(a->run), false); /* what is to come */
    ask_local_step(a);
}

struct ask_local *ask_local_start(struct event_base *base, struct here *here,
                                  const struct ask_wish *wish, const struct ask_events *events,
                                  void *arg, struct px_err *err)
{
    struct px_strs notes = {0};
    if (plan_wish_check(&wish->plan, &wish->target, &notes, err) != 0) {
        px_strs_clear(&notes);
        return NULL;
    }
    struct px_report *r = px_xcalloc(1, sizeof *r);
    px_report_init(r);
    r->started = px_wall_now();
    px_id_new(r->started, r->id);
    r->target = wish->target;
    r->notes = notes;
    px_report_add_vantage(r, HERE_NAME);

    struct ask_local *a = px_xcalloc(1, sizeof *a);
    a->here = here;
    a->events = *events;
    a->arg = arg;
    a->run = run_new(r, &wish->plan, diagnose, px_mono_now());
    a->timer = event_new(base, -1, 0, ask_local_on_timer, a);
    struct timeval now = {0, 0};
    event_add(a->timer, &now);
    return a;
}

void ask_local_free(struct ask_local *a)
{
    if (!a)
        return;
    event_free(a->timer);
    run_free(a->run);
    free(a);
}
