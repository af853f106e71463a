/* SPDX-License-Identifier: MIT */
/*
 * Owns the runs. Everything a run decides is in run.c; here it is carried out: one timer per run,
 * jobs to sessions, parts of documents to the asker. Nothing here judges.
 */
#include "coordinator/dispatch.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/text.h"
#include "coordinator/recent.h"

/* One run under way. */
struct question {
    struct dispatch *dispatch;
    struct run *run;
    link_peer asker;
    uint64_t request, user_id;
    link_peer *peers; /* by vantage; 0 = none */
    bool watch;       /* the asker wants to see who has reported */
    px_mono shown;    /* when it was last shown that */
    struct event *timer;
    char *key;            /* what makes another question the same */
    uint64_t target_hash; /* host and port: runs with the same share handshake places */
    unsigned places;      /* that it held after the last step */
};

struct dispatch {
    struct event_base *base;
    struct dispatch_options options;
    struct nodes *nodes;
    const struct post *post;
    struct store_writer *writer;
    struct question **questions; /* oldest first, room for runs_max */
    size_t count;
    struct recent *recent;
};

static void dispatch_share(const struct dispatch *d, uint64_t target_hash);

/* ---- making and freeing ---- */

struct dispatch *dispatch_new(struct event_base *base, const struct dispatch_options *options,
                              struct nodes *nodes, const struct post *post,
                              struct store_writer *writer)
{
    struct dispatch *d = px_xcalloc(1, sizeof *d);
    d->base = base;
    d->options = *options;
    if (d->options.runs_max == 0)
        d->options.runs_max = DISPATCH_RUNS_MAX;
    if (d->options.per_user_max == 0)
        d->options.per_user_max = DISPATCH_PER_USER_MAX;
    d->nodes = nodes;
    d->post = post;
    d->writer = writer;
    d->recent = recent_new(DISPATCH_RECENT_MAX, DISPATCH_REUSE_MS * PX_MS);
    d->questions = px_xcalloc(d->options.runs_max, sizeof(d->questions[0]));
    return d;
}

static void question_free(struct question *q)
{
    struct dispatch *d = q->dispatch;
    size_t i = 0;
    while (d->questions[i] != q)
        i++;
    d->count--;
    memmove(&d->questions[i], &d->questions[i + 1], (d->count - i) * sizeof(d->questions[0]));
    event_free(q->timer);
    run_free(q->run);
    free(q->peers);
    free(q->key);
    free(q);
}

void dispatch_free(struct dispatch *d)
{
    if (!d)
        return;
    while (d->count > 0)
        question_free(d->questions[d->count - 1]);
    free(d->questions);
    recent_free(d->recent);
    free(d);
}

void dispatch_ask_clear(struct dispatch_ask *ask)
{
    if (ask->report)
        px_report_clear(ask->report);
    free(ask->report);
    free(ask->peers);
    ask->report = NULL;
    ask->peers = NULL;
}

/* ---- what goes out ---- */

static int question_post_job(const struct question *q, size_t vantage, const struct px_job *job)
{
    if (q->peers[vantage] == 0)
        return -1;
    struct wire_message *m = wire_new(WIRE_JOB);
    m->request = q->peers[vantage] == q->asker ? q->request : 0; /* here: which question it is of */
    m->u.job = *job;
    int sent = post_message(q->dispatch->post, q->peers[vantage], m);
    wire_free(m);
    return sent;
}

static void question_post_cancel(const struct question *q, size_t vantage, const struct px_job *job)
{
    if (q->peers[vantage] == 0)
        return;
    struct wire_message *m = wire_new(WIRE_CANCEL);
    m->u.cancel.id = job->id;
    px_text_copy(m->u.cancel.run_id, sizeof m->u.cancel.run_id, job->run_id);
    post_message(q->dispatch->post, q->peers[vantage], m);
    wire_free(m);
}

static void question_post_progress(const struct question *q)
{
    if (q->asker == 0)
        return;
    struct wire_message *m = wire_new(WIRE_PROGRESS);
    m->request = q->request;
    px_text_copy(m->u.progress.run_id, sizeof m->u.progress.run_id, run_report(q->run)->id);
    m->u.progress.round = run_round(q->run);
    m->u.progress.reported = (uint32_t)run_reported(q->run);
    m->u.progress.expected = (uint32_t)run_expected(q->run);
    post_message(q->dispatch->post, q->asker, m);
    wire_free(m);
}

static char *question_encode(const struct question *q)
{
    char *json = px_report_encode_json(run_report(q->run), false);
    if (!json)
        px_log(PX_LOG_ERROR, "run %s cannot be written as a document", run_report(q->run)->id);
    return json;
}

static void question_publish(const struct question *q)
{
    char *json = question_encode(q);
    px_log(PX_LOG_DEBUG, "run %s: verdict of round %u streamed", run_report(q->run)->id,
           (unsigned)run_round(q->run));
    if (json && q->asker)
        post_document(q->dispatch->post, q->asker, q->request, run_report(q->run)->id, json, false);
    free(json);
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

/* Who has reported so far, for eyes; a large picture not more often than they can follow. */
static void question_show(struct question *q)
{
    px_mono now = px_mono_now();
    bool large = run_report(q->run)->vantage_count > DISPATCH_WATCH_SMALL;
    if (!q->watch || (large && q->shown && now - q->shown < DISPATCH_WATCH_MS * PX_MS))
        return;
    q->shown = now;
    char *json = question_encode(q);
    if (json && q->asker)
        post_document(q->dispatch->post, q->asker, q->request, run_report(q->run)->id, json, false);
    free(json);
}

static void question_log(const struct question *q)
{
    const struct px_report *r = run_report(q->run);
    char url[256];
    px_log(PX_LOG_INFO, "run %s %s: %s in %.0f ms, %zu vantage%s, %u round%s", r->id,
           px_text_safe(r->target.url, 200, url, sizeof url),
           r->finished ? px_status_name(r->verdict.status) : "stopped", r->took_ms,
           r->vantage_count, plural(r->vantage_count), (unsigned)r->rounds, plural(r->rounds));
}

static void question_keep(const struct question *q, const char *json)
{
    struct dispatch *d = q->dispatch;
    const struct px_report *r = run_report(q->run);
    struct store_run row = {
        .started = r->started, .url = r->target.url, .status = px_status_name(r->verdict.status)};
    px_text_copy(row.id, sizeof row.id, r->id);
    recent_add(d->recent, q->key, r->id, json, px_mono_now());
    if (d->writer)
        store_writer_add_run(d->writer, &row, px_xstrdup(json));
}

/* The last document goes out before anything is kept: storage never delays an answer. */
static void question_finish(struct question *q)
{
    struct dispatch *d = q->dispatch;
    uint64_t target_hash = q->target_hash;
    char *json = question_encode(q);
    if (json && q->asker)
        post_document(d->post, q->asker, q->request, run_report(q->run)->id, json, true);
    question_log(q);
    if (json && run_report(q->run)->finished)
        question_keep(q, json);
    free(json);
    question_free(q);
    dispatch_share(d, target_hash);
}

/* ---- carrying out ---- */

/* How many handshakes this run may have: what is left of the target's places. */
static void question_allot(const struct question *q)
{
    const struct dispatch *d = q->dispatch;
    unsigned others = 0;
    for (size_t i = 0; i < d->count; i++)
        if (d->questions[i] != q && d->questions[i]->target_hash == q->target_hash)
            others += run_handshakes(d->questions[i]->run);
    run_set_handshakes(q->run, others < PLAN_HANDSHAKES_MAX ? PLAN_HANDSHAKES_MAX - others : 0);
}

/* A place came free: runs that wait for one at the same target go on, from the loop. */
static void dispatch_share(const struct dispatch *d, uint64_t target_hash)
{
    for (size_t i = 0; i < d->count; i++) {
        const struct question *q = d->questions[i];
        if (q->target_hash == target_hash && run_handshakes_waiting(q->run) > 0)
            event_active(q->timer, EV_TIMEOUT, 0);
    }
}

static void question_wait(const struct question *q, px_mono until)
{
    int64_t left = until - px_mono_now();
    int64_t us = left > 0 ? (left + 999) / 1000 : 0;
    struct timeval tv = {.tv_sec = us / 1000000, .tv_usec = us % 1000000};
    event_add(q->timer, &tv);
}

/* One action that is not the end. Returns false when the run waits. */
static bool question_act(struct question *q, const struct run_action *a)
{
    switch (a->kind) {
    case RUN_SEND:
        if (question_post_job(q, a->vantage, &a->job) != 0)
            run_on_vantage_gone(q->run, a->vantage, px_mono_now());
        return true;
    case RUN_CANCEL:
        question_post_cancel(q, a->vantage, &a->job);
        return true;
    case RUN_PUBLISH:
        question_publish(q);
        return true;
    case RUN_WAIT:
        question_wait(q, a->until);
        return false;
    case RUN_FINISH:
        break;
    }
    return false;
}

/* Do what the run says until it waits or ends; after the end q is gone. */
static void question_pump(struct question *q)
{
    struct run_action a;
    question_allot(q);
    do
        run_next(q->run, px_mono_now(), &a);
    while (question_act(q, &a));
    if (a.kind == RUN_FINISH) {
        question_finish(q);
        return;
    }
    if (run_handshakes(q->run) < q->places)
        dispatch_share(q->dispatch, q->target_hash);
    q->places = run_handshakes(q->run);
}

static void question_on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    question_pump(arg);
}

/* ---- questions come in ---- */

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    return hash;
}

static uint64_t target_hash_of(const struct px_target *t)
{
    return hash_text(1469598103934665603u + t->port, t->host);
}

/* Two questions are the same if target, depth, limits and vantages are; "here" is another place for
 * every asker. */
static char *key_of(const struct dispatch_ask *ask)
{
    const struct px_report *r = ask->report;
    size_t size = sizeof r->target.url + 128 + r->vantage_count * (PX_NAME_MAX + 4);
    char *key = px_xcalloc(1, size);
    int used = snprintf(key, size, "%s %d %u %u %" PRIu64, r->target.url,
                        (int)plan_depth(&ask->wish, &r->target), (unsigned)ask->wish.timeout_ms,
                        (unsigned)ask->wish.rounds_max,
                        px_report_find_vantage(r, "here") >= 0 ? ask->user_id : 0);
    for (size_t i = 0; i < r->vantage_count; i++)
        used += snprintf(key + used, size - (size_t)used, " %s%s", r->vantages[i].name,
                         r->vantages[i].presence == PX_PRESENT ? "" : "-");
    return key;
}

/* The finished document again, every result marked, with a note on its age. NULL if it cannot be.
 */
static char *document_mark_reused(const char *json, int64_t age, char id[PX_ID_TEXT])
{
    struct px_report r;
    struct px_err err;
    char text[PX_DURATION_TEXT], *again = NULL;
    if (px_report_decode_json(json, strlen(json), &r, &err) == 0) {
        for (size_t i = 0; i < r.observation_count; i++)
            r.observations[i].reused = true;
        px_strs_addf(&r.notes, "showing results of %s ago; --fresh probes again",
                     px_duration_format(age, text));
        px_text_copy(id, PX_ID_TEXT, r.id);
        again = px_report_encode_json(&r, false);
    } else {
        px_log(PX_LOG_WARN, "a finished run cannot be read again: %s", err.message);
    }
    px_report_clear(&r);
    return again;
}

bool dispatch_reuse(struct dispatch *d, struct dispatch_ask *ask)
{
    int64_t age = 0;
    char id[PX_ID_TEXT] = "";
    if (ask->wish.fresh)
        return false;
    char *key = key_of(ask);
    const char *json = recent_find_key(d->recent, key, px_mono_now(), &age);
    char *again = json ? document_mark_reused(json, age, id) : NULL;
    free(key);
    if (!again)
        return false;
    post_document(d->post, ask->asker, ask->request, id, again, true);
    free(again);
    dispatch_ask_clear(ask);
    return true;
}

static unsigned dispatch_count_user(const struct dispatch *d, uint64_t user_id)
{
    unsigned n = 0;
    for (size_t i = 0; i < d->count; i++)
        n += d->questions[i]->user_id == user_id;
    return n;
}

static int dispatch_admit(const struct dispatch *d, uint64_t user_id, struct px_err *err)
{
    if (d->count >= d->options.runs_max) {
        px_err_set(err, "busy", "%u runs are under way, the most this coordinator takes",
                   d->options.runs_max);
        return px_err_hint(err, "try again in a few seconds");
    }
    if (dispatch_count_user(d, user_id) >= d->options.per_user_max) {
        px_err_set(err, "busy", "%u of your runs are under way, the most one key may have",
                   d->options.per_user_max);
        return px_err_hint(err, "wait until some have ended");
    }
    return 0;
}

/* Half the round trip of each node, so that all start at the same moment. */
static void question_set_delays(const struct question *q)
{
    for (size_t i = 0; i < run_report(q->run)->vantage_count; i++) {
        const struct session *s = nodes_find_session(q->dispatch->nodes, q->peers[i]);
        if (s && s->rtt > 0)
            run_set_delay(q->run, i, (uint32_t)(s->rtt / 2 / PX_MS));
    }
}

int dispatch_start(struct dispatch *d, const struct dispatch_ask *ask, struct px_err *err)
{
    if (dispatch_admit(d, ask->user_id, err) != 0)
        return -1;
    struct question *q = px_xcalloc(1, sizeof *q);
    q->dispatch = d;
    q->asker = ask->asker;
    q->request = ask->request;
    q->user_id = ask->user_id;
    q->peers = ask->peers;
    q->watch = ask->watch;
    q->key = key_of(ask);
    q->target_hash = target_hash_of(&ask->report->target);
    q->run = run_new(ask->report, &ask->wish, d->options.judge, px_mono_now());
    q->timer = evtimer_new(d->base, question_on_timer, q);
    if (!q->timer)
        abort(); /* memory is out, as in px_xcalloc */
    d->questions[d->count++] = q;
    question_set_delays(q);
    question_post_progress(q);
    question_show(q);
    event_active(q->timer, EV_TIMEOUT, 0); /* begins from the loop */
    return 0;
}

/* ---- events ---- */

static struct question *question_find(const struct dispatch *d, const char *run_id)
{
    for (size_t i = 0; i < d->count; i++)
        if (strcmp(run_report(d->questions[i]->run)->id, run_id) == 0)
            return d->questions[i];
    return NULL;
}

px_wall dispatch_run_started(const struct dispatch *d, const char *run_id)
{
    const struct question *q = question_find(d, run_id);
    return q ? run_report(q->run)->started : 0;
}

enum dispatch_taken dispatch_on_observation(struct dispatch *d, link_peer from,
                                            const struct px_observation *o)
{
    struct question *q = question_find(d, o->run_id);
    bool asked = false;
    if (!q)
        return DISPATCH_UNKNOWN;
    for (size_t i = 0; i < run_report(q->run)->vantage_count; i++) {
        if (q->peers[i] != from)
            continue;
        if (run_on_observation(q->run, i, o, px_mono_now())) {
            question_post_progress(q);
            question_show(q);
            question_pump(q);
            return DISPATCH_TAKEN;
        }
        asked = asked || run_asked(q->run, i, o->job_id);
    }
    return asked ? DISPATCH_REPEATED : DISPATCH_FOREIGN;
}

/* The vantages of this session are away; true if the run has to go on without. */
static bool question_lose(const struct question *q, link_peer peer)
{
    bool lost = false;
    for (size_t i = 0; i < run_report(q->run)->vantage_count; i++) {
        if (q->peers[i] != peer)
            continue;
        q->peers[i] = 0;
        run_on_vantage_gone(q->run, i, px_mono_now());
        lost = true;
    }
    return lost;
}

void dispatch_on_gone(struct dispatch *d, link_peer peer)
{
    for (size_t i = 0; i < d->count; i++) {
        struct question *q = d->questions[i];
        bool touched = question_lose(q, peer);
        if (q->asker == peer) {
            q->asker = 0;
            run_on_cancel(q->run, px_mono_now());
            touched = true;
        }
        if (touched)
            event_active(q->timer, EV_TIMEOUT, 0);
    }
}

bool dispatch_on_stop(struct dispatch *d, link_peer asker, uint64_t request)
{
    for (size_t i = 0; i < d->count; i++) {
        const struct question *q = d->questions[i];
        if (q->asker != asker || q->request != request)
            continue;
        px_log(PX_LOG_DEBUG, "run %s stopped by its asker while %s", run_report(q->run)->id,
               run_state_name(q->run));
        run_on_cancel(q->run, px_mono_now());
        event_active(q->timer, EV_TIMEOUT, 0);
        return true;
    }
    return false;
}

void dispatch_abandon(struct dispatch *d, const struct px_err *why)
{
    while (d->count > 0) {
        struct question *q = d->questions[d->count - 1];
        if (q->asker)
            post_error(d->post, q->asker, q->request, why);
        question_free(q);
    }
}

const char *dispatch_find_recent(const struct dispatch *d, const char *prefix, char id[PX_ID_TEXT])
{
    return recent_find_id(d->recent, prefix, id);
}

size_t dispatch_count(const struct dispatch *d)
{
    return d->count;
}
