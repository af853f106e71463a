/* SPDX-License-Identifier: MIT */
/*
 * Which addresses does the target's name have here, as ssh would see it? All are kept, the first
 * one is the one to probe.
 *
 *   lookup ----> done
 */
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "probe-node/probes/net.h"
#include "probe-node/probes/net_resolve.h"
#include "probe-node/probes/probe.h"

struct probe {
    struct net_lookup *lookup;
    struct px_observation *obs;
    px_mono origin;
    probe_done *done;
    void *arg;
};

static void write_result(struct px_observation *obs, const struct net_names *names, double ms)
{
    obs->stage = PX_STAGE_DNS;
    obs->code = names->code;
    if (names->code != PX_CODE_OK)
        return;
    memcpy(obs->addresses, names->addresses, sizeof(obs->addresses));
    obs->address_count = names->count;
    obs->address = names->addresses[0];
    obs->ms[PX_STAGE_DNS] = ms;
}

static void on_names(void *arg, const struct net_names *names)
{
    struct probe *p = arg;

    write_result(p->obs, names, net_ms(p->origin, px_mono_now()));
    p->done(p->arg, p);
}

static void dns_free(struct probe *p)
{
    if (p == NULL)
        return;
    net_lookup_free(p->lookup);
    free(p);
}

static struct probe *dns_start(struct event_base *base, const struct probe_request *request,
                               struct px_observation *obs, probe_done *done, void *arg)
{
    struct probe *p = px_xcalloc(1, sizeof(*p));

    *p = (struct probe){.obs = obs, .origin = request->origin, .done = done, .arg = arg};
    p->lookup = net_lookup_start(base, request->target->host, request->deadline, on_names, p);
    if (p->lookup != NULL)
        return p;
    write_result(obs, &(struct net_names){.code = PX_CODE_EXHAUSTED}, -1);
    dns_free(p);
    return NULL;
}

const struct probe_ops dns_probe_ops = {
    .name = "dns",
    .stage = PX_STAGE_DNS,
    .start = dns_start,
    .cancel = dns_free,
    .free = dns_free,
};
