/* SPDX-License-Identifier: MIT */
/*
 * Does another port of the same host answer? Tells "this port is treated specially" from "nothing
 * of the host can be reached". One connection attempt, closed by reset.
 *
 *   connect ----> done
 */
#include <stdlib.h>

#include "common/text.h"
#include "probe-node/probes/net_connect.h"
#include "probe-node/probes/probe.h"

struct probe {
    struct net_connect connect;
    struct px_attempt *result;
    probe_done *done;
    void *arg;
};

static void on_settled(void *arg, struct net_connect *c)
{
    struct probe *p = arg;

    (void)net_connect_close(c);
    *p->result = c->attempt;
    p->done(p->arg, p);
}

static void control_free(struct probe *p)
{
    if (p == NULL)
        return;
    (void)net_connect_close(&p->connect);
    free(p);
}

static struct probe *control_start(struct event_base *base, const struct probe_request *request,
                                   struct px_observation *obs, probe_done *done, void *arg)
{
    struct probe *p = px_xcalloc(1, sizeof(*p));
    px_mono limit = px_mono_now() + NET_CONNECT_LIMIT;
    const struct net_connect_request wish = {
        .address = request->address,
        .source = request->source,
        .port = request->port,
        .deadline = request->deadline < limit ? request->deadline : limit,
    };

    p->result = &obs->controls[request->slot];
    p->done = done;
    p->arg = arg;
    if (net_connect_start(&p->connect, base, &wish, on_settled, p) == 0)
        return p;
    *p->result = p->connect.attempt;
    control_free(p);
    return NULL;
}

const struct probe_ops control_probe_ops = {
    .name = "control",
    .stage = PX_STAGE_CONTROL,
    .start = control_start,
    .cancel = control_free,
    .free = control_free,
};
