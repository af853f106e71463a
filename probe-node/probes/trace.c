/* SPDX-License-Identifier: MIT */
/*
 * Which routers does a SYN to the failing port pass, and where does the way end? TCP connects with
 * growing TTL, without privileges: a router's "time exceeded" comes through the error queue. Hops
 * are asked in windows, eight at once on a silent port, two at once on one that answers, so that
 * the target answers at most two of them. Each hop has another source port, hence possibly another
 * way.
 *
 *   ask a window ----> wait ----> done
 *        \______________/
 */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/text.h"
#include "probe-node/probes/net.h"
#include "probe-node/probes/net_connect.h"
#include "probe-node/probes/probe.h"

#define TRACE_TTL_MAX 30
#define TRACE_WINDOW_SILENT 8
#define TRACE_WINDOW_ANSWERING 2
#define TRACE_HOP_LIMIT (2 * PX_SEC)
#define TRACE_PATIENCE_LEAST (300 * PX_MS)
#define TRACE_TAIL 4       /* so many silent hops after the last answer: nothing more comes */
#define TRACE_TAIL_LONG 12 /* the same while more is to be expected */

_Static_assert(TRACE_TTL_MAX <= PX_HOPS_MAX, "a place for every hop");

enum trace_state { TRACE_ST_ASK, TRACE_ST_WAIT, TRACE_ST_DONE, TRACE_ST_COUNT };

static const char *const trace_state_names[] = {"ask", "wait", "done"};
_Static_assert(sizeof(trace_state_names) / sizeof(trace_state_names[0]) == TRACE_ST_COUNT,
               "a name for every state");

struct hop {
    struct probe *owner;
    struct net_connect connect;
    bool running, answered;
};

struct probe {
    enum trace_state state;
    struct event_base *base;
    struct event *timer;
    struct px_observation *obs;
    struct probe_connected *connected, ignored;
    struct px_addr address, source;
    uint16_t port;
    bool answering;
    px_mono deadline;
    px_mono patience; /* how long a hop is worth waiting for */
    unsigned asked;   /* TTLs 1..asked have been tried */
    unsigned last;    /* highest TTL that was answered, 0 = none */
    unsigned end;     /* lowest TTL at which the way ended, 0 = not found */
    bool reached;     /* ... at the target */
    probe_done *done;
    void *arg;
    struct hop hops[TRACE_TTL_MAX]; /* by TTL - 1 */
};

static void release(struct probe *p)
{
    if (p->timer != NULL)
        event_free(p->timer);
    p->timer = NULL;
    for (unsigned i = 0; i < p->asked; i++)
        (void)net_connect_close(&p->hops[i].connect);
}

/* The only writer of the state. */
static void x_enter(struct probe *p, enum trace_state state, const char *why)
{
    px_log(PX_LOG_DEBUG, "trace: %s -> %s, %s, %u asked", trace_state_names[p->state],
           trace_state_names[state], why, p->asked);
    p->state = state;
}

/* Silent hops after the last answer that were given a fair chance. */
static unsigned count_tail(const struct probe *p, px_mono now)
{
    unsigned n = 0;

    while (p->last + n < p->asked && n < TRACE_TAIL &&
           now - p->hops[p->last + n].connect.sent >= p->patience)
        n++;
    return n;
}

static void write_hop(struct px_hop *out, const struct hop *h, unsigned ttl)
{
    const struct px_attempt *a = &h->connect.attempt;

    *out = (struct px_hop){.ttl = (uint8_t)ttl, .ms = -1};
    if (!h->answered)
        return;
    out->from = a->icmp.from.family != 0 ? a->icmp.from : h->connect.address;
    out->type = a->icmp.type;
    out->code = a->icmp.code;
    out->ms = a->ms;
}

/* Without an end that was really seen a list of hops would look like a way that ends there, so
 * then there is none. */
static void write_result(const struct probe *p)
{
    struct px_trace *t = &p->obs->trace;
    unsigned tail = count_tail(p, px_mono_now());
    unsigned count = p->end > 0 ? p->end : p->last + tail;

    if (p->asked == 0 || (p->end == 0 && tail == 0 && p->last < TRACE_TTL_MAX))
        return;
    *t = (struct px_trace){.ran = true, .reached = p->reached, .flow_varied = true};
    t->count = (uint8_t)count;
    for (unsigned i = 0; i < count; i++)
        write_hop(&t->hops[i], &p->hops[i], i + 1);
}

/* Called exactly once, last in every path: done may free p. */
static void x_finish(struct probe *p, const char *why)
{
    write_result(p);
    x_enter(p, TRACE_ST_DONE, why);
    release(p);
    p->done(p->arg, p);
}

/* Everything beyond the end is answered by the end itself: of no interest. */
static void drop_beyond(struct probe *p)
{
    for (unsigned i = p->end; i < p->asked; i++) {
        (void)net_connect_close(&p->hops[i].connect);
        p->hops[i].running = false;
    }
}

/* Has the sender of this hop's answer been passed twice before, with others in between? One that
 * answers in a row is no circle: some networks answer for all their routers with one address. */
static bool is_circle(const struct probe *p, unsigned ttl)
{
    const struct px_addr *from = &p->hops[ttl - 1].connect.attempt.icmp.from;
    unsigned passes = 0;
    bool other = false;

    for (unsigned i = ttl - 1; i-- > 0;) {
        if (!p->hops[i].answered)
            continue;
        if (!px_addr_equal(&p->hops[i].connect.attempt.icmp.from, from)) {
            other = true;
        } else if (other) {
            passes++;
            other = false;
        }
    }
    return passes >= 2;
}

/* An answer; silence and our own failures are none. */
static void note_answer(struct probe *p, struct hop *h)
{
    const struct px_attempt *a = &h->connect.attempt;
    unsigned ttl = (unsigned)(h - p->hops) + 1;
    bool target = net_is_from_target(a, &p->address);

    if (!target && (a->icmp.from.family == 0 || a->icmp.own))
        return;
    h->answered = true;
    if (ttl > p->last)
        p->last = ttl;
    if ((px_mono)(2 * a->ms * PX_MS) + TRACE_PATIENCE_LEAST > p->patience)
        p->patience = (px_mono)(2 * a->ms * PX_MS) + TRACE_PATIENCE_LEAST;
    if (p->patience > TRACE_HOP_LIMIT)
        p->patience = TRACE_HOP_LIMIT;
    if (a->code == PX_CODE_LOOPED && !target && !is_circle(p, ttl))
        return; /* a router on the way */
    if (p->end == 0 || ttl < p->end) {
        p->end = ttl;
        p->reached = target;
    }
    p->last = p->last < p->end ? p->last : p->end;
    drop_beyond(p);
}

static bool is_any_running(const struct probe *p)
{
    for (unsigned i = 0; i < p->asked; i++) {
        if (p->hops[i].running)
            return true;
    }
    return false;
}

/* Until when the unanswered hops are worth waiting for; 0 = there are none. */
static px_mono waiting_until(const struct probe *p)
{
    px_mono due = 0;

    for (unsigned i = 0; i < p->asked; i++) {
        if (p->hops[i].running && p->hops[i].connect.sent + p->patience > due)
            due = p->hops[i].connect.sent + p->patience;
    }
    return due;
}

static void step(struct probe *p);

static void on_settled(void *arg, struct net_connect *c)
{
    struct hop *h = arg;
    struct probe *p = h->owner;

    h->running = false;
    p->connected->noticed += net_connect_close(c);
    p->connected->answered += net_is_from_target(&c->attempt, &p->address);
    note_answer(p, h);
    step(p);
}

static bool ask_hop(struct probe *p, px_mono now)
{
    struct hop *h = &p->hops[p->asked];
    const struct net_connect_request wish = {
        .address = p->address,
        .source = p->source,
        .port = p->port,
        .hops = (uint8_t)(p->asked + 1),
        .deadline = p->deadline < now + TRACE_HOP_LIMIT ? p->deadline : now + TRACE_HOP_LIMIT,
    };

    h->owner = p;
    h->running = net_connect_start(&h->connect, p->base, &wish, on_settled, h) == 0;
    if (h->running)
        p->asked++;
    return h->running;
}

/* False: nothing more can be asked. */
static bool ask_window(struct probe *p, px_mono now)
{
    unsigned size = p->answering ? TRACE_WINDOW_ANSWERING : TRACE_WINDOW_SILENT, n = 0;

    x_enter(p, TRACE_ST_ASK, "next window");
    while (n < size && p->asked < TRACE_TTL_MAX && ask_hop(p, now))
        n++;
    return n > 0;
}

static void wait_until(struct probe *p, px_mono due, px_mono now)
{
    struct timeval tv = net_wait(now, due < p->deadline ? due : p->deadline);

    if (p->state != TRACE_ST_WAIT)
        x_enter(p, TRACE_ST_WAIT, "answers");
    (void)event_add(p->timer, &tv);
}

/* The first routers of many a network are silent, and behind silent ones there is still a target
 * that is known to answer. */
static bool is_tail_reached(const struct probe *p)
{
    bool expect = p->answering || p->last == 0;

    return p->asked - p->last >= (expect ? TRACE_TAIL_LONG : TRACE_TAIL);
}

/* What to do now: the order of the tests is the order of their weight. */
static void step(struct probe *p)
{
    px_mono now = px_mono_now(), due = waiting_until(p);
    bool full = is_tail_reached(p) || p->asked == TRACE_TTL_MAX;

    if (now >= p->deadline)
        x_finish(p, "out of time");
    else if (now < due && (p->end > 0 || !full))
        wait_until(p, due, now);
    else if (p->end > 0)
        x_finish(p, p->reached ? "reached" : "ended on the way");
    else if (full && is_any_running(p))
        wait_until(p, p->deadline, now); /* every hop has its own limit, and the last one ends it */
    else if (full)
        x_finish(p, "silence");
    else if (ask_window(p, now))
        wait_until(p, now + p->patience, now);
    else
        x_finish(p, "cannot ask");
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    step(arg);
}

/* Round trips of the target that are known already: a window on an answering port must not be
 * given up before they are over. */
static px_mono known_patience(const struct px_observation *obs)
{
    double ms = 0;

    for (uint32_t i = 0; i <= PX_REPEATS_MAX; i++) {
        const struct px_attempt *a = &obs->attempts[i];
        if (px_code_kind(a->code) != PX_KIND_VANTAGE && a->code != PX_CODE_NO_ANSWER && a->ms > ms)
            ms = a->ms;
    }
    if (ms > (double)(TRACE_HOP_LIMIT - TRACE_PATIENCE_LEAST) / (2.0 * PX_MS))
        return TRACE_HOP_LIMIT;
    return TRACE_PATIENCE_LEAST + (px_mono)(2 * ms * PX_MS);
}

static void trace_free(struct probe *p)
{
    if (p == NULL)
        return;
    release(p);
    free(p);
}

static void trace_cancel(struct probe *p)
{
    if (p != NULL && p->state != TRACE_ST_DONE)
        write_result(p);
    trace_free(p);
}

static struct probe *trace_start(struct event_base *base, const struct probe_request *request,
                                 struct px_observation *obs, probe_done *done, void *arg)
{
    struct probe *p = px_xcalloc(1, sizeof(*p));
    px_mono now = px_mono_now();

    p->base = base;
    p->obs = obs;
    p->address = request->address;
    p->source = request->source;
    p->port = request->port;
    p->answering = request->answering;
    p->connected = request->connected != NULL ? request->connected : &p->ignored;
    p->deadline = request->deadline;
    p->patience = known_patience(obs);
    p->done = done;
    p->arg = arg;
    p->timer = evtimer_new(base, on_timer, p);
    if (p->timer == NULL || !ask_window(p, now)) {
        trace_free(p);
        return NULL;
    }
    wait_until(p, now + p->patience, now);
    return p;
}

const struct probe_ops trace_probe_ops = {
    .name = "trace",
    .stage = PX_STAGE_TRACE,
    .start = trace_start,
    .cancel = trace_cancel,
    .free = trace_free,
};
