/* SPDX-License-Identifier: MIT */
/*
 * Does the port answer a SYN, and who answers how? One connection attempt; the socket is handed on
 * if deeper stages follow, otherwise closed by reset, which leaves no line in sshd's log.
 *
 *   connect ----> done
 */
#include <stdlib.h>

#include "common/text.h"
#include "probe-node/probes/net.h"
#include "probe-node/probes/net_connect.h"
#include "probe-node/probes/probe.h"

struct probe {
    struct net_connect connect;
    struct px_observation *obs;
    struct probe_connected *connected, ignored;
    px_mono origin;
    uint32_t slot;
    probe_done *done;
    void *arg;
};

/* The first attempt is the decisive one. */
static void write_first(const struct probe *p)
{
    const struct px_attempt *a = &p->connect.attempt;
    struct px_observation *obs = p->obs;
    bool stood = a->code == PX_CODE_OK || a->code == PX_CODE_RESET_EARLY;

    obs->stage = a->code == PX_CODE_RESET_EARLY ? PX_STAGE_BANNER : PX_STAGE_TCP;
    obs->code = a->code;
    obs->icmp = a->icmp;
    obs->source = p->connect.local;
    if (stood)
        obs->ms[PX_STAGE_TCP] = net_ms(p->origin, p->connect.settled);
}

static void write_result(const struct probe *p)
{
    p->obs->attempts[p->slot] = p->connect.attempt;
    if (p->slot == 0)
        write_first(p);
}

static void on_settled(void *arg, struct net_connect *c)
{
    struct probe *p = arg;
    struct probe_connected *out = p->connected;

    write_result(p);
    if (out->wanted && c->attempt.code == PX_CODE_OK)
        out->fd = net_connect_take(c);
    else
        out->noticed = net_connect_close(c) || c->attempt.code == PX_CODE_RESET_EARLY;
    out->answered = net_is_from_target(&c->attempt, &c->address);
    p->done(p->arg, p);
}

static void tcp_free(struct probe *p)
{
    if (p == NULL)
        return;
    (void)net_connect_close(&p->connect);
    free(p);
}

static struct probe *tcp_start(struct event_base *base, const struct probe_request *request,
                               struct px_observation *obs, probe_done *done, void *arg)
{
    struct probe *p = px_xcalloc(1, sizeof(*p));
    px_mono limit = px_mono_now() + NET_CONNECT_LIMIT;
    struct net_connect_request wish = {
        .address = request->address,
        .source = request->source,
        .port = request->port,
        .deadline = request->deadline < limit ? request->deadline : limit,
    };

    p->obs = obs;
    p->connected = request->connected != NULL ? request->connected : &p->ignored;
    p->connected->fd = -1;
    p->origin = request->origin;
    p->slot = request->slot;
    p->done = done;
    p->arg = arg;
    wish.talk = p->connected->wanted;
    if (net_connect_start(&p->connect, base, &wish, on_settled, p) == 0)
        return p;
    write_result(p);
    tcp_free(p);
    return NULL;
}

const struct probe_ops tcp_probe_ops = {
    .name = "tcp",
    .stage = PX_STAGE_TCP,
    .start = tcp_start,
    .cancel = tcp_free,
    .free = tcp_free,
};
