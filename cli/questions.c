/* SPDX-License-Identifier: MIT */
/* Owns the event loop of `plx check`. What to ask is decided in cmd_check.c, how in ask_*.c. */
#include "cli/questions.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/live.h"
#include "cli/out_text.h"
#include "cli/out_verdict.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"

#define QUESTIONS_AT_ONCE 32 /* over one session, or from here */
#define LIVE_TARGETS_MAX 10

static void questions_ask_more(struct questions *q);

/* ---- states ---- */

static const char *const state_names[] = {"waiting", "asked", "answered", "failed"};
_Static_assert(sizeof state_names / sizeof *state_names == QUESTION_STATE_COUNT,
               "a name for every state");

/* The only writer of the state; ends the loop with the last question. */
static void question_enter(struct question *one, enum question_state state)
{
    struct questions *q = one->all;
    px_log(PX_LOG_DEBUG, "%s: %s -> %s", one->wish.target.url, state_names[one->state],
           state_names[state]);
    if (one->state == QUESTION_WAITING)
        q->asked++;
    one->state = state;
    if (state != QUESTION_ANSWERED && state != QUESTION_FAILED)
        return;
    if (++q->ended == q->n)
        event_base_loopbreak(q->base);
}

static bool question_open(const struct question *one)
{
    return one->state == QUESTION_WAITING || one->state == QUESTION_ASKED;
}

static void question_fail(struct question *one, const struct px_err *err)
{
    one->err = *err;
    question_enter(one, QUESTION_FAILED);
}

/* ---- events of one question ---- */

static uint32_t vantages_present(const struct px_report *r)
{
    uint32_t n = 0;
    for (size_t i = 0; i < r->vantage_count; i++)
        n += r->vantages[i].presence == PX_PRESENT;
    return n;
}

static void question_on_report(void *arg, const struct px_report *r, bool final)
{
    struct question *one = arg;
    one->report = r;
    one->final = final;
    if (one->expected == 0)
        one->expected = vantages_present(r);
    if (!final && r->verdict.summary) {
        live_erase(one->all->live);
        out_sinks_stream(one->all->sinks, r, &one->all->env->out);
    }
    if (final && question_open(one)) {
        question_enter(one, QUESTION_ANSWERED);
        questions_ask_more(one->all);
    }
}

static void question_on_progress(void *arg, uint32_t reported, uint32_t expected)
{
    struct question *one = arg;
    one->reported = reported;
    if (expected > 0)
        one->expected = expected;
}

static void question_on_error(void *arg, const struct px_err *err)
{
    struct question *one = arg;
    if (question_open(one)) {
        question_fail(one, err);
        questions_ask_more(one->all);
    }
}

static const struct ask_events question_events = {question_on_report, question_on_progress,
                                                  question_on_error};

static void question_ask_local(struct question *one)
{
    struct px_err err;
    question_enter(one, QUESTION_ASKED);
    one->report = NULL;
    one->reported = one->expected = 0;
    one->local =
        ask_local_start(one->all->base, one->all->here, &one->wish, &question_events, one, &err);
    if (!one->local)
        question_fail(one, &err);
}

static void questions_ask_more(struct questions *q)
{
    bool mesh = q->mesh && !*q->session_err.code;
    if (!mesh && !q->here)
        return;
    for (size_t i = 0; i < q->n && q->asked < q->ended + QUESTIONS_AT_ONCE; i++) {
        struct question *one = &q->v[i];
        if (one->state != QUESTION_WAITING)
            continue;
        if (mesh) {
            question_enter(one, QUESTION_ASKED);
            one->mesh = ask_mesh_start(q->mesh, &one->wish, &question_events, one);
        } else {
            question_ask_local(one);
        }
    }
}

/* ---- the session ---- */

/* A first verdict is there, and the run goes on. */
static bool looks_again(const struct question *one)
{
    return one->report && one->report->verdict.summary;
}

static void questions_on_ready(void *arg)
{
    questions_ask_more(arg);
}

/* The session is over: show what is there, best first: what the mesh said until then, what here
 * saw, what here can still find out. */
static void question_on_session_end(struct question *one, const struct px_err *err, bool alone)
{
    if (!question_open(one) || (alone && one->state == QUESTION_WAITING))
        return;
    if (one->mesh && !looks_again(one))
        one->alone = ask_question_alone(one->mesh);
    if (one->alone)
        one->report = one->alone;
    if (looks_again(one))
        question_enter(one, QUESTION_ANSWERED);
    else if (alone)
        question_ask_local(one);
    else
        question_fail(one, err);
}

static void questions_on_end(void *arg, const struct px_err *err, bool alone_helps)
{
    struct questions *q = arg;
    bool alone = alone_helps && q->here, known = false;
    if (q->ended == q->n)
        return;
    q->session_err = *err;
    if (alone) {
        struct px_err said = *err;
        snprintf(said.message, sizeof said.message, "%.400s; showing only \"here\"", err->message);
        for (size_t i = 0; i < q->n; i++)
            known = known || (question_open(&q->v[i]) && looks_again(&q->v[i]));
        if (known)
            snprintf(said.message, sizeof said.message, "%.400s; showing what was known then",
                     err->message);
        struct cmd_env quiet = *q->env;
        quiet.documents = false;
        live_erase(q->live);
        cmd_fail(&quiet, &said, CMD_COORDINATOR);
    }
    for (size_t i = 0; i < q->n; i++)
        question_on_session_end(&q->v[i], err, alone);
    questions_ask_more(q);
}

/* ---- progress ---- */

static void draw_one(const struct question *one, FILE *f, const struct out_style *s)
{
    if (!one->report)
        return;
    out_table_write_rows(f, one->report, s);
    fputc('\n', f);
    if (looks_again(one)) {
        char *headline = out_headline(one->report, out_main_finding(one->report));
        out_paragraph(f, s, "VERDICT", 0, OUT_PLAIN, headline);
        free(headline);
    }
}

static void draw_many(const struct questions *q, FILE *f)
{
    size_t shown = 0;
    for (size_t i = 0; i < q->n && shown < LIVE_TARGETS_MAX; i++) {
        const struct question *one = &q->v[i];
        if (one->state != QUESTION_ASKED)
            continue;
        fprintf(f, "   %s   %u/%u vantages\n", one->wish.target.url, one->reported, one->expected);
        shown++;
    }
}

static void questions_draw(void *arg, FILE *f, bool early)
{
    struct questions *q = arg;
    const struct question *first = &q->v[0];
    struct out_style style = q->env->err;
    char spent[PX_DURATION_TEXT], whole[PX_DURATION_TEXT];
    snprintf(spent, sizeof spent, "%.1fs", (double)(px_mono_now() - q->started) / (double)PX_SEC);
    px_duration_format(first->wish.plan.timeout_ms * PX_MS, whole);
    style.now = px_wall_now();
    if (q->mesh && q->asked == 0) {
        fprintf(f, "connecting to the coordinator, %s\n", spent);
        return;
    }
    if (q->n > 1) {
        if (!early)
            draw_many(q, f);
        fprintf(f, "checked %zu of %zu targets, %s\n", q->ended, q->n, spent);
        return;
    }
    if (!early)
        draw_one(first, f, &style);
    if (first->expected)
        fprintf(f, "probing %u/%u vantages, %s of %s%s\n", first->reported, first->expected, spent,
                whole, looks_again(first) ? "; looking again" : "");
    else
        fprintf(f, "probing %s, %s of %s\n", first->wish.target.url, spent, whole);
}

/* ---- the loop ---- */

/* Being told to end is as good as Ctrl-C: what was spent is written down first. */
static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
#define SIGNALS (sizeof signals / sizeof *signals)

/* The second Ctrl-C finds no handler and ends us at once. */
static void questions_on_interrupt(evutil_socket_t fd, short what, void *arg)
{
    struct questions *q = arg;
    (void)fd, (void)what;
    for (size_t i = 0; i < SIGNALS; i++)
        signal(signals[i], SIG_DFL);
    q->interrupted = true;
    event_base_loopbreak(q->base);
}

static int questions_open(struct questions *q, const struct context *context, struct px_err *err)
{
    static const struct ask_mesh_events mesh_events = {questions_on_ready, questions_on_end};
    bool here = false;
    q->base = event_base_new();
    if (!q->base)
        return px_err_set(err, "no-memory", "no event loop");
    for (size_t i = 0; i < q->n; i++) {
        q->v[i].all = q;
        here = here || q->v[i].wish.here;
    }
    if (here && !(q->here = here_open(q->base, err)))
        return -1;
    if (context && !(q->mesh = ask_mesh_open(q->base, context, q->here, &mesh_events, q, err)))
        return -1;
    return 0;
}

static void signals_catch(struct questions *q, struct event *events[SIGNALS])
{
    for (size_t i = 0; i < SIGNALS; i++) {
        struct sigaction now;
        bool ignored = sigaction(signals[i], NULL, &now) == 0 && now.sa_handler == SIG_IGN;
        events[i] = ignored ? NULL : evsignal_new(q->base, signals[i], questions_on_interrupt, q);
        if (events[i])
            event_add(events[i], NULL);
    }
}

static void signals_release(const struct questions *q, struct event *events[SIGNALS])
{
    for (size_t i = 0; i < SIGNALS; i++) {
        if (!events[i])
            continue;
        event_free(events[i]);
        if (q->interrupted)
            signal(signals[i], SIG_DFL);
    }
}

int questions_run(struct questions *q, const struct context *context, struct px_err *err)
{
    struct event *events[SIGNALS];
    q->started = px_mono_now();
    if (questions_open(q, context, err) != 0)
        return -1;
    signals_catch(q, events);
    q->live = live_new(q->base, &q->env->err, questions_draw, q);
    q->v[0].wish.watch = q->live && q->n == 1 && !out_sinks_want_stream(q->sinks);
    if (!q->mesh)
        questions_ask_more(q);
    if (q->ended < q->n)
        event_base_dispatch(q->base);
    live_free(q->live);
    q->live = NULL;
    signals_release(q, events);
    return 0;
}

void questions_clear(struct questions *q)
{
    for (size_t i = 0; i < q->n; i++) {
        ask_local_free(q->v[i].local);
        if (q->v[i].alone)
            px_report_clear(q->v[i].alone);
        free(q->v[i].alone);
    }
    ask_mesh_free(q->mesh);
    here_close(q->here);
    if (q->base)
        event_base_free(q->base);
    free(q->v);
    memset(q, 0, sizeof *q);
}
