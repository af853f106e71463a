/* SPDX-License-Identifier: MIT */
/*
 * Questions to a coordinator over one session, and the jobs that come back for vantage "here".
 * Reports arrive as JSON in parts; each replaces the one before.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/client.h"
#include "cli/collect.h"
#include "common/text.h"
#include "coordinator/diagnose/diagnose.h"

#define QUESTION_SLACK_MS 10000 /* the coordinator ends a run by itself; this is for a sick one */

struct ask_question {
    struct ask_mesh *mesh;
    struct ask_question *next;
    struct ask_events events;
    void *arg;
    struct ask_wish wish;
    uint64_t request;
    char run_id[PX_ID_TEXT];
    struct collect document;
    struct px_report *report;   /* the newest one */
    struct px_observation *own; /* what here saw for it */
    size_t own_count;
    struct event *deadline;
    bool done;
};

struct ask_mesh {
    struct event_base *base;
    struct ask_mesh_events events;
    void *arg;
    struct context context;
    struct here *here;
    struct client *client;
    struct ask_question *questions;
    uint64_t last_request;
    bool ended;
};

/* ---- answers ---- */

static void question_finish(struct ask_question *q)
{
    q->done = true;
    event_del(q->deadline);
}

static void question_fail(struct ask_question *q, const struct px_err *err)
{
    question_finish(q);
    q->events.on_error(q->arg, err);
}

static void question_on_document(struct ask_question *q, const struct wire_document *part)
{
    struct px_err err;
    int state = collect_add(&q->document, part, &err);
    if (state < 0) {
        question_fail(q, &err);
        return;
    }
    if (state == 0)
        return;
    struct px_report *r = collect_report(&q->document, &err);
    if (!r) {
        question_fail(q, &err);
        return;
    }
    struct px_report *old = q->report;
    q->report = r;
    if (part->final)
        question_finish(q);
    q->events.on_report(q->arg, r, part->final);
    if (old)
        px_report_clear(old);
    free(old);
}

static struct ask_question *question_find(struct ask_mesh *m, uint64_t request)
{
    struct ask_question *q = m->questions;
    while (q && q->request != request)
        q = q->next;
    return q;
}

static struct ask_question *question_find_run(struct ask_mesh *m, const char *run_id)
{
    struct ask_question *q = m->questions;
    while (q && strcmp(q->run_id, run_id) != 0)
        q = q->next;
    return q;
}

/* ---- jobs for here ---- */

static void mesh_on_job_done(void *arg, const struct px_job *job, const struct px_observation *o)
{
    struct ask_mesh *m = arg;
    struct ask_question *q = question_find_run(m, job->run_id);
    if (q) {
        q->own = px_xrealloc(q->own, q->own_count + 1, sizeof *q->own);
        q->own[q->own_count++] = *o;
    }
    struct wire_message *answer = wire_new(WIRE_OBSERVATION);
    answer->u.observation = *o;
    client_send(m->client, answer);
    wire_free(answer);
}

static void mesh_on_job(struct ask_mesh *m, const struct wire_message *message)
{
    struct ask_question *q = question_find(m, message->request);
    if (q && !*q->run_id)
        memcpy(q->run_id, message->u.job.run_id, sizeof q->run_id);
    if (m->here)
        here_submit(m->here, &message->u.job, mesh_on_job_done, m);
}

/* ---- the session ---- */

static void mesh_on_ready(void *arg, const struct wire_message *welcome)
{
    struct ask_mesh *m = arg;
    (void)welcome;
    m->events.on_ready(m->arg);
}

static void mesh_on_message(void *arg, const struct wire_message *message)
{
    struct ask_mesh *m = arg;
    struct ask_question *q = question_find(m, message->request);
    if (message->kind == WIRE_JOB) {
        mesh_on_job(m, message);
        return;
    }
    if (message->kind == WIRE_CANCEL && m->here) {
        here_cancel(m->here, message->u.cancel.run_id, message->u.cancel.id);
        return;
    }
    if (!q || q->done)
        return;
    if (message->kind == WIRE_PROGRESS) {
        memcpy(q->run_id, message->u.progress.run_id, sizeof q->run_id);
        q->events.on_progress(q->arg, message->u.progress.reported, message->u.progress.expected);
    } else if (message->kind == WIRE_DOCUMENT) {
        question_on_document(q, &message->u.document);
    } else if (message->kind == WIRE_ERROR) {
        question_fail(q, &message->u.error);
    }
}

static void mesh_on_end(void *arg, const struct px_err *err, bool alone_helps)
{
    struct ask_mesh *m = arg;
    m->ended = true;
    for (struct ask_question *q = m->questions; q; q = q->next)
        event_del(q->deadline);
    m->events.on_end(m->arg, err, alone_helps);
}

struct ask_mesh *ask_mesh_open(struct event_base *base, const struct context *context,
                               struct here *here, const struct ask_mesh_events *events, void *arg,
                               struct px_err *err)
{
    static const struct client_events client_events = {mesh_on_ready, mesh_on_message, mesh_on_end};
    struct ask_mesh *m = px_xcalloc(1, sizeof *m);
    char can[PROBER_CAPABILITIES_TEXT] = "", name[PX_NAME_MAX + 1];
    struct key_pair keys;
    m->base = base;
    m->events = *events;
    m->arg = arg;
    m->context = *context;
    m->here = here;
    client_default_name(name);
    if (client_load_key(context, &keys, err) == 0) {
        struct client_wish wish = {&m->context, &keys, NULL, name,
                                   here ? prober_capabilities(can) : NULL};
        m->client = client_open(base, &wish, &client_events, m, err);
        key_clear(&keys);
    }
    if (!m->client) {
        free(m);
        return NULL;
    }
    return m;
}

/* ---- questions ---- */

static void question_on_deadline(evutil_socket_t fd, short what, void *arg)
{
    struct px_err err;
    (void)fd, (void)what;
    px_err_set(&err, "coordinator-silent", "the coordinator did not finish the run in time");
    question_fail(arg, &err);
}

static void question_send(struct ask_question *q)
{
    struct wire_message *m = wire_new(WIRE_CHECK);
    struct wire_check *check = &m->u.check;
    m->request = q->request;
    px_text_copy(check->target, sizeof check->target, q->wish.target.url);
    px_text_copy(check->from, sizeof check->from, q->wish.from);
    check->here = q->wish.here;
    check->depth = q->wish.plan.depth;
    check->timeout_ms = q->wish.plan.timeout_ms;
    check->rounds = q->wish.plan.rounds_max;
    check->fresh = q->wish.plan.fresh;
    check->watch = q->wish.watch;
    client_send(q->mesh->client, m);
    wire_free(m);
}

struct ask_question *ask_mesh_start(struct ask_mesh *m, const struct ask_wish *wish,
                                    const struct ask_events *events, void *arg)
{
    struct ask_question *q = px_xcalloc(1, sizeof *q);
    uint32_t ms = wish->plan.timeout_ms + QUESTION_SLACK_MS;
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};
    q->mesh = m;
    q->events = *events;
    q->arg = arg;
    q->wish = *wish;
    q->request = ++m->last_request;
    q->next = m->questions;
    m->questions = q;
    q->deadline = event_new(m->base, -1, 0, question_on_deadline, q);
    event_add(q->deadline, &tv);
    question_send(q);
    return q;
}

struct px_report *ask_question_alone(const struct ask_question *q)
{
    if (q->own_count == 0)
        return NULL;
    struct px_report *r = px_xcalloc(1, sizeof *r);
    px_report_init(r);
    px_text_copy(r->id, sizeof r->id, q->run_id);
    r->target = q->wish.target;
    r->depth = plan_depth(&q->wish.plan, &q->wish.target);
    r->started = q->own[0].started;
    r->finished = true;
    px_report_add_vantage(r, HERE_NAME);
    for (size_t i = 0; i < q->own_count; i++) {
        struct px_observation *o = px_report_add_observation(r, &q->own[i]);
        o->vantage = 0;
        if (o->round > r->rounds)
            r->rounds = o->round;
        r->took_ms = (double)(o->started - r->started) / (double)PX_MS + o->took_ms;
    }
    diagnose(r);
    return r;
}

static void question_free(struct ask_question *q)
{
    event_free(q->deadline);
    collect_clear(&q->document);
    if (q->report)
        px_report_clear(q->report);
    free(q->report);
    free(q->own);
    free(q);
}

void ask_mesh_free(struct ask_mesh *m)
{
    if (!m)
        return;
    while (m->questions) {
        struct ask_question *q = m->questions;
        m->questions = q->next;
        if (!q->done && !m->ended) {
            struct wire_message *stop = wire_new(WIRE_STOP);
            stop->request = q->request;
            client_send(m->client, stop);
            wire_free(stop);
        }
        question_free(q);
    }
    client_close(m->client);
    free(m);
}
