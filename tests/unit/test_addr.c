/* SPDX-License-Identifier: MIT */
/* Addresses and prefixes: text, socket addresses, comparison, containment. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>

#include "common/addr.h"
#include "tests/unit/noise.h"

static struct px_addr addr(const char *text)
{
    struct px_addr a;
    cr_assert(px_addr_parse(text, &a), "%s", text);
    return a;
}

static struct px_prefix prefix(const char *text)
{
    struct px_prefix p;
    cr_assert(px_prefix_parse(text, &p), "%s", text);
    return p;
}

Test(addr, text_becomes_canonical)
{
    static const struct {
        const char *in, *out;
        int family;
    } cases[] = {
        {"192.0.2.7", "192.0.2.7", 4},
        {"0.0.0.0", "0.0.0.0", 4},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1", 6},
        {"::", "::", 6},
        {"::1", "::1", 6},
        {"::ffff:192.0.2.7", "192.0.2.7", 4},
        {"::ffff:c000:207", "192.0.2.7", 4},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[PX_ADDR_TEXT];
        struct px_addr a = addr(cases[i].in);
        cr_assert_eq(a.family, cases[i].family);
        cr_assert_str_eq(px_addr_format(&a, text), cases[i].out);
    }
}

Test(addr, other_spellings_are_refused)
{
    static const char *const wrong[] = {
        "",         "1.2.3",     "1.2.3.4.5",   "256.1.1.1", "010.0.0.1",    "0x7f.0.0.1",
        "1.2.3.4 ", " 1.2.3.4",  "1.2.3.4/32",  "[::1]",     "fe80::1%eth0", ":::",
        "1::2::3",  "localhost", "2001:db8::g", "12345",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct px_addr a = {.family = 9};
        cr_assert_not(px_addr_parse(wrong[i], &a), "%s", wrong[i]);
        cr_assert_eq(a.family, 0);
    }
    struct px_addr a;
    cr_assert_not(px_addr_parse(NULL, &a));
    char text[PX_ADDR_TEXT];
    cr_assert_str_eq(px_addr_format(&a, text), "");
}

Test(addr, order_is_family_then_bytes)
{
    struct px_addr a = addr("10.0.0.1"), b = addr("10.0.0.2"), c = addr("::1"), none = {0};
    cr_assert_lt(px_addr_compare(&a, &b), 0);
    cr_assert_lt(px_addr_compare(&b, &c), 0);
    cr_assert_gt(px_addr_compare(&c, &none), 0);
    cr_assert(px_addr_equal(&a, &a));
    cr_assert(px_addr_equal(&none, &none));
    cr_assert_not(px_addr_equal(&a, &b));
}

Test(addr, socket_addresses_there_and_back)
{
    static const char *const texts[] = {"192.0.2.7", "2001:db8::1"};
    for (size_t i = 0; i < 2; i++) {
        struct sockaddr_storage ss;
        struct px_addr a = addr(texts[i]), back;
        uint16_t port = 0;
        socklen_t length = px_addr_to_sockaddr(&a, 2222, &ss);
        cr_assert_eq(length, i == 0 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        cr_assert(px_addr_from_sockaddr((struct sockaddr *)&ss, &back, &port));
        cr_assert(px_addr_equal(&a, &back));
        cr_assert_eq(port, 2222);
        cr_assert(px_addr_from_sockaddr((struct sockaddr *)&ss, &back, NULL));
    }
}

Test(addr, mapped_socket_addresses_are_v4)
{
    struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(7)};
    struct px_addr a, v4 = addr("192.0.2.7");
    inet_pton(AF_INET6, "::ffff:192.0.2.7", &in.sin6_addr);
    cr_assert(px_addr_from_sockaddr((struct sockaddr *)&in, &a, NULL));
    cr_assert(px_addr_equal(&a, &v4));
}

Test(addr, no_address_is_no_socket_address)
{
    struct sockaddr_storage ss;
    struct sockaddr unix_like = {.sa_family = AF_UNIX};
    struct px_addr none = {0}, a;
    cr_assert_eq(px_addr_to_sockaddr(&none, 1, &ss), 0);
    cr_assert_not(px_addr_from_sockaddr(&unix_like, &a, NULL));
    cr_assert_not(px_addr_from_sockaddr(NULL, &a, NULL));
}

Test(prefix, text_becomes_canonical)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"192.0.2.0/24", "192.0.2.0/24"},     {"192.0.2.77/24", "192.0.2.0/24"},
        {"192.0.2.77", "192.0.2.77/32"},      {"0.0.0.0/0", "0.0.0.0/0"},
        {"10.255.255.255/9", "10.128.0.0/9"}, {"2001:db8:ffff::/33", "2001:db8:8000::/33"},
        {"2001:db8::1", "2001:db8::1/128"},   {"::ffff:192.0.2.77/120", "192.0.2.0/24"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[PX_ADDR_TEXT + 4];
        struct px_prefix p = prefix(cases[i].in);
        cr_assert_str_eq(px_prefix_format(&p, text), cases[i].out);
    }
}

Test(prefix, other_spellings_are_refused)
{
    static const char *const wrong[] = {
        "",           "/24",         "192.0.2.0/",        "192.0.2.0/33",
        "::/129",     "1.2.3.4/-1",  "1.2.3.4/ 8",        "1.2.3.4/8x",
        "1.2.3.4/08", "1.2.3.4/8/8", "::ffff:1.2.3.4/95", "1.2.3.4/4294967304"};
    struct px_prefix p;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_assert_not(px_prefix_parse(wrong[i], &p), "%s", wrong[i]);
    cr_assert_not(px_prefix_parse(NULL, &p));
}

Test(prefix, contains_its_addresses_only)
{
    struct px_prefix p = prefix("192.0.2.128/25"), all = prefix("0.0.0.0/0");
    struct px_addr in = addr("192.0.2.200"), out = addr("192.0.2.100"), six = addr("::1");
    struct px_addr none = {0};
    struct px_prefix empty = {0};
    cr_assert(px_prefix_contains(&p, &in));
    cr_assert_not(px_prefix_contains(&p, &out));
    cr_assert_not(px_prefix_contains(&p, &six));
    cr_assert(px_prefix_contains(&all, &out));
    cr_assert_not(px_prefix_contains(&all, &none));
    cr_assert_not(px_prefix_contains(&empty, &none));
}

Test(prefix, of_clamps_the_length)
{
    struct px_addr a = addr("192.0.2.77"), six = addr("2001:db8::1");
    struct px_prefix p = px_prefix_of(&a, 400), q = prefix("192.0.2.77");
    cr_assert(px_prefix_equal(&p, &q));
    cr_assert_eq(px_prefix_of(&six, 400).len, 128);
    p = px_prefix_of(&a, 31);
    cr_assert_not(px_prefix_equal(&p, &q));
}

Test(addr, loopback)
{
    struct px_addr yes = addr("127.9.9.9"), six = addr("::1"), no = addr("128.0.0.1"), none = {0};
    cr_assert(px_addr_is_loopback(&yes));
    cr_assert(px_addr_is_loopback(&six));
    cr_assert_not(px_addr_is_loopback(&no));
    cr_assert_not(px_addr_is_loopback(&none));
}

Test(addr, noise_parses_to_what_formats_back_or_not_at_all)
{
    struct noise noise = {11};
    char in[64], text[PX_ADDR_TEXT], longer[PX_ADDR_TEXT + 4];
    int good = 0;
    for (int i = 0; i < 100000; i++) {
        struct px_addr a, b;
        struct px_prefix p, q;
        noise_text(&noise, i % 2 ? "0123456789abcdef:./" : i % 5 ? "12:" : NULL, 30, in);
        if (px_addr_parse(in, &a)) {
            cr_assert(px_addr_parse(px_addr_format(&a, text), &b));
            cr_assert(px_addr_equal(&a, &b));
            good++;
        } else {
            cr_assert_eq(a.family, 0);
        }
        if (px_prefix_parse(in, &p)) {
            cr_assert(px_prefix_parse(px_prefix_format(&p, longer), &q));
            cr_assert(px_prefix_equal(&p, &q));
            cr_assert(px_prefix_contains(&p, &p.addr));
        }
    }
    cr_assert_gt(good, 10, "the noise hits real addresses, too");
}
