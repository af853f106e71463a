/* SPDX-License-Identifier: MIT */
/*
 * Can this vantage reach something that is known to be good? If not, its view of the target says
 * nothing about the target. The reference is "host:port", by name or number.
 *
 *   lookup ----> connect ----> done
 *      \___________________/
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/text.h"
#include "probe-node/probes/net_connect.h"
#include "probe-node/probes/net_resolve.h"
#include "probe-node/probes/probe.h"

struct probe {
    struct event_base *base;
    struct net_lookup *lookup;
    struct net_connect connect;
    struct px_addr source;
    uint16_t port;
    px_mono deadline;
    enum px_code *result;
    probe_done *done;
    void *arg;
};

static void on_settled(void *arg, struct net_connect *c)
{
    struct probe *p = arg;

    (void)net_connect_close(c);
    *p->result = c->attempt.code;
    p->done(p->arg, p);
}

/* False: it ended at once, with its code in the result. */
static bool start_connect(struct probe *p, const struct px_addr *address)
{
    px_mono limit = px_mono_now() + NET_CONNECT_LIMIT;
    const struct net_connect_request wish = {
        .address = *address,
        .source = address->family == p->source.family ? p->source : (struct px_addr){0},
        .port = p->port,
        .deadline = p->deadline < limit ? p->deadline : limit,
    };

    if (net_connect_start(&p->connect, p->base, &wish, on_settled, p) == 0)
        return true;
    *p->result = p->connect.attempt.code;
    return false;
}

static void on_names(void *arg, const struct net_names *names)
{
    struct probe *p = arg;

    *p->result = names->code;
    if (names->code != PX_CODE_OK || !start_connect(p, &names->addresses[0]))
        p->done(p->arg, p);
}

static void reference_free(struct probe *p)
{
    if (p == NULL)
        return;
    net_lookup_free(p->lookup);
    (void)net_connect_close(&p->connect);
    free(p);
}

/* Start with a name or a number; the same answer as start_connect. */
static bool start_host(struct probe *p, const char *name)
{
    struct px_target target;
    char url[sizeof(((struct px_reference *)0)->name) + 8];

    (void)snprintf(url, sizeof(url), "tcp://%s", name);
    if (px_target_parse(url, &target, NULL) != 0) {
        *p->result = PX_CODE_UNABLE; /* checked when configured, so this is not the usual way */
        return false;
    }
    p->port = target.port;
    if (target.literal.family != 0)
        return start_connect(p, &target.literal);
    p->lookup = net_lookup_start(p->base, target.host, p->deadline, on_names, p);
    if (p->lookup == NULL)
        *p->result = PX_CODE_EXHAUSTED;
    return p->lookup != NULL;
}

static struct probe *reference_start(struct event_base *base, const struct probe_request *request,
                                     struct px_observation *obs, probe_done *done, void *arg)
{
    struct probe *p = px_xcalloc(1, sizeof(*p));

    p->base = base;
    p->source = request->source;
    p->deadline = request->deadline;
    p->result = &obs->references[request->slot].code;
    p->done = done;
    p->arg = arg;
    if (start_host(p, request->reference->name))
        return p;
    reference_free(p);
    return NULL;
}

const struct probe_ops reference_probe_ops = {
    .name = "reference",
    .stage = PX_STAGE_REFERENCE,
    .start = reference_start,
    .cancel = reference_free,
    .free = reference_free,
};
