/* SPDX-License-Identifier: MIT */
/*
 * A non-blocking connect on the event loop. Order of belief when the socket wakes up: a connection
 * that stands, then the queue of ICMP errors, then the pending errno. Every system call here is
 * made for thousands of targets, so none is made twice.
 */
#include "probe-node/probes/net_connect.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/tcp.h>

#include "probe-node/probes/net.h"

/* States of TCP_INFO, which <linux/tcp.h> does not name. */
enum { NET_TCP_ESTABLISHED = 1, NET_TCP_CLOSE = 7, NET_TCP_CLOSE_WAIT = 8 };

/* An answer that came sooner was one to the first SYN. */
#define NET_RESEND (900 * PX_MS)

static uint16_t at_most_16(uint32_t n)
{
    return n > UINT16_MAX ? UINT16_MAX : (uint16_t)n;
}

static void read_info(const struct net_connect *c, struct tcp_info *info)
{
    socklen_t len = sizeof(*info);

    if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, info, &len) != 0)
        *info = (struct tcp_info){0};
}

static bool is_connected(const struct tcp_info *info)
{
    return info->tcpi_state == NET_TCP_ESTABLISHED || info->tcpi_state == NET_TCP_CLOSE_WAIT;
}

static void note_local(struct net_connect *c)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);

    if (getsockname(c->fd, (struct sockaddr *)&sa, &len) == 0)
        (void)px_addr_from_sockaddr((struct sockaddr *)&sa, &c->local, &c->attempt.source_port);
}

/* By reset, for it may have been connected just now. */
static void drop_socket(struct net_connect *c)
{
    if (c->running)
        (void)event_del(&c->event);
    c->running = false;
    if (c->fd >= 0)
        net_close_reset(c->fd);
    c->fd = -1;
}

/* Last step of every attempt that was under way: done may free c. */
static void finish(struct net_connect *c, enum px_code code)
{
    c->attempt.code = code;
    c->attempt.ms = net_ms(c->sent, c->settled);
    if (code == PX_CODE_REFUSED || code == PX_CODE_NO_ANSWER) { /* nothing to reset */
        (void)close(c->fd);
        c->fd = -1;
    } else if (code != PX_CODE_OK) {
        drop_socket(c);
    }
    c->running = false;
    c->done(c->arg, c);
}

static void arm(struct net_connect *c, px_mono now)
{
    struct timeval tv = net_wait(now, c->deadline);

    /* In a long turn of the loop its idea of "now" is old, and the timer would fire too early. */
    (void)event_base_update_cache_time(event_get_base(&c->event));
    (void)event_add(&c->event, &tv);
}

/* Connected: the kernel saw the answer earlier than we did. */
static void on_connected(struct net_connect *c, const struct tcp_info *info, px_mono now)
{
    px_mono rtt = (px_mono)info->tcpi_rtt * 1000;

    if (rtt > 0)
        c->attempt.rtt_ms = info->tcpi_rtt / 1000.0;
    c->attempt.retransmits = at_most_16(info->tcpi_total_retrans);
    c->settled = now;
    if (info->tcpi_total_retrans > 0)
        c->settled = now - (px_mono)info->tcpi_last_data_recv * PX_MS;
    else if (rtt > 0 && c->sent + rtt < now)
        c->settled = c->sent + rtt;
    finish(c, PX_CODE_OK);
}

static void on_silence(struct net_connect *c, const struct tcp_info *info, px_mono now)
{
    c->settled = now;
    c->attempt.unacked = at_most_16(info->tcpi_unacked);
    c->attempt.retransmits = at_most_16(info->tcpi_total_retrans);
    finish(c, now - c->sent >= NET_FAIR_WAIT ? PX_CODE_NO_ANSWER : PX_CODE_NOT_RUN);
}

/* No error has been reported: connected, or the time is over. */
static void settle_quietly(struct net_connect *c, px_mono now)
{
    struct tcp_info info;

    read_info(c, &info);
    if (is_connected(&info)) {
        on_connected(c, &info, now);
    } else if (info.tcpi_state == NET_TCP_CLOSE) {
        c->settled = now;
        finish(c, PX_CODE_RESET_EARLY); /* gone without an error: the peer has been quick */
    } else if (now >= c->deadline) {
        on_silence(c, &info, now);
    } else {
        arm(c, now);
    }
}

/*
 * An ICMP error that arrives while connect() is still running (from very near) leaves the socket in
 * SYN_SENT: the kernel would try again in a second. Anywhere else the same message ends the
 * attempt, so it ends it here too; but a connection that stands outweighs every message.
 */
static void settle_error(struct net_connect *c, struct net_evidence *e, px_mono now)
{
    enum px_code code = net_code_here(e, &c->local);
    struct tcp_info info = {0};

    if (e->icmp.from.family != 0)
        c->attempt.icmp = e->icmp;
    if (code != PX_CODE_REFUSED || now - c->sent > NET_RESEND)
        read_info(c, &info);
    if (code == PX_CODE_UNKNOWN || is_connected(&info)) {
        settle_quietly(c, now);
        return;
    }
    c->settled = now;
    c->attempt.retransmits = at_most_16(info.tcpi_total_retrans);
    finish(c, code);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct net_connect *c = arg;
    struct net_evidence e = {.step = NET_STEP_ANSWER, .target = c->address};
    socklen_t len = sizeof(e.error);
    px_mono now = px_mono_now();
    int queued;

    if (!(what & EV_READ)) { /* an error makes the socket readable, too */
        settle_quietly(c, now);
        return;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e.error, &len) != 0)
        e.error = errno;
    queued = net_read_icmp(fd, c->address.family, &e.icmp);
    if (queued != 0)
        e.error = queued;
    settle_error(c, &e, now);
}

static int fail_at(struct net_connect *c, enum net_step step)
{
    struct net_evidence e = {.step = step, .error = errno, .target = c->address};

    c->attempt.code = net_code_here(&e, &c->local);
    drop_socket(c);
    return -1;
}

static void set_options(const struct net_connect *c, const struct net_connect_request *request)
{
    int on = 1;

    net_ask_icmp(c->fd, request->address.family, true);
    if (request->talk)
        (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (request->hops > 0)
        (void)net_set_hops(c->fd, request->address.family, request->hops);
}

int net_connect_start(struct net_connect *c, struct event_base *base,
                      const struct net_connect_request *request, net_connect_done *done, void *arg)
{
    struct sockaddr_storage sa;
    socklen_t len = px_addr_to_sockaddr(&request->address, request->port, &sa);

    c->attempt = (struct px_attempt){.port = request->port, .ms = -1, .rtt_ms = -1};
    c->address = request->address;
    c->local = request->source;
    c->deadline = request->deadline;
    c->done = done;
    c->arg = arg;
    c->fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return fail_at(c, NET_STEP_SOCKET);
    set_options(c, request);
    if (request->source.family != 0 && net_bind_source(c->fd, &request->source) != 0)
        return fail_at(c, NET_STEP_BIND);
    c->sent = px_mono_now();
    if (connect(c->fd, (struct sockaddr *)&sa, len) != 0 && errno != EINPROGRESS)
        return fail_at(c, NET_STEP_CONNECT);
    note_local(c);
    c->running = true;
    (void)event_assign(&c->event, base, c->fd, EV_READ | EV_WRITE, on_event, c);
    arm(c, c->sent);
    return 0;
}

int net_connect_take(struct net_connect *c)
{
    int fd = c->fd;

    net_ask_icmp(fd, c->address.family, false);
    c->fd = -1;
    return fd;
}

bool net_connect_close(struct net_connect *c)
{
    bool connected = c->attempt.code == PX_CODE_OK && c->fd >= 0;

    if (connected) {
        net_close_reset(c->fd);
        c->fd = -1;
        return px_mono_now() - c->settled > NET_UNNOTICED;
    }
    if (c->running)
        drop_socket(c);
    return false;
}
