/* SPDX-License-Identifier: MIT */
/*
 * Evidence becomes a code: three tables, one for ICMP, one for errno, one for resolver errors.
 * Below them the socket calls that collect ICMP evidence without any privilege.
 * Does not connect, wait or decide anything else.
 */
#include "probe-node/probes/net.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/errqueue.h>

#include "probe-node/probes/net_own.h"

#define ANY 255
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ICMP: the meaning depends on who says it. First match counts. NO_OWN_ROUTE in the column `own`
 * turns into UNREACHABLE if the target is a neighbour: then it was the target that did not answer
 * to its address, not a gateway. */
static const struct icmp_row {
    uint8_t family, type, code;
    enum px_code target, own, other;
} icmp_rows[] = {
    /* a filter spoke */
    {4, 3, 3, PX_CODE_REJECTED, PX_CODE_OWN_FILTER, PX_CODE_REJECTED},
    {4, 3, 9, PX_CODE_REJECTED, PX_CODE_OWN_FILTER, PX_CODE_REJECTED},
    {4, 3, 10, PX_CODE_REJECTED, PX_CODE_OWN_FILTER, PX_CODE_REJECTED},
    {4, 3, 13, PX_CODE_REJECTED, PX_CODE_OWN_FILTER, PX_CODE_REJECTED},
    {6, 1, 1, PX_CODE_REJECTED, PX_CODE_OWN_FILTER, PX_CODE_REJECTED},
    {6, 1, 4, PX_CODE_REJECTED, PX_CODE_OWN_FILTER, PX_CODE_REJECTED},
    {6, 1, 5, PX_CODE_REJECTED, PX_CODE_OWN_FILTER, PX_CODE_REJECTED},
    {6, 1, 6, PX_CODE_REJECTED, PX_CODE_OWN_FILTER, PX_CODE_REJECTED},
    /* no way to net or host; a target that says so of itself is a filter */
    {4, 3, 0, PX_CODE_REJECTED, PX_CODE_NO_OWN_ROUTE, PX_CODE_UNREACHABLE},
    {4, 3, 1, PX_CODE_REJECTED, PX_CODE_NO_OWN_ROUTE, PX_CODE_UNREACHABLE},
    {6, 1, 0, PX_CODE_REJECTED, PX_CODE_NO_OWN_ROUTE, PX_CODE_UNREACHABLE},
    {6, 1, 2, PX_CODE_REJECTED, PX_CODE_NO_OWN_ROUTE, PX_CODE_UNREACHABLE},
    {6, 1, 3, PX_CODE_REJECTED, PX_CODE_NO_OWN_ROUTE, PX_CODE_UNREACHABLE},
    /* about the packet's size: the kernel sends smaller ones */
    {4, 3, 4, PX_CODE_UNKNOWN, PX_CODE_UNKNOWN, PX_CODE_UNKNOWN},
    {6, 2, ANY, PX_CODE_UNKNOWN, PX_CODE_UNKNOWN, PX_CODE_UNKNOWN},
    /* the rest of "unreachable" and "parameter problem" */
    {4, 3, ANY, PX_CODE_REJECTED, PX_CODE_OWN_FILTER, PX_CODE_UNREACHABLE},
    {6, 1, ANY, PX_CODE_REJECTED, PX_CODE_OWN_FILTER, PX_CODE_UNREACHABLE},
    {4, 12, ANY, PX_CODE_REJECTED, PX_CODE_OWN_FILTER, PX_CODE_UNREACHABLE},
    {6, 4, ANY, PX_CODE_REJECTED, PX_CODE_OWN_FILTER, PX_CODE_UNREACHABLE},
    /* ran out of hops */
    {4, 11, 0, PX_CODE_LOOPED, PX_CODE_LOOPED, PX_CODE_LOOPED},
    {6, 3, 0, PX_CODE_LOOPED, PX_CODE_LOOPED, PX_CODE_LOOPED},
};

#define LOCAL(step) (1u << (step))
#define AT_SOCKET LOCAL(NET_STEP_SOCKET)
#define AT_BIND LOCAL(NET_STEP_BIND)
#define AT_CONNECT LOCAL(NET_STEP_CONNECT)
#define AT_ANSWER LOCAL(NET_STEP_ANSWER)
#define AT_HOME (AT_SOCKET | AT_BIND | AT_CONNECT)

static const struct errno_row {
    int error;
    unsigned steps;
    enum px_code code;
} errno_rows[] = {
    {EMFILE, AT_HOME, PX_CODE_EXHAUSTED},
    {ENFILE, AT_HOME, PX_CODE_EXHAUSTED},
    {ENOMEM, AT_HOME | AT_ANSWER, PX_CODE_EXHAUSTED},
    {ENOBUFS, AT_HOME | AT_ANSWER, PX_CODE_EXHAUSTED},
    {EAGAIN, AT_HOME, PX_CODE_EXHAUSTED},
    {EADDRINUSE, AT_HOME, PX_CODE_EXHAUSTED},
    {EAFNOSUPPORT, AT_HOME, PX_CODE_NO_ADDRESS},
    {EACCES, AT_SOCKET | AT_BIND, PX_CODE_NO_PERMISSION},
    {EPERM, AT_SOCKET | AT_BIND, PX_CODE_NO_PERMISSION},
    {EADDRNOTAVAIL, AT_BIND, PX_CODE_NO_ADDRESS},
    {EADDRNOTAVAIL, AT_CONNECT, PX_CODE_EXHAUSTED}, /* no source port is left */
    {ENETUNREACH, AT_CONNECT, PX_CODE_NO_OWN_ROUTE},
    {EHOSTUNREACH, AT_CONNECT, PX_CODE_NO_OWN_ROUTE}, /* a route of type "unreachable" */
    {EINVAL, AT_CONNECT, PX_CODE_NO_OWN_ROUTE},       /* a route of type "blackhole" */
    {ENETDOWN, AT_CONNECT | AT_ANSWER, PX_CODE_NO_OWN_ROUTE},
    {ENODEV, AT_CONNECT, PX_CODE_NO_OWN_ROUTE},
    {EACCES, AT_CONNECT, PX_CODE_OWN_FILTER}, /* a route of type "prohibit" */
    {EPERM, AT_CONNECT, PX_CODE_OWN_FILTER},
    {ECONNREFUSED, AT_CONNECT | AT_ANSWER, PX_CODE_REFUSED},
    /* a reset before the handshake is ECONNREFUSED; so the handshake was done */
    {ECONNRESET, AT_CONNECT | AT_ANSWER, PX_CODE_RESET_EARLY},
    {EPIPE, AT_CONNECT | AT_ANSWER, PX_CODE_RESET_EARLY},
    {ETIMEDOUT, AT_ANSWER, PX_CODE_NO_ANSWER},
    /* an ICMP error whose details got lost */
    {EHOSTUNREACH, AT_ANSWER, PX_CODE_UNREACHABLE},
    {ENETUNREACH, AT_ANSWER, PX_CODE_UNREACHABLE},
    {EHOSTDOWN, AT_ANSWER, PX_CODE_UNREACHABLE},
    {EACCES, AT_ANSWER, PX_CODE_REJECTED},
    {ENOPROTOOPT, AT_ANSWER, PX_CODE_REJECTED},
};

static const struct name_row {
    int eai;
    enum px_code code;
} name_rows[] = {
    {0, PX_CODE_OK},
    {EAI_NONAME, PX_CODE_DNS_NXDOMAIN},
    {EAI_IDN_ENCODE, PX_CODE_DNS_NXDOMAIN},
    {EAI_NODATA, PX_CODE_DNS_EMPTY},
    {EAI_ADDRFAMILY, PX_CODE_DNS_EMPTY},
    /* said of a server's failure and of its silence alike; a silence that outlasts the deadline of
     * the lookup never comes here */
    {EAI_AGAIN, PX_CODE_DNS_SERVFAIL},
    {EAI_FAIL, PX_CODE_DNS_SERVFAIL},
    {EAI_MEMORY, PX_CODE_EXHAUSTED},
};

static enum px_code code_of_icmp(const struct net_evidence *e)
{
    const struct px_icmp *icmp = &e->icmp;

    for (size_t i = 0; i < COUNT(icmp_rows); i++) {
        const struct icmp_row *row = &icmp_rows[i];
        if (row->family != icmp->from.family || row->type != icmp->type ||
            (row->code != ANY && row->code != icmp->code))
            continue;
        /* The target first: on the vantage's own machine it is both. */
        if (px_addr_equal(&icmp->from, &e->target))
            return row->target;
        if (!icmp->own)
            return row->other;
        return row->own == PX_CODE_NO_OWN_ROUTE && e->on_link ? PX_CODE_UNREACHABLE : row->own;
    }
    return PX_CODE_UNKNOWN;
}

static enum px_code code_of_errno(const struct net_evidence *e)
{
    if (e->error == 0)
        return PX_CODE_UNKNOWN;
    for (size_t i = 0; i < COUNT(errno_rows); i++) {
        if (errno_rows[i].error != e->error || !(errno_rows[i].steps & LOCAL(e->step)))
            continue;
        /* Without an address of that family there is no route either. */
        if (e->step == NET_STEP_CONNECT && !e->has_address &&
            (errno_rows[i].code == PX_CODE_NO_OWN_ROUTE || e->error == EADDRNOTAVAIL))
            return PX_CODE_NO_ADDRESS;
        return errno_rows[i].code;
    }
    return e->step == NET_STEP_ANSWER ? PX_CODE_UNREACHABLE : PX_CODE_UNABLE;
}

enum px_code net_code_of(const struct net_evidence *e)
{
    return e->icmp.from.family != 0 ? code_of_icmp(e) : code_of_errno(e);
}

enum px_code net_code_here(struct net_evidence *e, const struct px_addr *local)
{
    e->has_address = true;
    if (e->icmp.from.family != 0) {
        e->icmp.own = px_addr_equal(&e->icmp.from, local) || net_own_has(&e->icmp.from);
        e->on_link = e->icmp.own && net_own_is_neighbour(&e->target);
    } else if (e->step == NET_STEP_CONNECT) {
        e->has_address = px_addr_is_loopback(&e->target) || net_own_has_family(e->target.family);
    }
    return net_code_of(e);
}

enum px_code net_code_of_name(int eai, int error)
{
    if (eai == EAI_SYSTEM) {
        struct net_evidence e = {.step = NET_STEP_SOCKET, .error = error};
        return net_code_of(&e) == PX_CODE_EXHAUSTED ? PX_CODE_EXHAUSTED : PX_CODE_DNS_SERVFAIL;
    }
    for (size_t i = 0; i < COUNT(name_rows); i++) {
        if (name_rows[i].eai == eai)
            return name_rows[i].code;
    }
    return PX_CODE_DNS_SERVFAIL;
}

bool net_is_from_target(const struct px_attempt *a, const struct px_addr *target)
{
    if (a->code == PX_CODE_OK || a->code == PX_CODE_REFUSED || a->code == PX_CODE_RESET_EARLY)
        return true;
    return a->icmp.from.family != 0 && px_addr_equal(&a->icmp.from, target);
}

void net_ask_icmp(int fd, uint8_t family, bool on)
{
    int level = family == 6 ? IPPROTO_IPV6 : IPPROTO_IP, value = on;

    (void)setsockopt(fd, level, family == 6 ? IPV6_RECVERR : IP_RECVERR, &value, sizeof(value));
}

static bool is_control(const struct cmsghdr *c, int v4, int v6)
{
    return (c->cmsg_level == IPPROTO_IP && c->cmsg_type == v4) ||
           (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == v6);
}

/* One message of the error queue; returns its errno, 0 if it is no ICMP error. */
static int parse_error(struct msghdr *message, struct px_icmp *icmp)
{
    struct {
        struct sock_extended_err error;
        struct sockaddr_in6 offender; /* the larger of both families */
    } e;
    struct px_icmp found = {0};
    int error = 0, ttl;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        size_t size = c->cmsg_len - CMSG_LEN(0);
        if (is_control(c, IP_TTL, IPV6_HOPLIMIT) && size >= sizeof(ttl)) {
            memcpy(&ttl, CMSG_DATA(c), sizeof(ttl));
            found.ttl = (uint8_t)ttl;
        }
        if (!is_control(c, IP_RECVERR, IPV6_RECVERR) || size < sizeof(e.error))
            continue;
        memset(&e, 0, sizeof(e));
        memcpy(&e, CMSG_DATA(c), size < sizeof(e) ? size : sizeof(e));
        if (e.error.ee_origin != SO_EE_ORIGIN_ICMP && e.error.ee_origin != SO_EE_ORIGIN_ICMP6)
            continue;
        if (!px_addr_from_sockaddr((const struct sockaddr *)&e.offender, &found.from, NULL))
            continue;
        found.type = e.error.ee_type;
        found.code = e.error.ee_code;
        error = (int)e.error.ee_errno;
    }
    if (error != 0)
        *icmp = found;
    return error;
}

int net_read_icmp(int fd, uint8_t family, struct px_icmp *icmp)
{
    int level = family == 6 ? IPPROTO_IPV6 : IPPROTO_IP, on = 1, last = 0;
    char control[512], data[64];

    /* The TTL is taken from the queued packet when it is read, so this is early enough. */
    (void)setsockopt(fd, level, family == 6 ? IPV6_RECVHOPLIMIT : IP_RECVTTL, &on, sizeof(on));
    for (;;) {
        struct iovec iov = {.iov_base = data, .iov_len = sizeof(data)};
        struct msghdr message = {.msg_iov = &iov,
                                 .msg_iovlen = 1,
                                 .msg_control = control,
                                 .msg_controllen = sizeof(control)};
        int error;
        if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
            return last;
        error = parse_error(&message, icmp);
        last = error != 0 ? error : last;
    }
}

int net_set_hops(int fd, uint8_t family, uint8_t hops)
{
    int value = hops;

    if (family == 6)
        return setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &value, sizeof(value));
    return setsockopt(fd, IPPROTO_IP, IP_TTL, &value, sizeof(value));
}

int net_bind_source(int fd, const struct px_addr *source)
{
    struct sockaddr_storage sa;
    socklen_t len = px_addr_to_sockaddr(source, 0, &sa);
    int on = 1;

    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    return bind(fd, (const struct sockaddr *)&sa, len);
}

void net_close_reset(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    (void)close(fd);
}

struct timeval net_wait(px_mono now, px_mono until)
{
    px_mono us = until > now ? (until - now + 999) / 1000 : 0;

    return (struct timeval){.tv_sec = us / 1000000, .tv_usec = us % 1000000};
}

double net_ms(px_mono from, px_mono to)
{
    return (double)(to - from) / (double)PX_MS;
}

bool net_can_open(int domain, int type, int protocol)
{
    int fd = socket(domain, type | SOCK_CLOEXEC, protocol);

    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}

bool net_can_ask_icmp(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    bool can = fd >= 0 && setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)) == 0;

    if (fd >= 0)
        (void)close(fd);
    return can;
}
