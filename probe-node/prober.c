/* SPDX-License-Identifier: MIT */
/*
 * The prober itself: who is under way, how many at most, how late the event loop is. What a job
 * does stands in prober_job.c, its side probes in prober_sides.c.
 */
#include "probe-node/prober.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "probe-node/prober_job.h"
#include "probe-node/probes/net.h"
#include "probe-node/probes/net_resolve.h"

#define JOBS_MAX_DEFAULT 512
#define HANDSHAKES_MAX_DEFAULT 128
#define TICK (100 * PX_MS)

/* ---- what this machine can do ---- */

char *prober_capabilities(char *out)
{
    bool v4 = net_can_open(AF_INET, SOCK_STREAM, 0), v6 = net_can_open(AF_INET6, SOCK_STREAM, 0);
    const struct {
        const char *word;
        bool can;
    } table[] = {
        {"tcp", v4 || v6},
        {"ssh", (v4 || v6) && probe_find("ssh") != NULL},
        {"icmp", net_can_open(AF_INET, SOCK_DGRAM, IPPROTO_ICMP) ||
                     net_can_open(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6)},
        {"trace", net_can_ask_icmp()},
        {"ipv4", v4},
        {"ipv6", v6},
    };
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].can)
            used += (size_t)snprintf(out + used, PROBER_CAPABILITIES_TEXT - used, "%s%s",
                                     used > 0 ? "," : "", table[i].word);
    }
    return out;
}

/* ---- the loop's own delay ---- */

static void arm_tick(struct prober *p, px_mono now)
{
    struct timeval tv = net_wait(now, now + TICK);

    p->tick_due = now + TICK;
    (void)event_add(p->tick, &tv);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct prober *p = arg;
    px_mono now = px_mono_now();

    (void)fd;
    (void)what;
    p->lags[p->ticks++ % PROBER_LAGS] = (float)net_ms(p->tick_due, now);
    p->tick_due = 0;
    if (p->busy > 0)
        arm_tick(p, now);
}

double prober_lag(const struct prober *p, uint64_t since, px_mono now)
{
    uint64_t from =
        p->ticks > PROBER_LAGS && since < p->ticks - PROBER_LAGS ? p->ticks - PROBER_LAGS : since;
    double worst = p->tick_due > 0 ? net_ms(p->tick_due, now) : 0;

    for (uint64_t i = from; i < p->ticks; i++) {
        if (p->lags[i % PROBER_LAGS] > worst)
            worst = p->lags[i % PROBER_LAGS];
    }
    return worst > 0 ? worst : 0;
}

/* ---- handshakes ---- */

bool prober_handshake_take(struct prober *p)
{
    if (p->handshakes >= p->options.handshakes_max)
        return false;
    p->handshakes++;
    return true;
}

void prober_handshake_offer(struct prober *p)
{
    struct prober_job *next = TAILQ_FIRST(&p->waiting);

    if (next != NULL && p->handshakes < p->options.handshakes_max)
        event_active(&next->timer, EV_TIMEOUT, 0);
}

void prober_handshake_return(struct prober *p)
{
    p->handshakes--;
    prober_handshake_offer(p);
}

/* ---- jobs ---- */

bool prober_consents(const struct prober *p, const struct px_addr *a, uint16_t port)
{
    return p->options.consents == NULL || p->options.consents(p->options.consent_arg, a, port);
}

struct prober *prober_new(struct event_base *base, struct budget *budget,
                          const struct prober_options *options, struct px_err *err)
{
    struct prober *p = px_xcalloc(1, sizeof(*p));

    p->base = base;
    p->budget = budget;
    p->options = *options;
    if (p->options.jobs_max == 0)
        p->options.jobs_max = JOBS_MAX_DEFAULT;
    if (p->options.handshakes_max == 0)
        p->options.handshakes_max = HANDSHAKES_MAX_DEFAULT;
    if (p->options.reference_count > PX_REFERENCES_MAX)
        p->options.reference_count = PX_REFERENCES_MAX;
    TAILQ_INIT(&p->jobs);
    TAILQ_INIT(&p->waiting);
    px_observation_init(&p->known);
    for (size_t i = 0; i < PX_REFERENCES_MAX; i++)
        p->references[i].prober = p;
    p->tick = evtimer_new(base, on_tick, p);
    if (p->tick == NULL) {
        free(p);
        px_err_set(err, "no-event", "the event loop gives no timer for the prober");
        return NULL;
    }
    return p;
}

void prober_free(struct prober *p)
{
    struct prober_job *j;

    if (p == NULL)
        return;
    while ((j = TAILQ_FIRST(&p->jobs)) != NULL)
        prober_job_free(j);
    prober_references_cancel(p);
    event_free(p->tick);
    net_lookup_reap();
    free(p);
}

void prober_submit(struct prober *p, const struct px_job *job, prober_done *done, void *arg)
{
    if (p->tick_due == 0)
        arm_tick(p, px_mono_now());
    prober_job_start(p, job, done, arg);
}

void prober_cancel(struct prober *p, const char *run_id, uint64_t id)
{
    struct prober_job *j;

    TAILQ_FOREACH(j, &p->jobs, link)
    {
        if (j->job.id == id && strcmp(j->job.run_id, run_id) == 0)
            prober_job_end(j, PX_CODE_NOT_RUN);
    }
}

unsigned prober_busy(const struct prober *p)
{
    return p->busy;
}
