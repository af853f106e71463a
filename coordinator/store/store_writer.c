/* SPDX-License-Identifier: MIT */
/*
 * The writing thread: takes the whole queue, writes it in one transaction, repeats. While a commit
 * runs the next batch gathers, so the batch grows with the load by itself.
 */
#include "coordinator/store/store_writer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/log.h"
#include "common/text.h"

#define REMOVE_EVERY (3600L * PX_SEC)

enum task_kind { TASK_RUN, TASK_PEER, TASK_AUDIT, TASK_KINDS };

struct task {
    STAILQ_ENTRY(task) next;
    enum task_kind kind;
    size_t size;
    struct store_run run;
    struct store_peer peer;
    px_wall at;
    char *texts[3]; /* run: url, status, json; audit: who, what, detail */
};
STAILQ_HEAD(task_list, task);

struct store_writer {
    struct store *store; /* used by the thread only */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake, idle;
    struct task_list queue; /* below: under the lock */
    unsigned count;
    size_t bytes;
    unsigned long lost;
    bool busy, stopping, full_said;
    px_mono removed; /* thread only */
    bool paused;     /* thread only: the last batch failed */
};

static void task_free(struct task *t)
{
    for (size_t i = 0; i < sizeof t->texts / sizeof *t->texts; i++)
        free(t->texts[i]);
    free(t);
}

static int task_write_run(struct store *s, struct task *t, struct px_err *err)
{
    t->run.url = t->texts[0];
    t->run.status = t->texts[1];
    t->run.json = t->texts[2];
    return store_add_run(s, &t->run, err);
}

static int task_write_peer(struct store *s, struct task *t, struct px_err *err)
{
    return store_update_peer(s, &t->peer, err);
}

static int task_write_audit(struct store *s, struct task *t, struct px_err *err)
{
    return store_add_audit(s, t->at, t->texts[0], t->texts[1], t->texts[2], err);
}

static int (*const task_writers[TASK_KINDS])(struct store *, struct task *, struct px_err *) = {
    [TASK_RUN] = task_write_run,
    [TASK_PEER] = task_write_peer,
    [TASK_AUDIT] = task_write_audit,
};

/* ---- the thread ---- */

static int batch_write(struct store_writer *w, struct task_list *batch, struct px_err *err)
{
    struct task *t;
    if (store_begin(w->store, err) != 0)
        return -1;
    STAILQ_FOREACH(t, batch, next)
    if (task_writers[t->kind](w->store, t, err) != 0)
        goto fail;
    if (px_mono_now() - w->removed > REMOVE_EVERY) {
        if (store_remove_runs(w->store, px_wall_now() - STORE_KEEP_RUNS, err) != 0)
            goto fail;
        w->removed = px_mono_now();
    }
    if (store_commit(w->store, err) == 0)
        return 0;
fail:
    store_rollback(w->store);
    return -1;
}

/* Said when it begins and when it is over, not for every batch in between. */
static void batch_report(struct store_writer *w, int failed, const struct px_err *err)
{
    if (failed && !w->paused)
        px_log(PX_LOG_ERROR, "%s; probing goes on, history is paused", err->message);
    else if (!failed && w->paused)
        px_log(PX_LOG_INFO, "the store can be written again, history goes on");
    w->paused = failed;
}

static void batch_run(struct store_writer *w, struct task_list *batch, unsigned count)
{
    struct px_err err = {0};
    struct task *t;
    int failed = batch_write(w, batch, &err);
    batch_report(w, failed, &err);
    while ((t = STAILQ_FIRST(batch))) {
        STAILQ_REMOVE_HEAD(batch, next);
        task_free(t);
    }
    pthread_mutex_lock(&w->lock);
    if (failed)
        w->lost += count;
    w->busy = false;
    pthread_cond_broadcast(&w->idle);
    pthread_mutex_unlock(&w->lock);
}

/* Waits for work and takes all there is; 0 entries mean that it is time to stop. */
static unsigned batch_take(struct store_writer *w, struct task_list *batch)
{
    pthread_mutex_lock(&w->lock);
    while (w->count == 0 && !w->stopping)
        pthread_cond_wait(&w->wake, &w->lock);
    STAILQ_CONCAT(batch, &w->queue);
    unsigned count = w->count;
    w->count = 0;
    w->bytes = 0;
    w->full_said = false;
    w->busy = count > 0;
    pthread_mutex_unlock(&w->lock);
    return count;
}

static void *writer_main(void *arg)
{
    struct task_list batch = STAILQ_HEAD_INITIALIZER(batch);
    unsigned count;
    while ((count = batch_take(arg, &batch)) > 0)
        batch_run(arg, &batch, count);
    return NULL;
}

/* ---- the loop's side ---- */

struct store_writer *store_writer_open(const char *path, struct px_err *err)
{
    struct store *store = store_open(path, false, err);
    if (!store)
        return NULL;
    struct store_writer *w = px_xcalloc(1, sizeof *w);
    w->store = store;
    w->removed = px_mono_now() - REMOVE_EVERY - 1; /* the first batch clears up */
    STAILQ_INIT(&w->queue);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    pthread_cond_init(&w->idle, NULL);
    if (pthread_create(&w->thread, NULL, writer_main, w) == 0)
        return w;
    px_err_set(err, "store-failed", "cannot start the storage thread");
    store_close(store);
    free(w);
    return NULL;
}

void store_writer_close(struct store_writer *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->wake);
    pthread_cond_destroy(&w->idle);
    store_close(w->store);
    free(w);
}

static void writer_put(struct store_writer *w, struct task *t)
{
    pthread_mutex_lock(&w->lock);
    bool full = w->count >= STORE_QUEUE_MAX || w->bytes + t->size > STORE_QUEUE_BYTES;
    bool say = full && !w->full_said;
    if (full) {
        w->lost++;
        w->full_said = true;
    } else {
        STAILQ_INSERT_TAIL(&w->queue, t, next);
        w->count++;
        w->bytes += t->size;
        pthread_cond_signal(&w->wake);
    }
    pthread_mutex_unlock(&w->lock);
    if (full)
        task_free(t);
    if (say)
        px_log(PX_LOG_ERROR, "the disk cannot keep up; probing goes on, history has gaps");
}

static struct task *task_new(enum task_kind kind, char *a, char *b, char *c)
{
    struct task *t = px_xcalloc(1, sizeof *t);
    t->kind = kind;
    t->texts[0] = a;
    t->texts[1] = b;
    t->texts[2] = c;
    t->size = sizeof *t + (c ? strlen(c) : 0);
    return t;
}

void store_writer_add_run(struct store_writer *w, const struct store_run *r, char *json)
{
    struct task *t = task_new(TASK_RUN, px_xstrdup(r->url), px_xstrdup(r->status), json);
    t->run = *r;
    writer_put(w, t);
}

void store_writer_update_peer(struct store_writer *w, const struct store_peer *p)
{
    struct task *t = task_new(TASK_PEER, NULL, NULL, NULL);
    t->peer = *p;
    writer_put(w, t);
}

void store_writer_add_audit(struct store_writer *w, px_wall at, const char *who, const char *what,
                            const char *detail)
{
    struct task *t = task_new(TASK_AUDIT, px_xstrdup(who), px_xstrdup(what), px_xstrdup(detail));
    t->at = at;
    writer_put(w, t);
}

unsigned long store_writer_lost(struct store_writer *w)
{
    pthread_mutex_lock(&w->lock);
    unsigned long lost = w->lost;
    pthread_mutex_unlock(&w->lock);
    return lost;
}

void store_writer_flush(struct store_writer *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->busy || !STAILQ_EMPTY(&w->queue))
        pthread_cond_wait(&w->idle, &w->lock);
    pthread_mutex_unlock(&w->lock);
}
