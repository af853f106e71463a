/* SPDX-License-Identifier: MIT */
/*
 * Does the host answer ping? An unprivileged ICMP datagram socket, so the kernel must allow it
 * (net.ipv4.ping_group_range); if not, the answer is `unable`. A second packet follows 200 ms later
 * if the first is still unanswered; then both are waited for.
 *
 *   first ----> second ----> done
 *      \____________________/
 */
#include <errno.h>
#include <event2/event.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/text.h"
#include "probe-node/probes/net.h"
#include "probe-node/probes/probe.h"

#define ECHO_LIMIT (2 * PX_SEC)
#define ECHO_GAP (200 * PX_MS)
#define ECHO_PACKETS 2
#define ECHO_PAYLOAD 16
#define ECHO_FAIR_WAIT (300 * PX_MS)

enum echo_state { ECHO_ST_FIRST, ECHO_ST_SECOND, ECHO_ST_DONE, ECHO_ST_COUNT };

static const char *const echo_state_names[] = {"first", "second", "done"};
_Static_assert(sizeof(echo_state_names) / sizeof(echo_state_names[0]) == ECHO_ST_COUNT,
               "a name for every state");

/* The head of an echo request is the same in both families; the kernel fills in the identifier and
 * the checksum. */
struct echo_packet {
    uint8_t type, code;
    uint16_t checksum, id, sequence;
    uint8_t payload[ECHO_PAYLOAD];
};

struct probe {
    enum echo_state state;
    int fd;
    struct px_addr address, local;
    struct event *io, *timer;
    struct px_observation *obs;
    struct px_echo result;
    px_mono started, deadline, due; /* due: of the state */
    px_mono sent[ECHO_PACKETS];
    bool answered[ECHO_PACKETS];
    probe_done *done;
    void *arg;
};

static void release(struct probe *p)
{
    if (p->io != NULL)
        event_free(p->io);
    if (p->timer != NULL)
        event_free(p->timer);
    p->io = p->timer = NULL;
    if (p->fd >= 0)
        (void)close(p->fd);
    p->fd = -1;
}

static void arm(struct probe *p, px_mono now)
{
    struct timeval tv = net_wait(now, p->due);

    (void)event_add(p->timer, &tv);
}

/* The only writer of the state. */
static void x_enter(struct probe *p, enum echo_state state, const char *why)
{
    px_mono now = px_mono_now();

    px_log(PX_LOG_DEBUG, "echo: %s -> %s, %s", echo_state_names[p->state], echo_state_names[state],
           why);
    p->state = state;
    if (state == ECHO_ST_DONE)
        return;
    p->due = p->deadline;
    if (state == ECHO_ST_FIRST && now + ECHO_GAP < p->due)
        p->due = now + ECHO_GAP;
    arm(p, now);
}

static void write_result(struct probe *p, enum px_code code)
{
    p->result.code = code;
    p->result.ran = px_code_kind(code) != PX_KIND_VANTAGE || p->result.sent > 0;
    p->obs->echo = p->result;
}

/* Called exactly once, last in every path: done may free p. */
static void x_finish(struct probe *p, enum px_code code)
{
    write_result(p, code);
    x_enter(p, ECHO_ST_DONE, px_code_name(code));
    release(p);
    p->done(p->arg, p);
}

static enum px_code code_at(struct probe *p, enum net_step step, int error)
{
    struct net_evidence e = {.step = step, .error = error, .target = p->address};

    /* The group range of the kernel refuses: no fault of the target, nor of the network. */
    if (step == NET_STEP_SOCKET && (error == EACCES || error == EPERM || error == EPROTONOSUPPORT))
        return PX_CODE_UNABLE;
    return net_code_here(&e, &p->local);
}

/* UNKNOWN = sent. */
static enum px_code send_request(struct probe *p)
{
    struct echo_packet packet = {
        .type = p->address.family == 6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO,
        .sequence = htons((uint16_t)(p->result.sent + 1)),
    };
    unsigned n = p->result.sent;

    p->sent[n] = px_mono_now();
    if (send(p->fd, &packet, sizeof(packet), 0) < 0 && errno != EAGAIN)
        return code_at(p, NET_STEP_CONNECT, errno);
    p->result.sent++;
    return PX_CODE_UNKNOWN;
}

static void note_reply(struct probe *p, const struct echo_packet *packet, px_mono now)
{
    unsigned n = ntohs(packet->sequence) - 1u;
    uint8_t type = p->address.family == 6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY;

    if (packet->type != type || n >= p->result.sent || p->answered[n])
        return;
    p->answered[n] = true;
    p->result.received++;
    if (p->result.ms < 0 || net_ms(p->sent[n], now) < p->result.ms)
        p->result.ms = net_ms(p->sent[n], now);
}

static void read_replies(struct probe *p)
{
    struct echo_packet packet;
    ssize_t n;

    do {
        n = recv(p->fd, &packet, sizeof(packet), MSG_DONTWAIT);
        if (n >= (ssize_t)offsetof(struct echo_packet, payload))
            note_reply(p, &packet, px_mono_now());
    } while (n >= 0);
}

/* An ICMP error instead of a reply. UNKNOWN = there is none that decides. */
static enum px_code read_error(struct probe *p)
{
    struct net_evidence e = {.step = NET_STEP_ANSWER, .target = p->address};
    socklen_t len = sizeof(int);
    enum px_code code;
    int ignored;

    if (net_read_icmp(p->fd, p->address.family, &e.icmp) == 0)
        return PX_CODE_UNKNOWN;
    (void)getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &ignored, &len);
    code = net_code_here(&e, &p->local);
    p->result.icmp = e.icmp;
    return code;
}

/* Look at the socket; false = p has ended. */
static bool step(struct probe *p)
{
    enum px_code code = read_error(p);

    read_replies(p);
    if (p->result.received > 0 && p->result.received == p->result.sent)
        code = PX_CODE_OK;
    if (code == PX_CODE_UNKNOWN)
        return true;
    x_finish(p, p->result.received > 0 ? PX_CODE_OK : code);
    return false;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)step(arg);
}

static void finish_late(struct probe *p, px_mono now)
{
    if (p->result.received > 0)
        x_finish(p, PX_CODE_OK);
    else if (now - p->started >= ECHO_FAIR_WAIT)
        x_finish(p, PX_CODE_NO_ANSWER);
    else
        x_finish(p, PX_CODE_NOT_RUN);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct probe *p = arg;
    px_mono now = px_mono_now();
    enum px_code code;

    (void)fd;
    (void)what;
    if (!step(p))
        return;
    if (now >= p->deadline) {
        finish_late(p, now);
        return;
    }
    if (p->state != ECHO_ST_FIRST || now < p->due) {
        arm(p, now);
        return;
    }
    code = send_request(p);
    if (code == PX_CODE_UNKNOWN)
        x_enter(p, ECHO_ST_SECOND, "unanswered");
    else
        x_finish(p, code);
}

/* UNKNOWN = ready to send. */
static enum px_code open_socket(struct probe *p, const struct px_addr *source)
{
    struct sockaddr_storage sa;
    socklen_t len = px_addr_to_sockaddr(&p->address, 0, &sa);
    int protocol = p->address.family == 6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP;

    p->fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (p->fd < 0)
        return code_at(p, NET_STEP_SOCKET, errno);
    net_ask_icmp(p->fd, p->address.family, true);
    if (source->family != 0 && net_bind_source(p->fd, source) != 0)
        return code_at(p, NET_STEP_BIND, errno);
    if (connect(p->fd, (struct sockaddr *)&sa, len) != 0)
        return code_at(p, NET_STEP_CONNECT, errno);
    len = sizeof(sa);
    if (getsockname(p->fd, (struct sockaddr *)&sa, &len) == 0)
        (void)px_addr_from_sockaddr((struct sockaddr *)&sa, &p->local, NULL);
    return PX_CODE_UNKNOWN;
}

static void echo_free(struct probe *p)
{
    if (p == NULL)
        return;
    release(p);
    free(p);
}

static enum px_code start_waiting(struct probe *p, struct event_base *base)
{
    p->io = event_new(base, p->fd, EV_READ | EV_PERSIST, on_readable, p);
    p->timer = evtimer_new(base, on_timer, p);
    if (p->io == NULL || p->timer == NULL || event_add(p->io, NULL) != 0)
        return PX_CODE_EXHAUSTED;
    return send_request(p);
}

static struct probe *echo_start(struct event_base *base, const struct probe_request *request,
                                struct px_observation *obs, probe_done *done, void *arg)
{
    struct probe *p = px_xcalloc(1, sizeof(*p));
    enum px_code code;

    p->address = request->address;
    p->local = request->source;
    p->obs = obs;
    p->result.ms = -1;
    p->done = done;
    p->arg = arg;
    p->started = px_mono_now();
    p->deadline = p->started + ECHO_LIMIT;
    if (request->deadline < p->deadline)
        p->deadline = request->deadline;
    code = open_socket(p, &request->source);
    if (code == PX_CODE_UNKNOWN)
        code = start_waiting(p, base);
    if (code != PX_CODE_UNKNOWN) {
        write_result(p, code);
        echo_free(p);
        return NULL;
    }
    x_enter(p, ECHO_ST_FIRST, "sent");
    return p;
}

const struct probe_ops echo_probe_ops = {
    .name = "echo",
    .stage = PX_STAGE_ECHO,
    .start = echo_start,
    .cancel = echo_free,
    .free = echo_free,
};
