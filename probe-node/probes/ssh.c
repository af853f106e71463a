/* SPDX-License-Identifier: MIT */
/*
 * Does SSH answer on this connection, how far does a handshake come, and with which host key?
 * One connection for all of it, because every connection that sshd notices is a strike.
 * Does not connect, does not authenticate.
 *
 *   banner ----------> kex ----> large ----> done
 *      \-> ask --------/
 */
#include <assert.h>
#include <event2/event.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/text.h"
#include "probe-node/probes/probe.h"
#include "probe-node/probes/ssh_banner.h"
#include "probe-node/probes/ssh_handshake.h"

enum ssh_state {
    SSH_ST_BANNER, /* listen without a word: what speaks here, or how does it refuse? */
    SSH_ST_ASK, /* nothing was said: send our greeting once, to unmask services that wait for it */
    SSH_ST_KEX, /* libssh negotiates */
    SSH_ST_LARGE, /* keys agreed, a packet of full size is on its way: is it acknowledged? */
    SSH_ST_DONE,
    SSH_ST_COUNT
};

/* A stage that the job's deadline cut shorter than this proves nothing. */
#define SSH_FAIR_NS PX_SEC
#define SSH_TICK_FIRST_NS PX_MS
#define SSH_TICK_MAX_NS (25 * PX_MS)
/* TCP_ESTABLISHED, which <linux/tcp.h> does not name. */
#define SSH_TCP_ESTABLISHED 1

struct probe {
    struct probe_request request;
    struct px_observation *obs;
    probe_done *done;
    void *arg;
    enum ssh_state state;
    int fd;
    struct event *io, *timer;
    px_mono entered, deadline; /* of the state */
    px_mono tick;              /* LARGE: interval of looks at the socket */
    bool cut;                  /* the state's deadline is the job's */
    bool left;                 /* took leave properly: close without a reset */
    struct ssh_banner banner;
    struct ssh_handshake *handshake;
};

static bool step_banner(struct probe *p);
static bool step_kex(struct probe *p);
static bool step_large(struct probe *p);
static void late_banner(struct probe *p);
static void late_ask(struct probe *p);
static void late_kex(struct probe *p);
static void late_large(struct probe *p);

static const struct ssh_row {
    const char *name;
    enum px_stage stage;
    int64_t limit_ns;
    unsigned limit_rtts;           /* at least so many round trips */
    bool (*step)(struct probe *p); /* the socket or a tick calls; false = p has moved on or gone */
    void (*late)(struct probe *p); /* the deadline calls, after a last step */
} rows[] = {
    [SSH_ST_BANNER] = {"banner", PX_STAGE_BANNER, 8 * PX_SEC, 0, step_banner, late_banner},
    [SSH_ST_ASK] = {"ask", PX_STAGE_BANNER, 1500 * PX_MS, 0, step_banner, late_ask},
    [SSH_ST_KEX] = {"kex", PX_STAGE_KEX, 8 * PX_SEC, 0, step_kex, late_kex},
    [SSH_ST_LARGE] = {"large", PX_STAGE_KEX, PX_SEC, 4, step_large, late_large},
    [SSH_ST_DONE] = {"done", PX_STAGE_NONE, 0, 0, NULL, NULL},
};
_Static_assert(sizeof(rows) / sizeof(rows[0]) == SSH_ST_COUNT, "a row for every state");

static double ms_since(px_mono origin, px_mono now)
{
    return (double)(now - origin) / (double)PX_MS;
}

static bool read_tcp(const struct probe *p, struct tcp_info *info)
{
    socklen_t len = sizeof(*info);

    memset(info, 0, sizeof(*info));
    return getsockopt(p->fd, IPPROTO_TCP, TCP_INFO, info, &len) == 0;
}

static uint16_t at_most_16(uint32_t n)
{
    return n > UINT16_MAX ? UINT16_MAX : (uint16_t)n;
}

/* What the kernel knows of the connection tells the direction of a loss. */
static void record_tcp(struct probe *p)
{
    struct px_attempt *first = &p->obs->attempts[0];
    struct tcp_info info;

    if (p->obs->attempt_count == 0 || !read_tcp(p, &info))
        return;
    if (info.tcpi_rtt > 0)
        first->rtt_ms = info.tcpi_rtt / 1000.0;
    first->unacked = at_most_16(info.tcpi_unacked);
    first->retransmits = at_most_16(info.tcpi_total_retrans);
}

static void arm_timer(struct probe *p, px_mono now)
{
    px_mono due = p->deadline;
    struct timeval wait;

    if (p->tick > 0 && now + p->tick < due)
        due = now + p->tick;
    due = due > now ? due - now : 0;
    /* Rounded up, so that the deadline has passed when the timer fires. */
    due += 999;
    wait = (struct timeval){.tv_sec = due / PX_SEC, .tv_usec = due % PX_SEC / 1000};
    (void)evtimer_add(p->timer, &wait);
}

/* The only writer of the state; also opens the stage in the observation. */
static void x_enter(struct probe *p, enum ssh_state state, const char *why)
{
    const struct ssh_row *row = &rows[state];
    int64_t limit = row->limit_ns;
    struct tcp_info info;

    px_log(PX_LOG_DEBUG, "ssh fd %d: %s -> %s, %s", p->fd, rows[p->state].name, row->name, why);
    p->state = state;
    if (row->stage != PX_STAGE_NONE)
        p->obs->stage = row->stage;
    if (state == SSH_ST_DONE)
        return;
    if (row->limit_rtts > 0 && read_tcp(p, &info)) {
        int64_t rtts = (int64_t)info.tcpi_rtt * 1000 * row->limit_rtts;
        limit = rtts > limit ? rtts : limit;
    }
    p->entered = px_mono_now();
    p->cut = p->request.deadline < p->entered + limit;
    p->deadline = p->cut ? p->request.deadline : p->entered + limit;
    arm_timer(p, p->entered);
}

/* Everything the probe holds except its own memory. Events first: their number may be reused. */
static void release(struct probe *p)
{
    if (p->io)
        event_free(p->io);
    if (p->timer)
        event_free(p->timer);
    p->io = p->timer = NULL;
    ssh_handshake_close(p->handshake);
    p->handshake = NULL;
    if (p->fd >= 0 && !p->left) {
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    }
    if (p->fd >= 0)
        (void)close(p->fd);
    p->fd = -1;
}

/* Called exactly once, last in every path: done may free p. */
static void x_finish(struct probe *p, enum px_code code, const char *why)
{
    if (!p->left)
        record_tcp(p);
    p->obs->code = code;
    x_enter(p, SSH_ST_DONE, why);
    release(p);
    p->done(p->arg, p);
}

static void finish_text(struct probe *p, enum px_code code, const char *text)
{
    (void)px_text_copy(p->obs->text, sizeof(p->obs->text), text);
    x_finish(p, code, px_code_name(code));
}

static bool is_cut_short(const struct probe *p)
{
    return p->cut && p->deadline - p->entered < SSH_FAIR_NS;
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
    struct probe *p = arg;

    (void)fd;
    (void)what;
    rows[p->state].step(p);
}

static void wait_for(struct probe *p, short what)
{
    if (event_get_events(p->io) == (what | EV_PERSIST) && event_pending(p->io, what, NULL))
        return;
    (void)event_del(p->io);
    (void)event_assign(p->io, event_get_base(p->io), p->fd, (short)(what | EV_PERSIST), on_io, p);
    (void)event_add(p->io, NULL);
}

static void start_kex(struct probe *p)
{
    if (!p->handshake)
        p->handshake = ssh_handshake_open(p->fd);
    if (!p->handshake) {
        finish_text(p, PX_CODE_EXHAUSTED, "no memory or file descriptor for the handshake");
        return;
    }
    (void)step_kex(p);
}

/* The passive stage has come to a decision. */
static void leave_banner(struct probe *p)
{
    enum px_code code = p->banner.code;
    struct px_observation *obs = p->obs;

    (void)px_text_copy(obs->banner, sizeof(obs->banner), p->banner.line);
    (void)px_text_copy(obs->text, sizeof(obs->text), p->banner.text);
    if (code == PX_CODE_OK)
        obs->ms[PX_STAGE_BANNER] = ms_since(p->request.origin, px_mono_now());
    if (code != PX_CODE_OK || p->request.depth <= PX_STAGE_BANNER) {
        x_finish(p, code, px_code_name(code));
        return;
    }
    x_enter(p, SSH_ST_KEX, "greeted");
    start_kex(p);
}

static bool step_banner(struct probe *p)
{
    if (ssh_banner_read(&p->banner, p->fd) == PX_CODE_UNKNOWN)
        return true;
    leave_banner(p);
    return false;
}

static bool has_said_nothing(const struct probe *p)
{
    return p->banner.lines == 0 && p->banner.partial == 0;
}

static void late_banner(struct probe *p)
{
    if (is_cut_short(p)) {
        finish_text(p, PX_CODE_NOT_RUN, "the job's time ran out before a greeting was due");
        return;
    }
    if (has_said_nothing(p) && !p->cut) {
        p->handshake = ssh_handshake_open(p->fd);
        if (p->handshake) {
            p->banner.asked = true;
            x_enter(p, SSH_ST_ASK, "silence");
            (void)ssh_handshake_step(p->handshake); /* a failure shows in the socket */
            return;
        }
    }
    late_ask(p);
}

static void late_ask(struct probe *p)
{
    (void)ssh_banner_expire(&p->banner, p->fd);
    leave_banner(p);
}

/* Keys agreed: keep everything before anything else can go wrong, then try a full-sized packet. */
static void leave_kex(struct probe *p)
{
    double ms = ms_since(p->request.origin, px_mono_now());

    ssh_handshake_result(p->handshake, p->obs);
    p->obs->ms[PX_STAGE_KEX] = ms;
    p->obs->ms[PX_STAGE_HOSTKEY] = ms_since(p->request.origin, px_mono_now());
    (void)event_del(p->io);
    if (!ssh_handshake_send_large(p->handshake)) {
        finish_text(p, PX_CODE_KEX_RESET, "closed right after the key exchange");
        return;
    }
    p->tick = SSH_TICK_FIRST_NS;
    x_enter(p, SSH_ST_LARGE, "keys agreed");
}

static bool step_kex(struct probe *p)
{
    enum ssh_handshake_progress progress = ssh_handshake_step(p->handshake);
    char text[PX_TEXT_MAX + 1];
    unsigned interest;
    enum px_code code;

    switch (progress) {
    case SSH_HANDSHAKE_WAIT:
        interest = ssh_handshake_interest(p->handshake);
        wait_for(p, (short)((interest & SSH_HANDSHAKE_READ ? EV_READ : 0) |
                            (interest & SSH_HANDSHAKE_WRITE ? EV_WRITE : 0)));
        return true;
    case SSH_HANDSHAKE_AGREED:
        leave_kex(p);
        return false;
    case SSH_HANDSHAKE_FAILED:
        break;
    }
    code = ssh_handshake_explain(p->handshake, text, sizeof(text));
    finish_text(p, code, text);
    return false;
}

static void late_kex(struct probe *p)
{
    char text[PX_TEXT_MAX + 1];
    struct tcp_info info;

    if (is_cut_short(p)) {
        finish_text(p, PX_CODE_NOT_RUN, "the job's time ran out during the key exchange");
        return;
    }
    (void)read_tcp(p, &info);
    (void)snprintf(
        text, sizeof(text), "stalled %s; %u of our segments unacknowledged, %u retransmitted",
        ssh_handshake_progress_name(p->handshake), info.tcpi_unacked, info.tcpi_total_retrans);
    finish_text(p, PX_CODE_KEX_TIMEOUT, text);
}

/* There is no event for an acknowledgement; the looks become rarer. */
static bool step_large(struct probe *p)
{
    struct tcp_info info;

    if (!read_tcp(p, &info) || info.tcpi_state != SSH_TCP_ESTABLISHED) {
        finish_text(p, PX_CODE_KEX_RESET, "closed right after the key exchange");
        return false;
    }
    if (info.tcpi_unacked > 0 || info.tcpi_notsent_bytes > 0 ||
        !ssh_handshake_flushed(p->handshake)) {
        p->tick = p->tick * 2 > SSH_TICK_MAX_NS ? SSH_TICK_MAX_NS : p->tick * 2;
        return true;
    }
    record_tcp(p); /* before the farewell, which would count as unacknowledged */
    ssh_handshake_leave(p->handshake);
    p->left = true;
    x_finish(p, PX_CODE_OK, "large packet acknowledged");
    return false;
}

static void late_large(struct probe *p)
{
    if (p->cut)
        finish_text(p, PX_CODE_OK, "no time left to judge large packets");
    else
        finish_text(p, PX_CODE_KEX_TIMEOUT, "large packets not acknowledged");
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct probe *p = arg;
    const struct ssh_row *row = &rows[p->state];
    bool late = px_mono_now() >= p->deadline;

    (void)fd;
    (void)what;
    /* The loop may have been busy: look once more before blaming the target. */
    if (!row->step(p))
        return;
    if (late)
        row->late(p);
    else
        arm_timer(p, px_mono_now());
}

static void prepare_socket(int fd)
{
    int on = 1;

    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    /* Else Nagle and delayed acknowledgements add 40 ms to every stage. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void ssh_probe_free(struct probe *p)
{
    if (!p)
        return;
    release(p);
    free(p);
}

/* request->fd is the probe's from here on, also when NULL is returned. */
static struct probe *ssh_probe_start(struct event_base *base, const struct probe_request *request,
                                     struct px_observation *obs, probe_done *done, void *arg)
{
    struct probe *p = px_xcalloc(1, sizeof(*p));

    assert(request->fd >= 0);
    p->request = *request;
    p->fd = request->fd;
    p->obs = obs;
    p->done = done;
    p->arg = arg;
    prepare_socket(p->fd);
    ssh_banner_init(&p->banner);
    ssh_handshake_warm_up();
    p->io = event_new(base, p->fd, EV_READ | EV_PERSIST, on_io, p);
    p->timer = evtimer_new(base, on_timer, p);
    if (!p->io || !p->timer || event_add(p->io, NULL) != 0) {
        obs->stage = PX_STAGE_BANNER;
        obs->code = PX_CODE_EXHAUSTED;
        ssh_probe_free(p);
        return NULL;
    }
    x_enter(p, SSH_ST_BANNER, "connected");
    return p;
}

const struct probe_ops ssh_probe_ops = {
    .name = "ssh",
    .stage = PX_STAGE_BANNER,
    .start = ssh_probe_start,
    .cancel = ssh_probe_free,
    .free = ssh_probe_free,
    .prepare = ssh_handshake_warm_up,
};
