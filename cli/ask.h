/* SPDX-License-Identifier: MIT */
/*
 * One question under way: from the coordinator (ask_mesh) or from here alone (ask_local). Answers
 * come as reports; the first ones may still change.
 */
#ifndef PLX_ASK_H
#define PLX_ASK_H

#include "cli/context.h"
#include "cli/here.h"
#include "common/report.h"
#include "coordinator/plan.h"
#include "proto/limits.h"

struct ask_wish {
    struct px_target target;
    char from[WIRE_SELECTOR_MAX + 1]; /* "" = all */
    bool here;                        /* plx takes part as a vantage */
    bool watch;                       /* reports without a verdict are wanted, too */
    struct plan_wish plan;
};

/* All from the event loop, never from inside a call. */
struct ask_events {
    /* Borrowed: valid until the next report or the end of the ask. Without a verdict it only shows
     * which vantages have reported so far. */
    void (*on_report)(void *arg, const struct px_report *r, bool final);
    /* Vantages that answered in this round. */
    void (*on_progress)(void *arg, uint32_t reported, uint32_t expected);
    /* It ends without a final report. */
    void (*on_error)(void *arg, const struct px_err *err);
};

/* ---- without a mesh ---- */
struct ask_local;
/* here is borrowed. NULL and err (code of plan_wish_check) if this version cannot do it. */
struct ask_local *ask_local_start(struct event_base *base, struct here *here,
                                  const struct ask_wish *wish, const struct ask_events *events,
                                  void *arg, struct px_err *err);
void ask_local_free(struct ask_local *a);

/* ---- through a coordinator ---- */
struct ask_mesh;     /* one session, any number of questions */
struct ask_question; /* one of them */

struct ask_mesh_events {
    void (*on_ready)(void *arg); /* questions may be asked */
    /* The session could not be opened or was lost; exactly once, then only free is legal.
     * alone_helps: showing "here" alone is worth it (false: somebody else answers there, or we are
     * not let in). */
    void (*on_end)(void *arg, const struct px_err *err, bool alone_helps);
};
/* here may be NULL; both are borrowed. NULL and err for local failures (code "key-mode"...). */
struct ask_mesh *ask_mesh_open(struct event_base *base, const struct context *context,
                               struct here *here, const struct ask_mesh_events *events, void *arg,
                               struct px_err *err);
struct ask_question *ask_mesh_start(struct ask_mesh *m, const struct ask_wish *wish,
                                    const struct ask_events *events, void *arg);
/* Say stop for every question that is not final, then close the session; frees everything. */
void ask_mesh_free(struct ask_mesh *m);
/* What "here" alone saw for this question, judged; NULL if nothing has come. Caller clears and
 * frees it. */
struct px_report *ask_question_alone(const struct ask_question *q);

#endif
