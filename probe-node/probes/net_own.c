/* SPDX-License-Identifier: MIT */
/*
 * Own addresses (getifaddrs) and the kernel's routing decision for one address (a netlink request,
 * answered within the call). Not thread-safe: the event loop's thread asks.
 */
#include "probe-node/probes/net_own.h"

#include <ifaddrs.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "common/clock.h"

#define OWN_AGE_MAX (5 * PX_SEC)
#define OWN_ADDRESSES_MAX 64 /* more than that on one machine: the rest is not recognised */

static struct {
    bool known;
    px_mono at;
    size_t count;
    struct px_addr addresses[OWN_ADDRESSES_MAX];
} own;

static void refresh(void)
{
    px_mono now = px_mono_now();
    struct ifaddrs *list = NULL;

    if (own.known && now - own.at < OWN_AGE_MAX)
        return;
    own.known = getifaddrs(&list) == 0;
    own.at = now;
    own.count = 0;
    for (struct ifaddrs *i = list; i != NULL && own.count < OWN_ADDRESSES_MAX; i = i->ifa_next) {
        if (px_addr_from_sockaddr(i->ifa_addr, &own.addresses[own.count], NULL))
            own.count++;
    }
    freeifaddrs(list);
}

bool net_own_has(const struct px_addr *a)
{
    refresh();
    for (size_t i = 0; i < own.count; i++) {
        if (px_addr_equal(&own.addresses[i], a))
            return true;
    }
    return px_addr_is_loopback(a);
}

static bool is_link_local(const struct px_addr *a)
{
    if (a->family == 4)
        return a->bytes[0] == 169 && a->bytes[1] == 254;
    return a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

bool net_own_has_family(uint8_t family)
{
    refresh();
    for (size_t i = 0; i < own.count; i++) {
        const struct px_addr *a = &own.addresses[i];
        if (a->family == family && !px_addr_is_loopback(a) && !is_link_local(a))
            return true;
    }
    return !own.known;
}

struct route_request {
    struct nlmsghdr head;
    struct rtmsg route;
    struct rtattr attribute;
    uint8_t bytes[16];
};

/* Does the answer describe a unicast or local route without a next hop? */
static bool is_direct(const struct nlmsghdr *head, size_t len)
{
    const struct rtmsg *route = NLMSG_DATA(head);
    int left;

    if (!NLMSG_OK(head, len) || head->nlmsg_type != RTM_NEWROUTE)
        return false;
    if (route->rtm_type != RTN_UNICAST && route->rtm_type != RTN_LOCAL)
        return false;
    left = (int)RTM_PAYLOAD(head);
    for (const struct rtattr *a = RTM_RTA(route); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
        if (a->rta_type == RTA_GATEWAY || a->rta_type == RTA_VIA)
            return false;
    }
    return true;
}

bool net_own_is_neighbour(const struct px_addr *a)
{
    size_t size = a->family == 4 ? 4 : 16;
    struct route_request request = {
        .head = {.nlmsg_type = RTM_GETROUTE, .nlmsg_flags = NLM_F_REQUEST},
        .route = {.rtm_family = a->family == 4 ? AF_INET : AF_INET6,
                  .rtm_dst_len = (unsigned char)(size * 8)},
        .attribute = {.rta_type = RTA_DST, .rta_len = (unsigned short)RTA_LENGTH(size)},
    };
    union {
        struct nlmsghdr head;
        char bytes[4096];
    } answer;
    ssize_t n = -1;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (fd < 0)
        return false;
    memcpy(request.bytes, a->bytes, size);
    request.head.nlmsg_len = (uint32_t)(offsetof(struct route_request, bytes) + size);
    if (send(fd, &request, request.head.nlmsg_len, 0) == (ssize_t)request.head.nlmsg_len)
        n = recv(fd, &answer, sizeof(answer), MSG_DONTWAIT);
    (void)close(fd);
    return n > 0 && is_direct(&answer.head, (size_t)n);
}
