/* SPDX-License-Identifier: MIT */
/* All targets of one `plx check`: asked through the coordinator, or from here alone, with progress
 * on the terminal and an end by Ctrl-C. */
#ifndef PLX_QUESTIONS_H
#define PLX_QUESTIONS_H

#include "cli/ask.h"
#include "cli/cmd.h"

enum question_state {
    QUESTION_WAITING, /* not asked yet */
    QUESTION_ASKED,
    QUESTION_ANSWERED, /* report is all that will come */
    QUESTION_FAILED,   /* err says why */
    QUESTION_STATE_COUNT
};

struct questions;
struct question {
    struct questions *all;
    struct ask_wish wish;
    enum question_state state;
    const struct px_report *report; /* the newest, NULL = none yet */
    bool final;                     /* it is not going to change */
    uint32_t reported, expected;    /* vantages in the present round */
    struct px_err err;
    struct ask_local *local;
    struct ask_question *mesh;
    struct px_report *alone; /* made of what here saw when the session was lost */
};

struct questions {
    const struct cmd_env *env;
    struct out_sinks *sinks; /* for formats that stream; borrowed */
    struct question *v;
    size_t n, asked, ended;
    bool interrupted;
    struct px_err session_err; /* the coordinator could not be reached, or was lost; "" = no */
    struct event_base *base;
    struct here *here;
    struct ask_mesh *mesh;
    struct live *live;
    px_mono started;
};

/* Ask all of them, through `context` if it is not NULL; returns when every one has ended or the
 * user has interrupted. v[].wish is filled by the caller. 0, or -1 and err for local failures. The
 * reports live until questions_clear. */
int questions_run(struct questions *q, const struct context *context, struct px_err *err);
void questions_clear(struct questions *q);

#endif
