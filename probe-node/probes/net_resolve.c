/* SPDX-License-Identifier: MIT */
/*
 * A lookup is two objects: the task, which a thread works on, and the lookup, which the event loop
 * waits with. Who gives up first hands the task over to the other; the mutex says who that was.
 * Threads start when there is work and end when there is none.
 */
#include "probe-node/probes/net_resolve.h"

#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "common/text.h"
#include "probe-node/probes/net.h"

#define STACK_BYTES 524288U /* name service modules of other people run on it */

enum task_state {
    TASK_QUEUED,   /* the loop's, in the queue */
    TASK_WORKED,   /* a thread is inside getaddrinfo with it */
    TASK_FINISHED, /* the loop's again, result filled in */
};

enum worker_state { WORKER_FREE, WORKER_ALIVE, WORKER_ENDED /* to be joined */ };

struct worker {
    pthread_t thread;
    enum worker_state state;
    bool stuck; /* nobody waits for what it does */
};

struct task {
    STAILQ_ENTRY(task) link;
    enum task_state state;
    struct worker *worker;
    bool abandoned; /* the thread frees it */
    int wake;       /* eventfd of the lookup */
    px_mono begun;  /* when a thread took it */
    struct net_names names;
    char host[PX_HOST_MAX + 1];
};

struct net_lookup {
    struct task *task;
    int wake;
    struct event *event;
    px_mono started, deadline;
    net_lookup_done *done;
    void *arg;
};

static struct {
    pthread_mutex_t mutex; /* guards all of this and every task's state */
    STAILQ_HEAD(task_queue, task) queue;
    unsigned queued;
    struct worker workers[NET_LOOKUP_THREADS_MAX];
} pool = {.mutex = PTHREAD_MUTEX_INITIALIZER, .queue = STAILQ_HEAD_INITIALIZER(pool.queue)};

static void lock(void)
{
    (void)pthread_mutex_lock(&pool.mutex);
}

static void unlock(void)
{
    (void)pthread_mutex_unlock(&pool.mutex);
}

static void add_address(struct net_names *names, const struct sockaddr *sa)
{
    struct px_addr a;

    if (names->count == PX_ADDRS_MAX || !px_addr_from_sockaddr(sa, &a, NULL))
        return;
    for (uint32_t i = 0; i < names->count; i++) {
        if (px_addr_equal(&names->addresses[i], &a))
            return;
    }
    names->addresses[names->count++] = a;
}

static void resolve(const char *host, struct net_names *names)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
    int eai;

    errno = 0;
    eai = getaddrinfo(host, NULL, &hints, &list);
    names->code = net_code_of_name(eai, errno);
    if (eai != 0)
        return;
    for (const struct addrinfo *i = list; i != NULL; i = i->ai_next)
        add_address(names, i->ai_addr);
    freeaddrinfo(list);
    if (names->count == 0)
        names->code = PX_CODE_DNS_EMPTY;
}

/* Locked. Threads that could take the next task. */
static unsigned count_able(void)
{
    unsigned n = 0;

    for (size_t i = 0; i < NET_LOOKUP_THREADS_MAX; i++)
        n += pool.workers[i].state == WORKER_ALIVE && !pool.workers[i].stuck;
    return n;
}

/* Locked. The next task for this thread; NULL = end. */
static struct task *task_take(struct worker *w)
{
    struct task *t = STAILQ_FIRST(&pool.queue);

    w->stuck = false;
    if (t == NULL || count_able() > NET_LOOKUP_THREADS)
        return NULL;
    STAILQ_REMOVE_HEAD(&pool.queue, link);
    pool.queued--;
    t->state = TASK_WORKED;
    t->worker = w;
    t->begun = px_mono_now();
    return t;
}

/* Locked. */
static void task_finish(struct task *t, const struct net_names *names)
{
    const uint64_t one = 1;
    ssize_t n;

    if (t->abandoned) {
        free(t);
        return;
    }
    t->names = *names;
    t->state = TASK_FINISHED;
    n = write(t->wake, &one, sizeof(one)); /* an eventfd at zero takes it */
    (void)n;
}

static void *worker_run(void *arg)
{
    struct worker *w = arg;
    struct task *t;

    lock();
    while ((t = task_take(w)) != NULL) {
        struct net_names names = {.code = PX_CODE_UNKNOWN};
        char host[PX_HOST_MAX + 1];
        memcpy(host, t->host, sizeof(host));
        unlock();
        resolve(host, &names);
        lock();
        task_finish(t, &names);
    }
    w->state = WORKER_ENDED;
    unlock();
    return NULL;
}

/* Locked. Signals are the event loop's business. */
static int create_thread(struct worker *w)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    int error;

    (void)sigfillset(&all);
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&w->thread, &attributes, worker_run, w);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return error;
}

/* Locked. One more thread if there is work for it and room. */
static void worker_add(void)
{
    if (STAILQ_EMPTY(&pool.queue) || count_able() >= NET_LOOKUP_THREADS)
        return;
    for (size_t i = 0; i < NET_LOOKUP_THREADS_MAX; i++) {
        struct worker *w = &pool.workers[i];
        if (w->state == WORKER_ALIVE)
            continue;
        if (w->state == WORKER_ENDED)
            (void)pthread_join(w->thread, NULL); /* it has nothing left to do but return */
        w->stuck = false;
        w->state = create_thread(w) == 0 ? WORKER_ALIVE : WORKER_FREE;
        return;
    }
}

/* Queue the task; false if it would never be worked on. */
static bool task_add(struct task *t)
{
    bool added;

    lock();
    added = pool.queued < NET_LOOKUPS_MAX;
    if (added) {
        STAILQ_INSERT_TAIL(&pool.queue, t, link);
        pool.queued++;
        worker_add();
    }
    unlock();
    return added;
}

/* Locked. */
static void leave_queue(struct task *t)
{
    STAILQ_REMOVE(&pool.queue, t, task, link);
    pool.queued--;
}

/* Give the task up in whatever state it is. Returns when a thread had taken it, 0 = never. */
static px_mono task_abandon(struct task *t)
{
    px_mono begun;

    lock();
    begun = t->begun;
    if (t->state == TASK_QUEUED)
        leave_queue(t);
    if (t->state == TASK_WORKED) {
        t->abandoned = true;
        t->worker->stuck = true;
        worker_add();
    } else {
        free(t);
    }
    unlock();
    return begun;
}

/* Too late: because of the resolver, for want of a thread, or for want of time? */
static enum px_code code_of_delay(const struct net_lookup *l, px_mono begun)
{
    px_mono now = px_mono_now();

    if (begun > 0 && now - begun >= NET_LOOKUP_FAIR_WAIT)
        return PX_CODE_DNS_TIMEOUT;
    return now - l->started >= NET_LOOKUP_FAIR_WAIT ? PX_CODE_EXHAUSTED : PX_CODE_NOT_RUN;
}

static bool is_finished(struct net_lookup *l, struct net_names *names)
{
    bool finished;

    lock();
    finished = l->task->state == TASK_FINISHED;
    if (finished)
        *names = l->task->names;
    unlock();
    return finished;
}

static void arm(struct net_lookup *l)
{
    struct timeval tv = net_wait(px_mono_now(), l->deadline);

    (void)event_add(l->event, &tv);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct net_lookup *l = arg;
    struct net_names names = {.code = PX_CODE_UNKNOWN};

    (void)fd;
    (void)what;
    if (!is_finished(l, &names)) {
        if (px_mono_now() < l->deadline) {
            arm(l);
            return;
        }
        names.code = code_of_delay(l, task_abandon(l->task));
        l->task = NULL;
    }
    l->done(l->arg, &names);
}

struct net_lookup *net_lookup_start(struct event_base *base, const char *host, px_mono deadline,
                                    net_lookup_done *done, void *arg)
{
    struct net_lookup *l = px_xcalloc(1, sizeof(*l));
    struct task *t = px_xcalloc(1, sizeof(*t));
    px_mono now = px_mono_now();

    *l = (struct net_lookup){.started = now, .done = done, .arg = arg};
    l->deadline = deadline < now + NET_LOOKUP_LIMIT ? deadline : now + NET_LOOKUP_LIMIT;
    l->wake = t->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->wake >= 0)
        l->event = event_new(base, l->wake, EV_READ, on_wake, l);
    if (l->event == NULL || px_text_copy(t->host, sizeof(t->host), host) != 0 || !task_add(t)) {
        free(t);
        net_lookup_free(l);
        return NULL;
    }
    l->task = t;
    arm(l);
    return l;
}

void net_lookup_free(struct net_lookup *l)
{
    if (l == NULL)
        return;
    if (l->event != NULL)
        event_free(l->event);
    if (l->task != NULL)
        (void)task_abandon(l->task);
    if (l->wake >= 0)
        (void)close(l->wake);
    free(l);
}

void net_lookup_reap(void)
{
    for (size_t i = 0; i < NET_LOOKUP_THREADS_MAX; i++) {
        struct worker *w = &pool.workers[i];
        bool ended;
        lock();
        ended = w->state == WORKER_ENDED;
        unlock();
        if (!ended)
            continue;
        (void)pthread_join(w->thread, NULL);
        w->state = WORKER_FREE;
    }
}
