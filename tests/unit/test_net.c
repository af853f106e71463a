/* SPDX-License-Identifier: MIT */
/* Evidence to code: every row of the vocabulary's table, for each sender, in both families. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "probe-node/probes/net.h"
#include "probe-node/probes/net_own.h"

enum sender { TARGET, ROUTER, OWN, OWN_LINK, SENDERS };

static const char *const sender_names[SENDERS] = {"target", "router", "own, target far",
                                                  "own, target a neighbour"};

static struct px_addr address(const char *text)
{
    struct px_addr a;

    cr_assert(px_addr_parse(text, &a));
    return a;
}

static enum px_code icmp_code(uint8_t family, uint8_t type, uint8_t code, enum sender sender)
{
    static const char *const addresses[2][3] = {{"192.0.2.9", "198.51.100.1", "203.0.113.7"},
                                                {"2001:db8::9", "2001:db8:1::1", "2001:db8:2::7"}};
    const char *const *of = addresses[family == 6];
    struct net_evidence e = {.step = NET_STEP_ANSWER, .error = EHOSTUNREACH, .has_address = true};

    e.target = address(of[0]);
    e.icmp.from = address(sender == TARGET ? of[0] : sender == ROUTER ? of[1] : of[2]);
    e.icmp.own = sender >= OWN;
    e.on_link = sender == OWN_LINK;
    e.icmp.type = type;
    e.icmp.code = code;
    return net_code_of(&e);
}

#define FILTER                                                                                     \
    {                                                                                              \
        PX_CODE_REJECTED, PX_CODE_REJECTED, PX_CODE_OWN_FILTER, PX_CODE_OWN_FILTER                 \
    }
#define NO_WAY                                                                                     \
    {                                                                                              \
        PX_CODE_REJECTED, PX_CODE_UNREACHABLE, PX_CODE_NO_OWN_ROUTE, PX_CODE_UNREACHABLE           \
    }
#define OTHER                                                                                      \
    {                                                                                              \
        PX_CODE_REJECTED, PX_CODE_UNREACHABLE, PX_CODE_OWN_FILTER, PX_CODE_OWN_FILTER              \
    }
#define LOOP                                                                                       \
    {                                                                                              \
        PX_CODE_LOOPED, PX_CODE_LOOPED, PX_CODE_LOOPED, PX_CODE_LOOPED                             \
    }
#define NOTHING                                                                                    \
    {                                                                                              \
        PX_CODE_UNKNOWN, PX_CODE_UNKNOWN, PX_CODE_UNKNOWN, PX_CODE_UNKNOWN                         \
    }

static const struct {
    uint8_t family, type, code;
    enum px_code expected[SENDERS];
} icmp_table[] = {
    {4, 3, 0, NO_WAY},  {4, 3, 1, NO_WAY},  {4, 3, 2, OTHER},   {4, 3, 3, FILTER},
    {4, 3, 4, NOTHING}, {4, 3, 5, OTHER},   {4, 3, 6, OTHER},   {4, 3, 7, OTHER},
    {4, 3, 9, FILTER},  {4, 3, 10, FILTER}, {4, 3, 11, OTHER},  {4, 3, 12, OTHER},
    {4, 3, 13, FILTER}, {4, 3, 14, OTHER},  {4, 3, 15, OTHER},  {4, 11, 0, LOOP},
    {4, 12, 0, OTHER},  {4, 5, 1, NOTHING}, {4, 4, 0, NOTHING}, {4, 11, 1, NOTHING},
    {6, 1, 0, NO_WAY},  {6, 1, 1, FILTER},  {6, 1, 2, NO_WAY},  {6, 1, 3, NO_WAY},
    {6, 1, 4, FILTER},  {6, 1, 5, FILTER},  {6, 1, 6, FILTER},  {6, 1, 7, OTHER},
    {6, 2, 0, NOTHING}, {6, 3, 0, LOOP},    {6, 3, 1, NOTHING}, {6, 4, 1, OTHER},
};

Test(net, icmp_becomes_a_code_by_type_and_sender)
{
    for (size_t i = 0; i < sizeof(icmp_table) / sizeof(icmp_table[0]); i++) {
        for (int s = 0; s < SENDERS; s++) {
            enum px_code code =
                icmp_code(icmp_table[i].family, icmp_table[i].type, icmp_table[i].code, s);
            cr_expect_eq(code, icmp_table[i].expected[s], "v%u %u/%u from %s: %s, expected %s",
                         icmp_table[i].family, icmp_table[i].type, icmp_table[i].code,
                         sender_names[s], px_code_name(code),
                         px_code_name(icmp_table[i].expected[s]));
        }
    }
}

Test(net, a_message_of_the_other_family_is_not_mistaken)
{
    struct net_evidence e = {.step = NET_STEP_ANSWER, .has_address = true};

    e.target = address("2001:db8::9");
    e.icmp.from = address("192.0.2.1");
    e.icmp.type = 1; /* "unreachable" only in ICMPv6 */
    cr_expect_eq(net_code_of(&e), PX_CODE_UNKNOWN);
}

static const struct {
    enum net_step step;
    int error;
    bool has_address;
    enum px_code expected;
} errno_table[] = {
    {NET_STEP_SOCKET, EMFILE, true, PX_CODE_EXHAUSTED},
    {NET_STEP_SOCKET, ENFILE, true, PX_CODE_EXHAUSTED},
    {NET_STEP_SOCKET, ENOMEM, true, PX_CODE_EXHAUSTED},
    {NET_STEP_SOCKET, EACCES, true, PX_CODE_NO_PERMISSION},
    {NET_STEP_SOCKET, EPERM, true, PX_CODE_NO_PERMISSION},
    {NET_STEP_SOCKET, EAFNOSUPPORT, true, PX_CODE_NO_ADDRESS},
    {NET_STEP_SOCKET, EPROTONOSUPPORT, true, PX_CODE_UNABLE},
    {NET_STEP_BIND, EADDRNOTAVAIL, true, PX_CODE_NO_ADDRESS},
    {NET_STEP_BIND, EADDRINUSE, true, PX_CODE_EXHAUSTED},
    {NET_STEP_CONNECT, ENETUNREACH, true, PX_CODE_NO_OWN_ROUTE},
    {NET_STEP_CONNECT, ENETUNREACH, false, PX_CODE_NO_ADDRESS},
    {NET_STEP_CONNECT, EHOSTUNREACH, true, PX_CODE_NO_OWN_ROUTE},
    {NET_STEP_CONNECT, EINVAL, true, PX_CODE_NO_OWN_ROUTE},
    {NET_STEP_CONNECT, ENETDOWN, true, PX_CODE_NO_OWN_ROUTE},
    {NET_STEP_CONNECT, EACCES, true, PX_CODE_OWN_FILTER},
    {NET_STEP_CONNECT, EACCES, false, PX_CODE_OWN_FILTER},
    {NET_STEP_CONNECT, EPERM, true, PX_CODE_OWN_FILTER},
    {NET_STEP_CONNECT, EADDRNOTAVAIL, true, PX_CODE_EXHAUSTED},
    {NET_STEP_CONNECT, EADDRNOTAVAIL, false, PX_CODE_NO_ADDRESS},
    {NET_STEP_CONNECT, EAGAIN, true, PX_CODE_EXHAUSTED},
    {NET_STEP_CONNECT, ENOBUFS, true, PX_CODE_EXHAUSTED},
    {NET_STEP_CONNECT, ECONNREFUSED, true, PX_CODE_REFUSED},
    {NET_STEP_CONNECT, EDOM, true, PX_CODE_UNABLE},
    {NET_STEP_ANSWER, 0, true, PX_CODE_UNKNOWN},
    {NET_STEP_ANSWER, ECONNREFUSED, true, PX_CODE_REFUSED},
    {NET_STEP_ANSWER, ECONNRESET, true, PX_CODE_RESET_EARLY},
    {NET_STEP_ANSWER, EPIPE, true, PX_CODE_RESET_EARLY},
    {NET_STEP_ANSWER, ETIMEDOUT, true, PX_CODE_NO_ANSWER},
    {NET_STEP_ANSWER, EHOSTUNREACH, true, PX_CODE_UNREACHABLE},
    {NET_STEP_ANSWER, ENETUNREACH, true, PX_CODE_UNREACHABLE},
    {NET_STEP_ANSWER, ENETDOWN, true, PX_CODE_NO_OWN_ROUTE},
    {NET_STEP_ANSWER, EACCES, true, PX_CODE_REJECTED},
    {NET_STEP_ANSWER, EDOM, true, PX_CODE_UNREACHABLE},
};

Test(net, errno_becomes_a_code_by_where_it_came_up)
{
    for (size_t i = 0; i < sizeof(errno_table) / sizeof(errno_table[0]); i++) {
        struct net_evidence e = {.step = errno_table[i].step,
                                 .error = errno_table[i].error,
                                 .has_address = errno_table[i].has_address};
        enum px_code code = net_code_of(&e);
        cr_expect_eq(code, errno_table[i].expected, "%s at step %d: %s, expected %s",
                     strerror(e.error), (int)e.step, px_code_name(code),
                     px_code_name(errno_table[i].expected));
    }
}

Test(net, what_fails_at_home_never_counts_against_the_target)
{
    for (int error = 1; error < 134; error++) {
        for (int step = NET_STEP_SOCKET; step <= NET_STEP_BIND; step++) {
            struct net_evidence e = {.step = (enum net_step)step, .error = error};
            enum px_code code = net_code_of(&e);
            cr_expect_eq(px_code_kind(code), PX_KIND_VANTAGE, "errno %d at step %d: %s", error,
                         step, px_code_name(code));
        }
    }
}

Test(net, icmp_outweighs_errno)
{
    /* "connection refused" is both a reset and a port unreachable */
    struct net_evidence e = {.step = NET_STEP_ANSWER, .error = ECONNREFUSED, .has_address = true};

    e.target = address("192.0.2.9");
    cr_expect_eq(net_code_of(&e), PX_CODE_REFUSED);
    e.icmp = (struct px_icmp){.from = e.target, .type = 3, .code = 3};
    cr_expect_eq(net_code_of(&e), PX_CODE_REJECTED);
}

Test(net, resolver_errors)
{
    static const struct {
        int eai, error;
        enum px_code expected;
    } table[] = {
        {0, 0, PX_CODE_OK},
        {EAI_NONAME, 0, PX_CODE_DNS_NXDOMAIN},
        {EAI_NODATA, 0, PX_CODE_DNS_EMPTY},
        {EAI_ADDRFAMILY, 0, PX_CODE_DNS_EMPTY},
        {EAI_AGAIN, EAGAIN, PX_CODE_DNS_SERVFAIL},
        {EAI_FAIL, 0, PX_CODE_DNS_SERVFAIL},
        {EAI_MEMORY, 0, PX_CODE_EXHAUSTED},
        {EAI_SYSTEM, EMFILE, PX_CODE_EXHAUSTED},
        {EAI_SYSTEM, EIO, PX_CODE_DNS_SERVFAIL},
        {12345, 0, PX_CODE_DNS_SERVFAIL},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        cr_expect_eq(net_code_of_name(table[i].eai, table[i].error), table[i].expected,
                     "eai %d errno %d", table[i].eai, table[i].error);
}

Test(net, who_answered)
{
    struct px_addr target = address("192.0.2.9"), router = address("198.51.100.1");
    static const enum px_code by_tcp[] = {PX_CODE_OK, PX_CODE_REFUSED, PX_CODE_RESET_EARLY};
    struct px_attempt a = {.code = PX_CODE_NO_ANSWER};

    cr_expect_not(net_is_from_target(&a, &target));
    for (size_t i = 0; i < sizeof(by_tcp) / sizeof(by_tcp[0]); i++) {
        a.code = by_tcp[i];
        cr_expect(net_is_from_target(&a, &target), "%s", px_code_name(a.code));
    }
    a.code = PX_CODE_REJECTED;
    a.icmp.from = router;
    cr_expect_not(net_is_from_target(&a, &target));
    a.icmp.from = target;
    cr_expect(net_is_from_target(&a, &target));
}

Test(net, own_addresses_and_neighbours)
{
    struct px_addr v4 = address("127.0.0.1"), v6 = address("::1"), far = address("192.0.2.9");

    cr_expect(net_own_has(&v4));
    cr_expect(net_own_has(&v6));
    cr_expect_not(net_own_has(&far));
    cr_expect(net_own_is_neighbour(&v4), "loopback is reached without a gateway");
}

Test(net, the_error_queue_is_empty_after_a_reset)
{
    struct sockaddr_storage sa;
    struct px_addr loopback = address("127.0.0.1");
    socklen_t len = px_addr_to_sockaddr(&loopback, 0, &sa);
    int closed = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
    struct px_icmp icmp = {.type = 77};

    cr_assert_eq(bind(closed, (struct sockaddr *)&sa, len), 0); /* bound, not listening: closed */
    cr_assert_eq(getsockname(closed, (struct sockaddr *)&sa, &len), 0);
    net_ask_icmp(fd, 4, true);
    cr_assert_eq(connect(fd, (struct sockaddr *)&sa, len), -1);
    cr_expect_eq(errno, ECONNREFUSED);
    cr_expect_eq(net_read_icmp(fd, 4, &icmp), 0);
    cr_expect_eq(icmp.type, 77, "left alone");
    (void)close(fd);
    (void)close(closed);
}

Test(net, a_wait_is_rounded_up_and_never_negative)
{
    struct timeval tv = net_wait(5, 6);

    cr_expect_eq(tv.tv_sec, 0);
    cr_expect_eq(tv.tv_usec, 1);
    tv = net_wait(0, 2 * PX_SEC - 1);
    cr_expect_eq(tv.tv_sec, 2);
    cr_expect_eq(tv.tv_usec, 0);
    tv = net_wait(10 * PX_SEC, 0);
    cr_expect_eq(tv.tv_sec, 0);
    cr_expect_eq(tv.tv_usec, 0);
}
